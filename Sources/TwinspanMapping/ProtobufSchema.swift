// What a message type means: its fields, and the types it reaches. Made of a FileDescriptorSet once, with the
// configuration.

/// The message type of a decoder with everything it reaches, by index.
struct ProtobufSchema: Sendable {
    struct Message: Sendable {
        /// The full name without a leading dot.
        var name: String
        /// In the order of their declaration.
        var fields: [Field] = []
        /// The index of each field by its number.
        var positions: [Int: Int] = [:]
        var isMapEntry = false
        var wellKnown: WellKnown?
    }

    struct Field: Sendable {
        var name: String
        var jsonName: String
        var kind: Kind
        var isRepeated: Bool
        /// Whether a value of zero differs from no value.
        var hasPresence: Bool
        /// The index of the `oneof` that it belongs to.
        var oneof: Int?
    }

    /// The type of a field.
    enum Kind: Sendable, Equatable {
        case double, float, int64, uint64, int32, fixed64, fixed32, bool, string, bytes, uint32, sfixed32, sfixed64
        case sint32, sint64
        case group
        case message(Int)
        case enumeration(Int)

        /// The wire type of one element; nil for what cannot be packed.
        var packedWireType: UInt64? {
            switch self {
            case .int64, .uint64, .int32, .bool, .uint32, .sint32, .sint64, .enumeration: 0
            case .double, .fixed64, .sfixed64: 1
            case .float, .fixed32, .sfixed32: 5
            case .string, .bytes, .group, .message: nil
            }
        }

        var isMessage: Bool {
            if case .message = self { return true }
            return false
        }
    }

    struct Enumeration: Sendable {
        var names: [Int32: String] = [:]
        /// What a field has that was not sent.
        var first: Int32 = 0
        /// `google.protobuf.NullValue`, which is written as null.
        var isNull = false
    }

    /// Message types with a JSON form of their own.
    enum WellKnown: Sendable, Equatable {
        case timestamp, duration, structure, value, list
        case wrapper(Kind)

        init?(_ name: String) {
            guard name.hasPrefix("google.protobuf.") else { return nil }
            switch name.dropFirst("google.protobuf.".count) {
            case "Timestamp": self = .timestamp
            case "Duration": self = .duration
            case "Struct": self = .structure
            case "Value": self = .value
            case "ListValue": self = .list
            case "DoubleValue": self = .wrapper(.double)
            case "FloatValue": self = .wrapper(.float)
            case "Int64Value": self = .wrapper(.int64)
            case "UInt64Value": self = .wrapper(.uint64)
            case "Int32Value": self = .wrapper(.int32)
            case "UInt32Value": self = .wrapper(.uint32)
            case "BoolValue": self = .wrapper(.bool)
            case "StringValue": self = .wrapper(.string)
            case "BytesValue": self = .wrapper(.bytes)
            default: return nil
            }
        }
    }

    var messages: [Message] = []
    var enumerations: [Enumeration] = []
    /// The type of payloads is the first message.
    static let root = 0
}

/// A descriptor set that cannot be used.
struct ProtobufSchemaError: Error {
    let reason: String
}
