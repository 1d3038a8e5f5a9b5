// What a connection is, after its JSON or YAML has been read and every part has been validated. Field names follow the
// Ditto connection JSON (spec/connectivity.md §1). Immutable: a change of configuration is a new value.
public import TwinspanExpressions
public import TwinspanJSON
public import TwinspanProtocol

/// The kinds of broker a connection can speak to (spec/connectivity.md §1.1).
public enum ConnectionType: String, Sendable, CaseIterable {
    case mqtt
    case mqtt5 = "mqtt-5"
    case amqp091 = "amqp-091"
    case amqp10 = "amqp-10"
    case kafka
    case hono
    case httpPush = "http-push"
}

/// A connection to a broker: where it is, what is read from it and what is sent to it.
public struct Connection: Sendable {
    public var id: ConnectionID
    /// Free text for people.
    public var name: String?
    public var type: ConnectionType
    /// The desired state as it was written.
    public var status: Status
    public var uri: ConnectionURI
    public var sources: [Source]
    public var targets: [Target]
    /// Whether a lost connection is made again by itself.
    public var isFailoverEnabled: Bool
    /// Whether certificates of the server are verified.
    public var validatesCertificates: Bool
    /// PEM bundle of trusted certificates; nil means those of the system.
    public var trustedCertificates: String?
    /// Which TLS is acceptable (`twinspan: {tlsMinimumVersion: …, tlsCiphers: …}`).
    public var tls = TLSDemands()
    /// Settings of the binding, as text (spec/connectivity-bindings.md).
    public var specificConfig: [String: String]
    /// Definitions that `payloadMapping` entries refer to.
    public var mappingDefinitions: [String: MappingDefinition]
    public var tags: [String]
    /// How the client proves who it is, beside user and password of `uri`; as written (§1.3).
    public var credentials: JSONObject?
    /// A tunnel through which the broker is reached; as written (§1.6).
    public var sshTunnel: JSONObject?
    /// How many clients share the work, and how many threads map; both at least 1.
    public var clientCount: Int
    public var processorPoolSize: Int
    /// Where the connection was defined; nil for one made over HTTP.
    public var origin: ConfigurationOrigin?
    /// Whether `/ready` waits for this connection (`twinspan: {required: false}` turns it off).
    public var isRequired: Bool
    /// What the process lets connections reach; not part of the definition.
    public var hosts = HostRules.none

    public init(
        id: ConnectionID, name: String? = nil, type: ConnectionType, isOpen: Bool, uri: ConnectionURI,
        sources: [Source], targets: [Target], isFailoverEnabled: Bool = true, validatesCertificates: Bool = true,
        trustedCertificates: String? = nil, specificConfig: [String: String] = [:],
        mappingDefinitions: [String: MappingDefinition] = [:], tags: [String] = [], credentials: JSONObject? = nil,
        sshTunnel: JSONObject? = nil, clientCount: Int = 1, processorPoolSize: Int = 1,
        origin: ConfigurationOrigin? = nil, isRequired: Bool = true, status: Status? = nil
    ) {
        self.id = id
        self.name = name
        self.type = type
        self.status = status ?? (isOpen ? .open : .closed)
        self.uri = uri
        self.sources = sources
        self.targets = targets
        self.isFailoverEnabled = isFailoverEnabled
        self.validatesCertificates = validatesCertificates
        self.trustedCertificates = trustedCertificates
        self.specificConfig = specificConfig
        self.mappingDefinitions = mappingDefinitions
        self.tags = tags
        self.credentials = credentials
        self.sshTunnel = sshTunnel
        self.clientCount = clientCount
        self.processorPoolSize = processorPoolSize
        self.origin = origin
        self.isRequired = isRequired
    }

    /// The words of `connectionStatus`. Only `open` means that it should be connected.
    public enum Status: String, CaseIterable, Sendable { case open, closed, failed, misconfigured, unknown }

