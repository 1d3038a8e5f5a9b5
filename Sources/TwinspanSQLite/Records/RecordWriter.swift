// Writes records inside the transaction of a commit, and keeps count of them. What a record replaces is read first: the
// loads need its size, and the undo its content.
import TwinspanEngine
import TwinspanProtocol

/// The writer of records. Owned by the committer's thread, and only valid while its connection is open.
final class RecordWriter {
    /// Dead letters that go for others in one transaction.
    private static let expiryLimit = 64

    /// What a transaction changes and a rollback restores.
    private struct Counts {
        var position = RecordPosition()
        var inbox = LoadTable()
        var deadLetters = LoadTable()
        var cursors: [String: Int64] = [:]
        var positionOwners: Set<ConnectionID> = []
        var expired = 0
    }

    private let owner: WriterConnection
    private let undo: RecordUndo
    private let statements: RecordStatements
    private var counts = Counts()
    /// As they were before the transaction that is being written; nil while it has no records.
    private var before: Counts?
    private var hasNewLetters = false

    init(_ owner: WriterConnection, undo: RecordUndo) throws(StoreFailure) {
        self.owner = owner
        self.undo = undo
        statements = try RecordStatements(owner)
        counts.position = try Self.readPosition(owner)
    }

    private static func readPosition(_ owner: WriterConnection) throws(StoreFailure) -> RecordPosition {
        let numbers = try owner.integers(
            "SELECT records, record_count, trimmed, trimmed_count, newest_id FROM position")
        guard let numbers else { throw StoreFailure(kind: .corrupt, description: "the journal has no position") }
        return RecordPosition(
            newestSequence: numbers[0], count: numbers[1], trimmed: numbers[2], trimmedCount: numbers[3],
            newestID: numbers[4])
    }

    var position: RecordPosition { counts.position }

    var loads: RecordLoads {
        var loads = RecordLoads()
        loads.inbox = counts.inbox.loads
        loads.deadLetters = counts.deadLetters.loads
        loads.cursors = counts.cursors
        loads.positionOwners = counts.positionOwners
        loads.deadLettersExpired = counts.expired
        return loads
    }

    // MARK: A commit

    /// A commit begins: everything before it counts.
    func begin(_ firstSequence: Int64) { undo.confirm(before: firstSequence) }

    /// Whether the transaction has records.
    var hasChanges: Bool { before != nil }

    /// Writes the records of one sequence.
    func apply(_ records: [StoreRecord], _ sequence: Int64, at time: Timestamp) throws(StoreFailure) {
        if before == nil { before = counts }
        undo.time = time
        for record in records {
            if let inverse = try apply(record, at: time) { undo.add(inverse, sequence) }
        }
        counts.position.newestSequence = sequence
        counts.position.count += 1
    }

    /// Does what is done once per transaction with records.
    func finish(_ batch: CommitBatch) throws(StoreFailure) {
        if let before { undo.add(before.position, before: batch.firstSequence) }
        if hasNewLetters {
            for _ in 0..<Self.expiryLimit where counts.deadLetters.bytes > batch.deadLetterBytes {
                guard try removeOldestLetter(where: { _ in true }) else { break }
                counts.expired += 1
            }
        }
        try readOldest()
        statements.setPosition.bind(1, counts.position.newestSequence)
        statements.setPosition.bind(2, counts.position.count)
        statements.setPosition.bind(3, counts.position.newestID)
        try statements.setPosition.run()
    }

    /// The transaction is durable.
    func committed() {
        guard before != nil else { return }
        before = nil
        hasNewLetters = false
    }

    /// The transaction was rolled back.
    func rolledBack() {
        if let before { counts = before }
        committed()
    }

