// Which placeholders a configuration position allows (spec/mapping.md §2.2). One static member per position, so that
// the table of the specification is read here once.

/// The placeholders that may stand in one position of a configuration.
public struct PlaceholderScope: Sendable, Hashable {
    /// The position for messages, with its article: `a target address`.
    public let position: String
    let prefixes: [PlaceholderPrefix]
    /// When not empty, only these exact placeholders are allowed.
    let exact: [Placeholder]

    /// - Parameters:
    ///   - position: words for messages, with article.
    ///   - prefixes: allowed prefixes, in the order in which a message lists them.
    ///   - exact: when not empty, only these placeholders of those prefixes.
    public init(position: String, prefixes: [PlaceholderPrefix], exact: [Placeholder] = []) {
        self.position = position
        self.prefixes = prefixes
        self.exact = exact
    }

    private static let fullSet: [PlaceholderPrefix] = [
        .thing, .entity, .feature, .topic, .header, .resource, .thingJSON, .request, .time, .connection,
    ]

    // MARK: Connections

    /// Source `authorizationContext`.
    public static let sourceAuthorization = PlaceholderScope(
        position: "the authorization context of a source", prefixes: [.header])
    /// Target `authorizationContext`: constants only.
    public static let targetAuthorization = PlaceholderScope(
        position: "the authorization context of a target", prefixes: [])
    /// `headerMapping` of sources, targets and reply targets.
    public static let headerMapping = PlaceholderScope(position: "a header mapping", prefixes: fullSet)
    /// `headerMapping` of an MQTT 3.1.1 source, which has three headers only.
    public static let mqttSourceHeaderMapping = PlaceholderScope(
        position: "the header mapping of an MQTT 3.1.1 source", prefixes: [.header],
        exact: [.header("mqtt.topic"), .header("mqtt.qos"), .header("mqtt.retain")])
    /// `address` of targets and reply targets.
    public static let address = PlaceholderScope(position: "a target address", prefixes: fullSet)
    /// Source `addresses`: constants only.
    public static let sourceAddress = PlaceholderScope(position: "a source address", prefixes: [])
    /// `enforcement.input` of bindings whose messages have headers.
    public static let enforcementInput = PlaceholderScope(position: "an enforcement input", prefixes: [.header])
    /// `enforcement.input` of MQTT 3.1.1.
    public static let mqttEnforcementInput = PlaceholderScope(
        position: "the enforcement input of an MQTT 3.1.1 source", prefixes: [.source])
    /// `enforcement.input` of MQTT 5, which has headers and a topic.
    public static let mqtt5EnforcementInput = PlaceholderScope(
        position: "the enforcement input of an MQTT 5 source", prefixes: [.header, .source])
    /// `enforcement.filters`.
    public static let enforcementFilter = PlaceholderScope(
        position: "an enforcement filter", prefixes: [.entity, .thing, .policy, .feature])
    /// Property names in the RQL `filter` of a target topic, without braces.
    public static let topicFilter = PlaceholderScope(
        position: "the filter of a topic",
        prefixes: [.topic, .resource, .time, .entity, .thing, .feature, .header])
    /// `extraFields` of a topic. Policies are listed for enrichment, see spec/http.md §12.
    public static let extraFields = PlaceholderScope(position: "extraFields", prefixes: fullSet + [.policy])
    /// `declaredAcks` and `issuedAcknowledgementLabel`.
    public static let acknowledgementLabel = PlaceholderScope(
        position: "an acknowledgement label", prefixes: [.connection])
    /// `acknowledgementRequests.filter`.
    public static let acknowledgementFilter = PlaceholderScope(
        position: "the filter of acknowledgement requests", prefixes: fullSet)
    /// Kafka `groupId`.
    public static let kafkaGroupID = PlaceholderScope(position: "a consumer group id", prefixes: [.connection])

    // MARK: Mappers

    /// `incomingConditions` and `outgoingConditions`.
    public static let mapperCondition = PlaceholderScope(position: "a mapper condition", prefixes: fullSet)
    /// Options `thing` and `commandHeaders` of ImplicitThingCreation.
    public static let implicitThing = PlaceholderScope(
        position: "the template of an implicit thing", prefixes: [.header, .request, .time])
    /// Option `dittoHeadersForMerge` of UpdateTwinWithLiveResponse.
    public static let liveResponseHeaders = PlaceholderScope(
        position: "the headers of a live response merge", prefixes: [.header, .request, .time])
    /// Options of ConnectionStatus.
    public static let connectionStatus = PlaceholderScope(
        position: "a ConnectionStatus option", prefixes: [.header])
    /// Option `incomingMessageHeaders` of RawMessage.
    public static let rawMessageHeaders = PlaceholderScope(
        position: "the headers of a raw message", prefixes: [.header])

    // MARK: Policies and tokens

    /// Subject ids of policies sent by a client.
    public static let policySubject = PlaceholderScope(position: "a subject id", prefixes: [.request])
    /// `auth-subjects` of an identity provider.
    public static let tokenSubject = PlaceholderScope(position: "a token subject", prefixes: [.jwt])
    /// `token-integration-subject`.
    public static let tokenIntegrationSubject = PlaceholderScope(
        position: "the token integration subject", prefixes: [.jwt, .policyEntry, .header])
    /// `prerequisite-conditions` and `namespace-access` conditions.
    public static let tokenCondition = PlaceholderScope(position: "a token condition", prefixes: [.jwt, .header])
    /// Values of a migration payload.
    public static let migrationPayload = PlaceholderScope(
        position: "a migration payload", prefixes: [.thingJSON])

    /// One sentence that lists what is allowed, e.g. `Allowed in an acknowledgement label: connection:id.`
    public var allowedDescription: String {
        guard !prefixes.isEmpty else { return "No placeholder is allowed in \(position); write a constant." }
        let listing = exact.isEmpty ? prefixes.map(\.listing) : exact.map(\.text)
        return "Allowed in \(position): \(listing.joined(separator: ", "))."
    }

    func allows(_ placeholder: Placeholder, prefix: PlaceholderPrefix) -> Bool {
        prefixes.contains(prefix) && (exact.isEmpty || exact.contains(placeholder))
    }

    /// ` Did you mean '…'?`, or nothing.
    func suggestion(for text: String) -> String {
        NearestName.hint(for: text, among: candidates(for: text))
    }

    /// Allowed placeholders that someone who wrote `text` may have meant.
    func candidates(for text: String) -> [String] {
        var candidates = exact.map(\.text)
        if exact.isEmpty {
            for prefix in prefixes { candidates += prefix.names.map { "\(prefix.rawValue):\($0)" } }
            // Of `headr:device_id` only the prefix can be corrected.
            if let name = text.after(":"), !name.isEmpty {
                candidates += prefixes.filter(\.names.isEmpty).map { "\($0.rawValue):\(name)" }
            }
        }
        return candidates.filter { $0 != text }
    }
}
