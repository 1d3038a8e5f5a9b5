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
    /// Running total of record bytes, stored with every record.
    private(set) var position: Int64

    init(_ owner: WriterConnection, position: Int64) throws(StoreFailure) {
        self.owner = owner
        let connection = owner.handle
        self.position = position
        begin = try Statement(connection, "BEGIN IMMEDIATE")
        end = try Statement(connection, "COMMIT")
        insertRecord = try Statement(
            connection,
            "INSERT INTO journal (sequence, kind, entity, revision, action, time, path, value, position, metadata)"
                + " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
    }

    /// Appends a batch in one transaction.
    func commit(_ batch: CommitBatch) throws(StoreFailure) {
        let positionBefore = position
        try begin.run()
        do throws(StoreFailure) {
            var sequence = batch.firstSequence
            for change in batch.changes {
                try insert(change, sequence)
                sequence += 1
            }
            try end.run()
        } catch {
            position = positionBefore
            owner.rollBack()
            throw error
        }
    }

    private func insert(_ change: TwinChange, _ sequence: Int64) throws(StoreFailure) {
        let statement = insertRecord
        statement.bind(1, sequence)
        switch change.content {
        case .thing(let event, _):
            try insert(
                statement, JournalKind.thing, event.thingID.text, event.revision, event.action, event.timestamp,
                event.path.isRoot ? "/" : event.path.description, event.value, event.metadata)
        case .policy(let event, _):
            try insert(
                statement, JournalKind.policy, event.policyID.text, event.revision, event.action, event.timestamp,
                event.path.isRoot ? "/" : event.path.description, event.value)
        }
    }

    private func insert(
        _ statement: Statement, _ kind: Int64, _ entity: String, _ revision: Int64, _ action: ThingEvent.Action,
        _ time: Timestamp, _ path: String, _ value: JSONText?, _ metadata: JSONText? = nil
    ) throws(StoreFailure) {
        position += Int64(
            40 + entity.utf8.count + path.utf8.count + (value?.bytes.count ?? 0) + (metadata?.bytes.count ?? 0))
        statement.bind(2, kind)
        statement.bind(4, revision)
        statement.bind(5, Int64(action.rawValue))
        statement.bind(6, time.milliseconds)
        statement.bind(9, position)
        // The texts are bound without a copy, so they must stay where they are until the statement has run.
        var entity = entity
        var path = path
        let code = entity.withUTF8 { entity in
            path.withUTF8 { path in
                statement.bind(3, text: entity)
                statement.bind(7, text: path)
                return statement.step(withBlobs: value?.bytes, at: 8, metadata?.bytes, at: 10)
            }
        }
        try statement.check(code)
    }
}
