// What endpoints answer to the signals of a target (spec/connectivity-bindings.md §5.3): the acknowledgement that the
// target issues, the answer of a device, or nothing. Called on the publisher's thread.
import TwinspanConnections
import TwinspanEngine
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol

extension IssuedAcks {
    /// Hands an answer on to whoever waits for it.
    func settle(_ receipt: DeliveryReceipt, target: Int, _ answer: BrokerAnswer) {
        switch (receipt.acknowledgement, receipt.signal) {
        case (let acknowledgement?, let signal?) where acknowledgement.label == .liveResponse:
            respond(to: signal, target: target, answer)
        case (let acknowledgement?, let signal):
            acknowledge(acknowledgement, signal, target: target, answer)
        case (nil, let signal?): take(answer, to: signal, target: target)
        case (nil, nil): break
        }
    }

    // MARK: A label

    /// The acknowledgement has status, body and headers of the answer.
    private func acknowledge(
        _ acknowledgement: DeliveryReceipt.Acknowledgement, _ signal: DeliveryReceipt.SentSignal?, target: Int,
        _ answer: BrokerAnswer
    ) {
        let headers = answer.headers(over: signal?.headers ?? DittoHeaders(), acknowledgement.correlationID)
        var result = Acknowledgement(
            label: acknowledgement.label, thingID: acknowledgement.thingID, channel: acknowledgement.channel,
            status: answer.status, payload: answer.value, headers: headers)
        result.group = acknowledgement.group
        let failure = answer.isSuccess ? nil : Self.nonSuccess(answer)
        issue(result, target: target, failure: failure)
    }

    private static func nonSuccess(_ answer: BrokerAnswer) -> TwinspanError {
        GeneralErrorTable.sendingFailed.error("Got non success status code: \(answer.status)")
    }

    // MARK: `live-response`

    private func respond(to signal: DeliveryReceipt.SentSignal, target: Int, _ answer: BrokerAnswer) {
        switch signal.content {
        case .message(let message) where !answer.isEnvelope:
            var headers = answer.headers(over: DittoHeaders(), signal.correlationID)
            headers[.responseRequired] = .bool(false)
            let response = Message(
                thingID: message.thingID, featureID: message.featureID, direction: message.direction,
                subject: message.subject, value: answer.value, headers: headers, status: answer.status)
            deliver(target, signal) { () throws(TwinspanError) in try live.answer(response, from: responder) }
        case .message, .liveCommand:
            guard let parsed = parse(answer, target, signal) else { return }
            switch parsed {
            case .message, .thingResponse, .error: hand(parsed, to: signal, target)
            default: refuse("The answer is no response to the signal.", target, signal)
            }
        case .event: break
        }
    }

    // MARK: No label

    /// Without a label only what is addressed to somebody counts: an acknowledgement, or the response to a live
    /// command.
    private func take(_ answer: BrokerAnswer, to signal: DeliveryReceipt.SentSignal, target: Int) {
        // Whatever else an endpoint says is its own business.
        guard answer.isEnvelope, let parsed = parse(answer, target, signal) else { return }
        switch (parsed, signal.content) {
        case (.acknowledgement, _), (.thingResponse, .liveCommand), (.error, .liveCommand):
            hand(parsed, to: signal, target)
        default: break
        }
    }

    // MARK: Envelopes

    private func parse(_ answer: BrokerAnswer, _ target: Int, _ signal: DeliveryReceipt.SentSignal) -> Signal? {
        guard !answer.body.isEmpty else {
            refuse("The answer has no body.", target, signal)
            return nil
        }
        do throws(TwinspanError) {
            var envelope = try OutboundSignal(bytes: answer.body, correlationID: nil).envelope()
            envelope.headers = envelope.headers.acceptedFromOutside()
            return try Signal(envelope)
        } catch {
            refuse("The answer cannot be read: \(error.message)", target, signal)
            return nil
        }
    }

