// Any signal of the Ditto Protocol in, its answer out: what connections and WebSockets call for everything but the
// plain twin commands, which they may carry out themselves.
import TwinspanJSON
public import TwinspanProtocol

/// Called once with the envelope to send back, nil when the sender wants none or there is none. On any thread, outside
/// of all locks; must not block.
public typealias SignalReply = @Sendable (Envelope?) -> Void

extension TwinEngine {
    /// Carries out a signal. Errors are answers too. Returns the commit that has to be done before the sender's message
    /// is settled; nil when the signal changes nothing by itself.
    ///
    /// Like `execute`, this may read from the store on the caller's thread; it waits for nothing else.
    @discardableResult
    public func serve(
        _ signal: Signal, as sender: AuthorizationContext, from session: LiveResponder,
        reply: @escaping SignalReply
    ) -> CommitTicket? {
        do throws(TwinspanError) {
            switch signal {
            case .thingCommand(let command):
                return request(command, as: sender, origin: session.id) { reply(command.envelope(of: $0)) }
            case .retrieveThings(let command):
                try command.headers.checkValues()
                answer(execute(command, as: sender), to: signal, reply) { command.envelope(of: $0) }
            case .policyCommand(let command):
                let outcome = execute(command, as: sender, origin: session.id)
                commitSoon()
                answer(outcome, to: signal, reply) { command.envelope(of: $0) }
                return command.isModifying ? outcome.ticket : nil
            case .message(let message) where message.status == nil:
                send(message, as: sender, origin: session.id) { reply(message.envelope(of: $0)) }
            case .message(let response): _ = try live.answer(response, from: session)
            case .thingResponse(let response) where response.channel == .live:
                _ = try live.answer(LiveResponse(response), from: session)
            case .error(let error) where error.topic.channel == .live:
                _ = try live.answer(try LiveResponse(error), from: session)
            case .acknowledgement(let acknowledgement): _ = try live.answer(acknowledgement, from: session.id)
            case .thingEvent(let event) where event.channel == .live:
                let event = try LiveEvent(event)
                send(event, as: sender, origin: session.id) { answer in
                    reply(answer.envelope(topic: event.topic, headers: event.headers))
                }
            default:
                try signal.checkIsAcceptedFromOutside()
                throw GeneralErrorTable.signalUnsupported.error(
                    "Signals of the topic '\(signal.envelope.topic.text.shortened)' are not served by this version.")
            }
            if signal.isAnswered { reply(nil) }
        } catch {
            let envelope = signal.envelope
            reply(envelope.headers.isResponseRequired ? error.envelope(envelope) : nil)
        }
        return nil
    }

    private func answer<Response: Sendable>(
        _ outcome: Outcome<Response>, to signal: Signal, _ reply: @escaping SignalReply,
        _ envelope: @escaping @Sendable (Response) -> Envelope
    ) {
        let request = signal.envelope
        guard request.headers.isResponseRequired else { return reply(nil) }
        gate.whenKnown(outcome.ticket) { known in
            guard known == .committed else { return reply(ThingErrorTable.unavailable.error().envelope(request)) }
            switch outcome.result {
            case .success(let response): reply(envelope(response))
            case .failure(let error): reply(error.envelope(request))
            }
        }
    }
}

extension Signal {
    /// Whether it is an answer itself, which nobody answers.
    fileprivate var isAnswered: Bool {
        switch self {
        case .message(let message): message.status != nil
        case .thingResponse, .error, .acknowledgement: true
        default: false
        }
    }
}

extension TwinspanError {
    fileprivate func envelope(_ request: Envelope) -> Envelope {
        envelope(topic: request.topic, headers: request.headers)
    }
}

extension LiveEvent {
    /// Throws `protocoladapter:unknown.event` for an event that only twins have.
    init(_ event: ThingEventSignal) throws(TwinspanError) {
        let action: ThingEvent.Action
        switch event.action {
        case .created: action = .created
        case .modified: action = .modified
        case .merged: action = .merged
        case .deleted: action = .deleted
        case .migrated: throw GeneralErrorTable.unknownEvent.error()
        }
        self.init(
            thingID: event.thingID, action: action, path: event.resource.path, value: event.value,
            headers: event.headers, revision: event.revision, timestamp: event.timestamp)
    }

    fileprivate var topic: TopicPath {
        TopicPath(
            namespace: thingID.namespace, name: thingID.name, group: .things, channel: .live,
            criterion: .events(action.topicAction))
    }
}

extension SignalAnswer {
    /// The envelope for the sender of a signal; nil when he wants none.
    func envelope(topic: TopicPath, headers: DittoHeaders) -> Envelope? {
        guard headers.isResponseRequired else { return nil }
        switch self {
        case .accepted, .twin: return nil
        case .live(let response): return response.envelope
        case .message(var message):
            message.headers[.responseRequired] = .bool(false)
            return message.deliveredEnvelope
        case .acknowledgements(let all): return all.envelope
        case .failure(let error): return error.envelope(topic: topic, headers: headers)
        }
    }
}

extension ThingCommand {
    /// The envelope of an answer; nil when none is wanted.
    public func envelope(of answer: SignalAnswer) -> Envelope? {
        guard case .twin(let response, let added) = answer, headers.isResponseRequired else {
            return answer.envelope(topic: topic(), headers: headers)
        }
        var envelope = envelope(of: response)
        for entry in added.entries { envelope.headers.set(entry.name, entry.value) }
        return envelope
    }
}

extension Message {
    fileprivate func envelope(of answer: SignalAnswer) -> Envelope? {
        answer.envelope(topic: envelope.topic, headers: headers)
    }
}
