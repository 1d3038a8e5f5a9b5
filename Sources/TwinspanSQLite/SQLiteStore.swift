// The embedded store: two SQLite files in WAL mode. The journal has one writer, the committer's thread, and is synced
// with every commit; the rows have another, the row writer's thread, and follow. So no commit ever waits for a row.
// Readers have connections of their own through GRDB, checkpoints of the journal a thread and connection of theirs.
import Foundation
import GRDB
import Synchronization
public import TwinspanEngine
import TwinspanJSON
public import TwinspanProtocol

/// How durable a commit is.
public enum Durability: String, Sendable, CaseIterable {
    /// A committed change survives a power cut: every commit is synced to the disk.
    case full
    /// A committed change survives a crash of the process; a power cut may take the last moments.
    case os
}

/// The store of one data directory.
public final class SQLiteStore: TwinStore {
    /// What is open between `open` and `close` and may be used by any thread.
    struct Connections {
        let twins: DatabasePool
        let journal: DatabasePool
        let checkpointer: Checkpointer
    }

    private let directory: DataDirectory
    private let durability: Durability
    let connections = Mutex<Connections?>(nil)
    // The writers are confined to the threads that `TwinStore` names; opening and closing excludes both.
    nonisolated(unsafe) private var writer: WriterConnection?
    nonisolated(unsafe) private(set) var recordWriter: RecordWriter?
    nonisolated(unsafe) private var journalWriter: JournalWriter?
    nonisolated(unsafe) private var journalIndex: JournalIndex?
    nonisolated(unsafe) private var rowTables: RowTables?
    /// Position and sequence of the journal's first record, for its size; confined to the committer's thread.
    nonisolated(unsafe) private var journalStart: (sequence: Int64, position: Int64) = (0, 0)
    nonisolated(unsafe) private var lastSequence: Int64 = 0
    /// `RowTables.durableCursor`, for the committer's thread.
    private let durableRows = Atomic<Int64>(0)
    /// The first record that is left, for the row writer's thread.
    private let firstSequence = Atomic<Int64>(0)
    nonisolated(unsafe) private var purgedBefore: Int64 = 0
    /// Whether retention waits for rows to become durable.
    private let isTrimWaiting = Atomic<Bool>(false)
    /// What has to be restored when a commit that was refused has reached the disk; outlives the connections.
    nonisolated(unsafe) private let undo = RecordUndo()
    /// `RecordWriter.loads`, for all threads.
    let recordLoads = Mutex(RecordLoads())
    private let measures = Mutex(StoreMeasures())

    /// Takes the data directory; creates it when it is missing. Throws when another process holds it.
    public init(directory path: String, durability: Durability) throws(StoreFailure) {
        directory = try DataDirectory(path)
        self.durability = durability
    }

    // MARK: Writer

    public func open(discardingAfter committed: Int64?) throws(StoreFailure) -> StorePosition {
        do throws(StoreFailure) {
            return try openFiles(discardingAfter: committed)
        } catch {
            throw directory.explaining(error)
        }
    }

    private func openFiles(discardingAfter committed: Int64?) throws(StoreFailure) -> StorePosition {
        if committed != nil { directory.dropBallast() }
        for schema in Schema.allCases { try asStoreFailure { try prepareFile(schema) } }
        let writer = try WriterConnection(path: directory.path(of: .journal), isSynced: durability == .full)
        let rows = try WriterConnection(path: directory.path(of: .twins), isSynced: false)
        let records = try RecordWriter(writer, undo: undo)
        if let committed { try records.discard(after: committed) }
        let tables = try RowTables(rows, path: directory.path(of: .twins))
        durableRows.store(tables.durableCursor, ordering: .releasing)
        let last = try writer.integers("SELECT max(sequence) FROM journal")?[0] ?? 0
        // Retention may have emptied the journal; then the rows are complete and tell where it ended.
        lastSequence = max(last, tables.cursor, records.position.newestSequence, records.position.trimmed)
        try readJournalStart(writer)
        if journalStart.sequence > lastSequence { try records.noteEmptied(upTo: lastSequence) }
        firstSequence.store(records.position.trimmed + 1, ordering: .releasing)
        try records.readLoads(keeping: recordLoads.withLock { $0.deadLettersExpired })
        publishLoads(records)
        journalWriter = try JournalWriter(writer, position: try lastPosition(writer), records: records)
        recordWriter = records
        journalIndex = try JournalIndex(rows)
        rowTables = tables
        self.writer = writer
        let opened = try asStoreFailure { try openReaders() }
        connections.withLock { $0 = opened }
        if committed == nil { directory.reserveBallast() }
        updateMeasures()
        return StorePosition(
            lastSequence: lastSequence, rowsCursor: tables.cursor,
            newestRecordID: records.position.newestID)
    }

