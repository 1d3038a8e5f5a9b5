// A change of a thing that has happened: what the journal stores, what targets are sent (spec/protocol.md §6.1, §6.2).
public import TwinspanJSON

/// One event per successful modifying command.
public struct ThingEvent: Sendable, Equatable {
    public enum Action: UInt8, Sendable, CaseIterable { case created = 1, modified, merged, deleted }

    public var thingID: ThingID
    public var action: Action
    /// The affected resource.
    public var path: JSONPointer
    /// The new value; the patch of a merge; nil for a deletion.
    public var value: JSONText?
    /// Revision of the thing after the event; rises by one with each, never skips.
    public var revision: Int64
    public var timestamp: Timestamp
    /// The complete metadata of the thing after the event when the event changed it, `{}` when none is left; nil when
    /// it did not change (spec/protocol.md §11). Stored with the event, not sent with it.
    public var metadata: JSONText?

    public init(
        thingID: ThingID, action: Action, path: JSONPointer, value: JSONText?, revision: Int64, timestamp: Timestamp,
        metadata: JSONText? = nil
    ) {
        self.thingID = thingID
        self.action = action
        self.path = path
        self.value = value
        self.revision = revision
        self.timestamp = timestamp
        self.metadata = metadata
    }

    /// The topic of the event.
    public var topic: TopicPath {
        TopicPath(
            namespace: thingID.namespace, name: thingID.name, group: .things, channel: .twin,
            criterion: .events(action.topicAction))
    }

    /// The envelope, with the headers of the causing command that may go out.
    public func envelope(headers: DittoHeaders) -> Envelope {
        Envelope(
            topic: topic, headers: headers, path: path, value: value, revision: revision,
            timestamp: timestamp.iso8601)
    }
}

extension ThingEvent.Action {
    /// The action in topics.
    public var topicAction: TopicPath.EventAction {
        switch self {
        case .created: .created
        case .modified: .modified
        case .merged: .merged
        case .deleted: .deleted
        }
    }
}
