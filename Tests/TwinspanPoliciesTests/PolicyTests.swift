// The policy as a value: what is written back, the generated policy, ownership.
import Testing
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

struct OwnershipRow: Sendable, CustomTestStringConvertible {
    let what: String
    let document: String
    let isOwned: Bool

    init(_ what: String, _ entries: String, _ isOwned: Bool, imports: String? = nil) {
        self.what = what
        self.isOwned = isOwned
        document = #"{"policyId":"acme:p",\#(imports.map { "\"imports\":\($0)," } ?? "")"entries":{\#(entries)}}"#
    }

    var testDescription: String { what }
}

@Suite("Policy")
struct PolicyTests {
    @Test("a policy with every field is written back as it was")
    func roundTrip() throws {
        let text = """
            {"policyId":"acme:p",\
            "imports":{"a:base":{},"a:more":{"entries":["x"],"transitiveImports":["a:base"]},"a:none":{"entries":[]}},\
            "entries":{"ADMIN":{"subjects":{"nginx:ditto":{"type":"basic"},\
            "jwt:tmp":{"type":"","expiry":"2031-02-28T10:00:00.5Z",\
            "announcement":{"beforeExpiry":"5m","whenDeleted":true,\
            "requestedAcks":{"labels":["my:ack"],"timeout":"30s"},"randomizationInterval":"10ms"}}},\
            "resources":{"policy:/":{"grant":["WRITE","READ"],"revoke":[]},\
            "thing:/a~0b":{"grant":[],"revoke":["EXECUTE"]},\
            "other:/x":{"grant":["READ"],"revoke":[]}},"namespaces":["acme","acme.*"],"importable":"explicit",\
            "allowedAdditions":["subjects","namespaces"],\
            "references":[{"import":"a:base","entry":"L"},{"entry":"crew"}]},\
            "crew":{"subjects":{},"resources":{},"namespaces":[],"importable":"implicit","allowedAdditions":[]}}}
            """
        let policy = try Policy.parse(try JSONValue.parse(text), id: nil)
        #expect(policy.json.text == text)
        #expect(try Policy.parse(policy.json, id: nil) == policy)
    }

