// From a FileDescriptorSet, as `protoc --include_imports --descriptor_set_out` writes it, to a schema. The field
// numbers are those of google/protobuf/descriptor.proto.
import TwinspanProtocol

/// The declarations of a descriptor set by full name, types not yet looked up.
struct ProtobufDescriptors {
    struct Message {
        var name = ""
        var fields: [Field] = []
        var isMapEntry = false
    }

    struct Field {
        var name = ""
        var jsonName: String?
        var number = 0
        var label: UInt64 = 1
        var type: UInt64 = 0
        var typeName = ""
        var oneof: Int?
        /// Whether a singular scalar of the file has no presence, as in proto3.
        var isImplicit = false
        var isProto3Optional = false
    }

    private(set) var messages: [String: Message] = [:]
    private(set) var enumerations: [String: ProtobufSchema.Enumeration] = [:]

    /// Messages declared inside messages.
    private static let nestingMax = 32

    init(_ set: UnsafeRawBufferPointer) throws(ProtobufError) {
        var wire = ProtobufWire(set, 0..<set.count)
        while let field = try wire.next() {
            if field.number == 1, case .bytes(let range) = field.content { try readFile(set, range) }
        }
    }

    private mutating func readFile(_ set: UnsafeRawBufferPointer, _ file: Range<Int>) throws(ProtobufError) {
        var package = ""
        var syntax = "proto2"
        var messages: [Range<Int>] = []
        var enumerations: [Range<Int>] = []
        var wire = ProtobufWire(set, file)
        while let field = try wire.next() {
            guard case .bytes(let range) = field.content else { continue }
            switch field.number {
            case 2: package = Self.text(set, range)
            case 4: messages.append(range)
            case 5: enumerations.append(range)
            case 12: syntax = Self.text(set, range)
            default: break
            }
        }
        let prefix = package.isEmpty ? "" : package + "."
        for range in enumerations { try readEnumeration(set, range, prefix) }
        for range in messages { try readMessage(set, range, prefix, isImplicit: syntax == "proto3", depth: 0) }
    }

    private mutating func readMessage(
        _ set: UnsafeRawBufferPointer, _ message: Range<Int>, _ prefix: String, isImplicit: Bool, depth: Int
    ) throws(ProtobufError) {
        guard depth < Self.nestingMax else {
            throw ProtobufError(reason: "messages nested too deeply", offset: message.lowerBound)
        }
        var made = Message()
        var nested: [Range<Int>] = []
        var enumerations: [Range<Int>] = []
        var wire = ProtobufWire(set, message)
        while let field = try wire.next() {
            guard case .bytes(let range) = field.content else { continue }
            switch field.number {
            case 1: made.name = prefix + Self.text(set, range)
            case 2: made.fields.append(try Self.field(set, range, isImplicit: isImplicit))
            case 3: nested.append(range)
            case 4: enumerations.append(range)
            case 7: made.isMapEntry = try Self.flag(7, set, range)
            default: break
            }
        }
        messages[made.name] = made
        for range in enumerations { try readEnumeration(set, range, made.name + ".") }
        for range in nested {
            try readMessage(set, range, made.name + ".", isImplicit: isImplicit, depth: depth + 1)
        }
    }

    private static func field(
        _ set: UnsafeRawBufferPointer, _ range: Range<Int>, isImplicit: Bool
    ) throws(ProtobufError) -> Field {
        var made = Field()
        made.isImplicit = isImplicit
        var wire = ProtobufWire(set, range)
        while let field = try wire.next() {
            switch (field.number, field.content) {
            case (1, .bytes(let range)): made.name = text(set, range)
            case (3, .varint(let number)): made.number = Int(truncatingIfNeeded: number)
            case (4, .varint(let label)): made.label = label
            case (5, .varint(let type)): made.type = type
            case (6, .bytes(let range)): made.typeName = text(set, range)
            case (9, .varint(let index)): made.oneof = Int(truncatingIfNeeded: index)
            case (10, .bytes(let range)): made.jsonName = text(set, range)
            case (17, .varint(let flag)): made.isProto3Optional = flag != 0
            default: break
            }
        }
        return made
    }

    private mutating func readEnumeration(
        _ set: UnsafeRawBufferPointer, _ enumeration: Range<Int>, _ prefix: String
    ) throws(ProtobufError) {
        var name = ""
        var made = ProtobufSchema.Enumeration()
        var isFirst = true
        var wire = ProtobufWire(set, enumeration)
        while let field = try wire.next() {
            guard case .bytes(let range) = field.content else { continue }
            if field.number == 1 { name = prefix + Self.text(set, range) }
            guard field.number == 2 else { continue }
            var label = ""
            var number: Int32 = 0
            var value = ProtobufWire(set, range)
            while let part = try value.next() {
                switch (part.number, part.content) {
                case (1, .bytes(let range)): label = Self.text(set, range)
                case (2, .varint(let given)): number = Int32(truncatingIfNeeded: given)
                default: break
                }
            }
            // An alias has the number of a name before it; the first name is the one that is written.
            if made.names[number] == nil { made.names[number] = label }
            if isFirst { made.first = number }
            isFirst = false
        }
        made.isNull = name == "google.protobuf.NullValue"
        enumerations[name] = made
    }