    /// Applies a record; returns what restores the state before it, nil when nothing was changed.
    private func apply(_ record: StoreRecord, at time: Timestamp) throws(StoreFailure) -> StoreRecord? {
        switch record {
        case .inboxPut(let message):
            let old = try removeInbox(message.id)
            try statements.put(message)
            counts.inbox.add(
                message.message.connection, id: message.id, bytes: message.byteCount, time: message.message.receivedAt)
            counts.position.newestID = max(counts.position.newestID, message.id)
            return old.map { .inboxPut($0) } ?? .inboxRemove(id: message.id)
        case .inboxRemove(let id): return try removeInbox(id).map { .inboxPut($0) }
        case .deadLetterPut(let letter):
            let old = try removeLetter(letter.id)
            try statements.put(letter)
            counts.deadLetters.add(
                letter.message.connection, id: letter.id, bytes: letter.byteCount, time: letter.diedAt)
            counts.position.newestID = max(counts.position.newestID, letter.id)
            hasNewLetters = true
            return old.map { .deadLetterPut($0) } ?? .deadLetterRemove(id: letter.id)
        case .deadLetterRemove(let id): return try removeLetter(id).map { .deadLetterPut($0) }
        case .cursorPut(let name, let sequence):
            let old = try cursor(name)
            try statements.putCursor(name, sequence, at: time)
            counts.cursors[name] = sequence
            return old.map { .cursorPut(name: name, sequence: $0) } ?? .cursorRemove(name: name)
        case .cursorRemove(let name):
            let old = try cursor(name)
            statements.removeCursor.bind(1, copying: name)
            try statements.removeCursor.run()
            counts.cursors[name] = nil
            return old.map { .cursorPut(name: name, sequence: $0) }
        case .positionPut(let position):
            let old = try self.position(position)
            try statements.put(position, at: time)
            counts.positionOwners.insert(position.connection)
            return old.map { .positionPut($0) } ?? .positionRemove(position)
        case .positionRemove(let position):
            let old = try self.position(position)
            RecordStatements.bind(keyOf: position, to: statements.removePlace)
            try statements.removePlace.run()
            return old.map { .positionPut($0) }
        case .announcementPut(let announcement):
            let old = try self.announcement(announcement)
            try statements.put(announcement)
            return old.map { .announcementPut($0) } ?? .announcementRemove(announcement)
        case .announcementRemove(let announcement):
            let old = try self.announcement(announcement)
            RecordStatements.bind(keyOf: announcement, to: statements.removeAnnouncement)
            try statements.removeAnnouncement.run()
            return old.map { .announcementPut($0) }
        case .connectionPut(let connection):
            let old = try storedConnection(connection.id)
            try statements.put(connection)
            return old.map { .connectionPut($0) } ?? .connectionRemove(connection.id)
        case .connectionRemove(let id):
            let old = try storedConnection(id)
            statements.removeConnection.bind(1, copying: id.text)
            try statements.removeConnection.run()
            return old.map { .connectionPut($0) }
        }
    }

    private func removeInbox(_ id: Int64) throws(StoreFailure) -> InboxMessage? {
        statements.oldInbox.bind(1, id)
        let old = try statements.oldInbox.first { row throws(StoreFailure) in try RecordColumns.inboxMessage(row) }
        guard let old else { return nil }
        statements.removeInbox.bind(1, id)
        try statements.removeInbox.run()
        counts.inbox.remove(old.message.connection, id: id, bytes: old.byteCount)
        return old
    }

    private func removeLetter(_ id: Int64) throws(StoreFailure) -> DeadLetter? {
        statements.oldLetter.bind(1, id)
        let old = try statements.oldLetter.first { row throws(StoreFailure) in try RecordColumns.deadLetter(row) }
        guard let old else { return nil }
        statements.removeLetter.bind(1, id)
        try statements.removeLetter.run()
        counts.deadLetters.remove(old.message.connection, id: id, bytes: old.byteCount)
        return old
    }

    private func cursor(_ name: String) throws(StoreFailure) -> Int64? {
        statements.oldCursor.bind(1, copying: name)
        return try statements.oldCursor.first { row throws(StoreFailure) in row.integer(0) ?? 0 }
    }

    private func position(_ position: StoredPosition) throws(StoreFailure) -> StoredPosition? {
        RecordStatements.bind(keyOf: position, to: statements.oldPlace)
        return try statements.oldPlace.first { row throws(StoreFailure) in try RecordColumns.position(row) }
    }

    private func announcement(
        _ announcement: StoredAnnouncement
    ) throws(StoreFailure) -> StoredAnnouncement? {
        RecordStatements.bind(keyOf: announcement, to: statements.oldAnnouncement)
        return try statements.oldAnnouncement.first { row throws(StoreFailure) in
            try RecordColumns.storedAnnouncement(row)
        }
    }

