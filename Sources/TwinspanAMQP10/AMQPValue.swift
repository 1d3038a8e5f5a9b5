// Values of the AMQP 1.0 type system (part 1 of its specification) as they stand on the wire, read without copying.
// The library's own decoder aborts the process on empty input, takes truncated input for whole and keeps only the last
// of several data sections, so messages are read here and the library only carries their bytes.

/// One value of a message, as far as headers and bodies need to tell them apart.
enum AMQPValue: Equatable {
    case null
    case boolean(Bool)
    case unsigned(UInt64)
    case signed(Int64)
    case float(Float)
    case double(Double)
    case character(UInt32)
    /// Milliseconds since 1970.
    case timestamp(Int64)
    case uuid(Range<Int>)
    case binary(Range<Int>)
    case string(Range<Int>)
    case symbol(Range<Int>)
    /// A list or a map; its elements begin at the start of the range.
    case compound(count: Int, Range<Int>)
    /// An array, a decimal or a described value: nothing that a header could be.
    case other
}

/// Why bytes are no AMQP value.
enum AMQPReadError: Error, Equatable {
    /// The bytes end before the value does.
    case truncated
    /// A byte that begins no value, or a value that has no place there.
    case malformed
}

/// Reads values one after the other.
struct AMQPReader {
    let bytes: UnsafeRawBufferPointer
    /// Where the next value begins.
    private(set) var offset: Int
    private let end: Int

    init(_ bytes: UnsafeRawBufferPointer, in range: Range<Int>? = nil) {
        self.bytes = bytes
        offset = range?.lowerBound ?? 0
        end = range?.upperBound ?? bytes.count
    }

    var isAtEnd: Bool { offset == end }

    /// Reads the next value and stands behind it.
    mutating func value() throws(AMQPReadError) -> AMQPValue {
        let code = UInt8(truncatingIfNeeded: try unsigned(1))
        // The high half of the constructor tells how long the value is.
        switch code >> 4 {
        case 0x0 where code == 0:
            try skipDescribed(depth: 0)
            return .other
        case 0x4: return try empty(code)
        case 0x5: return small(code, try unsigned(1))
        case 0x6:
            return code == 0x60
                ? .unsigned(try unsigned(2)) : .signed(Int64(Int16(truncatingIfNeeded: try unsigned(2))))
        case 0x7: return word(code, UInt32(truncatingIfNeeded: try unsigned(4)))
        case 0x8: return long(code, try unsigned(8))
        case 0x9:
            let range = try take(16)
            return code == 0x98 ? .uuid(range) : .other
        case 0xA: return text(code & 0xF, try take(Int(try unsigned(1))))
        case 0xB: return text(code & 0xF, try take(Int(try unsigned(4))))
        case 0xC: return try compound(width: 1)
        case 0xD: return try compound(width: 4)
        case 0xE:
            _ = try take(Int(try unsigned(1)))
            return .other
        case 0xF:
            _ = try take(Int(try unsigned(4)))
            return .other
        default: throw .malformed
        }
    }

    /// Reads the descriptor of a section: a described value whose descriptor is a number.
    mutating func descriptor() throws(AMQPReadError) -> UInt64 {
        guard try unsigned(1) == 0 else { throw .malformed }
        guard case .unsigned(let code) = try value() else { throw .malformed }
        return code
    }

    /// The text of a range; nil if it is not UTF-8.
    func text(_ range: Range<Int>) -> String? { String(validating: bytes[range], as: UTF8.self) }

    // MARK: Parts

    private mutating func empty(_ code: UInt8) throws(AMQPReadError) -> AMQPValue {
        switch code {
        case 0x40: return .null
        case 0x41: return .boolean(true)
        case 0x42: return .boolean(false)
        case 0x43, 0x44: return .unsigned(0)
        case 0x45: return .compound(count: 0, offset..<offset)
        default: throw .malformed
        }
    }

    private func small(_ code: UInt8, _ raw: UInt64) -> AMQPValue {
        switch code {
        case 0x50, 0x52, 0x53: .unsigned(raw)
        case 0x56: .boolean(raw != 0)
        default: .signed(Int64(Int8(truncatingIfNeeded: raw)))
        }
    }

    private func word(_ code: UInt8, _ raw: UInt32) -> AMQPValue {
        switch code {
        case 0x70: .unsigned(UInt64(raw))
        case 0x71: .signed(Int64(Int32(bitPattern: raw)))
        case 0x72: .float(Float(bitPattern: raw))
        case 0x73: .character(raw)
        default: .other
        }
    }

    private func long(_ code: UInt8, _ raw: UInt64) -> AMQPValue {
        switch code {
        case 0x80: .unsigned(raw)
        case 0x81: .signed(Int64(bitPattern: raw))
        case 0x82: .double(Double(bitPattern: raw))
        case 0x83: .timestamp(Int64(bitPattern: raw))
        default: .other
        }
    }

    private func text(_ kind: UInt8, _ range: Range<Int>) -> AMQPValue {
        switch kind {
        case 0: .binary(range)
        case 1: .string(range)
        case 3: .symbol(range)
        default: .other
        }
    }

    private mutating func compound(width: Int) throws(AMQPReadError) -> AMQPValue {
        let whole = try take(Int(try unsigned(width)))
        guard whole.count >= width else { throw .malformed }
        var inner = AMQPReader(bytes, in: whole)
        let count = Int(try inner.unsigned(width))
        // Each element has at least one byte, so a larger count is a lie that must not become a loop.
        guard count <= whole.count - width else { throw .malformed }
        return .compound(count: count, inner.offset..<whole.upperBound)
    }

    /// Descriptor and value; either may be described again, but nobody nests them deeply.
    private mutating func skipDescribed(depth: Int) throws(AMQPReadError) {
        guard depth < 8 else { throw .malformed }
        for _ in 0..<2 {
            if offset < end, bytes[offset] == 0 {
                offset += 1
                try skipDescribed(depth: depth + 1)
            } else {
                _ = try value()
            }
        }
    }

    private mutating func unsigned(_ count: Int) throws(AMQPReadError) -> UInt64 {
        let range = try take(count)
        return bytes[range].reduce(0) { $0 << 8 | UInt64($1) }
    }

    private mutating func take(_ count: Int) throws(AMQPReadError) -> Range<Int> {
        guard end - offset >= count else { throw .truncated }
        defer { offset += count }
        return offset..<(offset + count)
    }
}
