// Records in and out of the engine.
public import TwinspanProtocol

extension TwinEngine {
    /// Queues records; they are durable with the ticket, in one transaction with whatever is queued at that time.
    /// When the store is closed the ticket is rejected and nothing is kept.
    public func keep(_ records: [StoreRecord]) -> CommitTicket {
        ticket(0)
    }

    /// An id for an inbox message or a dead letter, greater than all before it, also than those of earlier processes.
    public func makeRecordID() -> Int64 {
        0
    }

    /// The committed inbox of a connection, oldest first. Reads from the store.
    public func inbox(of connection: ConnectionID) throws(StoreFailure) -> [InboxMessage] {
        []
    }

    /// The committed dead letters, newest first. Reads from the store.
    public func deadLetters(_ query: DeadLetterQuery) throws(StoreFailure) -> [DeadLetter] {
        []
    }

    /// One dead letter with its payload; nil when it is gone.
    public func deadLetter(_ id: Int64) throws(StoreFailure) -> DeadLetter? {
        nil
    }

    /// Number, bytes and time of the oldest of the dead letters, by connection. Cheap: kept in memory.
    public var deadLetterLoad: [ConnectionID: RecordLoad] {
        [:]
    }

    /// The same of the inbox.
    public var inboxLoad: [ConnectionID: RecordLoad] {
        [:]
    }

    /// The committed places in the journal.
    public func cursors() throws(StoreFailure) -> [String: Int64] {
        [:]
    }

    /// The committed connections that were made over HTTP, by id.
    public func storedConnections() throws(StoreFailure) -> [StoredConnection] {
        []
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
