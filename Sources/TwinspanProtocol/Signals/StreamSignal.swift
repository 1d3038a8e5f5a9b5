// The signals of search and of the streaming of persisted events (spec/protocol.md §9): both ask for a subscription,
// then for items of it.
public import TwinspanJSON

/// One signal of a subscription.
public struct StreamSignal: Sendable {
    /// What is searched or streamed.
    public enum Subject: Sendable, Equatable {
        /// Things; the topic is `_/_/things/twin/search/…`.
        case things
        /// The events of a thing.
        case thing(ThingID)
        /// The events of a policy.
        case policy(PolicyID)
    }

    /// What is asked or told.
    public enum Action: Sendable {
        /// From the client: `subscribe`.
        case subscribe(SearchQuery)
        /// From the client: `subscribeForPersistedEvents`.
        case subscribeForPersistedEvents(PersistedEventsQuery)
        /// From the client. A demand below 1 breaks the rules, and is answered with `failed`, not with an error.
        case request(subscriptionID: String, demand: Int64)
        /// From the client.
        case cancel(subscriptionID: String)
        /// To the client.
        case created(subscriptionID: String)
        /// To the client: an array of things in a search, one event envelope in a stream.
        case next(subscriptionID: String, items: JSONText)
        /// To the client.
        case complete(subscriptionID: String)
        /// To the client, with an error object.
        case failed(subscriptionID: String, error: JSONText)
    }

    public var subject: Subject
    public var action: Action
    public var headers: DittoHeaders

    public init(subject: Subject, action: Action, headers: DittoHeaders = DittoHeaders()) {
        self.subject = subject
        self.action = action
        self.headers = headers
    }

    /// Whether a client sends it; the others are sent by the server.
    public var isFromClient: Bool {
        switch action {
        case .subscribe, .subscribeForPersistedEvents, .request, .cancel: true
        case .created, .next, .complete, .failed: false
        }
    }
}

/// What a search wants.
public struct SearchQuery: Sendable, Equatable {
    /// RQL, not parsed: a filter that is not valid fails after the first request (§9.1).
    public var filter: String?
    /// `size(n),sort(…)`, not parsed.
    public var options: String?
    public var namespaces: [String]?
    public var fields: JSONFieldSelector?

    public init(
        filter: String? = nil, options: String? = nil, namespaces: [String]? = nil, fields: JSONFieldSelector? = nil
    ) {
        self.filter = filter
        self.options = options
        self.namespaces = namespaces
        self.fields = fields
    }
}

/// Which events of an entity are wanted (§9.2). Revisions are inclusive, instants exclusive.
public struct PersistedEventsQuery: Sendable, Equatable {
    /// Negative: the last so many; nil: the earliest.
    public var fromRevision: Int64?
    /// Zero or negative: counted from the latest; nil: no end.
    public var toRevision: Int64?
    public var from: Timestamp?
    public var to: Timestamp?
    /// RQL, for things only.
    public var filter: String?
    public var prefix: String?

    public init(
        fromRevision: Int64? = nil, toRevision: Int64? = nil, from: Timestamp? = nil, to: Timestamp? = nil,
        filter: String? = nil, prefix: String? = nil
    ) {
        self.fromRevision = fromRevision
        self.toRevision = toRevision
        self.from = from
        self.to = to
        self.filter = filter
        self.prefix = prefix
    }
}

extension StreamSignal {
    /// Throws `protocoladapter:unknown.topicpath` for what is neither searched nor streamed, `things:id.invalid`,
    /// `policies:id.invalid`, `protocoladapter:unknown.path` unless the path is the root, `json.invalid`,
    /// `json.field.missing`.
    init(_ envelope: Envelope, word: String) throws(TwinspanError) {
        let topic = envelope.topic
        switch (topic.criterion, topic.group, topic.channel) {
        case (.search, .things, .twin):
            guard topic.namespace == "_", topic.name == "_" else {
                throw .unknownTopicPath(topic, "The topic of a search begins with '_/_'.")
            }
            subject = .things
        case (.streaming, .things, .twin): subject = .thing(try ThingID(topic.entityID))
        case (.streaming, .policies, _): subject = .policy(try PolicyID(topic.entityID))
        default: throw .unknownTopicPath(topic, "Searches and streams are of twins, streams of policies too.")
        }
        try envelope.checkRootPath()
        action = try Self.action(word, envelope, isSearch: subject == .things)
        try envelope.headers.checkValues()
        headers = envelope.headers
    }

