// Explanations of the worked examples of spec/policies-search.md A.13, word by word, and against the enforcer.
import Glibc
import Testing
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

@Suite("PolicyExplanation")
struct PolicyExplanationTests {
    private static func ask(
        _ subjects: [String], _ resource: String, _ permission: Permission = .read, thing: String? = "acme:pump-7",
        namespace: String? = nil
    ) throws -> AccessQuestion {
        try AccessQuestion.parse(
            subjects: subjects, resource: resource, permission: permission.name,
            thing: try thing.map { try ThingID($0) },
            namespace: namespace, nearest: { _, _ in nil })
    }

    private static func explain(
        _ entries: String, _ subjects: [String], _ resource: String, _ permission: Permission = .read,
        thing: String = "acme:pump-7"
    ) throws -> PolicyExplanation {
        let policy = try Sample.policy(entries)
        let question = try ask(subjects, resource, permission, thing: thing)
        return PolicyExplanation(question, under: try resolved(policy), nearest: nearest)
    }

    private static func resolved(
        _ policy: Policy, roots: [PolicyID] = [], _ others: [Policy] = []
    ) throws -> ResolvedPolicy {
        let resolution = policy.resolved(roots: roots) { id in
            others.first { $0.id == id }.map { .found($0) } ?? .absent
        }
        guard case .resolved(let resolved) = resolution else { throw Unresolved() }
        return resolved
    }

    private struct Unresolved: Error {}

    /// Stands in for the search that the callers have.
    private static func nearest(_ name: String, _ candidates: [String]) -> String? {
        candidates.first { $0.count == name.count && zip($0, name).count(where: { $0 != $1 }) == 1 }
    }

    // MARK: Pages

    struct Case: CustomTestStringConvertible, Sendable {
        let number: String
        let entries: String
        let subjects: [String]
        let resource: String
        var permission = Permission.read
        var thing = "acme:pump-7"
        let page: String
        var testDescription: String { "A.13 case \(number)" }
    }

