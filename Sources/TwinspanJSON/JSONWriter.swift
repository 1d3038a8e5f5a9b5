// The buffer that trees are written into. Appending to an array byte by byte checks uniqueness and capacity each time;
// here the room for a whole token is reserved once.
//
// Safe because: every function reserves what it may store before it stores it.

/// A growing buffer of compact canonical text.
struct JSONWriter: ~Copyable {
    private var base: UnsafeMutablePointer<UInt8>
    private var capacity: Int
    private var count = 0

    init(capacity: Int = 512) {
        self.capacity = capacity
        base = .allocate(capacity: capacity)
    }

    deinit {
        base.deallocate()
    }

    /// The text so far as an array of exactly its size.
    var bytes: [UInt8] {
        Array(UnsafeBufferPointer(start: base, count: count))
    }

    /// Appends the text so far to `output`.
    consuming func move(to output: inout [UInt8]) {
        output.append(contentsOf: UnsafeBufferPointer(start: base, count: count))
    }

    /// Recurses once per level. Parsed documents have at most `JSONLimits.depthMaximum` levels.
    mutating func value(_ value: JSONValue) {
        switch value {
        case .null: literal("null")
        case .bool(let value): literal(value ? "true" : "false")
        case .number(let value): number(value)
        case .string(let value): string(value)
        case .array(let elements): array(elements)
        case .object(let value): object(value)
        }
    }

    mutating func object(_ object: JSONObject) {
        byte(UInt8(ascii: "{"))
        var isFirst = true
        for (key, value) in object.members {
            if !isFirst { byte(UInt8(ascii: ",")) }
            isFirst = false
            string(key)
            byte(UInt8(ascii: ":"))
            self.value(value)
        }
        byte(UInt8(ascii: "}"))
    }

    private mutating func array(_ elements: [JSONValue]) {
        byte(UInt8(ascii: "["))
        var isFirst = true
        for element in elements {
            if !isFirst { byte(UInt8(ascii: ",")) }
            isFirst = false
            value(element)
        }
        byte(UInt8(ascii: "]"))
    }

    private mutating func number(_ number: JSONNumber) {
        if case .integer(let value) = number.storage {
            integer(value)
        } else {
            number.text.withBytes { copy($0) }
        }
    }

    /// Writes `string` with quotes, escaped where it must be.
    mutating func string(_ string: String) {
        string.withBytes { content in
            let bytes = content.bindMemory(to: UInt8.self)
            reserve(bytes.count &+ 2)
            base[count] = UInt8(ascii: "\"")
            count &+= 1
            // An empty string may have no address, and has nothing to copy.
            if let source = bytes.baseAddress { characters(source, end: bytes.count) }
            base[count] = UInt8(ascii: "\"")
            count &+= 1
        }
    }

    /// Writes the characters and reserves the closing quote's byte.
    @inline(__always)
    private mutating func characters(_ source: UnsafePointer<UInt8>, end: Int) {
        var position = 0
        while position < end {
            if position &+ 8 <= end {
                let word = JSONWord.load(source + position)
                let marks = JSONWord.escapableBytes(word)
                // There is room for all that is left; what is stored too much is overwritten.
                JSONWord.store(word, to: base + count)
                let plain = marks == 0 ? 8 : JSONWord.firstIndex(marks)
                position &+= plain
                count &+= plain
                if marks == 0 { continue }
            }
            let byte = source[position]
            if byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
                base[count] = byte
                count &+= 1
            } else {
                reserve(end &- position &+ 7)
                count &+= JSONUTF8.writeEscaped(ascii: byte, to: base + count)
            }
            position &+= 1
        }
    }

    private mutating func integer(_ value: Int64) {
        // The longest is -9223372036854775808. Digits come out last first.
        var digits: InlineArray<20, UInt8> = .init(repeating: 0)
        var start = 20
        var magnitude = value.magnitude
        repeat {
            let (quotient, remainder) = magnitude.quotientAndRemainder(dividingBy: 10)
            start &-= 1
            digits[start] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: remainder)
            magnitude = quotient
        } while magnitude != 0
        if value < 0 {
            start &-= 1
            digits[start] = UInt8(ascii: "-")
        }
        reserve(20)
        for index in start..<20 {
            base[count] = digits[index]
            count &+= 1
        }
    }

    private mutating func literal(_ text: StaticString) {
        copy(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    @inline(__always)
    private mutating func copy(_ bytes: UnsafeRawBufferPointer) {
        reserve(bytes.count)
        UnsafeMutableRawBufferPointer(start: base + count, count: bytes.count).copyMemory(from: bytes)
        count &+= bytes.count
    }

    @inline(__always)
    private mutating func byte(_ byte: UInt8) {
        reserve(1)
        base[count] = byte
        count &+= 1
    }

    @inline(__always)
    private mutating func reserve(_ room: Int) {
        if count &+ room > capacity { grow(room) }
    }

    private mutating func grow(_ room: Int) {
        let grown = Swift.max(capacity * 2, count + room)
        let moved = UnsafeMutablePointer<UInt8>.allocate(capacity: grown)
        moved.moveInitialize(from: base, count: count)
        base.deallocate()
        base = moved
        capacity = grown
    }
}
