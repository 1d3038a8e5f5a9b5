// From CBOR to the text of JSON in one pass, without recursion: open containers are kept in a list of bounded length.
// Nothing is allocated by a length that the payload only claims.
import TwinspanJSON
import TwinspanProtocol

/// Reads one document. Valid only while its bytes are.
struct CborReader {
    /// Open containers.
    static let depthMax = 100
    /// The largest text made of one payload.
    static let outputBytesMax = 8 << 20

    /// How byte strings are written; tags 21 to 23 set it for everything inside them (RFC 8949 §3.4.5.2).
    enum ByteForm { case base64, base64URL, base16 }

    /// An open array or map.
    private struct Container {
        let isMap: Bool
        /// Items, or pairs, that are still to come; nil until a break.
        var remaining: UInt64?
        let form: ByteForm
        var isFirst = true
        /// Whether a key was read whose value comes next.
        var awaitsValue = false
        var keys: Set<[UInt8]> = []
    }

    /// The head of an item: its major type and argument.
    private struct Head {
        let major: UInt8
        /// The five bits beside the major type.
        let short: UInt8
        /// Meaningless when `isIndefinite`.
        let argument: UInt64
        let offset: Int
        var isIndefinite: Bool { short == 31 }
    }

    private let input: UnsafeRawBufferPointer
    private var position = 0
    private var output: [UInt8] = []
    private var open: [Container] = []

    init(_ input: UnsafeRawBufferPointer) {
        self.input = input
        output.reserveCapacity(input.count * 2)
    }

    /// The document as compact JSON.
    mutating func json() throws(CborError) -> [UInt8] {
        try item(.base64)
        // The container is changed in its place: a copy would copy its keys with each of them.
        while let index = open.indices.last {
            if try closes(index) { continue }
            if open[index].isMap, !open[index].awaitsValue { try key(of: index) } else { try element(of: index) }
            guard output.count <= Self.outputBytesMax else {
                throw failure("more than \(Self.outputBytesMax) bytes of JSON", position)
            }
        }
        guard position == input.count else { throw failure("unexpected bytes behind the item", position) }
        return output
    }

    /// Ends the innermost container when it has all it was to have.
    private mutating func closes(_ index: Int) throws(CborError) -> Bool {
        if let remaining = open[index].remaining {
            guard remaining == 0, !open[index].awaitsValue else { return false }
        } else {
            guard position < input.count else { throw failure("unexpected end inside a container", position) }
            guard input[position] == 0xFF else { return false }
            guard !open[index].awaitsValue else { throw failure("break in place of a value", position) }
            position += 1
        }
        output.append(open[index].isMap ? UInt8(ascii: "}") : UInt8(ascii: "]"))
        open.removeLast()
        return true
    }

    // MARK: Members

    /// Takes the next value of the innermost container.
    private mutating func element(of index: Int) throws(CborError) {
        if open[index].isMap {
            open[index].awaitsValue = false
        } else {
            separate(index)
            if let remaining = open[index].remaining { open[index].remaining = remaining - 1 }
        }
        try item(open[index].form)
    }

    /// Takes the next key of the innermost container: text or an integer, tags before it aside.
    private mutating func key(of index: Int) throws(CborError) {
        separate(index)
        if let remaining = open[index].remaining { open[index].remaining = remaining - 1 }
        open[index].awaitsValue = true
        var head = try head()
        while head.major == 6 { head = try self.head() }
        let key: String
        switch head.major {
        case 0: key = String(head.argument)
        case 1: key = Self.negative(head.argument)
        case 3: key = try text(head)
        default: throw failure("a key that is neither text nor an integer", head.offset)
        }
        guard open[index].keys.insert(Array(key.utf8)).inserted else {
            throw failure("duplicate key '\(key.shortened)'", head.offset)
        }
        JSONText.writeString(key, into: &output)
        output.append(UInt8(ascii: ":"))
    }

    private mutating func separate(_ index: Int) {
        if !open[index].isFirst { output.append(UInt8(ascii: ",")) }
        open[index].isFirst = false
    }

    // MARK: Items

    /// Writes a scalar, or opens a container.
    private mutating func item(_ inherited: ByteForm) throws(CborError) {
        var form = inherited
        var head = try head()
        while head.major == 6 {
            switch head.argument {
            case 2, 3: return try bignum(isNegative: head.argument == 3)
            case 21: form = .base64URL
            case 22: form = .base64
            case 23: form = .base16
            default: break
            }
            head = try self.head()
        }
        switch head.major {
        case 0: write(String(head.argument))
        case 1: write(Self.negative(head.argument))
        case 2: JSONText.writeString(Self.text(of: try byteString(head), form), into: &output)
        case 3: JSONText.writeString(try text(head), into: &output)
        case 4, 5: try openContainer(head, form)
        default: try simple(head)
        }
    }