    /// Gives a parsed answer to whoever waits, when it is one to this signal.
    private func hand(_ parsed: Signal, to signal: DeliveryReceipt.SentSignal, _ target: Int) {
        let envelope = parsed.envelope
        guard envelope.topic.entityID == signal.thingID.text else {
            return refuse(
                "The answer is for '\(envelope.topic.entityID.prefix(80))' and not for the thing.", target, signal)
        }
        guard envelope.headers.correlationID == signal.correlationID else {
            return refuse("The correlation id of the answer is not that of the signal.", target, signal)
        }
        deliver(target, signal) { () throws(TwinspanError) in
            switch parsed {
            case .message(let message): try live.answer(message, from: responder)
            case .thingResponse(let response): try live.answer(LiveResponse(response), from: responder)
            case .error(let error): try live.answer(try LiveResponse(error), from: responder)
            case .acknowledgement(let acknowledgement): try live.answer(acknowledgement, from: connection.id)
            default: .unknown
            }
        }
    }

    private var responder: LiveResponder { LiveResponder(connection.id, kind: .connection) }

    private func deliver(
        _ target: Int, _ signal: DeliveryReceipt.SentSignal, _ body: () throws(TwinspanError) -> AnswerFate
    ) {
        let fate: AnswerFate
        do throws(TwinspanError) {
            fate = try body()
        } catch {
            return refuse("The answer was not accepted: \(error.message)", target, signal, reason: error.code)
        }
        switch fate {
        case .counted, .duplicate:
            recorder.count(.target(target), .acknowledged)
            guard recorder.wantsSuccesses else { return }
            tell(target, signal, "The answer was handed to the requester.", reason: nil, isFailure: false)
        case .unknown: refuse("Nobody waits for the answer.", target, signal, reason: "nobody-waits")
        case .notRequested: refuse("Nobody has asked for the answer.", target, signal, reason: "not-requested")
        case .invalid(let error):
            refuse("The answer does not fit: \(error.message)", target, signal, reason: error.code)
        }
    }

    private func refuse(
        _ message: String, _ target: Int, _ signal: DeliveryReceipt.SentSignal, reason: String = "unfit-answer"
    ) {
        recorder.count(.target(target), .acknowledged, isFailure: true)
        tell(target, signal, message, reason: reason, isFailure: true)
    }

    private func tell(
        _ target: Int, _ signal: DeliveryReceipt.SentSignal, _ message: String, reason: String?, isFailure: Bool
    ) {
        recorder.note(
            StageNote(
                .target(target), .acknowledged, isFailure: isFailure, message, correlationID: signal.correlationID,
                entityType: "thing", entityID: signal.thingID.text, reason: reason))
    }
}

extension BrokerAnswer {
    fileprivate var contentType: String? { headers.first { $0.name == "content-type" }?.value }

    /// Whether the body is a Ditto Protocol message.
    fileprivate var isEnvelope: Bool {
        guard let type = contentType?.prefix(while: { $0 != ";" && $0 != " " }) else { return false }
        return type.lowercased() == DittoMapper.contentType
    }

    /// The body as it stands in JSON, by content type; what should be JSON and is none is a text.
    fileprivate var value: JSONText? {
        do throws(TwinspanError) {
            return try MessagePayload(contentType: contentType).value(of: body)
        } catch {
            return JSONText(.string(String(decoding: body, as: UTF8.self)))
        }
    }

    /// The headers of the answer on top of others. An endpoint may not say whom it answers, nor what only we say.
    fileprivate func headers(over base: DittoHeaders, _ correlationID: String) -> DittoHeaders {
        var given = DittoHeaders()
        for header in headers { given.set(header.name, .string(header.value)) }
        var result = base
        for entry in given.acceptedFromOutside().entries { result.set(entry.name, entry.value) }
        result[.requestedAcks] = .none
        result[.contentType] = contentType.map { .string($0) }
        result.correlationID = correlationID
        return result
    }
}
