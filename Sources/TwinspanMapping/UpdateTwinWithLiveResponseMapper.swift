// Keeps in the twin what a device answers to live retrieves (spec/mapping.md §5.6).
import TwinspanExpressions
import TwinspanJSON
public import TwinspanProtocol

/// Makes a merge command of each answer to a live retrieve; gives nothing out. Beside it stands the mapper `Ditto`,
/// which hands the answer itself on.
public struct UpdateTwinWithLiveResponseMapper: PayloadMapper {
    public let name: String
    private let headers: HeaderTemplates

    public static let engine = MapperEngine(
        name: "UpdateTwinWithLiveResponse", blockedContentTypes: DittoMapper.honoNotifications
    ) { definition throws(TwinspanError) in .mapper(try UpdateTwinWithLiveResponseMapper(definition)) }

    private static let standardHeaders: JSONObject = ["response-required": false, "if-match": "*"]

    /// Throws `connectivity:message.mapper.config.invalid` for its option `dittoHeadersForMerge`.
    public init(_ definition: MapperDefinition) throws(TwinspanError) {
        let options = MapperOptions(definition)
        name = definition.name
        headers = try HeaderTemplates(
            try options.object("dittoHeadersForMerge") ?? Self.standardHeaders, option: "dittoHeadersForMerge",
            scope: .liveResponseHeaders, options)
    }

    public var limitsSignals: Bool { true }

    /// What cannot be read is none of its business: the mapper beside it says so.
    public func inbound(
        _ message: InboundMessage, _ scene: MappingScene, scratch: inout [UInt8]
    ) -> MappedSignals {
        // An unreadable payload gives nothing, whatever is wrong with it (§5.6).
        let signals = try? DittoMapper.signals(message.payload, scene.limits, scratch: &scratch, mapper: name)
        switch signals {
        case nil, .some(.none): return .none
        case .one(let envelope):
            return merge(envelope, message, scene).map { .one($0) } ?? .none
        case .many(let envelopes):
            let merges = envelopes.compactMap { merge($0, message, scene) }
            return merges.isEmpty ? .none : .many(merges)
        }
    }

    public func outbound(_ signal: OutboundSignal, _ scene: MappingScene) -> [MappedMessage] { [] }

    private func merge(_ answer: Envelope, _ message: InboundMessage, _ scene: MappingScene) -> Envelope? {
        guard answer.topic.group == .things, answer.topic.channel == .live,
            case .commands(.retrieve) = answer.topic.criterion,
            let status = answer.status, (200..<300).contains(status), let value = answer.value,
            // Answers about several things, and paths of nothing, are no answers about one thing.
            (try? ThingID(answer.topic.entityID)) != nil, answer.topic.name != "_",
            (try? ThingResource(answer.path)) != nil
        else { return nil }
        var headers = DittoHeaders()
        self.headers.set(in: &headers, scene.resolver(message.headers))
        headers.correlationID = answer.headers.correlationID.map { $0 + "-merge-into-twin" }
        headers[.contentType] = "application/merge-patch+json"
        var topic = answer.topic
        topic.channel = .twin
        topic.criterion = .commands(.merge)
        return Envelope(topic: topic, headers: headers, path: answer.path, value: value)
    }
}
