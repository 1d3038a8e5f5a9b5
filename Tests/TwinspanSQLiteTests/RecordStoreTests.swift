import Foundation
import Testing
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanEngine
@testable import TwinspanSQLite

@Suite("Records in SQLite")
struct RecordStoreTests {
    private static func records(_ records: [StoreRecord]) -> TwinChange {
        TwinChange(
            content: .records(records), headers: DittoHeaders(), originator: nil, origin: nil, enforcer: nil, madeAt: 0)
    }

    private static func commit(
        _ store: SQLiteStore, _ changes: [TwinChange], at sequence: Int64, deadLetterBytes: Int64 = .max
    ) throws {
        var batch = CommitBatch(firstSequence: sequence, changes: changes)
        batch.recordCount = changes.count { $0.isRecords }
        batch.time = Timestamp(milliseconds: 77)
        batch.deadLetterBytes = deadLetterBytes
        try store.commit(batch)
    }

    private static func message(_ payload: [UInt8], headers: [(name: String, value: String)] = []) throws
        -> KeptMessage
    {
        KeptMessage(
            connection: try ConnectionID("plant"), source: 0, address: "a", payload: payload, headers: headers, qos: 2,
            isRetained: false, receivedAt: Timestamp(milliseconds: -5))
    }

    private static func opened() throws -> (TemporaryDirectory, SQLiteStore) {
        let directory = try TemporaryDirectory(isInMemory: true)
        let store = try SQLiteStore(directory: directory.path, durability: .os)
        _ = try store.open(discardingAfter: nil)
        return (directory, store)
    }

