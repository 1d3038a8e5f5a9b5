// The state of a policy as the engine keeps it. Compiled once per revision into an enforcer that every command of every
// thing under it asks.
public import TwinspanJSON
public import TwinspanPolicies
public import TwinspanProtocol

extension PolicyLimits {
    /// The limits of a policy's structure; its size is the engine's to judge, whose limit can be configured.
    static let structure = PolicyLimits(sizeBytes: 0, imports: 0)
}

/// A policy at one revision, or the tombstone of a deleted one.
public struct PolicyState: Sendable {
    /// 0 for a policy that never was.
    public var revision: Int64
    public var created: Timestamp
    public var modified: Timestamp
    /// The policy's JSON, compact; nil when deleted or never made.
    public var text: JSONText?
    /// The compiled form; nil when there is no policy.
    public var enforcer: PolicyEnforcer?
    /// Not later than the first moment at which a subject has to be announced or removed, but for what settings add to
    /// it (`WatchedSubject.slack`); nil when no subject expires.
    public private(set) var due: Timestamp?
    /// Whether a subject wants to be told of its removal.
    private(set) var announcesRemovals = false

    /// Makes a state and compiles the policy. Throws when the stored text is not a policy.
    public init(
        id: PolicyID, revision: Int64, created: Timestamp, modified: Timestamp, text: JSONText?
    ) throws(TwinspanError) {
        self.revision = revision
        self.created = created
        self.modified = modified
        self.text = text
        let policy = try text.map { text throws(TwinspanError) in
            try Policy.parse(text.value, id: id, limits: .structure)
        }
        enforcer = policy.map { PolicyEnforcer($0, revision: revision) }
        if let policy { note(policy) }
    }

    private mutating func note(_ policy: Policy) {
        due = WatchedSubject.firstDue(in: policy)
        announcesRemovals = WatchedSubject.announcesRemovals(policy)
    }

    /// Whether changes of its subjects concern the watch over subjects.
    var isWatched: Bool { due != nil || announcesRemovals }

    private init() {
        revision = 0
        created = Timestamp(milliseconds: 0)
        modified = Timestamp(milliseconds: 0)
    }

    /// The state before the first event.
    public static let never = PolicyState()

    /// The state that an event leads to; `policy` and `text` are what `json(after:)` and `text(after:)` give.
    init(after before: PolicyState, _ event: PolicyEvent, _ policy: Policy?, text: JSONText?) {
        revision = event.revision
        created = before.text == nil ? event.timestamp : before.created
        modified = event.timestamp
        self.text = text
        enforcer = policy.map { PolicyEnforcer($0, revision: event.revision) }
        if let policy { note(policy) }
    }
}
