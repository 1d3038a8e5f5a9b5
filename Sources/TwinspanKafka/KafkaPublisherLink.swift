// One life of a producer handle. Confined to the session's thread. A turn hands over what the window admits and sleeps
// until the library reports, the queue fills or a stop comes. The library keeps the order, connects again by itself and
// sends again what was lost with a connection; only what it has given up comes back as failed.
import Glibc
import TwinspanConnections
import TwinspanJSON
import TwinspanNetwork

/// Publishes with a connected producer handle.
final class KafkaPublisherLink {
    private let handle: KafkaHandle
    private let fields: KafkaFields
    private let queue: OutboundQueue
    private let outcomes: any PublishOutcomes
    private let observer: any SessionObserver
    private let control: SessionControl
    private let wake: WakeSignal
    private var health: ClusterHealth
    private var window = DeliveryWindow()
    /// Taken from the queue and not yet handed over, from `nextTaken` on.
    private var taken: [OutboundMessage] = []
    private var nextTaken = 0
    /// Whether the library's own queue is full; it has room again after reports.
    private var isLibraryFull = false
    /// What the library says of itself when it is of no more use.
    private var fatal: String?
    /// Whether anything was confirmed with this handle.
    private(set) var hasConfirmed = false

    init(
        handle: KafkaHandle, fields: KafkaFields, queue: OutboundQueue, outcomes: any PublishOutcomes,
        observer: any SessionObserver, control: SessionControl, wake: WakeSignal
    ) {
        self.handle = handle
        self.fields = fields
        self.queue = queue
        self.outcomes = outcomes
        self.observer = observer
        self.control = control
        self.wake = wake
        health = ClusterHealth(places: (0..<fields.targetCount).map { (.target($0), nil) })
    }

    /// Publishes until a stop or a failure, then gives back what is not confirmed.
    func serve() -> SessionEnd {
        defer { queue.giveBack(window.removeAll() + taken[nextTaken...]) }
        while true {
            if let deadline = control.stopDeadline, deadline.hasPassed || isDone {
                withdraw()
                return .stopped
            }
            publishWhatFits()
            sleep()
            handle.drainDescriptor()
            handle.serve()
            deliverReports()
            for notice in handle.takeNotices() {
                if notice.code.isFatal { fatal = notice.text }
                health.read([notice], fields: fields, observer)
            }
            health.probe(handle, observer)
            if let fatal {
                withdraw()
                return .failed(KafkaFailure.fatal(fatal))
            }
        }
    }

    /// Whether everything has been sent and confirmed.
    private var isDone: Bool { window.isEmpty && nextTaken == taken.count && queue.load.messages == 0 }

    /// Takes back what the library still has, and hears what became of the rest.
    private func withdraw() {
        guard !window.isEmpty else { return }
        handle.purge()
        deliverReports()
    }

    private func publishWhatFits() {
        while !window.isFull, !isLibraryFull, fatal == nil {
            if nextTaken == taken.count {
                taken.removeAll(keepingCapacity: true)
                nextTaken = 0
                queue.take(upTo: min(500, DeliveryWindow.maximumCount - window.count), into: &taken)
                if taken.isEmpty { return }
            }
            let message = taken[nextTaken]
            let destination: KafkaAddress
            do {
                destination = try KafkaAddress(message.address)
            } catch {
                nextTaken += 1
                outcomes.refused(message, PublishRefusal(reason: "invalid-topic", detail: error.text, status: 400))
                continue
            }
            let code = handle.produce(
                to: destination, payload: message.payload,
                headers: KafkaHeaders.outbound(message.headers, connectionID: fields.connectionID), id: window.nextID)
            switch code {
            case .success:
                window.append(message)
                nextTaken += 1
            case .queueFull: isLibraryFull = true
            case _ where code.isFatal: fatal = code.phrase
            default:
                nextTaken += 1
                outcomes.refused(message, KafkaPublisherLink.refusal(for: code))
            }
        }
    }

    /// Sleeps until there is something to do, at most a second: the library wants to be polled.
    private func sleep() {
        // With the window full, only the library can give us work; else the queue must know that we sleep.
        let mayBlock =
            window.isFull || isLibraryFull || (nextTaken == taken.count && queue.prepareToSleep())
        let deadline = min(.after(.seconds(1)), control.stopDeadline ?? .never)
        withUnsafeTemporaryAllocation(of: pollfd.self, capacity: 2) { descriptors in
            descriptors[0] = pollfd(fd: handle.descriptor, events: Int16(POLLIN), revents: 0)
            descriptors[1] = pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0)
            poll(
                descriptors.baseAddress, 2,
                mayBlock && fatal == nil && !(control.isStopping && isDone) ? deadline.pollTimeout : 0)
            if descriptors[1].revents != 0 { wake.drain() }
        }
    }

    private func deliverReports() {
        guard !handle.reports.isEmpty else { return }
        isLibraryFull = false
        for report in handle.reports {
            // Those of a producer in trouble and those taken back are sent again by the next one.
            if report.code.isFatal {
                fatal = fatal ?? report.code.phrase
                continue
            }
            if report.code == .purgedInQueue || report.code == .purgedInFlight { continue }
            guard let message = window.take(report.id) else { continue }
            guard report.code == .success else {
                outcomes.refused(message, KafkaPublisherLink.refusal(for: report.code))
                continue
            }
            hasConfirmed = true
            health.isAlive(observer)
            if fields.isDebugEnabled {
                outcomes.answered(message, with: KafkaPublisherLink.answer(to: message, report))
            } else {
                outcomes.confirmed(message)
            }
        }
        handle.reports.removeAll(keepingCapacity: true)
    }

    /// Why the library or the cluster did not take a message, and whether it might another time.
    static func refusal(for code: KafkaCode) -> PublishRefusal {
        let detail = "\(code.phrase)"
        switch code {
        case .tooLarge, .batchTooLarge: return PublishRefusal(reason: "too-large", detail: detail, status: 400)
        case .invalidMessage, .invalidRecord, .invalidArgument:
            return PublishRefusal(reason: "refused", detail: detail, status: 400)
        case _ where code.isDenied: return PublishRefusal(reason: "not-authorised", detail: detail, status: 400)
        case _ where code.isUnknownTopic: return PublishRefusal(reason: "unknown-topic", detail: detail, status: 400)
        case .messageTimedOut: return PublishRefusal(reason: "timeout", detail: detail, status: 500)
        default: return PublishRefusal(reason: "refused", detail: detail, status: 500)
        }
    }

    /// Where the message is (spec/connectivity-bindings.md §4.4).
    private static func answer(to message: OutboundMessage, _ report: KafkaHandle.Report) -> BrokerAnswer {
        // The address was good enough to be sent to.
        let destination = try? KafkaAddress(message.address)
        var members = JSONObject()
        if report.timestamp >= 0 { members["timestamp"] = .number(JSONNumber(report.timestamp)) }
        members["serializedKeySize"] = .number(JSONNumber(Int64(destination?.key?.utf8.count ?? -1)))
        members["serializedValueSize"] = .number(JSONNumber(Int64(message.payload.count)))
        members["topic"] = .string(destination?.topic ?? message.address)
        members["partition"] = .number(JSONNumber(Int64(report.partition)))
        if report.offset >= 0 { members["offset"] = .number(JSONNumber(report.offset)) }
        return BrokerAnswer(
            status: 200, headers: [("content-type", "application/json")],
            body: JSONValue.object(members).bytes)
    }
}
