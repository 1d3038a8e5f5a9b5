// Errors in envelopes (spec/protocol.md §4.2): answers of servers, and of devices on the live channel.
public import TwinspanJSON

/// An error as it came in an envelope.
public struct ErrorSignal: Sendable {
    /// Names the entity, or `unknown/unknown`.
    public var topic: TopicPath
    /// The status is that of the envelope where it has one.
    public var error: TwinspanError
    /// The error object with all its members.
    public var value: JSONText
    public var headers: DittoHeaders

    /// Throws `json.invalid` for a value that is no error object, `json.field.missing` without status or code.
    init(_ envelope: Envelope) throws(TwinspanError) {
        guard envelope.topic.group != .connections else {
            throw .unknownTopicPath(envelope.topic, "Connections have no errors.")
        }
        try envelope.checkRootPath()
        let members = try PayloadMembers(of: envelope)
        let status: Int
        if let given = envelope.status {
            status = given
        } else {
            status = Int(try members.requiredInteger("status", in: 100...599))
        }
        error = TwinspanError(
            code: try members.requiredString("error"), status: status, message: try members.string("message") ?? "",
            description: try members.string("description"), href: try members.string("href"))
        try envelope.headers.checkValues(isCommand: false)
        topic = envelope.topic
        value = JSONText(.object(members.object))
        headers = envelope.headers
    }

    /// The envelope with the headers as they are.
    public var envelope: Envelope {
        Envelope(topic: topic, headers: headers, path: .root, value: value, status: error.status)
    }
}
