// What the operator decides about access, beside the policies themselves (spec/policies-search.md A.4, A.7–A.10).
public import TwinspanPolicies

/// Settings of access control; the defaults are Ditto's.
public struct AccessSettings: Sendable {
    /// Policies that count for all policies of a namespace (A.7).
    public var namespaceRoots: NamespaceRoots
    /// Who may create what (A.10).
    public var creation: CreationRules
    /// Whether a change that leaves a policy without permanent owner is refused (A.9.3).
    public var preventsLockout: Bool
    /// Whether events go to those who may read a part of the thing, cut to that part (A.4); otherwise only to those who
    /// may read all of it.
    public var deliversPartialEvents: Bool
    /// To what expiries of subjects are rounded up (A.9.1).
    public var expiryGranularity: Duration
    public var announcements: AnnouncementSettings
    /// The template of subjects that token integration adds (A.8).
    public var tokenSubject: String

    public init(
        namespaceRoots: NamespaceRoots = .none, creation: CreationRules = .open, preventsLockout: Bool = true,
        deliversPartialEvents: Bool = true, expiryGranularity: Duration = .seconds(3600),
        announcements: AnnouncementSettings = AnnouncementSettings(),
        tokenSubject: String = "integration:{{policy-entry:label}}:{{jwt:aud}}"
    ) {
        self.namespaceRoots = namespaceRoots
        self.creation = creation
        self.preventsLockout = preventsLockout
        self.deliversPartialEvents = deliversPartialEvents
        self.expiryGranularity = expiryGranularity
        self.announcements = announcements
        self.tokenSubject = tokenSubject
    }
}

/// How the removal of subjects is announced (A.9.2).
public struct AnnouncementSettings: Sendable, Equatable {
    /// To what `beforeExpiry` is rounded up, one of it at least.
    public var granularity: Duration
    /// Over how long announcements are spread where a subject does not say.
    public var randomizationInterval: Duration
    /// How long an expired subject whose announcement nobody has acknowledged stays.
    public var gracePeriod: Duration
    /// The longest wait for acknowledgements.
    public var longestWait: Duration
    /// Whether removals are announced at all where a subject asks for it.
    public var announcesDeletions: Bool
    /// The first and the longest pause before an announcement is repeated.
    public var retryPauses: ClosedRange<Duration>

    public init(
        granularity: Duration = .seconds(60), randomizationInterval: Duration = .seconds(300),
        gracePeriod: Duration = .seconds(4 * 3600), longestWait: Duration = .seconds(60),
        announcesDeletions: Bool = true, retryPauses: ClosedRange<Duration> = .seconds(1) ... .seconds(3600)
    ) {
        self.granularity = granularity
        self.randomizationInterval = randomizationInterval
        self.gracePeriod = gracePeriod
        self.longestWait = longestWait
        self.announcesDeletions = announcesDeletions
        self.retryPauses = retryPauses
    }
}
