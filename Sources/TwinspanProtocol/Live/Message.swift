// Messages to and from things, and their answers (spec/protocol.md §7.1).
public import TwinspanJSON

/// A message, or the answer to one when it has a status.
public struct Message: Sendable, Equatable {
    /// The mailbox a message lies in.
    public enum Direction: String, Sendable {
        /// To the thing.
        case inbox
        /// From the thing.
        case outbox
    }

    public var thingID: ThingID
    /// Nil for messages of the thing as a whole.
    public var featureID: String?
    public var direction: Direction
    /// May hold slashes.
    public var subject: String
    /// The payload as it stands in the envelope: JSON, text as a string, or Base64 as a string, by content type.
    public var value: JSONText?
    public var headers: DittoHeaders
    /// Enrichment.
    public var extra: JSONText?
    /// Present in answers only.
    public var status: Int?

    public init(
        thingID: ThingID, featureID: String? = nil, direction: Direction, subject: String, value: JSONText? = nil,
        headers: DittoHeaders = DittoHeaders(), extra: JSONText? = nil, status: Int? = nil
    ) {
        self.thingID = thingID
        self.featureID = featureID
        self.direction = direction
        self.subject = subject
        self.value = value
        self.headers = headers
        self.extra = extra
        self.status = status
    }

    /// The path: `[/features/{id}]/inbox/messages/{subject}`, the subject as one segment.
    public var path: JSONPointer {
        let feature = featureID.map { ["features", $0] } ?? []
        return JSONPointer(segments: feature + [direction.rawValue, "messages", subject])
    }

    /// The same with every level of the subject as a segment of its own, as policies address it.
    public var resourcePath: JSONPointer {
        let levels = subject.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }
        return JSONPointer(segments: path.segments.dropLast() + levels)
    }

    /// Whether it claims the thing: then nobody's WRITE is asked for (§7.2).
    public var isClaim: Bool { direction == .inbox && featureID == nil && subject == "claim" }
}
