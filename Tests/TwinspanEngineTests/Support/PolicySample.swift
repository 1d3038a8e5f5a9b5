import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

/// Policies of the tables.
enum PolicySample {
    /// Every kind of resource. Entry `e` refers to the local `t` and to the import `n:base`, `plain` has nothing set.
    static let rich = """
        {"imports":{"n:base":{"entries":["L"]},"n:free":{}},"entries":{\
        "owner":{"subjects":{"test:owner":{"type":"t"}},"resources":{"policy:/":{"grant":["READ","WRITE"],"revoke":[]},\
        "thing:/":{"grant":["READ","WRITE"],"revoke":[]}}},\
        "e":{"subjects":{"test:b":{"type":"t"},"https://iss.org/x:s/1":{"type":"t"}},\
        "resources":{"thing:/attributes/a":{"grant":["READ"],"revoke":["WRITE"]}},"namespaces":["a.b"],\
        "importable":"explicit","allowedAdditions":["subjects"],\
        "references":[{"import":"n:base","entry":"L"},{"entry":"t"}]},\
        "t":{"subjects":{},"resources":{}},"plain":{"subjects":{},"resources":{}}}}
        """

    /// What `rich` imports, and what tests add to its imports.
    static let imported = ["n:base", "n:free", "n:new", "n:x", "n:i", "n:last"]

    /// An imported policy, which the owner and `test:x` may read.
    static let template = """
        {"entries":{"owner":{"subjects":{"test:owner":{"type":"t"}},"resources":{\
        "policy:/":{"grant":["READ","WRITE"],"revoke":[]}},"importable":"never"},\
        "reader":{"subjects":{"test:x":{"type":"t"}},"resources":{\
        "policy:/":{"grant":["READ"],"revoke":[]}},"importable":"never"},\
        "L":{"importable":"explicit"},"M":{}}}
        """

    /// Without imports, so that somebody must stay the owner; `second` is one who is going to leave.
    static let owned = """
        {"entries":{"owner":{"subjects":{"test:owner":{"type":"t"}},"resources":{\
        "policy:/":{"grant":["READ","WRITE"],"revoke":[]}}},\
        "second":{"subjects":{"test:b":{"type":"t","expiry":"2099-01-01T00:00:00Z"}},"resources":{\
        "policy:/":{"grant":["READ","WRITE"],"revoke":[]}}}}}
        """
}

extension EngineFixture {
    /// The newest event of a policy, as the journal has it: subscribers never get any.
    func newestPolicyEvent() throws -> PolicyEvent? {
        for record in try rig.store.inner.journal(after: 0, limit: .max).reversed() {
            if case .policy(let event) = record.content { return event }
        }
        return nil
    }

    /// Makes the policy `n:p`, and before it those it imports.
    func makePolicy(_ value: String = PolicySample.rich) throws {
        if value.contains("imports") { try rig.makeImported() }
        try rig.policy(.create, "n:p", value)
    }

    /// The whole policy `n:p` as its owner sees it.
    func policy() throws -> JSONValue? { try rig.policy(.retrieve, "n:p").value?.value }
}

extension EngineRig {
    /// Makes the policies that those of the tables import.
    func makeImported(_ ids: [String] = PolicySample.imported) throws {
        for id in ids { try policy(.create, id, PolicySample.template) }
    }
}

/// Expects the body to throw the error of a code and status.
func expectPolicyError(
    _ code: String, _ status: Int, _ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws -> PolicyResponse
) {
    expectError(code, status, comment, sourceLocation: sourceLocation) {
        let response = try body()
        return ThingResponse(status: response.status, revision: response.revision, etag: nil, action: .create)
    }
}
