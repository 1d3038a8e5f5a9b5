// One connection of a publisher, from CONNACK to its end. Confined to the session's thread. A turn publishes what the
// window admits, writes it all, and sleeps until the broker confirms, the queue fills or a stop comes.
import Glibc
import TwinspanConnections
import TwinspanNetwork

/// Publishes on an accepted connection.
final class MQTTPublisherLink {
    private let handle: MosquittoHandle
    private let queue: OutboundQueue
    private let outcomes: any PublishOutcomes
    private let control: SessionControl
    private let wake: WakeSignal
    private let keepAliveInterval: Duration

    private var window = PublishWindow()
    /// Taken from the queue and not yet published, from `nextTaken` on.
    private var taken: [OutboundMessage] = []
    private var nextTaken = 0
    private var nextKeepAliveCheck = Deadline.now

    init(
        handle: MosquittoHandle, keepAliveSeconds: Int, queue: OutboundQueue, outcomes: any PublishOutcomes,
        control: SessionControl, wake: WakeSignal
    ) {
        self.handle = handle
        self.queue = queue
        self.outcomes = outcomes
        self.control = control
        self.wake = wake
        keepAliveInterval = .seconds(keepAliveSeconds == 0 ? 60 : min(max(keepAliveSeconds / 8, 1), 10))
    }

    /// Publishes until a stop or a failure, then gives back what is not confirmed.
    func serve() -> SessionEnd {
        defer { queue.giveBack(window.removeAll() + taken[nextTaken...]) }
        while true {
            if let deadline = control.stopDeadline, deadline.hasPassed || isDone {
                handle.sayGoodbye(until: deadline)
                return .stopped
            }
            if let failure = turn() { return .failed(failure) }
        }
    }

    /// Whether everything has been sent and confirmed.
    private var isDone: Bool { window.isEmpty && nextTaken == taken.count && queue.load.messages == 0 }

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
        while !window.isFull {
            if nextTaken == taken.count {
                taken.removeAll(keepingCapacity: true)
                nextTaken = 0
                queue.take(upTo: PublishWindow.maximumCount - window.count, into: &taken)
                if taken.isEmpty { return nil }
            }
            let message = taken[nextTaken]
            do {
                let id = try handle.publish(
                    topic: message.address, payload: message.payload, qos: min(message.qos, 2),
                    isRetained: message.isRetained)
                guard window.insert(message, id: id) else { return MQTTFailure.packetIDReused }
                nextTaken += 1
            } catch {
                guard let reason = MQTTPublisherLink.reason(for: error.code) else { return lost(error.code) }
                nextTaken += 1
                // Neither topic, size nor quality of service will be better another time.
                outcomes.refused(
                    message, PublishRefusal(reason: reason, detail: error.code.phrase, status: 400))
            }
        }
        return nil
    }

    /// Why the library will never take a message; nil if the connection is at fault.
    private static func reason(for code: MosquittoCode) -> String? {
        switch code {
        case .invalid, .malformedUTF8: "invalid-topic"
        case .payloadSize, .oversizePacket: "too-large"
        case .qosNotSupported: "qos-not-supported"
        default: nil
        }
    }

    /// Sleeps until there is something to do; returns whether the connection has something to say.
    private func sleep() -> Bool {
        // With the window full, only the broker can give us work; else the queue must know that we sleep.
        let mayBlock = window.isFull || (nextTaken == taken.count && queue.prepareToSleep())
        let deadline = min(nextKeepAliveCheck, control.stopDeadline ?? .never)
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
        guard !handle.confirmedIDs.isEmpty else { return }
        for id in handle.confirmedIDs {
            if let message = window.confirm(id) { outcomes.confirmed(message) }
        }
        handle.confirmedIDs.removeAll(keepingCapacity: true)
    }

    private func lost(_ code: MosquittoCode) -> BrokerFailure {
        MQTTFailure.lost(code, step: .serve, text: handle.errorText)
    }
}
