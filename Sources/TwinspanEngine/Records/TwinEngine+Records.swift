// Records in and out of the engine.
import Synchronization
public import TwinspanProtocol

extension TwinEngine {
    /// Queues records; they are durable with the ticket, in one transaction with whatever is queued at that time. The
    /// records of one call are always in one transaction.
    ///
    /// `CommitTicket.refused` when the store is closed, or so much waits for a commit that there is no room; nothing is
    /// kept then. When the ticket is rejected later, because the commit has failed, nothing of it is stored either and
    /// everything that was there before is there again: the caller has to keep it again when the engine is open.
    ///
    /// - Parameter commitsSoon: wakes the committer. Left out by sessions, which lead the commit of their batch
    ///   themselves (`commit(_:patience:)`); without either the commit starts up to half a second later.
    public func keep(_ records: [StoreRecord], commitsSoon: Bool = false) -> CommitTicket {
        let kept = withoutOversized(records)
        guard !kept.isEmpty else { return recordIntake.withLock { $0 } ? ticket(0) : .refused }
        let change = TwinChange(
            content: .records(kept), headers: DittoHeaders(), originator: nil, origin: nil, enforcer: nil,
            madeAt: clock.monotonic)
        let given = recordIntake.withLock { isOpen -> CommitTicket in
            guard isOpen, queue.room == .free else { return .refused }
            // The epoch cannot change while the intake is held.
            return ticket(queue.append(change))
        }
        if commitsSoon, given != .refused { queue.wakeCommitter() }
        return given
    }

    private func withoutOversized(_ records: [StoreRecord]) -> [StoreRecord] {
        let most = settings.deadLetters.bytes / 4
        func isOversized(_ record: StoreRecord) -> Bool {
            if case .deadLetterPut(let letter) = record { Int64(letter.byteCount) > most } else { false }
        }
        let count = records.count { isOversized($0) }
        guard count > 0 else { return records }
        metrics.deadLettersExpired(count)
        return records.filter { !isOversized($0) }
    }

    /// An id for an inbox message or a dead letter, greater than all before it, also than those of earlier processes.
    /// Follows the time of day as far as that goes forward (milliseconds · 1,024), and the greatest id that was ever
    /// stored where it does not; exact in a JSON number.
    public func makeRecordID() -> Int64 {
        let latest: Int64 = 1 << 52
        let byTime = min(max(clock.now.milliseconds, 0), latest >> 10) << 10
        var newest = newestRecordID.load(ordering: .acquiring)
        while true {
            let (done, original) = newestRecordID.compareExchange(
                expected: newest, desired: max(newest + 1, byTime), ordering: .acquiringAndReleasing)
            if done { return max(newest + 1, byTime) }
            newest = original
        }
    }

    /// The committed inbox of a connection, oldest first. Reads from the store.
    public func inbox(of connection: ConnectionID) throws(StoreFailure) -> [InboxMessage] {
        try store.records.inbox(of: connection)
    }

    /// The committed dead letters with their payloads, newest first. Reads from the store.
    public func deadLetters(_ query: DeadLetterQuery) throws(StoreFailure) -> [DeadLetter] {
        try store.records.deadLetters(query)
    }

    /// One dead letter with its payload; nil when it is gone.
    public func deadLetter(_ id: Int64) throws(StoreFailure) -> DeadLetter? {
        try store.records.deadLetter(id)
    }

    /// Number, bytes and time of the oldest of the dead letters, by connection. Cheap: kept in memory.
    public var deadLetterLoad: [ConnectionID: RecordLoad] { store.records.loads.deadLetters }

    /// The same of the inbox.
    public var inboxLoad: [ConnectionID: RecordLoad] { store.records.loads.inbox }

    /// The committed places in the journal.
    public func cursors() throws(StoreFailure) -> [String: Int64] {
        try store.records.cursors()
    }

    /// The committed connections that were made over HTTP, by id.
    public func storedConnections() throws(StoreFailure) -> [StoredConnection] {
        try store.records.storedConnections()
    }
}

/// How much of something is stored.
public struct RecordLoad: Sendable, Equatable {
    public var count: Int
    public var bytes: Int64
    public var oldest: Timestamp?
    public init(count: Int = 0, bytes: Int64 = 0, oldest: Timestamp? = nil) {
        self.count = count
        self.bytes = bytes
        self.oldest = oldest
    }
}
