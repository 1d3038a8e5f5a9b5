// Reads records from the columns of a row, whether the writer's connection or a reader of GRDB has it.
import Foundation
import GRDB
import GRDBSQLite
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol

/// A row of a result.
protocol StoredColumns {
    func integer(_ index: Int) -> Int64?
    func string(_ index: Int) -> String?
    func bytes(_ index: Int) -> [UInt8]?
}

extension Row: StoredColumns {
    func integer(_ index: Int) -> Int64? { self[index] }
    func string(_ index: Int) -> String? { self[index] }
    func bytes(_ index: Int) -> [UInt8]? {
        let data: Data? = self[index]
        return data.map { [UInt8]($0) }
    }
}

extension Statement: StoredColumns {
    func integer(_ index: Int) -> Int64? {
        let column = Int32(index)
        return sqlite3_column_type(handle, column) == SQLITE_NULL ? nil : sqlite3_column_int64(handle, column)
    }

    func string(_ index: Int) -> String? {
        bytes(index).map { String(decoding: $0, as: UTF8.self) }
    }

    func bytes(_ index: Int) -> [UInt8]? {
        let column = Int32(index)
        guard sqlite3_column_type(handle, column) != SQLITE_NULL else { return nil }
        guard let start = sqlite3_column_blob(handle, column) else { return [] }
        return [UInt8](UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column))))
    }
}

/// Columns of the tables in the order in which they are read and written.
enum RecordColumns {
    private static let message = "source, address, qos, retained, received, headers, payload, binary"
    static let inbox = "id, connection, bytes, attempts, next_attempt, error, \(message)"
    static let deadLetter = "id, connection, bytes, attempts, died, stage, correlation, error, \(message)"
    static let connection = "id, revision, created, modified, text"
    static let positionKey = "connection, reader, topic, partition"
    static let position = "\(positionKey), next"

    static let announcementKey = "policy, subject"
    static let announcement = "\(announcementKey), delete_at"

    static func inboxMessage(_ row: some StoredColumns) throws(StoreFailure) -> InboxMessage {
        InboxMessage(
            id: row.integer(0) ?? 0, message: try message(row, from: 6), attempts: Int(row.integer(3) ?? 0),
            nextAttemptAt: row.integer(4).map { Timestamp(milliseconds: $0) }, lastError: text(row, 5))
    }

    static func deadLetter(_ row: some StoredColumns) throws(StoreFailure) -> DeadLetter {
        DeadLetter(
            id: row.integer(0) ?? 0, message: try message(row, from: 8), attempts: Int(row.integer(3) ?? 0),
            diedAt: Timestamp(milliseconds: row.integer(4) ?? 0), stage: row.string(5) ?? "",
            error: try error(row.bytes(7) ?? []), correlationID: text(row, 6))
    }

    static func storedConnection(_ row: some StoredColumns) throws(StoreFailure) -> StoredConnection {
        StoredConnection(
            id: try connectionID(row.string(0)), revision: row.integer(1) ?? 0,
            created: Timestamp(milliseconds: row.integer(2) ?? 0),
            modified: Timestamp(milliseconds: row.integer(3) ?? 0), text: row.bytes(4) ?? [])
    }

    private static func message(_ row: some StoredColumns, from first: Int) throws(StoreFailure) -> KeptMessage {
        KeptMessage(
            connection: try connectionID(row.string(1)), source: Int(row.integer(first) ?? 0),
            address: text(row, first + 1) ?? "", payload: row.bytes(first + 6) ?? [],
            headers: try headers(row.bytes(first + 5) ?? []),
            qos: UInt8(truncatingIfNeeded: row.integer(first + 2) ?? 0), isRetained: row.integer(first + 3) == 1,
            receivedAt: Timestamp(milliseconds: row.integer(first + 4) ?? 0), isBinary: row.integer(first + 7) == 1)
    }

    static func position(_ row: some StoredColumns) throws(StoreFailure) -> StoredPosition {
        StoredPosition(
            connection: try connectionID(row.string(0)), reader: text(row, 1) ?? "", topic: text(row, 2) ?? "",
            partition: Int32(truncatingIfNeeded: row.integer(3) ?? 0), offset: row.integer(4) ?? 0)
    }

    static func storedAnnouncement(_ row: some StoredColumns) throws(StoreFailure) -> StoredAnnouncement {
        do throws(TwinspanError) {
            return StoredAnnouncement(
                policyID: try PolicyID(row.string(0) ?? ""), subject: text(row, 1) ?? "",
                deleteAt: row.integer(2).map { Timestamp(milliseconds: $0) })
        } catch {
            throw StoreFailure(kind: .corrupt, description: "an announcement has no policy: \(error.message)")
        }
    }

    /// Text of a peer, which is kept as bytes.
    private static func text(_ row: some StoredColumns, _ index: Int) -> String? {
        row.bytes(index).map { String(decoding: $0, as: UTF8.self) }
    }

    static func connectionID(_ text: String?) throws(StoreFailure) -> ConnectionID {
        do throws(TwinspanError) {
            return try ConnectionID(text ?? "")
        } catch {
            throw StoreFailure(kind: .corrupt, description: "a record has no connection: \(error.message)")
        }
    }

    // MARK: JSON

    /// `[["name","value"],…]`: an array, because names may repeat.
    static func text(of headers: [(name: String, value: String)]) -> [UInt8] {
        var output = [UInt8(ascii: "[")]
        for (index, header) in headers.enumerated() {
            output += Array((index == 0 ? "[" : ",[").utf8)
            JSONText.writeString(header.name, into: &output)
            output.append(UInt8(ascii: ","))
            JSONText.writeString(header.value, into: &output)
            output.append(UInt8(ascii: "]"))
        }
        output.append(UInt8(ascii: "]"))
        return output
    }

    private static func headers(_ bytes: [UInt8]) throws(StoreFailure) -> [(name: String, value: String)] {
        // Whatever is wrong with it, the answer is the same.
        guard let pairs = try? JSONValue.parse(bytes).array else { throw corrupt("headers") }
        var headers: [(name: String, value: String)] = []
        headers.reserveCapacity(pairs.count)
        for pair in pairs {
            guard let pair = pair.array, pair.count == 2, let name = pair[0].string, let value = pair[1].string else {
                throw corrupt("headers")
            }
            headers.append((name, value))
        }
        return headers
    }

    private static func error(_ bytes: [UInt8]) throws(StoreFailure) -> TwinspanError {
        // Whatever is wrong with it, the answer is the same.
        guard let object = try? JSONValue.parse(bytes).object, let code = object["error"]?.string,
            let status = object["status"]?.int64, let message = object["message"]?.string
        else { throw corrupt("error") }
        return TwinspanError(
            code: code, status: Int(status), message: message, description: object["description"]?.string,
            href: object["href"]?.string)
    }

    private static func corrupt(_ what: String) -> StoreFailure {
        StoreFailure(kind: .corrupt, description: "the \(what) of a record cannot be read")
    }
}
