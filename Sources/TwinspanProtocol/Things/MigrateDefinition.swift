// The migration of a thing to another definition (spec/protocol.md §6.2). It needs Web of Things, so it is understood
// here and answered with `signal.unsupported` where commands are executed.
public import TwinspanJSON

/// The command `migrate`.
public struct MigrateDefinition: Sendable {
    public var thingID: ThingID
    public var definitionURL: String
    public var payload: JSONText?
    /// RQL by resource key, e.g. `thing:/features/x`.
    public var patchConditions: [(resource: String, condition: String)]
    /// Nil counts as false.
    public var initializesMissingProperties: Bool?
    public var headers: DittoHeaders

    init(_ envelope: Envelope) throws(TwinspanError) {
        guard envelope.topic.channel == .twin else {
            throw .unknownTopicPath(envelope.topic, "Definitions are migrated on the twin channel.")
        }
        thingID = try ThingID(envelope.topic.entityID)
        try envelope.checkRootPath()
        let members = try PayloadMembers(of: envelope)
        definitionURL = try members.requiredString("thingDefinitionUrl")
        payload = try members.object("migrationPayload").map { JSONText(.object($0)) }
        patchConditions = []
        for (resource, condition) in try members.object("patchConditions") ?? JSONObject() {
            guard let text = condition.string else { throw .jsonInvalid("A patch condition is not a string.") }
            patchConditions.append((resource, text))
        }
        initializesMissingProperties = try members.bool("initializeMissingPropertiesFromDefaults")
        try envelope.headers.checkValues()
        headers = envelope.headers
    }

    /// The envelope with the headers as they are.
    public var envelope: Envelope {
        var object = JSONObject()
        object["thingDefinitionUrl"] = .string(definitionURL)
        if let payload { object["migrationPayload"] = payload.value }
        if !patchConditions.isEmpty {
            object["patchConditions"] = .object(
                JSONObject(patchConditions.map { ($0.resource, .string($0.condition)) }))
        }
        if let initializesMissingProperties {
            object["initializeMissingPropertiesFromDefaults"] = .bool(initializesMissingProperties)
        }
        return Envelope(
            topic: Self.topic(thingID), headers: headers, path: .root, value: JSONText(.object(object)))
    }

    static func topic(_ thingID: ThingID) -> TopicPath {
        TopicPath(
            namespace: thingID.namespace, name: thingID.name, group: .things, channel: .twin,
            criterion: .commands(.migrate))
    }
}

/// The answer to a migration.
public struct MigrateDefinitionReply: Sendable {
    public var thingID: ThingID
    public var status: Int
    public var value: JSONText?
    public var headers: DittoHeaders

    init(_ envelope: Envelope, status: Int) throws(TwinspanError) {
        guard envelope.topic.channel == .twin else {
            throw .unknownTopicPath(envelope.topic, "Definitions are migrated on the twin channel.")
        }
        thingID = try ThingID(envelope.topic.entityID)
        try envelope.checkRootPath()
        try envelope.headers.checkValues(isCommand: false)
        self.status = status
        value = envelope.value
        headers = envelope.headers
    }

    /// The envelope with the headers as they are.
    public var envelope: Envelope {
        Envelope(
            topic: MigrateDefinition.topic(thingID), headers: headers, path: .root, value: value, status: status)
    }
}
