import Foundation
import Testing
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanEngine
@testable import TwinspanSQLite

@Suite("SQLiteStore")
struct SQLiteStoreTests {
    /// A change of a thing with a value of `bytes` bytes.
    static func change(_ id: String, revision: Int64, bytes: Int = 20, at milliseconds: Int64 = 1_000) throws
        -> TwinChange
    {
        let value = JSONText(.string(String(repeating: "v", count: max(bytes - 2, 0))))
        let event = ThingEvent(
            thingID: try ThingID(id), action: revision == 1 ? .created : .modified,
            path: revision == 1 ? .root : JSONPointer(segments: ["attributes", "a~b"]), value: value,
            revision: revision,
            timestamp: Timestamp(milliseconds: milliseconds))
        let state = ThingState(
            policyID: try PolicyID("n:p"), revision: revision, created: event.timestamp, modified: event.timestamp,
            text: value)
        return TwinChange(
            content: .thing(event, after: state), headers: DittoHeaders(), originator: nil, origin: nil, enforcer: nil,
            madeAt: 0)
    }

    private static func fill(_ store: SQLiteStore, from first: Int64 = 1, count: Int64, bytes: Int = 20) throws {
        for sequence in first..<first + count {
            try store.commit(
                CommitBatch(firstSequence: sequence, changes: [try change("n:t", revision: sequence, bytes: bytes)]))
        }
    }

    private static func rows(_ cursor: Int64) -> RowBatch {
        RowBatch(cursor: cursor)
    }

    @Test("records come back as they were written")
    func records() throws {
        let directory = try TemporaryDirectory(isInMemory: true)
        let store = try SQLiteStore(directory: directory.path, durability: .os)
        #expect(try store.open(discardingAfter: nil) == StorePosition(lastSequence: 0, rowsCursor: 0))
        var changes = try (1...5).map { try Self.change("n:日本 'x", revision: $0) }
        let deleted = ThingEvent(
            thingID: try ThingID(":q"), action: .deleted, path: .root, value: nil, revision: 9,
            timestamp: Timestamp(milliseconds: -5))
        let policy = PolicyEvent(
            policyID: try PolicyID("n:p"), action: .deleted, value: nil, revision: 3,
            timestamp: Timestamp(milliseconds: .max))
        changes.append(
            TwinChange(
                content: .thing(deleted, after: .never), headers: DittoHeaders(), originator: nil, origin: nil,
                enforcer: nil, madeAt: 0))
        changes.append(
            TwinChange(
                content: .policy(policy, after: .never), headers: DittoHeaders(), originator: nil, origin: nil,
                enforcer: nil, madeAt: 0))
        try store.commit(CommitBatch(firstSequence: 1, changes: changes))
        store.close()
        #expect(try store.open(discardingAfter: nil).lastSequence == 7)
        let read = try store.journal(after: 0, limit: 100)
        #expect(read.map(\.sequence) == Array(1...7))
        for (record, change) in zip(read, changes) {
            switch (record.content, change.content) {
            case (.thing(let read), .thing(let written, _)): #expect(read == written)
            case (.policy(let read), .policy(let written, _)): #expect(read == written)
            default: Issue.record("a record has changed its kind")
            }
        }
        #expect(try store.journal(after: 3, limit: 2).map(\.sequence) == [4, 5])
        #expect(try store.journal(after: 7, limit: 2).isEmpty)
        store.close()
    }

    static let policyPaths = [
        "/", "/entries", "/entries/日本 '1", "/entries/a~0b/subjects", "/entries/l/subjects/https://iss.org/x:s//1/",
        "/entries/l/resources/thing:/", "/entries/l/resources/thing:/features/a~0b/c", "/entries/l/references",
        "/imports/n:x", "/imports/n:x/entries",
    ]

    @Test("a part of a policy comes back with its path and value", arguments: policyPaths)
    func policyParts(path: String) throws {
        let directory = try TemporaryDirectory(isInMemory: true)
        let store = try SQLiteStore(directory: directory.path, durability: .os)
        _ = try store.open(discardingAfter: nil)
        let pointer = try JSONPointer(policyPath: path)
        var changes: [TwinChange] = []
        for (action, value) in [
            (ThingEvent.Action.created, JSONText("ü")), (.modified, JSONText([1])), (.deleted, nil),
        ] {
            let event = PolicyEvent(
                policyID: try PolicyID("n:p"), action: action, path: pointer, value: value,
                revision: Int64(changes.count + 1), timestamp: Timestamp(milliseconds: 7))
            changes.append(
                TwinChange(
                    content: .policy(event, after: .never), headers: DittoHeaders(), originator: nil, origin: nil,
                    enforcer: nil, madeAt: 0))
        }
        try store.commit(CommitBatch(firstSequence: 1, changes: changes))
        store.close()
        _ = try store.open(discardingAfter: nil)
        for (record, change) in zip(try store.journal(after: 0, limit: 10), changes) {
            guard case (.policy(let read), .policy(let written, _)) = (record.content, change.content) else {
                Issue.record("a record has changed its kind")
                continue
            }
            #expect(read == written)
            #expect(read.path.segments == pointer.segments)
        }
        #expect(try store.journal(after: 0, limit: 10).count == 3)
        store.close()
    }

