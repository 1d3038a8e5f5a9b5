// The worked examples of spec/policies-search.md A.13 as requests to the engine: every answer with its status, its
// code and, where the example shows one, its value. PolicyExampleTests has the examples on policies themselves.
import Glibc
import Testing
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanEngine

/// One request of an example, and what it is answered.
struct WorkedExample: Sendable, CustomTestStringConvertible {
    /// The example's section and what it is about.
    let name: String
    /// The policies that are made first, by id.
    let policies: [(id: String, text: String)]
    let subjects: [String]
    let action: ThingCommand.Action
    let path: String
    var value: String?
    var thing = "acme:pump-7"
    var condition: String?
    let status: Int
    /// The code of an error.
    var code: String?
    /// The value of an answer, as JSON.
    var answer: String?

    var testDescription: String { "\(name): \(subjects) \(action) \(thing)\(path) \(condition ?? "")" }
}

extension WorkedExample {
    /// Policies, and who sends what; the rows of an example begin with it.
    struct Setting: Sendable {
        let name: String
        let policies: [(id: String, text: String)]
        var subjects = ["u:ann"]

        init(_ name: String, _ entries: [String], as subjects: [String] = ["u:ann"]) {
            self.name = name
            self.policies = [("acme:p", WrittenPolicy.text(Setting.labelled(entries)))]
            self.subjects = subjects
        }

        init(_ name: String, policies: [(id: String, text: String)], as subjects: [String]) {
            self.name = name
            self.policies = policies
            self.subjects = subjects
        }

        static func labelled(_ entries: [String]) -> [(String, String)] {
            entries.enumerated().map { ("E\($0)", $1) }
        }

        /// A retrieve that is answered with a value.
        func get(_ path: String, _ answer: String, of thing: String = "acme:pump-7") -> WorkedExample {
            WorkedExample(
                name: name, policies: policies, subjects: subjects, action: .retrieve, path: path, thing: thing,
                status: 200, answer: answer)
        }

        /// A retrieve that finds nothing.
        func hidden(_ path: String, _ code: String, of thing: String = "acme:pump-7") -> WorkedExample {
            WorkedExample(
                name: name, policies: policies, subjects: subjects, action: .retrieve, path: path, thing: thing,
                status: 404, code: code)
        }

        /// A change that is made.
        func done(
            _ action: ThingCommand.Action, _ path: String, _ value: String?, if condition: String? = nil
        ) -> WorkedExample {
            WorkedExample(
                name: name, policies: policies, subjects: subjects, action: action, path: path, value: value,
                condition: condition, status: 204)
        }

        /// A change that is refused.
        func refused(
            _ action: ThingCommand.Action, _ path: String, _ value: String?, if condition: String? = nil,
            _ code: String, _ status: Int = 403
        ) -> WorkedExample {
            WorkedExample(
                name: name, policies: policies, subjects: subjects, action: action, path: path, value: value,
                condition: condition, status: status, code: code)
        }
    }
}

/// The rows of the examples.
enum WorkedExampleRows {
    typealias Setting = WorkedExample.Setting

    static let site = #""site":{"name":"North","geo":{"lat":1.5,"lon":9.2}}"#
    static let tags = #""tags":["a",{"k":1,"secret":2}]"#
    static let valve = #""valve":{"definition":["acme:valve:1.0"],"properties":{"open":true}}"#
    static let motor = #""motor":{"properties":{"rpm":900,"temp":61,"cfg":{"max":1200,"pin":"77"}}}"#
    static let head = #""thingId":"acme:pump-7","policyId":"acme:p","definition":"acme:pump:1.0""#
    static let attributes = #""attributes":{\#(site),"serial":"X1",\#(tags)}"#

    /// The thing of the examples.
    static let pump = #"{\#(head),\#(attributes),"features":{\#(motor),\#(valve)}}"#

    private static func entry(
        _ resources: [String: String], of subject: String = "u:ann", _ rest: String = ""
    ) -> String {
        WrittenPolicy.entry([subject], resources, rest)
    }