    private func storedConnection(_ id: ConnectionID) throws(StoreFailure) -> StoredConnection? {
        statements.oldConnection.bind(1, copying: id.text)
        return try statements.oldConnection.first { row throws(StoreFailure) in
            try RecordColumns.storedConnection(row)
        }
    }

    /// Reads the time of the oldest record where that has gone.
    private func readOldest() throws(StoreFailure) {
        for connection in counts.inbox.stale {
            guard let (id, time) = try oldest(statements.nextInbox, connection) else { continue }
            counts.inbox.setOldest(connection, id: id, time: time)
        }
        for connection in counts.deadLetters.stale {
            guard let (id, time) = try oldest(statements.nextLetter, connection) else { continue }
            counts.deadLetters.setOldest(connection, id: id, time: time)
        }
    }

    private func oldest(
        _ statement: Statement, _ connection: ConnectionID
    ) throws(StoreFailure) -> (Int64, Timestamp)? {
        statement.bind(1, copying: connection.text)
        return try statement.first { row throws(StoreFailure) in
            (row.integer(0) ?? 0, Timestamp(milliseconds: row.integer(1) ?? 0))
        }
    }

    /// Removes the oldest dead letter if its time is as asked; returns whether it did. Not restored by the undo: it was
    /// the next to go anyway.
    private func removeOldestLetter(where isAsked: (Timestamp) -> Bool) throws(StoreFailure) -> Bool {
        let first = try statements.firstLetter.first { row throws(StoreFailure) in
            (
                id: row.integer(0) ?? 0, connection: try RecordColumns.connectionID(row.string(1)),
                bytes: Int(row.integer(2) ?? 0), died: Timestamp(milliseconds: row.integer(3) ?? 0)
            )
        }
        guard let first, isAsked(first.died) else { return false }
        statements.removeLetter.bind(1, first.id)
        try statements.removeLetter.run()
        counts.deadLetters.remove(first.connection, id: first.id, bytes: first.bytes)
        return true
    }

    // MARK: Upkeep

    /// Runs a body in a transaction of its own.
    private func inTransaction<Value>(_ body: () throws(StoreFailure) -> Value) throws(StoreFailure) -> Value {
        let before = counts
        try owner.run("BEGIN IMMEDIATE")
        do throws(StoreFailure) {
            let value = try body()
            try owner.run("COMMIT")
            return value
        } catch {
            owner.rollBack()
            counts = before
            throw error
        }
    }

    /// Deletes the journal up to a sequence and notes it; returns how many records went.
    func trimJournal(upTo sequence: Int64) throws(StoreFailure) -> Int {
        try inTransaction { () throws(StoreFailure) in
            try owner.run("DELETE FROM journal WHERE sequence <= \(sequence)")
            let count = owner.changeCount
            try setTrimmed(sequence, counts.position.trimmedCount + Int64(count))
            return count
        }
    }

    /// Notes that the journal is empty although it was not emptied with this version of the schema.
    func noteEmptied(upTo sequence: Int64) throws(StoreFailure) {
        let count = sequence - counts.position.count
        guard counts.position.trimmedCount != count else { return }
        try setTrimmed(sequence, count)
    }

    private func setTrimmed(_ sequence: Int64, _ count: Int64) throws(StoreFailure) {
        try owner.run("UPDATE position SET trimmed = \(sequence), trimmed_count = \(count)")
        counts.position.trimmed = sequence
        counts.position.trimmedCount = count
    }

    /// Removes the oldest dead letters that retention does not keep.
    func trimDeadLetters(
        _ retention: DeadLetterRetention, now: Timestamp, limit: Int
    ) throws(StoreFailure) -> Int {
        let oldest = Timestamp(milliseconds: now.milliseconds - Int64(retention.age / .milliseconds(1)))
        return try inTransaction { () throws(StoreFailure) in
            var count = 0
            while count < limit {
                let isTooMuch = counts.deadLetters.bytes > retention.bytes
                guard try removeOldestLetter(where: { isTooMuch || $0 < oldest }) else { break }
                count += 1
            }
            try readOldest()
            return count
        }
    }

