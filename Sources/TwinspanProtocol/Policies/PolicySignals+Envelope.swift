// Policy signals as envelopes (spec/protocol.md §6.3). Their topics have no channel.
public import TwinspanJSON

extension PolicyCommand.Action {
    /// The action in topics.
    public var topicAction: TopicPath.CommandAction {
        switch self {
        case .create: .create
        case .modify: .modify
        case .retrieve: .retrieve
        case .delete: .delete
        }
    }

    /// The action of a topic; nil for those that policies do not have.
    init?(_ topicAction: TopicPath.CommandAction) {
        switch topicAction {
        case .create: self = .create
        case .modify: self = .modify
        case .retrieve: self = .retrieve
        case .delete: self = .delete
        case .merge, .migrate, .checkPermissions: return nil
        }
    }
}

extension PolicyPath.Kind {
    /// Whether what is addressed can be deleted; entries, subjects and resources as a whole cannot.
    fileprivate var isDeletable: Bool {
        switch self {
        case .policy, .entry, .subject, .resource, .allowedAdditions, .references, .imports, .policyImport: true
        case .entries, .subjects, .resources, .namespaces, .importable, .importEntries, .transitiveImports: false
        }
    }
}

extension PolicyCommand {
    /// The command of an envelope. Throws `policies:id.invalid`, `protocoladapter:unknown.path`, `json.invalid` for a
    /// missing value, `protocoladapter:unknown.topicpath` for combinations that mean nothing, and the errors of
    /// headers.
    public init(_ envelope: Envelope) throws(TwinspanError) {
        guard envelope.topic.group == .policies, case .commands(let topicAction) = envelope.topic.criterion,
            envelope.status == nil
        else { throw .unknownTopicPath(envelope.topic, "The message is no command on a policy.") }
        guard let action = Action(topicAction) else {
            throw .unknownTopicPath(envelope.topic, "Policies have create, modify, retrieve and delete.")
        }
        let policyID = try PolicyID(envelope.topic.entityID)
        self.init(
            policyID: policyID, action: action, resource: try PolicyPath(envelope.path), value: envelope.value,
            headers: envelope.headers, fields: envelope.fields)
        try headers.checkValues()
        try checkForm()
    }

    /// What does not depend on the state of the policy: a value where one is needed, and combinations of action and
    /// resource that mean nothing. That `policyId` in the value is the addressed one is checked where the value is
    /// read.
    public func checkForm() throws(TwinspanError) {
        switch action {
        case .create:
            guard resource.kind == .policy else {
                throw .unknownTopicPath(topic(), "Only whole policies are created; use modify for their parts.")
            }
            guard value != nil else { throw .jsonInvalid("The value of the command is missing.") }
        case .modify:
            guard value != nil else { throw .jsonInvalid("The value of the command is missing.") }
        case .delete:
            guard resource.kind.isDeletable else {
                throw .unknownTopicPath(
                    topic(), "What '\(resource.path.description.shortened)' names cannot be deleted.")
            }
        case .retrieve: break
        }
    }

    /// The topic of the command, or of its answer with another action.
    public func topic(_ action: Action? = nil) -> TopicPath {
        TopicPath(
            namespace: policyID.namespace, name: policyID.name, group: .policies, channel: nil,
            criterion: .commands((action ?? self.action).topicAction))
    }

    /// The envelope of the command itself, with the headers as they are.
    public var envelope: Envelope {
        Envelope(topic: topic(), headers: headers, path: resource.wirePath, value: value, fields: fields)
    }

    /// The envelope of the command's success (§6.1): topic and path of the command, its correlation id and custom
    /// headers, the tag and revision of the new state.
    public func envelope(of response: PolicyResponse) -> Envelope {
        var answer = headers.deliveredToOutside()
        answer[.responseRequired] = .bool(false)
        answer[.contentType] = response.value.map { _ in .string("application/json") }
        if let etag = response.etag { answer[.etag] = .string(etag) }
        answer[.entityRevision] = .number(JSONNumber(response.revision))
        return Envelope(
            topic: topic(response.action), headers: answer, path: resource.wirePath, value: response.value,
            status: response.status)
    }
}

extension PolicyEvent {
    /// The topic of the event.
    public var topic: TopicPath {
        TopicPath(
            namespace: policyID.namespace, name: policyID.name, group: .policies, channel: nil,
            criterion: .events(wireAction.topicAction))
    }

