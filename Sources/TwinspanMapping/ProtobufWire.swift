// The wire format of Protocol Buffers: numbered fields one after the other. Knows nothing of their meaning.

/// A field as it stands in a message.
struct ProtobufField {
    /// What the wire type lets one see.
    enum Content {
        case varint(UInt64)
        case fixed64(UInt64)
        case fixed32(UInt32)
        /// Where the bytes lie in the whole payload.
        case bytes(Range<Int>)
    }

    let number: Int
    let content: Content
    /// Where its tag begins.
    let offset: Int
}

/// What is wrong with a payload or a descriptor set, and where.
struct ProtobufError: Error, Equatable, CustomStringConvertible {
    let reason: String
    let offset: Int
    var description: String { "\(reason) at offset \(offset)" }
}

/// Reads the fields of one message. Valid only while its bytes are.
struct ProtobufWire {
    /// Groups that may be open at once while one is skipped.
    private static let groupsMax = 100

    private let input: UnsafeRawBufferPointer
    private(set) var position: Int
    private let end: Int

    init(_ input: UnsafeRawBufferPointer, _ range: Range<Int>) {
        self.input = input
        position = range.lowerBound
        end = range.upperBound
    }

    /// The next field, nil at the end. Groups, which nobody writes any more, are skipped.
    mutating func next() throws(ProtobufError) -> ProtobufField? {
        var groups: [Int] = []
        while position < end {
            let offset = position
            let tag = try varint()
            let number = Int(truncatingIfNeeded: tag >> 3)
            guard tag >> 3 > 0, tag >> 3 < 1 << 29 else { throw failure("a field number that does not exist", offset) }
            switch tag & 7 {
            case 3:
                guard groups.count < Self.groupsMax else { throw failure("too many nested groups", offset) }
                groups.append(number)
            case 4:
                guard groups.popLast() == number else { throw failure("the end of a group that is not open", offset) }
            default:
                let content = try content(tag & 7, offset)
                if groups.isEmpty { return ProtobufField(number: number, content: content, offset: offset) }
            }
        }
        guard groups.isEmpty else { throw failure("unexpected end inside a group", end) }
        return nil
    }

    /// The next element of a packed field; nil at the end.
    mutating func element(_ wireType: UInt64) throws(ProtobufError) -> ProtobufField.Content? {
        position < end ? try content(wireType, position) : nil
    }

    private mutating func content(_ wireType: UInt64, _ offset: Int) throws(ProtobufError) -> ProtobufField.Content {
        switch wireType {
        case 0: return .varint(try varint())
        case 1: return .fixed64(try fixed(8))
        case 5: return .fixed32(UInt32(truncatingIfNeeded: try fixed(4)))
        case 2:
            let length = try varint()
            guard length <= UInt64(end - position) else {
                throw failure("a length beyond the end of the message", offset)
            }
            let start = position
            position += Int(length)
            return .bytes(start..<position)
        default: throw failure("a wire type that does not exist", offset)
        }
    }

    private mutating func varint() throws(ProtobufError) -> UInt64 {
        let start = position
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while position < end {
            let byte = input[position]
            position += 1
            // The tenth byte has room for one bit.
            if shift == 63, byte > 1 { break }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        throw failure(shift >= 63 ? "a number of more than 64 bits" : "unexpected end of a number", start)
    }

    private mutating func fixed(_ length: Int) throws(ProtobufError) -> UInt64 {
        guard end - position >= length else { throw failure("unexpected end of a number", position) }
        var value: UInt64 = 0
        for index in 0..<length { value |= UInt64(input[position + index]) << UInt64(8 * index) }
        position += length
        return value
    }

    private func failure(_ reason: String, _ offset: Int) -> ProtobufError {
        ProtobufError(reason: reason, offset: offset)
    }
}
