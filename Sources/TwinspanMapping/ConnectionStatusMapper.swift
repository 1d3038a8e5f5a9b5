// How long a device will be there, from the headers that Hono sends with each message (spec/mapping.md §5.4).
import TwinspanExpressions
import TwinspanJSON
public import TwinspanProtocol

/// Keeps a feature that says from when until when a device is ready; gives nothing out.
public struct ConnectionStatusMapper: PayloadMapper {
    public let name: String
    private let thingID: PlaceholderTemplate
    private let featureID: PlaceholderTemplate

    public static let engine = MapperEngine(name: "ConnectionStatus", needsOptions: true) {
        definition throws(TwinspanError) in .mapper(try ConnectionStatusMapper(definition))
    }

    /// For devices that stay.
    private static let endOfTime = "9999-12-31T23:59:59Z"

    /// Throws `connectivity:message.mapper.config.invalid` for its options `thingId` and `featureId`.
    public init(_ definition: MapperDefinition) throws(TwinspanError) {
        let options = MapperOptions(definition)
        name = definition.name
        thingID = try options.template(try options.requiredText("thingId"), "thingId", .connectionStatus)
        featureID = try options.template(
            try options.text("featureId") ?? "ConnectionStatus", "featureId", .connectionStatus)
        if let constant = thingID.constant {
            do throws(TwinspanError) { _ = try ThingID(constant) } catch {
                throw options.invalid("thingId", error.message)
            }
        }
        if let constant = featureID.constant, !ThingResource.isLegalKey(constant) {
            throw options.invalid("featureId", "'\(constant.shortened)' is no feature id.")
        }
    }

    /// A message that does not say what is needed is left out without an error: not every message does.
    public func inbound(
        _ message: InboundMessage, _ scene: MappingScene, scratch: inout [UInt8]
    ) -> MappedSignals {
        guard let creation = message.headers.value("creation-time").flatMap({ Int64($0) }), creation >= 0,
            let ttd = message.headers.value("ttd").flatMap({ Int64($0) }), ttd >= -1
        else { return .none }
        let resolver = scene.resolver(message.headers)
        let (duration, isTooLong) = ttd.multipliedReportingOverflow(by: 1000)
        let (until, isTooLate) = creation.addingReportingOverflow(duration)
        guard !isTooLong, !isTooLate, let featureID = featureID.resolve(resolver).first,
            ThingResource.isLegalKey(featureID),
            // An id that is none is left out like the rest.
            let thingID = try? ThingID(thingID.resolve(resolver).first ?? "")
        else { return .none }
        let since = Timestamp(milliseconds: creation).iso8601
        let feature = JSONPointer(segments: ["features", featureID])
        switch ttd {
        case 0:
            let path = feature.appending(JSONPointer(segments: ["properties", "status", "readyUntil"]))
            return .one(Self.modify(thingID, path, .string(since)))
        case -1: return .one(Self.modify(thingID, feature, Self.feature(since, Self.endOfTime)))
        default:
            let until = Timestamp(milliseconds: until).iso8601
            return .one(Self.modify(thingID, feature, Self.feature(since, until)))
        }
    }

    public func outbound(_ signal: OutboundSignal, _ scene: MappingScene) -> [MappedMessage] { [] }

    private static func feature(_ since: String, _ until: String) -> JSONValue {
        [
            "definition": ["org.eclipse.ditto:ConnectionStatus:1.0.0"],
            "properties": ["status": ["readySince": .string(since), "readyUntil": .string(until)]],
        ]
    }

    private static func modify(_ thingID: ThingID, _ path: JSONPointer, _ value: JSONValue) -> Envelope {
        var headers = DittoHeaders()
        headers[.responseRequired] = false
        headers[.requestedAcks] = .array([])
        let topic = TopicPath(
            namespace: thingID.namespace, name: thingID.name, group: .things, channel: .twin,
            criterion: .commands(.modify))
        return Envelope(topic: topic, headers: headers, path: path, value: JSONText(value))
    }
}
