// The messages of one connection that were settled at the broker and are not done: their signals wait for
// acknowledgements or answers, or they failed and run again (design: settlement and the inbox). The store has them too;
// here are their deadlines, and the bytes, which are bounded.
//
// A record of a message is queued before anybody can settle it, and later records of it follow in the same queue. What
// the store does not take is tried again; what it rejects with its batch is forgotten, because the broker sends it
// again.
import Synchronization
import TwinspanConnections
import TwinspanEngine
import TwinspanProtocol

/// The inbox of one connection. Safe from any thread.
final class ConnectionInbox: Sendable {
    enum Phase: Sendable {
        /// Its signals wait, or it is being carried.
        case waiting
        /// It runs, or runs again, at the entry's `dueAt`.
        case due
        /// It is done or dead as soon as the store has taken these.
        case leaving([StoreRecord])
    }

    struct Entry: Sendable {
        var message: InboxMessage
        /// From when its age counts.
        var since: Timestamp
        var phase: Phase
        /// Monotonic nanoseconds.
        var dueAt: UInt64 = .max
    }

    struct State {
        var entries: [Int64: Entry] = [:]
        var bytes = 0
        var deadlines = DeadlineHeap()
        var isBlocked = false
        var isStopped = false
        var isStarting = false
        /// Bytes that the store has of earlier times, until they are loaded.
        var unloadedBytes: Int?
        /// Messages with smaller ids were there before this process.
        var firstOwnID: Int64 = .max
        var thread: WorkerThread?
    }

    let connectionID: ConnectionID
    let engine: TwinEngine
    let clock: any EngineClock
    let settings: InboxSettings
    let accounts: InboundAccounts
    let state = Mutex(State())
    let doorbell = Doorbell()
    /// Carries messages out again; called on the inbox's thread, at most once.
    let makeCarrier: @Sendable (ConnectionInbox) throws(TwinspanError) -> InboundCarrier

    /// How long after a refusal the store is asked again.
    static let storePause: UInt64 = 1_000_000_000

    init(
        of connectionID: ConnectionID, engine: TwinEngine, clock: any EngineClock, settings: InboxSettings,
        accounts: InboundAccounts,
        makeCarrier: @escaping @Sendable (ConnectionInbox) throws(TwinspanError) -> InboundCarrier
    ) {
        self.connectionID = connectionID
        self.engine = engine
        self.clock = clock
        self.settings = settings
        self.accounts = accounts
        self.makeCarrier = makeCarrier
    }

    /// Whether nothing may be taken in. Once full, it stays so until a fifth is free.
    var isFull: Bool {
        state.withLock { state in
            let bytes = state.bytes + (state.unloadedBytes ?? 0)
            if bytes >= settings.bytes { state.isBlocked = true }
            if bytes < settings.bytes / 5 * 4 { state.isBlocked = false }
            return state.isBlocked
        }
    }

    /// Messages and bytes that are here.
    var load: (messages: Int, bytes: Int) {
        state.withLock { ($0.entries.count, $0.bytes) }
    }

    // MARK: In

    /// Keeps a message whose signals wait. Queues its record, which the returned ticket covers.
    /// - Parameter rerun: the message when it is here already and was carried out again.
    func hold(_ message: @autoclosure () -> KeptMessage, rerun: InboxMessage?) -> (id: Int64, ticket: CommitTicket) {
        var entry: InboxMessage
        if let rerun {
            entry = rerun
            entry.nextAttemptAt = nil
        } else {
            entry = InboxMessage(id: engine.makeRecordID(), message: message(), attempts: 1)
            insert(entry, phase: .waiting)
        }
        let ticket = engine.keep([.inboxPut(entry)])
        if rerun == nil { withdrawIfRejected(entry.id, ticket) }
        return (entry.id, ticket)
    }

    /// Keeps a message that has failed and runs again. Queues its record, which the returned ticket covers.
    func schedule(_ message: KeptMessage, _ failure: SignalFailure) -> (id: Int64, ticket: CommitTicket) {
        var entry = InboxMessage(id: engine.makeRecordID(), message: message, attempts: 1)
        let wait = settings.delay(after: 1, jitter: Double.random(in: 0...1))
        entry.nextAttemptAt = later(wait)
        entry.lastError = failure.error.message
        insert(entry, phase: .due, dueAt: deadline(after: wait))
        let ticket = engine.keep([.inboxPut(entry)])
        withdrawIfRejected(entry.id, ticket)
        tellDeferred(entry, failure, wait)
        return (entry.id, ticket)
    }

    /// Runs a dead letter again, soon after the commit of the returned ticket: then it is a message of the inbox.
    func retry(_ letter: DeadLetter) -> CommitTicket {
        let message = InboxMessage(
            id: engine.makeRecordID(), message: letter.message, attempts: 0, nextAttemptAt: clock.now)
        insert(message, phase: .waiting)
        let ticket = engine.keep([.inboxPut(message), .deadLetterRemove(id: letter.id)], commitsSoon: true)
        engine.gate.whenKnown(ticket) { [self] outcome in
            if outcome == .committed { runAgain(message.id) } else { forget(message.id) }
        }
        return ticket
    }

    /// Runs a message now instead of later.
    func runAgain(_ id: Int64) {
        state.withLock { state in
            guard var entry = state.entries[id] else { return }
            if case .leaving = entry.phase { return }
            entry.phase = .due
            state.makeDue(&entry, at: clock.monotonic)
        }
        wake()
    }

