import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

/// `checkPermissions` and `whoami` (spec/policies-search.md F).
@Suite("Questions about permissions")
struct CheckPermissionsTests {
    private static let asker = AuthorizationContext(["test:x"])

    /// Things `n:t` and `o.p:t` under `n:policy`, `n:lost` without policy, and what `test:x` may.
    private static func fixture() throws -> EngineFixture {
        let fixture = try EngineFixture()
        var policy = try json(
            Sample.policy([
                (
                    "test:x",
                    ["thing:/": "RW", "thing:/attributes/secret": "-R", "message:/inbox": "W", "policy:/entries": "R"]
                )
            ]))
        policy.set(
            try json(
                """
                {"subjects":{"test:x":{"type":"t"}},"resources":{"thing:/features":{"grant":["EXECUTE"]},\
                "policy:/imports":{"grant":["READ"]}},"namespaces":["o.*"]}
                """), at: JSONPointer(segments: ["entries", "scoped"]))
        try fixture.rig.policy(.create, "n:policy", policy.text)
        try fixture.make("n:t", Sample.guarded)
        try fixture.make("o.p:t", Sample.guarded)
        try fixture.rig.policy(.create, "n:gone", Sample.policy())
        try fixture.make("n:lost", #"{"policyId":"n:gone"}"#)
        try fixture.rig.policy(.delete, "n:gone")
        try fixture.make("n:deleted", Sample.guarded)
        try fixture.rig.run(.delete, "n:deleted")
        return fixture
    }

    struct Row: Sendable, CustomTestStringConvertible {
        let resource: String
        let entity: String
        let permissions: String
        let isGranted: Bool
        init(_ resource: String, _ entity: String, _ permissions: String, _ isGranted: Bool) {
            (self.resource, self.entity, self.permissions, self.isGranted) = (resource, entity, permissions, isGranted)
        }
        var testDescription: String { "\(permissions) \(resource) of \(entity)" }
        var question: String {
            let words = permissions.split(separator: " ").map { "\"\($0)\"" }.joined(separator: ",")
            return #"{"resource":"\#(resource)","entityId":"\#(entity)","hasPermissions":[\#(words)]}"#
        }
    }

    static let rows: [Row] = [
        Row("thing:/features", "n:t", "READ", true), Row("thing:/features", "n:t", "READ WRITE", true),
        Row("thing:/features/f/properties/p", "n:t", "WRITE", true),
        // Unrestricted: a revoke below counts (A.3 rule 5), whether the data exists or not.
        Row("thing:/", "n:t", "READ", false), Row("thing:/attributes", "n:t", "READ", false),
        Row("thing:/attributes/secret", "n:t", "READ", false), Row("thing:/attributes/secret", "n:t", "WRITE", true),
        Row("thing:/attributes/secret", "n:t", "READ WRITE", false), Row("thing:/attributes/open", "n:t", "READ", true),
        // Partial is not enough.
        Row("policy:/", "n:policy", "READ", false), Row("policy:/entries", "n:policy", "READ", true),
        Row("policy:/entries/E0", "n:policy", "READ", true), Row("policy:/entries", "n:policy", "WRITE", false),
        Row("message:/inbox/messages/go", "n:t", "WRITE", true),
        Row("message:/inbox/messages/go", "n:t", "READ", false),
        Row("message:/", "n:t", "WRITE", false), Row("message:/features/f/inbox/messages/go", "n:t", "WRITE", false),
        // Entries bound to namespaces count for things of those, and for the policy itself.
        Row("thing:/features", "n:t", "EXECUTE", false), Row("thing:/features", "o.p:t", "EXECUTE", true),
        Row("policy:/imports", "n:policy", "READ", true),
        // What does not exist permits nothing, and is not told apart from what is forbidden.
        Row("thing:/", "n:none", "READ", false), Row("policy:/", "n:none", "READ", false),
        Row("thing:/features", "n:lost", "READ", false), Row("thing:/features", "n:deleted", "READ", false),
        Row("policy:/", "n:gone", "READ", false), Row("message:/inbox", "n:none", "WRITE", false),
    ]

    private static func run(_ payload: String, _ fixture: EngineFixture, as context: AuthorizationContext) throws
        -> String
    {
        let command = try CheckPermissions(payload: try JSONText(validating: Array(payload.utf8)))
        let outcome = fixture.rig.engine.execute(command, as: context)
        try fixture.rig.awaitCommit(outcome.ticket)
        return try outcome.result.get().text
    }

    @Test("a question is answered by the policy alone")
    func answers() throws {
        let fixture = try Self.fixture()
        for row in Self.rows {
            let answer = try Self.run(#"{"q":\#(row.question)}"#, fixture, as: Self.asker)
            #expect(answer == #"{"q":\#(row.isGranted)}"#, "\(row.testDescription)")
        }
    }

    @Test("all questions are answered at once, in their order")
    func order() throws {
        let fixture = try Self.fixture()
        let names = Self.rows.indices.map { "q\((7 * $0 + 3) % Self.rows.count)" }
        let questions = zip(names, Self.rows).map { #""\#($0)":\#($1.question)"# }.joined(separator: ",")
        let expected = zip(names, Self.rows).map { #""\#($0)":\#($1.isGranted)"# }.joined(separator: ",")
        #expect(try Self.run("{\(questions)}", fixture, as: Self.asker) == "{\(expected)}")
        #expect(try Self.run(#"{"permissionChecks":{\#(questions)}}"#, fixture, as: Self.asker) == "{\(expected)}")
        #expect(try Self.run("{}", fixture, as: Self.asker) == "{}")
    }

    @Test("who has no subject may nothing, who owns everything may all")
    func callers() throws {
        let fixture = try Self.fixture()
        let question = #"{"q":{"resource":"thing:/","entityId":"n:t","hasPermissions":["READ","WRITE"]}}"#
        #expect(try Self.run(question, fixture, as: AuthorizationContext([])) == #"{"q":false}"#)
        #expect(try Self.run(question, fixture, as: EngineRig.owner) == #"{"q":true}"#)
        // Pooled: the revoke for one subject counts for both.
        let both = AuthorizationContext(["test:owner", "test:x"])
        #expect(try Self.run(question, fixture, as: both) == #"{"q":false}"#)
    }

    @Test("what is not in memory is read from the store, unless that is forbidden")
    func loading() throws {
        let fixture = try EngineFixture()
        let command = try CheckPermissions(
            payload: try JSONText(
                validating: Array(#"{"q":{"resource":"thing:/","entityId":"n:far","hasPermissions":["READ"]}}"#.utf8)))
        #expect(fixture.rig.engine.executeIfLoaded(command, as: Self.asker) == nil)
        #expect(try fixture.rig.engine.execute(command, as: Self.asker).result.get().text == #"{"q":false}"#)
        #expect(fixture.rig.engine.executeIfLoaded(command, as: Self.asker) != nil)
    }

    @Test("an answer waits for the change it rests on")
    func ticket() throws {
        let fixture = try EngineFixture()
        try fixture.makePolicy(Sample.policy())
        let change = fixture.rig.engine.execute(
            PolicyCommand(
                policyID: try PolicyID("n:p"), action: .modify,
                resource: try PolicyPath(JSONPointer(segments: ["entries", "new"])), value: JSONText([:])),
            as: EngineRig.owner)
        let command = try CheckPermissions(
            payload: try JSONText(
                validating: Array(#"{"q":{"resource":"policy:/","entityId":"n:p","hasPermissions":["READ"]}}"#.utf8)))
        let outcome = fixture.rig.engine.execute(command, as: EngineRig.owner)
        #expect(outcome.ticket.sequence == change.ticket.sequence)
    }

    @Test("it is a signal of connections, answered with 200 and the result")
    func signal() throws {
        let rig = try SignalRig()
        let question = #"{"resource":"thing:/","entityId":"n:t","hasPermissions":["READ"]}"#
        let topic = "_/_/policies/commands/checkPermissions"
        let answer = try rig.answer(SignalRig.text(topic, "/", #"{"b":\#(question),"a":\#(question)}"#))
        #expect(answer.topic.text == topic && answer.path.isRoot && answer.status == 200)
        #expect(answer.value?.text == #"{"b":true,"a":true}"#)
        #expect(answer.headers[.contentType]?.string == "application/json")
        #expect(answer.headers[.responseRequired] == .bool(false))
        #expect(answer.headers.correlationID == "c" && answer.headers["x-Own"]?.string == "kept")
        let stranger = try rig.answer(
            SignalRig.text(topic, "/", #"{"a":\#(question)}"#), as: AuthorizationContext(["test:stranger"]))
        #expect(stranger.value?.text == #"{"a":false}"#)
        let wrong = try rig.answer(SignalRig.text(topic, "/", #"{"a":{}}"#))
        #expect((wrong.errorCode, wrong.status) == ("json.field.missing", 400))
        #expect(wrong.topic.text == "_/_/policies/errors" && wrong.headers.correlationID == "c")
    }

    @Test("whoever asks learns his subjects in their order (F)")
    func whoAmI() {
        #expect(
            AuthorizationContext(["a:b", "c:\"d"]).whoAmI.text
                == #"{"defaultSubject":"a:b","subjects":["a:b","c:\"d"]}"#)
        #expect(AuthorizationContext([]).whoAmI.text == #"{"defaultSubject":null,"subjects":[]}"#)
    }
}