    /// Whether the connection should be up (`connectionStatus: open`).
    public var isOpen: Bool {
        get { status == .open }
        set { status = newValue ? .open : .closed }
    }

    /// The labels that this connection alone may acknowledge with: those its sources declare and its targets issue
    /// (spec/connectivity.md §6.4). `live-response` belongs to nobody.
    public var ownLabels: Set<AckLabel> {
        Set(sources.flatMap(\.declaredAcks) + targets.compactMap(\.issuedAcknowledgementLabel))
            .subtracting([.liveResponse])
    }
}

/// The versions of TLS that may be asked for; older ones are never used.
public enum TLSVersion: String, Sendable, CaseIterable {
    case tls12 = "TLSv1.2"
    case tls13 = "TLSv1.3"
}

/// What a connection demands of TLS beyond Ditto's model.
public struct TLSDemands: Sendable, Equatable {
    public var minimumVersion = TLSVersion.tls12
    /// Ciphers up to TLS 1.2 in OpenSSL's notation; nil means OpenSSL's own choice.
    public var ciphers: String?

    public init(minimumVersion: TLSVersion = .tls12, ciphers: String? = nil) {
        self.minimumVersion = minimumVersion
        self.ciphers = ciphers
    }
}

/// The file a connection came from and a fingerprint of its text, by which a reload knows what has changed.
public struct ConfigurationOrigin: Sendable, Equatable {
    public var file: String
    /// Line of the connection's first key, counted from 1.
    public var line: Int
    /// Hash of the document's content after substitution of variables, and of the files it refers to.
    public var fingerprint: UInt64
    /// The other files that were read for it: scripts, certificates, secrets.
    public var references: [String]

    public init(file: String, line: Int, fingerprint: UInt64, references: [String] = []) {
        self.file = file
        self.line = line
        self.fingerprint = fingerprint
        self.references = references
    }
}

/// `{scheme}://[user:password@]host:port[/path]` (spec/connectivity.md §1.2).
public struct ConnectionURI: Sendable, Equatable {
    public var scheme: String
    public var user: String?
    public var password: Secret?
    public var host: String
    /// 1…65535.
    public var port: Int
    public var path: String
    /// As it was written; nil for one that was made. Ditto gives it back unchanged, also what it ignores in it.
    var written: Secret?

    public init(
        scheme: String, user: String? = nil, password: Secret? = nil, host: String, port: Int, path: String = ""
    ) {
        self.scheme = scheme
        self.user = user
        self.password = password
        self.host = host
        self.port = port
        self.path = path
    }

    /// `scheme://host:port`, without credentials: for logs and status.
    public var display: String { "\(scheme)://\(host):\(port)" }

    /// Compares what the text means.
    public static func == (left: ConnectionURI, right: ConnectionURI) -> Bool {
        left.scheme == right.scheme && left.user == right.user && left.password == right.password
            && left.host == right.host && left.port == right.port && left.path == right.path
    }
}

/// Text that must not appear in logs, status or errors; its description is `***`.
public struct Secret: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible {
    /// The text itself. Only the code that authenticates may read it.
    public let exposed: String
    public init(_ text: String) { exposed = text }
    public var description: String { "***" }
    public var debugDescription: String { "***" }
}

/// What is read from the broker (spec/connectivity.md §1.4).
public struct Source: Sendable {
    /// Addresses in the broker's own syntax; for MQTT topic filters.
    public var addresses: [String]
    /// 0…2; nil where the binding has none.
    public var qos: Int?
    public var consumerCount: Int
    /// Templates of the subjects under which this source's signals act.
    public var authorizationContext: [PlaceholderTemplate]
    public var enforcement: Enforcement?
    /// Header name (lower case) and template, in the order of the definition.
    public var headerMapping: [HeaderMapping]
    /// Names of mappers; empty means the default `Ditto`.
    public var payloadMapping: [String]
    /// Nil when there is none; one with `isEnabled` false is kept for who reads the definition back.
    public var replyTarget: ReplyTarget?
    /// Labels with which devices behind this source may acknowledge, `{{ connection:id }}` resolved.
    public var declaredAcks: [AckLabel]
    /// What every message of the source asks for (§6.3).
    public var acknowledgementRequests: AcknowledgementRequests?
    /// The declared labels as they were written; empty for a source that was made.
    var writtenDeclaredAcks: [String] = []