    @Test("rows come back as they were written, tombstones too, and the cursor with them")
    func rows() throws {
        let directory = try TemporaryDirectory(isInMemory: true)
        let store = try SQLiteStore(directory: directory.path, durability: .full)
        _ = try store.open(discardingAfter: nil)
        try Self.fill(store, count: 3)
        let time = Timestamp(milliseconds: 5)
        let states = [
            ThingState(
                policyID: try PolicyID("n:p"), revision: 7, created: time, modified: Timestamp(milliseconds: 9),
                text: JSONText(.string("ü"))),
            ThingState(policyID: nil, revision: 2, created: time, modified: time, text: nil),
        ]
        var rows = RowBatch(cursor: 3)
        rows.things = [(try ThingID("n:a"), states[0]), (try ThingID("n:'b"), states[1])]
        let text = JSONText(try JSONValue.parse(#"{"policyId":"n:p","entries":{}}"#))
        rows.policies = [
            (
                try PolicyID("n:p"),
                try PolicyState(id: try PolicyID("n:p"), revision: 4, created: time, modified: time, text: text)
            )
        ]
        try store.write(rows)
        store.close()
        #expect(try store.open(discardingAfter: nil) == StorePosition(lastSequence: 3, rowsCursor: 3))
        #expect(try store.thing(try ThingID("n:a")) == states[0])
        #expect(try store.thing(try ThingID("n:'b")) == states[1])
        #expect(try store.thing(try ThingID("n:none")) == nil)
        let policy = try #require(try store.policy(try PolicyID("n:p")))
        #expect((policy.revision, policy.text, policy.ownEnforcer != nil) == (4, text, true))
        store.close()
    }

    @Test("a batch that fails in its midst leaves nothing, and the store goes on where it stood")
    func failedBatch() throws {
        let directory = try TemporaryDirectory(isInMemory: true)
        let store = try SQLiteStore(directory: directory.path, durability: .os)
        _ = try store.open(discardingAfter: nil)
        try Self.fill(store, count: 2)
        try store.commit(CommitBatch(firstSequence: 5, changes: [try Self.change("n:u", revision: 1)]))
        // The third record of this batch has the sequence of one that is there.
        let batch = CommitBatch(firstSequence: 3, changes: try (1...4).map { try Self.change("n:v", revision: $0) })
        #expect(throws: StoreFailure.self) { try store.commit(batch) }
        #expect(try store.journal(after: 0, limit: 10).map(\.sequence) == [1, 2, 5])
        store.close()
        #expect(try store.open(discardingAfter: 2).lastSequence == 2)
        try Self.fill(store, from: 3, count: 1)
        #expect(try store.journal(after: 0, limit: 10).map(\.sequence) == [1, 2, 3])
        store.close()
    }

    @Test("whatever is called on a closed store fails and does not crash")
    func closed() throws {
        let directory = try TemporaryDirectory(isInMemory: true)
        let store = try SQLiteStore(directory: directory.path, durability: .os)
        for _ in 0..<2 {
            #expect(throws: StoreFailure.self) { try store.commit(CommitBatch(firstSequence: 1, changes: [])) }
            #expect(throws: StoreFailure.self) { try store.write(RowBatch(cursor: 0)) }
            #expect(throws: StoreFailure.self) { try store.probe() }
            #expect(throws: StoreFailure.self) { try store.thing(try ThingID("n:t")) }
            #expect(throws: StoreFailure.self) { try store.journal(after: 0, limit: 1) }
            #expect(throws: Never.self) { try store.maintain() }
            _ = try store.open(discardingAfter: nil)
            try store.probe()
            store.close()
        }
        store.close()
    }

    @Test("a second process is told who holds the directory, and what to do")
    func locked() throws {
        let directory = try TemporaryDirectory(isInMemory: true)
        let first = try SQLiteStore(directory: directory.path, durability: .os)
        do throws(StoreFailure) {
            _ = try SQLiteStore(directory: directory.path, durability: .os)
            Issue.record("the directory was taken twice")
        } catch {
            #expect(error.kind == .locked)
            #expect(error.description.contains(directory.path))
            #expect(error.description.contains("\(ProcessInfo.processInfo.processIdentifier)"))
            #expect(error.hint?.contains("--data") == true)
        }
        withExtendedLifetime(first) {}
    }

    @Test("a directory that cannot be made says so")
    func noDirectory() {
        #expect(throws: StoreFailure.self) { try SQLiteStore(directory: "/dev/null/x", durability: .os) }
    }

    @Test("a file of a newer version is refused with a clear text and stays as it is", arguments: ["journal", "twins"])
    func newer(name: String) throws {
        let directory = try TemporaryDirectory(isInMemory: true)
        let store = try SQLiteStore(directory: directory.path, durability: .os)
        _ = try store.open(discardingAfter: nil)
        try Self.fill(store, count: 3)
        store.close()
        let path = directory.path + "/" + (try #require(try Self.file(name, in: directory.path)))
        let writer = try WriterConnection(path: path, isSynced: false)
        try writer.run("INSERT INTO grdb_migrations (identifier) VALUES ('v999'); PRAGMA wal_checkpoint(TRUNCATE)")
        let before = try Data(contentsOf: URL(fileURLWithPath: path))
        do throws(StoreFailure) {
            _ = try store.open(discardingAfter: nil)
            Issue.record("a newer file was opened")
        } catch {
            #expect(error.kind == .newerVersion)
            #expect(error.description.contains("newer version"))
            #expect(error.hint?.isEmpty == false)
        }
        store.close()
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
    }

    @Test("a store of the first version is brought up to date with what it has")
    func migrated() throws {
        let directory = try TemporaryDirectory(isInMemory: true)
        try Self.makeFirstVersion(in: directory.path)
        let store = try SQLiteStore(directory: directory.path, durability: .os)
        #expect(try store.open(discardingAfter: nil) == StorePosition(lastSequence: 2, rowsCursor: 1))
        let id = try ThingID("n:t")
        let state = try #require(try store.thing(id))
        #expect(
            state
                == ThingState(
                    policyID: try PolicyID("n:p"), revision: 1, created: Timestamp(milliseconds: 5),
                    modified: Timestamp(milliseconds: 6), text: JSONText(try JSONValue.parse(#"{"thingId":"n:t"}"#))))
        let records = try store.journal(after: 0, limit: 10)
        #expect(records.map(\.sequence) == [1, 2])
        guard case .thing(let event) = try #require(records.last).content else {
            Issue.record("the record has changed its kind")
            return
        }
        #expect(event.value?.text == "7")
        #expect(event.metadata == nil)
        // And it takes what the second version has.
        var after = state
        after.metadata = JSONText(try JSONValue.parse(#"{"k":1}"#))
        var next = event
        next.revision = 3
        next.metadata = after.metadata
        let change = TwinChange(
            content: .thing(next, after: after), headers: DittoHeaders(), originator: nil, origin: nil, enforcer: nil,
            madeAt: 0)
        try store.commit(CommitBatch(firstSequence: 3, changes: [change]))
        var rows = RowBatch(cursor: 3)
        rows.things = [(id, after)]
        try store.write(rows)
        store.close()
        _ = try store.open(discardingAfter: nil)
        #expect(try store.thing(id) == after)
        guard case .thing(let read) = try #require(try store.journal(after: 2, limit: 1).first).content else {
            Issue.record("the record has changed its kind")
            return
        }
        #expect(read == next)
        store.close()
    }

    /// Both files as the first version made them, with one row and two records.
    private static func makeFirstVersion(in directory: String) throws {
        let migrations = """
            CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY);
            INSERT INTO grdb_migrations (identifier) VALUES ('v1');
            """
        for (name, sql) in [
            (
                "journal",
                """
                CREATE TABLE journal (
                    sequence INTEGER PRIMARY KEY, kind INTEGER NOT NULL, entity TEXT NOT NULL,
                    revision INTEGER NOT NULL, action INTEGER NOT NULL, time INTEGER NOT NULL,
                    path TEXT NOT NULL, value BLOB, position INTEGER NOT NULL);
                INSERT INTO journal VALUES
                    (1, 1, 'n:t', 1, 1, 5, '/', CAST('{"thingId":"n:t"}' AS BLOB), 60),
                    (2, 1, 'n:t', 2, 2, 7, '/attributes/a', CAST('7' AS BLOB), 120);
                """
            ),
            (
                "twins",
                """
                CREATE TABLE thing (
                    id TEXT PRIMARY KEY NOT NULL, policy TEXT, revision INTEGER NOT NULL,
                    created INTEGER NOT NULL, modified INTEGER NOT NULL, json BLOB);
                CREATE TABLE policy (
                    id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL,
                    created INTEGER NOT NULL, modified INTEGER NOT NULL, json BLOB);
                CREATE TABLE journal_index (
                    entity TEXT NOT NULL, kind INTEGER NOT NULL, revision INTEGER NOT NULL,
                    sequence INTEGER NOT NULL,
                    PRIMARY KEY (entity, kind, revision)) WITHOUT ROWID;
                CREATE TABLE cursor (name TEXT PRIMARY KEY NOT NULL, sequence INTEGER NOT NULL) WITHOUT ROWID;
                INSERT INTO cursor VALUES ('rows', 1), ('journal_index', 0);
                INSERT INTO thing VALUES ('n:t', 'n:p', 1, 5, 6, CAST('{"thingId":"n:t"}' AS BLOB));
                """
            ),
        ] {
            let path = "\(directory)/\(name).db"
            #expect(FileManager.default.createFile(atPath: path, contents: nil))
            let writer = try WriterConnection(path: path, isSynced: false)
            try writer.run("PRAGMA journal_mode = WAL")
            try writer.run(migrations + sql)
        }
    }

    private static func file(_ name: String, in directory: String) throws -> String? {
        try FileManager.default.contentsOfDirectory(atPath: directory).first { $0.hasSuffix("\(name).db") }
    }

    @Test("a file that is not a store is refused and stays as it is", arguments: ["journal", "twins"])
    func corrupt(name: String) throws {
        let directory = try TemporaryDirectory(isInMemory: true)
        do {
            let store = try SQLiteStore(directory: directory.path, durability: .os)
            _ = try store.open(discardingAfter: nil)
            store.close()
        }
        let path = directory.path + "/" + (try #require(try Self.file(name, in: directory.path)))
        let garbage = Data((0..<8192).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ 7) })
        try garbage.write(to: URL(fileURLWithPath: path))
        let store = try SQLiteStore(directory: directory.path, durability: .os)
        do throws(StoreFailure) {
            _ = try store.open(discardingAfter: nil)
            Issue.record("garbage was opened")
        } catch {
            #expect(error.kind == .corrupt, "\(error)")
            #expect(error.hint?.isEmpty == false)
        }
        store.close()
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == garbage)
    }

    @Test("retention trims a prefix by size, a piece at a time, and counts what is left")
    func trimBySize() throws {
        let directory = try TemporaryDirectory(isInMemory: true)
        let store = try SQLiteStore(directory: directory.path, durability: .os)
        _ = try store.open(discardingAfter: nil)
        try Self.fill(store, count: 100, bytes: 1_000)
        try store.write(Self.rows(100))
        store.close()
        _ = try store.open(discardingAfter: nil)
        let retention = JournalRetention(bytes: 30_000, age: .seconds(1_000_000_000))
        #expect(try store.trimJournal(retention, now: Timestamp(milliseconds: 2_000), limit: 10) == 10)
        var trimmed = 10
        while case let count = try store.trimJournal(retention, now: Timestamp(milliseconds: 2_000), limit: 10),
            count > 0
        { trimmed += count }
        let kept = try store.journal(after: 0, limit: 1_000)
        #expect(kept.map(\.sequence) == Array(Int64(trimmed + 1)...100))
        #expect((20...30).contains(kept.count), "\(kept.count)")
        store.close()
        #expect(try store.open(discardingAfter: nil).lastSequence == 100)
        let measures = store.measure()
        #expect(measures.journalRecords == Int64(kept.count))
        #expect((20_000...31_000).contains(measures.journalBytes), "\(measures)")
        #expect(measures.fileBytes > 0)
        store.close()
    }

    @Test("retention trims by age, and never what the rows do not have or a cursor keeps")
    func trimByAge() throws {
        let directory = try TemporaryDirectory(isInMemory: true)
        let store = try SQLiteStore(directory: directory.path, durability: .os)
        _ = try store.open(discardingAfter: nil)
        for sequence in Int64(1)...20 {
            try store.commit(
                CommitBatch(
                    firstSequence: sequence, changes: [try Self.change("n:t", revision: sequence, at: sequence * 1_000)]
                ))
        }
        let retention = JournalRetention(bytes: 0, age: .seconds(5))
        #expect(try store.trimJournal(retention, now: Timestamp(milliseconds: 1 << 40), limit: 1_000) == 0)
        try store.write(Self.rows(12))
        store.close()
        _ = try store.open(discardingAfter: nil)
        let old = JournalRetention(bytes: 1 << 40, age: .seconds(10))
        #expect(try store.trimJournal(old, now: Timestamp(milliseconds: 15_000), limit: 1_000) == 4)
        #expect(
            try store.trimJournal(
                JournalRetention(bytes: 1 << 40, age: .seconds(10), keepAbove: 6),
                now: Timestamp(milliseconds: 1 << 40), limit: 1_000) == 2)
        #expect(try store.trimJournal(retention, now: Timestamp(milliseconds: 1 << 40), limit: 1_000) == 6)
        #expect(try store.journal(after: 0, limit: 100).map(\.sequence) == Array(13...20))
        store.close()
        #expect(try store.open(discardingAfter: nil) == StorePosition(lastSequence: 20, rowsCursor: 12))
        store.close()
    }

    @Test("an emptied journal has no bytes, and its sequences go on")
    func emptied() throws {
        let directory = try TemporaryDirectory(isInMemory: true)
        let store = try SQLiteStore(directory: directory.path, durability: .os)
        _ = try store.open(discardingAfter: nil)
        try Self.fill(store, count: 10, bytes: 1_000)
        try store.write(Self.rows(10))
        store.close()
        _ = try store.open(discardingAfter: nil)
        let nothing = JournalRetention(bytes: 1 << 40, age: .zero)
        #expect(try store.trimJournal(nothing, now: Timestamp(milliseconds: 1 << 40), limit: 1_000) == 10)
        for _ in 0..<64 { try store.maintain() }
        #expect((store.measure().journalBytes, store.measure().journalRecords) == (0, 0))
        try Self.fill(store, from: 11, count: 5, bytes: 1_000)
        for _ in 0..<64 { try store.maintain() }
        #expect(store.measure().journalRecords == 5)
        #expect(store.measure().journalBytes < 6_000, "\(store.measure())")
        store.close()
        #expect(try store.open(discardingAfter: nil).lastSequence == 15)
        store.close()
    }

    @Test("the index of the journal takes any id, also one that looks like SQL")
    func hostileIDs() throws {
        let directory = try TemporaryDirectory(isInMemory: true)
        let store = try SQLiteStore(directory: directory.path, durability: .os)
        _ = try store.open(discardingAfter: nil)
        // A quote with a combining mark is one Character, and not the Character of a quote.
        let ids = ["n:a'; DROP TABLE journal; --", "n:b'\u{301}; DROP TABLE journal; --", "n:'\u{301}", "n:\"", "n:日'"]
        var changes: [TwinChange] = []
        for number in 0..<(Int(JournalIndex.chunk) + 10) {
            changes.append(
                try Self.change(
                    number % 2 == 0 ? ids[number / 2 % ids.count] + "\(number)" : "n:\(number)", revision: 1, bytes: 4))
        }
        try store.commit(CommitBatch(firstSequence: 1, changes: changes))
        try store.write(Self.rows(Int64(changes.count)))
        store.close()
        _ = try store.open(discardingAfter: nil)
        try store.maintain()
        let retention = JournalRetention(bytes: 1 << 40, age: .zero)
        for _ in 0..<400 {
            _ = try store.trimJournal(retention, now: Timestamp(milliseconds: 1 << 40), limit: 1_000)
            try store.maintain()
        }
        #expect(try store.journal(after: 0, limit: 10).isEmpty)
        // The entries go with the records, a part with each writing of rows.
        for _ in 0..<8 { try store.write(Self.rows(Int64(changes.count))) }
        store.close()
    }

    @Test("200,000 small commits keep the log of the file bounded")
    func boundedLog() throws {
        let directory = try TemporaryDirectory(isInMemory: true)
        let store = try SQLiteStore(directory: directory.path, durability: .os)
        _ = try store.open(discardingAfter: nil)
        let change = try Self.change("n:t", revision: 2, bytes: 100)
        let wal = directory.path + "/" + (try #require(try Self.file("journal", in: directory.path))) + "-wal"
        var largest: Int64 = 0
        for sequence in Int64(1)...200_000 {
            try store.commit(CommitBatch(firstSequence: sequence, changes: [change]))
            try store.maintain()
            if sequence % 500 == 0 { largest = max(largest, DataDirectory.size(of: wal)) }
        }
        #expect(largest > 0)
        #expect(largest < 64 << 20, "\(largest >> 20) MiB")
        store.close()
        #expect(try store.open(discardingAfter: nil).lastSequence == 200_000)
        store.close()
    }
}
