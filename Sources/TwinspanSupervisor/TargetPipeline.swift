// The way out of one connection: what is committed, what comes over the live channel, announcements and answers of
// other connections go to its targets, and from there into the bounded queue of its publisher. Runs on a thread of its
// own, so that neither a commit nor another connection ever waits for its filters; a short batch of events is delivered
// on the thread that committed it. When the queue is full the newest is dropped and counted.
import Synchronization
import TwinspanConnections
import TwinspanEngine
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol

/// The outbound pipeline of one connection.
final class TargetPipeline: Sendable {
    /// What the pipeline needs around it.
    struct Surroundings: Sendable {
        var engine: TwinEngine
        var clock: any EngineClock
        var queue: OutboundQueue
        var counters: ConnectionCounters
        var outcomes: CountedOutcomes
        var acks: IssuedAcks
        var recorder: ConnectionRecorder
        /// Whether the broker is there; decides under which reason a full queue is counted.
        var isConnected: @Sendable () -> Bool
    }

    /// What only he touches whose turn it is. The turn is no lock that anybody waits for: the pipeline's thread has it
    /// while it works, and a committer takes it only when it is free.
    private struct Turn {
        var events: EventSubscription?
        var tallies: [TargetTally]
    }

    let connection: Connection
    let around: Surroundings
    let deliveries: [TargetDelivery]
    /// The labels of the connection.
    let labels: Set<AckLabel>
    /// Those that durable targets answer for where twin events are concerned.
    private let durableLabels: Set<AckLabel>
    private let hasDurableTargets: Bool
    private let turn: Mutex<Turn>
    /// Namespaces of twin events that some target wants; empty means all.
    private let namespaces: Set<String>
    private let errands = Errands()
    private let budget: NoteBudget
    private let doorbell = Doorbell()
    private let isStopping = Atomic<Bool>(false)
    private let running = Atomic<Bool>(false)
    /// Whether a committer's thread may deliver events: everything is a matter of microseconds, and no acknowledgement
    /// calls anybody back.
    private let mayLead: Bool
    private let read: @Sendable (ThingID) throws(TwinspanError) -> ThingSnapshot

    /// Signals that wait for the pipeline itself: far more than it ever needs unless a filter is very slow.
    static let inboxCount = 20_000
    static let inboxBytes = 32 << 20
    /// Signals whose messages are put into the queue at once.
    static let sliceCount = 64

    /// Throws for a mapper that cannot be made.
    init(
        connection: Connection, _ surroundings: Surroundings, mappers: MapperRegistry = .builtIn
    ) throws(TwinspanError) {
        self.connection = connection
        around = surroundings
        var deliveries: [TargetDelivery] = []
        for (index, target) in connection.targets.enumerated() {
            let compiled = try CompiledTarget(target, index: index, of: connection, registry: mappers)
            deliveries.append(TargetDelivery(compiled, of: connection))
        }
        self.deliveries = deliveries
        labels = surroundings.acks.claims.labels
        budget = NoteBudget(surroundings.recorder, clock: surroundings.clock)
        turn = Mutex(Turn(tallies: Array(repeating: TargetTally(), count: deliveries.count)))
        let durable = deliveries.filter(\.readsJournal)
        hasDurableTargets = !durable.isEmpty
        durableLabels = Set(durable.compactMap(\.compiled.target.issuedAcknowledgementLabel))
        let topics = deliveries.filter { !$0.readsJournal }.flatMap { $0.compiled.topics(.twinEvents) }
        // A topic without namespaces wants all of them, so the subscription can only narrow when every topic does.
        namespaces =
            topics.contains { $0.namespaces.isEmpty } ? [] : Set(topics.flatMap(\.namespaces))
        mayLead =
            labels.isEmpty
            && deliveries.allSatisfy {
                $0.compiled.mappers.isQuick && $0.compiled.target.issuedAcknowledgementLabel == nil
            }
        read = { [engine = surroundings.engine] id throws(TwinspanError) in
            try engine.committedThing(id, patience: .seconds(3))
        }
    }

    /// Whether the pipeline has subscribed: from now on it misses nothing.
    var isRunning: Bool { running.load(ordering: .acquiring) }

    // MARK: The loop

