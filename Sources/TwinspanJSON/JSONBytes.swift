// Byte classes and the eight-bytes-at-a-time tricks shared by everything that scans text.

/// Predicates over eight bytes loaded as one word. Byte 0 of the text is the lowest byte of the word.
enum JSONWord {
    private static var ones: UInt64 { 0x0101_0101_0101_0101 }
    private static var highBits: UInt64 { 0x8080_8080_8080_8080 }

    /// Loads eight bytes; `address` needs no alignment.
    @inline(__always)
    static func load(_ address: UnsafePointer<UInt8>) -> UInt64 {
        UInt64(littleEndian: UnsafeRawPointer(address).loadUnaligned(as: UInt64.self))
    }

    /// Stores eight bytes; `address` needs no alignment.
    @inline(__always)
    static func store(_ word: UInt64, to address: UnsafeMutablePointer<UInt8>) {
        UnsafeMutableRawPointer(address).storeBytes(of: word.littleEndian, as: UInt64.self)
    }

    /// A word whose lowest set bit lies in the first byte that is `"`, `\`, below 0x20 or above 0x7F; zero if none is.
    ///
    /// Bits above the lowest one may be wrong, because a borrow of the subtraction can spill into later bytes.
    @inline(__always)
    static func specialBytes(_ word: UInt64) -> UInt64 {
        let quote = (word ^ (ones &* UInt64(UInt8(ascii: "\"")))) &- ones
        let backslash = (word ^ (ones &* UInt64(UInt8(ascii: "\\")))) &- ones
        let control = word &- (ones &* 0x20)
        // A byte with its high bit set is special itself, so the subtractions need no further masking.
        return (quote | backslash | control | word) & highBits
    }

    /// As `specialBytes`, for Swift strings, whose bytes above 0x7F are well-formed: `"`, `\` and bytes below 0x20.
    @inline(__always)
    static func escapableBytes(_ word: UInt64) -> UInt64 {
        quotesAndBackslashes(word) | ((word &- (ones &* 0x20)) & ~word & highBits)
    }

    /// As `specialBytes`, for text that is known to be valid: only `"` and `\` count.
    @inline(__always)
    static func quotesAndBackslashes(_ word: UInt64) -> UInt64 {
        let quote = word ^ (ones &* UInt64(UInt8(ascii: "\"")))
        let backslash = word ^ (ones &* UInt64(UInt8(ascii: "\\")))
        return (((quote &- ones) & ~quote) | ((backslash &- ones) & ~backslash)) & highBits
    }

    /// The index of the first byte marked by one of the functions above.
    @inline(__always)
    static func firstIndex(_ marks: UInt64) -> Int {
        marks.trailingZeroBitCount &>> 3
    }
}

extension UInt8 {
    /// Space, tab, line feed, carriage return.
    @inline(__always)
    var isJSONWhitespace: Bool {
        self <= 0x20 && (self == 0x20 || self == 0x0A || self == 0x0D || self == 0x09)
    }

    /// The value of a hexadecimal digit.
    @inline(__always)
    var hexadecimalDigit: UInt32? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(self - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(self - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(self - UInt8(ascii: "A") + 10)
        default: nil
        }
    }
}

extension UnsafeRawBufferPointer {
    /// Whether both buffers hold the same bytes.
    @inline(__always)
    func hasSameBytes(as other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count else { return false }
        var position = 0
        while position &+ 8 <= count {
            let left = loadUnaligned(fromByteOffset: position, as: UInt64.self)
            let right = other.loadUnaligned(fromByteOffset: position, as: UInt64.self)
            if left != right { return false }
            position &+= 8
        }
        while position < count {
            if self[position] != other[position] { return false }
            position &+= 1
        }
        return true
    }
}
