// Several things in one answer (spec/protocol.md §6.2, RetrieveThings).
public import TwinspanJSON

/// A retrieve of several things; the answer has those that exist and can be read, in the order of the request.
public struct RetrieveThings: Sendable {
    /// The namespace of the topic; nil for `_`.
    public var namespace: String?
    public var thingIDs: [ThingID]
    public var headers: DittoHeaders
    public var fields: JSONFieldSelector?
    public var channel: TopicPath.Channel

    public init(
        namespace: String? = nil, thingIDs: [ThingID], headers: DittoHeaders = DittoHeaders(),
        fields: JSONFieldSelector? = nil, channel: TopicPath.Channel = .twin
    ) {
        self.namespace = namespace
        self.thingIDs = thingIDs
        self.headers = headers
        self.fields = fields
        self.channel = channel
    }
}

extension RetrieveThings {
    /// The command of an envelope on a topic `{ns}/_/things/{channel}/commands/retrieve`.
    ///
    /// Throws `protocoladapter:unknown.path` unless the path is the root, `json.invalid` for a value that is no object
    /// or has no array, `json.field.missing` without `thingIds`, `things:things.ids.missing` for an empty array,
    /// `things:id.invalid` for illegal ids and for those outside the namespace of the topic.
    public init(_ envelope: Envelope) throws(TwinspanError) {
        guard case .commands(.retrieve) = envelope.topic.criterion, let channel = envelope.topic.channel else {
            throw .unknownTopicPath(envelope.topic, "Only retrieve addresses several things.")
        }
        let namespace = try Self.namespace(of: envelope)
        try envelope.checkRootPath()
        let texts = try PayloadMembers(of: envelope).requiredStrings("thingIds")
        guard !texts.isEmpty else { throw ThingErrorTable.idsMissing.error() }
        var ids: [ThingID] = []
        ids.reserveCapacity(texts.count)
        for text in texts {
            let id = try ThingID(text)
            if let namespace, !id.namespace.hasSameBytes(as: namespace) {
                // The reference fails here without a code of its own (§6.2).
                throw ThingErrorTable.idInvalid.error(
                    "The thing id '\(text.shortened)' is not in the namespace '\(namespace.shortened)' of the topic.",
                    description: "Use '_' as the namespace of the topic to name things of any namespace.")
            }
            ids.append(id)
        }
        try envelope.headers.checkValues()
        self.init(
            namespace: namespace, thingIDs: ids, headers: envelope.headers, fields: envelope.fields, channel: channel)
    }

    /// The envelope with the headers as they are.
    public var envelope: Envelope {
        let ids = thingIDs.map { JSONValue.string($0.text) }
        return Envelope(
            topic: topic, headers: headers, path: .root,
            value: JSONText(.object(JSONObject([("thingIds", .array(ids))]))), fields: fields)
    }

    /// The topic of the command and of its answer.
    public var topic: TopicPath { Self.topic(namespace, channel) }

    /// The envelope of the answer: 200 with the things that exist and can be read, in the order of the request.
    public func envelope(of things: JSONText) -> Envelope {
        var answer = headers.deliveredToOutside()
        answer[.responseRequired] = .bool(false)
        answer[.contentType] = .string("application/json")
        return Envelope(
            topic: topic, headers: answer, path: .root, value: things, status: 200)
    }

    static func topic(_ namespace: String?, _ channel: TopicPath.Channel) -> TopicPath {
        TopicPath(
            namespace: namespace ?? "_", name: "_", group: .things, channel: channel, criterion: .commands(.retrieve))
    }

    /// Nil for `_`. Throws `things:id.invalid`.
    static func namespace(of envelope: Envelope) throws(TwinspanError) -> String? {
        let namespace = envelope.topic.namespace
        guard namespace != "_" else { return nil }
        var copy = namespace
        guard copy.withUTF8({ NamespacedID.isNamespace($0) }) else { throw .thingIDInvalid(envelope.topic.entityID) }
        return namespace
    }
}

/// The answer to a retrieve of several things, as it came in an envelope.
public struct RetrieveThingsReply: Sendable {
    /// The namespace of the topic; nil for `_`.
    public var namespace: String?
    public var status: Int
    /// An array of things.
    public var value: JSONText?
    public var headers: DittoHeaders
    public var channel: TopicPath.Channel

    init(_ envelope: Envelope, channel: TopicPath.Channel, status: Int) throws(TwinspanError) {
        namespace = try RetrieveThings.namespace(of: envelope)
        try envelope.checkRootPath()
        try envelope.headers.checkValues(isCommand: false)
        self.status = status
        value = envelope.value
        headers = envelope.headers
        self.channel = channel
    }

    /// The envelope with the headers as they are.
    public var envelope: Envelope {
        Envelope(
            topic: RetrieveThings.topic(namespace, channel), headers: headers, path: .root, value: value,
            status: status)
    }

    /// Throws `protocoladapter:illegal.adaptable` 422 for any status but 200 (§7.3).
    public func checkStatus() throws(TwinspanError) {
        guard status == 200 else { throw .illegalStatus(status) }
    }
}
