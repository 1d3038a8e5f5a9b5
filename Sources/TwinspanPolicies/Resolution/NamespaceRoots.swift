// Policies of the operator that count for all policies of a namespace (spec/policies-search.md A.7).
public import TwinspanProtocol

/// The root policies by pattern of namespaces.
public struct NamespaceRoots: Sendable, Equatable {
    /// Patterns with their policies, in the order configured.
    public let rules: [(pattern: String, policies: [PolicyID])]

    /// No roots.
    public static let none = NamespaceRoots(checked: [])

    private init(checked rules: [(pattern: String, policies: [PolicyID])]) {
        self.rules = rules
    }

    public static func == (left: NamespaceRoots, right: NamespaceRoots) -> Bool {
        left.rules.elementsEqual(right.rules) { $0.pattern == $1.pattern && $0.policies == $1.policies }
    }

    /// Nil for a pattern that is none: an exact namespace, `<namespace>.*`, or `*`.
    public init?(_ rules: [(pattern: String, policies: [PolicyID])]) {
        guard rules.allSatisfy({ $0.pattern == "*" || NamespacePattern($0.pattern) != nil }) else { return nil }
        self.init(checked: rules)
    }

    /// The roots of a policy: of all patterns that match its namespace, the exact one first, then longer prefixes
    /// before shorter ones, then `*`; each once, without the policy itself.
    public func roots(of policy: PolicyID) -> [PolicyID] {
        if rules.isEmpty { return [] }
        // The sort is stable: patterns of the same rank keep the order configured.
        let matching = rules.filter { Self.matches($0.pattern, policy.namespace) }
            .sorted { Self.rank($0.pattern) > Self.rank($1.pattern) }
        var roots: [PolicyID] = []
        for root in matching.flatMap(\.policies) where root != policy && !roots.contains(root) { roots.append(root) }
        return roots
    }

    private static func matches(_ pattern: String, _ namespace: String) -> Bool {
        pattern == "*" || NamespacePattern(pattern)?.matches(namespace) == true
    }

    /// More for a pattern that says more: of two prefixes of the same namespace the longer one.
    private static func rank(_ pattern: String) -> Int {
        guard pattern.utf8.last == UInt8(ascii: "*") else { return .max }
        return pattern.utf8.count
    }
}
