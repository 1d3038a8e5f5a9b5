// Finds what a resolved policy says about a question: the statements at, above and below a resource, and the entries
// that do not count (spec/policies-search.md A.3 steps 1 to 6).
import TwinspanJSON
import TwinspanProtocol

struct StatementCollector {
    typealias Statement = PolicyExplanation.Statement

    let question: AccessQuestion
    let policy: ResolvedPolicy
    /// At the resource and above it, the deepest first.
    private(set) var above: [Statement] = []
    /// Below the resource, the shallowest first.
    private(set) var below: [Statement] = []
    private(set) var omissions: [PolicyExplanation.Omission] = []

    init(question: AccessQuestion, policy: ResolvedPolicy) {
        self.question = question
        self.policy = policy
    }

    /// Looks at every entry.
    mutating func collect() {
        var revokedPaths: Set<JSONPointer> = []
        var belowPaths: [JSONPointer] = []
        for resolved in policy.entries {
            let subjects = question.subjects.filter { subject in
                resolved.entry.subjects.contains { $0.id.hasSameBytes(as: subject) }
            }
            if let reason = omission(of: resolved.entry) {
                omissions.append(
                    .init(place: Self.place(resolved), reason: reason, namesCaller: !subjects.isEmpty))
                continue
            }
            guard !subjects.isEmpty else { continue }
            for resource in resolved.entry.resources where resource.type == question.type {
                let isAbove = question.path.hasPrefix(resource.path)
                guard isAbove || resource.path.hasPrefix(question.path) else { continue }
                for effect in Self.effects(of: resource, on: question.permission) {
                    let statement = statement(resolved, resource, effect, subjects)
                    if isAbove {
                        above.append(statement)
                    } else {
                        below.append(statement)
                        belowPaths.append(resource.path)
                        if effect == .revoke { revokedPaths.insert(resource.path) }
                    }
                }
            }
        }
        for index in below.indices where below[index].effect == .grant {
            below[index].isVoid = revokedPaths.contains(belowPaths[index])
        }
        // Stable, so that what is equal stays in the order of the policy.
        above = above.stablySorted { left, right in
            if left.depth != right.depth { return left.depth > right.depth }
            return left.effect == .revoke && right.effect == .grant
        }
        below = below.stablySorted { ($0.depth, $0.resource) < ($1.depth, $1.resource) }
    }

    /// Step 1: why an entry does not count, nil when it does.
    private func omission(of entry: PolicyEntry) -> PolicyExplanation.Omission.Reason? {
        if entry.subjects.isEmpty { return .noSubjects }
        if entry.resources.isEmpty { return .noResources }
        guard question.type != .policy, let patterns = entry.namespaces, !patterns.isEmpty else { return nil }
        let namespace = question.namespace(under: policy.id)
        return patterns.contains { $0.matches(namespace) } ? nil : .otherNamespace(patterns.map(\.text))
    }

    private static func effects(
        of resource: PolicyResource, on permission: Permission
    ) -> [PolicyExplanation.Effect] {
        (resource.revokes.contains(permission) ? [.revoke] : [])
            + (resource.grants.contains(permission) ? [.grant] : [])
    }

    private func statement(
        _ resolved: ResolvedPolicy.Entry, _ resource: PolicyResource, _ effect: PolicyExplanation.Effect,
        _ subjects: [String]
    ) -> Statement {
        Statement(
            place: Self.place(resolved), references: references(of: resolved, resource, effect, subjects),
            subjects: subjects, resource: resource.key, depth: 1 + resource.path.segments.count, effect: effect,
            isVoid: false)
    }

    private static func place(_ resolved: ResolvedPolicy.Entry) -> PolicyExplanation.Place {
        .init(label: resolved.entry.label, sourceLabel: resolved.sourceLabel, origin: resolved.origin)
    }

    /// Which references of an entry gave it this statement or one of these subjects (A.6).
    private func references(
        of resolved: ResolvedPolicy.Entry, _ resource: PolicyResource, _ effect: PolicyExplanation.Effect,
        _ subjects: [String]
    ) -> [PolicyEntry.Reference] {
        resolved.references.filter { reference in
            guard let target = target(of: reference, in: resolved) else { return false }
            let givesResource = target.resources.contains { candidate in
                candidate.key.hasSameBytes(as: resource.key)
                    && Self.effects(of: candidate, on: question.permission).contains(effect)
            }
            return givesResource
                || target.subjects.contains { given in subjects.contains { given.id.hasSameBytes(as: $0) } }
        }
    }

    /// What stands before the label of the entry stands before that of the entry it refers to as well.
    private func target(of reference: PolicyEntry.Reference, in resolved: ResolvedPolicy.Entry) -> PolicyEntry? {
        let prefix = resolved.entry.label.utf8.dropLast(resolved.sourceLabel.utf8.count)
        let source = reference.importedPolicy.map { "imported-\($0)-" } ?? ""
        let label = String(decoding: prefix, as: UTF8.self) + source + reference.entry
        return policy.entries.first { $0.entry.label.hasSameBytes(as: label) }?.entry
    }
}

extension Array {
    /// Sorted, with what is equal in its old order.
    fileprivate func stablySorted(by isBefore: (Element, Element) -> Bool) -> [Element] {
        enumerated().sorted { left, right in
            if isBefore(left.element, right.element) { return true }
            return !isBefore(right.element, left.element) && left.offset < right.offset
        }.map(\.element)
    }
}
