// What policies and connections announce (spec/protocol.md §6.3). Sent by the server only.
import TwinspanJSON

/// One announcement.
public struct Announcement: Sendable {
    public enum Kind: Sendable, Equatable {
        /// Subjects leave a policy, or have left it.
        case subjectDeletion(PolicyID, deleteAt: Timestamp, subjectIDs: [String])
        case connectionOpened(ConnectionID, at: Timestamp)
        /// Only when it is closed on purpose.
        case connectionClosed(ConnectionID, at: Timestamp)
    }

    public var kind: Kind
    public var headers: DittoHeaders

    public init(kind: Kind, headers: DittoHeaders = DittoHeaders()) {
        self.kind = kind
        self.headers = headers
    }

    /// Throws `protocoladapter:unknown.topicpath` for announcements that do not exist, the errors of ids,
    /// `protocoladapter:unknown.path` unless the path is the root, `json.invalid`, `json.field.missing`.
    init(_ envelope: Envelope, name: String) throws(TwinspanError) {
        let topic = envelope.topic
        switch (topic.group, name) {
        case (.policies, "subjectDeletion"):
            let id = try PolicyID(topic.entityID)
            let members = try Self.members(envelope)
            kind = .subjectDeletion(
                id, deleteAt: try members.requiredInstant("deleteAt"),
                subjectIDs: try members.requiredStrings("subjectIds"))
        case (.connections, "opened"):
            let id = try Self.connectionID(topic)
            kind = .connectionOpened(id, at: try Self.members(envelope).requiredInstant("openedAt"))
        case (.connections, "closed"):
            let id = try Self.connectionID(topic)
            kind = .connectionClosed(id, at: try Self.members(envelope).requiredInstant("closedAt"))
        default: throw .unknownTopicPath(topic, "There is no such announcement.")
        }
        try envelope.headers.checkValues(isCommand: false)
        headers = envelope.headers
    }

    private static func members(_ envelope: Envelope) throws(TwinspanError) -> PayloadMembers {
        try envelope.checkRootPath()
        return try PayloadMembers(of: envelope)
    }

    private static func connectionID(_ topic: TopicPath) throws(TwinspanError) -> ConnectionID {
        guard topic.namespace == "_" else {
            throw .unknownTopicPath(topic, "The topic of a connection begins with '_'.")
        }
        return try ConnectionID(topic.name)
    }

    /// The topic.
    public var topic: TopicPath {
        switch kind {
        case .subjectDeletion(let id, _, _):
            TopicPath(
                namespace: id.namespace, name: id.name, group: .policies, channel: nil,
                criterion: .announcements("subjectDeletion"))
        case .connectionOpened(let id, _): Self.topic(id, "opened")
        case .connectionClosed(let id, _): Self.topic(id, "closed")
        }
    }

    private static func topic(_ id: ConnectionID, _ name: String) -> TopicPath {
        TopicPath(
            namespace: "_", name: id.text, group: .connections, channel: nil, criterion: .announcements(name))
    }

    /// The envelope with the headers as they are.
    public var envelope: Envelope {
        let members: [(String, JSONValue)] =
            switch kind {
            case .subjectDeletion(_, let deleteAt, let subjectIDs):
                [
                    ("deleteAt", .string(deleteAt.iso8601)),
                    ("subjectIds", .array(subjectIDs.map { .string($0) })),
                ]
            case .connectionOpened(_, let instant): [("openedAt", .string(instant.iso8601))]
            case .connectionClosed(_, let instant): [("closedAt", .string(instant.iso8601))]
            }
        return Envelope(topic: topic, headers: headers, path: .root, value: JSONText(.object(JSONObject(members))))
    }
}
