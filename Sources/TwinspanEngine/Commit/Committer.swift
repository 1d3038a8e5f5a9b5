// Making changes durable. A round takes everything that is queued, appends it to the journal in one transaction, and
// then releases, in order, settlements and answers (through the gate) and events (through the hub). It waits for
// nobody. Rows are written behind it by the row writer.
//
// One round at a time: whoever holds the leadership. A session that waits for its batch leads a round itself, which
// saves two changes of thread per batch; everybody else leaves it to the committer's thread, which also does what can
// wait.
import Synchronization
import TwinspanProtocol

extension TwinEngine {
    /// Sizes and times of the committer.
    enum Pace {
        /// The committer wakes up at least this often, for what can wait.
        static let idle = Duration.milliseconds(500)
        /// Journal records one transaction of the retention deletes.
        static let trimLimit = 1_000
        /// How often the retention looks whether there is something to delete.
        static let trimNanoseconds: UInt64 = 500_000_000
        /// The pause between two of its transactions while it has more to delete: 1,000 records in 20 ms keep up with
        /// any load that a commit per batch can make.
        static let trimming = Duration.milliseconds(20)
        /// How often, while stopping, it is waited for a group that is still open; each time for `trimming`.
        static let lastRounds = 100
        /// How often a closed store is tried again.
        static let retry = Duration.milliseconds(500)
    }

    /// Opens the store, brings the rows up to the journal's end and starts the committer. Blocks until commands can be
    /// taken. Throws when the store cannot be opened; nothing is running then.
    public func start() throws(StoreFailure) {
        let position = try store.open(discardingAfter: nil)
        do throws(StoreFailure) {
            try replay(from: position)
        } catch {
            store.close()
            throw error
        }
        gate.start(at: position.lastSequence)
        queue.reset(to: position.lastSequence)
        newestRecordID.store(position.newestRecordID, ordering: .releasing)
        recordIntake.withLock { $0 = true }
        metrics.rowsWritten(0, cursor: position.lastSequence)
        conditionState.withLock { $0 = .open }
        rowWriter.start()
        live.start()
        startSubjectWatch()
        let thread = WorkerThread(name: "committer") { [self] in runCommitter() }
        committerThread.withLock { $0 = thread }
    }

    /// Commits what is queued, writes all rows, and closes the store. No command may be on its way any more.
    public func stop() {
        isStopping.store(true, ordering: .releasing)
        subjectWatch.stop()
        queue.wakeCommitter()
        let thread = committerThread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        guard let thread else { return }
        thread.join()
        recordIntake.withLock { $0 = false }
        live.stop()
        rowWriter.stop()
        conditionState.withLock { $0 = .stopped }
        store.close()
    }

    /// Commits what is queued, if nobody does so already, and waits at most `patience` for the ticket. Blocks; for
    /// threads of our own only.
    public func commit(_ ticket: CommitTicket, patience: Duration) -> CommitOutcome {
        let known = gate.outcome(of: ticket)
        if known != .pending { return known }
        lead()
        return gate.wait(for: ticket, patience: patience)
    }

    /// Leads a round unless another thread does.
    private func lead() {
        let hasLed: Void? = leadership.withLockIfAvailable { _ in round() }
        // What was queued while this round ran has found the leadership taken: it is the committer's now.
        if hasLed != nil, queue.hasWork { queue.wakeCommitter() }
    }

    /// One round; needs the leadership.
    private func round() {
        // The store is still as the failure left it; it was counted and everybody was told.
        if needsRecovery.load(ordering: .acquiring) { return }
        do throws(StoreFailure) {
            if let trouble = rowWriter.trouble { throw trouble }
            try commitQueued()
        } catch {
            reject(error)
            needsRecovery.store(true, ordering: .releasing)
            queue.wakeCommitter()
        }
    }

