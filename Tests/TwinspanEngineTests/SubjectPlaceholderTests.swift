import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

/// `{{ request:subjectId }}` in subject ids (spec/policies-search.md A.9.4).
@Suite("Placeholders of subject ids")
struct SubjectPlaceholderTests {
    private static let caller = AuthorizationContext(["test:owner", "test:second"])
    private static let unresolved = "placeholder:placeholder.notresolvable"

    private static func entry(_ subject: String) -> String {
        #"{"subjects":{"\#(subject)":{"type":"t"}},"resources":{"policy:/":{"grant":["READ","WRITE"],"revoke":[]},"#
            + #""thing:/":{"grant":["READ","WRITE"],"revoke":[]}}}"#
    }

    struct Form: Sendable, CustomTestStringConvertible {
        let id: String
        /// Nil when the placeholder is refused.
        let resolved: String?
        init(_ id: String, _ resolved: String?) { (self.id, self.resolved) = (id, resolved) }
        var testDescription: String { id }
    }

    static let ids: [Form] = [
        Form("{{ request:subjectId }}", "test:owner"), Form("{{request:subjectId}}", "test:owner"),
        Form("{{   request:subjectId}}", "test:owner"), Form("${request.subjectId}", "test:owner"),
        Form("${request:subjectId}", "test:owner"), Form("${ request.subjectId }", "test:owner"),
        Form("x:{{ request:subjectId }}", "x:test:owner"),
        Form("{{ request:subjectId }}-{{ request:subjectId }}", "test:owner-test:owner"),
        Form("${request.subjectId}${request.subjectId}", "test:ownertest:owner"),
        Form("plain:id", "plain:id"), Form("a:{b}", "a:{b}"), Form("a:$b", "a:$b"), Form("a:{{b", "a:{{b"),
        Form("a:${b", "a:${b"), Form("a:}}", "a:}}"),
        Form("{{ request:subjectIds }}", nil), Form("{{ request.subjectId }}", nil), Form("{{ thing:id }}", nil),
        Form("{{ header:x }}", nil), Form("{{}}", nil), Form("${}", nil), Form("${other}", nil),
        Form("{{ request:subjectId | fn:upper() }}", nil), Form("a:{{ time:now }}", nil),
        Form("{{ request:subjectId }}{{ unknown }}", nil), Form("{{ REQUEST:subjectId }}", nil),
    ]

