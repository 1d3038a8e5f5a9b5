// Where shards put their changes and the committer takes them. The order of the queue is the order of the journal: a
// change gets its sequence here, while its shard is still locked (lock order: shard → queue).
//
// Changes of a group become durable together, with what its owner puts in last: from its first change on, nothing is
// taken before the group is closed. Whoever has no group pays for a look at an empty list.
//
// A change of a thing is judged by a policy that may be changed meanwhile. In the journal nothing stands behind a
// change of a policy that was judged by what the policy said before: who has lost a permission sees no event after it.
import Glibc
import Synchronization

/// The queue between the shards and the committer.
final class CommitQueue: @unchecked Sendable {
    // Guarded by `mutex`. A pthread condition for the same reason as in `CommitGate`.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var changes: [TwinChange] = []
    private var spare: [TwinChange] = []
    private var nextSequence: Int64 = 1
    private var bytes = 0
    private var recordCount = 0
    private var isCommitterAsleep = false
    private var isWoken = false
    private var groups: [Group] = []
    private var nextGroup: Int64 = 1
    private let policyChangeCount = Atomic<Int>(0)
    /// Whether a round has left something behind because of a group.
    private var isHeldBack = false
    /// More than this many queued changes or bytes refuse new ones; sessions never come near it, because each waits for
    /// its own batch, so it bounds what HTTP can pile up while the disk is slow.
    static let capacity = 65_536
    static let byteCapacity = 64 << 20

