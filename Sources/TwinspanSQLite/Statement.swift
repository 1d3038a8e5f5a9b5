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

    /// Binds a number that may be absent.
    func bind(_ index: Int32, optional number: Int64?) {
        if let number { bind(index, number) } else { sqlite3_bind_null(handle, index) }
    }

    /// Binds a copy of text that may be absent. For what is not on the path of every message.
    func bind(_ index: Int32, copying text: String?) {
        guard var text else {
            sqlite3_bind_null(handle, index)
            return
        }
        text.withUTF8 { buffer in
            let start = UnsafeRawPointer(buffer.baseAddress)?.assumingMemoryBound(to: CChar.self)
            sqlite3_bind_text(handle, index, start ?? Self.nothing, Int32(buffer.count), Self.copied)
        }
    }

    /// Binds a copy of bytes; an empty array is an empty blob, not NULL.
    func bind(_ index: Int32, copying bytes: [UInt8]) {
        if bytes.isEmpty {
            sqlite3_bind_zeroblob(handle, index, 0)
        } else {
            sqlite3_bind_blob(handle, index, bytes, Int32(bytes.count), Self.copied)
        }
    }

    /// Binds a copy of the bytes of text that may be absent.
    func bind(_ index: Int32, bytesOf text: String?) {
        if let text { bind(index, copying: Array(text.utf8)) } else { sqlite3_bind_null(handle, index) }
    }

    /// SQLite's mark for what it has to copy before the call returns.
    private static let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
    nonisolated(unsafe) private static let nothing: UnsafePointer<CChar> = {
        let place = UnsafeMutablePointer<CChar>.allocate(capacity: 1)
        place.initialize(to: 0)
        return UnsafePointer(place)
    }()

    /// Reads the first row of the result, if there is one, and makes the statement ready for the next run.
    func first<Value>(
        _ read: (Statement) throws(StoreFailure) -> Value
    ) throws(StoreFailure) -> Value? {
        defer { sqlite3_reset(handle) }
        let code = sqlite3_step(handle)
        guard code == SQLITE_ROW else {
            try check(code)
            return nil
        }
        return try read(self)
    }

    /// Reads all rows of the result one by one.
    func each(_ read: (Statement) throws(StoreFailure) -> Void) throws(StoreFailure) {
        defer { sqlite3_reset(handle) }
        while true {
            let code = sqlite3_step(handle)
            guard code == SQLITE_ROW else { return try check(code) }
            try read(self)
        }
    }

    /// Runs the statement to its end and makes it ready for the next run.
    func run() throws(StoreFailure) {
        try check(step())
    }

    /// The same, and gives the copies of what was bound back.
    func runAndForget() throws(StoreFailure) {
        let code = step()
        sqlite3_clear_bindings(handle)
        try check(code)
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
