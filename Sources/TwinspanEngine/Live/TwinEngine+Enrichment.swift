// What subscribers of the live channel add to signals: fields of the twin as it is committed (spec/http.md §12).
public import TwinspanJSON
public import TwinspanPolicies
public import TwinspanProtocol

/// A thing that extra fields are taken from.
public struct ThingSnapshot: Sendable {
    public let state: ThingState
    public let text: JSONText
    /// Decides what a subscriber may read of it.
    public let enforcer: PolicyEnforcer
}

extension TwinEngine {
    /// The committed state of a thing. May read from the store, and waits at most `patience` for a commit that is under
    /// way: only for threads that may block. Throws `things:thing.notfound` and `things:thing.unavailable`.
    public func committedThing(_ id: ThingID, patience: Duration) throws(TwinspanError) -> ThingSnapshot {
        // A rejected commit has taken back what was seen; what stands before it is found with the next look.
        for _ in 0..<3 {
            let facts = facts(about: id)
            switch gate.wait(for: facts.ticket, patience: patience) {
            case .committed:
                let known = try facts.result.get()
                guard let enforcer = known.enforcer else { throw .thingNotFound(id) }
                return ThingSnapshot(state: known.state, text: known.text, enforcer: enforcer)
            case .pending: throw ThingErrorTable.unavailable.error("The thing was not committed in time.")
            case .rejected: continue
            }
        }
        throw ThingErrorTable.unavailable.error()
    }
}
