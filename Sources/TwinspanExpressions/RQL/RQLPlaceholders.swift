// Which placeholders a filter may use as properties depends on where it stands (spec/policies-search.md B.6).

/// The placeholders that are registered as property names, without braces. `time:` as a value is allowed everywhere.
public struct RQLPlaceholders: Sendable, Hashable {
    let scope: PlaceholderScope

    public init(_ scope: PlaceholderScope) {
        self.scope = scope
    }

    /// `condition`, `live-channel-condition`, patch conditions, pre-defined extra fields: thing fields only.
    public static let condition = RQLPlaceholders(PlaceholderScope(position: "a condition", prefixes: []))
    /// Filters of streams of persisted events: thing fields only.
    public static let history = RQLPlaceholders(PlaceholderScope(position: "a history filter", prefixes: []))
    /// Filters of server-sent events.
    public static let serverSentEvents = RQLPlaceholders(
        PlaceholderScope(position: "a stream filter", prefixes: [.topic, .resource, .time]))
    /// Filters of WebSocket subscriptions.
    public static let webSocket = RQLPlaceholders(
        PlaceholderScope(
            position: "a subscription filter",
            prefixes: [.topic, .resource, .entity, .thing, .feature, .header, .time]))
    /// Filters in the topics of connection targets.
    public static let connection = RQLPlaceholders(.topicFilter)
}
