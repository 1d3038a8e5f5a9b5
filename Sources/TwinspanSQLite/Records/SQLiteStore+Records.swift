// What is stored beside events, for its readers.
import Foundation
import GRDB
import Synchronization
public import TwinspanEngine
public import TwinspanProtocol

extension SQLiteStore: RecordStore {
    /// Bytes of dead letters read for one page.
    private static let pageBytes = 8 << 20

    public func inbox(of connection: ConnectionID) throws(StoreFailure) -> [InboxMessage] {
        try read(\.journal) { db in
            let statement = try db.cachedStatement(
                sql: "SELECT \(RecordColumns.inbox) FROM inbox WHERE connection = ? ORDER BY id")
            let rows = try Row.fetchCursor(statement, arguments: [connection.text])
            var messages: [InboxMessage] = []
            while let row = try rows.next() { messages.append(try RecordColumns.inboxMessage(row)) }
            return messages
        }
    }

    public func deadLetters(_ query: DeadLetterQuery) throws(StoreFailure) -> [DeadLetter] {
        try read(\.journal) { db in
            let condition = query.connection == nil ? "" : "connection = ? AND"
            let statement = try db.cachedStatement(
                sql: "SELECT \(RecordColumns.deadLetter) FROM dead_letter WHERE \(condition) id < ?"
                    + " ORDER BY id DESC LIMIT ?")
            var arguments: StatementArguments = []
            if let connection = query.connection { arguments += [connection.text] }
            arguments += [query.before ?? .max, max(query.limit, 0)]
            let rows = try Row.fetchCursor(statement, arguments: arguments)
            var letters: [DeadLetter] = []
            var bytes = 0
            while bytes < Self.pageBytes, let row = try rows.next() {
                letters.append(try RecordColumns.deadLetter(row))
                bytes += letters[letters.count - 1].byteCount
            }
            return letters
        }
    }

    public func deadLetter(_ id: Int64) throws(StoreFailure) -> DeadLetter? {
        try read(\.journal) { db in
            let statement = try db.cachedStatement(
                sql: "SELECT \(RecordColumns.deadLetter) FROM dead_letter WHERE id = ?")
            return try Row.fetchOne(statement, arguments: [id]).map { try RecordColumns.deadLetter($0) }
        }
    }

    public func cursors() throws(StoreFailure) -> [String: Int64] {
        try read(\.journal) { db in
            var cursors: [String: Int64] = [:]
            let rows = try Row.fetchCursor(db, sql: "SELECT name, sequence FROM reader")
            while let row = try rows.next() { cursors[row[0]] = row[1] }
            return cursors
        }
    }

    public func positions(
        of connection: ConnectionID, reader: String
    ) throws(StoreFailure) -> [StoredPosition] {
        try read(\.journal) { db in
            let statement = try db.cachedStatement(
                sql: "SELECT \(RecordColumns.position) FROM log_position WHERE connection = ? AND reader = ?"
                    + " ORDER BY topic, partition")
            let rows = try Row.fetchCursor(statement, arguments: [connection.text, Data(reader.utf8)])
            var positions: [StoredPosition] = []
            while let row = try rows.next() { positions.append(try RecordColumns.position(row)) }
            return positions
        }
    }

    public func storedConnections() throws(StoreFailure) -> [StoredConnection] {
        try read(\.journal) { db in
            let rows = try Row.fetchCursor(db, sql: "SELECT \(RecordColumns.connection) FROM connection ORDER BY id")
            var connections: [StoredConnection] = []
            while let row = try rows.next() { connections.append(try RecordColumns.storedConnection(row)) }
            return connections
        }
    }

    public func announcements(of policy: PolicyID) throws(StoreFailure) -> [StoredAnnouncement] {
        try read(\.journal) { db in
            let statement = try db.cachedStatement(
                sql: "SELECT \(RecordColumns.announcement) FROM announcement WHERE policy = ?")
            return try Self.announcements(try Row.fetchCursor(statement, arguments: [policy.text]))
        }
    }

    public func announcementsOfRemoved() throws(StoreFailure) -> [StoredAnnouncement] {
        try read(\.journal) { db in
            try Self.announcements(
                try Row.fetchCursor(
                    db, sql: "SELECT \(RecordColumns.announcement) FROM announcement WHERE delete_at IS NOT NULL"))
        }
    }

    private static func announcements(_ rows: RowCursor) throws -> [StoredAnnouncement] {
        var announcements: [StoredAnnouncement] = []
        while let row = try rows.next() { announcements.append(try RecordColumns.storedAnnouncement(row)) }
        return announcements
    }

    public var loads: RecordLoads { recordLoads.withLock { $0 } }

    public func trimDeadLetters(
        _ retention: DeadLetterRetention, now: Timestamp, limit: Int
    ) throws(StoreFailure) -> Int {
        guard let recordWriter else { throw Self.closedFailure }
        let count = try recordWriter.trimDeadLetters(retention, now: now, limit: limit)
        publishLoads(recordWriter)
        return count
    }

    public func noteClaims(
        of readers: Set<String>, now: Timestamp, deadline: Timestamp
    ) throws(StoreFailure) -> Int {
        guard let recordWriter else { throw Self.closedFailure }
        let count = try recordWriter.noteClaims(of: readers, now: now, deadline: deadline)
        publishLoads(recordWriter)
        return count
    }

    public func noteClaims(
        ofPositions connections: Set<ConnectionID>, now: Timestamp, deadline: Timestamp
    ) throws(StoreFailure) -> Int {
        guard let recordWriter else { throw Self.closedFailure }
        let count = try recordWriter.noteClaims(ofPositions: connections, now: now, deadline: deadline)
        publishLoads(recordWriter)
        return count
    }
}
