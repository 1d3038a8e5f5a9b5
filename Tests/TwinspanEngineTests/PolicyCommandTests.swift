import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

/// Commands on whole policies (spec/protocol.md §6.3).
@Suite("Policy commands")
struct PolicyCommandTests {
    private static func expect(
        _ code: String, _ status: Int, sourceLocation: SourceLocation = #_sourceLocation,
        _ body: () throws -> PolicyResponse
    ) {
        expectError(code, status, sourceLocation: sourceLocation) {
            let response = try body()
            return ThingResponse(status: response.status, revision: response.revision, etag: nil, action: .create)
        }
    }

    @Test("a policy is made, changed, read and removed; its revision goes on")
    func life() throws {
        let fixture = try EngineFixture()
        let rig = fixture.rig
        let created = try rig.policy(.create, "n:p", Sample.policy())
        #expect((created.status, created.revision, created.etag) == (201, 1, "\"rev:1\""))
        #expect(created.value?.value.object?["policyId"]?.string == "n:p")
        Self.expect("policies:policy.conflict", 409) { try rig.policy(.create, "n:p", Sample.policy()) }
        let modified = try rig.policy(.modify, "n:p", Sample.policy([("test:b", ["policy:/": "R"])]))
        #expect((modified.status, modified.revision, modified.etag) == (204, 2, "\"rev:2\""))
        #expect(modified.value == nil)
        let read = try rig.policy(.retrieve, "n:p", as: AuthorizationContext(["test:b"]))
        #expect((read.status, read.revision) == (200, 2))
        let deleted = try rig.policy(.delete, "n:p")
        #expect((deleted.status, deleted.revision, deleted.etag) == (204, 3, nil))
        Self.expect("policies:policy.notfound", 404) { try rig.policy(.retrieve, "n:p") }
        Self.expect("policies:policy.notfound", 404) { try rig.policy(.delete, "n:p") }
        #expect(try rig.policy(.modify, "n:p", Sample.policy()).revision == 4)
    }

    @Test("who may not read does not find it, who may not write may not change it")
    func access() throws {
        let fixture = try EngineFixture()
        let rig = fixture.rig
        try rig.policy(
            .create, "n:p",
            Sample.policy([
                ("test:b", ["policy:/": "R", "thing:/": "RW"]),
                ("test:c", ["policy:/": "W", "policy:/entries/E0": "-W"]),
            ]))
        for subject in ["test:b", "test:c", "test:stranger"] {
            let context = AuthorizationContext([subject])
            Self.expect("policies:policy.notmodifiable", 403) {
                try rig.policy(.modify, "n:p", Sample.policy(), as: context)
            }
            Self.expect("policies:policy.notmodifiable", 403) { try rig.policy(.delete, "n:p", as: context) }
            guard subject != "test:b" else { continue }
            Self.expect("policies:policy.notfound", 404) { try rig.policy(.retrieve, "n:p", as: context) }
        }
    }

    static let refused: [(String?, String, Int)] = [
        (nil, "json.invalid", 400), ("[]", "json.invalid", 400),
        (#"{"policyId":"n:other","entries":{}}"#, "policies:id.notsettable", 400),
        (#"{"policyId":7,"entries":{}}"#, "policies:id.notsettable", 400),
        (#"{"entries":{}}"#, "policies:policy.modificationinvalid", 403),
    ]

    @Test("what is not a policy is refused", arguments: refused)
    func illegal(value: String?, code: String, status: Int) throws {
        let fixture = try EngineFixture()
        try fixture.rig.policy(.create, "n:p", Sample.policy())
        for action in [PolicyCommand.Action.modify] {
            Self.expect(code, status) { try fixture.rig.policy(action, "n:p", value) }
        }
        #expect(try fixture.rig.policy(.retrieve, "n:p").revision == 1)
    }

    @Test("the creator keeps WRITE unless he says otherwise")
    func lockout() throws {
        let fixture = try EngineFixture()
        let foreign = Sample.policy().replacing("test:owner", with: "test:x")
        Self.expect("policies:policy.notcreatable", 403) { try fixture.rig.policy(.create, "n:p", foreign) }
        let headers = ["allow-policy-lockout": "true"]
        #expect(try fixture.rig.policy(.create, "n:p", foreign, headers: headers).status == 201)
        try fixture.rig.policy(.create, "n:q", Sample.policy())
        Self.expect("policies:policy.modificationinvalid", 403) { try fixture.rig.policy(.modify, "n:q", foreign) }
        #expect(try fixture.rig.policy(.modify, "n:q", foreign, headers: headers).status == 204)
    }

    @Test("tags guard policies too")
    func tags() throws {
        let fixture = try EngineFixture()
        let rig = fixture.rig
        try rig.policy(.create, "n:p", Sample.policy())
        Self.expect("policies:precondition.failed", 412) {
            try rig.policy(.modify, "n:p", Sample.policy(), headers: ["if-match": "\"rev:2\""])
        }
        Self.expect("policies:precondition.failed", 412) {
            try rig.policy(.delete, "n:p", headers: ["if-none-match": "*"])
        }
        Self.expect("policies:precondition.notmodified", 304) {
            try rig.policy(.retrieve, "n:p", headers: ["if-none-match": "\"rev:1\""])
        }
        #expect(try rig.policy(.modify, "n:p", Sample.policy(), headers: ["if-match": "\"rev:1\""]).revision == 2)
    }

    @Test("a policy over the size limit is refused")
    func size() throws {
        let fixture = try EngineFixture(settings: EngineRig.settings(limits: TwinLimits(policyBytes: 300)))
        Self.expect("policies:policy.toolarge", 413) {
            try fixture.rig.policy(
                .create, "n:p", Sample.policy([("test:b", ["thing:/": "R"]), ("test:c", ["thing:/": "R"])]))
        }
    }

    @Test("a changed policy decides over the very next command, committed or not")
    func readYourWrites() throws {
        let fixture = try EngineFixture()
        let rig = fixture.rig
        try rig.policy(.create, "n:policy", Sample.policy())
        try fixture.make("n:t", Sample.guarded)
        let reader = AuthorizationContext(["test:b"])
        for round in 0..<50 {
            let rules: [(subject: String, resources: [String: String])] =
                round % 2 == 0 ? [("test:b", ["thing:/": "R"])] : []
            let command = PolicyCommand(
                policyID: try PolicyID("n:policy"), action: .modify, value: JSONText(try json(Sample.policy(rules))))
            let changed = rig.engine.execute(command, as: EngineRig.owner)
            _ = try changed.result.get()
            let read = try rig.send(.retrieve, "n:t", "/attributes/a", as: reader)
            #expect(((try? read.result.get()) != nil) == (round % 2 == 0))
            // The answer depends on the policy's change.
            #expect(read.ticket.sequence >= changed.ticket.sequence)
        }
    }
}