    /// Subscribes and works until `stop`. Blocks the calling thread.
    func run() {
        let events = subscribeToEvents()
        let live = subscribeToLive()
        let announcements = subscribeToAnnouncements()
        around.acks.claims.declareIfDue()
        defer {
            if let events { around.engine.hub.remove(events) }
            if let live { around.engine.live.remove(live) }
            if let announcements { around.engine.announcements.remove(announcements) }
        }
        running.store(true, ordering: .releasing)
        while true {
            let isStopped = isStopping.load(ordering: .acquiring)
            let isIdle = turn.withLock { turn in
                let changes = events?.take() ?? []
                deliver(changes, &turn)
                let signals = live?.take() ?? []
                deliver(signals, &turn)
                let told = announcements?.take() ?? []
                deliver(told, &turn)
                let waiting = errands.take()
                for errand in waiting { run(errand) }
                return changes.isEmpty && signals.isEmpty && told.isEmpty && waiting.isEmpty
            }
            around.acks.claims.declareIfDue()
            guard isIdle else { continue }
            if isStopped { return }
            doorbell.wait(patience: .seconds(5))
        }
    }

    /// Lets `run` return once it has nothing left to do.
    func stop() {
        isStopping.store(true, ordering: .releasing)
        doorbell.ring()
    }

    /// Lets the pipeline look after everything once more; tests move their clocks and call it.
    func wake() { doorbell.ring() }

    private func subscribeToEvents() -> EventSubscription? {
        let wantsEvents = deliveries.contains { !$0.readsJournal && !$0.compiled.topics(.twinEvents).isEmpty }
        guard wantsEvents || !labels.isEmpty else { return nil }
        // Who has labels hears of every event, because he acknowledges those that he does not get.
        let isNarrow = labels.isEmpty
        let subscription = EventSubscription(
            namespaces: isNarrow ? namespaces : [], excludedOrigin: isNarrow ? connection.id : nil,
            capacity: Self.inboxCount, byteCapacity: Self.inboxBytes,
            wake: { [weak self] isShort in
                if isShort, self?.deliverIfIdle() == true { return }
                self?.doorbell.ring()
            },
            onOverflow: { [weak self] change in
                guard let self, case .thing(let event, _) = change.content, isWanted(change, event) else { return }
                overflowed(.event(change, event))
            })
        turn.withLock { $0.events = subscription }
        around.engine.hub.add(subscription)
        return subscription
    }

    private func subscribeToLive() -> LiveSubscription? {
        var topics: [LiveTopic] = []
        for (kind, live) in [
            (TargetTopic.Kind.liveMessages, LiveKind.messages), (.liveCommands, .liveCommands),
            (.liveEvents, .liveEvents),
        ] {
            for topic in deliveries.flatMap({ $0.compiled.topics(kind) }) {
                topics.append(LiveTopic(live, namespaces: topic.namespaces))
            }
        }
        guard !topics.isEmpty || !labels.isEmpty else { return nil }
        // One for all targets, which judge by themselves what they may see: only together they know whether the
        // connection leaves a signal to nobody.
        let subscription = LiveSubscription(
            topics: topics, subjects: nil, session: connection.id, declaredAcks: Array(labels), declaresAcks: false,
            capacity: Self.inboxCount, byteCapacity: Self.inboxBytes,
            wake: { [weak self] in self?.doorbell.ring() },
            onOverflow: { [weak self] signal in self?.overflowed(.live(signal)) })
        around.engine.live.subscribe(subscription)
        return subscription
    }

    /// For whoever the targets with such a topic stand for; each of them looks again whether it is meant.
    private func subscribeToAnnouncements() -> AnnouncementSubscription? {
        let readers = deliveries.flatMap { delivery in
            delivery.compiled.topics(.policyAnnouncements).map {
                AnnouncementSubscription.Reader(subjects: delivery.compiled.context, namespaces: $0.namespaces)
            }
        }
        guard !readers.isEmpty else { return nil }
        let subscription = AnnouncementSubscription(
            readers: readers, capacity: Errands.countMax, byteCapacity: Errands.bytesMax,
            wake: { [weak self] in self?.doorbell.ring() },
            onOverflow: { [weak self] announcement in self?.overflowed(.announcement(announcement)) })
        around.engine.announcements.add(subscription)
        return subscription
    }

    /// Does the pipeline's work on the calling thread, unless its own thread is at it. Returns whether it was done.
    private func deliverIfIdle() -> Bool {
        guard mayLead else { return false }
        return turn.withLockIfAvailable { turn in
            guard let events = turn.events else { return false }
            // The second round finds nothing and tells the subscription to wake again.
            while true {
                let changes = events.take()
                if changes.isEmpty { return true }
                deliver(changes, &turn)
            }
        } ?? false
    }

    // MARK: Signals

