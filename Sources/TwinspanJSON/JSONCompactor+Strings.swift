// Strings: the bulk of every document. Plain ASCII goes through eight bytes at a time; all else byte by byte.

extension JSONCompactor {
    /// Reads the string whose opening quote is at `position` and writes it canonically escaped, with its quotes.
    mutating func string() throws(JSONSyntaxError) {
        // Locals stay in registers; the fields are updated before anything that may throw or needs them.
        var position = self.position &+ 1
        var written = self.written
        output[written] = UInt8(ascii: "\"")
        written &+= 1
        while true {
            while position &+ 8 <= end {
                let word = JSONWord.load(source + position)
                // The store may carry bytes beyond the string; they are overwritten or cut off.
                JSONWord.store(word, to: output + written)
                let special = JSONWord.specialBytes(word)
                if special != 0 {
                    let count = JSONWord.firstIndex(special)
                    position &+= count
                    written &+= count
                    break
                }
                position &+= 8
                written &+= 8
            }
            while position < end {
                let byte = source[position]
                if byte < 0x20 || byte >= 0x80 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { break }
                output[written] = byte
                position &+= 1
                written &+= 1
            }
            self.position = position
            self.written = written
            guard position < end else { throw failure(.unexpectedEnd) }
            let byte = source[position]
            if byte == UInt8(ascii: "\"") {
                output[written] = byte
                self.position = position &+ 1
                self.written = written &+ 1
                return
            }
            if byte == UInt8(ascii: "\\") {
                try escape()
            } else if byte >= 0x80 {
                try multibyteCharacters()
            } else {
                throw failure(.controlCharacter)
            }
            position = self.position
            written = self.written
        }
    }

    /// Copies characters outside ASCII until the next byte that is ASCII.
    private mutating func multibyteCharacters() throws(JSONSyntaxError) {
        while position < end, source[position] >= 0x80 {
            let length = JSONUTF8.characterLength(source + position, available: end &- position)
            guard length != 0 else { throw failure(.invalidUTF8) }
            for index in 0..<length { output[written &+ index] = source[position &+ index] }
            position &+= length
            written &+= length
        }
    }

    /// Reads the escape whose backslash is at `position`.
    private mutating func escape() throws(JSONSyntaxError) {
        guard position &+ 1 < end else { throw JSONSyntaxError(offset: end, reason: .unexpectedEnd) }
        let byte = source[position &+ 1]
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "n"),
            UInt8(ascii: "r"), UInt8(ascii: "t"):
            output[written] = UInt8(ascii: "\\")
            output[written &+ 1] = byte
            written &+= 2
            position &+= 2
        case UInt8(ascii: "/"):
            output[written] = byte
            written &+= 1
            position &+= 2
        case UInt8(ascii: "u"):
            try unicodeEscape()
        default:
            throw failure(.invalidEscape)
        }
    }

    private mutating func unicodeEscape() throws(JSONSyntaxError) {
        let start = position
        var scalar = try codeUnit(at: start)
        position = start &+ 6
        if scalar & 0xFC00 == 0xD800 {
            guard position &+ 1 < end, source[position] == UInt8(ascii: "\\"),
                source[position &+ 1] == UInt8(ascii: "u")
            else { throw JSONSyntaxError(offset: start, reason: .loneSurrogate) }
            let low = try codeUnit(at: position)
            guard low & 0xFC00 == 0xDC00 else { throw JSONSyntaxError(offset: start, reason: .loneSurrogate) }
            scalar = 0x10000 + ((scalar & 0x3FF) << 10) + (low & 0x3FF)
            position &+= 6
        } else if scalar & 0xFC00 == 0xDC00 {
            throw JSONSyntaxError(offset: start, reason: .loneSurrogate)
        }
        written &+= JSONUTF8.writeEscaped(scalar, to: output + written)
    }

    /// The four hexadecimal digits of the `\u` escape that starts at `start`.
    private func codeUnit(at start: Int) throws(JSONSyntaxError) -> UInt32 {
        var unit: UInt32 = 0
        for index in start &+ 2..<start &+ 6 {
            guard index < end else { throw JSONSyntaxError(offset: end, reason: .unexpectedEnd) }
            guard let digit = source[index].hexadecimalDigit else {
                throw JSONSyntaxError(offset: start, reason: .invalidEscape)
            }
            unit = unit << 4 | digit
        }
        return unit
    }
}