    private static func flag(
        _ number: Int, _ set: UnsafeRawBufferPointer, _ range: Range<Int>
    ) throws(ProtobufError) -> Bool {
        var wire = ProtobufWire(set, range)
        var flag = false
        while let field = try wire.next() {
            if field.number == number, case .varint(let value) = field.content { flag = value != 0 }
        }
        return flag
    }

    private static func text(_ set: UnsafeRawBufferPointer, _ range: Range<Int>) -> String {
        String(decoding: set[range], as: UTF8.self)
    }
}

extension ProtobufSchema {
    /// The schema of a message type and of all that it reaches.
    init(_ descriptors: ProtobufDescriptors, root: String) throws(ProtobufSchemaError) {
        var indices: [String: Int] = [:]
        var enumerationIndices: [String: Int] = [:]
        var pending = [root]
        indices[root] = 0
        // The list grows while it is walked: each message names those it reaches.
        var position = 0
        while position < pending.count {
            let name = pending[position]
            position += 1
            var message = Message(name: name, wellKnown: WellKnown(name))
            let declared = descriptors.messages[name]
            guard declared != nil || message.wellKnown != nil else {
                throw Self.missing(name, root, descriptors)
            }
            message.isMapEntry = declared?.isMapEntry ?? false
            // The fields of types with a form of their own are known without the descriptor.
            for field in message.wellKnown == nil ? declared?.fields ?? [] : [] {
                let typeName = field.typeName.hasPrefix(".") ? String(field.typeName.dropFirst()) : field.typeName
                let kind: Kind
                switch field.type {
                case 11:
                    if indices[typeName] == nil {
                        indices[typeName] = pending.count
                        pending.append(typeName)
                    }
                    kind = .message(indices[typeName] ?? 0)
                case 14:
                    if enumerationIndices[typeName] == nil {
                        guard let enumeration = descriptors.enumerations[typeName] else {
                            throw Self.missing(typeName, root, descriptors)
                        }
                        enumerationIndices[typeName] = enumerations.count
                        enumerations.append(enumeration)
                    }
                    kind = .enumeration(enumerationIndices[typeName] ?? 0)
                default:
                    guard let scalar = Self.scalar(field.type) else {
                        throw ProtobufSchemaError(
                            reason: "The field '\(field.name.shortened)' of '\(name.shortened)' has no known type.")
                    }
                    kind = scalar
                }
                message.positions[field.number] = message.fields.count
                message.fields.append(Self.field(field, kind))
            }
            messages.append(message)
        }
    }

    private static func field(_ field: ProtobufDescriptors.Field, _ kind: Kind) -> Field {
        let isImplicit =
            field.isImplicit && !field.isProto3Optional && field.oneof == nil && !kind.isMessage && kind != .group
        return Field(
            name: field.name, jsonName: field.jsonName ?? camelCase(field.name), kind: kind,
            isRepeated: field.label == 3, hasPresence: !isImplicit, oneof: field.oneof)
    }

    /// `some_name` as `someName`, the rule for names without a `json_name`.
    private static func camelCase(_ name: String) -> String {
        var result = ""
        var isAfterUnderscore = false
        for character in name {
            if character == "_" {
                isAfterUnderscore = true
            } else {
                result += isAfterUnderscore ? character.uppercased() : String(character)
                isAfterUnderscore = false
            }
        }
        return result
    }

    private static func scalar(_ type: UInt64) -> Kind? {
        let kinds: [Kind?] = [
            nil, .double, .float, .int64, .uint64, .int32, .fixed64, .fixed32, .bool, .string, .group, nil, .bytes,
            .uint32, nil, .sfixed32, .sfixed64, .sint32, .sint64,
        ]
        return type < UInt64(kinds.count) ? kinds[Int(type)] : nil
    }

    private static func missing(
        _ name: String, _ root: String, _ descriptors: ProtobufDescriptors
    ) -> ProtobufSchemaError {
        guard name == root else {
            return ProtobufSchemaError(
                reason: "The type '\(name.shortened)' is not in the descriptor set; make it with --include_imports.")
        }
        let names = descriptors.messages.values.filter { !$0.isMapEntry }.map(\.name).sorted()
        let listing = names.prefix(20).joined(separator: ", ") + (names.count > 20 ? ", …" : "")
        return ProtobufSchemaError(
            reason: "The message '\(name.shortened)' is not in the descriptor set, which has "
                + "\(names.isEmpty ? "no messages" : listing).")
    }
}
