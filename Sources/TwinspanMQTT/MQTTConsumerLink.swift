// One connection of a consumer, from CONNACK to its end. Confined to the session's thread.
//
// Settlement: `loop_read` queues a PUBACK for each QoS 1 message it delivers, and only `loop_write` sends them, all at
// once. So a turn reads until nothing waits or the batch is full, hands the batch on, waits for its commit, and only
// then writes. Between reading the first message of a batch and that commit nothing may be written, nor may the
// library's keep-alive check or another read run (design §3).
import Glibc
import TwinspanConnections
import TwinspanNetwork

/// Serves an accepted connection.
final class MQTTConsumerLink {
    private let handle: MosquittoHandle
    private let fields: MQTTFields
    private let inlet: any Inlet
    private let observer: any SessionObserver
    private let timing: MQTTBrokerClient.Timing
    private let control: SessionControl
    private let wake: WakeSignal
    private let intake: Intake
    /// Ours, or that of the broker where it wants another.
    private let keepAliveSeconds: Int
    private let keepAliveInterval: Duration

    /// Subscriptions without an answer: id of the SUBSCRIBE and its source.
    private var unanswered: [(id: Int, source: Int)] = []
    private var isOpen = false
    private var subscribeDeadline = Deadline.never
    private var nextKeepAliveCheck = Deadline.now

    init(
        handle: MosquittoHandle, fields: MQTTFields, inlet: any Inlet, observer: any SessionObserver,
        timing: MQTTBrokerClient.Timing, control: SessionControl, wake: WakeSignal
    ) {
        self.handle = handle
        self.fields = fields
        self.inlet = inlet
        self.observer = observer
        self.timing = timing
        self.control = control
        self.wake = wake
        let limits = inlet.batchLimits
        let intake = Intake(subscriptions: fields.subscriptions, limits: limits)
        self.intake = intake
        // Often enough for the library to keep its promise, rarely enough that an idle connection costs nothing.
        keepAliveSeconds = handle.connectAnswer?.keepAliveSeconds ?? fields.keepAliveSeconds
        keepAliveInterval = .seconds(keepAliveSeconds == 0 ? 60 : min(max(keepAliveSeconds / 8, 1), 10))
        handle.receiver = { topic, payload, qos, isRetained, headers in
            intake.receive(topic: topic, payload: payload, qos: qos, isRetained: isRetained, headers: headers)
        }
    }

    /// Subscribes and serves until a stop or a failure.
    func serve() -> SessionEnd {
        observer.began(.subscribe)
        if let failure = subscribe() { return .failed(failure) }
        while true {
            if let deadline = control.stopDeadline {
                handle.sayGoodbye(until: deadline)
                return .stopped
            }
            if let end = turn() { return end }
        }
    }

    // MARK: Subscribing

    private func subscribe() -> BrokerFailure? {
        for (source, subscription) in fields.subscriptions.enumerated() where !subscription.filters.isEmpty {
            do {
                let id = try handle.subscribe(subscription.filters, qos: subscription.qos)
                unanswered.append((id, source))
            } catch {
                if error.code == .invalid || error.code == .malformedUTF8 {
                    let filters = subscription.filters.joined(separator: ", ")
                    return MQTTFailure.subscription(filter: filters, code: Int(error.code.rawValue), source: source)
                }
                return lost(error.code)
            }
        }
        subscribeDeadline = .after(timing.dial)
        return unanswered.isEmpty ? open() : flushSubscriptions()
    }