/// UTF-8 as RFC 3629 defines it, and the canonical way to write a character into a JSON string.
enum JSONUTF8 {
    /// The length of the well-formed character of two to four bytes at `bytes`; zero if it is malformed.
    @inline(__always)
    static func characterLength(_ bytes: UnsafePointer<UInt8>, available: Int) -> Int {
        let lead = bytes[0]
        // The bounds of the second byte exclude overlong forms, surrogates and code points above U+10FFFF.
        let lower: UInt8
        let upper: UInt8
        let length: Int
        switch lead {
        case 0xC2...0xDF: (length, lower, upper) = (2, 0x80, 0xBF)
        case 0xE0: (length, lower, upper) = (3, 0xA0, 0xBF)
        case 0xED: (length, lower, upper) = (3, 0x80, 0x9F)
        case 0xE1...0xEF: (length, lower, upper) = (3, 0x80, 0xBF)
        case 0xF0: (length, lower, upper) = (4, 0x90, 0xBF)
        case 0xF1...0xF3: (length, lower, upper) = (4, 0x80, 0xBF)
        case 0xF4: (length, lower, upper) = (4, 0x80, 0x8F)
        default: return 0
        }
        guard available >= length, bytes[1] >= lower, bytes[1] <= upper else { return 0 }
        var index = 2
        while index < length {
            if bytes[index] & 0xC0 != 0x80 { return 0 }
            index &+= 1
        }
        return length
    }

    /// Writes `scalar` as it stands in a canonical string: at most six bytes.
    /// - Returns: the number of bytes written.
    static func writeEscaped(_ scalar: UInt32, to output: UnsafeMutablePointer<UInt8>) -> Int {
        guard scalar >= 0x80 else {
            return writeEscaped(ascii: UInt8(truncatingIfNeeded: scalar), to: output)
        }
        return write(scalar, to: output)
    }

    /// Writes one ASCII character, escaped if a string demands it: at most six bytes.
    static func writeEscaped(ascii byte: UInt8, to output: UnsafeMutablePointer<UInt8>) -> Int {
        let short: UInt8
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): short = byte
        case 0x08: short = UInt8(ascii: "b")
        case 0x09: short = UInt8(ascii: "t")
        case 0x0A: short = UInt8(ascii: "n")
        case 0x0C: short = UInt8(ascii: "f")
        case 0x0D: short = UInt8(ascii: "r")
        case 0x20...:
            output[0] = byte
            return 1
        default:
            let digit = byte & 0xF
            output[0] = UInt8(ascii: "\\")
            output[1] = UInt8(ascii: "u")
            output[2] = UInt8(ascii: "0")
            output[3] = UInt8(ascii: "0")
            output[4] = UInt8(ascii: "0") + byte >> 4
            output[5] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
            return 6
        }
        output[0] = UInt8(ascii: "\\")
        output[1] = short
        return 2
    }

    /// Writes a Unicode scalar value as UTF-8: at most four bytes.
    /// - Returns: the number of bytes written.
    static func write(_ scalar: UInt32, to output: UnsafeMutablePointer<UInt8>) -> Int {
        func continuation(_ shift: UInt32) -> UInt8 { UInt8(truncatingIfNeeded: scalar >> shift & 0x3F | 0x80) }
        switch scalar {
        case ..<0x80:
            output[0] = UInt8(truncatingIfNeeded: scalar)
            return 1
        case ..<0x800:
            output[0] = UInt8(truncatingIfNeeded: scalar >> 6 | 0xC0)
            output[1] = continuation(0)
            return 2
        case ..<0x10000:
            output[0] = UInt8(truncatingIfNeeded: scalar >> 12 | 0xE0)
            output[1] = continuation(6)
            output[2] = continuation(0)
            return 3
        default:
            output[0] = UInt8(truncatingIfNeeded: scalar >> 18 | 0xF0)
            output[1] = continuation(12)
            output[2] = continuation(6)
            output[3] = continuation(0)
            return 4
        }
    }
}
