// The default mapper: the payload is a Ditto Protocol message (spec/mapping.md §5.1).
public import TwinspanProtocol

/// Reads and writes Ditto Protocol envelopes.
public struct DittoMapper: PayloadMapper {
    public let name: String

    /// Content types of Hono's notifications, which are not signals (§4.3).
    public static let honoNotifications = [
        "application/vnd.eclipse-hono-empty-notification",
        "application/vnd.eclipse-hono-device-provisioning-notification",
        "application/vnd.eclipse-hono-dc-notification+json",
        "application/vnd.eclipse-hono-delivery-failure-notification+json",
    ]

    public static let engine = MapperEngine(name: "Ditto", blockedContentTypes: honoNotifications) { definition in
        .mapper(DittoMapper(name: definition.name))
    }

    public init(name: String = "Ditto") {
        self.name = name
    }

    public func inbound(
        _ message: InboundMessage, _ scene: MappingScene, scratch: inout [UInt8]
    ) throws(MappingFailure) -> MappedSignals {
        guard !message.payload.isEmpty else {
            throw MappingFailure(
                error: GeneralErrorTable.mappingFailed.error(description: "The payload was absent or empty."))
        }
        return .one(try Envelope.parse(message.payload, scratch: &scratch, limits: scene.limits))
    }

    public func outbound(_ signal: OutboundSignal, _ scene: MappingScene) -> [MappedMessage] {
        var headers = [(name: "content-type", value: "application/vnd.eclipse.ditto+json")]
        if let correlationID = signal.correlationID { headers.append((name: "correlation-id", value: correlationID)) }
        return [MappedMessage(payload: signal.bytes, headers: headers)]
    }
}
