// The live channel (spec/protocol.md §7, §8): who subscribes, who waits for which answer, who may acknowledge. Signals
// come in through `TwinEngine+Live.swift`, which authorizes them; answers and acknowledgements come in here. Safe from
// any thread; its locks are leaves, no callback runs under one, and nothing blocks but what an answer may be read by: a
// policy that is not in memory is read from the store.
import Synchronization
import TwinspanJSON
public import TwinspanProtocol

/// Subscribers, waiting requests and declared labels.
public final class LiveChannel: Sendable {
    private let clock: any EngineClock
    private let limits: TwinLimits
    private let metrics: EngineMetrics
    private let subscriptions = Mutex<[LiveSubscription]>([])
    private let declarations = Mutex(AckDeclarations())
    private let pending = Mutex(PendingTable())
    private let doorbell = Doorbell()
    private let timer = Mutex<WorkerThread?>(nil)
    private let isStopping = Atomic<Bool>(false)
    private let nextID = Atomic<UInt64>(0)
    private let idPrefix: String

    init(clock: any EngineClock, limits: TwinLimits, metrics: EngineMetrics) {
        self.clock = clock
        self.limits = limits
        self.metrics = metrics
        var system = SystemRandomNumberGenerator()
        idPrefix = "live-" + String(system.next(), radix: 16)
    }

    /// Requests that wait and subscribers.
    public var load: (pending: Int, subscribers: Int) {
        (pending.withLock { $0.count }, subscriptions.withLock { $0.count })
    }

    // MARK: Subscribers and labels

    /// Adds a subscriber and declares its labels. Throws `acknowledgement:label.not.unique` or
    /// `acknowledgement:ditto.acklabel.forbidden`; then nothing has changed.
    public func add(_ subscription: LiveSubscription) throws(TwinspanError) {
        if subscription.declaresAcks { try declareAcks(subscription.declaredAcks, by: subscription.session) }
        subscribe(subscription)
    }

    /// Adds a subscriber whose labels somebody else declares, or who has none.
    public func subscribe(_ subscription: LiveSubscription) {
        subscriptions.withLock { $0.append(subscription) }
    }

    /// Removes a subscriber and takes back its labels.
    public func remove(_ subscription: LiveSubscription) {
        let wasThere = subscriptions.withLock { all in
            guard let index = all.firstIndex(where: { $0 === subscription }) else { return false }
            all.remove(at: index)
            return true
        }
        subscription.end()
        guard wasThere, subscription.declaresAcks else { return }
        declarations.withLock { $0.release(subscription.declaredAcks, of: subscription.session) }
    }

    /// Declares labels that a session issues without a live subscription, such as those of sources and of subscribers
    /// of twin events. Throws as `add`.
    public func declareAcks(_ labels: [AckLabel], by session: ConnectionID) throws(TwinspanError) {
        try declarations.withLock { declarations throws(TwinspanError) in
            try declarations.declare(labels, by: session)
        }
    }

    /// Takes back everything that a session has declared; called when it ends.
    public func releaseAcks(of session: ConnectionID) {
        declarations.withLock { $0.releaseAll(of: session) }
    }

    // MARK: Answers

    /// Takes the answer of a device to a live command. The first that fits is passed on (§7.3).
    ///
    /// Throws `protocoladapter:illegal.adaptable` when it does not fit and the responder has to be told.
    public func answer(_ response: LiveResponse, from responder: LiveResponder) throws(TwinspanError) -> AnswerFate {
        guard let (number, request) = find(response.thingID, response.headers) else { return late() }
        if let misfit = request.misfit(response) { return try refuse(misfit, response.headers, number, responder) }
        let readable = request.readable(response)
        return change(number) { $0.count(.live(readable), readable.headers, readable.value) } ?? late()
    }

    /// Takes the answer to a message; otherwise as for live commands. What is too large for a message is so for its
    /// answer.
    public func answer(_ response: Message, from responder: LiveResponder) throws(TwinspanError) -> AnswerFate {
        guard let (number, request) = find(response.thingID, response.headers) else { return late() }
        if let misfit = request.misfit(response) ?? response.excess(over: limits.messageBytes) {
            return try refuse(misfit, response.headers, number, responder)
        }
        let readable = request.readable(response)
        return change(number) { $0.count(.message(readable), readable.headers, readable.value) } ?? late()
    }

