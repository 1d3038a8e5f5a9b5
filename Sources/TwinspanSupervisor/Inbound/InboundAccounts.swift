// Where it is told what becomes of messages and signals: the connection's log and tap, the log of the process, and the
// reply target. Nothing here decides anything.
import Logging
import TwinspanConnections
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol

/// What is remembered of a signal until its end is known.
struct SignalOrigin: Sendable {
    /// Index of the source.
    var source: Int
    var address: String
    /// The mapper that has made it; nil before there was one.
    var mapper: String?
    var topic: TopicPath?
    var headers: DittoHeaders

    /// Whether its message is kept as a dead letter when it can never succeed. Answers of devices and acknowledgements
    /// are worth nothing later, and the error of a query that is answered has reached who wanted to know.
    var isKept = true

    var correlationID: String? { headers.correlationID }

    /// `thing` or `policy`, with the id; nil when the topic names several or none.
    var entity: (type: String, id: String)? {
        guard let topic, topic.group != .connections, topic.name != "_", topic.namespace != "unknown" else {
            return nil
        }
        return (topic.group == .policies ? "policy" : "thing", topic.entityID)
    }
}

/// The accounts of one connection's inbound side. Safe from any thread.
final class InboundAccounts: Sendable {
    let counters: ConnectionCounters
    let recorder: ConnectionRecorder
    let trouble: TroubleLog
    private let replies: ReplyPublisher?

    init(
        counters: ConnectionCounters, recorder: ConnectionRecorder, trouble: TroubleLog, replies: ReplyPublisher?
    ) {
        self.counters = counters
        self.recorder = recorder
        self.trouble = trouble
        self.replies = replies
    }

    /// Whether an answer of this type would be sent.
    func answers(_ type: ReplyTarget.ResponseType, source: Int, headers: DittoHeaders) -> Bool {
        headers.isResponseRequired && (replies?.takes(type, source: source) ?? false)
    }

    /// Sends an answer to the reply target, after the commit it tells of.
    func answer(
        _ envelope: Envelope, _ type: ReplyTarget.ResponseType, to origin: SignalOrigin, after ticket: CommitTicket?
    ) {
        replies?.publish(
            Answer(
                envelope: envelope, type: type, source: origin.source, mapper: origin.mapper,
                commandHeaders: origin.headers), after: ticket)
    }

    /// The counter of an error: it was kept from doing something, or it did not work.
    static func outcome(of error: TwinspanError) -> ConnectionCounters.ReasonedOutcome {
        let isDenial =
            error.status == 403 || error.code == GeneralErrorTable.enforcementFailed.code
            || error.code == GeneralErrorTable.placeholderUnresolved.code
        return isDenial ? .denied : .dropped
    }

    /// Tells of a failure, always.
    func failed(_ stage: InboundStage, _ error: TwinspanError, _ origin: SignalOrigin) {
        let (place, recorded, doing) = Self.place(stage, error, origin)
        let text = "Ran into a failure when \(doing): \(error.message) \(error.description ?? "")"
        recorder.count(place, recorded, isFailure: true, address: origin.address)
        recorder.note(note(place, recorded, isFailure: true, text, origin, reason: error.code))
        trouble.warn(
            "message refused", reason: error.code,
            [
                "stage": "\(stage.rawValue)", "address": "\(origin.address.prefix(120))", "error": "\(error.message)",
                "correlation.id": "\(origin.correlationID ?? "none")",
            ])
    }

    /// Tells of an answer of a device that does not fit its command (§3.1.1, row J).
    func misfit(_ error: TwinspanError, _ origin: SignalOrigin) {
        let text = "Live response is invalid: \(error.message) \(error.description ?? "")"
        recorder.count(.responses, .dropped, isFailure: true)
        recorder.note(note(.responses, .dropped, isFailure: true, text, origin, reason: error.code))
        trouble.warn(
            "live response is invalid", reason: error.code,
            [
                "address": "\(origin.address.prefix(120))", "error": "\(error.message)",
                "correlation.id": "\(origin.correlationID ?? "none")",
            ])
    }

    /// Tells that a message will run again.
    func deferred(_ error: TwinspanError, _ source: Int, correlationID: String?, _ what: String) {
        recorder.count(.source(source), .acknowledged, isFailure: true)
        recorder.note(
            StageNote(
                .source(source), .acknowledged, isFailure: true, "\(what): \(error.message)",
                correlationID: correlationID, reason: error.code))
    }

    func note(
        _ place: RecordedPlace, _ stage: RecordedStage, isFailure: Bool = false, _ message: String,
        _ origin: SignalOrigin, reason: String? = nil, details: [(name: String, value: String)] = []
    ) -> StageNote {
        var details = details
        if isFailure, let mapper = origin.mapper { details.append(("mapper", mapper)) }
        let entity = origin.entity
        return StageNote(
            place, stage, isFailure: isFailure, message, correlationID: origin.correlationID,
            entityType: entity?.type, entityID: entity?.id, address: origin.address, reason: reason, details: details)
    }

    /// Where the failure of a stage is told (§3.1.1), and the words for what was being done.
    private static func place(
        _ stage: InboundStage, _ error: TwinspanError, _ origin: SignalOrigin
    ) -> (RecordedPlace, RecordedStage, String) {
        let source = RecordedPlace.source(origin.source)
        switch stage {
        case .message, .input: return (source, .consumed, "consuming a message")
        case .enforcement: return (source, .enforced, "applying enforcement on an incoming signal")
        case .mapping: return (source, .mapped, "mapping an incoming message with the mapper '\(origin.mapper ?? "")'")
        case .authorization, .headers, .acknowledgements, .signal:
            return (source, .mapped, "making a signal of an incoming message")
        case .command, .redelivery:
            // An acknowledgement is refused, no response (row I).
            if case .acks = origin.topic?.criterion {
                return (source, .mapped, "taking an acknowledgement")
            }
            return (.responses, .dispatched, "dispatching a signal")
        }
    }
}
