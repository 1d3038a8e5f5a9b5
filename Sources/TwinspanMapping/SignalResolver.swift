// Gives placeholders their values: inbound from the external message and the mapped signal, outbound from the event.
public import TwinspanExpressions
public import TwinspanJSON
public import TwinspanProtocol

/// What placeholders of one message can see. Whatever is nil resolves to nothing.
public struct SignalResolver: PlaceholderResolver {
    /// Reads a header by its lower-case name.
    public var header: (String) -> String? = { _ in nil }
    public var sourceAddress: String?
    public var thingID: ThingID?
    public var policyID: PolicyID?
    public var topic: TopicPath?
    public var path: JSONPointer?
    /// The event's value at `path`, for `thing-json:` and feature ids; outbound only.
    public var value: JSONText?
    /// The thing as far as it is known, when that is more than `value`: the event merged with its extra fields.
    public var thing: JSONValue?
    public var subjects: [String] = []
    public var connectionID: ConnectionID
    public var now: Timestamp

    public init(connectionID: ConnectionID, now: Timestamp) {
        self.connectionID = connectionID
        self.now = now
    }

    public func values(of placeholder: Placeholder) -> PlaceholderValues {
        switch placeholder {
        case .header(let name): one(header(name))
        case .sourceAddress: one(sourceAddress)
        case .entityID: one(thingID?.text ?? policyID?.text)
        case .entityNamespace: one(thingID?.namespace ?? policyID?.namespace)
        case .entityName: one(thingID?.name ?? policyID?.name)
        case .thingID: one(thingID?.text)
        case .thingNamespace: one(thingID?.namespace)
        case .thingName: one(thingID?.name)
        case .policyID: one(policyID?.text)
        case .policyNamespace: one(policyID?.namespace)
        case .policyName: one(policyID?.name)
        case .topic(let field): one(topic.flatMap { text(of: field, in: $0) })
        case .resourceType: one(topic.map { Self.resourceType($0.group) })
        case .resourcePath: one(path?.description)
        case .featureID: PlaceholderValues(featureIDs)
        case .thingJSON(let pointer): thingJSON(pointer)
        case .time(let expression): .one(expression.text(atEpochMilliseconds: now.milliseconds))
        case .requestSubjectIDs: PlaceholderValues(subjects)
        case .connectionID: .one(connectionID.text)
        case .jwt, .policyEntryLabel: .unresolved
        }
    }

    private static func resourceType(_ group: TopicPath.Group) -> String {
        switch group {
        case .things: "thing"
        case .policies: "policy"
        case .connections: "connection"
        }
    }

    private func one(_ text: String?) -> PlaceholderValues {
        text.map { .one($0) } ?? .unresolved
    }

    private func text(of field: Placeholder.TopicField, in topic: TopicPath) -> String? {
        switch field {
        case .full: topic.text
        case .namespace: topic.namespace
        case .entityName: topic.name
        case .entityId: topic.entityID
        case .group: topic.group.rawValue
        case .channel: topic.channel?.rawValue ?? "none"
        case .criterion: topic.criterion.word
        case .action: action(topic.criterion)
        case .subject: subject(topic.criterion)
        case .actionSubject: subject(topic.criterion) ?? action(topic.criterion)
        }
    }

    private func action(_ criterion: TopicPath.Criterion) -> String? {
        switch criterion {
        case .commands(let action): action.rawValue
        case .events(let action): action.rawValue
        case .search(let action), .streaming(let action): action
        case .errors, .messages, .acks, .announcements: nil
        }
    }

    private func subject(_ criterion: TopicPath.Criterion) -> String? {
        switch criterion {
        case .messages(let subject): subject
        case .acks(let label): label
        case .announcements(let name): name
        case .commands, .events, .errors, .search, .streaming: nil
        }
    }

    private var featureIDs: [String] {
        guard let path else { return [] }
        if path.segments.count > 1, path.segments[0] == "features" { return [path.segments[1]] }
        guard let value else { return [] }
        let features = JSONPointer(segments: ["features"])
        let object = path.isRoot ? value.text(at: features)?.value.object : path == features ? value.value.object : nil
        return object.map { Array($0.keys) } ?? []
    }

    private func thingJSON(_ pointer: JSONPointer) -> PlaceholderValues {
        if let thing { return thing.value(at: pointer).map(Self.values) ?? .unresolved }
        guard let path, let value, pointer.hasPrefix(path) || path.isRoot else { return .unresolved }
        let rest = JSONPointer(segments: Array(pointer.segments.dropFirst(path.segments.count)))
        guard let found = rest.isRoot ? value : value.text(at: rest) else { return .unresolved }
        return Self.values(found.value)
    }

    private static func values(_ value: JSONValue) -> PlaceholderValues {
        if let array = value.array { return PlaceholderValues(array.map(text)) }
        return .one(text(value))
    }

    private static func text(_ value: JSONValue) -> String { value.string ?? value.text }
}
