// The state of a policy as the engine keeps it. A policy that stands by itself is compiled once per revision into an
// enforcer that every command of every thing under it asks. One that builds on others is compiled by the shelf, which
// knows them (`PolicyShelf`).
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
    /// The compiled form of a policy that has neither imports nor references; nil for any other, and when there is no
    /// policy. Namespace roots may count beside it: only the shelf knows the enforcer that decides.
    public internal(set) var ownEnforcer: PolicyEnforcer?
    /// The policy as others build on it, read when the first of them is compiled; nil before.
    var parsed: ParsedPolicy?
    /// What the shelf has compiled of this policy and those it builds on; nil when that has still to be done.
    var form: PolicyForm?
    /// Not later than the first moment at which a subject has to be announced or removed, but for what settings add to
    /// it (`WatchedSubject.slack`); nil when no subject expires.
    public private(set) var due: Timestamp?
    /// Whether a subject wants to be told of its removal.
    private(set) var announcesRemovals = false

    /// Makes a state, and compiles the policy if it stands by itself. Throws when the stored text is not a policy.
    public init(
        id: PolicyID, revision: Int64, created: Timestamp, modified: Timestamp, text: JSONText?
    ) throws(TwinspanError) {
        self.revision = revision
        self.created = created
        self.modified = modified
        self.text = text
        guard let text else { return }
        let policy = try Policy.parse(text.value, id: id, limits: .structure)
        if !policy.needsResolution { ownEnforcer = PolicyEnforcer(policy, revision: revision) }
        note(policy)
    }

    private mutating func note(_ policy: Policy) {
        due = WatchedSubject.firstDue(in: policy)
        announcesRemovals = WatchedSubject.announcesRemovals(policy)
    }

    /// Whether changes of its subjects concern the watch over subjects.
    var isWatched: Bool { due != nil || announcesRemovals }

    /// The text that a change of the policy hands to the watch over subjects; nil when no subject concerns it.
    var watchedText: JSONText? { isWatched ? text : nil }

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
        guard let policy else { return }
        note(policy)
        if !policy.needsResolution { ownEnforcer = PolicyEnforcer(policy, revision: event.revision) }
        // Whoever has built on it before will do so again.
        if before.parsed != nil { parsed = ParsedPolicy(policy) }
    }
}

/// A policy behind a reference: nearly no state has one.
final class ParsedPolicy: Sendable {
    let policy: Policy

    init(_ policy: Policy) {
        self.policy = policy
    }

    /// Reads the text of a state; nil for what is no policy, which no state holds.
    convenience init?(_ text: JSONText, id: PolicyID) {
        // The text was read when the state was made, so there is no reason to be told.
        guard let policy = try? Policy.parse(text.value, id: id, limits: .structure) else { return nil }
        self.init(policy)
    }
}