    /// Notes who is claimed, and forgets others that were claimed before `deadline`.
    func noteClaims(of readers: Set<String>, now: Timestamp, deadline: Timestamp) throws(StoreFailure) -> Int {
        let orphans = try owner.strings("SELECT name FROM reader WHERE claimed < \(deadline.milliseconds)")
            .filter { !readers.contains($0) }
        return try inTransaction { () throws(StoreFailure) in
            for name in readers.sorted() {
                guard let sequence = counts.cursors[name] else { continue }
                try statements.putCursor(name, sequence, at: now)
            }
            for name in orphans {
                statements.removeCursor.bind(1, copying: name)
                try statements.removeCursor.run()
                counts.cursors[name] = nil
            }
            return orphans.count
        }
    }

    /// The same of the connections' places in brokers' logs.
    func noteClaims(
        ofPositions claimed: Set<ConnectionID>, now: Timestamp, deadline: Timestamp
    ) throws(StoreFailure) -> Int {
        var orphans: [ConnectionID] = []
        let newest = try Statement(
            owner.handle, "SELECT connection, max(claimed) FROM log_position GROUP BY connection")
        try newest.each { row throws(StoreFailure) in
            let connection = try RecordColumns.connectionID(row.string(0))
            if !claimed.contains(connection), row.integer(1) ?? 0 < deadline.milliseconds { orphans.append(connection) }
        }
        return try inTransaction { () throws(StoreFailure) in
            for connection in claimed.sorted(by: { $0.text < $1.text })
            where counts.positionOwners.contains(connection) {
                statements.claimPlaces.bind(1, now.milliseconds)
                statements.claimPlaces.bind(2, copying: connection.text)
                try statements.claimPlaces.run()
            }
            for connection in orphans {
                statements.removePlaces.bind(1, copying: connection.text)
                try statements.removePlaces.run()
                counts.positionOwners.remove(connection)
            }
            return orphans.count
        }
    }

    // MARK: Opening

    /// Discards what was written behind `committed` by a commit that was refused.
    func discard(after committed: Int64) throws(StoreFailure) {
        let position = undo.positions.first { $0.firstSequence > committed }?.before
        try inTransaction { () throws(StoreFailure) in
            try owner.run("DELETE FROM journal WHERE sequence > \(committed)")
            for (sequence, record) in undo.inverses.reversed() where sequence > committed {
                _ = try apply(record, at: undo.time)
            }
            if let position {
                counts.position.newestSequence = position.newestSequence
                counts.position.count = position.count
            }
            counts.position.newestSequence = min(counts.position.newestSequence, committed)
            statements.setPosition.bind(1, counts.position.newestSequence)
            statements.setPosition.bind(2, counts.position.count)
            statements.setPosition.bind(3, counts.position.newestID)
            try statements.setPosition.run()
        }
        hasNewLetters = false
        undo.clear()
    }

    /// Counts what is there.
    ///
    /// - Parameter expired: dead letters that have gone before the store was closed.
    func readLoads(keeping expired: Int) throws(StoreFailure) {
        counts.inbox = try loads("inbox", "received")
        counts.deadLetters = try loads("dead_letter", "died")
        counts.expired = expired
        counts.cursors = [:]
        try Statement(owner.handle, "SELECT name, sequence FROM reader").each { row throws(StoreFailure) in
            counts.cursors[row.string(0) ?? ""] = row.integer(1) ?? 0
        }
        counts.positionOwners = []
        for name in try owner.strings("SELECT DISTINCT connection FROM log_position") {
            counts.positionOwners.insert(try RecordColumns.connectionID(name))
        }
    }

    private func loads(_ table: String, _ time: String) throws(StoreFailure) -> LoadTable {
        // The index has all of it but the time.
        let statement = try Statement(
            owner.handle,
            """
            SELECT connection, number, bytes, oldest, (SELECT \(time) FROM \(table) WHERE id = oldest)
            FROM (SELECT connection, count(*) AS number, sum(bytes) AS bytes, min(id) AS oldest
                FROM \(table) INDEXED BY \(table)_connection GROUP BY connection)
            """)
        var result = LoadTable()
        try statement.each { row throws(StoreFailure) in
            result.set(
                try RecordColumns.connectionID(row.string(0)), count: Int(row.integer(1) ?? 0),
                bytes: row.integer(2) ?? 0, oldestID: row.integer(3) ?? 0,
                oldest: Timestamp(milliseconds: row.integer(4) ?? 0))
        }
        return result
    }
}
