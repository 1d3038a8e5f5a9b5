// Who may create policies and things (spec/policies-search.md A.10).

/// Rules of the operator: a creation needs one that grants it and none that revokes it.
public struct CreationRules: Sendable, Equatable {
    /// What a rule is about. Every list that is not empty must match.
    public struct Rule: Sendable, Equatable {
        /// `policy`, `thing`.
        public var resourceTypes: [String]
        /// Patterns of namespaces, with `*` and `?`.
        public var namespaces: [String]
        /// Patterns of the creator's subjects.
        public var subjects: [String]
        /// Patterns of definitions of things; nil stands for a thing without one.
        public var definitions: [String?]

        public init(
            resourceTypes: [String] = [], namespaces: [String] = [], subjects: [String] = [],
            definitions: [String?] = []
        ) {
            self.resourceTypes = resourceTypes
            self.namespaces = namespaces
            self.subjects = subjects
            self.definitions = definitions
        }
    }

    public var grant: [Rule]
    public var revoke: [Rule]

    public init(grant: [Rule] = [Rule()], revoke: [Rule] = []) {
        self.grant = grant
        self.revoke = revoke
    }

    /// Everybody may create everything.
    public static let open = CreationRules()
}
