// Finds journal records by entity and revision. Written behind and in bulk: kept with every commit it would write one
// random page per message, which no flash memory forgives. History reads it and looks at the few newest records, which
// are not indexed yet, by themselves.
import TwinspanEngine

/// The index of the journal by entity and revision. Owned by the committer's thread.
final class JournalIndex {
    /// Records indexed in one transaction; the more, the more of them share a page.
    static let chunk: Int64 = 20_000
    /// Entries looked at in one step of the purge.
    private static let purgeStep: Int64 = 512

    private let writer: WriterConnection
    private(set) var cursor: Int64
    /// Where the purge stands; nil when everything was looked at since the journal was last trimmed.
    private var purgePosition: String?

    init(_ writer: WriterConnection) throws(StoreFailure) {
        self.writer = writer
        cursor = try writer.integers("SELECT sequence FROM cursor WHERE name = 'journal_index'")?[0] ?? 0
    }

    /// Indexes what has gathered, when it is enough for a transaction of its own.
    func advance(to lastSequence: Int64, isLast: Bool = false) throws(StoreFailure) {
        guard lastSequence - cursor >= Self.chunk || (isLast && lastSequence > cursor) else { return }
        let end = min(cursor + Self.chunk, lastSequence)
        // Sorted, so that neighbours in the index are written together.
        try writer.run(
            """
            BEGIN IMMEDIATE;
            INSERT OR REPLACE INTO journal_index (entity, kind, revision, sequence)
                SELECT entity, kind, revision, sequence FROM journal
                WHERE sequence > \(cursor) AND sequence <= \(end) ORDER BY entity, kind, revision;
            UPDATE cursor SET sequence = \(end) WHERE name = 'journal_index';
            COMMIT
            """)
        cursor = end
    }

    /// Notes that records have left the journal, so that their entries have to go.
    func journalWasTrimmed() {
        if purgePosition == nil { purgePosition = "" }
    }

    /// Removes entries of records that are gone, a few per call, in the order of the index.
    func purge(before firstSequence: Int64) throws(StoreFailure) {
        guard let position = purgePosition else { return }
        let start = Self.literal(position)
        let next = try writer.text(
            """
            SELECT entity FROM journal_index WHERE entity > \(start)
            ORDER BY entity LIMIT 1 OFFSET \(Self.purgeStep)
            """
        )
        let bound = next.map { "AND entity <= \(Self.literal($0))" }
        // Limited, because one busy entity can have millions of entries; then the same place is visited again.
        try writer.run(
            """
            DELETE FROM journal_index WHERE (entity, kind, revision) IN (
                SELECT entity, kind, revision FROM journal_index
                WHERE entity > \(start) \(bound ?? "") AND sequence < \(firstSequence) LIMIT \(Self.purgeStep * 4))
            """)
        guard writer.changeCount < Self.purgeStep * 4 else { return }
        purgePosition = next
    }

    /// The SQL literal of a text. By bytes: a quote with a combining mark behind it is another Character than a
    /// quote, but SQL ends a literal at it all the same.
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
