// Acknowledgements as envelopes, one by one and aggregated (spec/protocol.md §8.2, §8.3).
public import TwinspanJSON

extension Acknowledgement {
    /// The acknowledgement of an envelope on a topic `…/acks/{label}`. Whether the sender may issue the label is the
    /// caller's to check.
    ///
    /// Throws `things:id.invalid`, `acknowledgement:label.invalid`, `protocoladapter:unknown.path` unless the path is
    /// the root, `json.field.missing` without status, `acknowledgement:correlation-id.missing`.
    public init(_ envelope: Envelope) throws(TwinspanError) {
        let topic = envelope.topic
        guard case .acks(let label?) = topic.criterion,
            let channel = topic.channel ?? (topic.group == .policies ? .twin : nil)
        else { throw .unknownTopicPath(topic, "The topic names no acknowledgement.") }
        let thingID = try ThingID(envelope.topic.entityID)
        let ackLabel = try AckLabel(label)
        try envelope.checkRootPath()
        let status = try envelope.requiredStatus
        guard envelope.headers.correlationID?.isEmpty == false else { throw AckErrorTable.correlationIDMissing.error() }
        try envelope.headers.checkValues(isCommand: false)
        self.init(
            label: ackLabel, thingID: thingID, channel: channel, status: status, payload: envelope.value,
            headers: envelope.headers)
        group = topic.group
    }

    /// The envelope with the headers as they are; whoever sends it out takes `deliveredToOutside()` of them.
    public var envelope: Envelope {
        Envelope(
            topic: TopicPath(
                namespace: thingID.namespace, name: thingID.name, group: group,
                channel: group == .things ? channel : nil, criterion: .acks(label: label.text)),
            headers: headers, path: .root, value: payload, status: status)
    }
}

extension Acknowledgements {
    /// The acknowledgements of an envelope on a topic `…/acks`. The combined status is computed from them.
    ///
    /// Throws `things:id.invalid`, `protocoladapter:unknown.path` unless the path is the root, `json.field.missing`
    /// without status, and the errors of `init(payload:thingID:channel:headers:)`.
    public init(_ envelope: Envelope) throws(TwinspanError) {
        guard case .acks(label: nil) = envelope.topic.criterion, let channel = envelope.topic.channel else {
            throw .unknownTopicPath(envelope.topic, "The topic names one acknowledgement.")
        }
        let thingID = try ThingID(envelope.topic.entityID)
        try envelope.checkRootPath()
        _ = try envelope.requiredStatus
        guard let payload = envelope.value else { throw .jsonInvalid("The value of the acknowledgements is missing.") }
        try envelope.headers.checkValues(isCommand: false)
        try self.init(payload: payload, thingID: thingID, channel: channel, headers: envelope.headers)
    }

    /// Reads `{"<label>":{"status":…,"payload"?:…,"headers"?:{…}},…}`. Throws `json.invalid`, `json.field.missing` for
    /// an acknowledgement without status, `acknowledgement:label.invalid`.
    public init(
        payload: JSONText, thingID: ThingID, channel: TopicPath.Channel, headers: DittoHeaders = DittoHeaders()
    ) throws(TwinspanError) {
        guard let object = payload.value.object else {
            throw .jsonInvalid("The value of acknowledgements is not a JSON object.")
        }
        var acknowledgements: [Acknowledgement] = []
        for (label, value) in object {
            let members = PayloadMembers(try PayloadMembers.object(value, "The acknowledgement '\(label.shortened)'"))
            acknowledgements.append(
                Acknowledgement(
                    label: try AckLabel(label), thingID: thingID, channel: channel,
                    status: Int(try members.requiredInteger("status", in: 100...599)),
                    payload: members.text("payload"),
                    headers: try members.object("headers").map { DittoHeaders($0) } ?? DittoHeaders()))
        }
        self.init(thingID: thingID, channel: channel, acknowledgements: acknowledgements, headers: headers)
    }

    /// The aggregated form, also the body over HTTP.
    public var payload: JSONText {
        var object = JSONObject()
        for acknowledgement in acknowledgements {
            var members = JSONObject()
            members["status"] = .number(JSONNumber(acknowledgement.status))
            if let payload = acknowledgement.payload { members["payload"] = payload.value }
            if !acknowledgement.headers.entries.isEmpty { members["headers"] = acknowledgement.headers.json }
            object[acknowledgement.label.text] = .object(members)
        }
        return JSONText(.object(object))
    }

    /// The envelope; its content type is that of JSON.
    public var envelope: Envelope {
        var answer = headers
        answer[.contentType] = .string("application/json")
        return Envelope(
            topic: TopicPath(
                namespace: thingID.namespace, name: thingID.name, group: .things, channel: channel,
                criterion: .acks(label: nil)),
            headers: answer, path: .root, value: payload, status: status)
    }
}
