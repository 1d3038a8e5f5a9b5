// The default mapper: the payload is a Ditto Protocol message (spec/mapping.md §5.1), or, which is our extension, an
// array of them.
import TwinspanJSON
public import TwinspanProtocol

/// Reads and writes Ditto Protocol envelopes.
public struct DittoMapper: PayloadMapper {
    public let name: String

    /// The content type of envelopes.
    public static let contentType = "application/vnd.eclipse.ditto+json"

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

    /// The most envelopes one array may hold.
    public static let envelopesMax = 1000

    public init(name: String = "Ditto") {
        self.name = name
    }

    public var readsHeaders: Bool { false }
    public var limitsSignals: Bool { true }

    public func inbound(
        _ message: InboundMessage, _ scene: MappingScene, scratch: inout [UInt8]
    ) throws(MappingFailure) -> MappedSignals {
        try Self.signals(message.payload, scene.limits, scratch: &scratch, mapper: name)
    }

    public func outbound(_ signal: OutboundSignal, _ scene: MappingScene) -> [MappedMessage] {
        var headers = [(name: "content-type", value: Self.contentType)]
        if let correlationID = signal.correlationID { headers.append((name: "correlation-id", value: correlationID)) }
        return [MappedMessage(payload: signal.bytes, headers: headers)]
    }

    /// The envelope, or the envelopes of an array, that a payload holds.
    static func signals(
        _ payload: UnsafeRawBufferPointer, _ limits: JSONLimits, scratch: inout [UInt8], mapper: String
    ) throws(MappingFailure) -> MappedSignals {
        guard !payload.isEmpty else { throw MappingFailure(error: .payloadAbsent) }
        if beginsArray(payload) { return try array(payload, limits, scratch: &scratch, mapper: mapper) }
        return .one(try Envelope.parse(payload, scratch: &scratch, limits: limits))
    }

    /// Whether the first byte that is no white space opens an array.
    private static func beginsArray(_ payload: UnsafeRawBufferPointer) -> Bool {
        for byte in payload {
            switch byte {
            case 0x20, 0x09, 0x0A, 0x0D: continue
            default: return byte == UInt8(ascii: "[")
            }
        }
        return false
    }

    /// One element that cannot be read fails all: half of a message cannot be given back to the broker.
    private static func array(
        _ payload: UnsafeRawBufferPointer, _ limits: JSONLimits, scratch: inout [UInt8], mapper: String
    ) throws(MappingFailure) -> MappedSignals {
        var bytes: [UInt8] = []
        do throws(JSONSyntaxError) {
            try JSONText.compact(payload, into: &bytes, limits: limits) { _, _ in }
        } catch {
            throw MappingFailure(error: .jsonInvalid(error))
        }
        let text = JSONText(uncheckedBytes: bytes)
        var elements: [Range<Int>] = []
        text.forEachElement { range in
            elements.append(range)
            return true
        }
        guard elements.count <= envelopesMax else {
            throw MappingFailure(error: .tooManyMapped(mapper, elements.count, limit: envelopesMax))
        }
        var envelopes: [Envelope] = []
        envelopes.reserveCapacity(elements.count)
        for (index, range) in elements.enumerated() {
            // A closure with a typed error cannot be told apart from an untyped one here, so the result is carried out.
            let parsed = text.bytes.withUnsafeBytes { bytes -> Result<Envelope, MappingFailure> in
                do throws(MappingFailure) {
                    let element = UnsafeRawBufferPointer(rebasing: bytes[range])
                    return .success(try Envelope.parse(element, scratch: &scratch, limits: limits))
                } catch {
                    return .failure(error)
                }
            }
            switch parsed {
            case .success(let envelope): envelopes.append(envelope)
            case .failure(let failure): throw failure.inElement(index)
            }
        }
        return envelopes.isEmpty ? .none : .many(envelopes)
    }
}

extension MappingFailure {
    /// The failure of one element of an array.
    fileprivate func inElement(_ index: Int) -> MappingFailure {
        let named = TwinspanError(
            code: error.code, status: error.status,
            message: "Element \(index) of the array, counted from 0: \(error.message)",
            description: error.description, href: error.href)
        return MappingFailure(error: named, headers: headers, topic: topic)
    }
}
