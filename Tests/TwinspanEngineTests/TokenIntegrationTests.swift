import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanSQLite
import TwinspanTestSupport

/// Token integration (spec/policies-search.md A.8, spec/protocol.md §6.3).
@Suite("Token integration")
struct TokenIntegrationTests {
    private static let failed = "policies:action.failed"
    private static let caller = AuthorizationContext(["test:x", "test:y"])
    /// 22:13:20 of the manual clock's day; the next hour is 23:00.
    private static let expiry = Timestamp(milliseconds: 1_700_000_000_000 + 60_000)
    private static let rounded = "2023-11-14T23:00:00Z"
    private static let addedAt = "added via action <activateTokenIntegration> at 2023-11-14T22:13:20Z"

    /// Entries by label: subjects, resources as `Sample.policy` writes them.
    private static func policy(_ entries: [(label: String, subjects: [String], resources: String)]) -> String {
        let owner = (
            label: "owner", subjects: ["test:owner"],
            resources: #""policy:/":{"grant":["READ","WRITE"],"revoke":[]}"#
        )
        let texts = ([owner] + entries).map { entry in
            let subjects = entry.subjects.map { #""\#($0)":{"type":"t"}"# }.joined(separator: ",")
            return #""\#(entry.label)":{"subjects":{\#(subjects)},"resources":{\#(entry.resources)}}"#
        }
        return #"{"entries":{\#(texts.joined(separator: ","))}}"#
    }

    private static let read = #""thing:/":{"grant":["READ"],"revoke":[]}"#
    private static let execute = #""policy:/entries":{"grant":["EXECUTE"],"revoke":[]}"#

    /// `caller` may act on all entries; `a` and `b` fit, `c` grants nothing, `d` is of others.
    private static let sample = policy([
        ("rights", ["test:x"], execute), ("a", ["test:y"], read), ("b", ["test:x"], read),
        ("c", ["test:x"], #""thing:/":{"grant":["WRITE"],"revoke":[]}"#), ("d", ["test:z"], read),
    ])

    private static func fixture(
        _ policy: String = sample, _ change: (inout EngineSettings) -> Void = { _ in }
    ) throws -> EngineFixture {
        var settings = EngineRig.settings()
        change(&settings)
        let fixture = try EngineFixture(settings: settings)
        try fixture.makePolicy(policy)
        return fixture
    }

    @discardableResult
    private static func act(
        _ action: TokenIntegration.Action, on label: String? = nil, _ fixture: EngineFixture,
        claims: String? = #"{"aud":"app"}"#, announcement: String? = nil, of id: String = "n:p",
        headers: [String: String] = [:], expiry: Timestamp = expiry, as context: AuthorizationContext = caller
    ) throws -> PolicyResponse {
        var all = DittoHeaders()
        for (name, text) in headers { all.append(name, .string(text)) }
        let token = try claims.map { TokenIntegration.Token(claims: try json($0), expiry: expiry) }
        let command = TokenIntegration(
            policyID: try PolicyID(id), action: action, label: label, token: token,
            announcement: try announcement.map { try json($0) }, headers: all)
        let outcome = fixture.rig.engine.execute(command, as: context)
        fixture.rig.engine.commitSoon()
        try fixture.rig.awaitCommit(outcome.ticket)
        return try outcome.result.get()
    }

    private static func subjects(_ label: String, _ fixture: EngineFixture) throws -> JSONObject {
        let path = JSONPointer(segments: ["entries", label, "subjects"])
        return try #require(try fixture.policy()?.value(at: path)?.object)
    }

    // MARK: One entry

    @Test("an activation adds the subject of the token, a deactivation restores the policy")
    func roundTrip() throws {
        let fixture = try Self.fixture()
        let before = try fixture.rig.policy(.retrieve, "n:p")
        let response = try Self.act(.activate, on: "a", fixture)
        #expect(response == PolicyResponse(status: 204, revision: before.revision + 1, etag: nil, action: .modify))
        let added = try json(#"{"type":"\#(Self.addedAt)","expiry":"\#(Self.rounded)"}"#)
        #expect(try Self.subjects("a", fixture)["integration:a:app"] == added)
        #expect(try Self.subjects("b", fixture).count == 1)
        let created = try #require(try fixture.newestPolicyEvent())
        #expect(created.action == .created && created.value?.value == added)
        #expect(created.path.segments == ["entries", "a", "subjects", "integration:a:app"])

        try Self.act(.activate, on: "a", fixture)
        #expect(try fixture.newestPolicyEvent()?.action == .modified)

        try Self.act(.deactivate, on: "a", fixture)
        let deleted = try #require(try fixture.newestPolicyEvent())
        #expect(deleted.action == .deleted && deleted.value == nil && deleted.path == created.path)
        #expect(try fixture.policy() == before.value?.value)

        // Nothing is left to remove: no error, and no event either.
        let again = try Self.act(.deactivate, on: "a", fixture)
        #expect(again.status == 204 && again.revision == deleted.revision)
    }

    @Test("what is added counts at once")
    func counts() throws {
        let fixture = try Self.fixture()
        try fixture.make("n:t")
        let app = AuthorizationContext(["integration:a:app"])
        let access = Self.policy([("rights", ["test:x"], Self.execute), ("a", ["test:y"], Self.read)])
        try fixture.rig.policy(.modify, "n:p", access)
        try fixture.rig.policy(
            .modify, "n:p",
            #"{"subjects":{"test:owner":{"type":"t"}},"resources":{"thing:/":{"grant":["READ","WRITE"],"revoke":[]}}}"#,
            at: "/entries/writers")
        try fixture.rig.run(.create, "n:u", "/", #"{"policyId":"n:p"}"#)
        expectError("things:thing.notfound", 404) { try fixture.rig.run(.retrieve, "n:u", as: app) }
        try Self.act(.activate, on: "a", fixture)
        #expect(try fixture.rig.run(.retrieve, "n:u", as: app).status == 200)
        try Self.act(.deactivate, on: "a", fixture)
        expectError("things:thing.notfound", 404) { try fixture.rig.run(.retrieve, "n:u", as: app) }
    }

    // MARK: Who may, and where

    struct Refusal: Sendable, CustomTestStringConvertible {
        let name: String
        var policy = sample
        var action = TokenIntegration.Action.activate
        var label: String?
        var id = "n:p"
        var subjects = ["test:x", "test:y"]
        let code: String
        let status: Int
        var testDescription: String { name }
    }

    private static func only(_ resources: String) -> String {
        policy([("a", ["test:x"], "\(read),\(resources)")])
    }

    private static func grantsOn(_ path: String) -> String {
        #""policy:\#(path)":{"grant":["EXECUTE"],"revoke":[]}"#
    }

    static let refusals: [Refusal] = [
        Refusal(name: "no such policy", id: "n:none", code: "policies:policy.notfound", status: 404),
        Refusal(name: "no EXECUTE on an entry", label: "a", subjects: ["test:y"], code: failed, status: 403),
        Refusal(name: "no EXECUTE on any entry", subjects: ["test:y"], code: failed, status: 403),
        Refusal(name: "nobody", subjects: [], code: failed, status: 403),
        Refusal(name: "no EXECUTE, though the owner", label: "a", subjects: ["test:owner"], code: failed, status: 403),
        Refusal(
            name: "EXECUTE on the other action",
            policy: only(grantsOn("/entries/a/actions/deactivateTokenIntegration")),
            label: "a", code: failed, status: 403),
        Refusal(
            name: "EXECUTE revoked on the action",
            policy: only(
                execute + #","policy:/entries/a/actions/activateTokenIntegration":{"grant":[],"revoke":["EXECUTE"]}"#),
            label: "a", code: failed, status: 403),
        Refusal(
            name: "EXECUTE revoked below the action",
            policy: only(
                execute
                    + #","policy:/entries/a/actions/activateTokenIntegration/x":{"grant":[],"revoke":["EXECUTE"]}"#),
            label: "a", code: failed, status: 403),
        Refusal(name: "no such entry, with EXECUTE", label: "none", code: failed, status: 404),
        Refusal(name: "no such entry, without EXECUTE", label: "none", subjects: ["test:y"], code: failed, status: 403),
        Refusal(name: "an entry of others", label: "d", code: failed, status: 404),
        Refusal(name: "an entry that grants no READ", label: "c", code: failed, status: 404),
        Refusal(name: "an entry of others, to leave", action: .deactivate, label: "d", code: failed, status: 404),
        Refusal(
            name: "READ granted and revoked at the same key",
            policy: policy([
                ("a", ["test:x"], #""thing:/":{"grant":["READ"],"revoke":["READ"]},\#(execute)"#)
            ]), label: "a", code: failed, status: 404),
        Refusal(
            name: "READ of another type",
            policy: policy([("a", ["test:x"], #""message:/":{"grant":["READ"],"revoke":[]},\#(execute)"#)]), label: "a",
            code: failed, status: 404),
        Refusal(
            name: "no entry fits", policy: policy([("rights", ["test:x"], execute), ("d", ["test:z"], read)]),
            code: failed, status: 404),
    ]

    @Test("who may not, or has no entry, is refused", arguments: refusals)
    func refused(row: Refusal) throws {
        let fixture = try Self.fixture(row.policy)
        let before = try fixture.policy()
        expectPolicyError(row.code, row.status) {
            try Self.act(row.action, on: row.label, fixture, of: row.id, as: AuthorizationContext(row.subjects))
        }
        #expect(try fixture.policy() == before)
    }

    @Test("READ somewhere in a thing is enough, and EXECUTE on the action itself")
    func narrow() throws {
        let narrow = Self.policy([
            (
                "a", ["test:x"],
                #""thing:/features/f":{"grant":["READ"],"revoke":[]},"thing:/":{"grant":[],"revoke":["READ"]},"#
                    + Self.grantsOn("/entries/a/actions/activateTokenIntegration")
            )
        ])
        let fixture = try Self.fixture(narrow)
        #expect(try Self.act(.activate, on: "a", fixture).status == 204)
        #expect(try Self.act(.activate, fixture).status == 204)
    }

    @Test("only tokens count", arguments: TokenIntegration.Action.allCases)
    func noToken(action: TokenIntegration.Action) throws {
        let fixture = try Self.fixture()
        for label in ["a", "none", nil] {
            expectPolicyError(Self.failed, 400) { try Self.act(action, on: label, fixture, claims: nil) }
        }
        expectPolicyError(Self.failed, 400) { try Self.act(action, fixture, claims: nil, of: "n:none") }
    }

    // MARK: All entries

    @Test("on the whole policy, every entry that is permitted and fits changes in one event")
    func all() throws {
        let fixture = try Self.fixture()
        let before = try fixture.rig.policy(.retrieve, "n:p")
        try Self.act(.activate, fixture, claims: #"{"aud":["one","two"]}"#)
        #expect(try Self.subjects("a", fixture).keys == ["test:y", "integration:a:one", "integration:a:two"])
        #expect(try Self.subjects("b", fixture).keys == ["test:x", "integration:b:one", "integration:b:two"])
        #expect(try Self.subjects("c", fixture).count == 1 && Self.subjects("d", fixture).count == 1)
        let event = try #require(try fixture.newestPolicyEvent())
        #expect(event.revision == before.revision + 1)
        let envelope = event.envelope(headers: DittoHeaders())
        #expect(envelope.topic.text == "n/p/policies/events/modified" && envelope.path.isRoot)
        let members = try #require(envelope.value?.value.object)
        #expect(members.keys == ["a", "b"])
        #expect(members["b"]?.object?.keys == ["integration:b:one", "integration:b:two"])
        #expect(members["b"]?.object?["integration:b:two"]?.object?["expiry"] == .string(Self.rounded))

        try Self.act(.deactivate, fixture, claims: #"{"aud":["one","two"]}"#)
        let deleted = try #require(try fixture.newestPolicyEvent()).envelope(headers: DittoHeaders())
        #expect(deleted.topic.text == "n/p/policies/events/deleted" && deleted.path.isRoot)
        #expect(
            deleted.value?.text
                == #"{"a":["integration:a:one","integration:a:two"],"b":["integration:b:one","integration:b:two"]}"#)
        #expect(try fixture.policy() == before.value?.value)
    }

    @Test("a deactivation needs no READ in the entry")
    func deactivation() throws {
        let fixture = try Self.fixture()
        try fixture.rig.policy(
            .modify, "n:p", #"{"type":"t"}"#, at: "/entries/c/subjects/integration:c:app")
        try Self.act(.deactivate, fixture)
        #expect(try Self.subjects("c", fixture).keys == ["test:x"])
        // One subject of one entry is told as such.
        #expect(try fixture.newestPolicyEvent()?.path.segments.last == "integration:c:app")
    }

    @Test("several subjects are read again after a restart")
    func replay() throws {
        let directory = try TemporaryDirectory(isInMemory: true)
        let claims = #"{"aud":["one","two"]}"#
        var policies: [JSONValue?] = []
        for step in 0..<3 {
            let rig = try EngineRig(store: try SQLiteStore(directory: directory.path, durability: .os))
            if step == 0 { try rig.policy(.create, "n:p", Self.sample) }
            if step > 0 { #expect(try rig.policy(.retrieve, "n:p").value?.value == policies.last) }
            let action: TokenIntegration.Action = step == 1 ? .deactivate : .activate
            let outcome = rig.engine.execute(
                TokenIntegration(
                    policyID: try PolicyID("n:p"), action: action,
                    token: TokenIntegration.Token(claims: try json(claims), expiry: Self.expiry)), as: Self.caller)
            rig.engine.commitSoon()
            try rig.awaitCommit(outcome.ticket)
            #expect(try outcome.result.get().status == 204)
            policies.append(try rig.policy(.retrieve, "n:p").value?.value)
            rig.engine.stop()
        }
        #expect(policies[0] == policies[2] && policies[0] != policies[1])
    }

    // MARK: The subject

    struct Template: Sendable, CustomTestStringConvertible {
        let template: String
        let claims: String
        /// Nil when there is no subject.
        let ids: [String]?
        var code = "placeholder:unresolved"
        init(_ template: String, _ claims: String, _ ids: [String]?, code: String = "placeholder:unresolved") {
            (self.template, self.claims, self.ids, self.code) = (template, claims, ids, code)
        }
        var testDescription: String { "\(template) \(claims)" }
    }

    static let templates: [Template] = [
        Template("i:{{ policy-entry:label }}:{{ jwt:aud }}", #"{"aud":"x"}"#, ["i:a:x"]),
        Template("i:{{ jwt:sub }}", #"{"sub":"s","aud":"x"}"#, ["i:s"]),
        Template("i:{{ jwt:realm/roles }}", #"{"realm":{"roles":["r1","r2","r1"]}}"#, ["i:r1", "i:r2"]),
        Template(
            "i:{{ jwt:list/name }}", #"{"list":[{"name":"n1"},{"name":["n2","n3"]},{}]}"#, ["i:n1", "i:n2", "i:n3"]),
        Template("i:{{ jwt:a }}-{{ jwt:b }}", #"{"a":["1","2"],"b":["x","y"]}"#, ["i:1-x", "i:1-y", "i:2-x", "i:2-y"]),
        Template("i:{{ jwt:n }}", #"{"n":42}"#, ["i:42"]), Template("i:{{ jwt:n }}", #"{"n":true}"#, ["i:true"]),
        Template("i:{{ header:x-tenant }}", "{}", ["i:acme"]), Template("i:{{ header:X-Tenant }}", "{}", ["i:acme"]),
        Template("i:{{ jwt:aud | fn:default('none') }}", "{}", ["i:none"]),
        Template("i:const", "{}", ["i:const"]),
        Template("i:{{ jwt:aud }}", "{}", nil), Template("i:{{ jwt:aud }}", #"{"aud":[]}"#, nil),
        Template("i:{{ jwt:aud }}", #"{"aud":null}"#, nil), Template("i:{{ jwt:aud/x }}", #"{"aud":"x"}"#, nil),
        Template("i:{{ header:none }}", "{}", nil), Template("i:{{ jwt:aud }}", "[]", nil),
        Template("i:{{ jwt:aud | fn:delete() }}x", #"{"aud":"x"}"#, ["i:x"]),
        Template("{{ jwt:aud | fn:delete() }}", #"{"aud":"x"}"#, nil),
        Template("{{ jwt:aud }}", #"{"aud":"x"}"#, nil, code: "policies:subjectid.invalid"),
        Template("i:{{ jwt:aud }}", #"{"aud":"\u0001"}"#, nil, code: "policies:subjectid.invalid"),
    ]

    @Test("the subjects come from the template", arguments: templates)
    func template(row: Template) throws {
        let fixture = try Self.fixture(Self.sample) { $0.access.tokenSubject = row.template }
        let headers = ["x-tenant": "acme"]
        let activate = { try Self.act(.activate, on: "a", fixture, claims: row.claims, headers: headers) }
        guard let ids = row.ids else {
            expectPolicyError(row.code, 400) { try activate() }
            // A claim that is missing is missing whatever the policy is.
            expectPolicyError(row.code, 400) { try Self.act(.activate, fixture, claims: row.claims, of: "n:none") }
            return
        }
        _ = try activate()
        #expect(try Self.subjects("a", fixture).keys == ["test:y"] + ids)
        try Self.act(.deactivate, on: "a", fixture, claims: row.claims, headers: headers)
        #expect(try Self.subjects("a", fixture).keys == ["test:y"])
    }

    @Test("a template that cannot be read is the service's own fault")
    func brokenTemplate() throws {
        let fixture = try Self.fixture(Self.sample) { $0.access.tokenSubject = "i:{{ thing:id }}" }
        expectPolicyError(Self.failed, 500) { try Self.act(.activate, on: "a", fixture) }
    }

    @Test("the expiry is rounded up, and one that has passed is refused")
    func expiries() throws {
        let fixture = try Self.fixture()
        let now: Int64 = 1_700_000_000_000
        let rows: [(Int64, String?)] = [
            (now, "2023-11-14T23:00:00Z"), (now + 2_800_000, "2023-11-14T23:00:00Z"),
            (now + 2_800_001, "2023-11-15T00:00:00Z"), (now - 60_000, "2023-11-14T23:00:00Z"), (now - 3_600_000, nil),
        ]
        for (expiry, expected) in rows {
            let activate = {
                try Self.act(.activate, on: "a", fixture, expiry: Timestamp(milliseconds: expiry))
            }
            guard let expected else {
                expectPolicyError("policies:subjectexpiry.invalid", 400) { try activate() }
                continue
            }
            _ = try activate()
            let subject = try Self.subjects("a", fixture)["integration:a:app"]
            #expect(subject?.object?["expiry"] == .string(expected), "\(expiry)")
        }
    }

    @Test("an announcement is checked and kept")
    func announcements() throws {
        let fixture = try Self.fixture()
        try Self.act(.activate, on: "a", fixture, announcement: #"{"beforeExpiry":"5m"}"#)
        let subject = try #require(try Self.subjects("a", fixture)["integration:a:app"]?.object)
        #expect(subject["announcement"] == (try json(#"{"beforeExpiry":"5m","whenDeleted":false}"#)))
        let wrong = [
            (#"{"beforeExpiry":"5d"}"#, "policies:subjectannouncement.invalid"), ("1", "json.invalid"),
            (#"{"whenDeleted":1}"#, "json.invalid"),
        ]
        for (announcement, code) in wrong {
            expectPolicyError(code, 400) { try Self.act(.activate, on: "a", fixture, announcement: announcement) }
        }
        // Deactivations have none; one that is given has no effect.
        #expect(try Self.act(.deactivate, on: "a", fixture, announcement: "1").status == 204)
        let body = { (text: String) throws in
            try TokenIntegration.announcement(inBody: JSONText(try json(text)))
        }
        #expect(try body(#"{"announcement":{"whenDeleted":true}}"#) == (try json(#"{"whenDeleted":true}"#)))
        #expect(try body("{}") == nil && body(#"{"announcement":null}"#) == nil)
        #expect(try TokenIntegration.announcement(inBody: nil) == nil)
        #expect(throws: TwinspanError.self) { try body("[]") }
    }

    // MARK: What must stay true

    @Test("the last permanent owner cannot become one that expires (A.9.3)")
    func ownership() throws {
        let sole = """
            {"entries":{"e":{"subjects":{"test:x":{"type":"t"}},"resources":{\
            "policy:/":{"grant":["READ","WRITE","EXECUTE"],"revoke":[]},"thing:/":{"grant":["READ"],"revoke":[]}}}}}
            """
        for isPrevented in [true, false] {
            var settings = EngineRig.settings()
            settings.access.tokenSubject = "test:{{ jwt:sub }}"
            settings.access.preventsLockout = isPrevented
            let fixture = try EngineFixture(settings: settings)
            try fixture.rig.policy(.create, "n:p", sole, as: Self.caller)
            let act = { (label: String?) in
                try Self.act(.activate, on: label, fixture, claims: #"{"sub":"x"}"#)
            }
            guard isPrevented else {
                #expect(try act("e").status == 204)
                continue
            }
            expectPolicyError("policies:entry.modificationinvalid", 403) { try act("e") }
            expectPolicyError("policies:policy.modificationinvalid", 403) { try act(nil) }
            expectPolicyError("policies:entry.modificationinvalid", 403) {
                try Self.act(.deactivate, on: "e", fixture, claims: #"{"sub":"x"}"#)
            }
        }
    }

    @Test("a policy does not grow beyond its limit, but may shrink")
    func size() throws {
        let fixture = try Self.fixture(Self.sample) { $0.limits.policyBytes = Self.sample.utf8.count + 200 }
        let many = #"{"aud":[\#((0..<50).map { "\"app\($0)\"" }.joined(separator: ","))]}"#
        let before = try fixture.policy()
        expectPolicyError("policies:policy.toolarge", 413) { try Self.act(.activate, fixture, claims: many) }
        #expect(try fixture.policy() == before)
        #expect(try Self.act(.deactivate, fixture, claims: many).status == 204)
    }
}
