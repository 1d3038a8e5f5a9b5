// Messages as envelopes (spec/protocol.md §7.1): subject, mailbox and feature stand in the path, the subject in the
// topic too.
public import TwinspanJSON

extension Message {
    /// The message, or the answer to one, of an envelope on a topic `…/things/live/messages/{subject}`.
    ///
    /// Throws `protocoladapter:unknown.topicpath` for other topics, `things:id.invalid`, `messages:subject.invalid`,
    /// `protocoladapter:invalid.path` for a path that is no mailbox or has another subject, and the errors of headers.
    public init(_ envelope: Envelope) throws(TwinspanError) {
        guard case .messages(let subject) = envelope.topic.criterion, envelope.topic.channel == .live else {
            throw .unknownTopicPath(envelope.topic, "Messages are sent on the live channel.")
        }
        let thingID = try ThingID(envelope.topic.entityID)
        guard Self.isLegalSubject(subject) else {
            throw MessageErrorTable.subjectInvalid.error("The subject '\(subject.shortened)' is not valid.")
        }
        var segments = envelope.path.segments[...]
        var featureID: String?
        if segments.count == 5, segments.first == "features" {
            let id = segments[1]
            guard ThingResource.isLegalKey(id) else { throw .keyInvalid(id) }
            featureID = id
            segments = segments.dropFirst(2)
        }
        guard segments.count == 3, let first = segments.first, let direction = Direction(rawValue: first),
            segments.dropFirst().first == "messages", let given = segments.last, given.hasSameBytes(as: subject)
        else {
            throw GeneralErrorTable.invalidPath.error(
                "The path '\(envelope.path.description.shortened)' does not fit a message with the subject "
                    + "'\(subject.shortened)'.")
        }
        try envelope.headers.checkValues(isCommand: false)
        self.init(
            thingID: thingID, featureID: featureID, direction: direction, subject: subject, value: envelope.value,
            headers: envelope.headers, extra: envelope.extra, status: envelope.status)
    }

    /// The topic, for message and answer alike.
    public var topic: TopicPath {
        TopicPath(
            namespace: thingID.namespace, name: thingID.name, group: .things, channel: .live,
            criterion: .messages(subject: subject))
    }

    /// The envelope with the headers as they are; whoever sends it out takes `deliveredToOutside()` of them.
    public var envelope: Envelope {
        Envelope(topic: topic, headers: headers, path: path, value: value, extra: extra, status: status)
    }

    /// The envelope as subscribers get it: with the `ditto-message-…` headers, without those that only come in (§5.1).
    public var deliveredEnvelope: Envelope {
        var result = envelope
        var delivered = headers.deliveredToOutside()
        delivered[.messageDirection] = .string(direction == .inbox ? "TO" : "FROM")
        delivered[.messageSubject] = .string(subject)
        delivered[.messageThingID] = .string(thingID.text)
        if let featureID { delivered[.messageFeatureID] = .string(featureID) }
        result.headers = delivered
        return result
    }

    /// Whether a subject is legal: 1 to 256 UTF-16 units of what the path of a URI may have, or letters beyond U+00FF
    /// (spec/protocol.md §1.4).
    public static func isLegalSubject(_ subject: String) -> Bool {
        guard !subject.isEmpty, subject.utf16.count <= 256 else { return false }
        let bytes = Array(subject.utf8)
        for (index, byte) in bytes.enumerated() {
            if byte == UInt8(ascii: "%") {
                guard bytes.count > index + 2, isHexDigit(bytes[index + 1]), isHexDigit(bytes[index + 2]) else {
                    return false
                }
            } else if byte < 0x80 {
                guard isPathCharacter(byte) else { return false }
            } else if byte == 0xC2 || byte == 0xC3 {
                // These lead exactly the code points U+0080–U+00FF, which count as control characters.
                return false
            }
        }
        return true
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20)
    }

    private static func isPathCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-._~!$&'()*+,;=:@/".utf8.contains(byte)
        }
    }
}

extension JSONPointer {
    /// Reads a path of a message: as any pointer, but what follows `inbox/messages/` and `outbox/messages/` is one
    /// segment, slashes included (spec/protocol.md §3.1).
    public init(messagePath text: String) throws(JSONPointerError) {
        var rest = text.utf8[...]
        if rest.first == UInt8(ascii: "/") { rest.removeFirst() }
        var head: [String] = []
        var length = 2
        while head.count < length, let slash = rest.firstIndex(of: UInt8(ascii: "/")) {
            head.append(String(Substring(rest[..<slash])))
            rest = rest[rest.index(after: slash)...]
            if head.count == 1, head[0] == "features" { length = 4 }
        }
        let isMailbox =
            head.count == length && head[length - 1] == "messages"
            && Message.Direction(rawValue: head[length - 2]) != nil
        guard isMailbox, !rest.isEmpty else {
            try self.init(parsing: text)
            return
        }
        let decoded = try JSONPointer(parsing: head.joined(separator: "/"))
        self.init(segments: decoded.segments + [Self.decode(Substring(rest))])
    }
}
