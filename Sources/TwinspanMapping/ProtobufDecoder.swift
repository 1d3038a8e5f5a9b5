// Protocol Buffers as JSON for the mappers behind it. Our extension.
import TwinspanJSON
public import TwinspanProtocol

/// Reads one message of a configured type per payload, and writes it as the proto3 JSON mapping says.
public struct ProtobufDecoder: PayloadDecoder {
    public let name: String
    private let schema: ProtobufSchema
    private let form: ProtobufReader.Form

    public static let engine = MapperEngine(
        name: "Protobuf", needsOptions: true, blockedContentTypes: DittoMapper.honoNotifications
    ) { definition throws(TwinspanError) in .decoder(try ProtobufDecoder(definition)) }

    /// The largest `descriptorSet`, as Base64.
    private static let descriptorBytesMax = 8 << 20

    /// Throws `connectivity:message.mapper.config.invalid` for its options `descriptorSet` (Base64 of a
    /// FileDescriptorSet), `message`, `int64` and `includeDefaults`.
    public init(_ definition: MapperDefinition) throws(TwinspanError) {
        let options = MapperOptions(definition)
        name = definition.name
        let encoded = try options.requiredText("descriptorSet")
        let given = try options.requiredText("message")
        let message = given.hasPrefix(".") ? String(given.dropFirst()) : given
        var form = ProtobufReader.Form()
        switch try options.text("int64") ?? "string" {
        case "string": break
        case "number": form.writesInt64AsNumber = true
        default: throw options.invalid("int64", "Use 'string' or 'number'.")
        }
        form.includesDefaults = try options.flag("includeDefaults", default: false)
        self.form = form
        let place = definition.places["descriptorSet"].map { " It stands in \($0.file)." } ?? ""
        guard encoded.utf8.count <= Self.descriptorBytesMax, let set = Self.decoded(encoded), !set.isEmpty else {
            throw options.invalid(
                "descriptorSet", "It is not the Base64 of a file that protoc writes with --descriptor_set_out.\(place)")
        }
        let descriptors: ProtobufDescriptors
        do throws(ProtobufError) {
            descriptors = try set.withUnsafeBufferPointer { (bytes) throws(ProtobufError) in
                try ProtobufDescriptors(UnsafeRawBufferPointer(bytes))
            }
        } catch {
            throw options.invalid("descriptorSet", "It is not a FileDescriptorSet: \(error).\(place)")
        }
        do throws(ProtobufSchemaError) {
            schema = try ProtobufSchema(descriptors, root: message)
        } catch {
            throw options.invalid("message", error.reason + place)
        }
    }

    public func decode(_ message: InboundMessage) throws(TwinspanError) -> [UInt8] {
        // An empty payload is a message whose fields all have their defaults.
        var reader = ProtobufReader(message.payload, schema, form)
        do throws(ProtobufError) {
            return try reader.json().bytes
        } catch {
            let field = reader.path.isEmpty ? "" : ", field '\(reader.path.joined(separator: ".").shortened)'"
            throw GeneralErrorTable.mappingFailed.error(
                "The payload is no message '\(schema.messages[ProtobufSchema.root].name.shortened)': \(error)\(field).",
                description: "Compare the sender's schema with the descriptor set of the mapper.")
        }
    }

    /// Base64 as files and editors hold it: with line breaks.
    private static func decoded(_ text: String) -> [UInt8]? {
        let digits = text.utf8.filter { $0 > 0x20 }
        return Base64.decode(String(decoding: digits, as: UTF8.self))
    }
}
