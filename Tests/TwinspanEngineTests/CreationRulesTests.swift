import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

/// Who may create what (spec/policies-search.md A.10).
@Suite("Entity creation restriction")
struct CreationRulesTests {
    typealias Rule = CreationRules.Rule

    struct Row: Sendable, CustomTestStringConvertible {
        var name: String
        var grant = [Rule()]
        var revoke: [Rule] = []
        var entity = CreationRules.Entity.thing
        var namespace = "acme.eu"
        var subjects = ["nginx:ann", "team:a"]
        var definition: String?
        let isAllowed: Bool
        var testDescription: String { name }
    }

    static let rows: [Row] = [
        Row(name: "the default allows everything", isAllowed: true),
        Row(name: "without a rule that grants nothing is allowed", grant: [], isAllowed: false),
        Row(name: "one of several grants is enough", grant: [Rule([.policy]), Rule([.thing])], isAllowed: true),
        Row(name: "another resource type", grant: [Rule([.policy])], isAllowed: false),
        Row(name: "one of two resource types", grant: [Rule([.policy, .thing])], isAllowed: true),
        Row(name: "a namespace", grant: [Rule(namespaces: ["acme.eu"])], isAllowed: true),
        Row(name: "a namespace by its pattern", grant: [Rule(namespaces: ["x", "acme.*"])], isAllowed: true),
        Row(name: "a namespace as a whole", grant: [Rule(namespaces: ["acme"])], isAllowed: false),
        Row(name: "a dot is a dot", grant: [Rule(namespaces: ["acme?eu"])], namespace: "acme-eu", isAllowed: true),
        Row(
            name: "a dot is no wildcard", grant: [Rule(namespaces: ["acme.eu"])], namespace: "acmeXeu", isAllowed: false
        ),
        Row(name: "case counts", grant: [Rule(namespaces: ["ACME.*"])], isAllowed: false),
        Row(name: "a bar is a bar", grant: [Rule(subjects: ["x|nginx:ann"])], isAllowed: false),
        Row(name: "any subject of the caller", grant: [Rule(subjects: ["team:?"])], isAllowed: true),
        Row(name: "no subject of the caller", grant: [Rule(subjects: ["team:??"])], isAllowed: false),
        Row(name: "a caller without subjects", grant: [Rule(subjects: ["*"])], subjects: [], isAllowed: false),
        Row(
            name: "every list has to match", grant: [Rule([.thing], namespaces: ["acme.*"], subjects: ["x:*"])],
            isAllowed: false),
        Row(name: "a revoke beats the grant", revoke: [Rule(namespaces: ["acme.eu"])], isAllowed: false),
        Row(name: "a revoke of something else", revoke: [Rule(namespaces: ["acme.us"])], isAllowed: true),
        Row(name: "a revoke of everything", revoke: [Rule()], isAllowed: false),
        Row(
            name: "a definition", grant: [Rule(definitions: ["acme:*:1.*"])], definition: "acme:pump:1.0",
            isAllowed: true),
        Row(
            name: "another definition", grant: [Rule(definitions: ["acme:*:1.*"])], definition: "acme:pump:2.0",
            isAllowed: false),
        Row(name: "no definition where one is needed", grant: [Rule(definitions: ["*"])], isAllowed: false),
        Row(name: "null stands for no definition", grant: [Rule(definitions: ["a:b:c", nil])], isAllowed: true),
        Row(name: "null alone", grant: [Rule(definitions: [nil])], definition: "a:b:c", isAllowed: false),
        Row(
            name: "policies are not asked for a definition", grant: [Rule(definitions: ["a:b:c"])], entity: .policy,
            isAllowed: true),
    ]

    @Test("a creation needs a rule that grants it and none that revokes it", arguments: rows)
    func decides(row: Row) {
        let rules = CreationRules(grant: row.grant, revoke: row.revoke)
        let isAllowed = rules.allows(
            row.entity, namespace: row.namespace, creator: AuthorizationContext(row.subjects),
            definition: row.definition)
        #expect(isAllowed == row.isAllowed)
    }

    /// An engine with rules, and the policy `n:policy`, made by somebody whom no rule of the rows is about.
    private static func fixture(_ rules: CreationRules) throws -> EngineFixture {
        var settings = EngineRig.settings()
        settings.access.creation = rules
        let fixture = try EngineFixture(settings: settings)
        try fixture.rig.policy(
            .create, "n:policy", Sample.policy(), headers: ["allow-policy-lockout": "true"],
            as: AuthorizationContext(["test:maker"]))
        return fixture
    }

    struct Creation: Sendable, CustomTestStringConvertible {
        let name: String
        let rules: CreationRules
        let value: String
        let action: ThingCommand.Action
        let isAllowed: Bool
        var testDescription: String { name }

        init(
            _ name: String, _ rules: CreationRules, _ value: String = "{}", _ action: ThingCommand.Action = .create,
            isAllowed: Bool
        ) {
            (self.name, self.rules, self.value, self.action) = (name, rules, value, action)
            self.isAllowed = isAllowed
        }
    }

