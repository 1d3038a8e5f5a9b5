// One connection of a consumer, from its opening to its end. Confined to the session's thread.
//
// Settlement: messages are pulled out of the receivers until none is whole or the batch is full, the batch is handed
// on, and only after its commit is each of them accepted, and new credit given. What was not accepted comes again when
// the connection ends. While a commit is waited for the library keeps reading and writing, so that neither side takes
// the other for dead; how much it may read meanwhile is bounded by the credit and the sessions' windows.
import TwinspanConnections
import TwinspanNetwork

/// Serves an opened connection.
final class AMQP10ConsumerLink {
    private let connection: ProtonConnection
    private let setup: AMQP10Setup
    private let situation: AMQP10Failure.Situation
    private let inlet: any Inlet
    private let observer: any SessionObserver
    private let control: SessionControl
    private let wake: WakeSignal

    private let receivers: [AMQP10Receiver]
    private let limits: (messages: Int, bytes: Int)
    private let window: Int
    private let checksQueues: Bool
    private let batch = MessageBatch()
    private var deliveries: [ProtonLink.Delivery] = []
    private var standing: [SessionPlace: BrokerFailure] = [:]
    private var isOpen = false
    /// Whether a receiver may still have a whole message.
    private var hasMore = false
    /// Kinds of discarded messages that were told of.
    private var told: Set<String> = []
    /// Where pulling begins, so that the first receiver does not fill every batch.
    private var firstReceiver = 0

    init(
        connection: ProtonConnection, setup: AMQP10Setup, situation: AMQP10Failure.Situation, inlet: any Inlet,
        observer: any SessionObserver, control: SessionControl, wake: WakeSignal
    ) {
        self.connection = connection
        self.setup = setup
        self.situation = situation
        self.inlet = inlet
        self.observer = observer
        self.control = control
        self.wake = wake
        limits = inlet.batchLimits
        window = setup.fields.prefetch ?? max(1, limits.messages) * 2
        checksQueues = connection.peerProduct == "RabbitMQ"
        receivers = setup.fields.readings.enumerated().flatMap { source, reading in
            reading.addresses.flatMap { address in
                (0..<reading.consumerCount).map { _ in
                    AMQP10Receiver(source: source, address: AMQP10Address(address), timing: setup.timing)
                }
            }
        }
    }

    /// Attaches the receivers and serves until a stop or a failure.
    func serve() -> SessionEnd {
        observer.began(.subscribe)
        for receiver in receivers { receiver.begin(on: connection) }
        while true {
            connection.process()
            for receiver in receivers { receiver.review(on: connection, checksQueue: checksQueues) }
            if receivers.contains(where: \.isDeaf) { return .failed(AMQP10Failure.deaf(after: setup.timing.attach)) }
            if !isOpen, receivers.allSatisfy(\.isDecided) {
                isOpen = true
                observer.began(.serve)
                observer.opened()
            }
            if isOpen { tellPlaces() }
            if let deadline = control.stopDeadline {
                connection.sayGoodbye(wake, until: deadline)
                return .stopped
            }
            pull()
            if !batch.isEmpty, let end = settle() { return end }
            if let end = connection.end { return .failed(failure(end)) }
            for receiver in receivers { receiver.link?.grant(window: window) }
            connection.process()
            let deadline = receivers.reduce(Deadline.never) { min($0, $1.nextDeadline) }
            // The wake-up of a stop may have been taken while a commit was waited for.
            connection.wait(wake, until: hasMore || control.isStopping ? .now : deadline)
        }
    }

    private func failure(_ end: ProtonConnection.End) -> BrokerFailure {
        var situation = situation
        if !isOpen { situation.step = .subscribe }
        return AMQP10Failure.ended(end, situation)
    }

    /// Tells of the addresses that have failed since, and of those that stand again.
    private func tellPlaces() {
        var now: [SessionPlace: BrokerFailure] = [:]
        for receiver in receivers {
            guard let failure = receiver.failure else { continue }
            now[.source(receiver.source, address: receiver.address.text)] = failure
        }
        guard now != standing else { return }
        for place in standing.keys where now[place] == nil { observer.changed(place, nil) }
        for (place, failure) in now where standing[place] != failure { observer.changed(place, failure) }
        standing = now
    }

    // MARK: Receiving

