// Changes that become durable together with records of their own: the effects of a batch that was read from a broker's
// log, and the place up to which it was read. A commit that took a part of the batch without the place would carry it
// out twice after a crash, one that took the place without the batch would lose it.
import Synchronization
public import TwinspanProtocol

/// A group of changes and records of one thread.
public struct CommitGroup: Sendable {
    fileprivate let id: Int64
}

extension TwinEngine {
    /// From now on, what the calling thread changes or keeps is committed in one transaction, with what `close` is
    /// given. Nil when the store is closed or too much waits for a commit.
    ///
    /// From the first change of the group until its end nothing behind it is committed, so the thread hurries: it does
    /// nothing meanwhile that takes time, and does not wait for a commit.
    public func openGroup() -> CommitGroup? {
        recordIntake.withLock { isOpen in
            guard isOpen else { return nil }
            return queue.openGroup().map { CommitGroup(id: $0) }
        }
    }

    /// Ends a group with its last records. `CommitTicket.refused` when a commit has failed meanwhile: then nothing of
    /// the group is kept.
    public func close(_ group: CommitGroup, keeping records: [StoreRecord]) -> CommitTicket {
        let change = TwinChange(
            content: .records(records), headers: DittoHeaders(), originator: nil, origin: nil, enforcer: nil,
            madeAt: clock.monotonic)
        return recordIntake.withLock { _ in
            // A group that is whole has seen no failed commit, so the epoch is the one it was opened in; it cannot
            // change while the intake is held.
            queue.closeGroup(group.id, with: change).map { ticket($0) } ?? .refused
        }
    }

    /// Ends a group without anything of it. What it has changed is in the shards already and others may build on it,
    /// so it is treated as after a failed commit: everything that is not committed is refused, and the store opened
    /// anew. A group that has changed nothing ends without that.
    ///
    /// - Parameter failure: why, for whoever asks for the engine's condition meanwhile.
    public func abandon(_ group: CommitGroup, because failure: StoreFailure) {
        if queue.dropGroup(group.id) { return }
        leadership.withLock { _ in
            if queue.dropGroup(group.id) { return }
            reject(failure)
            needsRecovery.store(true, ordering: .releasing)
            _ = queue.dropGroup(group.id)
        }
        queue.wakeCommitter()
    }

    // MARK: Places in brokers' logs

    /// The committed places of one reader of a connection. Whatever was queued before is committed, or refused and
    /// gone, when they are read; waits at most `patience` for that. For threads that may block.
    public func positions(
        of connection: ConnectionID, reader: String, patience: Duration
    ) throws(StoreFailure) -> [StoredPosition] {
        let newest = recordIntake.withLock { isOpen in isOpen ? ticket(queue.newestSequence) : .refused }
        // Left to the committer: who leads a round himself waits as long as the disk does.
        queue.wakeCommitter()
        switch gate.wait(for: newest, patience: patience) {
        case .committed: return try store.records.positions(of: connection, reader: reader)
        case .pending:
            throw StoreFailure(kind: .other, description: "what was read before is not committed yet")
        case .rejected:
            if case .closed(let failure) = condition { throw failure }
            throw StoreFailure(kind: .other, description: "the store does not take changes")
        }
    }

    /// Says that somebody works for the connection's places in logs, until `releasePositions`. Those that nobody has
    /// claimed for `EngineSettings.orphanedReaderAge` are forgotten.
    public func claimPositions(of connection: ConnectionID) {
        positionClaims.withLock { _ = $0.insert(connection) }
    }

    /// Nobody works for them any more; they are kept for a while.
    public func releasePositions(of connection: ConnectionID) {
        positionClaims.withLock { _ = $0.remove(connection) }
    }
}
