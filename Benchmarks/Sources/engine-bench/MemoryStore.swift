import Synchronization
import TwinspanEngine
import TwinspanProtocol

/// A store without a disk: what remains of a command's cost is the engine's own. It keeps no journal, because nothing
/// is ever replayed.
final class MemoryStore: TwinStore {
    private struct Content {
        var lastSequence: Int64 = 0
        var things: [ThingID: ThingState] = [:]
        var policies: [PolicyID: PolicyState] = [:]
    }

    private let content = Mutex(Content())

    func open(discardingAfter committed: Int64?) throws(StoreFailure) -> StorePosition {
        let last = content.withLock { $0.lastSequence }
        return StorePosition(lastSequence: last, rowsCursor: last)
    }

    func commit(_ batch: CommitBatch) throws(StoreFailure) {
        content.withLock { $0.lastSequence = batch.lastSequence }
    }

    func write(_ rows: RowBatch) throws(StoreFailure) {
        content.withLock { content in
            for row in rows.things { content.things[row.id] = row.state }
            for row in rows.policies { content.policies[row.id] = row.state }
        }
    }

    func thing(_ id: ThingID) throws(StoreFailure) -> ThingState? { content.withLock { $0.things[id] } }
    func policy(_ id: PolicyID) throws(StoreFailure) -> PolicyState? { content.withLock { $0.policies[id] } }

    func close() {}
    func probe() throws(StoreFailure) {}
    func maintain() throws(StoreFailure) {}
    func trimJournal(_ retention: JournalRetention, now: Timestamp, limit: Int) throws(StoreFailure) -> Int { 0 }
    func policiesDue(
        before instant: Timestamp, after last: DuePolicy?, limit: Int
    ) throws(StoreFailure) -> [DuePolicy] { [] }
    func journal(after sequence: Int64, limit: Int) throws(StoreFailure) -> [JournalRecord] { [] }
    func measure() -> StoreMeasures { StoreMeasures() }
    let records: any RecordStore = NoRecords()
}
