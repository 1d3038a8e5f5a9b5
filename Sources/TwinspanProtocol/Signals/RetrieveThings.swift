// Several things in one answer (spec/protocol.md §6.2, RetrieveThings).
public import TwinspanJSON

/// A retrieve of several things; the answer has those that exist and can be read, in the order of the request.
public struct RetrieveThings: Sendable {
    /// The namespace of the topic; nil for `_`.
    public var namespace: String?
    public var thingIDs: [ThingID]
    public var headers: DittoHeaders
    public var fields: JSONFieldSelector?
    public var channel: TopicPath.Channel

    public init(
        namespace: String? = nil, thingIDs: [ThingID], headers: DittoHeaders = DittoHeaders(),
        fields: JSONFieldSelector? = nil, channel: TopicPath.Channel = .twin
    ) {
        self.namespace = namespace
        self.thingIDs = thingIDs
        self.headers = headers
        self.fields = fields
        self.channel = channel
    }
}
