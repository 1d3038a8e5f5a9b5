// Resolution and the compiled enforcer against the plain resolver and the plain evaluator.
import Glibc
import Testing
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

@Suite("PolicyEnforcer, random comparison")
struct PolicyEnforcerRandomTests {
    /// Policies in all, each resolved, compiled and asked one question in all ways.
    static let policyCount = 100_000
    /// Parts that run at the same time.
    static let partCount = 8

    /// A run is repeated by its seed in `TWINSPAN_SEED`.
    static let seed = getenv("TWINSPAN_SEED").flatMap { UInt64(String(cString: $0)) } ?? UInt64.random(in: 0 ... .max)

    /// What a comparison has met: it is worth something only if the interesting cases occur.
    private struct Tally {
        var policies = 0
        var cutViews = 0
        /// Decisions that imports, references or roots turned round.
        var turned = 0
    }

    @Test("resolved policies decide and filter as the specification reads", .serialized, arguments: 0..<partCount)
    func comparison(_ part: Int) async throws {
        var random = RandomPolicies(generator: SeededGenerator(seed: Self.seed &+ UInt64(part)))
        if part == 0 { Swift.print("policy comparison: TWINSPAN_SEED=\(Self.seed)") }
        var tally = Tally()
        while tally.policies < Self.policyCount / Self.partCount {
            // Long work on a thread that all tests share: the others want their turn.
            await Task.yield()
            let world = random.world()
            guard try Self.isSame(world, &random, &tally, part) else { return }
        }
        Swift.print(
            "policy comparison, part \(part): \(tally.policies) policies, \(tally.cutViews) views were cut,"
                + " \(tally.turned) decisions depended on other policies")
        #expect(tally.cutViews > tally.policies / 40)
        #expect(tally.turned > tally.policies / 40)
    }

    /// Asks about every policy of a world. False, with an issue recorded, when the two sides differ.
    private static func isSame(
        _ world: PlainResolver, _ random: inout RandomPolicies, _ tally: inout Tally, _ part: Int
    ) throws -> Bool {
        var policies: [PolicyID: Policy] = [:]
        let limits = PolicyLimits(sizeBytes: 0, imports: 0)
        for plain in world.policies.values {
            let policy = try Policy.parse(plain.json, id: nil, limits: limits)
            policies[policy.id] = policy
        }
        let rules = try world.roots.map { ($0.pattern, try $0.policies.map { try PolicyID($0) }) }
        let roots = try #require(NamespaceRoots(rules))
        for (id, policy) in policies.sorted(by: { $0.key < $1.key }) {
            guard let plain = world.policies[id.text] else { continue }
            let lookup = { (id: PolicyID) in policies[id].map(PolicyLookup.found) ?? .absent }
            guard case .resolved(let resolved) = policy.resolved(roots: roots.roots(of: id), lookup: lookup) else {
                Issue.record("seed \(seed), part \(part): \(id) needs what is known")
                return false
            }
            let enforcer = PolicyEnforcer(resolved, revision: 1)
            let entries = world.entries(of: plain)
            let difference =
                resolved.entries.map(\.entry.label).elementsEqual(entries.map(\.label))
                ? difference(enforcer, entries, plain.entries, &random, &tally)
                : "\(resolved.entries.map(\.entry.label)) instead of \(entries.map(\.label))"
            if let difference {
                let documents = world.policies.values.map(\.json.text).joined(separator: "\n")
                Issue.record("seed \(seed), part \(part), \(id): \(difference)\n\(world.roots)\n\(documents)")
                return false
            }
            tally.policies += 1
        }
        return true
    }

    /// Asks one random question in all ways. Nil when both sides agree on everything.
    private static func difference(
        _ enforcer: PolicyEnforcer, _ entries: [PlainEntry], _ own: [PlainEntry], _ random: inout RandomPolicies,
        _ tally: inout Tally
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
            PlainEvaluator(entries, permission, type, subjects: names, namespace: namespace)
        }
        let question = "\(permission) \(type) \(pointer) \(names) '\(namespace)' \(value)"
        let decisions = plain(permission, type)
        let alone = PlainEvaluator(own, permission, type, subjects: names, namespace: namespace)
        if decisions.isAllowed(path) != alone.isAllowed(path) { tally.turned += 1 }
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
        if let view, view != value { tally.cutViews += 1 }

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
