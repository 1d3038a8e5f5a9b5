// The prepared statements of records, and what they take.
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol

/// Statements on the writer's connection. Owned by `RecordWriter`.
struct RecordStatements {
    let oldInbox, putInbox, removeInbox, nextInbox: Statement
    let oldLetter, putLetter, removeLetter, nextLetter, firstLetter: Statement
    let oldCursor, putCursor, removeCursor: Statement
    let oldConnection, putConnection, removeConnection: Statement
    let oldPlace, putPlace, removePlace, claimPlaces, removePlaces: Statement
    let oldAnnouncement, putAnnouncement, removeAnnouncement: Statement
    let setPosition: Statement

    init(_ owner: WriterConnection) throws(StoreFailure) {
        func prepare(_ sql: String) throws(StoreFailure) -> Statement { try Statement(owner.handle, sql) }
        func put(_ table: String, _ columns: String) throws(StoreFailure) -> Statement {
            let places = columns.split(separator: ",").map { _ in "?" }.joined(separator: ", ")
            return try prepare("INSERT OR REPLACE INTO \(table) (\(columns)) VALUES (\(places))")
        }
        oldInbox = try prepare("SELECT \(RecordColumns.inbox) FROM inbox WHERE id = ?")
        putInbox = try put("inbox", RecordColumns.inbox)
        removeInbox = try prepare("DELETE FROM inbox WHERE id = ?")
        nextInbox = try prepare("SELECT id, received FROM inbox WHERE connection = ? ORDER BY id LIMIT 1")
        oldLetter = try prepare("SELECT \(RecordColumns.deadLetter) FROM dead_letter WHERE id = ?")
        putLetter = try put("dead_letter", RecordColumns.deadLetter)
        removeLetter = try prepare("DELETE FROM dead_letter WHERE id = ?")
        nextLetter = try prepare("SELECT id, died FROM dead_letter WHERE connection = ? ORDER BY id LIMIT 1")
        firstLetter = try prepare("SELECT id, connection, bytes, died FROM dead_letter ORDER BY id LIMIT 1")
        oldCursor = try prepare("SELECT sequence FROM reader WHERE name = ?")
        putCursor = try put("reader", "name, sequence, claimed")
        removeCursor = try prepare("DELETE FROM reader WHERE name = ?")
        oldConnection = try prepare("SELECT \(RecordColumns.connection) FROM connection WHERE id = ?")
        putConnection = try put("connection", RecordColumns.connection)
        removeConnection = try prepare("DELETE FROM connection WHERE id = ?")
        let place = RecordColumns.positionKey.split(separator: ", ").map { "\($0) = ?" }.joined(separator: " AND ")
        oldPlace = try prepare("SELECT \(RecordColumns.position) FROM log_position WHERE \(place)")
        putPlace = try put("log_position", "\(RecordColumns.position), claimed")
        removePlace = try prepare("DELETE FROM log_position WHERE \(place)")
        claimPlaces = try prepare("UPDATE log_position SET claimed = ? WHERE connection = ?")
        removePlaces = try prepare("DELETE FROM log_position WHERE connection = ?")
        oldAnnouncement = try prepare(
            "SELECT \(RecordColumns.announcement) FROM announcement WHERE policy = ? AND subject = ?")
        putAnnouncement = try put("announcement", RecordColumns.announcement)
        removeAnnouncement = try prepare("DELETE FROM announcement WHERE policy = ? AND subject = ?")
        setPosition = try prepare("UPDATE position SET records = ?, record_count = ?, newest_id = ?")
    }

    func put(_ message: InboxMessage) throws(StoreFailure) {
        putInbox.bind(1, message.id)
        putInbox.bind(2, copying: message.message.connection.text)
        putInbox.bind(3, Int64(message.byteCount))
        putInbox.bind(4, Int64(message.attempts))
        putInbox.bind(5, optional: message.nextAttemptAt?.milliseconds)
        putInbox.bind(6, bytesOf: message.lastError)
        Self.bind(message.message, to: putInbox, from: 7)
        try putInbox.runAndForget()
    }

    func put(_ letter: DeadLetter) throws(StoreFailure) {
        putLetter.bind(1, letter.id)
        putLetter.bind(2, copying: letter.message.connection.text)
        putLetter.bind(3, Int64(letter.byteCount))
        putLetter.bind(4, Int64(letter.attempts))
        putLetter.bind(5, letter.diedAt.milliseconds)
        putLetter.bind(6, copying: letter.stage)
        putLetter.bind(7, bytesOf: letter.correlationID)
        putLetter.bind(8, copying: JSONText(letter.error.json).bytes)
        Self.bind(letter.message, to: putLetter, from: 9)
        try putLetter.runAndForget()
    }

    func put(_ connection: StoredConnection) throws(StoreFailure) {
        putConnection.bind(1, copying: connection.id.text)
        putConnection.bind(2, connection.revision)
        putConnection.bind(3, connection.created.milliseconds)
        putConnection.bind(4, connection.modified.milliseconds)
        putConnection.bind(5, copying: connection.text)
        try putConnection.runAndForget()
    }

    func putCursor(_ name: String, _ sequence: Int64, at time: Timestamp) throws(StoreFailure) {
        putCursor.bind(1, copying: name)
        putCursor.bind(2, sequence)
        putCursor.bind(3, time.milliseconds)
        try putCursor.run()
    }

    func put(_ position: StoredPosition, at time: Timestamp) throws(StoreFailure) {
        Self.bind(keyOf: position, to: putPlace)
        putPlace.bind(5, position.offset)
        putPlace.bind(6, time.milliseconds)
        try putPlace.run()
    }

    func put(_ announcement: StoredAnnouncement) throws(StoreFailure) {
        Self.bind(keyOf: announcement, to: putAnnouncement)
        putAnnouncement.bind(3, optional: announcement.deleteAt?.milliseconds)
        try putAnnouncement.run()
    }

    static func bind(keyOf announcement: StoredAnnouncement, to statement: Statement) {
        statement.bind(1, copying: announcement.policyID.text)
        statement.bind(2, bytesOf: announcement.subject)
    }

    static func bind(keyOf position: StoredPosition, to statement: Statement) {
        statement.bind(1, copying: position.connection.text)
        statement.bind(2, bytesOf: position.reader)
        statement.bind(3, bytesOf: position.topic)
        statement.bind(4, Int64(position.partition))
    }

    private static func bind(_ message: KeptMessage, to statement: Statement, from first: Int32) {
        statement.bind(first, Int64(message.source))
        statement.bind(first + 1, bytesOf: message.address)
        statement.bind(first + 2, Int64(message.qos))
        statement.bind(first + 3, message.isRetained ? 1 : 0)
        statement.bind(first + 4, message.receivedAt.milliseconds)
        statement.bind(first + 5, copying: RecordColumns.text(of: message.headers))
        statement.bind(first + 6, copying: message.payload)
        statement.bind(first + 7, message.isBinary ? 1 : 0)
    }
}
