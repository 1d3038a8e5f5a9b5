// What the engine needs of a store for records: readers, how much there is, and what retention removes.
public import TwinspanProtocol

/// The part of a store that holds records. Readers may be called by any thread between `TwinStore.open` and `close`,
/// the writers by the thread that leads the commits. Records themselves are written by `TwinStore.commit`.
public protocol RecordStore: AnyObject, Sendable {
    // Readers.

    /// The inbox of a connection, oldest first.
    func inbox(of connection: ConnectionID) throws(StoreFailure) -> [InboxMessage]
    /// Dead letters, newest first.
    func deadLetters(_ query: DeadLetterQuery) throws(StoreFailure) -> [DeadLetter]
    /// One dead letter; nil when there is none with this id.
    func deadLetter(_ id: Int64) throws(StoreFailure) -> DeadLetter?
    /// Places in the journal by name.
    func cursors() throws(StoreFailure) -> [String: Int64]
    /// Places in brokers' logs of one reader of a connection, by topic and partition.
    func positions(of connection: ConnectionID, reader: String) throws(StoreFailure) -> [StoredPosition]
    /// Connections made over HTTP, by id.
    func storedConnections() throws(StoreFailure) -> [StoredConnection]
    /// What the subjects of a policy were told of their removal.
    func announcements(of policy: PolicyID) throws(StoreFailure) -> [StoredAnnouncement]
    /// What was told to subjects that are gone and have not acknowledged it.
    func announcementsOfRemoved() throws(StoreFailure) -> [StoredAnnouncement]
    /// How much there is, as of the newest commit. Reads no file; after `close` it stays as it was.
    var loads: RecordLoads { get }

    // Writers.

    /// Removes the oldest dead letters that retention does not keep, at most `limit`; returns how many went.
    func trimDeadLetters(_ retention: DeadLetterRetention, now: Timestamp, limit: Int) throws(StoreFailure) -> Int
    /// Notes that readers were claimed at this time, and removes others that were last claimed before `deadline`;
    /// returns how many went.
    func noteClaims(of readers: Set<String>, now: Timestamp, deadline: Timestamp) throws(StoreFailure) -> Int
    /// The same for connections and their places in brokers' logs; returns of how many connections they went.
    func noteClaims(
        ofPositions connections: Set<ConnectionID>, now: Timestamp, deadline: Timestamp
    ) throws(StoreFailure) -> Int
}

/// How much is stored beside events. An inbox or a set of dead letters that is empty is not listed.
public struct RecordLoads: Sendable, Equatable {
    public var inbox: [ConnectionID: RecordLoad] = [:]
    public var deadLetters: [ConnectionID: RecordLoad] = [:]
    /// The places in the journal by name.
    public var cursors: [String: Int64] = [:]
    /// The connections that have places in brokers' logs, or had some since the store was opened.
    public var positionOwners: Set<ConnectionID> = []
    /// Dead letters that had to go for others since the process began.
    public var deadLettersExpired = 0
    public init() {}
}

/// For stores that hold no records.
public final class NoRecords: RecordStore {
    public init() {}
    public func inbox(of connection: ConnectionID) throws(StoreFailure) -> [InboxMessage] { [] }
    public func deadLetters(_ query: DeadLetterQuery) throws(StoreFailure) -> [DeadLetter] { [] }
    public func deadLetter(_ id: Int64) throws(StoreFailure) -> DeadLetter? { nil }
    public func cursors() throws(StoreFailure) -> [String: Int64] { [:] }
    public func positions(of connection: ConnectionID, reader: String) throws(StoreFailure) -> [StoredPosition] { [] }
    public func storedConnections() throws(StoreFailure) -> [StoredConnection] { [] }
    public func announcements(of policy: PolicyID) throws(StoreFailure) -> [StoredAnnouncement] { [] }
    public func announcementsOfRemoved() throws(StoreFailure) -> [StoredAnnouncement] { [] }
    public var loads: RecordLoads { RecordLoads() }
    public func trimDeadLetters(
        _ retention: DeadLetterRetention, now: Timestamp, limit: Int
    ) throws(StoreFailure) -> Int { 0 }
    public func noteClaims(
        of readers: Set<String>, now: Timestamp, deadline: Timestamp
    ) throws(StoreFailure) -> Int { 0 }
    public func noteClaims(
        ofPositions connections: Set<ConnectionID>, now: Timestamp, deadline: Timestamp
    ) throws(StoreFailure) -> Int { 0 }
}