    private static let noThings = CreationRules(revoke: [Rule([.thing])])
    private static let noPolicies = CreationRules(revoke: [Rule([.policy], subjects: ["test:owner"])])
    private static let defined = CreationRules(grant: [Rule([.policy]), Rule([.thing], definitions: ["a:b:*"])])
    private static let undefined = CreationRules(grant: [Rule([.policy]), Rule([.thing], definitions: [nil])])
    private static let elsewhere = CreationRules(revoke: [Rule([.policy], namespaces: ["q"])])
    private static let otherID = #"{"policyId":"q:p","# + Sample.policy().dropFirst()

    static let creations: [Creation] = [
        Creation("a thing", noThings, isAllowed: false),
        Creation("a thing by modify", noThings, "{}", .modify, isAllowed: false),
        Creation("a thing by merge", noThings, #"{"attributes":{"a":1}}"#, .merge, isAllowed: false),
        Creation("the policy that is made of the creator", noPolicies, isAllowed: false),
        Creation("an inline policy", noPolicies, #"{"_policy":\#(Sample.policy())}"#, isAllowed: false),
        Creation("a copied policy", noPolicies, #"{"_copyPolicyFrom":"n:policy"}"#, isAllowed: false),
        Creation("a thing of an existing policy", noPolicies, #"{"policyId":"n:policy"}"#, isAllowed: true),
        Creation("the namespace of the thing's own policy", elsewhere, isAllowed: true),
        Creation("the namespace of an inline policy", elsewhere, #"{"_policy":\#(otherID)}"#, isAllowed: false),
        Creation("a definition that is granted", defined, #"{"definition":"a:b:1"}"#, isAllowed: true),
        Creation("another definition", defined, #"{"definition":"a:c:1"}"#, isAllowed: false),
        Creation("no definition", defined, isAllowed: false),
        Creation("null is no definition", undefined, #"{"definition":null}"#, isAllowed: true),
        Creation("a definition where none is wanted", undefined, #"{"definition":"a:b:1"}"#, isAllowed: false),
    ]

    @Test("things are judged with the policies that are made with them", arguments: creations)
    func things(row: Creation) throws {
        let fixture = try Self.fixture(row.rules)
        if row.isAllowed {
            #expect(try fixture.rig.run(row.action, "n:t", "/", row.value).status == 201)
            #expect(try fixture.rig.run(.modify, "n:t", "/", "{}").status == 204)
            return
        }
        expectError("entity.notcreatable", 403) { try fixture.rig.run(row.action, "n:t", "/", row.value) }
        expectError("things:thing.notfound", 404) { try fixture.rig.run(.retrieve, "n:t") }
        expectPolicyError("policies:policy.notfound", 404) { try fixture.rig.policy(.retrieve, "n:t") }
    }

    @Test("policies are refused, existing ones may be changed")
    func policies() throws {
        let fixture = try Self.fixture(Self.noPolicies)
        for action in [PolicyCommand.Action.create, .modify] {
            expectPolicyError("entity.notcreatable", 403) {
                try fixture.rig.policy(action, "n:new", Sample.policy())
            }
        }
        expectPolicyError("policies:policy.notfound", 404) { try fixture.rig.policy(.retrieve, "n:new") }
        #expect(try fixture.rig.policy(.modify, "n:policy", Sample.policy()).status == 204)
        expectPolicyError("policies:policy.conflict", 409) {
            try fixture.rig.policy(.create, "n:policy", Sample.policy())
        }
        // A policy that was deleted is created anew.
        #expect(try fixture.rig.policy(.delete, "n:policy").status == 204)
        expectPolicyError("entity.notcreatable", 403) {
            try fixture.rig.policy(.modify, "n:policy", Sample.policy())
        }
    }

    @Test("lockout prevention can be switched off (A.9.3)", arguments: [true, false])
    func lockout(isPrevented: Bool) throws {
        var settings = EngineRig.settings()
        settings.access.preventsLockout = isPrevented
        let fixture = try EngineFixture(settings: settings)
        let ownerless =
            #"{"entries":{"e":{"subjects":{"a:b":{"type":"t"}},"resources":{"thing:/":{"grant":["READ"]}}}}}"#
        let known = ["allow-policy-lockout": "true"]
        let inline = """
            {"_policy":{"entries":{"e":{"subjects":{"test:owner":{"type":"t"}},\
            "resources":{"thing:/":{"grant":["READ","WRITE"]}}}}}}
            """
        try fixture.rig.policy(.create, "n:p", Sample.policy())
        if isPrevented {
            expectPolicyError("policies:policy.modificationinvalid", 403) {
                try fixture.rig.policy(.create, "n:new", ownerless, headers: known)
            }
            expectPolicyError("policies:entry.modificationinvalid", 403) {
                try fixture.rig.policy(.delete, "n:p", at: "/entries/E0")
            }
            expectError("things:policy.invalid", 400) {
                try fixture.rig.run(.create, "n:t", "/", inline, headers: known)
            }
        } else {
            #expect(try fixture.rig.policy(.create, "n:new", ownerless, headers: known).status == 201)
            // The check of the creator himself is another one, and stays.
            expectPolicyError("policies:policy.notcreatable", 403) {
                try fixture.rig.policy(.create, "n:other", ownerless)
            }
            #expect(try fixture.rig.policy(.delete, "n:p", at: "/entries/E0").status == 204)
            #expect(try fixture.rig.run(.create, "n:t", "/", inline, headers: known).status == 201)
        }
    }
}
