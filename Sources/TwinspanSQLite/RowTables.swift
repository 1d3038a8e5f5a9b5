// Writes the rows of things and policies, many in one transaction. Not synced with every transaction: the journal has
// everything, and the file itself stays consistent without.
import GRDBSQLite
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol

/// The writer of the rows' file. Owned by the row writer's thread while the store is open.
final class RowTables {
    /// Rows written in one transaction.
    private static let chunk = 2_000
    /// From this size of its log on, pages are moved to their place.
    private static let logBytesMax: Int64 = 8 << 20

    private let owner: WriterConnection
    private let walPath: String
    private let begin: Statement
    private let end: Statement
    private let upsertThing: Statement
    private let upsertPolicy: Statement
    private let setCursor: Statement
    /// Rows are complete up to here.
    private(set) var cursor: Int64
    /// The cursor as it would be found after a power cut. The journal must be kept from here on.
    private(set) var durableCursor: Int64

    init(_ owner: WriterConnection, path: String) throws(StoreFailure) {
        self.owner = owner
        walPath = path + "-wal"
        let connection = owner.handle
        begin = try Statement(connection, "BEGIN IMMEDIATE")
        end = try Statement(connection, "COMMIT")
        upsertThing = try Statement(
            connection,
            "INSERT INTO thing (id, policy, revision, created, modified, json, metadata)"
                + " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO UPDATE"
                + " SET policy = ?2, revision = ?3, created = ?4, modified = ?5, json = ?6, metadata = ?7")
        upsertPolicy = try Statement(
            connection,
            "INSERT INTO policy (id, revision, created, modified, json, due) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
                + " ON CONFLICT (id) DO UPDATE SET revision = ?2, created = ?3, modified = ?4, json = ?5, due = ?6")
        setCursor = try Statement(connection, "UPDATE cursor SET sequence = ? WHERE name = 'rows'")
        cursor = try owner.integers("SELECT sequence FROM cursor WHERE name = 'rows'")?[0] ?? 0
        // What stands there now was read from files that a power cut can no longer take back only after a checkpoint. A
        // reader of the connections before can still be in its way; then nothing counts as durable until the next.
        durableCursor = owner.checkpoint(patienceMilliseconds: 100) ? cursor : 0
    }

    /// Writes rows; the cursor moves with the last of them. Throws with the transaction rolled back; rows written
    /// before are newer than their cursor then, which replay allows for.
    func write(_ rows: RowBatch) throws(StoreFailure) {
        var things = rows.things[...]
        var policies = rows.policies[...]
        repeat {
            let thingChunk = things.prefix(Self.chunk)
            let policyChunk = policies.prefix(Self.chunk - thingChunk.count)
            things = things.dropFirst(thingChunk.count)
            policies = policies.dropFirst(policyChunk.count)
            try begin.run()
            do throws(StoreFailure) {
                for (id, state) in thingChunk { try write(id, state) }
                for (id, state) in policyChunk { try write(id, state) }
                if things.isEmpty, policies.isEmpty {
                    setCursor.bind(1, rows.cursor)
                    try setCursor.run()
                }
                try end.run()
            } catch {
                owner.rollBack()
                throw error
            }
        } while !things.isEmpty || !policies.isEmpty
        cursor = rows.cursor
        if DataDirectory.size(of: walPath) > Self.logBytesMax { makeDurable() }
    }

    /// Moves the pages to their place and syncs them.
    func makeDurable() {
        if owner.checkpoint(patienceMilliseconds: 100) { durableCursor = cursor }
    }

    private func write(_ id: ThingID, _ state: ThingState) throws(StoreFailure) {
        upsertThing.bind(3, state.revision)
        upsertThing.bind(4, state.created.milliseconds)
        upsertThing.bind(5, state.modified.milliseconds)
        var text = id.text
        var policy = state.policyID?.text ?? ""
        let code = text.withUTF8 { text in
            policy.withUTF8 { policy in
                upsertThing.bind(1, text: text)
                upsertThing.bind(2, text: policy)
                return upsertThing.step(withBlobs: state.text?.bytes, at: 6, state.metadata?.bytes, at: 7)
            }
        }
        try upsertThing.check(code)
    }

    private func write(_ id: PolicyID, _ state: PolicyState) throws(StoreFailure) {
        upsertPolicy.bind(2, state.revision)
        upsertPolicy.bind(3, state.created.milliseconds)
        upsertPolicy.bind(4, state.modified.milliseconds)
        upsertPolicy.bind(6, optional: state.due?.milliseconds)
        var text = id.text
        let code = text.withUTF8 { text in
            upsertPolicy.bind(1, text: text)
            return upsertPolicy.step(withBlob: state.text?.bytes, at: 5)
        }
        try upsertPolicy.check(code)
    }
}
