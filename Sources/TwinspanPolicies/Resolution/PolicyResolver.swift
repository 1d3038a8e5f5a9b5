// Puts together what counts for a policy (spec/policies-search.md A.5, A.7). A value that lives for one resolution;
// policies that are not in memory are noted, treated as absent for the time being, and asked for at the end.
import TwinspanProtocol

/// Resolves one policy.
struct PolicyResolver {
    /// An entry under the label it has in the policy that is being put together.
    struct Found {
        var entry: PolicyEntry
        /// The way from that policy to the one that holds the entry; empty for an entry of its own.
        var way: [PolicyID]
        /// The label in the policy that is first on the way, by which references name it; its own one without a way.
        var importedLabel: String
        /// The label in the policy that holds the entry.
        let sourceLabel: String
        /// The references that were merged into the entry.
        let references: [PolicyEntry.Reference]
    }

    private let policy: Policy
    private let lookup: (PolicyID) -> PolicyLookup
    /// What was looked up; nil for a policy that is absent or not loaded.
    private var known: [PolicyID: Policy?] = [:]
    private var dependencies: [PolicyID] = []
    private var notLoaded: [PolicyID] = []
    private var passedOver: [[PolicyID]] = []
    private var transitiveImports = 0

    init(_ policy: Policy, lookup: @escaping (PolicyID) -> PolicyLookup) {
        self.policy = policy
        self.lookup = lookup
    }

    /// Own entries with references merged, imported ones, those of the roots.
    mutating func resolve(roots: [PolicyID]) -> PolicyResolution {
        var entries = self.entries(of: policy, following: nil, way: [policy.id]).map { found in
            ResolvedPolicy.Entry(
                found.entry, origin: found.way.isEmpty ? .own : .imported(found.way), sourceLabel: found.sourceLabel,
                references: found.references)
        }
        for root in roots where root != policy.id { entries += self.entries(ofRoot: root) }
        guard notLoaded.isEmpty else { return .needs(notLoaded) }
        return .resolved(
            ResolvedPolicy(id: policy.id, entries: entries, dependencies: dependencies, passedOver: passedOver))
    }

    /// The entries of a root with its imports and references resolved, of which only implicit ones count (A.7).
    private mutating func entries(ofRoot root: PolicyID) -> [ResolvedPolicy.Entry] {
        guard let rootPolicy = find(root) else { return [] }
        transitiveImports = 0
        return entries(of: rootPolicy, following: nil, way: [root]).filter { $0.entry.importable == .implicit }
            .map { found in
                let label = "nsimported-\(root)-\(found.entry.label)"
                return ResolvedPolicy.Entry(
                    found.entry.imported(as: label), origin: .namespaceRoot([root] + found.way),
                    sourceLabel: found.sourceLabel, references: found.references)
            }
    }

    /// The entries of a policy, references merged, and those it imports (A.5 steps 2, 3 and 6).
    ///
    /// - Parameters:
    ///   - following: those of its imports that are resolved; nil for all, where it is not itself an imported one.
    ///   - way: the policies from the one that is resolved to this one, both included.
    private mutating func entries(of policy: Policy, following: [PolicyID]?, way: [PolicyID]) -> [Found] {
        var imported: [Found] = []
        for policyImport in policy.imports ?? [] {
            if let following {
                guard following.contains(policyImport.policyID) else { continue }
                guard mayFollow(policyImport.policyID, way) else { continue }
            }
            imported += entries(of: policyImport, way: way)
        }
        let own = policy.entries.map { entry in
            Found(
                entry: entry.mergingReferences { policy.target(of: $0, among: imported) }, way: [],
                importedLabel: entry.label, sourceLabel: entry.label, references: entry.references)
        }
        return own + imported
    }

    /// The entries that one import contributes, under their prefixed labels (A.5 steps 1, 4 and 5). The depth of the
    /// recursion is bounded by `ResolutionLimits.depth`.
    private mutating func entries(of policyImport: PolicyImport, way: [PolicyID]) -> [Found] {
        let id = policyImport.policyID
        // An import that leads back to a policy on the way would go in circles.
        guard !way.contains(id), let imported = find(id) else { return [] }
        let found = entries(of: imported, following: policyImport.transitiveImports, way: way + [id])
        return found.filter { policyImport.takes($0.entry) }.map { inner in
            var outer = inner
            outer.importedLabel = inner.entry.label
            outer.entry = inner.entry.imported(as: "imported-\(id)-\(inner.entry.label)")
            outer.way = [id] + inner.way
            return outer
        }
    }

    /// Whether the limits admit one more transitive import.
    private mutating func mayFollow(_ id: PolicyID, _ way: [PolicyID]) -> Bool {
        // The first on the way is where it starts, so there are as many imports on it as the next one makes it long.
        guard way.count <= ResolutionLimits.depth, transitiveImports < ResolutionLimits.transitiveImports else {
            // One that is reported is enough to know; the number must not grow with what is cut off.
            if passedOver.count < ResolutionLimits.depth { passedOver.append(Array(way.dropFirst()) + [id]) }
            return false
        }
        transitiveImports += 1
        return true
    }

    private mutating func find(_ id: PolicyID) -> Policy? {
        // A root may import the policy that is resolved; it is at hand.
        if id == policy.id { return policy }
        if let known = known[id] { return known }
        dependencies.append(id)
        switch lookup(id) {
        case .found(let policy):
            known[id] = .some(policy)
            return policy
        case .absent:
            known[id] = .some(nil)
        case .notLoaded:
            known[id] = .some(nil)
            notLoaded.append(id)
        }
        return nil
    }
}

extension PolicyImport {
    /// Whether an entry of the imported policy is taken (A.5 step 4). Transitive entries are listed by the label they
    /// have there, which is already prefixed.
    fileprivate func takes(_ entry: PolicyEntry) -> Bool {
        switch entry.importable {
        case .implicit: true
        case .explicit: entries?.contains { $0.hasSameBytes(as: entry.label) } ?? false
        case .never: false
        }
    }
}

extension Policy {
    /// The entry a reference means: a stored one of this policy, whose own references do not matter, or one of those
    /// that are imported from the policy it names. Nil when there is none.
    fileprivate func target(of reference: PolicyEntry.Reference, among imported: [PolicyResolver.Found]) -> PolicyEntry?
    {
        guard let source = reference.importedPolicy else { return self[reference.entry] }
        // By policy and label, not by the prefixed label: `imported-a:b-c-d` may be `d` of `a:b-c` or `c-d` of `a:b`.
        return imported.first { $0.way.first == source && $0.importedLabel.hasSameBytes(as: reference.entry) }?.entry
    }
}
