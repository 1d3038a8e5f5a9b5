// Explanations over HTTP: who may ask, what is answered, and what is said to a question that is none.
import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

@testable import TwinspanHTTP

@Suite("Explanations over HTTP")
struct ExplanationRequestsTests {
    private static let path = "/devops/policies/explain"
    private static let read = "resource=thing%3A%2Fattributes&permission=READ"

    /// Twins may be made by `nginx:ditto`, and `u:ann` may read the attributes of those in `acme.*`.
    private static let policy = #"""
        {"entries":{"owner":{"subjects":{"nginx:ditto":{"type":"t"}},"resources":{\#
        "thing:/":{"grant":["READ","WRITE"]},"policy:/":{"grant":["READ","WRITE"]}}},\#
        "eu":{"subjects":{"u:ann":{"type":"t"}},"namespaces":["acme.*"],\#
        "resources":{"thing:/attributes":{"grant":["READ"]}}}}}
        """#

    private func prepare(_ door: Door) async throws {
        #expect(try await door(Ask("PUT", "/api/2/policies/acme:p", body: Self.policy)).status == 201)
        for thing in ["acme:pump", "acme.eu:pump"] {
            let made = try await door(Ask("PUT", "/api/2/things/\(thing)", body: #"{"policyId":"acme:p"}"#))
            #expect(made.status == 201, "\(made.text)")
        }
    }

    private func explain(_ door: Door, _ query: String) async throws -> Answer {
        try await door(ops("GET", "\(Self.path)?\(query)"))
    }

    @Test("the explanation of a thing rests on its policy and its namespace", arguments: Way.allCases)
    func thing(_ way: Way) async throws {
        try await withDoor(way) { door in
            try await prepare(door)
            let denied = try await explain(door, "thing=acme:pump&subject=u:ann&\(Self.read)")
            #expect(denied.status == 200)
            let json = try #require(denied.json?.object)
            #expect(json["verdict"]?.string == "denied" && json["allowed"] == false)
            #expect(
                json["question"] == [
                    "policy": "acme:p", "thing": "acme:pump", "namespace": "acme", "subjects": ["u:ann"],
                    "resource": "thing:/attributes", "permission": "READ",
                ])
            #expect(json["leftOut"]?.array?.first?.object?["reason"]?.string == "otherNamespace")
            let allowed = try await explain(door, "thing=acme.eu:pump&subject=u:ann&\(Self.read)")
            let decisive = try #require(allowed.json?.object?["decidedBy"]?.object)
            #expect(allowed.json?.object?["verdict"]?.string == "unrestricted")
            #expect(decisive["entry"]?.string == "eu" && decisive["depth"]?.int64 == 2)
            #expect(PolicyExplanation(json: try #require(allowed.json?.object))?.isAllowed == true)
        }
    }

    @Test("a policy is asked for its own resources, and for the things of a namespace")
    func policy() async throws {
        try await withDoor(.memory) { door in
            try await prepare(door)
            func verdict(_ query: String) async throws -> String? {
                try await explain(door, "policy=acme:p&\(query)").json?.object?["verdict"]?.string
            }
            #expect(
                try await verdict("subject=nginx:ditto&resource=policy:/entries&permission=write") == "unrestricted")
            #expect(try await verdict("subject=u:ann&resource=policy:/&permission=READ") == "denied")
            #expect(try await verdict("subject=u:ann&\(Self.read)") == "denied")
            #expect(try await verdict("subject=u:ann&\(Self.read)&namespace=acme.eu") == "unrestricted")
            let both = "subject=u:ann&subject=nginx:ditto&resource=thing:/&permission=READ"
            #expect(try await verdict(both) == "unrestricted")
            let typo = try await explain(door, "policy=acme:p&subject=nginx:dito&\(Self.read)")
            let unknown = typo.json?.object?["unknownSubjects"]?.array?.first
            #expect(unknown == ["subject": "nginx:dito", "nearest": "nginx:ditto"])
        }
    }

    @Test("imports count, and one that does not exist is told")
    func imports() async throws {
        try await withDoor(.memory) { door in
            try await prepare(door)
            let importer = #"""
                {"imports":{"acme:base":{}},"entries":{"own":{"subjects":{"nginx:ditto":{"type":"t"}},\#
                "resources":{"policy:/":{"grant":["READ","WRITE"]}}}}}
                """#
            let base = #"""
                {"entries":{"owner":{"subjects":{"nginx:ditto":{"type":"t"}},\#
                "resources":{"policy:/":{"grant":["READ","WRITE"]}}},\#
                "viewer":{"subjects":{"u:bob":{"type":"t"}},"resources":{"thing:/":{"grant":["READ"]}}}}}
                """#
            #expect(try await door(Ask("PUT", "/api/2/policies/acme:base", body: base)).status == 201)
            #expect(try await door(Ask("PUT", "/api/2/policies/acme:i", body: importer)).status == 201)
            let query = "policy=acme:i&subject=u:bob&\(Self.read)"
            let with = try #require(try await explain(door, query).json?.object)
            #expect(with["decidedBy"]?.object?["entry"]?.string == "imported-acme:base-viewer")
            #expect(with["decidedBy"]?.object?["via"] == ["acme:base"])
            #expect(try await door(Ask("DELETE", "/api/2/policies/acme:base")).status == 204)
            let without = try #require(try await explain(door, query).json?.object)
            #expect(without["verdict"]?.string == "denied" && without["missingPolicies"] == ["acme:base"])
        }
    }

    @Test(
        "a question that is none is refused with what would be right",
        arguments: [
            ("thing=acme:pump&subject=u:ann&resource=thing:/", "permission is missing"),
            ("thing=acme:pump&subject=u:ann&resource=thing:/&permission=REED", "Did you mean READ?"),
            ("thing=acme:pump&subject=u:ann&permission=READ", "resource is missing"),
            ("thing=acme:pump&subject=u:ann&resource=/features&permission=READ", "Did you mean thing:/features?"),
            ("thing=acme:pump&subject=u:ann&resource=thing://a&permission=READ", "Consecutive slashes"),
            ("thing=acme:pump&\(read)", "not said who is meant"),
            ("subject=u:ann&\(read)", "'thing' or a policy with 'policy'"),
            ("thing=a:b&policy=a:b&subject=u:ann&\(read)", "'thing' or a policy with 'policy'"),
            ("thing=a:b&namespace=a&subject=u:ann&\(read)", "A thing has its own"),
            ("thing=a:b&thing=a:c&subject=u:ann&\(read)", "only 'subject' may be repeated"),
            ("thing=a:b&subjects=u:ann&\(read)", "Did you mean 'subject'?"),
            ("thing=nonsense&subject=u:ann&\(read)", "thing id 'nonsense' is not valid"),
            ("policy=nonsense&subject=u:ann&\(read)", "policy id 'nonsense' is not valid"),
        ])
    func faults(_ query: String, _ expected: String) async throws {
        try await withDoor(.memory) { door in
            let answer = try await explain(door, query)
            let error = answer.json?.object
            let text = "\(error?["message"]?.string ?? "") \(error?["description"]?.string ?? "")"
            #expect(answer.status == 400 && text.contains(expected), "\(answer.text)")
        }
    }

    @Test("a thing, a policy, and the policy of a thing that are not there are told apart")
    func notThere() async throws {
        try await withDoor(.memory) { door in
            try await prepare(door)
            let thing = try await explain(door, "thing=acme:none&subject=u:ann&\(Self.read)")
            #expect(thing.status == 404 && thing.code == "things:thing.notfound")
            let policy = try await explain(door, "policy=acme:none&subject=u:ann&\(Self.read)")
            #expect(policy.status == 404 && policy.code == "policies:policy.notfound")
            #expect(try await door(Ask("DELETE", "/api/2/policies/acme:p")).status == 204)
            let lost = try await explain(door, "thing=acme:pump&subject=u:ann&\(Self.read)")
            #expect(lost.status == 404 && lost.code == "policies:policy.notfound")
            #expect(lost.json?.object?["description"]?.string?.contains("The thing names it") == true)
        }
    }

    @Test("it is for the devops user, and for reading")
    func access() async throws {
        try await withDoor(.memory) { door in
            let query = "\(Self.path)?thing=a:b&subject=u:ann&\(Self.read)"
            let asks = [
                (Ask("GET", query), 401), (Ask("GET", query, user: nil), 401), (ops("POST", query), 405),
                (ops("GET", "/devops/policies"), 404), (ops("GET", "\(Self.path)/more"), 404),
            ]
            for (ask, status) in asks {
                let answer = try await door(ask)
                #expect(answer.status == status, "\(ask.method) \(ask.path)")
            }
        }
    }
}