    private func runCommitter() {
        var upkeep = Upkeep(startedAt: clock.monotonic)
        var isTrimming = false
        var lastRounds = Pace.lastRounds
        while true {
            let isLast = isStopping.load(ordering: .acquiring)
            // A session that found the leadership taken by this thread has left its changes to it.
            if !isLast, !queue.hasWork { queue.waitForWork(patience: isTrimming ? Pace.trimming : Pace.idle) }
            leadership.withLock { _ in
                round()
                if !needsRecovery.load(ordering: .acquiring) { isTrimming = tidy(&upkeep) }
                // While stopping there is nobody to wait for: what could not be committed was never acknowledged.
                if needsRecovery.load(ordering: .acquiring), !isLast { recover() }
            }
            guard isLast, !queue.hasWork else { continue }
            // A group that is still open is not committed in parts: its owner was told of no commit.
            if queue.depth == 0 || lastRounds == 0 { return }
            lastRounds -= 1
            queue.waitForWork(patience: Pace.trimming)
        }
    }

    /// What can wait for a moment: retention, checkpoints.
    /// Returns whether retention has more to delete.
    private func tidy(_ upkeep: inout Upkeep) -> Bool {
        do throws(StoreFailure) {
            var isTrimming = false
            if clock.monotonic &- upkeep.lastTrim > Pace.trimNanoseconds {
                let count = try trimJournal()
                metrics.trimmed(count)
                isTrimming = count == Pace.trimLimit
                if !isTrimming { upkeep.lastTrim = clock.monotonic }
            }
            if try tidyRecords(&upkeep) { isTrimming = true }
            try store.maintain()
            return isTrimming
        } catch {
            reject(error)
            needsRecovery.store(true, ordering: .releasing)
            return false
        }
    }

    private func commitQueued() throws(StoreFailure) {
        var batch = queue.take()
        guard !batch.changes.isEmpty else { return }
        batch.keepsHeaders = keepsEventHeaders
        if batch.recordCount > 0 {
            try commitRecords(&batch)
        } else {
            try store.commit(batch)
        }
        // Before the gate opens: from then on the cache may let these states go, and readers look into the backlog.
        let waiting = backlog.add(batch)
        // Counted first, so that whoever has his answer finds it counted.
        let waited = Int64((clock.monotonic &- batch.changes[0].madeAt) / 1000)
        metrics.committed(changes: batch.changes.count - batch.recordCount, oldestWaited: waited)
        gate.open(upTo: batch.lastSequence)
        hub.publish(batch)
        if waiting.hasPolicies { noteSubjects(of: batch) }
        if waiting.isFirst || waiting.count >= RowWriter.rowsWaiting { rowWriter.ring() }
        queue.recycle(&batch)
    }

    /// A commit has failed: nobody may see or build upon what was not committed. Every shard is closed, so that no
    /// change can be on its way; then everything beyond the committed sequence is forgotten, and its waiters are told.
    func reject(_ failure: StoreFailure) {
        conditionState.withLock { $0 = .closed(failure) }
        metrics.commitFailed()
        for shard in shards { shard.content.withLock { $0.isOpen = false } }
        policies.content.withLock { $0.isOpen = false }
        recordIntake.withLock { $0 = false }
        let committed = gate.committed
        queue.reset(to: committed)
        for shard in shards {
            shard.content.withLock { content in content.cache.removeAll { $0.sequence > committed } }
        }
        policies.content.withLock { $0.cache.forget(after: committed) }
        gate.closeEpoch()
    }

    /// Closes the store, and opens it again once it takes a write. After a failed sync nothing the process believes
    /// about the file can be trusted, so a simple retry is never enough.
    private func recover() {
        while true {
            // What was refused stays refused; the store stays as it is for the next start.
            if isStopping.load(ordering: .acquiring) { return }
            do throws(StoreFailure) {
                try rowWriter.withoutWriting { () throws(StoreFailure) in
                    store.close()
                    _ = try store.open(discardingAfter: gate.committed)
                    try store.probe()
                }
                break
            } catch {
                conditionState.withLock { $0 = .closed(error) }
                queue.waitForWork(patience: Pace.retry)
            }
        }
        needsRecovery.store(false, ordering: .releasing)
        rowWriter.resume()
        // Policies first: a command of a shard that is open may need one at once.
        policies.content.withLock { $0.isOpen = true }
        for shard in shards { shard.content.withLock { $0.isOpen = true } }
        recordIntake.withLock { $0 = true }
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
            try store.write(replay.rows(cursor: cursor))
        }
    }
}