    /// Creates a file or brings its schema up to date.
    private func prepareFile(_ schema: Schema) throws {
        var configuration = Configuration()
        configuration.busyMode = .timeout(5)
        let queue = try DatabaseQueue(path: directory.path(of: schema), configuration: configuration)
        try queue.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA page_size = \(schema.pageBytes)")
            try db.execute(sql: "PRAGMA journal_mode = WAL")
        }
        let migrator = schema.migrator
        if try queue.read({ try migrator.hasBeenSuperseded($0) }) {
            throw StoreFailure(
                kind: .newerVersion,
                description: "it was written by a newer version of the schema; this is version \(Schema.version)",
                hint: "Start the newer twinspan again, or restore a backup made before the upgrade.")
        }
        try migrator.migrate(queue)
        try queue.close()
    }

    private func openReaders() throws -> Connections {
        var configuration = Configuration()
        configuration.busyMode = .timeout(5)
        configuration.maximumReaderCount = 2
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA wal_autocheckpoint = 0")
            try db.execute(sql: "PRAGMA cache_size = -1000")
        }
        let path = directory.path(of: .journal)
        return Connections(
            twins: try DatabasePool(path: directory.path(of: .twins), configuration: configuration),
            journal: try DatabasePool(path: path, configuration: configuration),
            checkpointer: Checkpointer(
                database: try DatabaseQueue(path: path, configuration: configuration), path: path))
    }

    private func readJournalStart(_ writer: WriterConnection) throws(StoreFailure) {
        let first = try writer.integers("SELECT sequence, position FROM journal ORDER BY sequence LIMIT 1")
        if let first {
            journalStart = (first[0], first[1])
        } else {
            // The running total goes on where the last record stood, also when that record is gone.
            if let journalWriter {
                journalStart = (lastSequence + 1, journalWriter.position)
            } else {
                journalStart = (lastSequence + 1, try lastPosition(writer))
            }
        }
    }

    private func lastPosition(_ writer: WriterConnection) throws(StoreFailure) -> Int64 {
        try writer.integers("SELECT position FROM journal ORDER BY sequence DESC LIMIT 1")?[0] ?? 0
    }

    public func close() {
        // What is not indexed yet is indexed after the next start.
        journalIndex = nil
        journalWriter = nil
        recordWriter = nil
        writer = nil
        rowTables?.makeDurable()
        rowTables = nil
        let closing = connections.withLock { connections in
            defer { connections = nil }
            return connections
        }
        closing?.checkpointer.stop()
        // The pools are only let go: a reader may be inside one of them, and a pool that is closed under a reader
        // crashes. Their connections close with the last reader that is left.
    }

    public func commit(_ batch: CommitBatch) throws(StoreFailure) {
        guard let journalWriter else { throw Self.closedFailure }
        let wasEmpty = journalStart.sequence > lastSequence
        try journalWriter.commit(batch)
        lastSequence = batch.lastSequence
        if wasEmpty {
            // Only what has a row begins the journal.
            let index = batch.changes.firstIndex { !$0.isRecords }
            journalStart.sequence = batch.firstSequence + Int64(index ?? batch.changes.count)
        }
        if batch.recordCount > 0 { publishLoads(journalWriter.records) }
    }

    /// Shows all threads how much is stored beside events.
    func publishLoads(_ records: RecordWriter) {
        let loads = records.loads
        recordLoads.withLock { $0 = loads }
    }

    public func write(_ rows: RowBatch) throws(StoreFailure) {
        guard let rowTables else { throw Self.closedFailure }
        try rowTables.write(rows)
        // A journal that may not be trimmed would outgrow its retention.
        if isTrimWaiting.exchange(false, ordering: .acquiringAndReleasing) { rowTables.makeDurable() }
        durableRows.store(rowTables.durableCursor, ordering: .releasing)
        try indexJournal(upTo: rows.cursor)
    }

    /// Brings the index of the journal closer to its end; called behind the rows, on their thread.
    private func indexJournal(upTo committed: Int64) throws(StoreFailure) {
        guard let journalIndex else { return }
        while let due = journalIndex.due(upTo: committed) {
            try journalIndex.add(upTo: due.upperBound) { add throws(StoreFailure) in
                try read(\.journal) { db in
                    let rows = try Row.fetchCursor(
                        db,
                        sql: """
                            SELECT entity, kind, revision, sequence FROM journal WHERE sequence BETWEEN ? AND ?
                            ORDER BY entity, kind, revision
                            """, arguments: [due.lowerBound, due.upperBound])
                    while let row = try rows.next() {
                        try add(JournalIndex.Entry(entity: row[0], kind: row[1], revision: row[2], sequence: row[3]))
                    }
                }
            }
        }
        let first = firstSequence.load(ordering: .acquiring)
        if first != purgedBefore {
            purgedBefore = first
            journalIndex.journalWasTrimmed()
        }
        try journalIndex.purge(before: first)
    }

    public func probe() throws(StoreFailure) {
        guard let writer else { throw Self.closedFailure }
        // The file must really take new pages, and a sync must succeed, before commands are taken again.
        try writer.run(
            "DROP TABLE IF EXISTS probe; BEGIN IMMEDIATE; CREATE TABLE probe (bytes BLOB);"
                + " INSERT INTO probe VALUES (zeroblob(65536)); COMMIT")
        try writer.run("DROP TABLE probe")
    }

    public func trimJournal(
        _ retention: JournalRetention, now: Timestamp, limit: Int
    ) throws(StoreFailure) -> Int {
        guard let journalWriter, let recordWriter, let writer else { throw Self.closedFailure }
        let oldest = now.milliseconds - Int64(retention.age / .milliseconds(1))
        let excess = journalWriter.position - journalStart.position - retention.bytes
        let durable = durableRows.load(ordering: .acquiring)
        // By size or by age: when all that may go is gone, the rest waits for its rows to become durable.
        if journalStart.sequence > durable, journalStart.sequence <= lastSequence {
            isTrimWaiting.store(true, ordering: .releasing)
        }
        // Only as many records as one transaction may delete are looked at, from the journal's start.
        // Not as many sequences: records beside events leave gaps.
        let last = try writer.integers(
            """
            SELECT max(sequence) FROM
                (SELECT sequence, position, time FROM journal WHERE sequence <= ? ORDER BY sequence LIMIT ?)
            WHERE position <= ? OR time < ?
            """,
            min(retention.keepAbove, durable), Int64(limit),
            excess > 0 ? journalStart.position + excess : -1, oldest)
        guard let last else { return 0 }
        let count = try recordWriter.trimJournal(upTo: last[0])
        try readJournalStart(writer)
        firstSequence.store(last[0] + 1, ordering: .releasing)
        measures.withLock { $0.firstSequence = last[0] + 1 }
        return count
    }

    public func maintain() throws(StoreFailure) {
        let checkpointer = connections.withLock { $0?.checkpointer }
        guard let checkpointer, checkpointer.isDue() else { return }
        updateMeasures()
        directory.restoreBallast()
        // Copying pages is done; what is left is short and must happen between two commits (see `Checkpointer`).
        if checkpointer.mayRestart { checkpointer.restart { writer?.checkpoint(patienceMilliseconds: 0) } }
    }

    private func updateMeasures() {
        let bytes = (journalWriter?.position ?? 0) - journalStart.position
        // Every sequence was given to an event or to records, and trimming counts what it deletes.
        let position = recordWriter?.position ?? RecordPosition()
        let records = max(lastSequence - position.count - position.trimmedCount, 0)
        let fileBytes = Schema.allCases.reduce(Int64(0)) { sum, schema in
            let path = directory.path(of: schema)
            return sum + DataDirectory.size(of: path) + DataDirectory.size(of: path + "-wal")
        }
        measures.withLock { measures in
            measures.journalBytes = max(bytes, 0)
            measures.journalRecords = records
            measures.fileBytes = fileBytes
            measures.firstSequence = position.trimmed + 1
        }
    }

    static let closedFailure = StoreFailure(kind: .other, description: "the store is closed")

    // MARK: Readers

    public func thing(_ id: ThingID) throws(StoreFailure) -> ThingState? {
        try read(\.twins) { db in
            let statement = try db.cachedStatement(
                sql: "SELECT policy, revision, created, modified, json, metadata FROM thing WHERE id = ?")
            guard let row = try Row.fetchOne(statement, arguments: [id.text]) else { return nil }
            let policy: String = row[0] ?? ""
            return ThingState(
                policyID: policy.isEmpty ? nil : try PolicyID(policy), revision: row[1],
                created: Timestamp(milliseconds: row[2]), modified: Timestamp(milliseconds: row[3]),
                text: Self.text(row, 4), metadata: Self.text(row, 5))
        }
    }

    public func policy(_ id: PolicyID) throws(StoreFailure) -> PolicyState? {
        try read(\.twins) { db in
            let statement = try db.cachedStatement(
                sql: "SELECT revision, created, modified, json FROM policy WHERE id = ?")
            guard let row = try Row.fetchOne(statement, arguments: [id.text]) else { return nil }
            return try PolicyState(
                id: id, revision: row[0], created: Timestamp(milliseconds: row[1]),
                modified: Timestamp(milliseconds: row[2]), text: Self.text(row, 3))
        }
    }

    public func policiesDue(
        before instant: Timestamp, after last: DuePolicy?, limit: Int
    ) throws(StoreFailure) -> [DuePolicy] {
        try read(\.twins) { db in
            let statement = try db.cachedStatement(
                sql: "SELECT id, due FROM policy WHERE due <= ? AND (due, id) > (?, ?) ORDER BY due, id LIMIT ?")
            let rows = try Row.fetchCursor(
                statement,
                arguments: [instant.milliseconds, last?.due.milliseconds ?? .min, last?.id.text ?? "", limit])
            var due: [DuePolicy] = []
            while let row = try rows.next() {
                let id: String = row[0]
                due.append(DuePolicy(id: try PolicyID(id), due: Timestamp(milliseconds: row[1])))
            }
            return due
        }
    }

    public func journal(after sequence: Int64, limit: Int) throws(StoreFailure) -> [JournalRecord] {
        try read(\.journal) { db in
            let statement = try db.cachedStatement(
                sql: """
                    SELECT sequence, kind, entity, revision, action, time, path, value, metadata, headers
                    FROM journal WHERE sequence > ? ORDER BY sequence LIMIT ?
                    """)
            let rows = try Row.fetchCursor(statement, arguments: [sequence, limit])
            var records: [JournalRecord] = []
            while let row = try rows.next() { records.append(try Self.journalRecord(row)) }
            return records
        }
    }

    public func measure() -> StoreMeasures { measures.withLock { $0 } }

    public var records: any RecordStore { self }

    private static func journalRecord(_ row: Row) throws -> JournalRecord {
        var record = try record(row)
        if let bytes = row.bytes(9) {
            let kept = try KeptHeaders(bytes: bytes)
            record.headers = kept.headers
            record.origin = kept.origin
        }
        return record
    }

    private static func record(_ row: Row) throws -> JournalRecord {
        let sequence: Int64 = row[0]
        let actionNumber: Int64 = row[4]
        guard let action = ThingEvent.Action(rawValue: UInt8(truncatingIfNeeded: actionNumber)) else {
            throw StoreFailure(kind: .corrupt, description: "unknown action \(actionNumber) at sequence \(sequence)")
        }
        let entity: String = row[2]
        let time = Timestamp(milliseconds: row[5])
        let kind: Int64 = row[1]
        switch kind {
        case JournalKind.thing:
            let path: String = row[6]
            return JournalRecord(
                sequence: sequence,
                content: .thing(
                    ThingEvent(
                        thingID: try ThingID(entity), action: action, path: try JSONPointer(parsing: path),
                        value: text(row, 7), revision: row[3], timestamp: time, metadata: text(row, 8))))
        case JournalKind.policy:
            // Subject ids and resource keys may hold slashes, so paths of policies have a reader of their own.
            let path: String = row[6]
            return JournalRecord(
                sequence: sequence,
                content: .policy(
                    PolicyEvent(
                        policyID: try PolicyID(entity), action: action, path: try JSONPointer(policyPath: path),
                        value: text(row, 7), revision: row[3], timestamp: time)))
        default:
            throw StoreFailure(kind: .corrupt, description: "unknown kind \(kind) at sequence \(sequence)")
        }
    }

    /// JSON bytes of a column; they were validated before they were stored.
    private static func text(_ row: Row, _ column: Int) -> JSONText? {
        let bytes: Data? = row[column]
        return bytes.map { JSONText(uncheckedBytes: [UInt8]($0)) }
    }

    func read<Value>(
        _ file: KeyPath<Connections, DatabasePool>, _ body: (Database) throws -> Value
    ) throws(StoreFailure) -> Value {
        guard let readers = connections.withLock({ $0?[keyPath: file] }) else { throw Self.closedFailure }
        return try asStoreFailure { try readers.read(body) }
    }
}
