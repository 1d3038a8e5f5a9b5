// Ditto Protocol messages inside CloudEvents (spec/mapping.md §5.7).
import TwinspanJSON
public import TwinspanProtocol

/// Takes CloudEvents of both content modes in, and gives structured ones out.
public struct CloudEventsMapper: PayloadMapper {
    public let name: String

    public static let engine = MapperEngine(name: "CloudEvents") { definition in
        .mapper(CloudEventsMapper(name: definition.name))
    }

    private static let structuredType = "application/cloudevents+json"
    private static let attributes = ["specversion", "id", "type", "source"]
    private static let source = "https://github.com/eclipse-ditto/ditto"

    public init(name: String = "CloudEvents") {
        self.name = name
    }

    // MARK: Inbound

    public func inbound(
        _ message: InboundMessage, _ scene: MappingScene, scratch: inout [UInt8]
    ) throws(MappingFailure) -> MappedSignals {
        switch message.headers.contentType {
        case DittoMapper.contentType: try binary(message, scene, scratch: &scratch)
        case Self.structuredType: try structured(message, scene, scratch: &scratch)
        default: .none
        }
    }

    private func binary(
        _ message: InboundMessage, _ scene: MappingScene, scratch: inout [UInt8]
    ) throws(MappingFailure) -> MappedSignals {
        for attribute in Self.attributes where (message.headers.value("ce-" + attribute) ?? "").isEmpty {
            throw Self.noEvent("The header 'ce-\(attribute)' is missing.")
        }
        guard !message.payload.isEmpty else { throw MappingFailure(error: .payloadAbsent) }
        var envelope = try Envelope.parse(message.payload, scratch: &scratch, limits: scene.limits)
        envelope.headers.correlationID = message.headers.value("ce-id")
        return .one(envelope)
    }

    private func structured(
        _ message: InboundMessage, _ scene: MappingScene, scratch: inout [UInt8]
    ) throws(MappingFailure) -> MappedSignals {
        guard !message.payload.isEmpty else { throw MappingFailure(error: .payloadAbsent) }
        let document: JSONValue
        do throws(JSONSyntaxError) {
            document = try JSONValue.parse(message.payload, limits: scene.limits)
        } catch {
            throw Self.noEvent("The payload is not valid JSON: \(error).")
        }
        guard let event = document.object else { throw Self.noEvent("The payload is not a JSON object.") }
        for attribute in Self.attributes where (event[attribute]?.string ?? "").isEmpty {
            throw Self.noEvent("The attribute '\(attribute)' is missing.")
        }
        guard let bytes = Self.content(of: event) else {
            throw MappingFailure(
                error: GeneralErrorTable.mappingFailed.error(
                    "The CloudEvent carries no usable data.",
                    description: "Put the Ditto Protocol message into 'data', or its Base64 into 'data_base64'."))
        }
        let parsed = bytes.withUnsafeBytes { bytes -> Result<Envelope, MappingFailure> in
            do throws(MappingFailure) {
                return .success(try Envelope.parse(bytes, scratch: &scratch, limits: scene.limits))
            } catch {
                return .failure(error)
            }
        }
        var envelope = try parsed.get()
        envelope.headers.correlationID = event["id"]?.string
        return .one(envelope)
    }

    /// The bytes of `data_base64`, else `data`, whose text may hold the JSON too.
    private static func content(of event: JSONObject) -> [UInt8]? {
        if let encoded = event["data_base64"], !encoded.isNull { return encoded.string.flatMap { Base64.decode($0) } }
        guard let content = event["data"], !content.isNull else { return nil }
        return content.string.map { Array($0.utf8) } ?? content.bytes
    }

    private static func noEvent(_ why: String) -> MappingFailure {
        MappingFailure(
            error: GeneralErrorTable.mappingFailed.error("This is not a CloudEvent", description: why))
    }

    // MARK: Outbound

    public func outbound(_ signal: OutboundSignal, _ scene: MappingScene) throws(TwinspanError) -> [MappedMessage] {
        let envelope = try signal.envelope()
        let topic = envelope.topic
        var payload: [UInt8] = []
        payload.reserveCapacity(signal.bytes.count + 384)
        func member(_ key: StaticString, _ text: String) {
            key.withUTF8Buffer { payload.append(contentsOf: $0) }
            JSONText.writeString(text, into: &payload)
        }
        let kind = topic.text.utf8.dropFirst(topic.namespace.utf8.count + topic.name.utf8.count + 2)
        member(#"{"specversion":"#, "1.0")
        member(#","id":"#, signal.correlationID ?? Self.uuid())
        member(#","source":"#, Self.source)
        member(#","type":"#, "org.eclipse.ditto.outbound:\(String(Substring(kind)))")
        member(#","datacontenttype":"#, DittoMapper.contentType)
        member(#","time":"#, envelope.timestamp ?? scene.now.iso8601)
        member(#","subject":"#, topic.entityID)
        payload.append(contentsOf: #","data":"#.utf8)
        payload.append(contentsOf: signal.bytes)
        payload.append(UInt8(ascii: "}"))
        var headers = [(name: "content-type", value: Self.structuredType)]
        if let correlationID = signal.correlationID { headers.append((name: "correlation-id", value: correlationID)) }
        return [MappedMessage(payload: payload, headers: headers)]
    }

    /// A UUID of version 4. Nearly every signal has a correlation id, so this is the exception.
    private static func uuid() -> String {
        var system = SystemRandomNumberGenerator()
        let high = system.next() & ~0xF000 | 0x4000
        let low = system.next() & ~(0b11 << 62) | (0b10 << 62)
        let digits = [high, low].map { word in
            let text = String(word, radix: 16)
            return String(repeating: "0", count: 16 - text.utf8.count) + text
        }.joined()
        var parts: [String] = []
        var rest = Substring(digits)
        for length in [8, 4, 4, 4, 12] {
            parts.append(String(rest.prefix(length)))
            rest = rest.dropFirst(length)
        }
        return parts.joined(separator: "-")
    }
}