    static let completed: [(String, String)] = [
        (#"{"entries":{}}"#, #"{"policyId":"acme:p","entries":{}}"#),
        (#"{"imports":{}}"#, #"{"policyId":"acme:p","imports":{},"entries":{}}"#),
        (
            #"{"entries":{"L":{"other":1}},"_revision":3}"#,
            #"{"policyId":"acme:p","entries":{"L":{"subjects":{},"resources":{},"importable":"implicit"}}}"#
        ),
        (
            #"{"entries":{"L":{"namespaces":["a","b","a"],"resources":{"thing:/":{"grant":["READ","READ"]}}}}}"#,
            #"{"policyId":"acme:p","entries":{"L":{"subjects":{},"#
                + #""resources":{"thing:/":{"grant":["READ"],"revoke":[]}},"#
                + #""namespaces":["a","b"],"importable":"implicit"}}}"#
        ),
        (
            #"{"entries":{"L":{"subjects":{"a:b":{"type":"t","announcement":{}}},"references":[]}}}"#,
            #"{"policyId":"acme:p","entries":{"L":{"#
                + #""subjects":{"a:b":{"type":"t","announcement":{"whenDeleted":false}}},"#
                + #""resources":{},"importable":"implicit"}}}"#
        ),
        (
            #"{"imports":{"a:b":{"transitiveImports":["c:d"]},"e:f":{"transitiveImports":[]}}}"#,
            #"{"policyId":"acme:p","imports":{"a:b":{"entries":[],"transitiveImports":["c:d"]},"e:f":{"entries":[]}},"#
                + #""entries":{}}"#
        ),
    ]

    @Test("what was left out is written in Ditto's default form", arguments: completed)
    func defaults(_ given: String, _ written: String) throws {
        let policy = try Policy.parse(try JSONValue.parse(given), id: try PolicyID("acme:p"))
        #expect(policy.json.text == written)
        #expect(try Policy.parse(policy.json, id: nil) == policy)
    }

    @Test("the generated policy gives its owner everything")
    func generated() throws {
        let policy = Policy.generated(id: try PolicyID("acme:p"), owner: "nginx:ditto")
        let all = #"{"grant":["READ","WRITE"],"revoke":[]}"#
        #expect(
            policy.json.text == #"{"policyId":"acme:p","entries":{"DEFAULT":{"#
                + #""subjects":{"nginx:ditto":{"type":"generated"}},"#
                + #""resources":{"thing:/":\#(all),"policy:/":\#(all),"message:/":\#(all)},"importable":"implicit"}}}"#)
        #expect(try Policy.parse(policy.json, id: nil) == policy)
        try policy.validateOwnership()
        let enforcer = PolicyEnforcer(policy, revision: 1)
        let owner = AuthorizationContext(["nginx:ditto"])
        for type in PolicyResourceType.allCases {
            #expect(enforcer.isUnrestricted(.read, type, .root, subjects: owner, namespace: "x"))
            #expect(enforcer.isUnrestricted(.write, type, .root, subjects: owner, namespace: "x"))
            #expect(!enforcer.isPartial(.execute, type, .root, subjects: owner, namespace: "x"))
        }
    }

    static let write = #""resources":{"policy:/":{"grant":["WRITE"]}}"#
    static let noWrite = #""resources":{"policy:/":{"revoke":["WRITE"]}}"#
    static let writeAndNoWrite = #""resources":{"policy:/":{"grant":["WRITE"],"revoke":["WRITE"]}}"#
    static let writeThings = #""resources":{"thing:/":{"grant":["WRITE"]}}"#
    static let writeBelow = #""resources":{"policy:/entries":{"grant":["WRITE"]}}"#
    static let noWriteBelow =
        #""resources":{"policy:/":{"grant":["WRITE"]},"policy:/entries":{"revoke":["WRITE"]}}"#
    static let ann = #""subjects":{"u:ann":{"type":"t"}}"#
    static let annAndBob = #""subjects":{"u:ann":{"type":"t"},"u:bob":{"type":"t"}}"#
    static let expiring = #""subjects":{"u:ann":{"type":"t","expiry":"2099-01-01T00:00:00Z"}}"#

    static let ownershipRows: [OwnershipRow] = [
        OwnershipRow("a permanent owner", "\"L\":{\(ann),\(write)}", true),
        OwnershipRow("nobody", "", false),
        OwnershipRow("no subject", "\"L\":{\(write)}", false),
        OwnershipRow("no resource", "\"L\":{\(ann)}", false),
        OwnershipRow("A.13.16: only an expiring owner", "\"L\":{\(expiring),\(write)}", false),
        OwnershipRow("expiring here, permanent there", "\"L\":{\(expiring),\(write)},\"M\":{\(ann),\(write)}", true),
        OwnershipRow("READ is not enough", "\"L\":{\(ann),\"resources\":{\"policy:/\":{\"grant\":[\"READ\"]}}}", false),
        OwnershipRow("WRITE on things is not enough", "\"L\":{\(ann),\(writeThings)}", false),
        OwnershipRow("WRITE below the root is not enough", "\"L\":{\(ann),\(writeBelow)}", false),
        OwnershipRow("revoked elsewhere", "\"L\":{\(ann),\(write)},\"M\":{\(ann),\(noWrite)}", false),
        OwnershipRow("revoked for one of two", "\"L\":{\(annAndBob),\(write)},\"M\":{\(ann),\(noWrite)}", true),
        OwnershipRow("revoked in the same place", "\"L\":{\(ann),\(writeAndNoWrite)}", false),
        OwnershipRow("revoked below the root only", "\"L\":{\(ann),\(noWriteBelow)}", true),
        OwnershipRow("A.13.16: imports exempt", "", true, imports: #"{"acme:base":{}}"#),
        OwnershipRow("empty imports do not exempt", "", false, imports: "{}"),
    ]

    @Test("a policy needs a permanent owner", arguments: ownershipRows)
    func ownership(_ row: OwnershipRow) throws {
        let policy = try Policy.parse(try JSONValue.parse(row.document), id: nil)
        if row.isOwned {
            try policy.validateOwnership()
            try policy.validateOwnership(changedEntry: "L")
            return
        }
        let whole = #expect(throws: TwinspanError.self) { try policy.validateOwnership() }
        #expect(whole?.code == "policies:policy.modificationinvalid")
        #expect(whole?.status == 403)
        let entry = #expect(throws: TwinspanError.self) { try policy.validateOwnership(changedEntry: "L") }
        #expect(entry?.code == "policies:entry.modificationinvalid")
        #expect(entry?.status == 403)
    }
}
