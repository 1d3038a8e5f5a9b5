// The state of a policy as the engine keeps it. Compiled once per revision into an enforcer that every command of every
// thing under it asks.
public import TwinspanJSON
public import TwinspanPolicies
public import TwinspanProtocol

extension PolicyLimits {
    /// The limits of a policy's structure; its size is the engine's to judge, whose limit can be configured.
    static let structure = PolicyLimits(sizeBytes: 0, imports: PolicyLimits.standard.imports)
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

    /// The state after `event`. Throws when the event cannot follow this state.
    public func applying(_ event: PolicyEvent) throws(InconsistentEvent) -> PolicyState {
        guard event.revision == revision + 1 else {
            throw InconsistentEvent(
                description: "event of revision \(event.revision) follows revision \(revision) of \(event.policyID)")
        }
        do throws(TwinspanError) {
            return try PolicyState(
                id: event.policyID, revision: event.revision, created: text == nil ? event.timestamp : created,
                modified: event.timestamp, text: event.value)
        } catch {
            throw InconsistentEvent(description: "the policy of \(event.policyID) cannot be read: \(error.message)")
        }
    }
}
