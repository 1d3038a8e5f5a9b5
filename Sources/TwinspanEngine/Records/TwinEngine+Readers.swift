// Readers of the journal: durable targets that go on from a place of their own. Their cursors hold back the trimming of
// the journal, up to twice its size; a reader that is further behind finds that it has missed something.
import Synchronization
public import TwinspanPolicies
public import TwinspanProtocol

/// How a thing stands at present, for whoever sends events of its past.
public struct ThingPresence: Sendable {
    /// Its committed state; without text when it was deleted.
    public let state: ThingState
    /// The policy as it is now, or that a deleted thing had; nil when it does not exist any more.
    public let enforcer: PolicyEnforcer?
}

extension TwinEngine {
    /// Whether the headers of events are kept in the journal, for readers that send them later. Holds for what is
    /// committed from now on.
    public var keepsEventHeaders: Bool {
        get { eventHeadersKept.load(ordering: .relaxed) }
        set { eventHeadersKept.store(newValue, ordering: .relaxed) }
    }

    /// Whether events go to those who may read a part of the thing (`AccessSettings.deliversPartialEvents`).
    public var deliversPartialEvents: Bool { settings.access.deliversPartialEvents }

    /// The oldest sequence that is still in the journal. A reader whose cursor is smaller than the one before it has
    /// missed what was in between.
    public var firstSequence: Int64 { store.measure().firstSequence }

    /// Committed events with a sequence greater than `sequence`, oldest first, at most `limit`. Sequences have gaps,
    /// where records were kept. Reads from the store; for any thread that may block.
    public func journal(after sequence: Int64, limit: Int) throws(StoreFailure) -> [JournalRecord] {
        // What stands behind it may still be refused.
        let committed = gate.committed
        guard sequence < committed else { return [] }
        var records = try store.journal(after: sequence, limit: limit)
        if let end = records.firstIndex(where: { $0.sequence > committed }) { records.removeSubrange(end...) }
        return records
    }

    /// Says that somebody works for the reader of this name, until `releaseReader`. The cursor of a reader that nobody
    /// has claimed for `EngineSettings.orphanedReaderAge` is forgotten.
    public func claimReader(_ name: String) {
        readerClaims.withLock { _ = $0.insert(name) }
    }

    /// Nobody works for the reader any more; its cursor is kept for a while.
    public func releaseReader(_ name: String) {
        readerClaims.withLock { _ = $0.remove(name) }
    }

    /// The committed present of a thing that exists or has existed. May read from the store, and waits at most
    /// `patience` for a commit that is under way: only for threads that may block. Throws `things:thing.unavailable`.
    public func presence(of id: ThingID, patience: Duration) throws(TwinspanError) -> ThingPresence {
        // Loads the thing, then its policies; more rounds only when one of them is let go meanwhile, or is taken back.
        for _ in 0..<Self.loadRounds {
            let failure: StoreFailure?
            switch lookForPresence(of: id) {
            case .closed: throw ThingErrorTable.unavailable.error()
            case .needsThing: failure = load(id)
            case .needsPolicies(let ids): failure = load(ids)
            case .found(let presence, let ticket):
                switch gate.wait(for: ticket, patience: patience) {
                case .committed: return presence
                case .pending: throw ThingErrorTable.unavailable.error("The thing was not committed in time.")
                case .rejected: failure = nil
                }
            }
            if let failure {
                throw ThingErrorTable.unavailable.error("The store cannot be read: \(failure.description).")
            }
        }
        throw ThingErrorTable.unavailable.error()
    }

    private enum PresenceLook {
        case closed
        case needsThing
        case needsPolicies([PolicyID])
        case found(ThingPresence, CommitTicket)
    }

    private func lookForPresence(of id: ThingID) -> PresenceLook {
        shards[shardIndex(of: id)].content.withLock { content in
            guard content.isOpen else { return .closed }
            guard let slot = content.cache.slot(of: id) else { return .needsThing }
            let entry = content.cache[slot]
            guard let policyID = entry.state.policyID else {
                return .found(ThingPresence(state: entry.state, enforcer: nil), ticket(entry.sequence))
            }
            switch policies.loaded(policyID) {
            case .needs(let ids): return .needsPolicies(ids)
            case .known(let enforcer, let sequence):
                let presence = ThingPresence(state: entry.state, enforcer: enforcer)
                return .found(presence, ticket(max(entry.sequence, sequence)))
            }
        }
    }
}
