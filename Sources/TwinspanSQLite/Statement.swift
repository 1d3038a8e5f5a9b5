// Prepared statements of the C API, for the two writers of the store.
import GRDBSQLite
import TwinspanEngine

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

    /// Binds bytes that may be absent without copying them; they must outlive the next step.
    func bind(_ index: Int32, blob: UnsafeRawBufferPointer?) {
        guard let blob else {
            sqlite3_bind_null(handle, index)
            return
        }
        sqlite3_bind_blob(handle, index, blob.baseAddress, Int32(blob.count), nil)
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

    /// As with one, with a second that is rarely there.
    func step(withBlobs first: [UInt8]?, at index: Int32, _ second: [UInt8]?, at other: Int32) -> Int32 {
        guard let second else {
            bind(other, blob: nil)
            return step(withBlob: first, at: index)
        }
        return second.withUnsafeBytes { buffer in
            bind(other, blob: buffer)
            return step(withBlob: first, at: index)
        }
    }

    /// Runs the statement to its end and makes it ready for the next run.
    func run() throws(StoreFailure) {
        try check(step())
    }

    /// Runs the statement with what is bound and makes it ready for the next run; returns the result code.
    func stepAndReset() -> Int32 { step() }

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