    /// Takes an acknowledgement (§8.2). Throws what the sender is answered with:
    /// `acknowledgement:correlation-id.missing`, `acknowledgement:ditto.acklabel.forbidden` or
    /// `acknowledgement:label.not.declared`.
    public func answer(_ acknowledgement: Acknowledgement, from session: ConnectionID) throws(TwinspanError)
        -> AnswerFate
    {
        let correlationID = acknowledgement.headers.correlationID ?? ""
        guard !correlationID.isEmpty else { throw AckErrorTable.correlationIDMissing.error() }
        let label = acknowledgement.label
        if label.isBuiltIn {
            throw AckErrorTable.builtInLabelForbidden.error("The label '\(label)' cannot be issued by clients.")
        }
        guard declarations.withLock({ $0.isDeclared(label, by: session) }) else {
            throw TwinspanError.labelNotDeclared(label)
        }
        let fate = count(acknowledgement, correlationID)
        return fate == .unknown ? late() : fate
    }

    /// Takes an acknowledgement that we issue for a session, for what its broker has done with a signal
    /// (spec/connectivity.md §6.4). It may be of `live-response`: then nobody answers but the broker. Throws
    /// `acknowledgement:label.not.declared` when the session does not have the label at the moment.
    @discardableResult
    public func issue(
        _ acknowledgement: Acknowledgement, by session: ConnectionID
    ) throws(TwinspanError) -> AnswerFate {
        let label = acknowledgement.label
        let isOwn = label == .liveResponse || declarations.withLock { $0.isDeclared(label, by: session) }
        guard isOwn else { throw TwinspanError.labelNotDeclared(label) }
        var issued = acknowledgement
        issued.headers[.connectionID] = .string(session.text)
        // Whether somebody waits for it is not known here.
        return count(issued, issued.headers.correlationID ?? "")
    }

    /// Counts what came for nobody.
    private func late() -> AnswerFate {
        metrics.answerCameLate()
        return .unknown
    }

    /// Acknowledges a committed change for a subscriber that declared labels but does not get its event, because his
    /// filter or his permissions keep it from him (§8.4). Labels that were not requested are passed over.
    public func acknowledgeWeakly(_ change: TwinChange, labels: [AckLabel], because reason: String) {
        guard case .thing(let event, _) = change.content, let id = change.headers.correlationID else { return }
        acknowledgeWeakly(labels, of: event.thingID, channel: .twin, correlationID: id, because: reason)
    }

    /// The same for any signal.
    public func acknowledgeWeakly(
        _ labels: [AckLabel], of thingID: ThingID, channel: TopicPath.Channel, correlationID: String,
        because reason: String
    ) {
        for label in labels {
            var headers = DittoHeaders()
            headers.correlationID = correlationID
            headers[.weakAck] = .bool(true)
            // Whether somebody waits for it is not known here.
            _ = count(
                Acknowledgement(
                    label: label, thingID: thingID, channel: channel, status: 200,
                    payload: JSONText(.string(reason)), headers: headers),
                correlationID)
        }
    }

    private func count(_ acknowledgement: Acknowledgement, _ correlationID: String) -> AnswerFate {
        let found = pending.withLock { $0.find(acknowledgement.thingID, correlationID)?.number }
        guard let found else { return .unknown }
        return change(found) { $0.count(acknowledgement) } ?? .unknown
    }

    private func find(_ thingID: ThingID, _ headers: DittoHeaders) -> (number: UInt64, request: PendingRequest)? {
        guard let correlationID = headers.correlationID else { return nil }
        return pending.withLock { $0.find(thingID, correlationID) }
    }

    private func refuse(
        _ misfit: TwinspanError, _ headers: DittoHeaders, _ number: UInt64, _ responder: LiveResponder
    ) throws(TwinspanError) -> AnswerFate {
        change(number) { $0.refused = misfit }
        // Only a response that asks for one itself is answered.
        guard headers[.responseRequired] != nil, headers.isResponseRequired else { return .invalid(misfit) }
        switch responder.kind {
        case .session: throw misfit
        case .connection: finish(number, with: .failure(misfit))
        }
        return .invalid(misfit)
    }

    // MARK: Requests, for the engine

    /// A correlation id for a signal that came without one.
    func makeCorrelationID() -> String {
        "\(idPrefix)-\(nextID.add(1, ordering: .relaxed).newValue)"
    }

