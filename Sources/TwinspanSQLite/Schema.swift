// The schema and its history. Every change is a migration of its own with a number; a file of an unknown newer version
// is refused and never touched.
import Foundation
import GRDB
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol

/// A file of the store, each with a schema of its own.
enum Schema: String, CaseIterable {
    /// The truth: what happened, in its order.
    case journal
    /// The rows, which can be rebuilt from the journal.
    case twins

    /// The newest version this program knows.
    static let version = 5

    /// Bytes of a page. A commit appends to the journal and writes at least one page, so small ones halve what goes to
    /// the disk at one message per commit; rows are written many at a time and like larger ones (ARCHITECTURE.md).
    var pageBytes: Int {
        switch self {
        case .journal: 512
        case .twins: 4096
        }
    }

    var migrator: DatabaseMigrator {
        switch self {
        case .journal: Self.journalMigrator()
        case .twins: Self.twinsMigrator()
        }
    }

    private static func twinsMigrator() -> DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("v1") { db in
            try db.execute(
                sql: """
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
                    INSERT INTO cursor VALUES ('rows', 0), ('journal_index', 0);
                    """)
        }
        // The metadata of a thing; NULL when it has none.
        migrator.registerMigration("v2") { db in try db.execute(sql: "ALTER TABLE thing ADD COLUMN metadata BLOB") }
        // Both files share the number; only the journal has changed.
        migrator.registerMigration("v3") { _ in }
        migrator.registerMigration("v4") { _ in }
        migrator.registerMigration("v5") { db in try addDueColumn(db) }
        return migrator
    }

    private static func journalMigrator() -> DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("v1") { db in
            // `position` is the running total of record bytes since the first one: the size of the journal is a
            // subtraction, not a scan.
            try db.execute(
                sql: """
                    CREATE TABLE journal (
                        sequence INTEGER PRIMARY KEY, kind INTEGER NOT NULL, entity TEXT NOT NULL,
                        revision INTEGER NOT NULL, action INTEGER NOT NULL, time INTEGER NOT NULL,
                        path TEXT NOT NULL, value BLOB, position INTEGER NOT NULL);
                    """)
        }
        // The whole metadata of a thing where the event has changed it; NULL where it has not.
        migrator.registerMigration("v2") { db in try db.execute(sql: "ALTER TABLE journal ADD COLUMN metadata BLOB") }
        migrator.registerMigration("v3") { db in try db.execute(sql: recordTables) }
        migrator.registerMigration("v4") { db in try db.execute(sql: positionTables) }
        migrator.registerMigration("v5") { db in try db.execute(sql: announcementTable) }
        return migrator
    }

    /// `due` is the earliest moment at which a subject of the policy may have to be announced or removed; NULL for
    /// nearly every policy. The few that name an expiry are read, once.
    private static func addDueColumn(_ db: Database) throws {
        try db.execute(
            sql: """
                ALTER TABLE policy ADD COLUMN due INTEGER;
                CREATE INDEX policy_due ON policy (due, id) WHERE due IS NOT NULL;
                """)
        let rows = try Row.fetchCursor(
            db, sql: #"SELECT id, json FROM policy WHERE CAST(json AS TEXT) LIKE '%"expiry"%'"#)
        var found: [(id: String, due: Int64)] = []
        while let row = try rows.next() {
            let (id, json): (String, Data) = (row[0], row[1])
            // A row that is no policy is told about when somebody wants to read it.
            let state = try? PolicyState(
                id: try PolicyID(id), revision: 1, created: Timestamp(milliseconds: 0),
                modified: Timestamp(milliseconds: 0), text: JSONText(uncheckedBytes: [UInt8](json)))
            if let due = state?.due { found.append((id, due.milliseconds)) }
        }
        for (id, due) in found { try db.execute(sql: "UPDATE policy SET due = ? WHERE id = ?", arguments: [due, id]) }
    }

    /// What subjects were told of their removal. `delete_at` is NULL while the subject is there and its announcement is
    /// acknowledged; otherwise the subject is gone and nobody has acknowledged yet.
    private static let announcementTable = """
        CREATE TABLE announcement (
            policy TEXT NOT NULL, subject BLOB NOT NULL, delete_at INTEGER,
            PRIMARY KEY (policy, subject)) WITHOUT ROWID;
        """

    /// Places in brokers' logs, and which payloads their transport calls bytes.
    private static let positionTables = """
        CREATE TABLE log_position (
            connection TEXT NOT NULL, reader BLOB NOT NULL, topic BLOB NOT NULL, partition INTEGER NOT NULL,
            next INTEGER NOT NULL, claimed INTEGER NOT NULL,
            PRIMARY KEY (connection, reader, topic, partition)) WITHOUT ROWID;
        ALTER TABLE inbox ADD COLUMN binary INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE dead_letter ADD COLUMN binary INTEGER NOT NULL DEFAULT 0;
        """

    /// What is stored beside events. `position` has one row: the newest sequence that records have used and how many
    /// they have used, how far the journal is trimmed and how many records that were, and the greatest record id.
    /// What is small stands before the payload, so that nobody who wants only that reads the payload's pages. Text of
    /// peers is kept as bytes, because readers end a text at its first NUL.
    private static let recordTables = """
        ALTER TABLE journal ADD COLUMN headers BLOB;
        CREATE TABLE position (
            records INTEGER NOT NULL, record_count INTEGER NOT NULL,
            trimmed INTEGER NOT NULL, trimmed_count INTEGER NOT NULL, newest_id INTEGER NOT NULL);
        INSERT INTO position
            SELECT 0, 0, coalesce(min(sequence), 1) - 1, coalesce(min(sequence), 1) - 1, 0 FROM journal;
        CREATE TABLE inbox (
            id INTEGER PRIMARY KEY, connection TEXT NOT NULL, bytes INTEGER NOT NULL, attempts INTEGER NOT NULL,
            next_attempt INTEGER, error BLOB, source INTEGER NOT NULL, address BLOB NOT NULL, qos INTEGER NOT NULL,
            retained INTEGER NOT NULL, received INTEGER NOT NULL, headers BLOB NOT NULL, payload BLOB NOT NULL);
        CREATE INDEX inbox_connection ON inbox (connection, id, bytes);
        CREATE TABLE dead_letter (
            id INTEGER PRIMARY KEY, connection TEXT NOT NULL, bytes INTEGER NOT NULL, attempts INTEGER NOT NULL,
            died INTEGER NOT NULL, stage TEXT NOT NULL, correlation BLOB, error BLOB NOT NULL, source INTEGER NOT NULL,
            address BLOB NOT NULL, qos INTEGER NOT NULL, retained INTEGER NOT NULL, received INTEGER NOT NULL,
            headers BLOB NOT NULL, payload BLOB NOT NULL);
        CREATE INDEX dead_letter_connection ON dead_letter (connection, id, bytes);
        CREATE TABLE reader (
            name TEXT PRIMARY KEY NOT NULL, sequence INTEGER NOT NULL, claimed INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE connection (
            id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL, created INTEGER NOT NULL,
            modified INTEGER NOT NULL, text BLOB NOT NULL);
        """
}

extension JournalKind {
    static let thing: Int64 = 1
    static let policy: Int64 = 2
}

/// What a journal record is about, as stored.
enum JournalKind {}
