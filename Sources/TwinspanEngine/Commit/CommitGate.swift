// Who waits for which commit. Session threads wait here with a condition variable, HTTP handlers with a callback; the
// committer opens the gate once per commit, and closes an epoch when a commit has failed.
import Glibc
import Synchronization

/// The commit an answer or a batch waits for.
public struct CommitTicket: Sendable, Equatable {
    /// The newest sequence it depends on.
    public var sequence: Int64
    /// The epoch it was given out in.
    public var epoch: Int64
    public init(sequence: Int64, epoch: Int64) {
        self.sequence = sequence
        self.epoch = epoch
    }
}

/// What has become of a ticket.
public enum CommitOutcome: Sendable, Equatable {
    case committed, pending, rejected
}

/// The gate. Safe from any thread.
public final class CommitGate: @unchecked Sendable {
    // Everything below `mutex` is guarded by it. A pthread condition, because session threads need a timed wait that
    // the standard library does not have.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private let epochNumber = Atomic<Int64>(0)
    /// Per ended epoch, the sequence up to which it was committed. One entry per failed commit; the newest 1,024 are
    /// kept, far more than tickets can be old.
    private var ends: [(epoch: Int64, committed: Int64)] = []
    private var callbacks: [(ticket: CommitTicket, body: @Sendable (CommitOutcome) -> Void)] = []
    private var sleepers = 0
    private let committedSequence = Atomic<Int64>(0)

    public init() {
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        // Waits must not stretch or shrink when somebody sets the time of day.
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

    /// The newest committed sequence.
    public var committed: Int64 { committedSequence.load(ordering: .acquiring) }

    /// The present epoch; changes only while every shard is closed.
    public var epoch: Int64 { epochNumber.load(ordering: .acquiring) }

    /// Where the journal stands when the engine starts.
    func start(at sequence: Int64) {
        committedSequence.store(sequence, ordering: .releasing)
    }

    /// Everything up to `sequence` is durable: lets all go on that have waited for it.
    func open(upTo sequence: Int64) {
        let due = withLock { () -> [(CommitTicket, @Sendable (CommitOutcome) -> Void)] in
            committedSequence.store(sequence, ordering: .releasing)
            if sleepers > 0 { pthread_cond_broadcast(condition) }
            return takeDueCallbacks()
        }
        for (_, body) in due { body(.committed) }
    }

    /// The commit behind the committed sequence has failed: every ticket beyond it is rejected, a new epoch begins.
    func closeEpoch() {
        let refused = withLock { () -> [@Sendable (CommitOutcome) -> Void] in
            ends.append((epoch, committed))
            if ends.count > 1024 { ends.removeFirst() }
            epochNumber.store(epoch + 1, ordering: .releasing)
            pthread_cond_broadcast(condition)
            let bodies = callbacks.map(\.body)
            callbacks.removeAll()
            return bodies
        }
        for body in refused { body(.rejected) }
    }

    /// What has become of a ticket by now.
    public func outcome(of ticket: CommitTicket) -> CommitOutcome {
        withLock { outcomeLocked(ticket) }
    }

    /// Waits at most `patience` for the ticket.
    public func wait(for ticket: CommitTicket, patience: Duration) -> CommitOutcome {
        var deadline = timespec()
        clock_gettime(CLOCK_MONOTONIC, &deadline)
        let (seconds, attoseconds) = patience.components
        deadline.tv_sec += Int(seconds)
        deadline.tv_nsec += Int(attoseconds / 1_000_000_000)
        if deadline.tv_nsec >= 1_000_000_000 {
            deadline.tv_sec += 1
            deadline.tv_nsec -= 1_000_000_000
        }
        return withLock {
            sleepers += 1
            defer { sleepers -= 1 }
            while true {
                let outcome = outcomeLocked(ticket)
                if outcome != .pending { return outcome }
                if pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT { return outcomeLocked(ticket) }
            }
        }
    }

    /// Calls `body` once with the outcome: at once when it is known, else on the committer's thread.
    public func whenKnown(_ ticket: CommitTicket, _ body: @escaping @Sendable (CommitOutcome) -> Void) {
        let known = withLock { () -> CommitOutcome? in
            let outcome = outcomeLocked(ticket)
            guard outcome == .pending else { return outcome }
            callbacks.append((ticket, body))
            return nil
        }
        if let known { body(known) }
    }

    private func outcomeLocked(_ ticket: CommitTicket) -> CommitOutcome {
        if ticket.epoch == epoch { return ticket.sequence <= committed ? .committed : .pending }
        // The sequences after a failed commit are given out again, so an old ticket is judged by its own epoch's end.
        guard let end = ends.first(where: { $0.epoch == ticket.epoch }) else { return .rejected }
        return ticket.sequence <= end.committed ? .committed : .rejected
    }

    private func takeDueCallbacks() -> [(CommitTicket, @Sendable (CommitOutcome) -> Void)] {
        guard !callbacks.isEmpty else { return [] }
        let newest = committed
        var due: [(CommitTicket, @Sendable (CommitOutcome) -> Void)] = []
        callbacks.removeAll { waiting in
            guard waiting.ticket.sequence <= newest else { return false }
            due.append((waiting.ticket, waiting.body))
            return true
        }
        return due
    }

    private func withLock<Result>(_ body: () -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }
}
