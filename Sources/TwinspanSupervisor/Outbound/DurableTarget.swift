// Twin events of one durable target (design: durable targets). It reads them from the journal, always, from a place of
// its own, and goes on from there when its broker was away or the process has ended. The place moves only behind what
// is over: confirmed by the broker, or filtered, denied or refused for good and counted. So each event goes out at
// least once, in the order of the journal. Runs on a thread of its own; other signals go the ordinary way.
import Logging
import Synchronization
import TwinspanConnections
import TwinspanEngine
import TwinspanMapping
import TwinspanProtocol

/// One durable target at work.
final class DurableTarget: Sendable {
    /// Sizes and times.
    enum Pace {
        /// Records read at a time.
        static let chunk = 256
        /// Signals and their bytes that are under way at most.
        static let windowCount = 1_000
        static let windowBytes = 4 << 20
        /// How often the place is kept, in nanoseconds.
        static let keeping: UInt64 = 1_000_000_000
        /// The pause before something is sent again that the broker has refused for the moment.
        static let repeating: UInt64 = 1_000_000_000
        /// How often is looked whether the broker is there again.
        static let away = Duration.milliseconds(100)
        /// The pause after something that could not be read.
        static let trouble = Duration.milliseconds(500)
        /// Nothing to do: a commit rings.
        static let idle = Duration.seconds(5)
        /// Nothing to do but to keep the place, which confirmations move on.
        static let settling = Duration.seconds(1)
        /// No room in the window; a confirmation rings.
        static let full = Duration.milliseconds(500)
    }

    /// What the publisher and observers see too.
    private struct State {
        /// Nil until the place is known.
        var window: DurableWindow?
        /// When the next record that was read happened.
        var nextTime: Timestamp?
        /// Whether a confirmation is awaited by the thread.
        var isWaitingForRoom = false
        var missed: Int64 = 0
    }

    /// What only the thread touches.
    private struct Reading {
        var records: [JournalRecord] = []
        var next = 0
        var pace: SendPace?
        var keptAt: UInt64 = 0
        var keeping: CommitTicket?
        var repeatsAt: UInt64?
        var tally = TargetTally()

        var isSpent: Bool { next == records.count }
    }

    let delivery: TargetDelivery
    private let reader: String
    private let target: String
    private let around: TargetPipeline.Surroundings
    private let readers: DurableReaders
    private let trouble: TroubleLog
    private let budget: NoteBudget
    private let windowCount: Int
    private let state = Mutex(State())
    private let doorbell = Doorbell()
    private let isStopping = Atomic<Bool>(false)
    /// Whether the next commit rings already.
    private let isListening = Atomic<Bool>(false)
    private let thread = Mutex<WorkerThread?>(nil)

    /// Nil for a target that reads no journal. Throws for a mapper that cannot be made.
    init?(
        _ target: Target, index: Int, of connection: Connection, _ around: TargetPipeline.Surroundings,
        readers: DurableReaders, trouble: TroubleLog, mappers: MapperRegistry
    ) throws(TwinspanError) {
        guard let reader = target.readerName(of: connection.id) else { return nil }
        self.reader = reader
        self.target = target.name ?? ""
        delivery = TargetDelivery(
            try CompiledTarget(target, index: index, of: connection, registry: mappers), of: connection)
        self.around = around
        self.readers = readers
        self.trouble = trouble
        budget = NoteBudget(around.recorder, clock: around.clock)
        windowCount = min(target.queueLimit ?? Pace.windowCount, Pace.windowCount)
    }

    // MARK: Life

    /// Finds its place and begins to work.
    func start(name: String) {
        findPlace()
        readers.claim(reader)
        let worker = WorkerThread(name: name) { [self] in run() }
        thread.withLock { $0 = worker }
    }

    /// Reads no further. What is under way may still be confirmed, until `finish`.
    func stop() {
        isStopping.store(true, ordering: .releasing)
        doorbell.ring()
        thread.withLock { $0 }?.join()
    }

