// CBOR (RFC 8949) as JSON for the mappers behind it. Our extension.
import TwinspanJSON
public import TwinspanProtocol

/// Reads one CBOR item per message.
///
/// Byte strings become Base64 text, or what the tags 21 to 23 ask for; integers beyond 64 bits and bignums become
/// numbers as long as a double reaches them; keys may be text or integers. What JSON has no form for is an error.
public struct CborDecoder: PayloadDecoder {
    public let name: String

    public static let engine = MapperEngine(
        name: "Cbor", blockedContentTypes: DittoMapper.honoNotifications
    ) { definition in .decoder(CborDecoder(name: definition.name)) }

    public init(name: String = "Cbor") {
        self.name = name
    }

    public func decode(_ message: InboundMessage) throws(TwinspanError) -> [UInt8] {
        guard !message.payload.isEmpty else { throw .payloadAbsent }
        var reader = CborReader(message.payload)
        do throws(CborError) {
            return try reader.json()
        } catch {
            throw GeneralErrorTable.mappingFailed.error(
                "The payload is not CBOR that JSON can stand for: \(error).",
                description: "Check the bytes at the offset named, or use a mapper that fits the payload.")
        }
    }
}

/// What is wrong with a payload, and where.
struct CborError: Error, Equatable, CustomStringConvertible {
    let reason: String
    let offset: Int
    var description: String { "\(reason) at offset \(offset)" }
}
