// Where shards put their changes and the committer takes them. The order of the queue is the order of the journal: a
// change gets its sequence here, while its shard is still locked (lock order: shard → queue).
import Glibc

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

    /// Whether there is no room for another change.
    var isFull: Bool {
        withLock { changes.count >= Self.capacity || bytes >= Self.byteCapacity }
    }

    /// Number of changes that wait.
    var depth: Int { withLock { changes.count } }

    /// Sequences continue behind this one, and whatever is queued is dropped.
    func reset(to committed: Int64) {
        withLock {
            changes.removeAll()
            bytes = 0
            recordCount = 0
            nextSequence = committed + 1
        }
    }

    /// Queues changes that belong together and returns the sequence of the last.
    func append(_ first: TwinChange, _ second: TwinChange? = nil) -> Int64 {
        withLock {
            changes.append(first)
            bytes += first.queuedBytes
            if first.isRecords { recordCount += 1 }
            nextSequence += 1
            if let second {
                changes.append(second)
                bytes += second.queuedBytes
                nextSequence += 1
            }
            return nextSequence - 1
        }
    }

    /// Wakes the committer if it sleeps. Apart from `append`, so that a session wakes it once per batch, not per
    /// message.
    func wakeCommitter() {
        withLock {
            isWoken = true
            if isCommitterAsleep { pthread_cond_signal(condition) }
        }
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

    /// Takes everything that is queued. For the holder of the leadership.
    func take() -> CommitBatch {
        withLock {
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