    /// Keeps its place and gives it up; the publisher has ended.
    func finish() {
        let place = state.withLock { $0.window?.cursor }
        if let place {
            let ticket = around.engine.keep([.cursorPut(name: reader, sequence: place)])
            // What could not be kept is sent again after the next start.
            _ = around.engine.commit(ticket, patience: .seconds(2))
        }
        readers.release(reader)
    }

    /// Lets the target look after everything once more; tests move their clocks and call it.
    func wake() { doorbell.ring() }

    /// How far it is behind.
    var behind: ConnectionSnapshot.Behind {
        let committed = around.engine.gate.committed
        let (position, count, oldest, missed) = state.withLock { state in
            (
                state.window?.position ?? committed, state.window?.count ?? 0,
                state.window?.oldest ?? state.nextTime, state.missed
            )
        }
        let age = oldest.map { around.clock.now.milliseconds - $0.milliseconds } ?? 0
        return ConnectionSnapshot.Behind(
            target: target, events: max(committed - position, 0) + Int64(count),
            ageSeconds: Double(max(age, 0)) / 1000, missed: missed)
    }

    // MARK: The loop

    private func run() {
        var reading = Reading(pace: delivery.compiled.target.rateLimit.map { SendPace(messagesPerSecond: $0) })
        while !isStopping.load(ordering: .acquiring) {
            let patience = turn(&reading)
            keepPlaceIfDue(&reading)
            if patience > .zero { doorbell.wait(patience: patience) }
        }
    }

    /// Does what can be done at the moment; returns how long to wait for more.
    private func turn(_ reading: inout Reading) -> Duration {
        guard let window = state.withLock({ $0.window }) else {
            findPlace()
            return Pace.trouble
        }
        if window.needsRepetition { return repeatWhenQuiet(window, &reading) }
        let isConnected = around.isConnected()
        if reading.isSpent {
            // While the broker is away one record is enough, to know how old it is.
            if let patience = read(window, limit: isConnected ? Pace.chunk : 1, &reading) { return patience }
        }
        return isConnected ? send(&reading) : Pace.away
    }

    private func findPlace() {
        guard let place = readers.place(of: reader) else { return }
        state.withLock { $0.window = DurableWindow(cursor: place) }
    }

    /// What is under way is waited for, so that no event overtakes the one that has to be sent again.
    private func repeatWhenQuiet(_ window: DurableWindow, _ reading: inout Reading) -> Duration {
        let now = around.clock.monotonic
        let due = reading.repeatsAt ?? now + Pace.repeating
        reading.repeatsAt = due
        guard window.isQuiet, now >= due else { return Pace.full }
        reading.repeatsAt = nil
        (reading.records, reading.next) = ([], 0)
        state.withLock { $0.window?.repeatFromCursor() }
        return .zero
    }

    // MARK: Reading

    /// Reads on; returns how long to wait when there is nothing, or no room for it.
    private func read(_ window: DurableWindow, limit: Int, _ reading: inout Reading) -> Duration? {
        let committed = around.engine.gate.committed
        guard window.position < committed else {
            guard listen(beyond: committed) else { return .zero }
            // Confirmations do not ring, and the place wants to be kept.
            return window.count > 0 || window.isCursorNews ? Pace.settling : Pace.idle
        }
        do throws(StoreFailure) {
            reading.records = try around.engine.journal(after: window.position, limit: limit)
            reading.next = 0
        } catch {
            trouble.warn(
                "journal cannot be read", reason: error.kind.rawValue,
                ["target": "\(target)", "error": "\(error.description)"])
            return Pace.trouble
        }
        let next = reading.records.first
        // Looked at only now: what was read is there, whatever retention does meanwhile.
        noteGap(from: window.position, to: min(around.engine.firstSequence, next?.sequence ?? .max) - 1)
        state.withLock { state in
            state.nextTime = next?.time
            // Sequences of what stands beside events have no record.
            if next == nil { state.window?.pass(committed, isRecord: false) }
        }
        return next == nil ? .zero : nil
    }

    /// Lets the next commit ring. False when there was one already.
    private func listen(beyond committed: Int64) -> Bool {
        if !isListening.exchange(true, ordering: .acquiringAndReleasing) {
            let ticket = CommitTicket(sequence: committed + 1, epoch: around.engine.gate.epoch)
            around.engine.gate.whenKnown(ticket) { [weak self] _ in
                self?.isListening.store(false, ordering: .releasing)
                self?.doorbell.ring()
            }
        }
        return around.engine.gate.committed == committed
    }

