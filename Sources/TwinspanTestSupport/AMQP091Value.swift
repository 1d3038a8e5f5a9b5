// The values of AMQP 0.9.1 tables as RabbitMQ writes and reads them, for the tests' own client.

/// A value of a table: of the headers of a message, or of the arguments of a queue.
public indirect enum AMQP091Value: Equatable, Sendable {
    case bool(Bool)
    case int8(Int8)
    case uint8(UInt8)
    case int16(Int16)
    case uint16(UInt16)
    case int32(Int32)
    case uint32(UInt32)
    case int64(Int64)
    case float(Float)
    case double(Double)
    /// A number and how many of its digits stand after the point.
    case decimal(UInt32, scale: UInt8)
    case text(String)
    case bytes([UInt8])
    /// Seconds since 1970.
    case timestamp(UInt64)
    case array([AMQP091Value])
    case table([String: AMQP091Value])
    case void
}

struct AMQP091Writer {
    var bytes: [UInt8] = []

    mutating func integer<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value.bigEndian) { bytes += $0 }
    }

    mutating func shortText(_ text: String) {
        bytes.append(UInt8(clamping: text.utf8.count))
        bytes += text.utf8.prefix(255)
    }

    mutating func longText(_ text: [UInt8]) {
        integer(UInt32(text.count))
        bytes += text
    }

    mutating func table(_ entries: [(name: String, value: AMQP091Value)]) {
        var inner = AMQP091Writer()
        for entry in entries {
            inner.shortText(entry.name)
            inner.value(entry.value)
        }
        longText(inner.bytes)
    }

    private mutating func tag(_ tag: Character) { bytes += Array(String(tag).utf8) }

    private mutating func value(_ value: AMQP091Value) {
        func number<Value: FixedWidthInteger>(_ type: Character, _ number: Value) {
            tag(type)
            integer(number)
        }
        switch value {
        case .bool(let value): number("t", UInt8(value ? 1 : 0))
        case .int8(let value): number("b", value)
        case .uint8(let value): number("B", value)
        case .int16(let value): number("s", value)
        case .uint16(let value): number("u", value)
        case .int32(let value): number("I", value)
        case .uint32(let value): number("i", value)
        case .int64(let value): number("l", value)
        case .float(let value): number("f", value.bitPattern)
        case .double(let value): number("d", value.bitPattern)
        case .timestamp(let value): number("T", value)
        case .void: tag("V")
        case .decimal(let value, let scale):
            number("D", scale)
            integer(value)
        case .text(let text):
            tag("S")
            longText(Array(text.utf8))
        case .bytes(let value):
            tag("x")
            longText(value)
        case .array(let values):
            var inner = AMQP091Writer()
            for value in values { inner.value(value) }
            tag("A")
            longText(inner.bytes)
        case .table(let entries):
            tag("F")
            table(entries.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
        }
    }
}

struct AMQP091Reader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type) throws -> Value {
        try take(Value.bitWidth / 8).reduce(0) { $0 << 8 | Value(truncatingIfNeeded: $1) }
    }

    mutating func shortText() throws -> String {
        String(decoding: try take(Int(try integer(UInt8.self))), as: UTF8.self)
    }

    mutating func table() throws -> [(name: String, value: AMQP091Value)] {
        var inner = AMQP091Reader(try longBytes())
        var entries: [(name: String, value: AMQP091Value)] = []
        while !inner.rest.isEmpty { entries.append((try inner.shortText(), try inner.value())) }
        return entries
    }

    private mutating func longBytes() throws -> [UInt8] { Array(try take(Int(try integer(UInt32.self)))) }

    private mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
        try require(rest.count >= count, "the broker has sent a frame that ends too early")
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    private mutating func value() throws -> AMQP091Value {
        switch Character(UnicodeScalar(try integer(UInt8.self))) {
        case "t": .bool(try integer(UInt8.self) != 0)
        case "b": .int8(try integer(Int8.self))
        case "B": .uint8(try integer(UInt8.self))
        case "s": .int16(try integer(Int16.self))
        case "u": .uint16(try integer(UInt16.self))
        case "I": .int32(try integer(Int32.self))
        case "i": .uint32(try integer(UInt32.self))
        case "l": .int64(try integer(Int64.self))
        case "f": .float(Float(bitPattern: try integer(UInt32.self)))
        case "d": .double(Double(bitPattern: try integer(UInt64.self)))
        case "D":
            try { (scale: UInt8) in .decimal(try integer(UInt32.self), scale: scale) }(try integer(UInt8.self))
        case "S": .text(String(decoding: try longBytes(), as: UTF8.self))
        case "x": .bytes(try longBytes())
        case "T": .timestamp(try integer(UInt64.self))
        case "F": .table(Dictionary(try table().map { ($0.name, $0.value) }) { first, _ in first })
        case "A": .array(try values())
        case "V": .void
        case let other: throw ScenarioFailure("the broker has sent a value of type \(other)")
        }
    }

    private mutating func values() throws -> [AMQP091Value] {
        var inner = AMQP091Reader(try longBytes())
        var values: [AMQP091Value] = []
        while !inner.rest.isEmpty { values.append(try inner.value()) }
        return values
    }
}
