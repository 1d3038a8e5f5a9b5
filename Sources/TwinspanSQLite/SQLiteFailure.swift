// Turns what SQLite says into what an operator can act upon.
import GRDB
import GRDBSQLite
import TwinspanEngine

extension StoreFailure {
    /// The disk or the quota is full.
    static let noSpace = StoreFailure(
        kind: .full, description: "no space is left for the data directory",
        hint: "Free space or raise the quota; the service resumes by itself.")

    /// The failure behind a result code and message of SQLite.
    init(code: Int32, message: String) {
        switch code & 0xFF {
        case SQLITE_FULL: self = .noSpace
        case SQLITE_IOERR:
            self.init(
                kind: .inputOutput, description: "the disk failed (\(message), code \(code))",
                hint: "Check the disk and its file system; the service resumes by itself when writing works again.")
        case SQLITE_CORRUPT, SQLITE_NOTADB:
            self.init(
                kind: .corrupt, description: "the file is damaged or not a store (\(message))",
                hint: "Restore the data directory from a backup; the file was not changed.")
        case SQLITE_BUSY, SQLITE_LOCKED:
            self.init(
                kind: .locked, description: "another program holds the store (\(message))",
                hint: "Stop the other program; nobody else may open the file.")
        case SQLITE_READONLY, SQLITE_CANTOPEN, SQLITE_PERM:
            self.init(
                kind: .inputOutput, description: "the store cannot be opened for writing (\(message))",
                hint: "Check the owner and the permissions of the data directory.")
        default:
            self.init(kind: .other, description: "\(message) (code \(code))")
        }
    }

    /// The failure behind any error that GRDB throws.
    init(_ error: any Error) {
        if let failure = error as? StoreFailure {
            self = failure
        } else if let error = error as? DatabaseError {
            self.init(code: error.extendedResultCode.rawValue, message: error.message ?? "no message")
        } else {
            self.init(kind: .other, description: "\(error)")
        }
    }
}

/// Runs a body that throws any error and turns it into a `StoreFailure`.
func asStoreFailure<Result>(_ body: () throws -> Result) throws(StoreFailure) -> Result {
    do {
        return try body()
    } catch {
        throw StoreFailure(error)
    }
}