    /// Where subject ids stand, with the value for one, and where in the value the subjects are.
    static let places: [(path: String, value: @Sendable (String) -> String, subjects: [String])] = [
        ("/", { #"{"entries":{"new":\#(entry($0)),"o":\#(entry("test:owner"))}}"# }, ["entries", "new", "subjects"]),
        ("/entries", { #"{"new":\#(entry($0)),"o":\#(entry("test:owner"))}"# }, ["new", "subjects"]),
        ("/entries/new", { entry($0) }, ["subjects"]), ("/entries/E1", { entry($0) }, ["subjects"]),
        ("/entries/E1/subjects", { #"{"\#($0)":{"type":"t"}}"# }, []),
    ]

    @Test("the first subject of the caller takes their place, anything else is refused", arguments: ids)
    func forms(form: Form) throws {
        let fixture = try EngineFixture()
        try fixture.makePolicy(Sample.policy([("test:second", ["thing:/": "R"])]))
        for place in Self.places {
            let before = try fixture.policy()
            let write = {
                try fixture.rig.policy(.modify, "n:p", place.value(form.id), at: place.path, as: Self.caller)
            }
            guard let resolved = form.resolved else {
                expectPolicyError(Self.unresolved, 400, "\(place.path)") { try write() }
                #expect(try fixture.policy() == before)
                continue
            }
            let response = try write()
            #expect(response.status == 204 || response.status == 201)
            let event = try #require(try fixture.newestPolicyEvent())
            let subjects = event.value?.value.value(at: JSONPointer(segments: place.subjects))
            #expect(subjects?.object?.keys == [resolved], "\(place.path)")
            if let value = response.value { #expect(value == event.value) }
            // The entry that the next places are about.
            try fixture.rig.policy(.modify, "n:p", Self.entry("test:second"), at: "/entries/E1")
        }
    }

    @Test("the subject id in a path is resolved too")
    func path() throws {
        let fixture = try EngineFixture()
        try fixture.makePolicy(Sample.policy([("test:second", ["policy:/": "RW"])]))
        let path = "/entries/E1/subjects/{{ request:subjectId }}"
        let made = try fixture.rig.policy(.modify, "n:p", #"{"type":"t"}"#, at: path, as: Self.caller)
        #expect(made.status == 201)
        let event = try #require(try fixture.newestPolicyEvent())
        #expect(event.path.segments == ["entries", "E1", "subjects", "test:owner"])
        let legacy = "/entries/E1/subjects/${request.subjectId}"
        #expect(try fixture.rig.policy(.modify, "n:p", #"{"type":"u"}"#, at: legacy, as: Self.caller).status == 204)
        expectPolicyError(Self.unresolved, 400) {
            try fixture.rig.policy(
                .modify, "n:p", #"{"type":"t"}"#, at: "/entries/E1/subjects/{{ thing:id }}", as: Self.caller)
        }
    }

    @Test("a caller without subjects has nothing to put in")
    func nobody() throws {
        let fixture = try EngineFixture()
        for value in [Self.entry("{{ request:subjectId }}"), Self.entry("${request.subjectId}")] {
            expectPolicyError(Self.unresolved, 400) {
                try fixture.rig.policy(
                    .create, "n:p", #"{"entries":{"e":\#(value)}}"#, as: AuthorizationContext([]))
            }
        }
    }

    @Test("what becomes of an id is judged as an id")
    func illegal() throws {
        let fixture = try EngineFixture()
        expectPolicyError("policies:subjectid.invalid", 400) {
            try fixture.rig.policy(
                .create, "n:p", #"{"entries":{"e":\#(Self.entry("{{ request:subjectId }}"))}}"#,
                as: AuthorizationContext(["nocolon"]))
        }
    }

    @Test("two ids that become the same are one subject, the later one")
    func same() throws {
        let fixture = try EngineFixture()
        let subjects = #"{"test:owner":{"type":"first"},"{{ request:subjectId }}":{"type":"second"}}"#
        let value =
            #"{"entries":{"e":{"subjects":\#(subjects),"resources":{"policy:/":{"grant":["READ","WRITE"]}}}}}"#
        try fixture.rig.policy(.create, "n:p", value)
        let stored = try fixture.policy()?.value(at: JSONPointer(segments: ["entries", "e", "subjects"]))
        #expect(stored == (try json(#"{"test:owner":{"type":"second"}}"#)))
    }

    @Test(
        "the policy inside of a thing has placeholders too", arguments: [ThingCommand.Action.create, .modify, .merge])
    func inline(action: ThingCommand.Action) throws {
        let fixture = try EngineFixture()
        let value = { (id: String) in #"{"_policy":{"entries":{"e":\#(Self.entry(id))}}}"# }
        #expect(
            try fixture.rig.run(action, "n:t", "/", value("{{ request:subjectId }}"), as: Self.caller).status == 201)
        let policy = try fixture.rig.policy(.retrieve, "n:t")
        #expect(policy.value?.text.contains(#""test:owner":{"type":"t"}"#) == true)
        expectError(Self.unresolved, 400) {
            try fixture.rig.run(action, "n:u", "/", value("{{ thing:id }}"), as: Self.caller)
        }
        expectError("things:thing.notfound", 404) { try fixture.rig.run(.retrieve, "n:u") }
    }

    @Test("keys of resources and values elsewhere keep their braces")
    func elsewhere() throws {
        let fixture = try EngineFixture()
        try fixture.makePolicy(Sample.policy())
        let resource = "/entries/E0/resources/thing:/attributes/{{ x }}"
        #expect(try fixture.rig.policy(.modify, "n:p", #"{"grant":["READ"]}"#, at: resource).status == 201)
        let subject = #"{"type":"{{ any:thing }}"}"#
        #expect(try fixture.rig.policy(.modify, "n:p", subject, at: "/entries/E0/subjects/test:z").status == 201)
    }
}
