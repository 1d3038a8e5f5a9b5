// What the engine needs of a store. The journal is the truth; rows are a projection that is written behind, with a
// cursor that says up to which sequence they are complete (design: storage).
public import TwinspanProtocol

/// A durable store of one engine.
///
/// Threads: everything under "writer" is called by the thread that leads the commits, one call at a time; `write` by
/// the row writer's thread, never while the store is opened or closed. Everything under "readers" may be called by
/// any thread at any time between `open` and `close`.
public protocol TwinStore: AnyObject, Sendable {
    // Writer.

    /// Opens the store, migrates its schema, and returns where it stands. Records behind `committed` are deleted first:
    /// a failed commit may have reached the disk although it was refused to everyone.
    func open(discardingAfter committed: Int64?) throws(StoreFailure) -> StorePosition
    /// Closes the store; nothing may be called on it until it is opened again.
    func close()
    /// Appends a batch to the journal, durably and in one transaction. After it has thrown, nothing of it counts as
    /// stored, and the store must be closed and opened before anything else is written.
    func commit(_ batch: CommitBatch) throws(StoreFailure)
    /// Writes rows and their cursor. They need not be durable at once: the journal has them.
    func write(_ rows: RowBatch) throws(StoreFailure)
    /// Writes and syncs a few bytes, to learn whether the store accepts changes again.
    func probe() throws(StoreFailure)
    /// Deletes at most `limit` records from the journal's start that retention no longer keeps; returns how many went.
    func trimJournal(_ retention: JournalRetention, now: Timestamp, limit: Int) throws(StoreFailure) -> Int
    /// Does a little of the work that can wait: the index of the journal, and bringing pages to their final place.
    func maintain() throws(StoreFailure)

    // Readers.

    /// The row of a thing; nil when there is none. May lag behind the journal; the engine knows what is newer.
    func thing(_ id: ThingID) throws(StoreFailure) -> ThingState?
    /// The row of a policy.
    func policy(_ id: PolicyID) throws(StoreFailure) -> PolicyState?
    /// The rows of policies with a subject that may be due up to an instant (`PolicyState.due`), earliest first, at
    /// most `limit`, behind `last`. Finds them without looking at the others.
    func policiesDue(
        before instant: Timestamp, after last: DuePolicy?, limit: Int
    ) throws(StoreFailure) -> [DuePolicy]
    /// Journal records with a sequence greater than `sequence`, oldest first, at most `limit`.
    func journal(after sequence: Int64, limit: Int) throws(StoreFailure) -> [JournalRecord]
    /// Sizes for metrics.
    func measure() -> StoreMeasures
    /// What is stored beside events. Written by `commit`.
    var records: any RecordStore { get }
}

/// A policy with a subject that is to be announced or removed.
public struct DuePolicy: Sendable, Equatable {
    public var id: PolicyID
    /// Not later than the moment at which there is something to do.
    public var due: Timestamp
    public init(id: PolicyID, due: Timestamp) {
        self.id = id
        self.due = due
    }
}

/// Where a store stands when it is opened.
public struct StorePosition: Sendable, Equatable {
    /// The newest sequence that was given to an event or to records; 0 for a new store.
    public var lastSequence: Int64
    /// Rows are complete up to this sequence.
    public var rowsCursor: Int64
    /// The greatest id of an inbox message or dead letter that was ever stored; 0 when there was none.
    public var newestRecordID: Int64
    public init(lastSequence: Int64, rowsCursor: Int64, newestRecordID: Int64 = 0) {
        self.lastSequence = lastSequence
        self.rowsCursor = rowsCursor
        self.newestRecordID = newestRecordID
    }
}

/// A batch of changes with consecutive sequences.
public struct CommitBatch: Sendable {
    /// The sequence of the first change.
    public var firstSequence: Int64
    public var changes: [TwinChange]
    /// How many of the changes are records. They have sequences as all others, but no row in the journal.
    public var recordCount = 0
    /// Whether the headers of events are stored with them.
    public var keepsHeaders = false
    /// The time of the commit; given with records only.
    public var time = Timestamp(milliseconds: 0)
    /// How many bytes of dead letters stay when others are put.
    public var deadLetterBytes = Int64.max
    public init(firstSequence: Int64, changes: [TwinChange]) {
        self.firstSequence = firstSequence
        self.changes = changes
    }
    /// The sequence of the last change; one less than the first when the batch is empty.
    public var lastSequence: Int64 { firstSequence + Int64(changes.count) - 1 }
}

/// Rows to write, and the cursor that holds once they are written.
public struct RowBatch: Sendable {
    public var things: [(id: ThingID, state: ThingState)] = []
    public var policies: [(id: PolicyID, state: PolicyState)] = []
    public var cursor: Int64
    public init(cursor: Int64) { self.cursor = cursor }
    public var count: Int { things.count + policies.count }
}

/// One record as it stands in the journal.
public struct JournalRecord: Sendable {
    public enum Content: Sendable {
        case thing(ThingEvent)
        case policy(PolicyEvent)
    }
    public var sequence: Int64
    public var content: Content
    /// The headers of its event; nil when they were not kept (`TwinEngine.keepsEventHeaders`).
    public var headers: DittoHeaders?
    /// The connection it came in through; nil also when headers were not kept.
    public var origin: ConnectionID?
    public init(sequence: Int64, content: Content, headers: DittoHeaders? = nil, origin: ConnectionID? = nil) {
        self.sequence = sequence
        self.content = content
        self.headers = headers
        self.origin = origin
    }
}

/// How much of the journal is kept. Whatever it says, records that the rows do not have durably are kept.
public struct JournalRetention: Sendable, Equatable {
    /// The most bytes of records.
    public var bytes: Int64
    /// The greatest age of a record.
    public var age: Duration
    /// Records above this sequence are kept whatever their size: a cursor still needs them.
    public var keepAbove: Int64
    public init(bytes: Int64, age: Duration, keepAbove: Int64 = .max) {
        self.bytes = bytes
        self.age = age
        self.keepAbove = keepAbove
    }
}

/// Sizes of a store.
public struct StoreMeasures: Sendable, Equatable {
    public var journalBytes: Int64 = 0
    public var journalRecords: Int64 = 0
    public var fileBytes: Int64 = 0
    /// Everything from this sequence on is still in the journal; what was before it has been trimmed.
    public var firstSequence: Int64 = 1
    public init() {}
}

/// Why the store could not do something.
public struct StoreFailure: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Kind: String, Sendable {
        /// No space left on the device or in the quota.
        case full
        /// Reading, writing or syncing failed.
        case inputOutput = "io"
        /// The file is not a store, or damaged.
        case corrupt
        /// Written by a newer version.
        case newerVersion = "newer-version"
        /// Someone else holds it.
        case locked
        case other
    }
    public var kind: Kind
    public var description: String
    /// What to do about it.
    public var hint: String?
    public init(kind: Kind, description: String, hint: String? = nil) {
        self.kind = kind
        self.description = description
        self.hint = hint
    }
}
