// The compiled enforcer against the plain evaluator.
import Glibc
import Testing
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

@Suite("PolicyEnforcer, random comparison")
struct PolicyEnforcerRandomTests {
    static let policyCount = 20_000
    static let questionsPerPolicy = 2

    /// A run is repeated by its seed in `TWINSPAN_SEED`.
    static let seed = getenv("TWINSPAN_SEED").flatMap { UInt64(String(cString: $0)) } ?? UInt64.random(in: 0 ... .max)

    @Test("the compiled enforcer decides and filters like the plain evaluator")
    func comparison() throws {
        var random = RandomPolicies(generator: SeededGenerator(seed: Self.seed))
        Swift.print("policy comparison: TWINSPAN_SEED=\(Self.seed)")
        var partialViews = 0
        for number in 0..<Self.policyCount {
            let policy = try random.policy()
            let enforcer = PolicyEnforcer(policy, revision: 1)
            for _ in 0..<Self.questionsPerPolicy {
                let difference = Self.difference(enforcer, policy, &random, &partialViews)
                guard difference == nil else {
                    Issue.record("seed \(Self.seed), policy \(number): \(difference ?? "") in \(policy.json)")
                    return
                }
            }
        }
        // The comparison is worth something only if filters really cut.
        Swift.print("policy comparison: \(partialViews) views were cut")
        #expect(partialViews > Self.policyCount / 20)
    }

    /// Asks one random question in all ways. Nil when both sides agree on everything.
    private static func difference(
        _ enforcer: PolicyEnforcer, _ policy: Policy, _ random: inout RandomPolicies, _ partialViews: inout Int
    ) -> String? {
        let permission = random.permission()
        let type = random.type()
        let names = random.subjects()
        let subjects = AuthorizationContext(names)
        let namespace = random.namespace()
        let path = random.path()
        let pointer = JSONPointer(segments: path)
        let value = random.value()
        func plain(_ permission: Permission, _ type: PolicyResourceType) -> PlainEvaluator {
            PlainEvaluator(policy, permission, type, subjects: names, namespace: namespace)
        }
        let question = "\(permission) \(type) \(pointer) \(names) '\(namespace)' \(value)"
        let decisions = plain(permission, type)
        if enforcer.isAllowed(permission, type, pointer, subjects: subjects, namespace: namespace)
            != decisions.isAllowed(path)
        {
            return "isAllowed \(question)"
        }
        if enforcer.isUnrestricted(permission, type, pointer, subjects: subjects, namespace: namespace)
            != decisions.isUnrestricted(path)
        {
            return "isUnrestricted \(question)"
        }
        if enforcer.isPartial(permission, type, pointer, subjects: subjects, namespace: namespace)
            != decisions.isPartial(path)
        {
            return "isPartial \(question)"
        }

        let view = enforcer.view(of: value, type: type, base: pointer, subjects: subjects, namespace: namespace)
        if view != plain(.read, type).view(of: value, at: path) { return "view \(question)" }
        if let view, view != value { partialViews += 1 }

        let expected = plain(.read, .thing).eventView(of: value, at: path)
        let eventView = enforcer.eventView(of: value, at: pointer, subjects: subjects, namespace: namespace)
        switch enforcer.eventReader(at: pointer, subjects: subjects, namespace: namespace) {
        case .full: if eventView != .full { return "eventReader full \(question)" }
        case .none: if eventView != .none { return "eventReader none \(question)" }
        case .depends(let classes):
            if enforcer.eventView(of: value, at: pointer, for: classes) != eventView { return "classes \(question)" }
        }
        switch eventView {
        case .full: if expected != value { return "eventView full \(question)" }
        case .partial(let part): if expected != part { return "eventView partial \(question)" }
        case .none: if expected != nil { return "eventView none \(question)" }
        }
        if enforcer.isMergeAllowed(of: value, at: pointer, subjects: subjects, namespace: namespace)
            != plain(.write, .thing).isMergeAllowed(value, path)
        {
            return "isMergeAllowed \(question)"
        }
        return nil
    }
}
