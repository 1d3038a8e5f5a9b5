import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

/// What is refused of policy commands: values, conflicts, lost owners, preconditions (spec/protocol.md §6.3, §10).
@Suite("Refused policy commands")
struct PolicyRefusalTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let path: String
        let value: String?
        let code: String
        let status: Int
        var testDescription: String { "\(path) := \(value ?? "–") → \(code)" }
        init(_ path: String, _ value: String?, _ code: String, _ status: Int = 400) {
            (self.path, self.value, self.code, self.status) = (path, value, code, status)
        }
    }

    static let past = #"{"type":"t","expiry":"2023-11-14T21:59:00Z"}"#

    static let values: [Row] = [
        Row("/entries", "[]", "json.invalid"), Row("/entries", #"{"a/b":{}}"#, "policies:entry.invalid"),
        Row("/entries", #"{"importedX":{}}"#, "policies:label.invalid"),
        Row("/entries/importedX", "{}", "policies:label.invalid"),
        Row("/entries/nsimported-x", "{}", "policies:label.invalid"),
        Row("/entries/a\u{7}", "{}", "policies:entry.invalid"),
        Row("/entries/" + String(repeating: "l", count: 257), "{}", "policies:entry.invalid"),
        Row("/entries/x", "1", "json.invalid"), Row("/entries/x", #"{"subjects":[]}"#, "json.invalid"),
        Row("/entries/x", #"{"importable":"maybe"}"#, "policies:entry.invalid"),
        Row("/entries/x", #"{"references":[{"entry":"none"}]}"#, "policies:entry.invalid"),
        Row("/entries/x", #"{"references":[{"entry":"x"}]}"#, "policies:entry.invalid"),
        Row("/entries/t", #"{"importable":"never"}"#, "policies:entry.invalid"),
        Row("/entries/e/subjects", #"{"nocolon":{"type":"t"}}"#, "policies:subjectid.invalid"),
        Row("/entries/e/subjects", "null", "json.invalid"),
        Row("/entries/e/subjects/nocolon", #"{"type":"t"}"#, "policies:subjectid.invalid"),
        Row("/entries/e/subjects/u:", #"{"type":"t"}"#, "policies:subjectid.invalid"),
        Row("/entries/e/subjects/u:x", "{}", "json.field.missing"),
        Row("/entries/e/subjects/u:x", #"{"type":"t","expiry":"soon"}"#, "policies:subjectexpiry.invalid"),
        Row("/entries/e/subjects/u:x", past, "policies:subjectexpiry.invalid"),
        Row("/entries/e/subjects", #"{"u:x":\#(past)}"#, "policies:subjectexpiry.invalid"),
        Row("/entries/e", #"{"subjects":{"u:x":\#(past)}}"#, "policies:subjectexpiry.invalid"),
        Row("/entries", #"{"e":{"subjects":{"u:x":\#(past)}}}"#, "policies:subjectexpiry.invalid"),
        Row(
            "/entries/e/subjects/u:x", #"{"type":"t","announcement":{"beforeExpiry":"5d"}}"#,
            "policies:subjectannouncement.invalid"),
        Row("/entries/e/resources", #"{"thing":{}}"#, "json.invalid"),
        Row("/entries/e/resources/thing:x", "{}", "json.invalid"),
        Row("/entries/e/resources/thing:/a//b", "{}", "json.pointer.invalid"),
        Row("/entries/e/resources/thing:/a", #"{"grant":["ALL"]}"#, "policies:entry.invalid"),
        Row("/entries/e/resources/thing:/a", "[]", "json.invalid"),
        Row("/entries/e/namespaces", #"["a..b"]"#, "policies:entry.invalid"),
        Row("/entries/e/namespaces", #""a""#, "policies:entry.invalid"),
        Row("/entries/e/importable", #""maybe""#, "policies:entry.invalid"),
        Row("/entries/e/importable", "null", "policies:entry.invalid"),
        Row("/entries/e/allowedAdditions", #"["all"]"#, "policies:entry.invalid"),
        Row("/entries/e/references", "{}", "json.invalid"),
        Row("/entries/e/references", "[{}]", "json.field.missing"),
        Row("/entries/e/references", #"[{"import":"","entry":"L"}]"#, "json.invalid"),
        Row("/entries/e/references", #"[{"entry":"e"}]"#, "policies:entry.invalid"),
        Row("/entries/e/references", #"[{"entry":"none"}]"#, "policies:entry.invalid"),
        Row("/entries/e/references", #"[{"entry":"t"},{"entry":"t"}]"#, "policies:entry.invalid"),
        Row("/entries/e/references", #"[{"import":"n:none","entry":"L"}]"#, "policies:import.invalid"),
        Row("/imports", "[]", "json.invalid"), Row("/imports", #"{"n:p":{}}"#, "policies:import.invalid"),
        Row("/imports", #"{"noid":{}}"#, "policies:id.invalid"),
        Row("/imports", "{\((0..<11).map { "\"n:i\($0)\":{}" }.joined(separator: ","))}", "policies:imports.toolarge"),
        Row("/imports/noid", "{}", "policies:id.invalid"), Row("/imports/n:p", "{}", "policies:import.invalid"),
        Row("/imports/n:x", "[]", "json.invalid"), Row("/imports/n:base/entries", "{}", "json.invalid"),
        Row("/imports/n:base/transitiveImports", #"["n:p"]"#, "policies:import.invalid"),
        Row("/imports/n:base/transitiveImports", "[1]", "policies:import.invalid"),
        Row("/", #"{"entries":{"e":{"subjects":{"u:x":\#(past)}}}}"#, "policies:subjectexpiry.invalid"),
        // Absent parents.
        Row("/entries/none/subjects", "{}", "policies:entry.notfound", 404),
        Row("/entries/none/subjects/u:x", #"{"type":"t"}"#, "policies:entry.notfound", 404),
        Row("/entries/none/resources", "{}", "policies:entry.notfound", 404),
        Row("/entries/none/resources/thing:/", "{}", "policies:entry.notfound", 404),
        Row("/entries/none/namespaces", "[]", "policies:entry.notfound", 404),
        Row("/entries/none/importable", #""never""#, "policies:entry.notfound", 404),
        Row("/entries/none/allowedAdditions", "[]", "policies:entry.notfound", 404),
        Row("/entries/none/references", "[]", "policies:entry.notfound", 404),
        Row("/imports/n:none/entries", "[]", "policies:import.notfound", 404),
        Row("/imports/n:none/transitiveImports", "[]", "policies:import.notfound", 404),
        // Conflicts.
        Row("/entries/t", nil, "policies:entry.referenceconflict", 409),
        Row("/entries/t/importable", #""never""#, "policies:entry.referenceconflict", 409),
        Row("/imports", nil, "policies:import.referenceconflict", 409),
        Row("/imports", "{}", "policies:import.referenceconflict", 409),
        Row("/imports", #"{"n:base":{}}"#, "policies:import.referenceconflict", 409),
        Row("/imports/n:base", nil, "policies:import.referenceconflict", 409),
        Row("/imports/n:base", #"{"entries":["M"]}"#, "policies:import.referenceconflict", 409),
        Row("/imports/n:base/entries", "[]", "policies:import.referenceconflict", 409),
        // No such command.
        Row("/entries", nil, "protocoladapter:unknown.path"), Row("/entries/e/subjects", nil, unknown),
        Row("/entries/e/resources", nil, unknown), Row("/entries/e/namespaces", nil, unknown),
        Row("/entries/e/importable", nil, unknown), Row("/imports/n:base/entries", nil, unknown),
        Row("/imports/n:base/transitiveImports", nil, unknown),
    ]
    static let unknown = "protocoladapter:unknown.path"

    @Test("a command that cannot be carried out changes nothing", arguments: values)
    func refused(row: Row) throws {
        let fixture = try EngineFixture()
        try fixture.makePolicy()
        let before = try fixture.policy()
        expectPolicyError(row.code, row.status) {
            try fixture.rig.policy(row.value == nil ? .delete : .modify, "n:p", row.value, at: row.path)
        }
        #expect(try fixture.policy() == before)
        #expect(try fixture.rig.policy(.retrieve, "n:p").revision == 1)
    }

    static let orphans: [Row] = [
        Row("/", #"{"entries":{}}"#, "policies:policy.modificationinvalid", 403),
        Row("/entries", "{}", "policies:policy.modificationinvalid", 403),
        Row("/entries/owner", nil, "policies:entry.modificationinvalid", 403),
        Row("/entries/owner", "{}", "policies:entry.modificationinvalid", 403),
        Row("/entries/owner/subjects", "{}", "policies:entry.modificationinvalid", 403),
        Row("/entries/owner/subjects/test:owner", nil, "policies:entry.modificationinvalid", 403),
        Row(
            "/entries/owner/subjects/test:owner", #"{"type":"t","expiry":"2099-01-01T00:00:00Z"}"#,
            "policies:entry.modificationinvalid", 403),
        Row("/entries/owner/resources", "{}", "policies:entry.modificationinvalid", 403),
        Row("/entries/owner/resources/policy:/", nil, "policies:entry.modificationinvalid", 403),
        Row(
            "/entries/owner/resources/policy:/", #"{"grant":["WRITE"],"revoke":["WRITE"]}"#,
            "policies:entry.modificationinvalid", 403),
    ]

    @Test("a policy without imports keeps a permanent owner, whatever the lockout header says", arguments: orphans)
    func ownership(row: Row) throws {
        let fixture = try EngineFixture()
        try fixture.makePolicy(PolicySample.owned)
        for headers in [[:], ["allow-policy-lockout": "true"]] {
            expectPolicyError(row.code, row.status) {
                try fixture.rig.policy(
                    row.value == nil ? .delete : .modify, "n:p", row.value, at: row.path, headers: headers)
            }
        }
        #expect(try fixture.rig.policy(.retrieve, "n:p").revision == 1)
    }

    @Test("the last import may not go when nobody would own the policy without it")
    func lastImport() throws {
        let fixture = try EngineFixture()
        let headers = ["allow-policy-lockout": "true"]
        try fixture.rig.makeImported()
        try fixture.rig.policy(
            .create, "n:p",
            """
            {"imports":{"n:i":{}},"entries":{"e":{\
            "subjects":{"test:owner":{"type":"t","expiry":"2099-01-01T00:00:00Z"}},\
            "resources":{"policy:/":{"grant":["READ","WRITE"]}}}}}
            """)
        for (path, value) in [("/imports", nil), ("/imports", "{}"), ("/imports/n:i", nil)] as [(String, String?)] {
            expectPolicyError("policies:policy.modificationinvalid", 403) {
                try fixture.rig.policy(value == nil ? .delete : .modify, "n:p", value, at: path, headers: headers)
            }
        }
    }

    @Test("parts may be changed so that the caller loses WRITE, as long as somebody has it")
    func losingWrite() throws {
        let fixture = try EngineFixture()
        try fixture.makePolicy(PolicySample.owned)
        try fixture.rig.policy(.modify, "n:p", #"{"type":"t"}"#, at: "/entries/second/subjects/test:b")
        #expect(try fixture.rig.policy(.delete, "n:p", at: "/entries/owner").status == 204)
        expectPolicyError("policies:policy.notfound", 404) { try fixture.rig.policy(.retrieve, "n:p") }
    }

    @Test("commands on parts of an absent policy do not find it")
    func absent() throws {
        let fixture = try EngineFixture()
        for action in [PolicyCommand.Action.modify, .delete, .retrieve] {
            expectPolicyError("policies:policy.notfound", 404) {
                try fixture.rig.policy(action, "n:p", "{}", at: "/entries/e")
            }
        }
        expectPolicyError("protocoladapter:unknown.path", 400) {
            try fixture.rig.policy(.create, "n:p", "{}", at: "/entries/e")
        }
        expectPolicyError("json.invalid", 400) { try fixture.rig.policy(.create, "n:p") }
    }

    @Test("a part that makes the policy too large is refused, at the byte")
    func size() throws {
        let probe = try EngineFixture()
        try probe.makePolicy(PolicySample.owned)
        let path = "/entries/second/subjects/u:x"
        try probe.rig.policy(.modify, "n:p", #"{"type":"12345"}"#, at: path)
        let limit = try #require(try PolicyPartTests.state(probe).text).bytes.count
        let fixture = try EngineFixture(settings: EngineRig.settings(limits: TwinLimits(policyBytes: limit)))
        try fixture.makePolicy(PolicySample.owned)
        expectPolicyError("policies:policy.toolarge", 413) {
            try fixture.rig.policy(.modify, "n:p", #"{"type":"123456"}"#, at: path)
        }
        #expect(try fixture.rig.policy(.modify, "n:p", #"{"type":"12345"}"#, at: path).status == 201)
    }

    static let preconditions: [(PolicyCommand.Action, String, [String: String], String, Int)] = [
        (.modify, "/entries/plain", ["if-match": "\"hash:0\""], "policies:precondition.failed", 412),
        (.modify, "/entries/plain", ["if-match": "\"rev:1\""], "policies:precondition.failed", 412),
        (.modify, "/entries/new", ["if-match": "*"], "policies:precondition.failed", 412),
        (.modify, "/entries/plain", ["if-none-match": "*"], "policies:precondition.failed", 412),
        (.modify, "/entries/plain", ["if-match": "x"], "header.invalid", 400),
        (.modify, "/entries/plain", ["if-equal": "maybe"], "header.invalid", 400),
        (.modify, "/entries/plain", ["if-equal": "skip"], "policies:precondition.failed", 412),
        (.delete, "/entries/plain", ["if-match": "\"hash:0\""], "policies:precondition.failed", 412),
        (.delete, "/entries/new", ["if-match": "\"hash:0\""], "policies:entry.notfound", 404),
        (.retrieve, "/entries/plain", ["if-none-match": "*"], "policies:precondition.notmodified", 304),
        (.retrieve, "/entries/plain", ["if-match": "\"hash:0\""], "policies:precondition.failed", 412),
        (.retrieve, "/entries/new", ["if-match": "\"hash:0\""], "policies:entry.notfound", 404),
        (.retrieve, "/entries/plain", ["policy-view": "full"], "policies:view.invalid", 400),
        (.create, "/", ["if-none-match": "*"], "policies:precondition.failed", 412),
        (.create, "/", [:], "policies:policy.conflict", 409),
        (.modify, "/", ["if-match": "\"rev:2\""], "policies:precondition.failed", 412),
        (.modify, "/", ["if-equal": "skip"], "policies:precondition.failed", 412),
    ]

    @Test("preconditions are asked of the addressed resource", arguments: preconditions)
    func precondition(
        action: PolicyCommand.Action, path: String, headers: [String: String], code: String, status: Int
    ) throws {
        let fixture = try EngineFixture()
        try fixture.makePolicy()
        let value = path == "/" ? PolicySample.rich : #"{"importable":"implicit"}"#
        expectPolicyError(code, status) {
            try fixture.rig.policy(action, "n:p", value, at: path, headers: headers)
        }
        #expect(try fixture.rig.policy(.retrieve, "n:p").revision == 1)
    }

    @Test("preconditions that are met do not stand in the way")
    func met() throws {
        let fixture = try EngineFixture()
        try fixture.makePolicy()
        let rig = fixture.rig
        let tag = try #require(try rig.policy(.retrieve, "n:p", at: "/entries/plain").etag)
        let never = #"{"importable":"never"}"#
        let first = try rig.policy(.modify, "n:p", never, at: "/entries/plain", headers: ["if-match": tag])
        #expect((first.status, first.revision) == (204, 2))
        #expect(first.etag != tag)
        #expect(
            try rig.policy(.modify, "n:p", never, at: "/entries/new", headers: ["if-none-match": "*"]).status == 201)
        let skips = ["if-equal": "skip"]
        #expect(try rig.policy(.modify, "n:p", "{}", at: "/entries/plain", headers: skips).status == 204)
        let minimizing = ["if-equal": "skip-minimizing-merge"]
        #expect(try rig.policy(.modify, "n:p", "{}", at: "/entries/plain", headers: minimizing).status == 204)
        let again = try #require(try rig.policy(.retrieve, "n:p", at: "/entries/plain").etag)
        #expect(try rig.policy(.delete, "n:p", at: "/entries/plain", headers: ["if-match": again]).status == 204)
        #expect(
            try rig.policy(.retrieve, "n:p", at: "/entries/t", headers: ["if-none-match": "\"hash:0\""]).status == 200)
    }
}
