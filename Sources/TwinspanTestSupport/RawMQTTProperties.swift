// The properties of MQTT 5 packets as the tests' side of a broker writes and reads them (MQTT 5 §2.2.2). It shares no
// code with the adapter.

/// A property of a packet, by its number in the specification.
public enum RawMQTTProperty: Equatable, Sendable {
    case number8(UInt8, UInt8)
    case number16(UInt8, UInt16)
    case number32(UInt8, UInt32)
    case text(UInt8, String)
    case bytes(UInt8, [UInt8])
    case user(String, String)

    /// The property in a packet.
    public var encoded: [UInt8] {
        switch self {
        case .number8(let id, let value): [id, value]
        case .number16(let id, let value): [id] + Self.bigEndian(value)
        case .number32(let id, let value): [id] + Self.bigEndian(value)
        case .text(let id, let value): [id] + Self.prefixed(Array(value.utf8))
        case .bytes(let id, let value): [id] + Self.prefixed(value)
        case .user(let name, let value): [38] + Self.prefixed(Array(name.utf8)) + Self.prefixed(Array(value.utf8))
        }
    }

    /// Properties with the length in front.
    public static func block(_ properties: [RawMQTTProperty]) -> [UInt8] {
        let body = properties.flatMap(\.encoded)
        // A packet with its header has the same kind of length; the type byte in front is cut off again.
        return Array(RawMQTTClient.packet(0, body).dropFirst())
    }

    /// Reads the block at the beginning of `bytes` and cuts it off. Nil if it is not well-formed.
    public static func read(_ bytes: inout ArraySlice<UInt8>) -> [RawMQTTProperty]? {
        var length = 0
        var shift = 0
        repeat {
            guard let byte = bytes.popFirst(), shift < 28 else { return nil }
            length |= Int(byte & 0x7F) << shift
            shift += 7
            if byte & 0x80 == 0 { break }
        } while true
        guard bytes.count >= length else { return nil }
        var block = bytes.prefix(length)
        bytes = bytes.dropFirst(length)
        var properties: [RawMQTTProperty] = []
        while let id = block.popFirst() {
            guard let property = read(id, &block) else { return nil }
            properties.append(property)
        }
        return properties
    }

    private static func read(_ id: UInt8, _ block: inout ArraySlice<UInt8>) -> RawMQTTProperty? {
        switch id {
        case 1, 23, 25, 36, 37, 40, 41, 42: return block.popFirst().map { .number8(id, $0) }
        case 19, 33, 34, 35: return number(2, &block).map { .number16(id, UInt16($0)) }
        case 2, 17, 24, 39: return number(4, &block).map { .number32(id, $0) }
        case 3, 8, 18, 21, 26, 28, 31: return string(&block).map { .text(id, String(decoding: $0, as: UTF8.self)) }
        case 9, 22: return string(&block).map { .bytes(id, $0) }
        case 38:
            guard let name = string(&block), let value = string(&block) else { return nil }
            return .user(String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self))
        default: return nil
        }
    }

    private static func number(_ count: Int, _ block: inout ArraySlice<UInt8>) -> UInt32? {
        guard block.count >= count else { return nil }
        defer { block = block.dropFirst(count) }
        return block.prefix(count).reduce(0) { $0 << 8 | UInt32($1) }
    }

    private static func string(_ block: inout ArraySlice<UInt8>) -> [UInt8]? {
        guard let length = number(2, &block).map({ Int($0) }), block.count >= length else { return nil }
        defer { block = block.dropFirst(length) }
        return Array(block.prefix(length))
    }

    private static func bigEndian<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }

    private static func prefixed(_ bytes: [UInt8]) -> [UInt8] { bigEndian(UInt16(bytes.count)) + bytes }
}