    /// Counts what retention has removed before it was read, and goes on behind it.
    private func noteGap(from position: Int64, to last: Int64) {
        let missing = last - position
        guard missing > 0 else { return }
        state.withLock { state in
            state.missed += missing
            state.window?.pass(last, isRecord: true)
        }
        let reason = "journal-retention"
        around.counters.add(.offered, Int(clamping: missing))
        around.counters.add(.dropped, .outbound, reason: reason, Int(clamping: missing))
        let place = RecordedPlace.target(delivery.compiled.index)
        around.recorder.count(place, .dropped, isFailure: true)
        around.recorder.note(
            StageNote(
                place, .dropped, isFailure: true,
                "The durable target '\(target)' was too far behind: the journal no longer has \(missing) sequences "
                    + "from \(position + 1) to \(last)",
                entityType: "connection", entityID: delivery.connectionID.text, reason: reason))
        trouble.warn(
            "durable target has missed events", reason: reason,
            [
                "target": "\(target)", "missing": "\(missing)", "first": "\(position + 1)", "last": "\(last)",
                "hint": "keep more of the journal, or let the target catch up faster",
            ])
    }

    // MARK: Sending

    /// Sends what was read as far as there is room and the pace allows; returns how long to wait.
    private func send(_ reading: inout Reading) -> Duration {
        var outbox: [OutboundMessage] = []
        var patience = Duration.zero
        while !reading.isSpent, !isStopping.load(ordering: .acquiring) {
            if outbox.count >= TargetPipeline.sliceCount { flush(&outbox) }
            guard hasRoom() else {
                patience = Pace.full
                break
            }
            let delay = reading.pace?.delay(at: around.clock.monotonic) ?? 0
            guard delay == 0 else {
                patience = .nanoseconds(Int64(clamping: delay))
                break
            }
            let before = outbox.count
            guard deliver(reading.records[reading.next], &outbox, &reading) else {
                patience = Pace.trouble
                break
            }
            reading.pace?.spend(outbox.count - before, at: around.clock.monotonic)
            reading.next += 1
        }
        flush(&outbox)
        reading.tally.flush(.target(delivery.compiled.index), around)
        let time = reading.isSpent ? nil : reading.records[reading.next].time
        state.withLock { $0.nextTime = time }
        return patience
    }

    private func flush(_ outbox: inout [OutboundMessage]) {
        around.queue.admit(outbox)
        outbox.removeAll(keepingCapacity: true)
    }

    /// Whether another signal may be under way; when not, the next confirmation rings.
    private func hasRoom() -> Bool {
        state.withLock { state in
            guard let window = state.window, !window.needsRepetition else { return false }
            let hasRoom = window.count < windowCount && window.bytes < Pace.windowBytes
            state.isWaitingForRoom = !hasRoom
            return hasRoom
        }
    }

    /// Makes messages of a record, or ends it otherwise. False when it has to be tried again.
    private func deliver(
        _ record: JournalRecord, _ outbox: inout [OutboundMessage], _ reading: inout Reading
    ) -> Bool {
        guard case .thing(let event) = record.content, concerns(event) else {
            pass(record)
            return true
        }
        let presence: ThingPresence
        do throws(TwinspanError) {
            presence = try around.engine.presence(of: event.thingID, patience: .seconds(3))
        } catch {
            trouble.warn(
                "event waits", reason: error.code, ["target": "\(target)", "error": "\(error.message)"])
            return false
        }
        let change = record.change(
            event, presence, clock: around.clock, deliversParts: around.engine.deliversPartialEvents)
        let signal = OutgoingSignal.event(change, event)
        if record.origin == delivery.connectionID {
            pass(record)
            acknowledgeWeakly(signal, "The signal is not for this connection.")
            return true
        }
        let first = outbox.count
        let now = around.clock.now
        var source = EnrichmentSource { [engine = around.engine] id throws(TwinspanError) in
            try engine.committedThing(id, patience: .seconds(3))
        }
        // Without a policy nobody may see it, and nobody ever will.
        let fate = presence.enforcer == nil ? .filtered : delivery.deliver(signal, now: now, &source, &outbox)
        reading.tally.add(fate)
        if fate.isFailure || budget.wants(before: reading.records.count - reading.next - 1) {
            for note in fate.notes(signal, delivery) { around.recorder.note(note) }
        }
        if case .addressed = fate {
            follow(&outbox, from: first, record.sequence, event.timestamp)
        } else {
            pass(record)
            acknowledge(fate, signal)
        }
        return true
    }

