// What became of messages that were to be published: counted, logged, and told to whoever waits for an acknowledgement.
import Logging
import TwinspanConnections
import TwinspanEngine
import TwinspanProtocol

/// Ends messages, on the publisher's thread and, for those that never came that far, on the pipeline's.
final class CountedOutcomes: PublishOutcomes {
    private let counters: ConnectionCounters
    private let trouble: TroubleLog
    private let recorder: ConnectionRecorder
    private let acks: IssuedAcks
    private let budget: NoteBudget

    init(
        counters: ConnectionCounters, logger: Logger, clock: any EngineClock, recorder: ConnectionRecorder,
        acks: IssuedAcks
    ) {
        self.counters = counters
        self.recorder = recorder
        self.acks = acks
        budget = NoteBudget(recorder, clock: clock)
        trouble = TroubleLog(logger: logger, now: { clock.monotonic })
    }

    func confirmed(_ message: OutboundMessage) {
        settle(message, nil)
    }

    func answered(_ message: OutboundMessage, with answer: BrokerAnswer) {
        settle(message, answer.isSuccess ? nil : Self.failure(answer), answer)
    }

    /// An answer that is no success is a failure of the publication; the acknowledgement gets its own status all the
    /// same (spec/connectivity-bindings.md §5.3).
    private static func failure(_ answer: BrokerAnswer) -> DeliveryReceipt.Failure {
        DeliveryReceipt.Failure(
            reason: "status-\(answer.status / 100)xx",
            error: TwinspanError(
                code: GeneralErrorTable.sendingFailed.code, status: answer.status,
                message: "Got non success status code: \(answer.status)",
                description: "See what the receiver says about the message."))
    }

    func refused(_ message: OutboundMessage, _ refusal: PublishRefusal) {
        trouble.warn(
            "message not published", reason: refusal.reason,
            ["address": "\(message.address.prefix(120))", "error": "\(refusal.detail)"])
        let error = TwinspanError(
            code: GeneralErrorTable.sendingFailed.code, status: refusal.status,
            message: "The message could not be sent: \(refusal.detail)",
            description: refusal.status == 400 ? "Check address, size and QoS of the message." : "Try again later.")
        settle(message, DeliveryReceipt.Failure(reason: refusal.reason, error: error))
    }

    /// Ends a message of a target that found no place in the queue.
    func dropped(_ message: OutboundMessage, reason: String, capacity: Int) {
        trouble.warn(
            "event dropped", reason: reason,
            ["queue.capacity": "\(capacity)", "address": "\(message.address.prefix(120))"])
        settle(message, DeliveryReceipt.Failure(reason: reason, error: Self.noPlace))
    }

    /// Of a message for which there was no place in a queue.
    static let noPlace = GeneralErrorTable.sendingFailed.error(
        "The message was dropped because too many wait for the broker.")

    private func settle(
        _ message: OutboundMessage, _ failure: DeliveryReceipt.Failure?, _ answer: BrokerAnswer? = nil
    ) {
        let place: RecordedPlace = message.target.map { .target($0) } ?? .responses
        recorder.count(place, .published, isFailure: failure != nil)
        if failure != nil || budget.wants(before: 0) { recorder.note(Self.note(message, place, failure)) }
        guard let target = message.target else {
            if let failure { counters.add(.dropped, .outbound, reason: "reply-\(failure.reason)") }
            return
        }
        var last = failure
        if let receipt = message.receipt {
            guard let end = receipt.settle(failure, answer: answer) else { return }
            last = end.failure
            if let whenSettled = receipt.whenSettled, !whenSettled(last) {
                counters.add(.redelivered, .outbound, reason: last?.reason ?? "")
                return
            }
            if let answer = end.answer {
                acks.settle(receipt, target: target, answer)
            } else if let acknowledgement = receipt.acknowledgement {
                acks.settle(acknowledgement, target: target, failure: last?.error)
            }
        }
        if let last {
            counters.add(.dropped, .outbound, reason: last.reason)
        } else {
            counters.add(.published)
        }
    }

    private static func note(
        _ message: OutboundMessage, _ place: RecordedPlace, _ failure: DeliveryReceipt.Failure?
    ) -> StageNote {
        let acknowledgement = message.receipt?.acknowledgement
        return StageNote(
            place, .published, isFailure: failure != nil, failure?.error.message ?? "Message was published",
            correlationID: acknowledgement?.correlationID
                ?? message.headers.first { $0.name == "correlation-id" }?.value,
            entityType: acknowledgement.map(\.group.entityType), entityID: acknowledgement?.thingID.text,
            address: message.address, reason: failure?.reason)
    }
}