    /// The envelope, with the headers of the causing command that may go out.
    public func envelope(headers: DittoHeaders) -> Envelope {
        Envelope(
            topic: topic, headers: headers, path: wirePath, value: wireValue, revision: revision,
            timestamp: timestamp.iso8601)
    }

    /// Whether it removes several subjects.
    private var removesSubjects: Bool {
        guard action == .merged, let first = value?.value.object?.members.first?.value.object?.members.first else {
            return false
        }
        return first.value.isNull
    }

    private var wireAction: ThingEvent.Action {
        action == .merged ? removesSubjects ? .deleted : .modified : action
    }

    private var wireValue: JSONText? {
        guard removesSubjects, let entries = value?.value.object else { return value }
        return JSONText(
            .object(
                JSONObject(
                    entries.members.map { label, subjects in
                        (label, .array((subjects.object?.keys ?? []).map { .string($0) }))
                    })))
    }

    /// The path on the wire. That of a created or modified resource has the path of the resource without its type, as
    /// the reference sends it: `/entries/l/resources/features` for `thing:/features` (§6.3, D10).
    public var wirePath: JSONPointer {
        let segments = path.segments
        guard action == .created || action == .modified, segments.count == 4, segments[0] == "entries",
            segments[2] == "resources"
        else { return path }
        let key = segments[3].utf8
        let colon = key.firstIndex(of: UInt8(ascii: ":"))
        var rest = colon.map { key[key.index(after: $0)...] } ?? key[...]
        if rest.first == UInt8(ascii: "/") { rest.removeFirst() }
        let parent = Array(segments.dropLast())
        return JSONPointer(segments: rest.isEmpty ? parent : parent + [String(Substring(rest))])
    }
}

/// A response to a command on a policy, as it came in an envelope.
public struct PolicyReply: Sendable {
    public var policyID: PolicyID
    public var action: PolicyCommand.Action
    public var resource: PolicyPath
    public var status: Int
    public var value: JSONText?
    public var headers: DittoHeaders

    init(_ envelope: Envelope, action: TopicPath.CommandAction, status: Int) throws(TwinspanError) {
        guard let action = PolicyCommand.Action(action) else {
            throw .unknownTopicPath(envelope.topic, "Policies have create, modify, retrieve and delete.")
        }
        policyID = try PolicyID(envelope.topic.entityID)
        resource = try PolicyPath(envelope.path)
        try envelope.headers.checkValues(isCommand: false)
        self.action = action
        self.status = status
        value = envelope.value
        headers = envelope.headers
    }

    /// The envelope with the headers as they are.
    public var envelope: Envelope {
        Envelope(
            topic: TopicPath(
                namespace: policyID.namespace, name: policyID.name, group: .policies, channel: nil,
                criterion: .commands(action.topicAction)),
            headers: headers, path: resource.wirePath, value: value, status: status)
    }
}

/// An event of a policy as it came in an envelope.
public struct PolicyEventSignal: Sendable {
    public var policyID: PolicyID
    public var action: ThingEvent.Action
    /// As on the wire; see `PolicyEvent.wirePath`.
    public var wirePath: JSONPointer
    public var value: JSONText?
    public var revision: Int64?
    /// ISO-8601, as it was written.
    public var timestamp: String?
    public var metadata: JSONText?
    public var headers: DittoHeaders

    init(_ envelope: Envelope, action topicAction: TopicPath.EventAction) throws(TwinspanError) {
        switch topicAction {
        case .created: action = .created
        case .modified: action = .modified
        case .deleted: action = .deleted
        case .merged, .migrated:
            throw .unknownTopicPath(envelope.topic, "Policies have events created, modified and deleted.")
        }
        policyID = try PolicyID(envelope.topic.entityID)
        wirePath = try PolicyPath(envelope.path).path
        guard action == .deleted || envelope.value != nil else {
            throw .jsonInvalid("The value of the event is missing.")
        }
        try envelope.headers.checkValues(isCommand: false)
        value = envelope.value
        revision = envelope.revision
        timestamp = envelope.timestamp
        metadata = envelope.metadata
        headers = envelope.headers
    }

    /// The envelope with the headers as they are.
    public var envelope: Envelope {
        Envelope(
            topic: TopicPath(
                namespace: policyID.namespace, name: policyID.name, group: .policies, channel: nil,
                criterion: .events(action.topicAction)),
            headers: headers, path: wirePath, value: value, revision: revision, timestamp: timestamp,
            metadata: metadata)
    }
}
