// Finds journal records by entity and revision. It stands with the rows and is written behind and in bulk, like them:
// kept with every commit it would write one random page per message, which no flash memory forgives, and a bulk of it
// in the journal's own file would hold up the commits. History reads it and looks at the few newest records, which
// are not indexed yet, by themselves.
import TwinspanEngine

/// The index of the journal by entity and revision. Owned by the row writer's thread.
final class JournalIndex {
    /// One record as the index has it.
    struct Entry {
        var entity: String
        var kind: Int64
        var revision: Int64
        var sequence: Int64
    }

    /// Records indexed in one transaction; the more, the more of them share a page. With 20,000 records of 1,000
    /// devices the index was a tenth of all that goes to the disk.
    static let chunk: Int64 = 50_000
    /// Entries looked at in one step of the purge, and steps taken at a time.
    private static let purgeStep: Int64 = 512
    private static let purgeSteps = 256

    private let owner: WriterConnection
    private let insert: Statement
    private(set) var cursor: Int64
    /// Where the purge stands; nil when everything was looked at since the journal was last trimmed.
    private var purgePosition: String?

    init(_ owner: WriterConnection) throws(StoreFailure) {
        self.owner = owner
        insert = try Statement(
            owner.handle, "INSERT OR REPLACE INTO journal_index (entity, kind, revision, sequence) VALUES (?, ?, ?, ?)")
        cursor = try owner.integers("SELECT sequence FROM cursor WHERE name = 'journal_index'")?[0] ?? 0
    }

    /// The sequences to index next, when there are enough for a transaction; nil otherwise.
    func due(upTo committed: Int64) -> ClosedRange<Int64>? {
        committed - cursor >= Self.chunk ? cursor + 1...cursor + Self.chunk : nil
    }

    /// Adds the entries that `each` hands over one by one, best sorted by entity and revision, so that neighbours are
    /// written together; the cursor moves to `end`.
    func add(
        upTo end: Int64, _ each: ((Entry) throws(StoreFailure) -> Void) throws(StoreFailure) -> Void
    ) throws(StoreFailure) {
        try owner.run("BEGIN IMMEDIATE")
        do throws(StoreFailure) {
            try each { entry throws(StoreFailure) in try add(entry) }
            try owner.run("UPDATE cursor SET sequence = \(end) WHERE name = 'journal_index'; COMMIT")
        } catch {
            owner.rollBack()
            throw error
        }
        cursor = end
    }

    private func add(_ entry: Entry) throws(StoreFailure) {
        insert.bind(2, entry.kind)
        insert.bind(3, entry.revision)
        insert.bind(4, entry.sequence)
        var entity = entry.entity
        let code = entity.withUTF8 { entity in
            insert.bind(1, text: entity)
            return insert.stepAndReset()
        }
        try insert.check(code)
    }

    /// Notes that records have left the journal, so that their entries have to go.
    func journalWasTrimmed() {
        if purgePosition == nil { purgePosition = "" }
    }

    /// Removes entries of records that are gone, some per call, in the order of the index.
    func purge(before firstSequence: Int64) throws(StoreFailure) {
        for _ in 0..<Self.purgeSteps {
            guard let position = purgePosition else { return }
            purgePosition = try purge(after: position, before: firstSequence)
        }
    }

    /// One step: returns where the next one begins; nil at the index's end.
    private func purge(after position: String, before firstSequence: Int64) throws(StoreFailure) -> String? {
        let start = Self.literal(position)
        let next = try owner.text(
            """
            SELECT entity FROM journal_index WHERE entity > \(start)
            ORDER BY entity LIMIT 1 OFFSET \(Self.purgeStep)
            """
        )
        let bound = next.map { "AND entity <= \(Self.literal($0))" }
        // Limited, because one busy entity can have millions of entries; then the same place is visited again.
        try owner.run(
            """
            DELETE FROM journal_index WHERE (entity, kind, revision) IN (
                SELECT entity, kind, revision FROM journal_index
                WHERE entity > \(start) \(bound ?? "") AND sequence < \(firstSequence) LIMIT \(Self.purgeStep * 4))
            """)
        return owner.changeCount < Self.purgeStep * 4 ? next : position
    }

    /// The SQL literal of a text. By bytes: a quote with a combining mark behind it is another Character than a quote,
    /// but SQL ends a literal at it all the same.
    private static func literal(_ text: String) -> String {
        let quote = UInt8(ascii: "'")
        var bytes = [quote]
        for byte in text.utf8 {
            if byte == quote { bytes.append(quote) }
            bytes.append(byte)
        }
        bytes.append(quote)
        return String(decoding: bytes, as: UTF8.self)
    }
}
