// What an envelope says: every legal combination of topic, path and presence of a status is exactly one signal
// (spec/protocol.md §4.1, §4.2). Behind this border nobody looks into envelopes again.

/// A signal of the Ditto Protocol.
public enum Signal: Sendable {
    /// On the twin or the live channel.
    case thingCommand(ThingCommand)
    /// On the live channel from a device.
    case thingResponse(ThingReply)
    /// On the live channel from a device.
    case thingEvent(ThingEventSignal)
    case retrieveThings(RetrieveThings)
    case retrieveThingsResponse(RetrieveThingsReply)
    /// Understood, but served by nobody: answer `signal.unsupported`.
    case migrate(MigrateDefinition)
    case migrateResponse(MigrateDefinitionReply)
    case policyCommand(PolicyCommand)
    case policyResponse(PolicyReply)
    case policyEvent(PolicyEventSignal)
    case checkPermissions(CheckPermissions)
    case checkPermissionsResponse(CheckPermissionsReply)
    /// A message, or the answer to one when it has a status.
    case message(Message)
    case acknowledgement(Acknowledgement)
    case acknowledgements(Acknowledgements)
    case error(ErrorSignal)
    case search(StreamSignal)
    case streaming(StreamSignal)
    case announcement(Announcement)

    /// Classifies an envelope. Throws the error the sender is answered with: `protocoladapter:unknown.topicpath` or
    /// `protocoladapter:unknown.path` for what has no meaning, otherwise what the signal says about its parts.
    ///
    /// That `thingId` or `policyId` in a value is the addressed one is checked where values are read, in the engine.
    public init(_ envelope: Envelope) throws(TwinspanError) {
        switch envelope.topic.criterion {
        case .commands(let action): self = try Self.command(envelope, action)
        case .events(let action):
            switch (envelope.topic.group, envelope.topic.channel) {
            case (.things, let channel?):
                self = .thingEvent(try ThingEventSignal(envelope, action: action, channel: channel))
            case (.policies, _): self = .policyEvent(try PolicyEventSignal(envelope, action: action))
            default: throw .unknownTopicPath(envelope.topic, "Connections have no events.")
            }
        case .messages: self = .message(try Message(envelope))
        case .acks(label: .some): self = .acknowledgement(try Acknowledgement(envelope))
        case .acks(label: nil): self = .acknowledgements(try Acknowledgements(envelope))
        case .errors, .search("error"), .search("errors"), .streaming("error"):
            self = .error(try ErrorSignal(envelope))
        case .search(let word): self = .search(try StreamSignal(envelope, word: word))
        case .streaming(let word): self = .streaming(try StreamSignal(envelope, word: word))
        case .announcements(let name): self = .announcement(try Announcement(envelope, name: name))
        }
    }

    private static func command(
        _ envelope: Envelope, _ action: TopicPath.CommandAction
    ) throws(TwinspanError) -> Signal {
        switch (envelope.topic.group, envelope.topic.channel) {
        case (.things, let channel?): return try thingCommand(envelope, action, channel)
        case (.policies, _): return try policyCommand(envelope, action)
        default: throw .unknownTopicPath(envelope.topic, "Connections have no commands.")
        }
    }

    private static func thingCommand(
        _ envelope: Envelope, _ topicAction: TopicPath.CommandAction, _ channel: TopicPath.Channel
    ) throws(TwinspanError) -> Signal {
        let status = envelope.status
        // A retrieve of things of any or of one namespace; `_` is no name a thing can be addressed by.
        if envelope.topic.name == "_" {
            guard topicAction == .retrieve else {
                throw .unknownTopicPath(envelope.topic, "Only retrieve addresses several things.")
            }
            if let status {
                return .retrieveThingsResponse(try RetrieveThingsReply(envelope, channel: channel, status: status))
            }
            return .retrieveThings(try RetrieveThings(envelope))
        }
        guard let action = ThingCommand.Action(topicAction) else {
            guard topicAction == .migrate else {
                throw .unknownTopicPath(envelope.topic, "Permissions are asked for with a topic of policies.")
            }
            if let status { return .migrateResponse(try MigrateDefinitionReply(envelope, status: status)) }
            return .migrate(try MigrateDefinition(envelope))
        }
        if let status {
            return .thingResponse(try ThingReply(envelope, action: action, channel: channel, status: status))
        }
        return .thingCommand(try ThingCommand(envelope, action: topicAction, channel: channel))
    }

    private static func policyCommand(
        _ envelope: Envelope, _ action: TopicPath.CommandAction
    ) throws(TwinspanError) -> Signal {
        if let status = envelope.status {
            if action == .checkPermissions {
                return .checkPermissionsResponse(try CheckPermissionsReply(envelope, status: status))
            }
            return .policyResponse(try PolicyReply(envelope, action: action, status: status))
        }
        if action == .checkPermissions { return .checkPermissions(try CheckPermissions(envelope)) }
        return .policyCommand(try PolicyCommand(envelope))
    }
}

extension Signal {
    /// The canonical envelope, with the headers as they are; whoever sends it out takes `deliveredToOutside()` of them.
    public var envelope: Envelope {
        switch self {
        case .thingCommand(let signal): signal.envelope
        case .thingResponse(let signal): signal.envelope
        case .thingEvent(let signal): signal.envelope
        case .retrieveThings(let signal): signal.envelope
        case .retrieveThingsResponse(let signal): signal.envelope
        case .migrate(let signal): signal.envelope
        case .migrateResponse(let signal): signal.envelope
        case .policyCommand(let signal): signal.envelope
        case .policyResponse(let signal): signal.envelope
        case .policyEvent(let signal): signal.envelope
        case .checkPermissions(let signal): signal.envelope
        case .checkPermissionsResponse(let signal): signal.envelope
        case .message(let signal): signal.envelope
        case .acknowledgement(let signal): signal.envelope
        case .acknowledgements(let signal): signal.envelope
        case .error(let signal): signal.envelope
        case .search(let signal), .streaming(let signal): signal.envelope
        case .announcement(let signal): signal.envelope
        }
    }

    /// Throws `protocoladapter:unknown.topicpath` for signals that only the server sends (§4.1, Valid combinations).
    public func checkIsAcceptedFromOutside() throws(TwinspanError) {
        let isAccepted =
            switch self {
            case .thingCommand, .retrieveThings, .migrate, .policyCommand, .checkPermissions, .message,
                .acknowledgement:
                true
            case .thingResponse(let signal): signal.channel == .live
            case .thingEvent(let signal): signal.channel == .live
            case .retrieveThingsResponse(let signal): signal.channel == .live
            case .error(let signal): signal.topic.channel == .live
            case .search(let signal), .streaming(let signal): signal.isFromClient
            case .migrateResponse, .policyResponse, .policyEvent, .checkPermissionsResponse, .acknowledgements,
                .announcement:
                false
            }
        guard isAccepted else {
            throw .unknownTopicPath(envelope.topic, "Signals of this topic are sent by the server only.")
        }
    }
}