    /// Lets a request wait. Throws `too.many.requests`, and `things:thing.unavailable` after the end; the requester is
    /// not called then.
    func register(_ request: PendingRequest) throws(TwinspanError) -> PendingTable.Place {
        let (place, isFirst) = try pending.withLock { table throws(TwinspanError) -> (PendingTable.Place, Bool) in
            if table.isClosed { throw Self.ended }
            guard limits.pendingRequests <= 0 || table.count < limits.pendingRequests else {
                throw GatewayErrorTable.tooManyRequests.error()
            }
            let isFirst = table.firstDeadline.map { request.deadline < $0 } ?? true
            return (table.insert(request), isFirst)
        }
        if isFirst { doorbell.ring() }
        return place
    }

    func isPending(_ place: PendingTable.Place) -> Bool { pending.withLock { $0.contains(place.number) } }

    /// Answers a request, unless it is answered already.
    func finish(_ number: UInt64, with answer: SignalAnswer) {
        let request = pending.withLock { $0.remove(number) }
        request?.requester(answer)
    }

    /// Changes a request, and answers it when nothing is waited for any more. Nil when it is answered already.
    @discardableResult
    func change<Result: Sendable>(_ number: UInt64, _ body: (inout PendingRequest) -> Result) -> Result? {
        guard let (result, completed) = pending.withLock({ $0.change(number, body) }) else { return nil }
        if let completed { completed.requester(completed.conclusion) }
        return result
    }

    /// Gives a signal to all who subscribe to it and may read it, and acknowledges for those who do not get it.
    func publish(_ signal: LiveSignal) {
        let all = subscriptions.withLock { $0 }
        var awaited: Set<AckLabel> = []
        var withheld: [(label: AckLabel, reason: String)] = []
        for subscription in all {
            let labels = labels(of: subscription, for: signal)
            switch subscription.offer(signal) {
            case .delivered, .overflowed: awaited.formUnion(labels)
            case .withheld(let reason): withheld += labels.map { ($0, reason) }
            }
        }
        // A session with several subscriptions acknowledges as soon as one of them has got it.
        for (label, reason) in withheld where !awaited.contains(label) {
            acknowledgeWeakly(
                [label], of: signal.thingID, channel: .live, correlationID: signal.correlationID, because: reason)
        }
    }

    /// The requested labels that the subscriber has.
    private func labels(of subscription: LiveSubscription, for signal: LiveSignal) -> [AckLabel] {
        guard !signal.requestedAcks.isEmpty, !subscription.declaredAcks.isEmpty else { return [] }
        let labels = subscription.declaredAcks.filter { signal.requestedAcks.contains($0) }
        guard !subscription.declaresAcks, !labels.isEmpty else { return labels }
        return declarations.withLock { declarations in
            labels.filter { declarations.isDeclared($0, by: subscription.session) }
        }
    }

    // MARK: Deadlines and the end

    /// Answers what is due. The timer's thread calls it; so does a test that has moved its clock.
    ///
    /// Returns when to call it again, in nanoseconds of the monotonic clock.
    @discardableResult
    func expireDue() -> UInt64? {
        let now = clock.monotonic
        let (due, next) = pending.withLock { ($0.takeDue(now), $0.firstDeadline) }
        if !due.isEmpty { metrics.expired(due.count) }
        for request in due { request.requester(request.timedOut) }
        return next
    }

    func start() {
        let thread = WorkerThread(name: "deadlines") { [self] in runTimer() }
        timer.withLock { $0 = thread }
    }

    /// Answers everybody who waits with 503; nobody may wait any more.
    func stop() {
        isStopping.store(true, ordering: .releasing)
        doorbell.ring()
        let waiting = pending.withLock { $0.close() }
        for request in waiting { request.requester(.failure(Self.ended)) }
        let thread = timer.withLock { thread in
            defer { thread = nil }
            return thread
        }
        thread?.join()
    }

    private func runTimer() {
        while !isStopping.load(ordering: .acquiring) {
            let next = expireDue()
            let now = clock.monotonic
            // At least a moment, so that a clock that stands still does not keep a processor busy.
            let wait = next.map { $0 > now ? max($0 - now, 1_000_000) : 1_000_000 } ?? LiveTerms.longestWait
            doorbell.wait(patience: .nanoseconds(Int64(min(wait, LiveTerms.longestWait))))
        }
    }

    private static var ended: TwinspanError {
        ThingErrorTable.unavailable.error(description: "The engine is being stopped; try again later.")
    }
}