    static let cases: [Case] = [
        Case(
            number: "3: sub path only", entries: #"[{"s":["u:ann"],"g":{"thing:/features/motor/properties/rpm":"R"}}]"#,
            subjects: ["u:ann"], resource: "thing:/",
            page: """
                u:ann may not READ thing:/ of acme:pump-7 itself, but parts below it.
                Requests and events show the parts that may be read.

                decided by   no entry grants or revokes READ to the subject at this path or above it

                below the resource
                  depth 5  grant   thing:/features/motor/properties/rpm  'E0'

                """),
        Case(
            number: "4: revoke below grant",
            entries: #"[{"s":["u:ann"],"g":{"thing:/":"RW"},"r":{"thing:/features/motor/properties/cfg":"R"}}]"#,
            subjects: ["u:ann"], resource: "thing:/features/motor/properties/cfg/max",
            page: """
                u:ann may not READ thing:/features/motor/properties/cfg/max of acme:pump-7: it is revoked.
                Requests for it get 404, as if it were not there.

                decided by   entry 'E0' revokes READ on thing:/features/motor/properties/cfg for u:ann; no statement
                             that says otherwise is as deep, and the deepest wins

                at the resource and above it
                  depth 5  revoke  thing:/features/motor/properties/cfg  'E0'
                  depth 1  grant   thing:/                               'E0'

                """),
        Case(
            number: "4: the other permission",
            entries: #"[{"s":["u:ann"],"g":{"thing:/":"RW"},"r":{"thing:/features/motor/properties/cfg":"R"}}]"#,
            subjects: ["u:ann"], resource: "thing:/features/motor", permission: .write,
            page: """
                u:ann may WRITE thing:/features/motor of acme:pump-7, and everything below it.

                decided by   entry 'E0' grants WRITE on thing:/ to u:ann; no other statement reaches the resource

                """),
        Case(
            number: "6: re-grant deeper",
            entries: #"""
                [{"s":["u:ann"],"g":{"thing:/":"R","thing:/features/valve":"R"},"r":{"thing:/features":"R"}}]
                """#,
            subjects: ["u:ann"], resource: "thing:/features",
            page: """
                u:ann may not READ thing:/features of acme:pump-7 itself, but parts below it.
                Requests and events show the parts that may be read.

                decided by   entry 'E0' revokes READ on thing:/features for u:ann; no statement that says otherwise
                             is as deep, and the deepest wins

                at the resource and above it
                  depth 2  revoke  thing:/features        'E0'
                  depth 1  grant   thing:/                'E0'

                below the resource
                  depth 3  grant   thing:/features/valve  'E0'

                """),
        Case(
            number: "7: tie on equal path",
            entries: #"[{"s":["u:ann"],"g":{"thing:/attributes":"R"}},{"s":["u:ann"],"r":{"thing:/attributes":"R"}}]"#,
            subjects: ["u:ann"], resource: "thing:/attributes",
            page: """
                u:ann may not READ thing:/attributes of acme:pump-7: it is revoked.
                Requests for it get 404, as if it were not there.

                decided by   entry 'E1' revokes READ on thing:/attributes for u:ann; a grant is as deep, and on
                             equal depth the revoke wins

                at the resource and above it
                  depth 2  revoke  thing:/attributes  'E1'
                  depth 2  grant   thing:/attributes  'E0'

                """),
        Case(
            number: "8: pooled subjects",
            entries: #"""
                [{"s":["g:staff"],"g":{"thing:/":"R"}},{"s":["u:ann"],"r":{"thing:/attributes":"R"}},\#
                {"s":["g:staff"],"g":{"thing:/attributes/site":"R"}}]
                """#,
            subjects: ["u:ann", "g:staff"], resource: "thing:/attributes/site",
            page: """
                u:ann, g:staff may READ thing:/attributes/site of acme:pump-7, and everything below it.

                decided by   entry 'E2' grants READ on thing:/attributes/site to g:staff; no statement that says
                             otherwise is as deep, and the deepest wins

                at the resource and above it
                  depth 3  grant   thing:/attributes/site  'E2', for g:staff
                  depth 2  revoke  thing:/attributes       'E1', for u:ann
                  depth 1  grant   thing:/                 'E0', for g:staff

                """),
        Case(
            number: "13: another namespace",
            entries: #"[{"s":["u:bob"],"n":["acme.*"],"g":{"thing:/":"R"}}]"#, subjects: ["u:bob"],
            resource: "thing:/attributes",
            page: """
                u:bob may not READ thing:/attributes of acme:pump-7: nothing grants it.
                Requests for it get 404, as if it were not there.

                decided by   no entry grants or revokes READ to the subject at this path or above it

                does not count
                  entry 'E0': it counts in acme.* only, not in acme

                """),
        Case(
            number: "13: its namespace", entries: #"[{"s":["u:bob"],"n":["acme.*"],"g":{"thing:/":"R"}}]"#,
            subjects: ["u:bob"], resource: "thing:/", thing: "acme.eu:x",
            page: """
                u:bob may READ thing:/ of acme.eu:x, and everything below it.

                decided by   entry 'E0' grants READ on thing:/ to u:bob; no other statement reaches the resource

                """),
        Case(
            number: "5: a mistyped subject and entries that are empty",
            entries: #"[{"s":["nginx:ditto"],"g":{"thing:/":"RW"}},{"s":[],"g":{"thing:/":"R"}},{"s":["u:x"]}]"#,
            subjects: ["nginx:dirto", "ditto"], resource: "thing:/", permission: .write,
            page: """
                nginx:dirto, ditto may not WRITE thing:/ of acme:pump-7: nothing grants it.
                Changes of it are refused with 403.

                decided by   no entry grants or revokes WRITE to the subjects at this path or above it

                does not count
                  subject nginx:dirto: no entry names it; did you mean nginx:ditto?
                  subject ditto: no entry names it; did you mean nginx:ditto?
                  entry 'E1': it has no subjects
                  entry 'E2': it has no resources

                """),
    ]

    @Test("the page says what decides, what restricts and what does not count", arguments: cases)
    func page(_ row: Case) throws {
        let explanation = try Self.explain(row.entries, row.subjects, row.resource, row.permission, thing: row.thing)
        #expect(explanation.text == row.page)
    }

    @Test("a page fits 100 columns and does nothing to a terminal, whatever its words are")
    func width() throws {
        let deep = "thing:/" + (0..<30).map { "level\($0)" }.joined(separator: "/")
        let long = "u:" + String(repeating: "x", count: 200)
        let entries = (0..<40).map { #"{"s":["\#(long)"],"g":{"\#(deep)/\#($0)":"R"},"r":{"thing:/":"W"}}"# }
        let explanation = try Self.explain("[\(entries.joined(separator: ","))]", [long, "u:\u{1B}[31m"], deep)
        #expect(explanation.below.count == 40)
        #expect(explanation.lines.allSatisfy { $0.text.count <= PolicyExplanation.columns }, "\(explanation.text)")
        #expect(!explanation.text.contains("\u{1B}"))
        #expect(explanation.text.contains("… and 20 more"))
    }

    @Test("a policy's own resources are not narrowed by namespaces (A.3 step 1)")
    func policyResources() throws {
        let entries = #"[{"s":["u:bob"],"n":["other"],"g":{"policy:/":"RW"}}]"#
        let explanation = try Self.explain(entries, ["u:bob"], "policy:/entries/x")
        #expect(explanation.verdict == .unrestricted && explanation.omissions.isEmpty)
        #expect(
            explanation.summary == "u:bob may READ policy:/entries/x of the policy acme:p, and everything below it.")
    }

    @Test(
        "what the verdict means for requests is said (A.3.2)",
        arguments: [
            ("thing:/", Permission.write, "A change of the whole is refused with 403"),
            ("message:/", .write, "Sending a message there is refused with 403"),
            ("message:/", .read, "Messages to exactly this path are delivered"),
            ("policy:/", .execute, "Actions on the whole are refused with 403"),
        ])
    func consequence(_ resource: String, _ permission: Permission, _ expected: String) throws {
        let letter = permission.name.prefix(1)
        let entries = #"[{"s":["u:a"],"g":{"\#(resource)":"\#(letter)"},"r":{"\#(resource)x":"\#(letter)"}}]"#
        let explanation = try Self.explain(entries, ["u:a"], resource, permission)
        #expect(explanation.verdict == .restricted)
        #expect(explanation.consequence?.hasPrefix(expected) == true)
    }

    // MARK: Imports, references and roots

    private static func policy(_ json: String) throws -> Policy { try Policy.parse(try JSONValue.parse(json), id: nil) }

    private static let base = #"""
        {"policyId":"acme:base","entries":{\#
        "viewer":{"subjects":{"u:bob":{"type":"t"}},"resources":{"thing:/":{"grant":["READ"]}}},\#
        "writer":{"subjects":{"u:bob":{"type":"t"}},"resources":{"thing:/":{"grant":["WRITE"]}},\#
        "importable":"explicit"},\#
        "hid":{"subjects":{"u:bob":{"type":"t"}},"resources":{"thing:/":{"grant":["EXECUTE"]}},\#
        "importable":"never"}}}
        """#

    @Test("an imported entry is told with its policy (A.13 case 18)")
    func imported() throws {
        let importer = try Self.policy(#"{"policyId":"acme:p","imports":{"acme:base":{}},"entries":{}}"#)
        let resolved = try Self.resolved(importer, [try Self.policy(Self.base)])
        let read = PolicyExplanation(try Self.ask(["u:bob"], "thing:/"), under: resolved)
        #expect(
            read.text == """
                u:bob may READ thing:/ of acme:pump-7, and everything below it.

                decided by   entry 'viewer' of acme:base (imported) grants READ on thing:/ to u:bob; no other
                             statement reaches the resource

                """)
        let write = PolicyExplanation(try Self.ask(["u:bob"], "thing:/", .write), under: resolved)
        #expect(write.verdict == .denied)
        let listing = try Self.policy(
            #"{"policyId":"acme:p","imports":{"acme:base":{"entries":["writer","hid"]}},"entries":{}}"#)
        let listed = try Self.resolved(listing, [try Self.policy(Self.base)])
        for (permission, isAllowed) in [(Permission.write, true), (.execute, false)] {
            let question = try Self.ask(["u:bob"], "thing:/", permission)
            #expect(PolicyExplanation(question, under: listed).isAllowed == isAllowed)
        }
    }

    @Test("a template is told with the reference (A.13 case 19)")
    func reference() throws {
        let template = try Self.policy(
            #"""
            {"policyId":"t:roles","entries":{"op":{"subjects":{},"resources":{\#
            "thing:/features/motor":{"grant":["READ","WRITE"]},\#
            "thing:/features/motor/properties/cfg":{"revoke":["WRITE"]}},"allowedAdditions":["subjects"]}}}
            """#)
        let importer = try Self.policy(
            #"""
            {"policyId":"acme:p","imports":{"t:roles":{}},"entries":{"op":{\#
            "references":[{"import":"t:roles","entry":"op"}],"subjects":{"u:eve":{"type":"t"}},\#
            "resources":{"thing:/attributes":{"grant":["READ"]}}}}}
            """#)
        let resolved = try Self.resolved(importer, [template])
        func explain(_ resource: String, _ permission: Permission) throws -> PolicyExplanation {
            PolicyExplanation(try Self.ask(["u:eve"], resource, permission), under: resolved)
        }
        #expect(
            try explain("thing:/features/motor", .write).text == """
                u:eve may WRITE thing:/features/motor of acme:pump-7, but not everything below it.
                A change of the whole is refused with 403; a merge that touches only allowed parts is not.

                decided by   entry 'op' (by reference to 'op' of t:roles) grants WRITE on thing:/features/motor to
                             u:eve; no other statement reaches the resource

                below the resource
                  depth 5  revoke  thing:/features/motor/properties/cfg  'op' (by reference to 'op' of t:roles)

                does not count
                  entry 'op' of t:roles (imported): it has no subjects

                """)
        #expect(try explain("thing:/features/motor/properties/rpm", .write).verdict == .unrestricted)
        #expect(try explain("thing:/features/motor/properties/cfg", .write).verdict == .denied)
        #expect(try explain("thing:/attributes", .read).verdict == .denied)
    }

    @Test("an entry of a namespace root is told with the root (A.13 case 22)")
    func namespaceRoot() throws {
        let root = try Self.policy(
            #"""
            {"policyId":"acme:root","entries":{"audit":{"subjects":{"u:audit":{"type":"t"}},\#
            "resources":{"thing:/":{"grant":["READ"]}}}}}
            """#)
        let policy = try Self.policy(#"{"policyId":"acme.eu:p","entries":{}}"#)
        let roots = try #require(NamespaceRoots([("acme.*", [root.id])]))
        let other = try PolicyID("acme:p")
        #expect(roots.roots(of: other).isEmpty)
        let resolved = try Self.resolved(policy, roots: roots.roots(of: policy.id), [root])
        let question = try Self.ask(["u:audit"], "thing:/", thing: "acme.eu:x")
        #expect(
            PolicyExplanation(question, under: resolved).text == """
                u:audit may READ thing:/ of acme.eu:x, and everything below it.

                decided by   entry 'audit' of acme:root (namespace root) grants READ on thing:/ to u:audit; no other
                             statement reaches the resource

                """)
    }

    @Test("a chain of imports is told whole, and so is a policy that is missing")
    func chain() throws {
        let entry = try #require(try Sample.policy(#"[{"s":["u:a"],"g":{"thing:/":"R"}}]"#).entries.first)
        let way = [try PolicyID("f:west"), try PolicyID("t:roles")]
        let resolved = ResolvedPolicy(
            id: try PolicyID("v:truck"),
            entries: [
                .init(entry, origin: .imported(way), sourceLabel: "driver"),
                .init(entry, origin: .namespaceRoot(way), sourceLabel: "driver"),
            ], passedOver: [way])
        let explanation = PolicyExplanation(
            try Self.ask(["u:a"], "thing:/"), under: resolved, missing: [try PolicyID("x:gone")])
        #expect(explanation.text.contains("'driver' of t:roles (imported through f:west)"))
        #expect(explanation.text.contains("'driver' of t:roles (by the namespace root f:west)"))
        #expect(explanation.text.contains("policy x:gone: it is imported or a namespace root, but does not exist"))
        #expect(explanation.text.contains("import f:west → t:roles: nested too deep"))
        #expect(PolicyExplanation(json: try #require(explanation.json.object)) == explanation)
    }

    @Test("a transitive template is told with the reference of the imported entry (A.13 case 21)")
    func transitive() throws {
        let roles = try Self.policy(
            #"""
            {"policyId":"t:roles","entries":{"driver":{"resources":{"thing:/":{"grant":["READ"]}}}}}
            """#)
        let west = try Self.policy(
            #"""
            {"policyId":"f:west","imports":{"t:roles":{}},"entries":{"driver":{"subjects":{"u:alice":{"type":"t"}},\#
            "references":[{"import":"t:roles","entry":"driver"}]}}}
            """#)
        func explain(_ policyImport: String) throws -> PolicyExplanation {
            let truck = try Self.policy(#"{"policyId":"v:truck","imports":{"f:west":\#(policyImport)},"entries":{}}"#)
            let resolved = try Self.resolved(truck, [roles, west])
            return PolicyExplanation(try Self.ask(["u:alice"], "thing:/"), under: resolved)
        }
        let without = try explain("{}")
        #expect(without.verdict == .denied)
        #expect(without.text.contains("entry 'driver' of f:west (imported): it has no resources"))
        let with = try explain(#"{"transitiveImports":["t:roles"]}"#)
        #expect(with.verdict == .unrestricted)
        #expect(
            with.text.contains("'driver' of f:west (imported, by reference to 'driver' of t:roles) grants READ"),
            "\(with.text)")
    }

    // MARK: Questions

    @Test(
        "a question that is none is told with what would be right",
        arguments: [
            ([String](), "thing:/", "READ", "who is meant"), ([""], "thing:/", "READ", "nginx:ditto"),
            (["u:a"], "", "READ", "The resource is missing. A resource is <type>:/<path>"),
            (["u:a"], "/features/x", "READ", "Did you mean thing:/features/x?"),
            (["u:a"], "thing:features", "READ", "Did you mean thing:/features?"),
            (["u:a"], "thinx:/features", "READ", "Did you mean thing:/features?"),
            (["u:a"], "Thing:features", "READ", "Did you mean thing:/features?"),
            (["u:a"], "nonsense", "READ", "A resource is <type>:/<path>"),
            (["u:a"], "thing:/a//b", "READ", "Consecutive slashes"),
            (["u:a"], "thing:/", "", "The permission is missing. Use READ, WRITE or EXECUTE."),
            (["u:a"], "thing:/", "REED", "Did you mean READ?"), (["u:a"], "thing:/", "own", "Use READ, WRITE"),
        ])
    func faults(_ subjects: [String], _ resource: String, _ permission: String, _ expected: String) {
        do throws(AccessQuestionFault) {
            _ = try AccessQuestion.parse(
                subjects: subjects, resource: resource, permission: permission, thing: nil, namespace: nil,
                nearest: Self.nearest)
            Issue.record("\(resource) \(permission) was taken")
        } catch {
            #expect("\(error.message) \(error.hint)".contains(expected))
        }
    }

    @Test("permissions are read in any case, and subjects count once")
    func leniency() throws {
        let question = try AccessQuestion.parse(
            subjects: ["u:a", "u:b", "u:a"], resource: "thing:/x/", permission: "write", thing: nil, namespace: "n",
            nearest: Self.nearest)
        #expect(question.permission == .write && question.subjects == ["u:a", "u:b"])
        #expect(question.resource == "thing:/x" && question.namespace == "n")
    }

    // MARK: Comparison

    @Test("verdicts are those of the enforcer, and the JSON gives the explanation back")
    func comparison() throws {
        let seed = PolicyEnforcerRandomTests.seed
        var random = RandomPolicies(generator: SeededGenerator(seed: seed))
        var verdicts: [PolicyExplanation.Verdict: Int] = [:]
        var number = 0
        while number < 8_000 {
            for policy in try random.world().resolved() {
                number += 1
                let (subjects, type, permission) = (random.subjects(), random.type(), random.permission())
                let (namespace, path) = (random.namespace(), JSONPointer(segments: random.path()))
                let caller = AuthorizationContext(subjects)
                let explanation = PolicyExplanation(
                    AccessQuestion(
                        subjects: subjects, permission: permission, type: type, path: path, namespace: namespace),
                    under: policy)
                let expected = Self.verdict(
                    PolicyEnforcer(policy, revision: 1), permission, type, path, caller, namespace)
                verdicts[expected, default: 0] += 1
                let question = "seed \(seed), policy \(number): \(permission) \(type):\(path) \(subjects)"
                try #require(explanation.verdict == expected, "\(question) in \(policy)")
                try #require(
                    explanation.isAllowed == (expected == .unrestricted || expected == .restricted), "\(question)")
                if number < 500 {
                    try #require(PolicyExplanation(json: try #require(explanation.json.object)) == explanation)
                }
            }
        }
        // The comparison is worth something only if all of them occur.
        #expect(PolicyExplanation.Verdict.allCases.allSatisfy { verdicts[$0, default: 0] > 8 }, "\(verdicts)")
    }

    /// The verdict in the words of the enforcer.
    private static func verdict(
        _ enforcer: PolicyEnforcer, _ permission: Permission, _ type: PolicyResourceType, _ path: JSONPointer,
        _ caller: AuthorizationContext, _ namespace: String
    ) -> PolicyExplanation.Verdict {
        if enforcer.isUnrestricted(permission, type, path, subjects: caller, namespace: namespace) {
            return .unrestricted
        }
        if enforcer.isAllowed(permission, type, path, subjects: caller, namespace: namespace) { return .restricted }
        let isPartial = enforcer.isPartial(permission, type, path, subjects: caller, namespace: namespace)
        return isPartial ? .partial : .denied
    }
}

extension PlainResolver {
    /// The real policies of the world, really resolved.
    fileprivate func resolved() throws -> [ResolvedPolicy] {
        var known: [PolicyID: Policy] = [:]
        for plain in policies.values {
            let policy = try Policy.parse(plain.json, id: nil, limits: PolicyLimits(sizeBytes: 0, imports: 0))
            known[policy.id] = policy
        }
        let rules = try roots.map { ($0.pattern, try $0.policies.map { try PolicyID($0) }) }
        let roots = try #require(NamespaceRoots(rules))
        return known.values.sorted { $0.id < $1.id }.compactMap { policy in
            let resolution = policy.resolved(roots: roots.roots(of: policy.id)) { id in
                known[id].map(PolicyLookup.found) ?? .absent
            }
            guard case .resolved(let resolved) = resolution else { return nil }
            return resolved
        }
    }
}
