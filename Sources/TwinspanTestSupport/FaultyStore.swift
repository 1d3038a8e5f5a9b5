// A store that fails when a test says so, around a real one. The faults are those that a disk can have at each point
// of a commit; the engine must behave the same whichever it was.
public import TwinspanEngine
public import TwinspanProtocol

/// A store with faults to be injected. Passes everything else on.
public final class FaultyStore: TwinStore {
    /// Where a commit fails. Every one of them is reported to the engine as a failed commit.
    public enum Fault: String, Sendable, CaseIterable {
        /// Nothing reaches the real store.
        case beforeAnything = "before anything"
        /// The first half of the batch is durable all the same, the rest is lost.
        case halfway = "after half of the records"
        /// All records are written, then the real store itself rolls the transaction back.
        case atCommit = "at the commit"
        /// Everything is durable, but its success never arrives.
        case afterCommit = "after the commit"
    }

    public struct State: Sendable {
        /// What the next commits meet, first one first.
        public var faults: [Fault] = []
        /// How many more calls of `open` and `probe` fail.
        public var failingOpens = 0
        public var failingProbes = 0
        /// How many more writings of rows fail.
        public var failingWrites = 0
        /// Every call that writes fails, as after the loss of the disk.
        public var isDead = false
        /// Commits wait until this is false.
        public var isBlocked = false
        /// Commits that wait because of it.
        public var blockedCommits = 0
        /// Commits that the engine was told of as successes.
        public var commits = 0
        /// The argument of every `open`.
        public var opens: [Int64?] = []
    }

    public let inner: any TwinStore
    public let state = Watched(State())
    /// Called on the reader's thread before a thing's row is read.
    private let beforeRead = Watched<(@Sendable (ThingID) -> Void)?>(nil)

    public init(_ inner: any TwinStore) {
        self.inner = inner
    }

    /// Calls `body` before each read of a thing's row; nil ends that.
    public func onRead(_ body: (@Sendable (ThingID) -> Void)?) {
        beforeRead.update { $0 = body }
    }

    /// The failure that is reported for every fault.
    public static let failure = StoreFailure(
        kind: .full, description: "no space is left, says the test", hint: "End the test.")

    // MARK: Writer

    public func open(discardingAfter committed: Int64?) throws(StoreFailure) -> StorePosition {
        let fails = state.update { state in
            state.opens.append(committed)
            if state.failingOpens > 0 {
                state.failingOpens -= 1
                return true
            }
            return state.isDead
        }
        if fails { throw Self.failure }
        return try inner.open(discardingAfter: committed)
    }

    public func close() { inner.close() }

    public func commit(_ batch: CommitBatch) throws(StoreFailure) {
        waitWhileBlocked()
        if state.current.isDead { throw Self.failure }
        let fault = state.update { state in state.faults.isEmpty ? nil : state.faults.removeFirst() }
        guard let fault else {
            try inner.commit(batch)
            state.update { $0.commits += 1 }
            return
        }
        try reach(fault, batch)
        throw Self.failure
    }

    private func reach(_ fault: Fault, _ batch: CommitBatch) throws(StoreFailure) {
        switch fault {
        case .beforeAnything: break
        case .halfway:
            let half = Array(batch.changes.prefix((batch.changes.count + 1) / 2))
            try inner.commit(CommitBatch(firstSequence: batch.firstSequence, changes: half))
        case .atCommit:
            // A record that already stands behind the batch makes the real transaction fail with its last record.
            let last = Array(batch.changes.suffix(1))
            try inner.commit(CommitBatch(firstSequence: batch.lastSequence + 1, changes: last))
            try inner.commit(CommitBatch(firstSequence: batch.firstSequence, changes: batch.changes + last))
        case .afterCommit: try inner.commit(batch)
        }
    }

    public func write(_ rows: RowBatch) throws(StoreFailure) {
        let fails = state.update { state in
            if state.failingWrites > 0 {
                state.failingWrites -= 1
                return true
            }
            return state.isDead
        }
        if fails { throw Self.failure }
        try inner.write(rows)
    }

    private func waitWhileBlocked() {
        guard state.current.isBlocked else { return }
        state.update { $0.blockedCommits += 1 }
        // The limit only keeps a broken test from hanging for ever.
        _ = state.wait(60) { !$0.isBlocked }
        state.update { $0.blockedCommits -= 1 }
    }

    public func probe() throws(StoreFailure) {
        let fails = state.update { state in
            if state.failingProbes > 0 {
                state.failingProbes -= 1
                return true
            }
            return state.isDead
        }
        if fails { throw Self.failure }
        try inner.probe()
    }

    public func trimJournal(
        _ retention: JournalRetention, now: Timestamp, limit: Int
    ) throws(StoreFailure) -> Int {
        if state.current.isDead { throw Self.failure }
        return try inner.trimJournal(retention, now: now, limit: limit)
    }

    public func maintain() throws(StoreFailure) {
        if state.current.isDead { throw Self.failure }
        try inner.maintain()
    }

    // MARK: Readers

    public func thing(_ id: ThingID) throws(StoreFailure) -> ThingState? {
        if let body = beforeRead.current { body(id) }
        return try inner.thing(id)
    }

    public func policy(_ id: PolicyID) throws(StoreFailure) -> PolicyState? { try inner.policy(id) }

    public func policiesDue(
        before instant: Timestamp, after last: DuePolicy?, limit: Int
    ) throws(StoreFailure) -> [DuePolicy] {
        try inner.policiesDue(before: instant, after: last, limit: limit)
    }

    public func journal(after sequence: Int64, limit: Int) throws(StoreFailure) -> [JournalRecord] {
        try inner.journal(after: sequence, limit: limit)
    }

    public func measure() -> StoreMeasures { inner.measure() }

    public var records: any RecordStore { inner.records }
}
