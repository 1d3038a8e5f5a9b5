// What is stored beside events: messages that wait, messages that died, places in the journal and in brokers' logs,
// connections made over HTTP. Records go through the same queue and the same transactions as events, so a ticket covers
// both.
public import TwinspanProtocol

/// A broker message as it came in, kept to be carried out again or to be looked at.
public struct KeptMessage: Sendable {
    public var connection: ConnectionID
    /// Index of its source, counted from 0.
    public var source: Int
    public var address: String
    public var payload: [UInt8]
    public var headers: [(name: String, value: String)]
    public var qos: UInt8
    public var isRetained: Bool
    public var receivedAt: Timestamp
    /// Whether the transport said that the payload is bytes and no text.
    public var isBinary: Bool

    public init(
        connection: ConnectionID, source: Int, address: String, payload: [UInt8],
        headers: [(name: String, value: String)], qos: UInt8, isRetained: Bool, receivedAt: Timestamp,
        isBinary: Bool = false
    ) {
        self.connection = connection
        self.source = source
        self.address = address
        self.payload = payload
        self.headers = headers
        self.qos = qos
        self.isRetained = isRetained
        self.receivedAt = receivedAt
        self.isBinary = isBinary
    }

    /// Bytes that bounds count for it.
    public var byteCount: Int {
        128 + payload.count + address.utf8.count
            + headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 8 }
    }
}

/// A message whose signals wait for acknowledgements or answers, or that will be carried out again (design: settlement
/// and the inbox).
public struct InboxMessage: Sendable {
    /// Unique in the store; later messages have greater ones.
    public var id: Int64
    public var message: KeptMessage
    /// How often it has been carried out.
    public var attempts: Int
    /// When it is carried out again; nil while its signals wait.
    public var nextAttemptAt: Timestamp?
    /// Why the last attempt failed.
    public var lastError: String?

    public init(
        id: Int64, message: KeptMessage, attempts: Int, nextAttemptAt: Timestamp? = nil, lastError: String? = nil
    ) {
        self.id = id
        self.message = message
        self.attempts = attempts
        self.nextAttemptAt = nextAttemptAt
        self.lastError = lastError
    }

    /// Bytes that bounds count for it.
    public var byteCount: Int { message.byteCount + (lastError?.utf8.count ?? 0) }
}

/// A message that can never succeed, or has exhausted its attempts.
public struct DeadLetter: Sendable {
    /// Unique in the store; later ones have greater ones.
    public var id: Int64
    public var message: KeptMessage
    public var attempts: Int
    public var diedAt: Timestamp
    /// Where it ended: `enforcement`, `mapping`, `command`, …
    public var stage: String
    public var error: TwinspanError
    public var correlationID: String?

    public init(
        id: Int64, message: KeptMessage, attempts: Int, diedAt: Timestamp, stage: String, error: TwinspanError,
        correlationID: String?
    ) {
        self.id = id
        self.message = message
        self.attempts = attempts
        self.diedAt = diedAt
        self.stage = stage
        self.error = error
        self.correlationID = correlationID
    }

    /// Bytes that its retention counts for it.
    public var byteCount: Int {
        message.byteCount + stage.utf8.count + error.message.utf8.count + (error.description?.utf8.count ?? 0)
            + (correlationID?.utf8.count ?? 0)
    }
}

/// The next record that a connection takes from one partition of a broker's log.
public struct StoredPosition: Sendable, Hashable {
    public var connection: ConnectionID
    /// Who reads, within the connection; for Kafka the consumer group.
    public var reader: String
    public var topic: String
    public var partition: Int32
    /// Of the next record, not of the last.
    public var offset: Int64

    public init(connection: ConnectionID, reader: String, topic: String, partition: Int32, offset: Int64) {
        self.connection = connection
        self.reader = reader
        self.topic = topic
        self.partition = partition
        self.offset = offset
    }
}