    /// Writes every SUBSCRIBE before anything is read: acknowledgements of messages read meanwhile would leave with it.
    private func flushSubscriptions() -> BrokerFailure? {
        while handle.wantsWrite {
            let code = handle.write()
            guard code == .success, handle.isOpen else {
                return lost(code)
            }
            if !handle.wantsWrite || control.isStopping { break }
            if subscribeDeadline.hasPassed { return timeoutFailure }
            var descriptors = [
                pollfd(fd: handle.descriptor, events: Int16(POLLOUT), revents: 0),
                pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0),
            ]
            poll(&descriptors, 2, subscribeDeadline.pollTimeout)
            if descriptors[1].revents != 0 { wake.drain() }
        }
        return nil
    }

    private func readSubscribeAnswers() -> BrokerFailure? {
        guard !isOpen else { return nil }
        for answer in handle.takeSubscribeAnswers() {
            guard let index = unanswered.firstIndex(where: { $0.id == answer.id }) else { continue }
            let source = unanswered.remove(at: index).source
            let filters = fields.subscriptions[source].filters
            for (filter, code) in zip(filters, answer.codes) where code >= 128 {
                return MQTTFailure.subscription(filter: filter, code: code, source: source, version: fields.version)
            }
        }
        if unanswered.isEmpty { return open() }
        return subscribeDeadline.hasPassed ? timeoutFailure : nil
    }

    private func open() -> BrokerFailure? {
        isOpen = true
        observer.began(.serve)
        observer.opened()
        return nil
    }

    private var timeoutFailure: BrokerFailure {
        NetworkFailure.timeout(
            at: .subscribe, peer: "\(fields.host):\(fields.port)", after: timing.dial, speaking: "MQTT")
    }

    // MARK: One turn

    private func turn() -> SessionEnd? {
        let wasWriting = handle.wantsWrite
        let isReadable = sleep(wasWriting: wasWriting)
        var code = MosquittoCode.success
        if isReadable { code = drain() }
        if let topic = intake.takeUnmatchedTopic() { observer.warned(MQTTFailure.unmatched(topic: topic)) }
        let hasBatch = !intake.batch.isEmpty
        if hasBatch {
            if let end = settle(isConnected: code == .success && handle.isOpen, mayPing: !wasWriting) { return end }
            subscribeDeadline = .after(timing.dial)
        } else if code == .success, handle.isOpen, handle.wantsWrite {
            code = handle.write()
        }
        // The refusal of a subscription is worth more than the end of the connection that may follow it.
        if let failure = readSubscribeAnswers() { return .failed(failure) }
        // After a hold the library must read before it judges the peer's silence, so the check waits for a later turn.
        if code == .success, handle.isOpen, !hasBatch, nextKeepAliveCheck.hasPassed {
            code = handle.checkKeepAlive()
            nextKeepAliveCheck = .after(keepAliveInterval)
        }
        guard code == .success, handle.isOpen else {
            return .failed(lost(code))
        }
        return nil
    }

    private func lost(_ code: MosquittoCode) -> BrokerFailure {
        handle.failure(code, at: isOpen ? .serve : .subscribe, clientID: fields.clientID)
    }

    /// Sleeps until there is something to do; returns whether the connection has something to say.
    private func sleep(wasWriting: Bool) -> Bool {
        let deadline = isOpen ? nextKeepAliveCheck : min(nextKeepAliveCheck, subscribeDeadline)
        let events = Int16(POLLIN) | (wasWriting ? Int16(POLLOUT) : 0)
        return withUnsafeTemporaryAllocation(of: pollfd.self, capacity: 2) { descriptors in
            descriptors[0] = pollfd(fd: handle.descriptor, events: events, revents: 0)
            descriptors[1] = pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0)
            poll(descriptors.baseAddress, 2, deadline.pollTimeout)
            if descriptors[1].revents != 0 { wake.drain() }
            return descriptors[0].revents & ~Int16(POLLOUT) != 0
        }
    }

    /// Reads until neither socket nor TLS layer has anything left, or the batch is full.
    private func drain() -> MosquittoCode {
        var waiting = max(handle.bytesWaiting, 1)
        var reads = 0
        while waiting > 0, !intake.isFull, reads < maximumReadsPerTurn {
            let before = intake.bytesOnWire
            let code = handle.read()
            guard code == .success, handle.isOpen else { return code == .success ? .connectionLost : code }
            reads += 1
            // Asking the system only when what it last reported is used up halves the system calls per message.
            let consumed = intake.bytesOnWire - before
            waiting = consumed > 0 && waiting > consumed ? waiting - consumed : handle.bytesWaiting
        }
        return .success
    }

    /// A large message comes in pieces, one per read; other packets carry no message. Neither may keep a turn from
    /// ending.
    private let maximumReadsPerTurn = 4096

    // MARK: Settlement

    /// Hands the batch on, waits for its commit and acknowledges it. Nil: go on.
    private func settle(isConnected: Bool, mayPing: Bool) -> SessionEnd? {
        defer { intake.removeAll() }
        let batch = intake.batch
        let ticket = inlet.accept(batch)
        guard isConnected else {
            // Accepted all the same: QoS 0 messages will not come again, and the others may.
            inlet.settled(batch, as: .rejected)
            return nil
        }
        switch hold(ticket, mayPing: mayPing) {
        case .committed:
            let code = handle.write()
            let isSent = code == .success && handle.isOpen
            inlet.settled(batch, as: isSent ? .committed : .rejected)
            return isSent ? nil : .failed(lost(code))
        case .failed(let failure):
            handle.release()
            inlet.settled(batch, as: .rejected)
            return .failed(failure)
        case .stopped:
            handle.release()
            inlet.settled(batch, as: .rejected)
            return .stopped
        }
    }

    private enum HoldEnd {
        case committed, stopped
        case failed(BrokerFailure)
    }

    /// Waits for the commit, and meanwhile keeps the broker from thinking us dead.
    private func hold(_ ticket: Ticket, mayPing: Bool) -> HoldEnd {
        let limit = Deadline.after(timing.hold)
        let pingInterval: Duration = .milliseconds(keepAliveSeconds * 500)
        var nextPing = keepAliveSeconds == 0 ? Deadline.never : .after(pingInterval)
        while true {
            let slice = min(nextPing, control.stopDeadline ?? .never, limit, .after(holdSlice))
            switch inlet.settlement(of: ticket, patience: slice.remaining) {
            case .committed: return .committed
            case .rejected: return .failed(BrokerFailure.batchNotTaken)
            case .pending: break
            }
            if let deadline = control.stopDeadline, deadline.hasPassed { return .stopped }
            if limit.hasPassed { return .failed(BrokerFailure.storeStalled(after: timing.hold)) }
            if isPeerGone { return .failed(lost(.connectionLost)) }
            guard nextPing.hasPassed else { continue }
            guard mayPing, handle.sendPingPastQueue() else {
                return .failed(BrokerFailure.storeStalled(after: pingInterval))
            }
            nextPing = .after(pingInterval)
        }
    }

    /// A stop cannot wake a thread that waits for a commit, so it looks up this often. Commits take milliseconds; this
    /// is only felt when the store is stuck.
    private let holdSlice: Duration = .milliseconds(100)

    private var isPeerGone: Bool {
        var socket = pollfd(fd: handle.descriptor, events: 0, revents: 0)
        return poll(&socket, 1, 0) > 0
    }
}
