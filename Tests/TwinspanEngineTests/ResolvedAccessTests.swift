import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol
import TwinspanTestSupport

/// What imports, references and namespace roots grant, and that every change of them counts at once
/// (spec/policies-search.md A.5–A.7, A.11).
@Suite("Access by resolved policies")
struct ResolvedAccessTests {
    /// A change of one policy, and whether `test:b` may read `n:t` afterwards.
    struct Step: Sendable {
        let policy: String
        let path: String
        let value: String?
        let mayRead: Bool
        init(_ policy: String, _ path: String, _ value: String?, _ mayRead: Bool) {
            (self.policy, self.path, self.value, self.mayRead) = (policy, path, value, mayRead)
        }
    }

    struct Scenario: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// The policies in the order they are made; `n:p` is the one of the thing.
        let policies: [(String, String)]
        let atFirst: Bool
        let steps: [Step]
    }

    static let viewer = WrittenPolicy.entry(["test:b"], ["thing:/": "R"])
    static let explicit = WrittenPolicy.entry(["test:b"], ["thing:/": "R"], #""importable":"explicit""#)
    static let base = WrittenPolicy.text([("viewer", viewer)])

    static let scenarios: [Scenario] = [
        Scenario(
            testDescription: "A.5 an import",
            policies: [("n:base", base), ("n:p", WrittenPolicy.text(imports: #"{"n:base":{}}"#))], atFirst: true,
            steps: [
                Step("n:base", "/entries/viewer/importable", #""never""#, false),
                Step("n:base", "/entries/viewer/importable", #""explicit""#, false),
                Step("n:p", "/imports/n:base/entries", #"["viewer"]"#, true),
                Step("n:base", "/entries/viewer/importable", #""never""#, false),
                Step("n:base", "/entries/viewer/importable", #""implicit""#, true),
                Step("n:base", "/", nil, false), Step("n:base", "/", base, true),
                Step("n:base", "/entries/viewer", nil, false), Step("n:base", "/entries/viewer", viewer, true),
                Step("n:base", "/entries/viewer/subjects/test:b", nil, false),
                Step("n:base", "/entries/viewer/subjects/test:b", #"{"type":"t"}"#, true),
                Step("n:base", "/entries/viewer/namespaces", #"["other"]"#, false),
                Step("n:base", "/entries/viewer/namespaces", #"["n"]"#, true),
                Step(
                    "n:base", "/entries/no", WrittenPolicy.entry(["test:b"], ["thing:/": "-R"]), false),
                Step("n:base", "/entries/no", nil, true), Step("n:p", "/imports/n:base", nil, false),
                Step("n:p", "/imports/n:base", "{}", true), Step("n:p", "/imports", "{}", false),
            ]),
        Scenario(
            testDescription: "A.5 a chain of two",
            policies: [
                ("n:b", base), ("n:a", WrittenPolicy.text(imports: #"{"n:b":{}}"#)),
                ("n:p", WrittenPolicy.text(imports: #"{"n:a":{}}"#)),
            ], atFirst: false,
            steps: [
                Step("n:p", "/imports/n:a/transitiveImports", #"["n:b"]"#, true),
                Step("n:a", "/imports/n:b", nil, false), Step("n:a", "/imports/n:b", "{}", true),
                Step("n:b", "/", nil, false), Step("n:b", "/", base, true),
                Step("n:a", "/", nil, false), Step("n:a", "/", WrittenPolicy.text(imports: #"{"n:b":{}}"#), true),
                Step("n:b", "/entries/viewer/importable", #""explicit""#, false),
                Step("n:a", "/imports/n:b/entries", #"["viewer"]"#, false),
                Step("n:p", "/imports/n:a/entries", #"["imported-n:b-viewer"]"#, true),
                Step("n:p", "/imports/n:a/transitiveImports", "[]", false),
            ]),
        Scenario(
            testDescription: "A.5 a chain of three",
            policies: [
                ("n:c", base), ("n:b", WrittenPolicy.text(imports: #"{"n:c":{}}"#)),
                ("n:a", WrittenPolicy.text(imports: #"{"n:b":{"transitiveImports":["n:c"]}}"#)),
                ("n:p", WrittenPolicy.text(imports: #"{"n:a":{"transitiveImports":["n:b"]}}"#)),
            ], atFirst: true,
            steps: [
                Step("n:a", "/imports/n:b/transitiveImports", "[]", false),
                Step("n:a", "/imports/n:b/transitiveImports", #"["n:c"]"#, true),
                Step("n:c", "/entries/viewer/resources/thing:/", #"{"grant":["WRITE"],"revoke":[]}"#, false),
                Step("n:c", "/entries/viewer/resources/thing:/", #"{"grant":["READ"],"revoke":[]}"#, true),
                Step("n:c", "/", nil, false), Step("n:b", "/", nil, false), Step("n:c", "/", base, false),
                Step("n:b", "/", WrittenPolicy.text(imports: #"{"n:c":{}}"#), true),
            ]),
        Scenario(
            testDescription: "A.6 a reference to an imported entry",
            policies: [
                ("n:base", WrittenPolicy.text([("role", WrittenPolicy.entry([], ["thing:/": "R"]))])),
                (
                    "n:p",
                    WrittenPolicy.text(
                        [
                            (
                                "e",
                                WrittenPolicy.entry(
                                    ["test:b"], [:], #""references":[{"import":"n:base","entry":"role"}]"#)
                            )
                        ], imports: #"{"n:base":{}}"#)
                ),
            ], atFirst: true,
            steps: [
                Step("n:base", "/entries/role/resources", "{}", false),
                Step("n:p", "/entries/e/resources/thing:/", #"{"grant":["READ"],"revoke":[]}"#, true),
                Step("n:base", "/entries/role/allowedAdditions", #"["subjects"]"#, false),
                Step("n:base", "/entries/role/resources/thing:/", #"{"grant":["READ"],"revoke":[]}"#, true),
                Step("n:base", "/entries/role/allowedAdditions", "[]", false),
                Step("n:base", "/entries/role/allowedAdditions", nil, true),
                Step("n:base", "/entries/role/resources/thing:/", #"{"grant":["READ"],"revoke":["READ"]}"#, false),
                Step("n:base", "/entries/role/resources/thing:/", #"{"grant":["READ"],"revoke":[]}"#, true),
                Step("n:p", "/entries/e/resources", "{}", true),
                Step("n:base", "/entries/role/importable", #""never""#, false),
                Step("n:base", "/entries/role/importable", #""explicit""#, false),
                Step("n:p", "/imports/n:base/entries", #"["role"]"#, true), Step("n:base", "/", nil, false),
            ]),
        Scenario(
            testDescription: "A.6 a local reference",
            policies: [
                (
                    "n:p",
                    WrittenPolicy.text([
                        ("crew", WrittenPolicy.entry(["test:c"])),
                        ("read", WrittenPolicy.entry([], ["thing:/": "R"], #""references":[{"entry":"crew"}]"#)),
                    ])
                )
            ], atFirst: false,
            steps: [
                Step("n:p", "/entries/crew/subjects/test:b", #"{"type":"t"}"#, true),
                Step("n:p", "/entries/read/references", nil, false),
                Step("n:p", "/entries/read/references", #"[{"entry":"crew"}]"#, true),
                Step("n:p", "/entries/crew/namespaces", #"["other"]"#, false),
                Step("n:p", "/entries/crew/namespaces", "[]", true),
                Step("n:p", "/entries/crew/subjects/test:b", nil, false),
            ]),
    ]

    @Test("every change of what a policy builds on counts for the next command", arguments: scenarios)
    func scenario(scenario: Scenario) throws {
        let fixture = try EngineFixture()
        let rig = fixture.rig
        for (id, value) in scenario.policies { try rig.policy(.create, id, value) }
        try rig.makeThing()
        #expect(try rig.mayRead() == scenario.atFirst)
        for (number, step) in scenario.steps.enumerated() {
            try rig.policy(step.value == nil ? .delete : .modify, step.policy, step.value, at: step.path)
            #expect(try rig.mayRead() == step.mayRead, "step \(number): \(step.policy)\(step.path)")
            #expect(try rig.mayRead(as: "test:stranger") == false)
            #expect(try rig.mayRead(as: "test:owner"))
        }
    }

    static func rooted(_ rules: [(String, [String])]) throws -> EngineSettings {
        var settings = EngineRig.settings()
        let rules = try rules.map { (pattern: $0.0, policies: try $0.1.map { try PolicyID($0) }) }
        settings.access.namespaceRoots = try #require(NamespaceRoots(rules))
        return settings
    }

    @Test("A.7 a namespace root counts from the moment it exists, for the policies of its namespaces only")
    func roots() throws {
        let fixture = try EngineFixture(settings: Self.rooted([("n.*", ["r:root"]), ("*", ["r:all"])]))
        let rig = fixture.rig
        for id in ["n.x:p", "n:p"] { try rig.policy(.create, id, WrittenPolicy.text()) }
        try rig.makeThing("o:in", under: "n.x:p")
        try rig.makeThing("o:out", under: "n:p")
        func mayRead() throws -> [Bool] { [try rig.mayRead("o:in"), try rig.mayRead("o:out")] }
        #expect(try mayRead() == [false, false])
        try rig.policy(.create, "r:root", Self.base)
        #expect(try mayRead() == [true, false])
        try rig.policy(.modify, "r:root", #""explicit""#, at: "/entries/viewer/importable")
        #expect(try mayRead() == [false, false])
        try rig.policy(.create, "r:all", Self.base)
        #expect(try mayRead() == [true, true])
        // A root may take away as well as give.
        try rig.policy(
            .modify, "r:root", WrittenPolicy.entry(["test:b"], ["thing:/": "-R"]), at: "/entries/viewer")
        #expect(try mayRead() == [false, true])
        try rig.policy(.delete, "r:root")
        #expect(try mayRead() == [true, true])
    }

    @Test("A.7 what a root imports counts too, and a changed import of a root at once")
    func importingRoot() throws {
        let fixture = try EngineFixture(settings: Self.rooted([("n", ["r:root"])]))
        let rig = fixture.rig
        try rig.policy(.create, "n:p", WrittenPolicy.text())
        try rig.policy(.create, "r:far", Self.base)
        try rig.policy(.create, "r:root", WrittenPolicy.text(imports: #"{"r:far":{}}"#))
        try rig.makeThing()
        #expect(try rig.mayRead())
        try rig.policy(.delete, "r:far", at: "/entries/viewer")
        #expect(try rig.mayRead() == false)
        let stored = try rig.policy(.retrieve, "n:p").value?.value
        #expect(stored?.object?["entries"]?.object?.count == 1, "the stored policy is as it was")
    }

    @Test("messages, live signals and events are judged by the same policy")
    func otherWays() throws {
        let fixture = try EngineFixture()
        let rig = fixture.rig
        let entry = WrittenPolicy.entry(["test:b"], ["thing:/": "R", "message:/": "W"])
        try rig.policy(.create, "n:base", WrittenPolicy.text([("viewer", entry)]))
        try rig.policy(.create, "n:p", WrittenPolicy.text(imports: #"{"n:base":{}}"#))
        try rig.makeThing()
        let id = try ThingID("n:t")
        let reader = AuthorizationContext(["test:b"])
        func mayRead(_ enforcer: PolicyEnforcer?) -> Bool {
            enforcer?.canReadEverything(at: .root, subjects: reader, namespace: "n") == true
        }
        for isGranted in [true, false] {
            #expect(mayRead(try rig.engine.committedThing(id, patience: .seconds(5)).enforcer) == isGranted)
            #expect(mayRead(try rig.engine.presence(of: id, patience: .seconds(5)).enforcer) == isGranted)
            _ = fixture.events.take()
            try rig.run(.modify, "n:t", "/attributes/a", "2")
            var changes: [TwinChange] = []
            while changes.isEmpty { changes = fixture.events.take() }
            #expect(changes.map { mayRead($0.enforcer) } == [isGranted])
            if isGranted { try rig.policy(.delete, "n:base", at: "/entries/viewer") }
        }
    }
}