    static let grants: [WorkedExample] = {
        let root = Setting("A.13.1 plain root grant", [entry(["thing:/": "R"])])
        let blind = Setting("A.13.2 WRITE without READ", [entry(["thing:/": "W"])])
        let rpm = Setting("A.13.3 sub path only", [entry(["thing:/features/motor/properties/rpm": "R"])])
        let cfg = Setting(
            "A.13.4 revoke below grant", [entry(["thing:/": "RW", "thing:/features/motor/properties/cfg": "-R"])])
        let cut = #""motor":{"properties":{"rpm":900,"temp":61}}"#
        return [
            root.get("/", pump),
            root.refused(.modify, "/attributes/serial", "1", "things:attribute.notmodifiable"),
            blind.done(.modify, "/attributes/serial", "1"),
            blind.hidden("/", "things:thing.notfound"),
            blind.hidden("/attributes/serial", "things:attribute.notfound"),
            rpm.get("/", #"{"thingId":"acme:pump-7","features":{"motor":{"properties":{"rpm":900}}}}"#),
            rpm.hidden("/attributes", "things:attributes.notfound"),
            rpm.hidden("/policyId", "things:policyId.notfound"),
            rpm.hidden("/definition", "things:definition.notfound"),
            rpm.get("/features/motor", #"{"properties":{"rpm":900}}"#),
            rpm.hidden("/features/motor/properties/temp", "things:feature.property.notfound"),
            cfg.get("/", #"{\#(head),\#(attributes),"features":{\#(cut),\#(valve)}}"#),
            cfg.hidden("/features/motor/properties/cfg", "things:feature.property.notfound"),
            cfg.hidden("/features/motor/properties/cfg/max", "things:feature.property.notfound"),
            cfg.done(.modify, "/features/motor", "{}"),
        ]
    }()

    static let revokes: [WorkedExample] = {
        let fixed = Setting(
            "A.13.5 WRITE revoke below blocks parent write",
            [entry(["thing:/": "RW", "thing:/attributes/serial": "-W"])])
        let deeper = Setting(
            "A.13.6 re-grant deeper",
            [entry(["thing:/": "R", "thing:/features": "-R", "thing:/features/valve": "R"])])
        return [
            fixed.done(.modify, "/attributes/site", "{}"),
            fixed.refused(.modify, "/attributes/serial", "1", "things:attribute.notmodifiable"),
            fixed.refused(.delete, "/attributes/serial", nil, "things:attribute.notmodifiable"),
            fixed.refused(.merge, "/attributes/serial", "1", "things:thing.notmodifiable"),
            fixed.refused(.modify, "/attributes", "{}", "things:attributes.notmodifiable"),
            fixed.refused(.delete, "/attributes", nil, "things:attributes.notmodifiable"),
            fixed.refused(.merge, "/attributes", #"{"serial":1}"#, "things:thing.notmodifiable"),
            fixed.done(.merge, "/attributes", #"{"site":1}"#),
            fixed.refused(.modify, "/", pump, "things:thing.notmodifiable"),
            fixed.refused(.delete, "/", nil, "things:thing.notdeletable"),
            fixed.done(.merge, "/", #"{"attributes":{"site":{"name":"S"}}}"#),
            fixed.refused(.merge, "/", #"{"attributes":{"serial":"Z"}}"#, "things:thing.notmodifiable"),
            deeper.get("/", #"{\#(head),\#(attributes),"features":{\#(valve)}}"#),
            deeper.get("/features", "{\(valve)}"),
            deeper.hidden("/features/motor", "things:feature.notfound"),
        ]
    }()

    static let pooled: [WorkedExample] = {
        let ties = [entry(["thing:/attributes": "R"]), entry(["thing:/attributes": "-R"])]
        let staff = entry(["thing:/": "R"], of: "g:staff")
        let two = [staff, entry(["thing:/attributes": "-R"])]
        let three = two + [entry(["thing:/attributes/site": "R"], of: "g:staff")]
        let both = ["u:ann", "g:staff"]
        let pool = "A.13.8 pooled subjects"
        let depth = [
            entry(["thing:/attributes/serial": "W"], of: "g:staff"), entry(["thing:/attributes/serial": "-W"]),
        ]
        let same = "A.13.9 same depth, different subjects"
        let features = #""features":{\#(motor),\#(valve)}"#
        let tied = [ties, ties.reversed()].flatMap { entries -> [WorkedExample] in
            let tie = Setting("A.13.7 tie on equal path", entries)
            return [
                tie.hidden("/attributes", "things:attributes.notfound"), tie.hidden("/", "things:thing.notfound"),
                tie.hidden("/attributes/serial", "things:attribute.notfound"),
            ]
        }
        return tied + [
            Setting(pool, two, as: both).hidden("/attributes", "things:attributes.notfound"),
            Setting(pool, two, as: both).get("/", "{\(head),\(features)}"),
            Setting(pool, three, as: both).get("/attributes", "{\(site)}"),
            Setting(pool, three, as: both).get("/", #"{\#(head),"attributes":{\#(site)},\#(features)}"#),
            Setting(pool, three, as: ["g:staff"]).get("/", pump),
            Setting(pool, three, as: ["u:ann"]).hidden("/", "things:thing.notfound"),
            Setting(same, depth, as: both)
                .refused(.modify, "/attributes/serial", "1", "things:attribute.notmodifiable"),
            Setting(same, depth, as: ["g:staff"]).done(.modify, "/attributes/serial", "1"),
        ]
    }()

    static let others: [WorkedExample] = {
        let arrays = Setting("A.13.10 arrays", [entry(["thing:/attributes/tags/k": "R"])])
        func scoped(_ namespaces: String) -> Setting {
            let rest = #""namespaces":\#(namespaces)"#
            return Setting(
                "A.13.13 namespace-scoped entry \(namespaces)", [entry(["thing:/": "R"], of: "u:bob", rest)],
                as: ["u:bob"])
        }
        let european = #"{"thingId":"acme.eu:x","policyId":"acme:p","attributes":{"a":1}}"#
        let condition = Setting("A.13.14 condition permission", [entry(["thing:/attributes": "RW"])])
        let failed = "things:condition.failed"
        let feature = Setting("A.13.24 one feature", [entry(["thing:/features/motor": "R"])])
        return [
            arrays.get("/", #"{"thingId":"acme:pump-7","attributes":{"tags":[{"k":1}]}}"#),
            arrays.get("/attributes/tags", #"["a",{"k":1,"secret":2}]"#),
            scoped(#"["acme.*"]"#).get("/", european, of: "acme.eu:x"),
            scoped(#"["acme.*"]"#).hidden("/", "things:thing.notfound"),
            scoped(#"["acme","acme.*"]"#).get("/", european, of: "acme.eu:x"),
            scoped(#"["acme","acme.*"]"#).get("/", pump),
            scoped("[]").get("/", european, of: "acme.eu:x"), scoped("[]").get("/", pump),
            condition.done(.modify, "/attributes/serial", "1", if: #"eq(attributes/serial,"X1")"#),
            condition.refused(
                .modify, "/attributes/serial", "1", if: "gt(features/motor/properties/rpm,1)", failed, 412),
            condition.refused(.modify, "/attributes/serial", "1", if: #"eq(attributes/serial,"zz")"#, failed, 412),
            condition.refused(.modify, "/attributes/serial", "1", if: "eq(", "things:condition.invalid", 400),
            feature.get("/features", "{\(motor)}"),
            feature.hidden("/features/valve", "things:feature.notfound"),
        ]
    }()

    static let imported: [WorkedExample] = {
        let base = WrittenPolicy.text([
            ("viewer", entry(["thing:/": "R"], of: "u:bob")),
            ("writer", entry(["thing:/": "W"], of: "u:bob", #""importable":"explicit""#)),
        ])
        func importing(_ entries: String) -> Setting {
            let policy = WrittenPolicy.text(imports: #"{"acme:base":\#(entries)}"#)
            return Setting("A.13.18 import", policies: [("acme:base", base), ("acme:p", policy)], as: ["u:bob"])
        }
        func added(_ additions: String) -> Setting {
            let motor = ["thing:/features/motor": "RW", "thing:/features/motor/properties/cfg": "-W"]
            let rest = #""references":[{"import":"t:roles","entry":"op"}]"#
            let own = entry(["thing:/attributes": "R"], of: "u:eve", rest)
            return Setting(
                "A.13.19 reference with additions \(additions)",
                policies: [
                    ("t:roles", WrittenPolicy.text([("op", WrittenPolicy.entry([], motor, additions))])),
                    ("acme:p", WrittenPolicy.text([("op", own)], imports: #"{"t:roles":{}}"#)),
                ], as: ["u:eve"])
        }
        let subjects = added(#""allowedAdditions":["subjects"]"#)
        let rpm = "/features/motor/properties/rpm"
        let propertyRefused = "things:feature.property.notmodifiable"
        return [
            importing("{}").get("/", pump),
            importing("{}").refused(.modify, "/attributes/serial", "1", "things:attribute.notmodifiable"),
            importing(#"{"entries":["writer"]}"#).done(.modify, "/attributes/serial", "1"),
            subjects.done(.modify, rpm, "1"),
            subjects.refused(.modify, "/features/motor/properties/cfg", "{}", propertyRefused),
            subjects.refused(.modify, "/features/motor", "{}", "things:feature.notmodifiable"),
            subjects.hidden("/attributes", "things:attributes.notfound"),
            added("").get("/attributes/serial", #""X1""#),
            added(#""allowedAdditions":[]"#).refused(.modify, rpm, "1", propertyRefused),
            added(#""allowedAdditions":[]"#).hidden("/", "things:thing.notfound"),
        ]
    }()

    /// A message of an example: whom it reaches, or the code of its refusal.
    struct Sent: Sendable, CustomTestStringConvertible {
        let name: String
        let entries: [String]
        let sender: String
        let subject: String
        var feature: String?
        /// The subjects of all who get it; nil when it is refused.
        let receivers: [String]?
        var testDescription: String { "\(name): \(sender) \(feature ?? "") \(subject)" }
    }

    static let messages: [Sent] = {
        let reset = [entry(["message:/": "W", "message:/inbox/messages/reset": "-W"])]
        let inbox = [entry(["message:/inbox": "W"])]
        let name = "A.13.11 messages"
        let receiver = "A.13.12 message receiver"
        let readers = [
            entry(["message:/inbox": "R"], of: "u:dev"), entry(["message:/inbox/messages/secret": "-R"], of: "u:dev"),
            entry(["message:/inbox/messages/start/x": "R"], of: "u:below"),
        ]
        let owner = ["test:owner"]
        return [
            Sent(name: name, entries: reset, sender: "u:ann", subject: "start", receivers: owner),
            Sent(name: name, entries: reset, sender: "u:ann", subject: "reset", receivers: nil),
            Sent(name: name, entries: reset, sender: "u:ann", subject: "reset", feature: "motor", receivers: owner),
            Sent(name: name, entries: inbox, sender: "u:ann", subject: "start", receivers: owner),
            Sent(name: name, entries: inbox, sender: "u:ann", subject: "start", feature: "motor", receivers: nil),
            Sent(
                name: receiver, entries: readers, sender: "test:owner", subject: "start",
                receivers: owner + ["u:dev"]),
            Sent(name: receiver, entries: readers, sender: "test:owner", subject: "secret", receivers: owner),
        ]
    }()
}

@Suite("Worked examples of access")
struct WorkedExampleTests {
    private typealias Rows = WorkedExampleRows

    /// The pump, and a thing of another namespace, under `acme:p`.
    private static func fixture(
        _ policies: [(id: String, text: String)], settings: EngineSettings = EngineRig.settings()
    ) throws -> EngineFixture {
        let fixture = try EngineFixture(settings: settings)
        for policy in policies { try fixture.rig.policy(.create, policy.id, policy.text) }
        try fixture.make("acme:pump-7", WorkedExampleRows.pump)
        try fixture.make("acme.eu:x", #"{"policyId":"acme:p","attributes":{"a":1}}"#)
        return fixture
    }

    private static func fixture(_ entries: [String]) throws -> EngineFixture {
        try fixture([("acme:p", WrittenPolicy.text(WorkedExample.Setting.labelled(entries)))])
    }

    @Test(
        "a request is answered with the status and the code of its example",
        arguments: WorkedExampleRows.grants + WorkedExampleRows.revokes + WorkedExampleRows.pooled
            + WorkedExampleRows.others + WorkedExampleRows.imported)
    func request(row: WorkedExample) throws {
        let fixture = try Self.fixture(row.policies)
        var headers: [String: String] = [:]
        headers["condition"] = row.condition
        let before = try fixture.thing(row.thing)
        func run() throws -> ThingResponse {
            try fixture.rig.run(
                row.action, row.thing, row.path, row.value, headers: headers, as: AuthorizationContext(row.subjects))
        }
        if let code = row.code {
            expectError(code, row.status) { try run() }
            #expect(try fixture.thing(row.thing) == before)
        } else {
            let response = try run()
            #expect(response.status == row.status)
            if let answer = row.answer { #expect(response.value?.value == (try json(answer))) }
        }
    }

    @Test("a message is refused or reaches its readers as its example has it", arguments: WorkedExampleRows.messages)
    func message(row: WorkedExampleRows.Sent) throws {
        let fixture = try Self.fixture(row.entries)
        let live = fixture.rig.engine.live
        var subscriptions: [(subject: String, subscription: LiveSubscription)] = []
        for subject in ["test:owner", "u:dev", "u:below", "u:ann"] {
            let session = try ConnectionID("session\(subscriptions.count)")
            let subscription = LiveSubscription(
                topics: [LiveTopic(.messages, namespaces: [], admits: nil)], subjects: AuthorizationContext([subject]),
                session: session, capacity: 10, byteCapacity: 1 << 20, wake: {}, onOverflow: { _ in })
            try live.add(subscription)
            subscriptions.append((subject, subscription))
        }
        let message = try LiveFixture.message(row.subject, id: "acme:pump-7", feature: row.feature)
        let answers = Answers([])
        fixture.rig.engine.send(message, as: AuthorizationContext([row.sender]), origin: nil) { answer in
            answers.update { $0.append(answer) }
        }
        let reached = subscriptions.filter { !$0.subscription.take().isEmpty }.map(\.subject)
        #expect(reached == row.receivers ?? [])
        if row.receivers == nil {
            try answers.expectError("messages:send.notallowed", 403)
        } else {
            #expect(answers.current.isEmpty)
        }
    }

    @Test("A.13.15 partial events")
    func events() throws {
        let some = WrittenPolicy.entry(["u:ann"], ["thing:/attributes/serial": "R", "thing:/features/valve": "R"])
        let fixture = try Self.fixture([some])
        let rig = fixture.rig
        try rig.run(.modify, "acme:pump-7", "/attributes/serial", "2")
        try rig.run(.modify, "acme:pump-7", "/attributes/site/name", "3")
        try rig.run(.modify, "acme:pump-7", "/features/valve/properties/open", "false")
        try rig.run(.modify, "acme:pump-7", "/", WorkedExampleRows.pump)
        try rig.run(.delete, "acme:pump-7")
        var changes: [TwinChange] = []
        for _ in 0..<5_000 {
            changes += fixture.events.take()
            if changes.count >= 5 { break }
            usleep(1_000)
        }
        func views(_ subject: String) -> [String] {
            changes.compactMap { change in
                guard case .thing(let event, _) = change.content else { return nil }
                switch change.view(of: event, for: AuthorizationContext([subject])) {
                case .full: return "full"
                case .none: return "none"
                case .part(let part): return part.value.text
                }
            }
        }
        let part = #"{"thingId":"acme:pump-7","attributes":{"serial":"X1"},"features":{\#(Rows.valve)}}"#
        // A partial reader is not told of the end of the thing (A.4).
        #expect(views("u:ann") == ["full", "none", "full", part, "none"])
        #expect(views("test:owner") == ["full", "full", "full", "full", "full"])
        #expect(views("u:bob") == ["none", "none", "none", "none", "none"])
    }

    @Test("A.13.21 without the transitive import the thing is not found")
    func transitive() throws {
        let driver = WrittenPolicy.entry(["u:alice"], [:], #""references":[{"import":"t:roles","entry":"driver"}]"#)
        let roles = WrittenPolicy.text([("driver", WrittenPolicy.entry([], ["thing:/": "R"]))])
        let alice = AuthorizationContext(["u:alice"])
        for transitive in [false, true] {
            let names = transitive ? #"{"transitiveImports":["t:roles"]}"# : "{}"
            let fixture = try Self.fixture([
                ("t:roles", roles), ("f:west", WrittenPolicy.text([("driver", driver)], imports: #"{"t:roles":{}}"#)),
                ("acme:p", WrittenPolicy.text(imports: #"{"f:west":\#(names)}"#)),
            ])
            if transitive {
                let seen = try fixture.rig.run(.retrieve, "acme:pump-7", as: alice)
                #expect(seen.value?.value == (try json(Rows.pump)))
            } else {
                expectError("things:thing.notfound", 404) { try fixture.rig.run(.retrieve, "acme:pump-7", as: alice) }
            }
        }
    }

    @Test("A.13.22 a namespace root does not count for policies of the namespace itself")
    func namespaceRoot() throws {
        let root = WrittenPolicy.text([("audit", WrittenPolicy.entry(["u:audit"], ["thing:/": "R"]))])
        let fixture = try Self.fixture(
            [("acme:root", root), ("acme.eu:p", WrittenPolicy.text()), ("acme:p", WrittenPolicy.text())],
            settings: try ResolvedAccessTests.rooted([("acme.*", ["acme:root"])]))
        try fixture.rig.run(.create, "acme:eu", "/", #"{"policyId":"acme.eu:p"}"#)
        let audit = AuthorizationContext(["u:audit"])
        #expect(try fixture.rig.run(.retrieve, "acme:eu", as: audit).status == 200)
        expectError("things:attribute.notmodifiable", 403) {
            try fixture.rig.run(.modify, "acme:eu", "/attributes/a", "1", as: audit)
        }
        for thing in ["acme:pump-7", "acme.eu:x"] {
            expectError("things:thing.notfound", 404) { try fixture.rig.run(.retrieve, thing, as: audit) }
        }
    }
}
