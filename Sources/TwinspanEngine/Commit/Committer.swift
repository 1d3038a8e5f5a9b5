// The committer: one thread that makes changes durable. It takes everything that is queued, appends it in one
// transaction, and then releases, in order, settlements and answers (through the gate) and events (through the hub). It
// waits for nobody. Rows are written behind, in the same transactions, a few at a time.
import Synchronization
import TwinspanProtocol

extension TwinEngine {
    /// Sizes and times of the committer.
    enum Pace {
        /// The committer wakes up at least this often, for rows and retention.
        static let idle = Duration.milliseconds(250)
        /// Rows wait this long for further changes of the same entity; with `idle` it keeps rows under 2 s behind.
        static let rowAgeNanoseconds: UInt64 = 1_200_000_000
        /// Rows that one commit writes beside its batch: small, so that no commit is held up by them.
        static let rowsPerCommit = 96
        /// With more rows than this waiting they are written without regard to their age.
        static let rowsWaiting = 10_000
        static let rowsPerForcedCommit = 1_000
        /// Journal records one transaction of the retention deletes.
        static let trimLimit = 1_000
        /// How often the retention looks whether there is something to delete.
        static let trimNanoseconds: UInt64 = 500_000_000
        /// How often a closed store is tried again.
        static let retry = Duration.milliseconds(500)
    }

    /// Opens the store, brings the rows up to the journal's end and starts the committer. Blocks until commands can be
    /// taken. Throws when the store cannot be opened; nothing is running then.
    public func start() throws(StoreFailure) {
        let position = try store.open(discardingAfter: nil)
        try replay(from: position)
        gate.start(at: position.lastSequence)
        queue.reset(to: position.lastSequence)
        metrics.committed(changes: 0, rows: 0, rowsCursor: position.lastSequence, oldestWaited: 0)
        conditionState.withLock { $0 = .open }
        let thread = WorkerThread(name: "committer") { [self] in runCommitter() }
        committerThread.withLock { $0 = thread }
    }

    /// Commits what is queued, writes all rows, and closes the store. No command may be on its way any more.
    public func stop() {
        isStopping.store(true, ordering: .releasing)
        queue.wakeCommitter()
        let thread = committerThread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        guard let thread else { return }
        thread.join()
        conditionState.withLock { $0 = .stopped }
        store.close()
    }

    private func runCommitter() {
        var lastTrim: UInt64 = 0
        while true {
            let isLast = isStopping.load(ordering: .acquiring)
            var batch = queue.take(patience: isLast ? .zero : Pace.idle)
            do throws(StoreFailure) {
                try commit(&batch, isLast: isLast)
                if clock.monotonic &- lastTrim > Pace.trimNanoseconds {
                    if try trim() < Pace.trimLimit { lastTrim = clock.monotonic }
                }
            } catch {
                // While stopping there is nobody to wait for: what could not be committed was never acknowledged.
                reject(error)
                if isLast { return }
                recover()
            }
            store.maintain()
            if isLast, queue.depth == 0, backlog.count == 0 { return }
        }
    }

    private func commit(_ batch: inout CommitBatch, isLast: Bool) throws(StoreFailure) {
        let rows = dueRows(isLast: isLast)
        guard !batch.changes.isEmpty || rows.count > 0 else { return }
        try store.commit(batch, rows: rows)
        backlog.remove(rows.count)
        guard !batch.changes.isEmpty else {
            metrics.committed(changes: 0, rows: rows.count, rowsCursor: rows.cursor, oldestWaited: 0)
            return
        }
        let now = clock.monotonic
        backlog.add(batch, now: now)
        gate.open(upTo: batch.lastSequence)
        hub.publish(batch)
        metrics.committed(
            changes: batch.changes.count, rows: rows.count, rowsCursor: rows.cursor,
            oldestWaited: Int64((now &- batch.changes[0].madeAt) / 1000))
        queue.recycle(&batch)
    }

    private func dueRows(isLast: Bool) -> RowBatch {
        let waiting = backlog.count
        if isLast || waiting > Pace.rowsWaiting {
            return backlog.due(limit: Pace.rowsPerForcedCommit, waitingSince: .max, committed: gate.committed)
        }
        let now = clock.monotonic
        let oldest = now > Pace.rowAgeNanoseconds ? now - Pace.rowAgeNanoseconds : 0
        return backlog.due(limit: Pace.rowsPerCommit, waitingSince: oldest, committed: gate.committed)
    }

    private func trim() throws(StoreFailure) -> Int {
        var retention = settings.retention
        // The rows are rebuilt from these records after a crash.
        retention.keepAbove = min(retention.keepAbove, metrics.snapshot.rowsCursor)
        let count = try store.trimJournal(retention, now: clock.now, limit: Pace.trimLimit)
        metrics.trimmed(count)
        return count
    }

    /// A commit has failed: nobody may see or build upon what was not committed. Every shard is closed, so that no
    /// change can be on its way; then everything beyond the committed sequence is forgotten, and its waiters are told.
    private func reject(_ failure: StoreFailure) {
        conditionState.withLock { $0 = .closed(failure) }
        metrics.commitFailed()
        for shard in shards { shard.content.withLock { $0.isOpen = false } }
        policies.content.withLock { $0.isOpen = false }
        let committed = gate.committed
        queue.reset(to: committed)
        for shard in shards {
            shard.content.withLock { content in content.cache.removeAll { $0.sequence > committed } }
        }
        policies.content.withLock { content in content.cache.removeAll { $0.sequence > committed } }
        gate.closeEpoch()
    }

    /// Closes the store, and opens it again once it takes a write. After a failed sync nothing the process believes
    /// about the file can be trusted, so a simple retry is never enough.
    private func recover() {
        while !isStopping.load(ordering: .acquiring) {
            store.close()
            do throws(StoreFailure) {
                _ = try store.open(discardingAfter: gate.committed)
                try store.probe()
                break
            } catch {
                conditionState.withLock { $0 = .closed(error) }
                _ = queue.take(patience: Pace.retry)
            }
        }
        for shard in shards { shard.content.withLock { $0.isOpen = true } }
        policies.content.withLock { $0.isOpen = true }
        conditionState.withLock { $0 = .open }
    }

    /// Applies the journal behind the rows' cursor to the rows.
    private func replay(from position: StorePosition) throws(StoreFailure) {
        var cursor = position.rowsCursor
        while cursor < position.lastSequence {
            let records = try store.journal(after: cursor, limit: Replay.chunk)
            guard let last = records.last else { break }
            var replay = Replay(store: store)
            for record in records { try replay.apply(record) }
            cursor = last.sequence
            try store.commit(
                CommitBatch(firstSequence: position.lastSequence + 1, changes: []), rows: replay.rows(cursor: cursor))
        }
    }
}
