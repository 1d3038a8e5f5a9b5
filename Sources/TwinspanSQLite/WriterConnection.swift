// A connection that writes one of the store's files. It belongs to the C API alone: GRDB watches the transactions of
// its own connections and does not allow others to end them.
import GRDBSQLite
import TwinspanEngine

/// An owned connection of the C API. Used by one thread only.
final class WriterConnection {
    let handle: OpaquePointer

    /// - Parameter isSynced: whether every transaction is on the disk when it has returned.
    init(path: String, isSynced: Bool) throws(StoreFailure) {
        var opened: OpaquePointer?
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX
        let code = sqlite3_open_v2(path, &opened, flags, nil)
        guard let opened else { throw StoreFailure(code: code, message: "out of memory") }
        handle = opened
        guard code == SQLITE_OK else {
            throw StoreFailure(code: code, message: String(cString: sqlite3_errmsg(opened)))
        }
        sqlite3_extended_result_codes(handle, 1)
        sqlite3_busy_timeout(handle, 5000)
        try run("PRAGMA synchronous = \(isSynced ? "FULL" : "NORMAL")")
        // Checkpoints are the checkpointer's work; a commit never pays for one.
        try run("PRAGMA wal_autocheckpoint = 0")
        try run("PRAGMA journal_size_limit = \(Checkpointer.restartBytes)")
        // Small: the journal is only appended to, and rows that are not here are in the system's own cache.
        try run("PRAGMA cache_size = -1000")
    }

    deinit { sqlite3_close_v2(handle) }

    /// Runs statements without parameters or results.
    func run(_ sql: String) throws(StoreFailure) {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else {
            throw StoreFailure(
                code: sqlite3_extended_errcode(handle), message: String(cString: sqlite3_errmsg(handle)))
        }
    }

    /// The integers of the first row of a query; nil when it has no row or its first column is NULL.
    func integers(_ sql: String, _ arguments: Int64...) throws(StoreFailure) -> [Int64]? {
        let statement = try Statement(handle, sql)
        for (index, argument) in arguments.enumerated() { statement.bind(Int32(index + 1), argument) }
        let code = sqlite3_step(statement.handle)
        guard code == SQLITE_ROW else {
            try statement.check(code)
            return nil
        }
        guard sqlite3_column_type(statement.handle, 0) != SQLITE_NULL else { return nil }
        return (0..<sqlite3_column_count(statement.handle)).map { sqlite3_column_int64(statement.handle, $0) }
    }

    /// The text of the first column of the first row; nil without a row.
    func text(_ sql: String) throws(StoreFailure) -> String? {
        let statement = try Statement(handle, sql)
        let code = sqlite3_step(statement.handle)
        guard code == SQLITE_ROW else {
            try statement.check(code)
            return nil
        }
        return sqlite3_column_text(statement.handle, 0).map { String(cString: $0) }
    }

    /// The text of the first column of all rows.
    func strings(_ sql: String) throws(StoreFailure) -> [String] {
        var result: [String] = []
        try Statement(handle, sql).each { row throws(StoreFailure) in result.append(row.string(0) ?? "") }
        return result
    }

    /// Number of rows the last statement changed.
    var changeCount: Int { Int(sqlite3_changes(handle)) }

    /// Moves the pages of the log to their place, syncs them, and lets the log start from its beginning. Returns false
    /// when a reader still needed the log; the next round tries again.
    ///
    /// - Parameter patienceMilliseconds: how long to wait for a reader; 0 on the thread that commits.
    @discardableResult
    func checkpoint(patienceMilliseconds: Int32) -> Bool {
        sqlite3_busy_timeout(handle, patienceMilliseconds)
        defer { sqlite3_busy_timeout(handle, 5000) }
        return sqlite3_wal_checkpoint_v2(handle, nil, SQLITE_CHECKPOINT_RESTART, nil, nil) == SQLITE_OK
    }

    /// Ends a transaction that has failed, unless SQLite has done so already.
    func rollBack() {
        // The connection is closed after a failure whatever this says: the transaction is gone either way.
        if sqlite3_get_autocommit(handle) == 0 { sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }
    }
}