    private static func action(
        _ word: String, _ envelope: Envelope, isSearch: Bool
    ) throws(TwinspanError) -> Action {
        if word == "subscribe", envelope.value == nil {
            // A search for everything needs no value.
            return .subscribe(SearchQuery(fields: envelope.fields))
        }
        let members = try PayloadMembers(of: envelope)
        switch word {
        case "subscribe":
            return .subscribe(
                SearchQuery(
                    filter: try members.string("filter"), options: try members.string("options"),
                    namespaces: try members.strings("namespaces"), fields: envelope.fields))
        case "subscribeForPersistedEvents":
            return .subscribeForPersistedEvents(
                PersistedEventsQuery(
                    fromRevision: try members.integer("fromHistoricalRevision"),
                    toRevision: try members.integer("toHistoricalRevision"),
                    from: try members.instant("fromHistoricalTimestamp"),
                    to: try members.instant("toHistoricalTimestamp"), filter: try members.string("filter"),
                    prefix: try members.string("prefix")))
        default: break
        }
        let id = try members.requiredString("subscriptionId")
        switch word {
        case "request": return .request(subscriptionID: id, demand: try members.requiredInteger("demand"))
        case "cancel": return .cancel(subscriptionID: id)
        case "created": return .created(subscriptionID: id)
        case "next":
            return .next(subscriptionID: id, items: try members.requiredText(isSearch ? "items" : "item"))
        case "complete": return .complete(subscriptionID: id)
        case "failed": return .failed(subscriptionID: id, error: try members.requiredText("error"))
        default: throw .unknownTopicPath(envelope.topic, "The action '\(word.shortened)' is not known.")
        }
    }

    /// The last word of the topic.
    public var word: String {
        switch action {
        case .subscribe: "subscribe"
        case .subscribeForPersistedEvents: "subscribeForPersistedEvents"
        case .request: "request"
        case .cancel: "cancel"
        case .created: "created"
        case .next: "next"
        case .complete: "complete"
        case .failed: "failed"
        }
    }

    /// The topic.
    public var topic: TopicPath {
        switch subject {
        case .things:
            TopicPath(namespace: "_", name: "_", group: .things, channel: .twin, criterion: .search(word))
        case .thing(let id):
            TopicPath(
                namespace: id.namespace, name: id.name, group: .things, channel: .twin, criterion: .streaming(word))
        case .policy(let id):
            TopicPath(
                namespace: id.namespace, name: id.name, group: .policies, channel: nil, criterion: .streaming(word))
        }
    }

    /// The envelope with the headers as they are.
    public var envelope: Envelope {
        var fields: JSONFieldSelector?
        if case .subscribe(let query) = action { fields = query.fields }
        return Envelope(
            topic: topic, headers: headers, path: .root, value: JSONText(.object(payload)), fields: fields)
    }

    private var payload: JSONObject {
        var object = JSONObject()
        switch action {
        case .subscribe(let query):
            if let filter = query.filter { object["filter"] = .string(filter) }
            if let options = query.options { object["options"] = .string(options) }
            if let namespaces = query.namespaces { object["namespaces"] = .array(namespaces.map { .string($0) }) }
        case .subscribeForPersistedEvents(let query):
            if let revision = query.fromRevision { object["fromHistoricalRevision"] = .number(JSONNumber(revision)) }
            if let revision = query.toRevision { object["toHistoricalRevision"] = .number(JSONNumber(revision)) }
            if let instant = query.from { object["fromHistoricalTimestamp"] = .string(instant.iso8601) }
            if let instant = query.to { object["toHistoricalTimestamp"] = .string(instant.iso8601) }
            if let filter = query.filter { object["filter"] = .string(filter) }
            if let prefix = query.prefix { object["prefix"] = .string(prefix) }
        case .request(let id, let demand):
            object["subscriptionId"] = .string(id)
            object["demand"] = .number(JSONNumber(demand))
        case .cancel(let id), .created(let id), .complete(let id): object["subscriptionId"] = .string(id)
        case .next(let id, let items):
            object["subscriptionId"] = .string(id)
            object[subject == .things ? "items" : "item"] = items.value
        case .failed(let id, let error):
            object["subscriptionId"] = .string(id)
            object["error"] = error.value
        }
        return object
    }
}
