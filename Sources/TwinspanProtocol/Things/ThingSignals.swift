// Commands on things, their answers and their events as values (spec/protocol.md §6). They are independent of how they
// came in: an envelope over a broker and an HTTP request become the same command.
public import TwinspanJSON

/// A command on one thing: on its twin, or on the live channel to the device itself.
public struct ThingCommand: Sendable {
    public enum Action: Sendable, Equatable { case create, modify, merge, retrieve, delete }

    public var thingID: ThingID
    public var action: Action
    public var resource: ThingResource
    /// The value of create, modify and merge.
    public var value: JSONText?
    public var headers: DittoHeaders
    /// Which fields a retrieve wants; nil means all.
    public var fields: JSONFieldSelector?
    public var channel: TopicPath.Channel

    public init(
        thingID: ThingID, action: Action, resource: ThingResource, value: JSONText? = nil,
        headers: DittoHeaders = DittoHeaders(), fields: JSONFieldSelector? = nil,
        channel: TopicPath.Channel = .twin
    ) {
        self.thingID = thingID
        self.action = action
        self.resource = resource
        self.value = value
        self.headers = headers
        self.fields = fields
        self.channel = channel
    }

    /// Whether the command can change the thing.
    public var isModifying: Bool { action != .retrieve }
}

/// The success of a command. Failures are `TwinspanError`s.
public struct ThingResponse: Sendable, Equatable {
    /// 200, 201 or 204.
    public var status: Int
    /// The retrieved or created value.
    public var value: JSONText?
    /// Revision of the thing after the command.
    public var revision: Int64
    /// Entity tag of the addressed resource, quotes included; nil after a delete.
    public var etag: String?
    /// The action of the answer's topic; a modify that creates is answered as create (§6.2).
    public var action: ThingCommand.Action
    /// What `get-metadata` asked for, `{}` when there is nothing; nil when it was not asked (§11).
    public var metadata: JSONText?

    public init(
        status: Int, value: JSONText? = nil, revision: Int64, etag: String?, action: ThingCommand.Action,
        metadata: JSONText? = nil
    ) {
        self.status = status
        self.value = value
        self.revision = revision
        self.etag = etag
        self.action = action
        self.metadata = metadata
    }
}

extension ThingCommand.Action {
    /// The action of a topic; nil for migrate and checkPermissions, which are signals of their own.
    init?(_ topicAction: TopicPath.CommandAction) {
        switch topicAction {
        case .create: self = .create
        case .modify: self = .modify
        case .merge: self = .merge
        case .retrieve: self = .retrieve
        case .delete: self = .delete
        case .migrate, .checkPermissions: return nil
        }
    }

    /// The action in topics.
    public var topicAction: TopicPath.CommandAction {
        switch self {
        case .create: .create
        case .modify: .modify
        case .merge: .merge
        case .retrieve: .retrieve
        case .delete: .delete
        }
    }
}

extension ThingCommand {
    /// The command of an envelope on the twin channel. Throws the error the reference would answer with (§4.2, §6.2),
    /// and `signal.unsupported` for envelopes that are other signals; `Signal` knows them all.
    public init(_ envelope: Envelope) throws(TwinspanError) {
        guard envelope.topic.group == .things, envelope.topic.channel == .twin,
            case .commands(let topicAction) = envelope.topic.criterion, envelope.status == nil
        else {
            throw GeneralErrorTable.signalUnsupported.error(
                "Signals of the topic '\(envelope.topic.text.shortened)' are not served here.")
        }
        try self.init(envelope, action: topicAction, channel: .twin)
    }

    /// The command of an envelope whose topic has been looked at.
    init(
        _ envelope: Envelope, action topicAction: TopicPath.CommandAction, channel: TopicPath.Channel
    ) throws(TwinspanError) {
        let thingID = try ThingID(envelope.topic.entityID)
        let resource = try ThingResource(envelope.path)
        guard let action = Action(topicAction) else { throw GeneralErrorTable.signalUnsupported.error() }
        self.init(
            thingID: thingID, action: action, resource: resource, value: envelope.value, headers: envelope.headers,
            fields: envelope.fields, channel: channel)
        try headers.checkValues()
        try checkForm()
    }

    /// What does not depend on the state of the thing: a value where one is needed, the content type of merge, and
    /// combinations of action and resource that mean nothing.
    public func checkForm() throws(TwinspanError) {
        switch action {
        case .create:
            guard channel == .twin else { throw .notCreatableOnLive }
            guard resource.kind == .thing else { throw GeneralErrorTable.unknownTopicPath.error() }
            guard value != nil else { throw .jsonInvalid("The value of the command is missing.") }
        case .modify:
            guard value != nil else { throw .jsonInvalid("The value of the command is missing.") }
        case .merge:
            let contentType = headers.text(.contentType)
            guard contentType?.lowercased() == "application/merge-patch+json" else {
                throw GeneralErrorTable.mediaTypeUnsupported.error(
                    "The Media-Type <\(contentType ?? "none")> is not supported for this resource.",
                    description: "Merge commands need the content-type 'application/merge-patch+json'.")
            }
            guard value != nil else { throw .jsonInvalid("The value of the command is missing.") }
        case .delete:
            guard resource.kind != .policyID else {
                throw GeneralErrorTable.unknownTopicPath.error("The policy id of a thing cannot be deleted.")
            }
        case .retrieve: break
        }
    }

    /// The topic of the command, or of its answer with another action.
    public func topic(_ action: Action? = nil) -> TopicPath {
        TopicPath(
            namespace: thingID.namespace, name: thingID.name, group: .things, channel: channel,
            criterion: .commands((action ?? self.action).topicAction))
    }

    /// The envelope of the command itself, with the headers as they are; whoever sends it out takes
    /// `deliveredToOutside()` of them.
    public var envelope: Envelope {
        Envelope(topic: topic(), headers: headers, path: resource.path, value: value, fields: fields)
    }

    /// The envelope of the command's success (§6.1): topic and path of the command, its correlation id and custom
    /// headers, the tag and revision of the new state.
    public func envelope(of response: ThingResponse) -> Envelope {
        var answer = headers.deliveredToOutside()
        answer.reserve(5)
        answer[.responseRequired] = .bool(false)
        answer[.contentType] = response.value.map { _ in .string("application/json") }
        if let etag = response.etag { answer[.etag] = .string(etag) }
        answer[.entityRevision] = .number(JSONNumber(response.revision))
        if let metadata = response.metadata { answer[.dittoMetadata] = metadata.value }
        return Envelope(
            topic: topic(response.action), headers: answer, path: resource.path, value: response.value,
            status: response.status)
    }
}

extension TwinspanError {
    /// The envelope of an error (§4.2). Without an entity the id is `unknown:unknown`; connections are none, because
    /// their topics have no errors (§4.1).
    public func envelope(topic: TopicPath?, headers: DittoHeaders) -> Envelope {
        let topic = topic?.group == .connections ? nil : topic
        var answer = headers.deliveredToOutside()
        answer[.responseRequired] = .bool(false)
        answer[.contentType] = .string("application/json")
        if let etag { answer[.etag] = .string(etag) }
        let errors = TopicPath(
            namespace: topic?.namespace ?? "unknown", name: topic?.name ?? "unknown", group: topic?.group ?? .things,
            channel: topic?.group == .policies ? nil : topic?.channel ?? .twin, criterion: .errors)
        return Envelope(topic: errors, headers: answer, path: .root, value: JSONText(json), status: status)
    }
}