/// A connection made over HTTP.
public struct StoredConnection: Sendable {
    public var id: ConnectionID
    public var revision: Int64
    public var created: Timestamp
    public var modified: Timestamp
    /// Its JSON, secrets encrypted.
    public var text: [UInt8]

    public init(id: ConnectionID, revision: Int64, created: Timestamp, modified: Timestamp, text: [UInt8]) {
        self.id = id
        self.revision = revision
        self.created = created
        self.modified = modified
        self.text = text
    }
}

/// What a subject of a policy was told of its removal (spec/policies-search.md A.9.2).
public struct StoredAnnouncement: Sendable, Hashable {
    public var policyID: PolicyID
    /// The subject as `WatchedSubject.key` writes it: another expiry or announcement is another subject.
    public var subject: String
    /// Nil while the subject is there: it needs no announcement any more. Otherwise the subject is gone since, and the
    /// announcement of that is not acknowledged yet.
    public var deleteAt: Timestamp?

    public init(policyID: PolicyID, subject: String, deleteAt: Timestamp? = nil) {
        self.policyID = policyID
        self.subject = subject
        self.deleteAt = deleteAt
    }
}

/// A change of what is stored beside events.
public enum StoreRecord: Sendable {
    /// Puts a message into the inbox, or replaces it.
    case inboxPut(InboxMessage)
    case inboxRemove(id: Int64)
    /// Adds a dead letter; the oldest go when there are too many (`DeadLetterRetention`).
    case deadLetterPut(DeadLetter)
    case deadLetterRemove(id: Int64)
    /// Keeps a place in the journal, under a name, from which it is read on. The journal is kept from there.
    case cursorPut(name: String, sequence: Int64)
    case cursorRemove(name: String)
    /// Keeps the place in a broker's log, in the commit of what was read up to there.
    case positionPut(StoredPosition)
    /// Forgets the place of this reader in this partition, whatever its offset.
    case positionRemove(StoredPosition)
    case connectionPut(StoredConnection)
    case connectionRemove(ConnectionID)
    case announcementPut(StoredAnnouncement)
    /// Forgets what this subject was told, whatever it was.
    case announcementRemove(StoredAnnouncement)

    /// Bytes a queue counts for it.
    public var byteCount: Int {
        switch self {
        case .inboxPut(let message): message.byteCount
        case .deadLetterPut(let letter): letter.byteCount
        case .connectionPut(let connection): 128 + connection.text.count
        case .cursorPut(let name, _): 64 + name.utf8.count
        case .positionPut(let position), .positionRemove(let position):
            64 + position.reader.utf8.count + position.topic.utf8.count
        case .announcementPut(let announcement), .announcementRemove(let announcement):
            64 + announcement.policyID.text.utf8.count + announcement.subject.utf8.count
        case .inboxRemove, .deadLetterRemove, .cursorRemove, .connectionRemove: 64
        }
    }
}

/// How many dead letters are kept; whichever is reached first. The oldest go, a bounded number per transaction, so for
/// a moment there may be more. A letter is kept whole or not at all: one that is larger than a quarter of `bytes` is
/// not kept, because it would push out too many others. Both are counted (`EngineMetrics.Snapshot.deadLettersExpired`).
public struct DeadLetterRetention: Sendable, Equatable {
    public var bytes: Int64
    public var age: Duration
    public init(bytes: Int64 = 64 << 20, age: Duration = .seconds(7 * 86_400)) {
        self.bytes = bytes
        self.age = age
    }
}

/// Which dead letters are asked for.
public struct DeadLetterQuery: Sendable {
    public var connection: ConnectionID?
    /// Only those with a smaller id, for the next page: the newest come first.
    public var before: Int64?
    /// The most letters of a page. It may have fewer when they are large; the last page is empty.
    public var limit: Int
    public init(connection: ConnectionID? = nil, before: Int64? = nil, limit: Int = 100) {
        self.connection = connection
        self.before = before
        self.limit = limit
    }
}
