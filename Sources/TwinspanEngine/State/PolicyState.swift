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

    /// Makes a state and compiles the policy. Throws when the stored text is not a policy.
    public init(
        id: PolicyID, revision: Int64, created: Timestamp, modified: Timestamp, text: JSONText?
    ) throws(TwinspanError) {
        self.revision = revision
        self.created = created
        self.modified = modified
        self.text = text
        enforcer = try text.map { text throws(TwinspanError) in
            PolicyEnforcer(try Policy.parse(text.value, id: id, limits: .structure), revision: revision)
        }
    }

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
    }
}
