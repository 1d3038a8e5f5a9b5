// One connection of a publisher, from CONNACK to its end. Confined to the session's thread. A turn publishes what the
// window admits, writes it all, and sleeps until the broker confirms, the queue fills or a stop comes.
import Glibc
import TwinspanConnections
import TwinspanNetwork

/// Publishes on an accepted connection.
final class MQTTPublisherLink {
    private let handle: MosquittoHandle
    private let fields: MQTTFields
    private let keepsKnownHeaders: Bool
    private let queue: OutboundQueue
    private let outcomes: any PublishOutcomes
    private let control: SessionControl
    private let wake: WakeSignal
    private let keepAliveInterval: Duration

    private var window = PublishWindow()
    /// Taken from the queue and not yet published, from `nextTaken` on.
    private var taken: [OutboundMessage] = []
    private var nextTaken = 0
    private var retries = PublishRetries()
    private var nextKeepAliveCheck = Deadline.now

    init(
        handle: MosquittoHandle, fields: MQTTFields, keepsKnownHeaders: Bool, queue: OutboundQueue,
        outcomes: any PublishOutcomes, control: SessionControl, wake: WakeSignal
    ) {
        self.handle = handle
        self.fields = fields
        self.keepsKnownHeaders = keepsKnownHeaders
        self.queue = queue
        self.outcomes = outcomes
        self.control = control
        self.wake = wake
        let keepAliveSeconds = handle.connectAnswer?.keepAliveSeconds ?? fields.keepAliveSeconds
        keepAliveInterval = .seconds(keepAliveSeconds == 0 ? 60 : min(max(keepAliveSeconds / 8, 1), 10))
    }

    /// Publishes until a stop or a failure, then gives back what is not confirmed.
    func serve() -> SessionEnd {
        defer { queue.giveBack(retries.removeAll() + window.removeAll() + taken[nextTaken...]) }
        while true {
            if let deadline = control.stopDeadline, deadline.hasPassed || isDone {
                handle.sayGoodbye(until: deadline)
                return .stopped
            }
            if let failure = turn() { return .failed(failure) }
        }
    }

    /// Whether everything has been sent and confirmed.
    private var isDone: Bool {
        window.isEmpty && retries.isEmpty && nextTaken == taken.count && queue.load.messages == 0
    }

    private func turn() -> BrokerFailure? {
        if let failure = publishWhatFits() { return failure }
        var code = MosquittoCode.success
        if handle.wantsWrite { code = handle.write() }
        deliverConfirmations()
        guard code == .success, handle.isOpen else { return lost(code) }
        if sleep() { code = drain() }
        deliverConfirmations()
        if code == .success, handle.isOpen, nextKeepAliveCheck.hasPassed {
            code = handle.checkKeepAlive()
            nextKeepAliveCheck = .after(keepAliveInterval)
        }
        return code == .success && handle.isOpen ? nil : lost(code)
    }

    private func publishWhatFits() -> BrokerFailure? {
        guard !retries.isPausing else { return nil }
        while !window.isFull {
            if let again = retries.takeNext() {
                if let failure = publish(again.message, attempts: again.attempts) {
                    taken.insert(again.message, at: nextTaken)
                    return failure
                }
                continue
            }
            if nextTaken == taken.count {
                taken.removeAll(keepingCapacity: true)
                nextTaken = 0
                queue.take(upTo: PublishWindow.maximumCount - window.count, into: &taken)
                if taken.isEmpty { return nil }
            }
            if let failure = publish(taken[nextTaken]) { return failure }
            nextTaken += 1
        }
        return nil
    }

    /// Hands a message to the library, or refuses it. A failure means that the connection is at fault and the message
    /// is not settled.
    private func publish(_ message: OutboundMessage, attempts: Int = 0) -> BrokerFailure? {
        var properties: MQTTProperties?
        if fields.version == .v5, !message.headers.isEmpty {
            do throws(PublishRefusal) {
                properties = try MQTTProperties(of: message, keepsKnownHeaders: keepsKnownHeaders)
            } catch {
                outcomes.refused(message, error)
                return nil
            }
        }
        do {
            let id = try handle.publish(
                topic: message.address, payload: message.payload, qos: min(message.qos, 2),
                isRetained: message.isRetained, properties: properties)
            guard window.insert(message, id: id) else { return MQTTFailure.packetIDReused }
            if attempts > 0 { retries.noteSent(id: id, attempts: attempts) }
            return nil
        } catch {
            guard let reason = MQTTPublisherLink.reason(for: error) else { return lost(error.code) }
            // Neither topic, size nor quality of service will be better another time.
            outcomes.refused(message, PublishRefusal(reason: reason, detail: error.code.phrase, status: 400))
            return nil
        }
    }

    /// Why the library will never take a message; nil if the connection is at fault.
    private static func reason(for refusal: MosquittoRefusal) -> String? {
        switch refusal.code {
        case .invalid where refusal.option == "properties", .malformedUTF8 where refusal.option == "properties":
            "invalid-header"
        case .invalid, .malformedUTF8: "invalid-topic"
        case .payloadSize, .oversizePacket: "too-large"
        case .qosNotSupported: "qos-not-supported"
        default: nil
        }
    }

    /// Sleeps until there is something to do; returns whether the connection has something to say.
    private func sleep() -> Bool {
        // With the window full, only the broker can give us work; else the queue must know that we sleep.
        let mayBlock =
            window.isFull || retries.isPausing
            || (retries.isEmpty && nextTaken == taken.count && queue.prepareToSleep())
        let deadline = min(nextKeepAliveCheck, control.stopDeadline ?? .never, retries.resumesAt)
        let events = Int16(POLLIN) | (handle.wantsWrite ? Int16(POLLOUT) : 0)
        return withUnsafeTemporaryAllocation(of: pollfd.self, capacity: 2) { descriptors in
            descriptors[0] = pollfd(fd: handle.descriptor, events: events, revents: 0)
            descriptors[1] = pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0)
            // A stopping publisher that has nothing left must not sleep.
            poll(descriptors.baseAddress, 2, mayBlock && !(control.isStopping && isDone) ? deadline.pollTimeout : 0)
            if descriptors[1].revents != 0 { wake.drain() }
            return descriptors[0].revents & ~Int16(POLLOUT) != 0
        }
    }

    /// One call reads as many packets as messages are unconfirmed; a TLS layer has to be emptied besides.
    private func drain() -> MosquittoCode {
        for _ in 0..<PublishWindow.maximumCount {
            let code = handle.read()
            guard code == .success, handle.isOpen, handle.bytesWaiting > 0 else { return code }
        }
        return .success
    }

    private func deliverConfirmations() {
        guard !handle.confirmations.isEmpty else { return }
        for (id, code) in handle.confirmations {
            guard let message = window.confirm(id) else { continue }
            switch MQTTFailure.publishAnswer(code) {
            case .taken:
                retries.noteSettled(id: id)
                outcomes.confirmed(message)
            case .refused(let refusal):
                retries.noteSettled(id: id)
                outcomes.refused(message, refusal)
            case .later:
                if let attempts = retries.add(message, id: id) {
                    outcomes.refused(message, MQTTFailure.notTaken(code: code, attempts: attempts))
                }
            }
        }
        handle.confirmations.removeAll(keepingCapacity: true)
    }

    private func lost(_ code: MosquittoCode) -> BrokerFailure {
        handle.failure(code, at: .serve, clientID: fields.publisherID)
    }
}
