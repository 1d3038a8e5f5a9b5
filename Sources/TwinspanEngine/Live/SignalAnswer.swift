// The answers of live devices, and what a requester gets in the end.
public import TwinspanJSON
public import TwinspanProtocol

/// The answer of a device to a live command (spec/protocol.md §7.3).
public struct LiveResponse: Sendable, Equatable {
    public var thingID: ThingID
    /// Of the topic; without meaning in an error answer.
    public var action: ThingCommand.Action
    /// Without meaning in an error answer.
    public var path: JSONPointer
    public var status: Int
    /// The retrieved or created value, or the error object.
    public var value: JSONText?
    public var headers: DittoHeaders
    /// Whether it came on the topic `…/things/live/errors`.
    public var isError: Bool

    public init(
        thingID: ThingID, action: ThingCommand.Action, path: JSONPointer, status: Int, value: JSONText? = nil,
        headers: DittoHeaders, isError: Bool = false
    ) {
        self.thingID = thingID
        self.action = action
        self.path = path
        self.status = status
        self.value = value
        self.headers = headers
        self.isError = isError
    }

    /// The response of an envelope.
    public init(_ reply: ThingReply) {
        self.init(
            thingID: reply.thingID, action: reply.action, path: reply.resource.path, status: reply.status,
            value: reply.value, headers: reply.headers)
    }

    /// The error answer of an envelope. Throws `things:id.invalid`.
    public init(_ error: ErrorSignal) throws(TwinspanError) {
        self.init(
            thingID: try ThingID(error.topic.entityID), action: .retrieve, path: .root, status: error.error.status,
            value: error.value, headers: error.headers, isError: true)
    }

    /// The envelope for the requester.
    public var envelope: Envelope {
        let criterion: TopicPath.Criterion = isError ? .errors : .commands(action.topicAction)
        var delivered = headers.deliveredToOutside()
        delivered[.responseRequired] = .bool(false)
        return Envelope(
            topic: TopicPath(
                namespace: thingID.namespace, name: thingID.name, group: .things, channel: .live,
                criterion: criterion), headers: delivered, path: isError ? .root : path, value: value, status: status)
    }
}

/// What a requester is told, once. Whether it is sent on is decided by whoever asked: `response-required: false`
/// suppresses answers and errors on protocol transports, and settles messages of connections.
public enum SignalAnswer: Sendable, Equatable {
    /// Nobody waits for an answer; the signal was authorized and is on its way, or its change is committed.
    case accepted
    /// The twin's answer. `added` are headers that belong to it besides those of the command (§7.4).
    case twin(ThingResponse, added: DittoHeaders)
    /// The answer of a device to a live command; its correlation id is that of the command.
    case live(LiveResponse)
    /// The answer to a message; its correlation id is that of the message.
    case message(Message)
    case acknowledgements(Acknowledgements)
    case failure(TwinspanError)

    /// Status with HTTP semantics.
    public var status: Int {
        switch self {
        case .accepted: 202
        case .twin(let response, _): response.status
        case .live(let response): response.status
        case .message(let message): message.status ?? 200
        case .acknowledgements(let acknowledgements): acknowledgements.status
        case .failure(let error): error.status
        }
    }
}

/// What became of the answer of a device or of an acknowledgement.
public enum AnswerFate: Sendable, Equatable {
    /// It reached the request it answers.
    case counted
    /// Nobody waits for it: it is late, or its correlation id was never used.
    case unknown
    /// Another one was first.
    case duplicate
    /// An acknowledgement that nobody asked for.
    case notRequested
    /// It does not fit the command; the requester goes on waiting. The error says why, for the connection's log.
    case invalid(TwinspanError)
}

/// Who answers.
public struct LiveResponder: Sendable, Equatable {
    public enum Kind: Sendable { case session, connection }

    public var id: ConnectionID
    /// An answer that does not fit and wants a response itself is answered with an error: on a session to the
    /// responder, from a connection to the requester (§7.3).
    public var kind: Kind

    public init(_ id: ConnectionID, kind: Kind) {
        self.id = id
        self.kind = kind
    }
}