    public init(
        addresses: [String], qos: Int? = nil, consumerCount: Int = 1, authorizationContext: [PlaceholderTemplate],
        enforcement: Enforcement? = nil, headerMapping: [HeaderMapping] = [], payloadMapping: [String] = [],
        replyTarget: ReplyTarget? = nil, declaredAcks: [AckLabel] = [],
        acknowledgementRequests: AcknowledgementRequests? = nil
    ) {
        self.declaredAcks = declaredAcks
        self.acknowledgementRequests = acknowledgementRequests
        self.addresses = addresses
        self.qos = qos
        self.consumerCount = consumerCount
        self.authorizationContext = authorizationContext
        self.enforcement = enforcement
        self.headerMapping = headerMapping
        self.payloadMapping = payloadMapping
        self.replyTarget = replyTarget
    }
}

/// Acknowledgements that a source asks for on behalf of its messages (spec/connectivity.md §6.3).
public struct AcknowledgementRequests: Sendable {
    public var includes: [AckLabel]
    /// A pipeline over the labels as JSON text; nil admits them.
    public var filter: PipelineExpression?
    /// The labels as they were written; empty when this was made.
    var writtenIncludes: [String] = []

    public init(includes: [AckLabel], filter: PipelineExpression? = nil) {
        self.includes = includes
        self.filter = filter
    }
}

/// Which entity ids may come from where (spec/connectivity.md §3.2).
public struct Enforcement: Sendable {
    public var input: PlaceholderTemplate
    public var filters: [PlaceholderTemplate]
    public init(input: PlaceholderTemplate, filters: [PlaceholderTemplate]) {
        self.input = input
        self.filters = filters
    }
}

/// One entry of a header mapping.
public struct HeaderMapping: Sendable {
    /// Lower-case name of the header that is written.
    public var name: String
    public var template: PlaceholderTemplate
    /// The name as the definition has it.
    public var writtenName: String
    public init(name: String, template: PlaceholderTemplate, writtenName: String? = nil) {
        self.name = name
        self.template = template
        self.writtenName = writtenName ?? name
    }
}

/// Where answers to commands of a source go (spec/connectivity.md §1.4, §3.4).
public struct ReplyTarget: Sendable {
    /// Kinds of answers that are published.
    public enum ResponseType: String, Sendable, CaseIterable { case response, error, nack }

    public var address: PlaceholderTemplate
    public var headerMapping: [HeaderMapping]
    public var expectedResponseTypes: Set<ResponseType>
    /// Whether answers are sent at all.
    public var isEnabled: Bool

    public init(
        address: PlaceholderTemplate, headerMapping: [HeaderMapping] = [],
        expectedResponseTypes: Set<ResponseType> = [.response, .error], isEnabled: Bool = true
    ) {
        self.isEnabled = isEnabled
        self.address = address
        self.headerMapping = headerMapping
        self.expectedResponseTypes = expectedResponseTypes
    }
}

/// What is sent to the broker (spec/connectivity.md §1.5).
public struct Target: Sendable {
    /// What happens when the broker does not take messages as fast as they come.
    public enum Delivery: String, Sendable, CaseIterable {
        /// The newest message is dropped when the queue is full.
        case ordinary
        /// Events wait in the journal until the broker has taken them.
        case durable
    }