    /// Fills the batch with what is whole, one receiver after the other.
    private func pull() {
        hasMore = false
        var bytes = 0
        for offset in receivers.indices {
            let receiver = receivers[(firstReceiver + offset) % receivers.count]
            while let link = receiver.link {
                guard batch.count < limits.messages, bytes < limits.bytes else {
                    hasMore = true
                    firstReceiver = (firstReceiver + offset + 1) % receivers.count
                    return
                }
                let received = link.receive(limit: setup.timing.messageBytes)
                if case .nothing = received { break }
                if case .message(let delivery) = received {
                    bytes += link.message.count
                    take(link.message, delivery, of: receiver)
                } else {
                    discard(received, of: receiver)
                }
            }
        }
    }

    private func take(_ message: [UInt8], _ delivery: ProtonLink.Delivery, of receiver: AMQP10Receiver) {
        message.withUnsafeBytes { bytes in
            do throws(AMQPReadError) {
                let decoded = try AMQP10Decoder(bytes)
                if decoded.skippedCount > 0 {
                    tell(
                        "header-skipped",
                        "Properties of messages at '\(receiver.address.text)' are nested or no text: "
                            + "they are left out.", receiver)
                }
                var address = receiver.address.text
                address.withUTF8 { address in
                    let append = { (payload: UnsafeRawBufferPointer) in
                        self.batch.append(
                            address: UnsafeRawBufferPointer(address), payload: payload, source: receiver.source, qos: 1,
                            isRetained: false, headers: decoded.headers, isBinary: decoded.isBinary)
                    }
                    if let payload = decoded.payload {
                        append(UnsafeRawBufferPointer(rebasing: bytes[payload]))
                    } else {
                        decoded.joined.withUnsafeBytes(append)
                    }
                }
                deliveries.append(delivery)
            } catch {
                delivery.settle(
                    as: .rejected(ProtonCondition(name: "amqp:decode-error", text: "the message is no AMQP 1.0")))
                let kind = error == .truncated ? "cut off" : "malformed"
                tell(
                    "malformed", "A message at '\(receiver.address.text)' is \(kind); it was rejected.", receiver)
            }
        }
    }

    private func discard(_ received: ProtonLink.Received, of receiver: AMQP10Receiver) {
        switch received {
        case .tooLarge:
            tell(
                "too-large",
                "A message at '\(receiver.address.text)' has more than \(setup.timing.messageBytes) bytes;"
                    + " it was rejected.", receiver)
        case .aborted:
            tell("aborted", "The sender took back a message at '\(receiver.address.text)' half way.", receiver)
        case .nothing, .message: break
        }
    }

    /// Once per kind: a sender that does it always would fill the log.
    private func tell(_ reason: String, _ text: String, _ receiver: AMQP10Receiver) {
        guard told.insert("\(reason) \(receiver.source)").inserted else { return }
        observer.warned(AMQP10Failure.discarded(reason, text, source: receiver.source))
    }

    // MARK: Settlement

    /// Hands the batch on, waits for its commit and accepts its messages. Nil: go on.
    private func settle() -> SessionEnd? {
        defer {
            batch.removeAll()
            deliveries.removeAll(keepingCapacity: true)
        }
        let ticket = inlet.accept(batch)
        switch hold(ticket) {
        case .committed:
            for delivery in deliveries { delivery.settle(as: .accepted) }
            connection.process()
            let isSent = connection.end == nil
            inlet.settled(batch, as: isSent ? .committed : .rejected)
            return connection.end.map { .failed(failure($0)) }
        case .failed(let failure):
            connection.destroy()
            inlet.settled(batch, as: .rejected)
            return .failed(failure)
        case .stopped:
            connection.destroy()
            inlet.settled(batch, as: .rejected)
            return .stopped
        }
    }

    private enum HoldEnd {
        case committed, stopped
        case failed(BrokerFailure)
    }

    /// Waits for the commit, and meanwhile keeps the connection alive in both directions.
    private func hold(_ ticket: Ticket) -> HoldEnd {
        let limit = Deadline.after(setup.timing.hold)
        // Most commits are there within milliseconds; only a slow one lets the connection have a turn.
        var slice: Duration = .milliseconds(20)
        while true {
            let until = min(min(control.stopDeadline ?? .never, limit), .after(slice))
            switch inlet.settlement(of: ticket, patience: until.remaining) {
            case .committed: return .committed
            case .rejected: return .failed(BrokerFailure.batchNotTaken)
            case .pending: break
            }
            slice = .milliseconds(100)
            if let deadline = control.stopDeadline, deadline.hasPassed { return .stopped }
            if limit.hasPassed { return .failed(BrokerFailure.storeStalled(after: setup.timing.hold)) }
            connection.wait(wake, until: .now)
            connection.process()
            if let end = connection.end { return .failed(failure(end)) }
        }
    }
}
