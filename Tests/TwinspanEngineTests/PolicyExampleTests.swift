import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol
import TwinspanTestSupport

/// The worked examples of spec/policies-search.md A.13, rows 16 to 24, against the engine.
@Suite("Worked examples of policies")
struct PolicyExampleTests {
    static let pump = """
        {"policyId":"acme:p","attributes":{"site":{"name":"North"},"serial":"X1"},"features":{\
        "motor":{"properties":{"rpm":900,"cfg":{"max":1200}}},"valve":{"properties":{"open":true}}}}
        """

    /// The pump under the policy `acme:p`.
    private static func fixture(
        _ policies: [(String, String)], settings: EngineSettings = EngineRig.settings()
    ) throws -> EngineFixture {
        let fixture = try EngineFixture(settings: settings)
        for (id, value) in policies { try fixture.rig.policy(.create, id, value) }
        try fixture.rig.run(.create, "acme:pump-7", "/", pump)
        return fixture
    }

    private static func status(
        _ rig: EngineRig, _ action: ThingCommand.Action, _ path: String = "/", _ value: String? = nil,
        as subject: String
    ) throws -> Int {
        do {
            return try rig.run(action, "acme:pump-7", path, value, as: AuthorizationContext([subject])).status
        } catch let error as TwinspanError { return error.status }
    }

    @Test("A.13 row 16: a permanent owner, unless something is imported")
    func validity() throws {
        let fixture = try EngineFixture()
        let rig = fixture.rig
        let expiring = #"{"type":"t","expiry":"2099-01-01T00:00:00Z"}"#
        func policy(_ imports: String) -> String {
            """
            {\(imports)"entries":{"admin":{"subjects":{"test:owner":\(expiring)},"resources":{"policy:/":\
            {"grant":["READ","WRITE"],"revoke":[]}}}}}
            """
        }
        try rig.policy(.create, "acme:p", WrittenPolicy.text())
        expectPolicyError("policies:policy.modificationinvalid", 403) {
            try rig.policy(.modify, "acme:p", policy(""))
        }
        expectPolicyError("policies:entry.modificationinvalid", 403) {
            try rig.policy(.delete, "acme:p", at: "/entries/owner/subjects/test:owner")
        }
        try rig.policy(.create, "acme:base", WrittenPolicy.text())
        #expect(try rig.policy(.modify, "acme:p", policy(#""imports":{"acme:base":{}},"#)).status == 204)
    }

    @Test("A.13 row 17: nobody locks himself out unless he says so")
    func lockout() throws {
        let fixture = try EngineFixture()
        let ann = AuthorizationContext(["u:ann"])
        let foreign = #"{"entries":{"admin":\#(WrittenPolicy.entry(["u:bob"], ["policy:/": "RW"]))}}"#
        expectPolicyError("policies:policy.notcreatable", 403) {
            try fixture.rig.policy(.create, "acme:p", foreign, as: ann)
        }
        let headers = ["allow-policy-lockout": "true"]
        #expect(try fixture.rig.policy(.create, "acme:p", foreign, headers: headers, as: ann).status == 201)
    }