    private func deliver(_ changes: [TwinChange], _ turn: inout Turn) {
        // A batch goes into the queue as one, a slice at a time, so that the publisher starts early on a long one.
        for start in stride(from: 0, to: changes.count, by: Self.sliceCount) {
            var outbox: [OutboundMessage] = []
            let end = min(start + Self.sliceCount, changes.count)
            outbox.reserveCapacity(end - start)
            for index in start..<end {
                let change = changes[index]
                guard case .thing(let event, _) = change.content, change.enforcer != nil else { continue }
                let signal = OutgoingSignal.event(change, event)
                if labels.isEmpty || isWanted(change, event) {
                    deliver(signal, changes.count - index - 1, &turn, &outbox)
                } else {
                    acknowledgeWeakly(signal, ours(signal), "The signal is not for this connection.")
                }
            }
            finish(&turn, outbox)
        }
    }

    private func deliver(_ signals: [LiveDelivery], _ turn: inout Turn) {
        guard !signals.isEmpty else { return }
        var outbox: [OutboundMessage] = []
        for (index, delivery) in signals.enumerated() {
            deliver(.live(delivery.signal), signals.count - index - 1, &turn, &outbox)
        }
        finish(&turn, outbox)
    }

    private func deliver(_ announcements: [PolicyAnnouncement], _ turn: inout Turn) {
        guard !announcements.isEmpty else { return }
        var outbox: [OutboundMessage] = []
        for (index, announcement) in announcements.enumerated() {
            deliver(.announcement(announcement), announcements.count - index - 1, &turn, &outbox)
        }
        finish(&turn, outbox)
    }

    /// Whether an event is for this connection at all; for narrow subscriptions the hub has looked already.
    private func isWanted(_ change: TwinChange, _ event: ThingEvent) -> Bool {
        if change.origin == connection.id { return false }
        return namespaces.isEmpty || namespaces.contains(event.thingID.namespace)
    }

    /// Gives a signal to every target, and acknowledges for those that do not get it.
    /// - Parameter remaining: how many signals the batch has behind it.
    private func deliver(
        _ signal: OutgoingSignal, _ remaining: Int, _ turn: inout Turn, _ outbox: inout [OutboundMessage]
    ) {
        let wantsNotes = budget.wants(before: remaining)
        let asked = ours(signal)
        // Labels that need no weak acknowledgement: their target publishes, or has failed.
        var answered: Set<AckLabel> = []
        var isPublished = false
        var source = EnrichmentSource(read: read)
        let now = around.clock.now
        let isEvent = signal.kind == .twinEvents
        for delivery in deliveries where !(isEvent && delivery.readsJournal) {
            let fate = delivery.deliver(signal, now: now, &source, &outbox)
            turn.tallies[delivery.compiled.index].add(fate)
            if wantsNotes || fate.isFailure { note(fate, signal, delivery) }
            switch fate {
            case .addressed:
                isPublished = true
                if let label = delivery.compiled.target.issuedAcknowledgementLabel { answered.insert(label) }
            case .dropped(let drop) where drop.isFailureOfAcknowledgement:
                guard let error = drop.error, let request = delivery.issuedAcknowledgement(for: signal) else { break }
                answered.insert(request.label)
                around.acks.settle(request, target: delivery.compiled.index, failure: error)
            case .unsubscribed, .filtered, .denied, .dropped: break
            }
        }
        guard !asked.isEmpty else { return }
        // A durable target may publish it later: then its devices answer, or nobody does.
        if isEvent, hasDurableTargets { isPublished = true }
        let issued = Set(deliveries.compactMap(\.compiled.target.issuedAcknowledgementLabel))
        acknowledgeWeakly(
            signal, asked.filter { issued.contains($0) ? !answered.contains($0) : !isPublished },
            "The signal is not published by the target that acknowledges it.")
    }

    /// The requested labels that are those of this connection, and not a durable target's matter.
    private func ours(_ signal: OutgoingSignal) -> [AckLabel] {
        guard !labels.isEmpty else { return [] }
        let others = signal.kind == .twinEvents ? durableLabels : []
        return signal.requestedAcks.filter { labels.contains($0) && !others.contains($0) }
    }

    private func acknowledgeWeakly(_ signal: OutgoingSignal, _ labels: [AckLabel], _ reason: String) {
        around.acks.acknowledgeWeakly(labels, signal, because: reason)
    }