    private func insert(_ message: InboxMessage, phase: Phase, dueAt: UInt64 = .max) {
        state.withLock { state in
            var entry = Entry(message: message, since: clock.now, phase: phase)
            state.bytes += message.message.byteCount
            if dueAt != .max { state.makeDue(&entry, at: dueAt) } else { state.entries[message.id] = entry }
        }
        if dueAt != .max { wake() }
    }

    /// A put that was rejected is a batch that was: the broker sends the message again.
    private func withdrawIfRejected(_ id: Int64, _ ticket: CommitTicket) {
        engine.gate.whenKnown(ticket) { [weak self] outcome in
            if outcome == .rejected { self?.forget(id) }
        }
    }

    /// Takes messages back whose batch is given back to the broker although their records may be committed.
    func withdraw(_ ids: [Int64]) {
        for id in ids { leave(id, [.inboxRemove(id: id)]) }
    }

    // MARK: Out

    /// All signals of a message have ended.
    func conclude(_ id: Int64, _ verdict: MessageVerdict) {
        let known = state.withLock { state -> (message: InboxMessage, since: Timestamp, isStopped: Bool)? in
            guard let entry = state.entries[id], case .waiting = entry.phase else { return nil }
            return (entry.message, entry.since, state.isStopped)
        }
        guard let (message, since, isStopped) = known else { return }
        switch verdict.end {
        case .done: leave(id, [.inboxRemove(id: id)])
        // Once stopped, what is not done belongs to whoever loads the inbox next: it may be done there already.
        case .dead(let failure): if !isStopped { die(message, failure) }
        case .interrupted, .again: if !isStopped { postpone(message, since, verdict) }
        }
    }

    private func postpone(_ given: InboxMessage, _ since: Timestamp, _ verdict: MessageVerdict) {
        var message = given
        guard case .again(let failure) = verdict.end else {
            // Nothing was judged, so it counts as no attempt; the store's record is as it was.
            message.attempts = max(message.attempts - 1, 0)
            return reschedule(message, dueAt: clock.monotonic + Self.storePause)
        }
        let age = Duration.milliseconds(clock.now.milliseconds - since.milliseconds)
        guard message.attempts < settings.attempts, age < settings.age else {
            var last = failure
            last.stage = .redelivery
            return die(message, last)
        }
        let wait = settings.delay(after: message.attempts, jitter: Double.random(in: 0...1))
        message.nextAttemptAt = later(wait)
        message.lastError = failure.error.message
        tellDeferred(message, failure, wait)
        // Should the store not take it, its older record brings the message back all the same.
        _ = engine.keep([.inboxPut(message)])
        reschedule(message, dueAt: deadline(after: wait))
    }

    private func reschedule(_ message: InboxMessage, dueAt: UInt64) {
        state.withLock { state in
            guard var entry = state.entries[message.id] else { return }
            entry.message = message
            entry.phase = .due
            state.makeDue(&entry, at: dueAt)
        }
        wake()
    }

    private func die(_ message: InboxMessage, _ failure: SignalFailure) {
        let letter = DeadLetter(
            id: engine.makeRecordID(), message: message.message, attempts: message.attempts, diedAt: clock.now,
            stage: failure.stage.rawValue, error: failure.error, correlationID: failure.correlationID)
        accounts.counters.add(.died)
        leave(message.id, [.inboxRemove(id: message.id), .deadLetterPut(letter)])
    }

    /// Ends a message with its last records, and tries again until the store has them.
    func leave(_ id: Int64, _ records: [StoreRecord]) {
        let isKnown = state.withLock { state in
            state.entries[id]?.phase = .leaving(records)
            return state.entries[id] != nil
        }
        guard isKnown else { return }
        engine.gate.whenKnown(engine.keep(records)) { [weak self] outcome in
            guard let self else { return }
            if outcome == .committed { return forget(id) }
            state.withLock { state in
                guard var entry = state.entries[id] else { return }
                state.makeDue(&entry, at: clock.monotonic + Self.storePause)
            }
            wake()
        }
    }

    /// Lets go of a message that is in the store no more.
    func forget(_ id: Int64) {
        state.withLock { state in
            guard let entry = state.entries.removeValue(forKey: id) else { return }
            state.bytes -= entry.message.message.byteCount
        }
    }

    private func tellDeferred(_ message: InboxMessage, _ failure: SignalFailure, _ wait: Duration) {
        let seconds = max(Int(wait / .seconds(1)), 1)
        accounts.deferred(
            failure.error, message.message.source, correlationID: failure.correlationID,
            "The message runs again in \(seconds) s, attempt \(message.attempts + 1) of \(settings.attempts)")
    }

    private func later(_ wait: Duration) -> Timestamp {
        Timestamp(milliseconds: clock.now.milliseconds + Int64(wait / .milliseconds(1)))
    }

    private func deadline(after wait: Duration) -> UInt64 {
        clock.monotonic + UInt64(max(wait / .nanoseconds(1), 0))
    }
}

extension ConnectionInbox.State {
    /// Puts an entry back with its deadline.
    mutating func makeDue(_ entry: inout ConnectionInbox.Entry, at dueAt: UInt64) {
        entry.dueAt = dueAt
        entries[entry.message.id] = entry
        deadlines.insert(UInt64(bitPattern: entry.message.id), due: dueAt)
        if deadlines.count > 2 * entries.count + 1024 {
            let known = entries
            deadlines.compact { known[Int64(bitPattern: $0)] != nil }
        }
    }
}
