// Who may create policies and things (spec/policies-search.md A.10). Asked once per creation, before its policy is
// looked at; the patterns are compiled when the rules are made.
import TwinspanExpressions
import TwinspanJSON
public import TwinspanProtocol

/// Rules of the operator: a creation needs one that grants it and none that revokes it.
public struct CreationRules: Sendable, Equatable {
    /// What is created.
    public enum Entity: String, Sendable, CaseIterable { case policy, thing }

    /// What a rule is about. Every list that is not empty must match. Patterns are those of `like`: `*` for any run of
    /// characters, `?` for one, everything else literal and case-sensitive (B.5).
    public struct Rule: Sendable, Equatable {
        private let entities: [Entity]
        private let namespaces: [WildcardPattern]
        private let subjects: [WildcardPattern]
        private let definitions: [WildcardPattern?]

        /// - Parameters:
        ///   - entities: what is created.
        ///   - namespaces: patterns of the namespace of its id.
        ///   - subjects: patterns of the creator's subjects, any of which may match.
        ///   - definitions: patterns of definitions of things; nil stands for a thing without one. Not asked for
        ///     policies.
        public init(
            _ entities: [Entity] = [], namespaces: [String] = [], subjects: [String] = [], definitions: [String?] = []
        ) {
            self.entities = entities
            self.namespaces = namespaces.map(Self.pattern)
            self.subjects = subjects.map(Self.pattern)
            self.definitions = definitions.map { $0.map(Self.pattern) }
        }

        private static func pattern(_ text: String) -> WildcardPattern {
            WildcardPattern(text, splitsAlternatives: false, isCaseSensitive: true)
        }

        fileprivate var matchesEverything: Bool {
            entities.isEmpty && namespaces.isEmpty && subjects.isEmpty && definitions.isEmpty
        }

        fileprivate func matches(
            _ entity: Entity, namespace: String, creator: AuthorizationContext, definition: String?
        ) -> Bool {
            guard entities.isEmpty || entities.contains(entity) else { return false }
            guard namespaces.isEmpty || namespaces.contains(where: { $0.matches(namespace) }) else { return false }
            let isOfCreator = { (pattern: WildcardPattern) in creator.subjects.contains { pattern.matches($0) } }
            guard subjects.isEmpty || subjects.contains(where: isOfCreator) else { return false }
            guard entity == .thing, !definitions.isEmpty else { return true }
            return definitions.contains { pattern in
                guard let pattern, let definition else { return pattern == nil && definition == nil }
                return pattern.matches(definition)
            }
        }
    }

    private let grant: [Rule]
    private let revoke: [Rule]
    private let isOpen: Bool

    /// Makes rules. Without one that grants, nobody creates anything.
    public init(grant: [Rule] = [Rule()], revoke: [Rule] = []) {
        self.grant = grant
        self.revoke = revoke
        isOpen = revoke.isEmpty && grant.contains { $0.matchesEverything }
    }

    /// Everybody may create everything.
    public static let open = CreationRules()

    /// Whether the creator may create such an entity.
    ///
    /// - Parameter definition: the definition of the thing; nil for a thing without one, and for policies.
    public func allows(
        _ entity: Entity, namespace: String, creator: AuthorizationContext, definition: String? = nil
    ) -> Bool {
        if isOpen { return true }
        let matches = { (rule: Rule) in
            rule.matches(entity, namespace: namespace, creator: creator, definition: definition)
        }
        return grant.contains(where: matches) && !revoke.contains(where: matches)
    }

    /// Throws `entity.notcreatable` (403) for a policy that may not be created.
    func check(_ id: PolicyID, creator: AuthorizationContext) throws(TwinspanError) {
        if isOpen || allows(.policy, namespace: id.namespace, creator: creator) { return }
        throw GeneralErrorTable.entityNotCreatable.error("The policy '\(id)' may not be created.")
    }

    /// Throws `entity.notcreatable` (403) for a thing that may not be created, or that comes with a policy that may
    /// not.
    func check(_ creation: ThingCreation, creator: AuthorizationContext) throws(TwinspanError) {
        if isOpen { return }
        let id = creation.command.thingID
        let definition = creation.object["definition"]?.string
        guard allows(.thing, namespace: id.namespace, creator: creator, definition: definition) else {
            throw GeneralErrorTable.entityNotCreatable.error("The thing '\(id)' may not be created.")
        }
        if let policyID = creation.choice.madePolicy { try check(policyID, creator: creator) }
    }
}

extension PolicyChoice {
    /// The id of the policy that is made with the thing; nil when it exists already.
    fileprivate var madePolicy: PolicyID? {
        switch self {
        case .existing: nil
        case .inline(let id, _), .copy(_, let id), .copyReferred(_, let id), .generated(let id): id
        }
    }
}