    @Test("A.13 row 18: implicit, explicit and hidden entries of an import")
    func imports() throws {
        let base = WrittenPolicy.text([
            ("viewer", WrittenPolicy.entry(["u:bob"], ["thing:/": "R"])),
            ("writer", WrittenPolicy.entry(["u:bob"], ["thing:/": "W"], #""importable":"explicit""#)),
            ("hid", WrittenPolicy.entry(["u:eve"], ["thing:/": "RW"], #""importable":"never""#)),
            (
                "part",
                WrittenPolicy.entry(["u:cat"], ["policy:/entries/writer": "R"], #""importable":"never""#)
            ),
        ])
        let importing = WrittenPolicy.text(
            [("cat", WrittenPolicy.entry(["u:cat"], ["policy:/imports": "RW"]))], imports: #"{"acme:base":{}}"#)
        let fixture = try Self.fixture([("acme:base", base), ("acme:p", importing)])
        let rig = fixture.rig
        for (labels, write) in [(nil, 403), (#"["writer"]"#, 204), (#"["writer","hid"]"#, 204)] as [(String?, Int)] {
            if let labels { try rig.policy(.modify, "acme:p", labels, at: "/imports/acme:base/entries") }
            #expect(try Self.status(rig, .retrieve, as: "u:bob") == 200)
            #expect(try Self.status(rig, .modify, "/attributes/serial", "2", as: "u:bob") == write)
            #expect(try Self.status(rig, .retrieve, as: "u:eve") == 404)
        }
        expectPolicyError("policies:policy.notfound", 404) {
            try rig.policy(.modify, "acme:p", #"{"acme:base":{}}"#, at: "/imports", as: AuthorizationContext(["u:cat"]))
        }
    }

    static let additions: [(String?, attributes: Int, rpm: Int)] = [
        (#"["subjects"]"#, 404, 204), (nil, 200, 204), ("[]", 404, 403),
    ]

    @Test("A.13 row 19: what a template lets others add", arguments: additions)
    func reference(allowed: String?, attributes: Int, rpm: Int) throws {
        let template = WrittenPolicy.entry(
            [], ["thing:/features/motor": "RW", "thing:/features/motor/properties/cfg": "-W"],
            allowed.map { #""allowedAdditions":\#($0)"# } ?? "")
        let own = WrittenPolicy.entry(
            ["u:eve"], ["thing:/attributes": "R"], #""references":[{"import":"t:roles","entry":"op"}]"#)
        let fixture = try Self.fixture([
            ("t:roles", WrittenPolicy.text([("op", template)])),
            ("acme:p", WrittenPolicy.text([("op", own)], imports: #"{"t:roles":{}}"#)),
        ])
        let rig = fixture.rig
        #expect(try Self.status(rig, .modify, "/features/motor/properties/rpm", "1", as: "u:eve") == rpm)
        #expect(try Self.status(rig, .modify, "/features/motor/properties/cfg", "{}", as: "u:eve") == 403)
        #expect(try Self.status(rig, .modify, "/features/motor", "{}", as: "u:eve") == 403)
        #expect(try Self.status(rig, .retrieve, "/attributes", as: "u:eve") == attributes)
        #expect(try Self.status(rig, .retrieve, "/features", as: "u:eve") == (allowed == "[]" ? 404 : 200))
    }

    @Test("A.13 row 20: a local reference")
    func localReference() throws {
        let fixture = try Self.fixture([
            (
                "acme:p",
                WrittenPolicy.text([
                    ("crew", WrittenPolicy.entry(["u:a", "u:b"])),
                    ("read", WrittenPolicy.entry([], ["thing:/": "R"], #""references":[{"entry":"crew"}]"#)),
                ])
            )
        ])
        for (subject, status) in [("u:a", 200), ("u:b", 200), ("u:c", 404)] {
            #expect(try Self.status(fixture.rig, .retrieve, as: subject) == status)
        }
        expectPolicyError("policies:entry.referenceconflict", 409) {
            try fixture.rig.policy(.delete, "acme:p", at: "/entries/crew")
        }
    }

    @Test("A.13 row 21: a subject comes with an import, its resources only with a transitive one")
    func transitive() throws {
        let driver = WrittenPolicy.entry(["u:alice"], [:], #""references":[{"import":"t:roles","entry":"driver"}]"#)
        let fixture = try Self.fixture([
            ("t:roles", WrittenPolicy.text([("driver", WrittenPolicy.entry([], ["thing:/attributes": "R"]))])),
            ("f:west", WrittenPolicy.text([("driver", driver)], imports: #"{"t:roles":{}}"#)),
            ("acme:p", WrittenPolicy.text(imports: #"{"f:west":{}}"#)),
        ])
        #expect(try Self.status(fixture.rig, .retrieve, as: "u:alice") == 404)
        try fixture.rig.policy(.modify, "acme:p", #"["t:roles"]"#, at: "/imports/f:west/transitiveImports")
        let read = try fixture.rig.run(.retrieve, "acme:pump-7", as: AuthorizationContext(["u:alice"]))
        #expect(
            read.value?.value == [
                "thingId": "acme:pump-7", "attributes": ["site": ["name": "North"], "serial": "X1"],
            ])
    }

    @Test("A.13 row 22: a namespace root counts below its namespace, stored policies stay as they are")
    func namespaceRoot() throws {
        let root = WrittenPolicy.text([("audit", WrittenPolicy.entry(["u:audit"], ["thing:/": "R", "policy:/": "R"]))])
        let fixture = try Self.fixture(
            [("acme:root", root), ("acme.eu:p", WrittenPolicy.text()), ("acme:p", WrittenPolicy.text())],
            settings: try ResolvedAccessTests.rooted([("acme.*", ["acme:root"])]))
        let rig = fixture.rig
        try rig.run(.create, "acme:eu", "/", #"{"policyId":"acme.eu:p"}"#)
        let audit = AuthorizationContext(["u:audit"])
        #expect(try rig.run(.retrieve, "acme:eu", as: audit).status == 200)
        #expect(try Self.status(rig, .retrieve, as: "u:audit") == 404)
        let stored = try rig.policy(.retrieve, "acme.eu:p", as: audit)
        #expect(stored.value?.value.object?["entries"]?.object?.members.map(\.key) == ["owner"])
        let headers = ["policy-view": "resolved"]
        let seen = try rig.policy(.retrieve, "acme.eu:p", headers: headers, as: audit)
        #expect(
            seen.value?.value.object?["entries"]?.object?.members.map(\.key) == [
                "owner", "nsimported-acme:root-audit",
            ])
        try rig.policy(.delete, "acme:root", at: "/entries/audit/resources/policy:/")
        #expect(try rig.run(.retrieve, "acme:eu", as: audit).status == 200)
        let owners = try rig.policy(.retrieve, "acme.eu:p", headers: headers)
        #expect(owners.value?.value.object?["entries"]?.object?["nsimported-acme:root-audit"] != nil)
    }

    @Test("A.13 row 23: who may read one entry sees that one")
    func view() throws {
        let fixture = try Self.fixture([
            (
                "acme:p",
                WrittenPolicy.text([
                    ("DEFAULT", WrittenPolicy.entry([])),
                    ("READER", WrittenPolicy.entry(["u:rd"], ["policy:/entries/READER": "R"])),
                ])
            )
        ])
        let rig = fixture.rig
        let reader = AuthorizationContext(["u:rd"])
        for headers in [[:], ["policy-view": "resolved"]] {
            let read = try rig.policy(.retrieve, "acme:p", headers: headers, as: reader).value?.value.object
            #expect(read?.members.map(\.key) == ["policyId", "entries"])
            #expect(read?["entries"]?.object?.members.map(\.key) == ["READER"])
        }
        expectPolicyError("policies:entry.notfound", 404) {
            try rig.policy(.retrieve, "acme:p", at: "/entries/DEFAULT", as: reader)
        }
        expectPolicyError("policies:entry.notmodifiable", 403) {
            try rig.policy(.modify, "acme:p", "{}", at: "/entries/READER", as: reader)
        }
    }

    @Test("A.13 row 24: one feature")
    func feature() throws {
        let fixture = try Self.fixture([
            ("acme:p", WrittenPolicy.text([("m", WrittenPolicy.entry(["u:m"], ["thing:/features/motor": "R"]))]))
        ])
        let context = AuthorizationContext(["u:m"])
        let read = try fixture.rig.run(.retrieve, "acme:pump-7", "/features", as: context)
        #expect(read.value?.value.object?.members.map(\.key) == ["motor"])
        expectError("things:feature.notfound", 404) {
            try fixture.rig.run(.retrieve, "acme:pump-7", "/features/valve", as: context)
        }
    }

    // MARK: A.1.2

    /// A line of the table of sub-resources: what each method comes to.
    struct Line: Sendable, CustomTestStringConvertible {
        let path: String
        let value: String
        /// GET, PUT of `value`, GET, DELETE, GET.
        let statuses: [Int]
        var testDescription: String { "A.1.2 \(path)" }
        init(_ path: String, _ value: String, _ statuses: [Int]) {
            (self.path, self.value, self.statuses) = (path, value, statuses)
        }
    }

    static let lines: [Line] = [
        Line("/", WrittenPolicy.text(), [200, 204, 200, 204, 404]),
        Line("/entries", #"{"o":\#(ResolvedAccessTests.viewer),"owner":\#(all)}"#, [200, 204, 200, 400, 200]),
        Line("/entries/new", "{}", [404, 201, 200, 204, 404]), Line("/entries/t", "{}", [200, 204, 200, 204, 404]),
        Line("/entries/t/subjects", #"{"u:x":{"type":"t"}}"#, [200, 204, 200, 400, 200]),
        Line("/entries/t/subjects/u:x", #"{"type":"t"}"#, [404, 201, 200, 204, 404]),
        Line("/entries/t/resources", "{}", [200, 204, 200, 400, 200]),
        Line("/entries/t/resources/thing:/a/b", "{}", [404, 201, 200, 204, 404]),
        Line("/entries/t/importable", #""never""#, [200, 204, 200, 400, 200]),
        // Never set and empty are told apart where they mean different things.
        Line("/entries/t/allowedAdditions", "[]", [200, 204, 200, 204, 200]),
        Line("/entries/t/namespaces", "[]", [404, 204, 200, 400, 200]),
        Line("/entries/t/references", #"[{"entry":"u"}]"#, [200, 201, 200, 204, 200]),
        Line("/entries/t/references", "[]", [200, 204, 200, 204, 200]),
        Line("/imports", #"{"n:base":{}}"#, [404, 204, 200, 204, 404]),
        Line("/imports/n:base", "{}", [404, 201, 200, 204, 404]),
        Line("/imports/n:i/entries", #"["L"]"#, [200, 204, 200, 400, 200]),
        Line("/imports/n:i/transitiveImports", #"["n:base"]"#, [200, 204, 200, 400, 200]),
        Line("/entries/none/references", "[]", [404, 404, 404, 404, 404]),
        Line("/entries/none/allowedAdditions", "[]", [404, 404, 404, 404, 404]),
        Line("/entries/none/namespaces", "[]", [404, 404, 404, 400, 404]),
    ]

    static let all = WrittenPolicy.entry(["test:owner"], ["policy:/": "RW"])

    @Test("every sub-resource has the methods of its line", arguments: lines)
    func methods(line: Line) throws {
        let fixture = try EngineFixture()
        let rig = fixture.rig
        try rig.makeImported(["n:base", "n:i"])
        let hasImport = line.path.hasPrefix("/imports/n:i")
        let entries = [("t", WrittenPolicy.entry([])), ("u", WrittenPolicy.entry([]))]
        try rig.policy(.create, "n:p", WrittenPolicy.text(entries, imports: hasImport ? #"{"n:i":{}}"# : nil))
        func status(_ action: PolicyCommand.Action) throws -> Int {
            do {
                return try rig.policy(action, "n:p", action == .modify ? line.value : nil, at: line.path).status
            } catch let error as TwinspanError { return error.status }
        }
        let actions: [PolicyCommand.Action] = [.retrieve, .modify, .retrieve, .delete, .retrieve]
        #expect(try actions.map { try status($0) } == line.statuses)
    }
}