    /// Whether some topic of the target may admit the event.
    private func concerns(_ event: ThingEvent) -> Bool {
        delivery.compiled.topics(.twinEvents).contains { $0.admits(namespace: event.thingID.namespace) }
    }

    private func pass(_ record: JournalRecord) {
        state.withLock { $0.window?.pass(record.sequence, isRecord: true) }
    }

    /// Puts the messages of a signal under way, with a receipt that tells when they are over.
    private func follow(
        _ outbox: inout [OutboundMessage], from first: Int, _ sequence: Int64, _ time: Timestamp
    ) {
        let messages = outbox[first...]
        let bytes = messages.reduce(0) { $0 + $1.payload.count }
        guard let number = state.withLock({ $0.window?.add(sequence, bytes: bytes, time: time) }) else { return }
        let receipt = DeliveryReceipt(
            messages: messages.count, acknowledgement: messages.first?.receipt?.acknowledgement,
            signal: messages.first?.receipt?.signal
        ) { [weak self] failure in
            // What can never be sent is over; anything else may go well another time.
            let isOver = failure.map { !$0.isPassing } ?? true
            self?.settle(number, isOver: isOver)
            return isOver
        }
        for index in first..<outbox.endIndex { outbox[index].receipt = receipt }
    }

    /// Called on the publisher's thread.
    private func settle(_ number: Int, isOver: Bool) {
        let rings = state.withLock { state in
            state.window?.settle(number, isOver: isOver)
            guard let window = state.window else { return false }
            if window.needsRepetition { return true }
            // Not for each of them: half a window is worth waking up for.
            guard state.isWaitingForRoom, window.count <= windowCount / 2 else { return false }
            state.isWaitingForRoom = false
            return true
        }
        if rings { doorbell.ring() }
    }

    // MARK: Acknowledgements

    private func acknowledge(_ fate: TargetFate, _ signal: OutgoingSignal) {
        if case .dropped(let drop) = fate, drop.isFailureOfAcknowledgement, let error = drop.error {
            guard let request = delivery.issuedAcknowledgement(for: signal) else { return }
            return around.acks.settle(request, target: delivery.compiled.index, failure: error)
        }
        acknowledgeWeakly(signal, "The signal is not published by the target that acknowledges it.")
    }

    private func acknowledgeWeakly(_ signal: OutgoingSignal, _ reason: String) {
        guard let request = delivery.issuedAcknowledgement(for: signal) else { return }
        around.acks.acknowledgeWeakly([request.label], signal, because: reason)
    }

    // MARK: The place

    private func keepPlaceIfDue(_ reading: inout Reading) {
        let now = around.clock.monotonic
        guard now &- reading.keptAt >= Pace.keeping else { return }
        if let ticket = reading.keeping {
            switch around.engine.gate.outcome(of: ticket) {
            case .pending: return
            case .committed: break
            case .rejected: state.withLock { $0.window?.isCursorNews = true }
            }
            reading.keeping = nil
        }
        let place = state.withLock { state -> Int64? in
            guard state.window?.isCursorNews == true else { return nil }
            state.window?.isCursorNews = false
            return state.window?.cursor
        }
        guard let place else { return }
        reading.keptAt = now
        reading.keeping = around.engine.keep([.cursorPut(name: reader, sequence: place)])
    }
}

extension DeliveryReceipt.Failure {
    /// Whether the same message may go well another time: by the rule for redelivery (spec/connectivity.md §6.6), and
    /// when there was too much at once.
    fileprivate var isPassing: Bool {
        switch error.status {
        case 408, 424, 429, 500...: true
        default: false
        }
    }
}
