import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

/// What may be imported and referred to, by whom (spec/policies-search.md A.5 and A.6, write time; A.9.3).
@Suite("Writing imports and references")
struct PolicySourcesTests {
    /// What `test:b` writes into the policy `n:p`, which is his.
    struct Row: Sendable, CustomTestStringConvertible {
        let path: String
        let value: String
        /// What is refused with; nil for what is accepted.
        let code: String?
        let status: Int
        var testDescription: String { "\(path) := \(value) → \(code ?? "\(status)")" }
        init(_ path: String, _ value: String, _ code: String?, _ status: Int) {
            (self.path, self.value, self.code, self.status) = (path, value, code, status)
        }
    }

    static let mine = WrittenPolicy.entry(["test:b"], ["policy:/": "RW"])

    /// `n:open` may be read by `test:b`, of `n:half` all but the explicit entry `no`, of `n:shut` nothing.
    static let templates: [(String, String)] = [
        (
            "n:open",
            WrittenPolicy.text(
                [
                    ("one", WrittenPolicy.entry([], ["thing:/": "R"])),
                    ("two", WrittenPolicy.entry([], [:], #""importable":"explicit""#)),
                    ("hid", WrittenPolicy.entry(["test:b"], ["policy:/": "R"], #""importable":"never""#)),
                ], imports: #"{"n:far":{}}"#)
        ),
        (
            "n:half",
            WrittenPolicy.text([
                ("one", WrittenPolicy.entry([], ["thing:/": "R"])),
                ("no", WrittenPolicy.entry([], [:], #""importable":"explicit""#)),
                (
                    "hid",
                    WrittenPolicy.entry(
                        ["test:b"], ["policy:/": "R", "policy:/entries/no": "-R"], #""importable":"never""#)
                ),
            ])
        ),
        ("n:shut", WrittenPolicy.text([("one", WrittenPolicy.entry([], ["thing:/": "R"]))])),
        // Below an entry that may be read, something may not be: the entry cannot be imported.
        (
            "n:gap",
            WrittenPolicy.text([
                ("one", WrittenPolicy.entry([], ["thing:/": "R"])),
                (
                    "hid",
                    WrittenPolicy.entry(
                        ["test:b"], ["policy:/": "R", "policy:/entries/one/subjects": "-R"],
                        #""importable":"never""#)
                ),
            ])
        ),
    ]

    static let notFound = "policies:policy.notfound"
    static func whole(_ imports: String, _ references: String = "[]") -> String {
        #"{"imports":\#(imports),"entries":{"mine":\#(mine),"e":{"references":\#(references)}}}"#
    }
    static func reference(_ policy: String, _ entry: String) -> String {
        #"[{"import":"\#(policy)","entry":"\#(entry)"}]"#
    }

    static let rows: [Row] = [
        // A.5: READ on every implicit entry and on every listed label.
        Row("/imports/n:open", "{}", nil, 201), Row("/imports/n:open", #"{"entries":["two"]}"#, nil, 201),
        Row("/imports/n:open", #"{"entries":["two","hid","none"]}"#, nil, 201),
        Row("/imports/n:open", #"{"transitiveImports":["n:far"]}"#, nil, 201),
        Row("/imports/n:half", "{}", nil, 201),
        Row("/imports/n:half", #"{"entries":["no"]}"#, notFound, 404),
        Row("/imports/n:shut", "{}", notFound, 404), Row("/imports/n:gap", "{}", notFound, 404),
        Row("/imports/n:none", "{}", notFound, 404),
        Row("/imports", #"{"n:open":{},"n:half":{}}"#, nil, 204),
        Row("/imports", #"{"n:open":{},"n:shut":{}}"#, notFound, 404),
        Row("/imports", #"{"n:open":{},"n:none":{}}"#, notFound, 404),
        Row("/", whole(#"{"n:half":{}}"#), nil, 204), Row("/", whole(#"{"n:shut":{}}"#), notFound, 404),
        Row("/", whole(#"{"n:half":{"entries":["no"]}}"#), notFound, 404),
        Row("/imports/n:used/entries", #"["no"]"#, notFound, 404),
        Row("/imports/n:used/entries", #"["one"]"#, nil, 204),
        Row("/imports/n:used/transitiveImports", #"["n:none"]"#, nil, 204),
        // A.6: the target of a reference.
        Row("/entries/e/references", reference("n:used", "one"), nil, 201),
        Row("/entries/e/references", reference("n:used", "none"), "policies:import.invalid", 400),
        Row("/entries/e/references", reference("n:used", "hid"), "policies:import.invalid", 400),
        Row("/entries/e/references", reference("n:used", "no"), notFound, 404),
        Row("/entries/e/references", reference("n:open", "one"), "policies:import.invalid", 400),
        Row("/entries/e", #"{"references":\#(reference("n:used", "no"))}"#, notFound, 404),
        Row("/entries/e", #"{"references":\#(reference("n:used", "one"))}"#, nil, 204),
        Row("/entries/new", #"{"references":\#(reference("n:used", "none"))}"#, "policies:import.invalid", 400),
        Row(
            "/entries", #"{"mine":\#(mine),"e":{"references":\#(reference("n:used", "hid"))}}"#,
            "policies:import.invalid", 400),
        Row("/", whole(#"{"n:open":{}}"#, reference("n:open", "one")), nil, 204),
        Row("/", whole(#"{"n:open":{}}"#, reference("n:open", "two")), nil, 204),
        Row("/", whole(#"{"n:open":{}}"#, reference("n:open", "none")), "policies:import.invalid", 400),
        // An entry that the imported policy has from a third one, when the import says so.
        Row("/", whole(#"{"n:open":{}}"#, reference("n:open", "imported-n:far-deep")), "policies:import.invalid", 400),
        Row(
            "/",
            whole(#"{"n:open":{"transitiveImports":["n:far"]}}"#, reference("n:open", "imported-n:far-deep")), nil, 204
        ),
    ]

    /// `n:used` is the same as `n:half` and imported already.
    private static func fixture() throws -> EngineFixture {
        let fixture = try EngineFixture()
        let far = WrittenPolicy.text([("deep", WrittenPolicy.entry([], ["thing:/": "R"]))])
        try fixture.rig.policy(.create, "n:far", far)
        for (id, value) in templates { try fixture.rig.policy(.create, id, value) }
        try fixture.rig.policy(.create, "n:used", templates[1].1)
        try fixture.rig.policy(.create, "n:p", whole(#"{"n:used":{}}"#), as: AuthorizationContext(["test:b"]))
        return fixture
    }

    @Test("A.5, A.6 who writes an import or a reference must be able to read what it brings", arguments: rows)
    func written(row: Row) throws {
        let fixture = try Self.fixture()
        let rig = fixture.rig
        let writer = AuthorizationContext(["test:b"])
        guard let code = row.code else {
            let response = try rig.policy(.modify, "n:p", row.value, at: row.path, as: writer)
            #expect((response.status, response.revision) == (row.status, 2))
            return
        }
        expectPolicyError(code, row.status) {
            try rig.policy(.modify, "n:p", row.value, at: row.path, as: writer)
        }
        #expect(try rig.policy(.retrieve, "n:p", as: writer).revision == 1)
    }

    @Test("A.5 a policy that may not be read looks like one that does not exist, and the error names it")
    func indistinguishable() throws {
        let fixture = try Self.fixture()
        let rig = fixture.rig
        func error(_ id: String) throws -> TwinspanError {
            do {
                try rig.policy(
                    .modify, "n:p", "{}", at: "/imports/\(id)", as: AuthorizationContext(["test:b"]))
            } catch let error as TwinspanError { return error }
            throw ScenarioFailure("the import of \(id) was written")
        }
        let (shut, none) = (try error("n:shut"), try error("n:none"))
        #expect(shut.message.contains("n:shut"))
        #expect(shut.message.replacing("n:shut", with: "n:none") == none.message)
        #expect((shut.description, shut.status, shut.code) == (none.description, none.status, none.code))
    }

    @Test("A.3.2 without WRITE on the import nobody is told anything about the imported policy")
    func writeFirst() throws {
        let fixture = try Self.fixture()
        let rig = fixture.rig
        for id in ["n:open", "n:shut", "n:none"] {
            expectPolicyError("policies:import.notmodifiable", 403) {
                try rig.policy(.modify, "n:p", "{}", at: "/imports/\(id)")
            }
        }
    }

    @Test("A.5 READ that an import brings to the imported policy itself counts")
    func readByImport() throws {
        let fixture = try Self.fixture()
        let rig = fixture.rig
        let writer = AuthorizationContext(["test:b"])
        try rig.policy(
            .create, "n:keys",
            WrittenPolicy.text([("keys", WrittenPolicy.entry(["test:b"], ["policy:/": "R"]))]))
        expectPolicyError(Self.notFound, 404) {
            try rig.policy(.modify, "n:p", "{}", at: "/imports/n:shut", as: writer)
        }
        try rig.policy(.modify, "n:shut", "{}", at: "/imports/n:keys")
        #expect(try rig.policy(.modify, "n:p", "{}", at: "/imports/n:shut", as: writer).status == 201)
    }

    @Test("§2.1 a policy that comes with a thing is checked as any other, under the code of the thing")
    func withThing() throws {
        let fixture = try Self.fixture()
        let rig = fixture.rig
        let writer = AuthorizationContext(["test:b"])
        let grants = #"{"subjects":{"test:b":{"type":"t"}},"resources":{"thing:/":{"grant":["WRITE"],"revoke":[]}}}"#
        func create(_ imports: String, _ references: String = "[]") throws -> ThingResponse {
            let policy = """
                {"imports":\(imports),"entries":{"mine":\(Self.mine),"things":\(grants),\
                "e":{"references":\(references)}}}
                """
            return try rig.run(.create, "n:new", "/", #"{"_policy":\#(policy)}"#, as: writer)
        }
        expectError("things:thing.notcreatable", 404) { try create(#"{"n:shut":{}}"#) }
        expectError("things:thing.notcreatable", 404) { try create(#"{"n:none":{}}"#) }
        expectError("things:thing.notcreatable", 400) {
            try create(#"{"n:open":{}}"#, Self.reference("n:open", "none"))
        }
        expectPolicyError(Self.notFound, 404) { try rig.policy(.retrieve, "n:new", as: writer) }
        #expect(try create(#"{"n:open":{}}"#, Self.reference("n:open", "one")).status == 201)
        // A copy takes the imports with it.
        try rig.policy(
            .create, "n:source",
            WrittenPolicy.text(
                [("r", WrittenPolicy.entry(["test:b"], ["policy:/": "RW", "thing:/": "RW"]))],
                imports: #"{"n:shut":{}}"#))
        expectError("things:thing.notcreatable", 404) {
            try rig.run(.create, "n:copy", "/", #"{"_copyPolicyFrom":"n:source"}"#, as: writer)
        }
    }

    @Test("G a thing may be made under a policy that merely imports what allows it, and not under another one")
    func importingOnly() throws {
        let fixture = try EngineFixture()
        let rig = fixture.rig
        let writer = AuthorizationContext(["test:b"])
        let base = WrittenPolicy.entry(["test:b"], ["thing:/": "RW", "policy:/": "RW"])
        try rig.policy(.create, "n:base", WrittenPolicy.text([("all", base)]))
        let importing = #"{"imports":{"n:base":{}},"entries":{}}"#
        #expect(try rig.run(.create, "n:t", "/", #"{"_policy":\#(importing)}"#, as: writer).status == 201)
        #expect(try rig.policy(.create, "n:p", importing, as: writer).status == 201)
        #expect(try rig.run(.create, "n:u", "/", #"{"policyId":"n:p"}"#, as: writer).status == 201)
        // Without WRITE on the policy, and without WRITE on the thing.
        try rig.policy(.modify, "n:base", #"{"grant":["READ"],"revoke":[]}"#, at: "/entries/all/resources/policy:/")
        expectError("things:thing.notcreatable", 403) {
            try rig.run(.create, "n:v", "/", #"{"_policy":\#(importing)}"#, as: writer)
        }
        expectPolicyError("policies:policy.notcreatable", 403) {
            try rig.policy(.create, "n:q", importing, as: writer)
        }
        try rig.policy(.modify, "n:base", #"{"grant":["READ"],"revoke":[]}"#, at: "/entries/all/resources/thing:/")
        expectError("things:thing.notmodifiable", 403) {
            try rig.run(.create, "n:w", "/", #"{"policyId":"n:p"}"#, as: writer)
        }
    }

    @Test("A.9.3 a permanent owner may come by a local reference; with the rule switched off none is needed")
    func ownership() throws {
        let fixture = try EngineFixture()
        let rig = fixture.rig
        let byReference = """
            {"entries":{"crew":{"subjects":{"test:owner":{"type":"t"}}},"admin":{"resources":\
            {"policy:/":{"grant":["READ","WRITE"],"revoke":[]}},"references":[{"entry":"crew"}]}}}
            """
        #expect(try rig.policy(.create, "n:p", byReference).status == 201)
        expectPolicyError("policies:entry.modificationinvalid", 403) {
            try rig.policy(.delete, "n:p", at: "/entries/crew/subjects/test:owner")
        }
        expectPolicyError("policies:entry.modificationinvalid", 403) {
            try rig.policy(.modify, "n:p", "[]", at: "/entries/admin/references")
        }
        var settings = EngineRig.settings()
        settings.access.preventsLockout = false
        let other = try EngineFixture(settings: settings)
        let free = other.rig
        try free.policy(.create, "n:p", byReference)
        #expect(try free.policy(.delete, "n:p", at: "/entries/crew/subjects/test:owner").status == 204)
        let headers = ["allow-policy-lockout": "true"]
        #expect(try free.policy(.create, "n:q", #"{"entries":{}}"#, headers: headers).status == 201)
        expectPolicyError("policies:policy.notcreatable", 403) { try free.policy(.create, "n:r", #"{"entries":{}}"#) }
    }
}
