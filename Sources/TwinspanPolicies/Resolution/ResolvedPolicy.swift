// A policy with everything that counts for it: its own entries, those it imports and those of the namespace roots,
// with references merged (spec/policies-search.md A.5–A.7). The enforcer is compiled from it, the resolved view shows
// it, and an explanation names its origins.
public import TwinspanProtocol

/// A policy whose imports, references and namespace roots are resolved. Evaluated as one flat list of entries.
public struct ResolvedPolicy: Sendable, Equatable {
    /// Where an entry comes from.
    public enum Origin: Sendable, Equatable {
        /// The policy itself.
        case own
        /// An imported policy: the way to it, from the one that is imported directly to the one that holds the entry.
        case imported([PolicyID])
        /// A root policy of the namespace, or a policy which that imports: the way to it, the root first.
        case namespaceRoot([PolicyID])
    }

    /// An entry as it counts.
    public struct Entry: Sendable, Equatable {
        /// The entry with its references merged. Its label is the prefixed one: `imported-<policyId>-<label>`, nested
        /// for transitive imports, or `nsimported-<policyId>-<label>`.
        public let entry: PolicyEntry
        public let origin: Origin

        /// The label in the policy that holds the entry.
        public let sourceLabel: String

        /// The references that were merged into the entry, as its policy has them; for explanations.
        public let references: [PolicyEntry.Reference]

        public init(
            _ entry: PolicyEntry, origin: Origin, sourceLabel: String, references: [PolicyEntry.Reference] = []
        ) {
            self.entry = entry
            self.origin = origin
            self.sourceLabel = sourceLabel
            self.references = references
        }
    }

    public let id: PolicyID
    /// Own entries first, in the order written, then imported ones, then those of the namespace roots.
    public let entries: [Entry]
    /// Every other policy that was looked up, those that do not exist included, each once: when one of them changes,
    /// this has to be made anew.
    public let dependencies: [PolicyID]
    /// The transitive imports that were not followed because `ResolutionLimits` were reached, each with the way to it.
    /// Empty in all sane policies; worth a warning otherwise.
    public let passedOver: [[PolicyID]]

    public init(id: PolicyID, entries: [Entry], dependencies: [PolicyID] = [], passedOver: [[PolicyID]] = []) {
        self.id = id
        self.entries = entries
        self.dependencies = dependencies
        self.passedOver = passedOver
    }
}

/// What is known of a policy that another one needs.
public enum PolicyLookup: Sendable {
    case found(Policy)
    /// It was never made, or is deleted: it contributes nothing.
    case absent
    /// It is not in memory and has to be loaded first.
    case notLoaded
}

/// What resolving came to.
public enum PolicyResolution: Sendable {
    case resolved(ResolvedPolicy)
    /// These have to be loaded first; then resolve again. Never empty.
    case needs([PolicyID])
}

extension Policy {
    /// Whether resolving changes anything: it has imports or references.
    public var needsResolution: Bool {
        imports?.isEmpty == false || entries.contains { !$0.references.isEmpty }
    }

    /// Resolves imports (A.5), references (A.6) and the given namespace roots (A.7).
    ///
    /// What is absent contributes nothing, and an import that leads back to a policy on its own way is not followed:
    /// resolving always comes to an end, within `ResolutionLimits`.
    ///
    /// - Parameters:
    ///   - roots: the root policies of its namespace, in their order; the policy itself is passed over.
    ///   - lookup: what is known of another policy. Called at most once per policy, never for this one.
    public func resolved(roots: [PolicyID], lookup: (PolicyID) -> PolicyLookup) -> PolicyResolution {
        if !needsResolution, roots.isEmpty {
            let own = entries.map { ResolvedPolicy.Entry($0, origin: .own, sourceLabel: $0.label) }
            return .resolved(ResolvedPolicy(id: id, entries: own))
        }
        return withoutActuallyEscaping(lookup) { lookup in
            var resolver = PolicyResolver(self, lookup: lookup)
            return resolver.resolve(roots: roots)
        }
    }
}
