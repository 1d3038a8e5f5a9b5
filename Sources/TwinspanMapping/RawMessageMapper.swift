// Messages to and from things with nothing around their payload (spec/mapping.md §5.3).
import TwinspanExpressions
import TwinspanJSON
public import TwinspanProtocol

/// Puts the payload of live messages on the wire as it is; everything else is as with the mapper `Ditto`.
public struct RawMessageMapper: PayloadMapper {
    public let name: String
    private let outgoingContentType: String
    private let contentType: PlaceholderTemplate
    private let direction: PlaceholderTemplate
    private let thingID: PlaceholderTemplate
    private let subject: PlaceholderTemplate
    private let featureID: PlaceholderTemplate
    private let status: PlaceholderTemplate
    private let ditto: DittoMapper

    public static let engine = MapperEngine(
        name: "RawMessage", blockedContentTypes: DittoMapper.honoNotifications
    ) { definition throws(TwinspanError) in .mapper(try RawMessageMapper(definition)) }

    /// Throws `connectivity:message.mapper.config.invalid` for its options `outgoingContentType` and
    /// `incomingMessageHeaders`.
    public init(_ definition: MapperDefinition) throws(TwinspanError) {
        let options = MapperOptions(definition)
        name = definition.name
        ditto = DittoMapper(name: definition.name)
        outgoingContentType = try options.text("outgoingContentType") ?? "text/plain; charset=UTF-8"
        let given = try options.object("incomingMessageHeaders") ?? JSONObject()
        func template(_ header: String, _ standard: String) throws(TwinspanError) -> PlaceholderTemplate {
            let value = given[header] ?? .string(standard)
            guard value.array == nil, value.object == nil else {
                throw options.invalid("incomingMessageHeaders", "The header '\(header)' needs text.")
            }
            return try options.template(value.string ?? value.text, "incomingMessageHeaders", .rawMessageHeaders)
        }
        contentType = try template(
            "content-type", "{{ header:content-type | fn:default('application/octet-stream') }}")
        direction = try template(
            "ditto-message-direction", "{{ header:ditto-message-direction | fn:default('TO') }}")
        thingID = try template("ditto-message-thing-id", "{{ header:ditto-message-thing-id }}")
        subject = try template("ditto-message-subject", "{{ header:ditto-message-subject }}")
        featureID = try template("ditto-message-feature-id", "{{ header:ditto-message-feature-id }}")
        status = try template("status", "{{ header:status }}")
    }

    public var limitsSignals: Bool { true }

    // MARK: Inbound

    public func inbound(
        _ message: InboundMessage, _ scene: MappingScene, scratch: inout [UInt8]
    ) throws(MappingFailure) -> MappedSignals {
        let resolver = scene.resolver(message.headers)
        guard let contentType = contentType.resolve(resolver).first else {
            throw MappingFailure(
                error: MessageErrorTable.formatInvalid.error(
                    "The content type of the message is not known.",
                    description: "Send the header content-type, or give it in the option 'incomingMessageHeaders'."))
        }
        if Self.isDitto(contentType) { return try ditto.inbound(message, scene, scratch: &scratch) }
        do throws(TwinspanError) {
            return .one(try live(message.payload, contentType, resolver, scene).envelope)
        } catch {
            throw MappingFailure(error: error)
        }
    }

    private func live(
        _ payload: UnsafeRawBufferPointer, _ contentType: String, _ resolver: SignalResolver, _ scene: MappingScene
    ) throws(TwinspanError) -> Message {
        let thingID = try ThingID(try required(thingID, "ditto-message-thing-id", resolver))
        let subject = try required(subject, "ditto-message-subject", resolver)
        let way = try required(direction, "ditto-message-direction", resolver)
        let direction: Message.Direction
        switch way.uppercased() {
        case "TO": direction = .inbox
        case "FROM": direction = .outbox
        default:
            throw GeneralErrorTable.mappingFailed.error(
                "The message direction '\(way.shortened)' is not known.", description: "Use TO or FROM.")
        }
        var status: Int?
        if let text = self.status.resolve(resolver).first {
            guard let number = Int(text), (100...599).contains(number) else {
                throw GeneralErrorTable.mappingFailed.error(
                    "The status '\(text.shortened)' of the message is not valid.",
                    description: "Use a number from 100 to 599, or leave it out for a message that is no answer.")
            }
            status = number
        }
        var headers = DittoHeaders()
        headers[.contentType] = .string(contentType)
        return Message(
            thingID: thingID, featureID: featureID.resolve(resolver).first, direction: direction, subject: subject,
            value: try MessagePayload(contentType: contentType).value(of: Array(payload)), headers: headers,
            status: status)
    }

    private func required(
        _ template: PlaceholderTemplate, _ header: String, _ resolver: SignalResolver
    ) throws(TwinspanError) -> String {
        guard let text = template.resolve(resolver).first, !text.isEmpty else {
            throw GeneralErrorTable.mappingFailed.error(
                "The message has no '\(header)'.",
                description: "Send it as a header, or give it in the option 'incomingMessageHeaders'.")
        }
        return text
    }

    // MARK: Outbound

    public func outbound(_ signal: OutboundSignal, _ scene: MappingScene) throws(TwinspanError) -> [MappedMessage] {
        let envelope = try signal.envelope()
        guard case .messages(let subject) = envelope.topic.criterion, envelope.topic.channel == .live else {
            return ditto.outbound(signal, scene)
        }
        let contentType = envelope.headers.text(.contentType) ?? outgoingContentType
        if Self.isDitto(contentType) { return ditto.outbound(signal, scene) }
        var headers = [(name: "content-type", value: contentType)]
        var segments = envelope.path.segments[...]
        if segments.first == "features", segments.count > 2 {
            headers.append((name: "ditto-message-feature-id", value: segments[1]))
            segments = segments.dropFirst(2)
        }
        let way = segments.first == Message.Direction.outbox.rawValue ? "FROM" : "TO"
        headers.append((name: "ditto-message-direction", value: way))
        headers.append((name: "ditto-message-subject", value: subject))
        headers.append((name: "ditto-message-thing-id", value: envelope.topic.entityID))
        if let status = envelope.status { headers.append((name: "status", value: String(status))) }
        if let correlationID = signal.correlationID { headers.append((name: "correlation-id", value: correlationID)) }
        let isBinary = envelope.value != nil && MessagePayload(contentType: contentType) == .base64
        return [
            MappedMessage(payload: try Self.body(envelope.value, contentType), headers: headers, isBinary: isBinary)
        ]
    }

    private static func body(_ value: JSONText?, _ contentType: String) throws(TwinspanError) -> [UInt8] {
        guard let value else { return [] }
        let form = MessagePayload(contentType: contentType)
        guard form == .base64, let text = value.value.string else { return form.bytes(of: value) }
        guard let bytes = Base64.decode(text) else {
            throw MessageErrorTable.formatInvalid.error(
                "The payload of the message is not Base64.",
                description: "Messages of the type '\(contentType.shortened)' carry their bytes as Base64.")
        }
        return bytes
    }

    /// Whether a content type is that of envelopes, whatever its parameters are.
    private static func isDitto(_ contentType: String) -> Bool {
        let type = contentType.utf8.prefix { $0 != UInt8(ascii: ";") && $0 != 0x20 }
        return String(Substring(type)).lowercased() == DittoMapper.contentType
    }
}