    /// A signal found no place in the inbox. Called on the sender's thread.
    private func overflowed(_ signal: OutgoingSignal) {
        let isEvent = signal.kind == .twinEvents
        for delivery in deliveries where !delivery.compiled.topics(signal.kind).isEmpty {
            if isEvent, delivery.readsJournal { continue }
            around.counters.add(.offered)
            around.counters.add(.dropped, .outbound, reason: "pipeline-behind")
            around.recorder.count(.target(delivery.compiled.index), .published, isFailure: true)
            guard let request = delivery.issuedAcknowledgement(for: signal) else { continue }
            around.acks.settle(request, target: delivery.compiled.index, failure: CountedOutcomes.noPlace)
        }
    }

    private func note(_ fate: TargetFate, _ signal: OutgoingSignal, _ delivery: TargetDelivery) {
        for note in fate.notes(signal, delivery) { around.recorder.note(note) }
    }

    private func finish(_ turn: inout Turn, _ outbox: [OutboundMessage]) {
        for index in turn.tallies.indices { turn.tallies[index].flush(.target(index), around) }
        offer(outbox)
    }

    private func offer(_ outbox: [OutboundMessage]) {
        guard !outbox.isEmpty else { return }
        let accepted = around.queue.offer(contentsOf: outbox)
        guard accepted < outbox.count else { return }
        let reason = around.isConnected() ? "queue-full" : "broker-away"
        for message in outbox[accepted...] {
            around.outcomes.dropped(message, reason: reason, capacity: around.queue.capacity)
        }
    }

    // MARK: Errands

    /// Lets the pipeline's thread do something; false when too much waits already.
    func perform(_ errand: Errands.Errand) -> Bool {
        guard errands.add(errand) else { return false }
        doorbell.ring()
        return true
    }

    private func run(_ errand: Errands.Errand) {
        switch errand {
        case .work(let work): work()
        case .announcement(let announcement): announce(announcement)
        case .diverted(let answer): publish(answer)
        }
    }

    /// Sends to targets what does not depend on topics and permissions.
    private func send(
        _ envelope: Envelope, to targets: [TargetDelivery], entityType: String,
        resolver: @escaping (Timestamp) -> SignalResolver
    ) {
        var outbox: [OutboundMessage] = []
        let now = around.clock.now
        let signal = OutboundSignal(bytes: envelope.bytes, correlationID: envelope.headers.correlationID)
        for delivery in targets {
            let fate = delivery.send(signal, now: now, queuedAt: 0, &outbox) { resolver(now) }
            var tally = TargetTally()
            tally.add(fate)
            tally.flush(.target(delivery.compiled.index), around)
            guard fate.isFailure || budget.wants(before: 0) else { continue }
            for note in fate.notes(
                delivery, correlationID: envelope.headers.correlationID, entityType: entityType,
                entityID: envelope.topic.entityID)
            {
                around.recorder.note(note)
            }
        }
        offer(outbox)
    }

    private func announce(_ announcement: Announcement) {
        let envelope = announcement.envelope
        send(
            envelope, to: deliveries.filter(\.compiled.takesAnnouncements), entityType: "connection"
        ) { [connection] now in
            var resolver = SignalResolver(connectionID: connection.id, now: now)
            resolver.header = { name in envelope.headers[name].map { $0.string ?? $0.text } }
            resolver.topic = envelope.topic
            resolver.path = envelope.path
            return resolver
        }
    }

    /// The only target, or the one at the place of the source that the command came from (§7.4).
    private func publish(_ answer: DivertedAnswer) {
        guard connection.authorizedDiversionSources.contains(answer.origin.text) else {
            return refuse(answer, "diversion-not-authorized", "is not authorized to divert responses to this one")
        }
        let index = deliveries.count == 1 ? 0 : answer.source
        guard deliveries.indices.contains(index) else {
            return refuse(answer, "diversion-no-target", "has a source for which this one has no target")
        }
        send(answer.envelope, to: [deliveries[index]], entityType: "thing") { [connection] now in
            SignalResolver(answer.envelope, command: answer.commandHeaders, connection.id, now)
        }
    }

    private func refuse(_ answer: DivertedAnswer, _ reason: String, _ problem: String) {
        around.counters.add(.offered)
        around.counters.add(.dropped, .outbound, reason: reason)
        around.recorder.count(.connection, .other, isFailure: true)
        around.recorder.note(
            StageNote(
                .connection, .other, isFailure: true, "The connection <\(answer.origin)> \(problem)",
                correlationID: answer.envelope.headers.correlationID, entityType: "connection",
                entityID: connection.id.text, reason: reason))
    }
}

extension TargetPipeline: DiversionTarget {
    func takeDiverted(_ answer: DivertedAnswer) {
        guard !perform(.diverted(answer)) else { return }
        refuse(answer, "pipeline-behind", "diverts more responses than this one can take")
    }
}
