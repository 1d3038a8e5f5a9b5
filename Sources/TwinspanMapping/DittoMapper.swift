// The default mapper: the payload is a Ditto Protocol message (spec/mapping.md §5.1).
public import TwinspanJSON
public import TwinspanProtocol

/// Reads and writes Ditto Protocol envelopes.
public struct DittoMapper: PayloadMapper {
    public let name = "Ditto"

    /// Content types of Hono's notifications, which are not signals (§4.3).
    private static let blockedContentTypes: Set<String> = [
        "application/vnd.eclipse-hono-empty-notification",
        "application/vnd.eclipse-hono-device-provisioning-notification",
        "application/vnd.eclipse-hono-dc-notification+json",
        "application/vnd.eclipse-hono-delivery-failure-notification+json",
    ]

    public init() {}

    public func inbound(
        _ payload: UnsafeRawBufferPointer, contentType: String?, scratch: inout [UInt8], limits: JSONLimits
    ) throws(MappingFailure) -> MappedSignals {
        if let contentType, Self.blockedContentTypes.contains(contentType) { return .none }
        guard !payload.isEmpty else {
            throw MappingFailure(
                error: GeneralErrorTable.mappingFailed.error(description: "The payload was absent or empty."))
        }
        return .one(try Envelope.parse(payload, scratch: &scratch, limits: limits))
    }

    public func outbound(_ envelope: [UInt8], correlationID: String?) -> [MappedMessage] {
        var headers = [(name: "content-type", value: "application/vnd.eclipse.ditto+json")]
        if let correlationID { headers.append((name: "correlation-id", value: correlationID)) }
        return [MappedMessage(payload: envelope, headers: headers)]
    }
}