    @Test("messages come back byte by byte", arguments: [0, 1, 511, 512, 5_000, 300_000])
    func payloads(bytes: Int) throws {
        let (directory, store) = try Self.opened()
        let payload = (0..<bytes).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        let headers = [("a", "1"), ("a", "2"), ("", ""), ("\u{0}\"\\", "日本\u{7f}")]
        let message = try Self.message(payload, headers: headers)
        let inbox = InboxMessage(id: 1, message: message, attempts: 0)
        let letter = DeadLetter(
            id: .max, message: message, attempts: 10, diedAt: Timestamp(milliseconds: .max), stage: "",
            error: TwinspanError(code: "x", status: 599, message: "", description: nil, href: "http://x"),
            correlationID: nil)
        try Self.commit(store, [Self.records([.inboxPut(inbox), .deadLetterPut(letter)])], at: 1)
        for _ in 0..<2 {
            let read = try #require(try store.inbox(of: message.connection).first)
            #expect(String(describing: read) == String(describing: inbox))
            #expect(read.message.payload == payload)
            #expect(String(describing: try store.deadLetter(.max)) == String(describing: letter as DeadLetter?))
            store.close()
            #expect(throws: StoreFailure.self) { try store.inbox(of: message.connection) }
            #expect(throws: StoreFailure.self) { try store.deadLetter(1) }
            #expect(throws: StoreFailure.self) { try store.deadLetters(DeadLetterQuery()) }
            #expect(throws: StoreFailure.self) { try store.cursors() }
            #expect(throws: StoreFailure.self) { try store.storedConnections() }
            #expect(throws: StoreFailure.self) {
                try store.trimDeadLetters(DeadLetterRetention(), now: Timestamp(milliseconds: 0), limit: 1)
            }
            #expect(throws: StoreFailure.self) {
                try store.noteClaims(of: [], now: Timestamp(milliseconds: 0), deadline: Timestamp(milliseconds: 0))
            }
            #expect(try store.open(discardingAfter: nil).newestRecordID == .max)
        }
        store.close()
        withExtendedLifetime(directory) {}
    }

    @Test("dead letters are found by connection and page, the newest first")
    func pages() throws {
        let (directory, store) = try Self.opened()
        var letters: [StoreRecord] = []
        for id in Int64(1)...9 {
            var message = try Self.message([UInt8](repeating: 1, count: id == 7 ? 9 << 20 : 10))
            message.connection = try ConnectionID(id % 3 == 0 ? "yard" : "plant")
            letters.append(
                .deadLetterPut(
                    DeadLetter(
                        id: id, message: message, attempts: 0, diedAt: Timestamp(milliseconds: id), stage: "s",
                        error: TwinspanError(code: "x", status: 400, message: "m"), correlationID: nil)))
        }
        try Self.commit(store, [Self.records(letters)], at: 1)
        func page(_ connection: String?, _ before: Int64?, _ limit: Int) throws -> [Int64] {
            try store.deadLetters(
                DeadLetterQuery(
                    connection: try connection.map { try ConnectionID($0) }, before: before, limit: limit)
            ).map(\.id)
        }
        let rows: [(connection: String?, before: Int64?, limit: Int, expected: [Int64])] = [
            (nil, nil, 2, [9, 8]), (nil, 8, 100, [7]), (nil, 7, 100, [6, 5, 4, 3, 2, 1]), (nil, 1, 100, []),
            ("yard", nil, 100, [9, 6, 3]), ("yard", 6, 1, [3]), ("plant", 5, 2, [4, 2]), ("none", nil, 100, []),
            (nil, nil, 0, []), (nil, nil, -1, []), (nil, -5, 100, []), (nil, .max, 1, [9]),
        ]
        for row in rows {
            #expect(try page(row.connection, row.before, row.limit) == row.expected, "\(row)")
        }
        #expect(try store.deadLetter(10) == nil)
        store.close()
        withExtendedLifetime(directory) {}
    }

    @Test("gaps in the journal, which records leave, harm neither its trimming nor its sizes")
    func gaps() throws {
        let (directory, store) = try Self.opened()
        let nothing = Self.records([.cursorRemove(name: "none")])
        var sequence: Int64 = 1
        // More records than one transaction of the retention looks at, before, between and behind.
        for round in Int64(1)...3 {
            for _ in 0..<150 {
                try Self.commit(store, [nothing], at: sequence)
                sequence += 1
            }
            for number in Int64(1)...10 {
                let change = try SQLiteStoreTests.change("n:t", revision: (round - 1) * 10 + number, bytes: 1_000)
                try Self.commit(store, [nothing, change, nothing], at: sequence)
                sequence += 3
            }
        }
        try store.write(RowBatch(cursor: sequence - 1))
        store.close()
        #expect(try store.open(discardingAfter: nil).lastSequence == sequence - 1)
        #expect(store.measure().journalRecords == 30)
        #expect(store.measure().firstSequence == 1)
        let retention = JournalRetention(bytes: 1 << 40, age: .zero, keepAbove: sequence - 6)
        var counts: [Int] = []
        for _ in 0..<8 {
            counts.append(
                try store.trimJournal(retention, now: Timestamp(milliseconds: 1 << 40), limit: 5))
        }
        // The last two are kept: of their three sequences the middle one is theirs.
        #expect(counts == [5, 5, 5, 5, 5, 3, 0, 0])
        for _ in 0..<64 { try store.maintain() }
        #expect(store.measure().journalRecords == 2)
        #expect(store.measure().firstSequence == sequence - 7)
        for _ in 0..<2 {
            #expect(
                try store.trimJournal(
                    JournalRetention(bytes: 0, age: .zero), now: Timestamp(milliseconds: 1 << 40), limit: 5) >= 0)
        }
        store.close()
        #expect(try store.open(discardingAfter: nil).lastSequence == sequence - 1)
        #expect((store.measure().journalRecords, store.measure().journalBytes) == (0, 0))
        // And an empty journal begins where the next event stands, behind any number of records.
        for _ in 0..<10 {
            try Self.commit(store, [nothing], at: sequence)
            sequence += 1
        }
        try Self.commit(store, [nothing, try SQLiteStoreTests.change("n:u", revision: 1)], at: sequence)
        for _ in 0..<64 { try store.maintain() }
        #expect(store.measure().journalRecords == 1)
        #expect(try store.journal(after: 0, limit: 10).map(\.sequence) == [sequence + 1])
        store.close()
        withExtendedLifetime(directory) {}
    }

    @Test("what a refused commit has replaced is there again after opening, whether it reached the disk or not")
    func restored() throws {
        let (directory, store) = try Self.opened()
        let message = try Self.message([1])
        let first = InboxMessage(id: 1, message: message, attempts: 0)
        try Self.commit(
            store, [Self.records([.inboxPut(first), .cursorPut(name: "r", sequence: 1)])], at: 1)
        try Self.commit(store, [Self.records([.cursorPut(name: "r", sequence: 2)])], at: 2)
        let loads = store.loads
        var second = first
        second.attempts = 5
        try Self.commit(
            store,
            [
                try SQLiteStoreTests.change("n:t", revision: 1), Self.records([.inboxPut(second)]),
                Self.records([.inboxRemove(id: 1), .cursorRemove(name: "r")]),
            ], at: 3)
        #expect(store.loads.inbox.isEmpty)
        store.close()
        #expect(try store.open(discardingAfter: 2).lastSequence == 2)
        #expect(try store.inbox(of: message.connection).map(\.attempts) == [0])
        #expect(try store.cursors() == ["r": 2])
        #expect(store.loads == loads)
        #expect(store.measure().journalRecords == 0)
        // What was confirmed by a later commit stays as it is.
        try Self.commit(store, [Self.records([.inboxRemove(id: 1)])], at: 3)
        try Self.commit(store, [try SQLiteStoreTests.change("n:t", revision: 1)], at: 4)
        store.close()
        #expect(try store.open(discardingAfter: 3).lastSequence == 3)
        #expect(try store.inbox(of: message.connection).isEmpty)
        store.close()
        withExtendedLifetime(directory) {}
    }

    @Test("places in logs are kept by connection, reader, topic and partition, and go with whoever claims them no more")
    func places() throws {
        let (directory, store) = try Self.opened()
        func place(_ connection: String, _ reader: String, _ topic: String, _ partition: Int32, _ offset: Int64) throws
            -> StoredPosition
        {
            StoredPosition(
                connection: try ConnectionID(connection), reader: reader, topic: topic, partition: partition,
                offset: offset)
        }
        let rows = [
            try place("plant", "g", "日本", 0, 5), try place("plant", "g", "日本", 1, .max),
            try place("plant", "g", "u", 0, 0),
            try place("plant", "G", "u", 0, 7), try place("plant", "", "u", -1, -1), try place("yard", "g", "u", 0, 9),
        ]
        try Self.commit(store, [Self.records(rows.map { .positionPut($0) })], at: 1)
        try Self.commit(store, [Self.records([.positionPut(try place("plant", "g", "u", 0, 1))])], at: 2)
        for _ in 0..<2 {
            func read(_ connection: String, _ reader: String) throws -> Set<StoredPosition> {
                Set(try store.positions(of: try ConnectionID(connection), reader: reader))
            }
            #expect(try read("plant", "g") == [rows[0], rows[1], try place("plant", "g", "u", 0, 1)])
            #expect(try read("plant", "G") == [rows[3]])
            #expect(try read("plant", "") == [rows[4]])
            #expect(try read("yard", "g") == [rows[5]])
            #expect(try read("yard", "other").isEmpty)
            #expect(store.loads.positionOwners.map(\.text).sorted() == ["plant", "yard"])
            store.close()
            #expect(throws: StoreFailure.self) { try read("plant", "g") }
            _ = try store.open(discardingAfter: nil)
        }
        // They were put at 77 ms.
        func forget(_ claimed: [String], _ now: Int64, _ deadline: Int64) throws -> Int {
            try store.noteClaims(
                ofPositions: Set(try claimed.map { try ConnectionID($0) }), now: Timestamp(milliseconds: now),
                deadline: Timestamp(milliseconds: deadline))
        }
        #expect(try forget(["plant", "none"], 90, 77) == 0)
        #expect(try forget(["plant"], 200, 78) == 1)
        #expect(store.loads.positionOwners.map(\.text) == ["plant"])
        #expect(try store.positions(of: try ConnectionID("yard"), reader: "g").isEmpty)
        #expect(try forget([], 300, 200) == 0)
        #expect(try forget([], 300, 201) == 1)
        #expect(try store.positions(of: try ConnectionID("plant"), reader: "g").isEmpty)
        #expect(store.loads.positionOwners.isEmpty)
        store.close()
        withExtendedLifetime(directory) {}
    }

    @Test("a store of the third version is brought up to date with what it has")
    func migratedFromThird() throws {
        let directory = try TemporaryDirectory(isInMemory: true)
        try Self.makeSecondVersion(in: directory.path)
        let writer = try WriterConnection(path: directory.path + "/journal.db", isSynced: false)
        try writer.run(Self.thirdVersion)
        let twins = try WriterConnection(path: directory.path + "/twins.db", isSynced: false)
        try twins.run("INSERT INTO grdb_migrations (identifier) VALUES ('v3')")
        let store = try SQLiteStore(directory: directory.path, durability: .os)
        #expect(
            try store.open(discardingAfter: nil) == StorePosition(lastSequence: 9, rowsCursor: 5, newestRecordID: 4))
        let message = try #require(try store.inbox(of: try ConnectionID("plant")).first).message
        #expect((message.payload, message.address, message.isBinary) == ([1, 2], "a", false))
        #expect(try store.deadLetter(4)?.message.isBinary == false)
        #expect(try store.cursors() == ["plant/d": 6])
        #expect(store.loads.positionOwners.isEmpty)
        // And it takes what the fourth version has.
        var binary = message
        binary.isBinary = true
        let place = StoredPosition(connection: message.connection, reader: "g", topic: "t", partition: 3, offset: 8)
        try Self.commit(
            store,
            [Self.records([.inboxPut(InboxMessage(id: 5, message: binary, attempts: 0)), .positionPut(place)])], at: 10)
        store.close()
        #expect(try store.open(discardingAfter: nil).lastSequence == 10)
        #expect(try store.inbox(of: message.connection).map(\.message.isBinary) == [false, true])
        #expect(try store.positions(of: message.connection, reader: "g") == [place])
        store.close()
    }

    /// What the third version had more than the second, with one record of each kind.
    private static let thirdVersion = """
        INSERT INTO grdb_migrations (identifier) VALUES ('v3');
        ALTER TABLE journal ADD COLUMN headers BLOB;
        CREATE TABLE position (
            records INTEGER NOT NULL, record_count INTEGER NOT NULL,
            trimmed INTEGER NOT NULL, trimmed_count INTEGER NOT NULL, newest_id INTEGER NOT NULL);
        INSERT INTO position VALUES (9, 3, 4, 4, 4);
        CREATE TABLE inbox (
            id INTEGER PRIMARY KEY, connection TEXT NOT NULL, bytes INTEGER NOT NULL, attempts INTEGER NOT NULL,
            next_attempt INTEGER, error BLOB, source INTEGER NOT NULL, address BLOB NOT NULL, qos INTEGER NOT NULL,
            retained INTEGER NOT NULL, received INTEGER NOT NULL, headers BLOB NOT NULL, payload BLOB NOT NULL);
        CREATE INDEX inbox_connection ON inbox (connection, id, bytes);
        INSERT INTO inbox VALUES (3, 'plant', 131, 1, NULL, NULL, 0, x'61', 1, 0, 7, '[]', x'0102');
        CREATE TABLE dead_letter (
            id INTEGER PRIMARY KEY, connection TEXT NOT NULL, bytes INTEGER NOT NULL, attempts INTEGER NOT NULL,
            died INTEGER NOT NULL, stage TEXT NOT NULL, correlation BLOB, error BLOB NOT NULL, source INTEGER NOT NULL,
            address BLOB NOT NULL, qos INTEGER NOT NULL, retained INTEGER NOT NULL, received INTEGER NOT NULL,
            headers BLOB NOT NULL, payload BLOB NOT NULL);
        CREATE INDEX dead_letter_connection ON dead_letter (connection, id, bytes);
        INSERT INTO dead_letter VALUES (4, 'plant', 140, 1, 8, 'mapping', NULL,
            '{"error":"a:b","status":400,"message":"m"}', 0, x'61', 1, 0, 7, '[]', x'01');
        CREATE TABLE reader (
            name TEXT PRIMARY KEY NOT NULL, sequence INTEGER NOT NULL, claimed INTEGER NOT NULL) WITHOUT ROWID;
        INSERT INTO reader VALUES ('plant/d', 6, 8);
        CREATE TABLE connection (
            id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, created INTEGER NOT NULL,
            modified INTEGER NOT NULL, text BLOB NOT NULL);
        """

    @Test("a store of the second version is brought up to date with what it has")
    func migrated() throws {
        let directory = try TemporaryDirectory(isInMemory: true)
        try Self.makeSecondVersion(in: directory.path)
        let store = try SQLiteStore(directory: directory.path, durability: .os)
        #expect(try store.open(discardingAfter: nil) == StorePosition(lastSequence: 6, rowsCursor: 5))
        #expect((store.measure().journalRecords, store.measure().firstSequence) == (2, 5))
        let records = try store.journal(after: 0, limit: 10)
        #expect(records.map(\.sequence) == [5, 6])
        #expect(records.allSatisfy { $0.headers == nil && $0.origin == nil })
        guard case .thing(let event) = try #require(records.last).content else {
            Issue.record("the record has changed its kind")
            return
        }
        #expect(event.metadata?.text == #"{"k":1}"#)
        #expect(store.loads == RecordLoads())
        // And it takes what the third version has.
        let message = InboxMessage(id: 4, message: try Self.message([1]), attempts: 0)
        try Self.commit(store, [Self.records([.inboxPut(message)])], at: 7)
        var next = event
        next.revision = 3
        var headers = DittoHeaders()
        headers.correlationID = "c"
        var batch = CommitBatch(
            firstSequence: 8,
            changes: [
                TwinChange(
                    content: .thing(next, after: .never), headers: headers, originator: "o",
                    origin: try ConnectionID("plant"), enforcer: nil, madeAt: 0)
            ])
        batch.keepsHeaders = true
        try store.commit(batch)
        store.close()
        #expect(
            try store.open(discardingAfter: nil) == StorePosition(lastSequence: 8, rowsCursor: 5, newestRecordID: 4))
        let read = try #require(try store.journal(after: 7, limit: 1).first)
        #expect((read.headers?.correlationID, read.origin?.text) == ("c", "plant"))
        #expect(store.measure().journalRecords == 3)
        store.close()
    }

    /// Both files as the second version made them, with a journal that was trimmed up to 4.
    private static func makeSecondVersion(in directory: String) throws {
        let migrations = """
            CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY);
            INSERT INTO grdb_migrations (identifier) VALUES ('v1'), ('v2');
            """
        let journal = """
            CREATE TABLE journal (
                sequence INTEGER PRIMARY KEY, kind INTEGER NOT NULL, entity TEXT NOT NULL,
                revision INTEGER NOT NULL, action INTEGER NOT NULL, time INTEGER NOT NULL,
                path TEXT NOT NULL, value BLOB, position INTEGER NOT NULL, metadata BLOB);
            INSERT INTO journal VALUES
                (5, 1, 'n:t', 1, 1, 5, '/', CAST('{"thingId":"n:t"}' AS BLOB), 60, NULL),
                (6, 1, 'n:t', 2, 2, 7, '/attributes/a', CAST('7' AS BLOB), 120, CAST('{"k":1}' AS BLOB));
            """
        let twins = """
            CREATE TABLE thing (
                id TEXT PRIMARY KEY NOT NULL, policy TEXT, revision INTEGER NOT NULL,
                created INTEGER NOT NULL, modified INTEGER NOT NULL, json BLOB, metadata BLOB);
            CREATE TABLE policy (
                id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL,
                created INTEGER NOT NULL, modified INTEGER NOT NULL, json BLOB);
            CREATE TABLE journal_index (
                entity TEXT NOT NULL, kind INTEGER NOT NULL, revision INTEGER NOT NULL,
                sequence INTEGER NOT NULL,
                PRIMARY KEY (entity, kind, revision)) WITHOUT ROWID;
            CREATE TABLE cursor (name TEXT PRIMARY KEY NOT NULL, sequence INTEGER NOT NULL) WITHOUT ROWID;
            INSERT INTO cursor VALUES ('rows', 5), ('journal_index', 0);
            """
        for (name, sql) in [("journal", journal), ("twins", twins)] {
            let path = "\(directory)/\(name).db"
            #expect(FileManager.default.createFile(atPath: path, contents: nil))
            let writer = try WriterConnection(path: path, isSynced: false)
            try writer.run("PRAGMA journal_mode = WAL")
            try writer.run(migrations + sql)
        }
    }

    static let damages = [
        "UPDATE inbox SET headers = 'x'", "UPDATE inbox SET headers = '[1]'", "UPDATE inbox SET headers = '[[\"a\"]]'",
        "UPDATE inbox SET headers = '{}'", "UPDATE inbox SET connection = 'a b'", "UPDATE inbox SET connection = ''",
        "UPDATE dead_letter SET error = '{}'", "UPDATE dead_letter SET error = ''",
        "UPDATE dead_letter SET error = '{\"error\":1,\"status\":400,\"message\":\"\"}'",
        "UPDATE dead_letter SET headers = '[[\"a\",1]]'", "UPDATE journal SET headers = '{}'",
        "UPDATE journal SET headers = '{\"headers\":{},\"origin\":\"\"}'", "UPDATE journal SET headers = 'x'",
    ]

    @Test("a damaged record is reported and not guessed", arguments: damages)
    func damaged(sql: String) throws {
        let (directory, store) = try Self.opened()
        let message = try Self.message([1])
        try Self.commit(
            store,
            [
                try SQLiteStoreTests.change("n:t", revision: 1),
                Self.records([
                    .inboxPut(InboxMessage(id: 1, message: message, attempts: 0)),
                    .deadLetterPut(
                        DeadLetter(
                            id: 2, message: message, attempts: 0, diedAt: Timestamp(milliseconds: 0), stage: "s",
                            error: TwinspanError(code: "x", status: 400, message: "m"), correlationID: nil)),
                ]),
            ], at: 1)
        let writer = try WriterConnection(path: directory.path + "/journal.db", isSynced: false)
        try writer.run(sql)
        func readAll() throws(StoreFailure) {
            _ = try store.inbox(of: message.connection)
            _ = try store.deadLetters(DeadLetterQuery())
            _ = try store.journal(after: 0, limit: 10)
            store.close()
            _ = try store.open(discardingAfter: nil)
        }
        do throws(StoreFailure) {
            try readAll()
            Issue.record("it was read")
        } catch {
            #expect(error.kind == .corrupt, "\(error)")
        }
        store.close()
    }

    @Test("one transaction lets go of a bounded number of dead letters, and the next ones go on")
    func boundedExpiry() throws {
        let (directory, store) = try Self.opened()
        let message = try Self.message([1])
        func letter(_ id: Int64) -> StoreRecord {
            .deadLetterPut(
                DeadLetter(
                    id: id, message: message, attempts: 0, diedAt: Timestamp(milliseconds: id), stage: "s",
                    error: TwinspanError(code: "x", status: 400, message: "m"), correlationID: nil))
        }
        try Self.commit(store, [Self.records((1...200).map { letter($0) })], at: 1)
        try Self.commit(store, [Self.records([letter(201)])], at: 2, deadLetterBytes: 1)
        let left = store.loads.deadLetters[message.connection]
        #expect((100...180).contains(left?.count ?? 0), "\(String(describing: left))")
        #expect(store.loads.deadLettersExpired == 201 - (left?.count ?? 0))
        #expect(left?.oldest?.milliseconds == Int64(202 - (left?.count ?? 0)))
        let retention = DeadLetterRetention(bytes: 0, age: .seconds(1))
        #expect(try store.trimDeadLetters(retention, now: Timestamp(milliseconds: 0), limit: 7) == 7)
        #expect(try store.deadLetters(DeadLetterQuery(limit: 500)).count == (left?.count ?? 0) - 7)
        let byAge = DeadLetterRetention(bytes: .max, age: .milliseconds(10))
        _ = try store.trimDeadLetters(byAge, now: Timestamp(milliseconds: 200), limit: 500)
        #expect(try store.deadLetters(DeadLetterQuery(limit: 500)).map(\.id).last == 190)
        store.close()
        withExtendedLifetime(directory) {}
    }
}
