// A tiny encoder of Protocol Buffers, so that tests need no protoc: messages, and the descriptor sets that describe
// them.

/// The bytes of a message under construction.
struct ProtobufEncoder {
    var bytes: [UInt8] = []

    static func varint(_ value: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = value
        while rest > 0x7F {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    static func little<Number: FixedWidthInteger>(_ value: Number) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }

    func varint(_ number: UInt64, _ value: Int64) -> ProtobufEncoder {
        adding(Self.varint(number << 3) + Self.varint(UInt64(bitPattern: value)))
    }

    func fixed64(_ number: UInt64, _ value: UInt64) -> ProtobufEncoder {
        adding(Self.varint(number << 3 | 1) + Self.little(value))
    }

    func fixed32(_ number: UInt64, _ value: UInt32) -> ProtobufEncoder {
        adding(Self.varint(number << 3 | 5) + Self.little(value))
    }

    func bytes(_ number: UInt64, _ value: [UInt8]) -> ProtobufEncoder {
        adding(Self.varint(number << 3 | 2) + Self.varint(UInt64(value.count)) + value)
    }

    func text(_ number: UInt64, _ value: String) -> ProtobufEncoder {
        bytes(number, Array(value.utf8))
    }

    func message(_ number: UInt64, _ value: ProtobufEncoder) -> ProtobufEncoder {
        bytes(number, value.bytes)
    }

    func adding(_ more: [UInt8]) -> ProtobufEncoder {
        ProtobufEncoder(bytes: bytes + more)
    }
}

/// Descriptors (google/protobuf/descriptor.proto).
enum Descriptors {
    enum Label: Int64 { case optional = 1, required, repeated }

    /// The numbers of the scalar types.
    static let types: [String: Int64] = [
        "double": 1, "float": 2, "int64": 3, "uint64": 4, "int32": 5, "fixed64": 6, "fixed32": 7, "bool": 8,
        "string": 9, "group": 10, "bytes": 12, "uint32": 13, "sfixed32": 15, "sfixed64": 16, "sint32": 17, "sint64": 18,
    ]

    /// A scalar field.
    static func field(
        _ name: String, _ number: Int64, _ type: String, _ label: Label = .optional, oneof: Int64? = nil,
        isProto3Optional: Bool = false, jsonName: String? = nil
    ) -> ProtobufEncoder {
        field(name, number, types[type] ?? 0, nil, label, oneof, isProto3Optional, jsonName)
    }

    /// A field of a message type.
    static func message(
        _ name: String, _ number: Int64, _ type: String, _ label: Label = .optional, oneof: Int64? = nil
    ) -> ProtobufEncoder {
        field(name, number, 11, type, label, oneof, false, nil)
    }

    /// A field of an enumeration.
    static func enumeration(
        _ name: String, _ number: Int64, _ type: String, _ label: Label = .optional
    ) -> ProtobufEncoder {
        field(name, number, 14, type, label, nil, false, nil)
    }

    private static func field(
        _ name: String, _ number: Int64, _ type: Int64, _ typeName: String?, _ label: Label, _ oneof: Int64?,
        _ isProto3Optional: Bool, _ jsonName: String?
    ) -> ProtobufEncoder {
        var field = ProtobufEncoder().text(1, name).varint(3, number).varint(4, label.rawValue).varint(5, type)
        if let typeName { field = field.text(6, typeName) }
        if let oneof { field = field.varint(9, oneof) }
        if let jsonName { field = field.text(10, jsonName) }
        if isProto3Optional { field = field.varint(17, 1) }
        return field
    }

    /// A message type.
    static func type(
        _ name: String, _ fields: [ProtobufEncoder], nested: [ProtobufEncoder] = [], enums: [ProtobufEncoder] = [],
        isMapEntry: Bool = false
    ) -> ProtobufEncoder {
        var type = ProtobufEncoder().text(1, name)
        for field in fields { type = type.message(2, field) }
        for nested in nested { type = type.message(3, nested) }
        for values in enums { type = type.message(4, values) }
        return isMapEntry ? type.message(7, ProtobufEncoder().varint(7, 1)) : type
    }

    /// An enumeration type.
    static func values(_ name: String, _ values: [(String, Int64)]) -> ProtobufEncoder {
        values.reduce(ProtobufEncoder().text(1, name)) { type, value in
            type.message(2, ProtobufEncoder().text(1, value.0).varint(2, value.1))
        }
    }

    /// A set of one file.
    static func set(
        package: String = "plant", syntax: String = "proto3", _ types: [ProtobufEncoder], enums: [ProtobufEncoder] = []
    ) -> [UInt8] {
        var file = ProtobufEncoder().text(1, "plant.proto").text(2, package)
        for type in types { file = file.message(4, type) }
        for values in enums { file = file.message(5, values) }
        return ProtobufEncoder().message(1, file.text(12, syntax)).bytes
    }
}