    init() {
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Changes of one thread that must become durable together.
    private struct Group {
        let id: Int64
        let owner: pthread_t
        /// The sequence of its first change; nil while it has none, and then it holds up nobody.
        var first: Int64?
        /// The sequence of its last change, once it is closed.
        var last: Int64?
        /// Whether a failed commit has dropped what it had: then it takes nothing more.
        var isBroken = false

        var isOpen: Bool { last == nil }
    }

    /// Whether there is room for another change of the calling thread.
    enum Room {
        case free, full
        /// The thread's group was dropped by a failed commit, so nothing more of it may be kept.
        case closed
    }

    /// The room for the calling thread. Whoever has opened a group has room until it is closed: the group is bounded by
    /// what it is made of, and could not be taken in parts.
    var room: Room {
        withLock {
            if let index = ownGroup { return groups[index].isBroken ? .closed : .free }
            return isFullLocked ? .full : .free
        }
    }

    private var isFullLocked: Bool { changes.count >= Self.capacity || bytes >= Self.byteCapacity }

    /// The open group of the calling thread.
    private var ownGroup: Int? {
        if groups.isEmpty { return nil }
        let caller = pthread_self()
        return groups.firstIndex { $0.isOpen && pthread_equal($0.owner, caller) != 0 }
    }

    /// Number of changes that wait.
    var depth: Int { withLock { changes.count } }

    /// Whether a round would find something to take.
    var hasWork: Bool { withLock { !changes.isEmpty && takeable > 0 } }

    /// The newest sequence that was given out.
    var newestSequence: Int64 { withLock { nextSequence - 1 } }

    /// Sequences continue behind this one, and whatever is queued is dropped.
    func reset(to committed: Int64) {
        withLock {
            changes.removeAll()
            bytes = 0
            recordCount = 0
            nextSequence = committed + 1
            groups.removeAll { !$0.isOpen }
            for index in groups.indices { groups[index].isBroken = true }
            isHeldBack = false
        }
    }

    // MARK: Groups

    /// Begins a group of the calling thread; nil when the queue is full. A thread has one group at a time, and never
    /// waits for a commit before it is closed.
    func openGroup() -> Int64? {
        withLock {
            precondition(ownGroup == nil, "a thread has one group at a time")
            guard !isFullLocked else { return nil }
            defer { nextGroup += 1 }
            groups.append(Group(id: nextGroup, owner: pthread_self()))
            return nextGroup
        }
    }

    /// Ends a group with its last change; returns the sequence of that. Nil when a failed commit has dropped the group:
    /// then the change is not queued either.
    func closeGroup(_ id: Int64, with change: TwinChange) -> Int64? {
        withLock {
            guard let index = groups.firstIndex(where: { $0.id == id }) else { return nil }
            if groups[index].isBroken {
                groups.remove(at: index)
                return nil
            }
            let last = appendLocked(change, nil)
            groups[index].last = last
            // While nobody was held back, the owner commits it as any other batch.
            if isHeldBack { wakeLocked() }
            return last
        }
    }

    /// Forgets a group that has no changes in the queue; false when it has some.
    func dropGroup(_ id: Int64) -> Bool {
        withLock {
            guard let index = groups.firstIndex(where: { $0.id == id }) else { return true }
            guard groups[index].isBroken || groups[index].first == nil else { return false }
            groups.remove(at: index)
            return true
        }
    }

    /// How many changes may be taken: all before the first that waits for its group.
    private var takeable: Int {
        var end = nextSequence
        for group in groups where group.isOpen && !group.isBroken { end = min(end, group.first ?? end) }
        // A closed group is not taken in parts either: where another began in its midst, it waits for that one. Nobody
        // opens a group before his last one is committed, so the chain ends.
        var isSettled = end == nextSequence
        while !isSettled {
            isSettled = true
            for group in groups {
                guard let first = group.first, let last = group.last, first < end, last >= end else { continue }
                end = first
                isSettled = false
            }
        }
        return Int(end - (nextSequence - Int64(changes.count)))
    }

    /// How many changes of policies were queued; read before a policy is looked at, it proves that a judgement still
    /// holds when its change is queued.
    var policyChanges: Int { policyChangeCount.load(ordering: .acquiring) }

    /// Queues a change and returns its sequence; nil when a policy has changed since so many, so that it has to be
    /// judged again.
    func append(_ change: TwinChange, judgedAfter policyChanges: Int) -> Int64? {
        withLock {
            guard policyChangeCount.load(ordering: .relaxed) == policyChanges else { return nil }
            if let index = ownGroup, groups[index].first == nil { groups[index].first = nextSequence }
            return appendLocked(change, nil)
        }
    }

    /// Queues changes that belong together and returns the sequence of the last.
    func append(_ first: TwinChange, _ second: TwinChange? = nil) -> Int64 {
        withLock {
            if let index = ownGroup, groups[index].first == nil { groups[index].first = nextSequence }
            return appendLocked(first, second)
        }
    }

    private func appendLocked(_ first: TwinChange, _ second: TwinChange?) -> Int64 {
        changes.append(first)
        bytes += first.queuedBytes
        if first.isRecords { recordCount += 1 }
        // Only under the lock, and before the lock of the policies is let go.
        if case .policy = first.content { policyChangeCount.add(1, ordering: .releasing) }
        nextSequence += 1
        if let second {
            changes.append(second)
            bytes += second.queuedBytes
            nextSequence += 1
        }
        return nextSequence - 1
    }

    /// Wakes the committer if it sleeps. Apart from `append`, so that a session wakes it once per batch, not per
    /// message.
    func wakeCommitter() {
        withLock { wakeLocked() }
    }

    private func wakeLocked() {
        isWoken = true
        if isCommitterAsleep { pthread_cond_signal(condition) }
    }

    /// Waits at most `patience` until somebody wakes the committer.
    func waitForWork(patience: Duration) {
        var deadline = timespec()
        clock_gettime(CLOCK_MONOTONIC, &deadline)
        let (seconds, attoseconds) = patience.components
        let nanoseconds = deadline.tv_nsec + Int(attoseconds / 1_000_000_000)
        deadline.tv_sec += Int(seconds) + nanoseconds / 1_000_000_000
        deadline.tv_nsec = nanoseconds % 1_000_000_000
        withLock {
            isCommitterAsleep = true
            while !isWoken {
                if pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT { break }
            }
            isCommitterAsleep = false
            isWoken = false
        }
    }

    /// Takes everything that is queued and waits for no group. For the holder of the leadership.
    func take() -> CommitBatch {
        withLock {
            if !groups.isEmpty {
                let count = takeable
                if count < changes.count { return takeLocked(count) }
                // All of them are closed, or have nothing.
                groups.removeAll { !$0.isOpen }
            }
            isHeldBack = false
            let taken = changes
            changes = []
            swap(&changes, &spare)
            bytes = 0
            var batch = CommitBatch(firstSequence: nextSequence - Int64(taken.count), changes: taken)
            batch.recordCount = recordCount
            recordCount = 0
            return batch
        }
    }

    /// Takes the first changes and leaves the others behind.
    private func takeLocked(_ count: Int) -> CommitBatch {
        isHeldBack = true
        let first = nextSequence - Int64(changes.count)
        var batch = CommitBatch(firstSequence: first, changes: Array(changes[..<count]))
        changes.removeSubrange(..<count)
        groups.removeAll { group in group.last.map { $0 < first + Int64(count) } ?? false }
        for change in batch.changes {
            bytes -= change.queuedBytes
            if change.isRecords { batch.recordCount += 1 }
        }
        recordCount -= batch.recordCount
        return batch
    }

    /// Gives the memory of a committed batch back for the next one.
    func recycle(_ batch: inout CommitBatch) {
        var memory: [TwinChange] = []
        swap(&memory, &batch.changes)
        memory.removeAll(keepingCapacity: memory.capacity <= 4096)
        withLock { spare = memory }
    }

    private func withLock<Result>(_ body: () -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }
}
