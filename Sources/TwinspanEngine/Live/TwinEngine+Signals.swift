// Any signal of the Ditto Protocol in, its answer out: what connections and WebSockets call for everything but the
// plain twin commands, which they may carry out themselves.
import TwinspanJSON
public import TwinspanProtocol

/// Called once with the envelope to send back, nil when the sender wants none or there is none. On any thread, outside
/// of all locks; must not block.
public typealias SignalReply = @Sendable (Envelope?) -> Void

/// What became of a signal.
public struct SignalEnd: Sendable {
    /// What is sent back; nil when the sender wants nothing, or nobody answers this kind of signal.
    public var envelope: Envelope?
    /// Why it was not carried out, also when the sender does not want to know.
    public var failure: TwinspanError?
    /// What became of an answer or an acknowledgement; nil for anything else.
    public var fate: AnswerFate?
    /// What a command on a thing, a message or a live event has got, also when the sender wants nothing.
    public var answer: SignalAnswer?
}

extension CommitTicket {
    /// Of a signal or record that the engine does not take at the moment: whoever gave it in has to keep it.
    public static let refused = CommitTicket(sequence: .max, epoch: -1)
}

extension TwinEngine {
    /// Carries out a signal. Errors are answers too. Returns the commit that has to be done before the sender's message
    /// is settled; it is rejected when the store refuses changes.
    ///
    /// Like `execute`, this may read from the store on the caller's thread; it waits for nothing else.
    @discardableResult
    public func serve(
        _ signal: Signal, as sender: AuthorizationContext, from session: LiveResponder, reply: @escaping SignalReply
    ) -> CommitTicket {
        serve(signal, as: sender, from: session, ended: { reply($0.envelope) })
    }

    /// The same, for those who account for every signal.
    @discardableResult
    public func serve(
        _ signal: Signal, as sender: AuthorizationContext, from session: LiveResponder,
        ended: @escaping @Sendable (SignalEnd) -> Void
    ) -> CommitTicket {
        do throws(TwinspanError) {
            switch signal {
            case .thingCommand(let command):
                return request(command, as: sender, origin: session.id) { answer in
                    ended(
                        SignalEnd(envelope: command.envelope(of: answer), failure: answer.failure, answer: answer))
                }
            case .retrieveThings(let command) where command.channel == .twin:
                let outcome = execute(command, as: sender)
                return answer(outcome, to: signal, ended) { command.envelope(of: $0) }
            case .policyCommand(let command):
                let outcome = execute(command, as: sender, origin: session.id)
                commitSoon()
                return answer(outcome, to: signal, ended) { command.envelope(of: $0) }
            case .checkPermissions(let command):
                return answer(execute(command, as: sender), to: signal, ended) { command.envelope(of: $0) }
            case .message(let message) where message.status == nil:
                return send(message, as: sender, origin: session.id) { answer in
                    ended(
                        SignalEnd(envelope: message.envelope(of: answer), failure: answer.failure, answer: answer))
                }
            case .thingEvent(let event) where event.channel == .live:
                let event = try LiveEvent(event)
                return send(event, as: sender, origin: session.id) { answer in
                    let envelope = answer.envelope(topic: event.topic, headers: event.headers)
                    ended(SignalEnd(envelope: envelope, failure: answer.failure, answer: answer))
                }
            default:
                guard let fate = try fate(of: signal, from: session) else {
                    try signal.checkIsAcceptedFromOutside()
                    throw GeneralErrorTable.signalUnsupported.error(
                        "Signals of the topic '\(signal.envelope.topic.text.shortened)' are not served by this version."
                    )
                }
                ended(SignalEnd(fate: fate))
            }
        } catch {
            let envelope = signal.envelope
            let isWanted = envelope.headers.isResponseRequired
            ended(SignalEnd(envelope: isWanted ? error.envelope(envelope) : nil, failure: error))
        }
        return ticket(0)
    }

    /// Hands an answer or an acknowledgement to whoever waits for it; nil for any other signal.
    private func fate(of signal: Signal, from session: LiveResponder) throws(TwinspanError) -> AnswerFate? {
        switch signal {
        case .message(let response): try live.answer(response, from: session)
        case .thingResponse(let response) where response.channel == .live:
            try live.answer(LiveResponse(response), from: session)
        case .error(let error) where error.topic.channel == .live:
            try live.answer(try LiveResponse(error), from: session)
        case .acknowledgement(let acknowledgement): try live.answer(acknowledgement, from: session.id)
        default: nil
        }
    }

    private func answer<Response: Sendable>(
        _ outcome: Outcome<Response>, to signal: Signal, _ ended: @escaping @Sendable (SignalEnd) -> Void,
        _ envelope: @escaping @Sendable (Response) -> Envelope
    ) -> CommitTicket {
        let request = signal.envelope
        let isWanted = request.headers.isResponseRequired
        let unavailable =
            request.topic.group == .policies ? PolicyErrorTable.unavailable : ThingErrorTable.unavailable
        gate.whenKnown(outcome.ticket) { known in
            switch known == .committed ? outcome.result : .failure(unavailable.error()) {
            case .success(let response): ended(SignalEnd(envelope: isWanted ? envelope(response) : nil))
            case .failure(let error):
                ended(SignalEnd(envelope: isWanted ? error.envelope(request) : nil, failure: error))
            }
        }
        return outcome.settlement
    }
}

extension TwinspanError {
    /// Whether nothing was judged because the store is closed: then the message must come again.
    fileprivate var isOfClosedStore: Bool {
        code == ThingErrorTable.unavailable.code || code == PolicyErrorTable.unavailable.code
    }
}

extension Outcome {
    /// The ticket that a message waits for.
    var settlement: CommitTicket {
        if case .failure(let error) = result, error.isOfClosedStore { return .refused }
        return ticket
    }
}

extension TwinEngine {
    /// The ticket of a signal that was refused with this error before it was judged.
    func settlement(of error: TwinspanError) -> CommitTicket {
        error.isOfClosedStore ? .refused : ticket(0)
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
    fileprivate var failure: TwinspanError? {
        if case .failure(let error) = self { return error }
        return nil
    }

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
