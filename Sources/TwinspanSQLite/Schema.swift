// The schema and its history. Every change is a migration of its own with a number; a file of an unknown newer version
// is refused and never touched.
import GRDB

enum Schema {
    /// The newest version this program knows.
    static let version = 1

    static func migrator() -> DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("v1") { db in
            // `position` is the running total of record bytes since the first one: the size of the journal is a
            // subtraction, not a scan. Revisions are found through `journal_index`, which is written behind in bulk:
            // an index kept with every commit would write one random page per message.
            try db.execute(
                sql: """
                    CREATE TABLE journal (
                        sequence INTEGER PRIMARY KEY, kind INTEGER NOT NULL, entity TEXT NOT NULL,
                        revision INTEGER NOT NULL, action INTEGER NOT NULL, time INTEGER NOT NULL,
                        path TEXT NOT NULL, value BLOB, position INTEGER NOT NULL);
                    CREATE TABLE journal_index (
                        entity TEXT NOT NULL, kind INTEGER NOT NULL, revision INTEGER NOT NULL,
                        sequence INTEGER NOT NULL,
                        PRIMARY KEY (entity, kind, revision)) WITHOUT ROWID;
                    CREATE TABLE thing (
                        id TEXT PRIMARY KEY NOT NULL, policy TEXT, revision INTEGER NOT NULL,
                        created INTEGER NOT NULL, modified INTEGER NOT NULL, json BLOB);
                    CREATE TABLE policy (
                        id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL,
                        created INTEGER NOT NULL, modified INTEGER NOT NULL, json BLOB);
                    CREATE TABLE cursor (name TEXT PRIMARY KEY NOT NULL, sequence INTEGER NOT NULL) WITHOUT ROWID;
                    INSERT INTO cursor VALUES ('rows', 0), ('journal_index', 0);
                    """)
        }
        return migrator
    }
}

extension JournalKind {
    static let thing: Int64 = 1
    static let policy: Int64 = 2
}

/// What a journal record is about, as stored.
enum JournalKind {}
