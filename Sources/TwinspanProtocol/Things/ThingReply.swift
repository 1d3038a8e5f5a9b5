// What things answer and tell in envelopes of others: responses of devices, live events, and those of other servers
// (spec/protocol.md §6.2, §7.3).
public import TwinspanJSON

/// A response to a command on one thing, as it came in an envelope.
public struct ThingReply: Sendable {
    public var thingID: ThingID
    public var action: ThingCommand.Action
    public var resource: ThingResource
    public var status: Int
    public var value: JSONText?
    public var headers: DittoHeaders
    public var channel: TopicPath.Channel

    init(
        _ envelope: Envelope, action: ThingCommand.Action, channel: TopicPath.Channel, status: Int
    ) throws(TwinspanError) {
        thingID = try ThingID(envelope.topic.entityID)
        resource = try ThingResource(envelope.path)
        try envelope.headers.checkValues(isCommand: false)
        self.action = action
        self.status = status
        value = envelope.value
        headers = envelope.headers
        self.channel = channel
    }

    /// The envelope with the headers as they are.
    public var envelope: Envelope {
        Envelope(
            topic: TopicPath(
                namespace: thingID.namespace, name: thingID.name, group: .things, channel: channel,
                criterion: .commands(action.topicAction)),
            headers: headers, path: resource.path, value: value, status: status)
    }

    /// Whether this can be the answer to a command: same thing, same resource, same kind of command (§7.3). That the
    /// correlation ids fit is what brought the two together.
    public func answers(_ command: ThingCommand) -> Bool {
        thingID == command.thingID && resource == command.resource && action == command.action
    }

    /// Throws `protocoladapter:illegal.adaptable` 422 for a status that a response of this kind does not have (§7.3).
    public func checkStatus() throws(TwinspanError) {
        let isLegal =
            switch action {
            case .create: status == 201
            case .modify, .merge: status == 201 || status == 204
            case .retrieve: status == 200
            case .delete: status == 204
            }
        guard isLegal else { throw .illegalStatus(status) }
    }
}

extension TwinspanError {
    /// `protocoladapter:illegal.adaptable` with the text that clients compare (spec/protocol.md §14).
    public static func illegalStatus(_ status: Int) -> TwinspanError {
        let category =
            switch status {
            case ..<200: "INFORMATIONAL"
            case ..<300: "SUCCESS"
            case ..<400: "REDIRECTION"
            case ..<500: "CLIENT_ERROR"
            default: "SERVER_ERROR"
            }
        return GeneralErrorTable.illegalAdaptable.error("HttpStatus [code=\(status), category=\(category)] is invalid.")
    }
}

/// An event of a thing as it came in an envelope: on the live channel from a device, on the twin channel from another
/// server or out of a history.
public struct ThingEventSignal: Sendable {
    public var thingID: ThingID
    public var action: TopicPath.EventAction
    public var resource: ThingResource
    /// The new value; the patch of a merge; nil for a deletion.
    public var value: JSONText?
    /// Enrichment.
    public var extra: JSONText?
    public var revision: Int64?
    /// ISO-8601, as it was written.
    public var timestamp: String?
    public var metadata: JSONText?
    public var headers: DittoHeaders
    public var channel: TopicPath.Channel

    init(
        _ envelope: Envelope, action: TopicPath.EventAction, channel: TopicPath.Channel
    ) throws(TwinspanError) {
        thingID = try ThingID(envelope.topic.entityID)
        resource = try ThingResource(envelope.path)
        guard channel == .twin || action != .migrated else {
            throw .unknownTopicPath(envelope.topic, "There are no live events of migrations.")
        }
        guard action == .deleted || envelope.value != nil else {
            throw .jsonInvalid("The value of the event is missing.")
        }
        try envelope.headers.checkValues(isCommand: false)
        self.action = action
        value = envelope.value
        extra = envelope.extra
        revision = envelope.revision
        timestamp = envelope.timestamp
        metadata = envelope.metadata
        headers = envelope.headers
        self.channel = channel
    }

    /// The envelope with the headers as they are.
    public var envelope: Envelope {
        Envelope(
            topic: TopicPath(
                namespace: thingID.namespace, name: thingID.name, group: .things, channel: channel,
                criterion: .events(action)),
            headers: headers, path: resource.path, value: value, extra: extra, revision: revision,
            timestamp: timestamp, metadata: metadata)
    }
}
