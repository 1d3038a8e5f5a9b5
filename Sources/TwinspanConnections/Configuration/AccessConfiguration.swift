// `access` of `twinspan.yaml` as values: what the operator decides about access beside the policies themselves
// (spec/policies-search.md A.4, A.7–A.10). Plain values; the executable makes the engine's settings of them.
public import TwinspanProtocol

/// The operator's settings of access control.
public struct AccessConfiguration: Sendable, Equatable {
    /// Policies that count for all policies of some namespaces (A.7).
    public struct NamespacePolicies: Sendable, Equatable {
        /// An exact namespace, `<namespace>.*` or `*`; checked.
        public var pattern: String
        public var policies: [PolicyID]
        /// Makes a rule.
        public init(pattern: String, policies: [PolicyID]) {
            self.pattern = pattern
            self.policies = policies
        }
    }

    /// What can be created.
    public enum Entity: String, Sendable, CaseIterable { case policy, thing }

    /// A rule of creation (A.10). Every list that is not empty must match.
    public struct CreationRule: Sendable, Equatable {
        public var resourceTypes: [Entity] = []
        /// Patterns with `*` and `?`, as those below.
        public var namespaces: [String] = []
        /// Patterns of the creator's subjects.
        public var authSubjects: [String] = []
        /// Patterns of definitions of things; nil stands for a thing without one.
        public var thingDefinitions: [String?] = []
        /// A rule that matches everything.
        public init() {}
    }

    /// Who may create what (A.10).
    public struct Creation: Sendable, Equatable {
        public var grant = [CreationRule()]
        public var revoke: [CreationRule] = []
        public init() {}
    }

    /// How the removal of subjects is announced (A.9.2).
    public struct Announcements: Sendable, Equatable {
        /// To what `beforeExpiry` is rounded up.
        public var granularity = Duration.seconds(60)
        /// Over how long announcements are spread.
        public var randomizationInterval = Duration.seconds(300)
        /// How long a subject whose announcement nobody acknowledges outlives its expiry.
        public var gracePeriod = Duration.seconds(4 * 3600)
        /// The longest wait for acknowledgements.
        public var timeoutMax = Duration.seconds(60)
        /// Whether removals are announced at all.
        public var whenDeleted = true
        public init() {}
    }

    /// In the order written.
    public var namespacePolicies: [NamespacePolicies] = []
    public var creation = Creation()
    /// Whether a change that would leave a policy without permanent owner is refused (A.9.3).
    public var lockoutPrevention = true
    /// Whether who may read a part of a thing gets that part of its events (A.4).
    public var partialAccessEvents = true
    /// To what expiries of subjects are rounded up (A.9.1).
    public var subjectExpiryGranularity = Duration.seconds(3600)
    /// The template of subjects that token integration adds (A.8); compiles.
    public var tokenIntegrationSubject = "integration:{{policy-entry:label}}:{{jwt:aud}}"
    public var announcements = Announcements()

    /// The defaults, which are Ditto's.
    public init() {}
}
