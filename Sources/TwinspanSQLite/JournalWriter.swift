// The hot path of the store: one transaction per commit, with prepared statements of the C API on a connection of its
// own (why not GRDB's: ARCHITECTURE.md, "The store").
import GRDBSQLite
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol

/// Writes batches. Owned by the committer's thread, and only valid while its connection is open.
final class JournalWriter {
    private let owner: WriterConnection
    private let begin: Statement
    private let end: Statement
    private let insertRecord: Statement
    /// The same with the headers of the event; apart, so that what is not kept costs nothing.
    private let insertWithHeaders: Statement
    let records: RecordWriter
    /// Running total of record bytes, stored with every record.
    private(set) var position: Int64
    /// The path of the record that is being written; kept for its memory.
    private var pathText: [UInt8] = []

    init(_ owner: WriterConnection, position: Int64, records: RecordWriter) throws(StoreFailure) {
        self.owner = owner
        self.records = records
        let connection = owner.handle
        self.position = position
        begin = try Statement(connection, "BEGIN IMMEDIATE")
        end = try Statement(connection, "COMMIT")
        insertRecord = try Statement(
            connection,
            "INSERT INTO journal (sequence, kind, entity, revision, action, time, path, value, position, metadata)"
                + " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        insertWithHeaders = try Statement(
            connection,
            "INSERT INTO journal"
                + " (sequence, kind, entity, revision, action, time, path, value, position, metadata, headers)"
                + " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
    }

    /// Appends a batch in one transaction.
    func commit(_ batch: CommitBatch) throws(StoreFailure) {
        let positionBefore = position
        records.begin(batch.firstSequence)
        try begin.run()
        do throws(StoreFailure) {
            var sequence = batch.firstSequence
            for change in batch.changes {
                try insert(change, sequence, batch)
                sequence += 1
            }
            if records.hasChanges { try records.finish(batch) }
            try end.run()
        } catch {
            position = positionBefore
            owner.rollBack()
            records.rolledBack()
            throw error
        }
        records.committed()
    }

    private func insert(_ change: TwinChange, _ sequence: Int64, _ batch: CommitBatch) throws(StoreFailure) {
        let statement = batch.keepsHeaders ? insertWithHeaders : insertRecord
        statement.bind(1, sequence)
        if batch.keepsHeaders, !change.isRecords {
            let headers = KeptHeaders(of: change).bytes
            position += Int64(headers.count)
            statement.bind(11, copying: headers)
        }
        switch change.content {
        case .thing(let event, _):
            try insert(
                statement, JournalKind.thing, event.thingID.text, event.revision, event.action, event.timestamp,
                event.path, event.value, event.metadata)
        case .policy(let event, _):
            try insert(
                statement, JournalKind.policy, event.policyID.text, event.revision, event.action, event.timestamp,
                event.path, event.value)
        case .records(let content): try records.apply(content, sequence, at: batch.time)
        }
    }

    private func insert(
        _ statement: Statement, _ kind: Int64, _ entity: String, _ revision: Int64, _ action: ThingEvent.Action,
        _ time: Timestamp, _ path: JSONPointer, _ value: JSONText?, _ metadata: JSONText? = nil
    ) throws(StoreFailure) {
        pathText.removeAll(keepingCapacity: true)
        path.appendText(to: &pathText)
        position += Int64(
            40 + entity.utf8.count + pathText.count + (value?.bytes.count ?? 0) + (metadata?.bytes.count ?? 0))
        statement.bind(2, kind)
        statement.bind(4, revision)
        statement.bind(5, Int64(action.rawValue))
        statement.bind(6, time.milliseconds)
        statement.bind(9, position)
        // The texts are bound without a copy, so they must stay where they are until the statement has run.
        var entity = entity
        let code = entity.withUTF8 { entity in
            pathText.withUnsafeBufferPointer { path in
                statement.bind(3, text: entity)
                statement.bind(7, text: path)
                return statement.step(withBlobs: value?.bytes, at: 8, metadata?.bytes, at: 10)
            }
        }
        try statement.check(code)
    }
}
