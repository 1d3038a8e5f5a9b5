// The hot path of the store: one transaction per commit, with prepared statements of the C API. This is the one place
// that goes past GRDB; the figures are in ARCHITECTURE.md ("The store").
import GRDBSQLite
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol

/// Writes batches. Owned by the committer's thread, and only valid while its connection is open.
final class JournalWriter {
    private let owner: WriterConnection
    private let begin: Statement
    private let end: Statement
    private let rollback: Statement
    private let insertRecord: Statement
    private let upsertThing: Statement
    private let upsertPolicy: Statement
    private let setCursor: Statement
    /// Running total of record bytes, stored with every record.
    private(set) var position: Int64

    init(_ owner: WriterConnection, position: Int64) throws(StoreFailure) {
        self.owner = owner
        let connection = owner.handle
        self.position = position
        begin = try Statement(connection, "BEGIN IMMEDIATE")
        end = try Statement(connection, "COMMIT")
        rollback = try Statement(connection, "ROLLBACK")
        insertRecord = try Statement(
            connection,
            "INSERT INTO journal (sequence, kind, entity, revision, action, time, path, value, position)"
                + " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
        upsertThing = try Statement(
            connection,
            "INSERT INTO thing (id, policy, revision, created, modified, json) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
                + " ON CONFLICT (id) DO UPDATE SET policy = ?2, revision = ?3, created = ?4, modified = ?5, json = ?6")
        upsertPolicy = try Statement(
            connection,
            "INSERT INTO policy (id, revision, created, modified, json) VALUES (?1, ?2, ?3, ?4, ?5)"
                + " ON CONFLICT (id) DO UPDATE SET revision = ?2, created = ?3, modified = ?4, json = ?5")
        setCursor = try Statement(connection, "UPDATE cursor SET sequence = ? WHERE name = 'rows'")
    }

    /// Appends a batch and writes rows in one transaction.
    func commit(_ batch: CommitBatch, rows: RowBatch) throws(StoreFailure) {
        let positionBefore = position
        try begin.run()
        do throws(StoreFailure) {
            var sequence = batch.firstSequence
            for change in batch.changes {
                try insert(change, sequence)
                sequence += 1
            }
            if rows.count > 0 { try write(rows) }
            try end.run()
        } catch {
            position = positionBefore
            // The caller closes the connection whatever this says: the transaction is gone either way.
            if sqlite3_get_autocommit(owner.handle) == 0 { _ = sqlite3_step(rollback.handle) }
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
                event.path.isRoot ? "/" : event.path.description, event.value)
        case .policy(let event, _):
            try insert(
                statement, JournalKind.policy, event.policyID.text, event.revision, event.action, event.timestamp, "/",
                event.value)
        }
    }

    private func insert(
        _ statement: Statement, _ kind: Int64, _ entity: String, _ revision: Int64, _ action: ThingEvent.Action,
        _ time: Timestamp, _ path: String, _ value: JSONText?
    ) throws(StoreFailure) {
        position += Int64(40 + entity.utf8.count + path.utf8.count + (value?.bytes.count ?? 0))
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
                return statement.step(withBlob: value?.bytes, at: 8)
            }
        }
        try statement.check(code)
    }

    private func write(_ rows: RowBatch) throws(StoreFailure) {
        for (id, state) in rows.things {
            upsertThing.bind(3, state.revision)
            upsertThing.bind(4, state.created.milliseconds)
            upsertThing.bind(5, state.modified.milliseconds)
            var text = id.text
            var policy = state.policyID?.text ?? ""
            let code = text.withUTF8 { text in
                policy.withUTF8 { policy in
                    upsertThing.bind(1, text: text)
                    upsertThing.bind(2, text: policy)
                    return upsertThing.step(withBlob: state.text?.bytes, at: 6)
                }
            }
            try upsertThing.check(code)
        }
        for (id, state) in rows.policies {
            upsertPolicy.bind(2, state.revision)
            upsertPolicy.bind(3, state.created.milliseconds)
            upsertPolicy.bind(4, state.modified.milliseconds)
            var text = id.text
            let code = text.withUTF8 { text in
                upsertPolicy.bind(1, text: text)
                return upsertPolicy.step(withBlob: state.text?.bytes, at: 5)
            }
            try upsertPolicy.check(code)
        }
        setCursor.bind(1, rows.cursor)
        try setCursor.run()
    }
}

/// A prepared statement of the C API with exactly what the writer needs.
final class Statement {
    let handle: OpaquePointer
    private let connection: OpaquePointer

    init(_ connection: OpaquePointer, _ sql: String) throws(StoreFailure) {
        var handle: OpaquePointer?
        let code = sqlite3_prepare_v3(connection, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &handle, nil)
        guard code == SQLITE_OK, let handle else {
            throw StoreFailure(code: code, message: String(cString: sqlite3_errmsg(connection)))
        }
        self.handle = handle
        self.connection = connection
    }

    deinit { sqlite3_finalize(handle) }

    func bind(_ index: Int32, _ number: Int64) {
        sqlite3_bind_int64(handle, index, number)
    }

    /// Binds text without copying it; it must outlive the next step.
    func bind(_ index: Int32, text: UnsafeBufferPointer<UInt8>) {
        let start = UnsafeRawPointer(text.baseAddress)?.assumingMemoryBound(to: CChar.self)
        // SQLite takes a null pointer for NULL, so empty text needs an address.
        guard let start, !text.isEmpty else {
            sqlite3_bind_text(handle, index, "", 0, nil)
            return
        }
        sqlite3_bind_text(handle, index, start, Int32(text.count), nil)
    }

    /// Binds bytes without copying them and runs the statement while they are there.
    func step(withBlob bytes: [UInt8]?, at index: Int32) -> Int32 {
        guard let bytes else {
            sqlite3_bind_null(handle, index)
            return step()
        }
        return bytes.withUnsafeBytes { buffer in
            sqlite3_bind_blob(handle, index, buffer.baseAddress, Int32(buffer.count), nil)
            return step()
        }
    }

    /// Runs the statement to its end and makes it ready for the next run.
    func run() throws(StoreFailure) {
        try check(step())
    }

    private func step() -> Int32 {
        let code = sqlite3_step(handle)
        // Reset repeats the code of a failed step, which is already known.
        sqlite3_reset(handle)
        return code
    }

    func check(_ code: Int32) throws(StoreFailure) {
        guard code != SQLITE_DONE, code != SQLITE_ROW else { return }
        throw StoreFailure(
            code: sqlite3_extended_errcode(connection), message: String(cString: sqlite3_errmsg(connection)))
    }
}
