// The number grammar of RFC 8259, once for the parser and once for texts that are already valid.

/// Finds the end of number literals.
enum JSONNumberScanner {
    /// Scans the number that starts at `start` in `bytes[..<end]`.
    /// - Returns: the position behind the number, and whether it is one. If not, the position is that of the first
    ///   byte that breaks it. Does not look at what follows a complete number.
    @inline(__always)
    static func scan(_ bytes: UnsafePointer<UInt8>, from start: Int, to end: Int) -> (position: Int, isValid: Bool) {
        var position = start
        if position < end, bytes[position] == UInt8(ascii: "-") { position += 1 }
        guard position < end, isDigit(bytes[position]) else { return (position, false) }
        if bytes[position] == UInt8(ascii: "0") {
            position += 1
            if position < end, isDigit(bytes[position]) { return (position, false) }
        } else {
            position = endOfDigits(bytes, from: position, to: end)
        }
        if position < end, bytes[position] == UInt8(ascii: ".") {
            position += 1
            guard position < end, isDigit(bytes[position]) else { return (position, false) }
            position = endOfDigits(bytes, from: position, to: end)
        }
        if position < end, bytes[position] | 0x20 == UInt8(ascii: "e") {
            position += 1
            if position < end, bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-") {
                position += 1
            }
            guard position < end, isDigit(bytes[position]) else { return (position, false) }
            position = endOfDigits(bytes, from: position, to: end)
        }
        return (position, true)
    }

    /// Whether `bytes` is one number literal and nothing else.
    static func isNumber(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let bytes = bytes.bindMemory(to: UInt8.self)
        guard let base = bytes.baseAddress else { return false }
        let (position, isValid) = scan(base, from: 0, to: bytes.count)
        return isValid && position == bytes.count
    }

    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool {
        byte &- UInt8(ascii: "0") < 10
    }

    @inline(__always)
    private static func endOfDigits(_ bytes: UnsafePointer<UInt8>, from start: Int, to end: Int) -> Int {
        var position = start
        while position < end, isDigit(bytes[position]) { position &+= 1 }
        return position
    }
}

extension JSONNumber {
    /// Reads a literal that is known to be valid. Integers of 64 bits become integers, all else keeps its text.
    init(validated literal: UnsafeRawBufferPointer) {
        if let value = Self.integer(literal) {
            storage = .integer(value)
        } else {
            storage = .literal(String(decoding: literal, as: UTF8.self))
        }
    }

    /// The value of `literal`, if printing that value gives `literal` again.
    private static func integer(_ literal: UnsafeRawBufferPointer) -> Int64? {
        var position = 0
        let isNegative = literal.first == UInt8(ascii: "-")
        if isNegative { position = 1 }
        let digitCount = literal.count - position
        guard digitCount > 0, digitCount <= 19 else { return nil }
        // 19 digits fit 64 unsigned bits, so the sum cannot overflow.
        var magnitude: UInt64 = 0
        while position < literal.count {
            let digit = literal[position] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            magnitude = magnitude &* 10 &+ UInt64(digit)
            position += 1
        }
        if isNegative {
            guard magnitude != 0, magnitude <= Int64.min.magnitude else { return nil }
            return Int64(truncatingIfNeeded: 0 &- magnitude)
        }
        return Int64(exactly: magnitude)
    }
}
