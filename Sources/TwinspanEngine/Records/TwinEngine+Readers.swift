// Readers of the journal: durable targets that go on from a place of their own. Their cursors hold back the trimming of
// the journal, up to twice its size; a reader that is further behind finds that it has missed something.
import Synchronization
import TwinspanProtocol

extension TwinEngine {
    /// Whether the headers of events are kept in the journal, for readers that send them later. Holds for what is
    /// committed from now on.
    public var keepsEventHeaders: Bool {
        get { eventHeadersKept.load(ordering: .relaxed) }
        set { eventHeadersKept.store(newValue, ordering: .relaxed) }
    }

    /// The oldest sequence that is still in the journal. A reader whose cursor is smaller than the one before it has
    /// missed what was in between.
    public var firstSequence: Int64 { store.measure().firstSequence }

    /// Committed events with a sequence greater than `sequence`, oldest first, at most `limit`. Sequences have gaps,
    /// where records were kept. Reads from the store; for any thread that may block.
    public func journal(after sequence: Int64, limit: Int) throws(StoreFailure) -> [JournalRecord] {
        // What stands behind it may still be refused.
        let committed = gate.committed
        guard sequence < committed else { return [] }
        var records = try store.journal(after: sequence, limit: limit)
        if let end = records.firstIndex(where: { $0.sequence > committed }) { records.removeSubrange(end...) }
        return records
    }

    /// Says that somebody works for the reader of this name, until `releaseReader`. The cursor of a reader that nobody
    /// has claimed for `EngineSettings.orphanedReaderAge` is forgotten.
    public func claimReader(_ name: String) {
        readerClaims.withLock { _ = $0.insert(name) }
    }

    /// Nobody works for the reader any more; its cursor is kept for a while.
    public func releaseReader(_ name: String) {
        readerClaims.withLock { _ = $0.remove(name) }
    }
}