    public var address: PlaceholderTemplate
    public var topics: [TargetTopic]
    public var qos: Int?
    /// Subjects with whose permissions the target sees.
    public var authorizationContext: [String]
    public var headerMapping: [HeaderMapping]
    public var payloadMapping: [String]
    /// `twinspan: {name: …}`; unique in the connection.
    public var name: String?
    /// `twinspan: {delivery: …}`.
    public var delivery: Delivery
    /// `twinspan: {queue: …}`: how many messages may wait for the broker; nil means the default of the queue.
    public var queueLimit: Int?
    /// `twinspan: {rate: …}`: messages a second a durable target sends at most; nil means as fast as it goes.
    public var rateLimit: Int?
    /// The acknowledgement that the broker's confirmation issues, `{{ connection:id }}` resolved (§6.4).
    public var issuedAcknowledgementLabel: AckLabel?
    /// The issued label as it was written; nil for a target that was made.
    var writtenIssuedLabel: String?

    public init(
        address: PlaceholderTemplate, topics: [TargetTopic], qos: Int? = nil, authorizationContext: [String],
        headerMapping: [HeaderMapping] = [], payloadMapping: [String] = [], name: String? = nil,
        delivery: Delivery = .ordinary, queueLimit: Int? = nil, rateLimit: Int? = nil,
        issuedAcknowledgementLabel: AckLabel? = nil
    ) {
        self.rateLimit = rateLimit
        self.issuedAcknowledgementLabel = issuedAcknowledgementLabel
        self.address = address
        self.topics = topics
        self.qos = qos
        self.authorizationContext = authorizationContext
        self.headerMapping = headerMapping
        self.payloadMapping = payloadMapping
        self.name = name
        self.delivery = delivery
        self.queueLimit = queueLimit
    }
}

/// A topic a target subscribes to, with its filters (spec/connectivity.md §1.5.1).
public struct TargetTopic: Sendable {
    /// The closed list of topics.
    public enum Kind: String, Sendable, CaseIterable {
        case twinEvents = "_/_/things/twin/events"
        case liveMessages = "_/_/things/live/messages"
        case liveCommands = "_/_/things/live/commands"
        case liveEvents = "_/_/things/live/events"
        case policyAnnouncements = "_/_/policies/announcements"
        case connectionAnnouncements = "_/_/connections/announcements"
    }

    public var kind: Kind
    /// Exact namespaces; empty admits all.
    public var namespaces: [String]
    public var filter: RQLFilter?
    /// What is added to each signal; keys may hold placeholders.
    public var extraFields: ExtraFields?

    public init(kind: Kind, namespaces: [String] = [], filter: RQLFilter? = nil, extraFields: ExtraFields? = nil) {
        self.kind = kind
        self.namespaces = namespaces
        self.filter = filter
        self.extraFields = extraFields
    }
}

/// The `extraFields` of a topic.
public struct ExtraFields: Sendable {
    /// The selector as written, decoded.
    public var text: String
    /// The template of each selected pointer, without parentheses; an entry that does not resolve is left out.
    public var pointers: [PlaceholderTemplate]
    public init(text: String, pointers: [PlaceholderTemplate]) {
        self.text = text
        self.pointers = pointers
    }
}

/// A mapper with its options under a name of the connection (spec/connectivity.md §1.7).
public struct MappingDefinition: Sendable {
    public var engine: String
    public var options: JSONObject
    /// By their names, in the order of the definition.
    public var incomingConditions: [(name: String, expression: PipelineExpression)]
    public var outgoingConditions: [(name: String, expression: PipelineExpression)]
    /// Where the text of an option stands, for scripts: file and line, counted from 1.
    public var places: [String: (file: String, line: Int)]

    public init(
        engine: String, options: JSONObject = JSONObject(),
        incomingConditions: [(name: String, expression: PipelineExpression)] = [],
        outgoingConditions: [(name: String, expression: PipelineExpression)] = [],
        places: [String: (file: String, line: Int)] = [:]
    ) {
        self.engine = engine
        self.options = options
        self.incomingConditions = incomingConditions
        self.outgoingConditions = outgoingConditions
        self.places = places
    }
}