    private mutating func openContainer(_ head: Head, _ form: ByteForm) throws(CborError) {
        let isMap = head.major == 5
        guard open.count < Self.depthMax else {
            throw failure("more than \(Self.depthMax) nested containers", head.offset)
        }
        if !head.isIndefinite {
            // Every item takes a byte at least, so a count beyond the payload is seen at once.
            let room = UInt64(input.count - position) / (isMap ? 2 : 1)
            guard head.argument <= room else { throw failure("a count beyond the end of the payload", head.offset) }
        }
        output.append(isMap ? UInt8(ascii: "{") : UInt8(ascii: "["))
        open.append(Container(isMap: isMap, remaining: head.isIndefinite ? nil : head.argument, form: form))
    }

    private mutating func simple(_ head: Head) throws(CborError) {
        switch head.short {
        case 20: write("false")
        case 21: write("true")
        case 22, 23: write("null")
        case 25: try write(Self.half(UInt16(truncatingIfNeeded: head.argument)), head.offset)
        case 26: try write(Float(bitPattern: UInt32(truncatingIfNeeded: head.argument)), head.offset)
        case 27: try write(Double(bitPattern: head.argument), head.offset)
        case 31: throw failure("break outside of a container", head.offset)
        default: throw failure("simple value \(head.argument), which JSON does not have,", head.offset)
        }
    }

    private mutating func bignum(isNegative: Bool) throws(CborError) {
        let head = try head()
        guard head.major == 2 else { throw failure("a bignum that is no byte string", head.offset) }
        let bytes = try byteString(head)
        guard bytes.count <= CborBignum.bytesMax else {
            throw failure("a bignum of more than \(CborBignum.bytesMax) bytes", head.offset)
        }
        let digits = CborBignum.decimal(bytes, isNegative: isNegative)
        // 10^308 is about where doubles end; whoever reads JSON numbers as doubles would get infinity.
        if digits.utf8.count <= (isNegative ? 309 : 308) { write(digits) } else { write("\"\(digits)\"") }
    }

    private mutating func write(_ text: String) {
        output.append(contentsOf: text.utf8)
    }

    /// Writes the shortest text that reads back as the same number of its own precision, so that 21.3 stays 21.3.
    private mutating func write<Number: BinaryFloatingPoint & CustomStringConvertible>(
        _ number: Number, _ offset: Int
    ) throws(CborError) {
        guard number.isFinite else { throw failure("a number that is not finite, which JSON does not have,", offset) }
        write(number.description)
    }

    // MARK: Heads and strings

    private mutating func head() throws(CborError) -> Head {
        let offset = position
        guard offset < input.count else { throw failure("unexpected end", offset) }
        let first = input[offset]
        position += 1
        let major = first >> 5
        let short = first & 31
        var argument = UInt64(short)
        switch short {
        case 0..<24: break
        case 24...27:
            let length = 1 << Int(short - 24)
            guard input.count - position >= length else { throw failure("unexpected end of a number", input.count) }
            argument = 0
            for _ in 0..<length {
                argument = argument << 8 | UInt64(input[position])
                position += 1
            }
        case 31 where (2...5).contains(major) || major == 7: break
        default: throw failure("a byte that begins no item", offset)
        }
        return Head(major: major, short: short, argument: argument, offset: offset)
    }

    private mutating func text(_ head: Head) throws(CborError) -> String {
        guard head.isIndefinite else {
            let range = try range(head)
            guard let text = String(validating: input[range], as: UTF8.self) else {
                throw failure("invalid UTF-8 in text", range.lowerBound)
            }
            return text
        }
        var text = ""
        while let chunk = try chunk(of: head) {
            // Each chunk is text by itself (RFC 8949 §3.2.3).
            text += try self.text(chunk)
        }
        return text
    }

    private mutating func byteString(_ head: Head) throws(CborError) -> [UInt8] {
        guard head.isIndefinite else { return Array(input[try range(head)]) }
        var bytes: [UInt8] = []
        while let chunk = try chunk(of: head) { bytes.append(contentsOf: input[try range(chunk)]) }
        return bytes
    }

    /// The next chunk of a string of indefinite length; nil at its end.
    private mutating func chunk(of string: Head) throws(CborError) -> Head? {
        let chunk = try head()
        if chunk.major == 7, chunk.isIndefinite { return nil }
        guard chunk.major == string.major, !chunk.isIndefinite else {
            throw failure("a chunk that does not fit its string", chunk.offset)
        }
        return chunk
    }

    private mutating func range(_ head: Head) throws(CborError) -> Range<Int> {
        guard head.argument <= UInt64(input.count - position) else {
            throw failure("a length beyond the end of the payload", head.offset)
        }
        let start = position
        position += Int(head.argument)
        return start..<position
    }

    private func failure(_ reason: String, _ offset: Int) -> CborError {
        CborError(reason: reason, offset: offset)
    }
}
