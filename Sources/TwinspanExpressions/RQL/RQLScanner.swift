// The characters of filters and of search options (spec/policies-search.md B.1, B.7), read from UTF-8 bytes: names,
// strings with their escapes, digits. Both parsers work on it; every error has the place where reading stopped.

/// A text and how far it has been read.
struct RQLScanner {
    let bytes: [UInt8]
    private(set) var position = 0
    /// What to do about a syntax error.
    private let syntaxAdvice: String

    init(_ text: String, syntaxAdvice: String) {
        bytes = Array(text.utf8)
        self.syntaxAdvice = syntaxAdvice
    }

    var isAtEnd: Bool { position == bytes.count }

    /// The byte at the position; `nil` at the end.
    var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    /// What has been read since `start`.
    func text(from start: Int) -> String {
        String(decoding: bytes[start..<position], as: UTF8.self)
    }

    // MARK: Bytes

    mutating func skipWhitespace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 || byte == 0x0C {
            position += 1
        }
    }

    mutating func skipDigits() {
        while let byte = next, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { position += 1 }
    }

    /// Lower-case letters; what they spell is looked up by the caller, who may go `back`.
    mutating func word() -> String {
        let start = position
        while let byte = next, byte >= UInt8(ascii: "a"), byte <= UInt8(ascii: "z") { position += 1 }
        return text(from: start)
    }

    /// Returns to where something began, so that the error points there.
    mutating func back(to start: Int) {
        position = start
    }

    mutating func consume(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    mutating func consume(word: StaticString) -> Bool {
        let isThere = word.withUTF8Buffer { bytes[position...].starts(with: $0) }
        if isThere { position += word.utf8CodeUnitCount }
        return isThere
    }

    mutating func expect(_ character: Unicode.Scalar) throws(RQLError) {
        guard consume(character) else { throw invalidInput(expected: "'\(character)'") }
    }

    // MARK: Characters

    /// The characters up to a comma, a closing parenthesis or a quote, which stays, with escapes decoded.
    mutating func name() throws(RQLError) -> String {
        var output: [UInt8] = []
        while let byte = next {
            switch byte {
            case UInt8(ascii: ","), UInt8(ascii: ")"), UInt8(ascii: "\""):
                return String(decoding: output, as: UTF8.self)
            case UInt8(ascii: "\\"): try escape(quote: "\"", into: &output)
            default:
                output.append(byte)
                position += 1
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// The characters after an opening quote up to the closing one, which is consumed, with escapes decoded.
    mutating func string(closing quote: Unicode.Scalar) throws(RQLError) -> String {
        var output: [UInt8] = []
        while let byte = next {
            switch byte {
            case UInt8(ascii: quote):
                position += 1
                return String(decoding: output, as: UTF8.self)
            case UInt8(ascii: "\\"): try escape(quote: quote, into: &output)
            default:
                output.append(byte)
                position += 1
            }
        }
        throw invalidInput(expected: "a closing \(quote)")
    }

    /// A backslash and what follows it. `quote` is the quote that may be escaped here.
    private mutating func escape(quote: Unicode.Scalar, into output: inout [UInt8]) throws(RQLError) {
        position += 1
        switch next {
        case UInt8(ascii: quote): output.append(UInt8(ascii: quote))
        case UInt8(ascii: "\\"): output.append(UInt8(ascii: "\\"))
        case UInt8(ascii: "/"): output.append(UInt8(ascii: "/"))
        case UInt8(ascii: "b"): output.append(0x08)
        case UInt8(ascii: "f"): output.append(0x0C)
        case UInt8(ascii: "n"): output.append(0x0A)
        case UInt8(ascii: "r"): output.append(0x0D)
        case UInt8(ascii: "t"): output.append(0x09)
        case UInt8(ascii: "u"):
            position += 1
            try unicodeEscape(into: &output)
            return
        case nil: throw invalidInput(expected: "an escaped character")
        default: throw invalidInput(expected: "one of \(quote) \\ / b f n r t u")
        }
        position += 1
    }

    /// Four hexadecimal digits, or two such escapes for a surrogate pair. A lone surrogate, which the grammar accepts
    /// but no string can hold, becomes U+FFFD.
    private mutating func unicodeEscape(into output: inout [UInt8]) throws(RQLError) {
        var value = try hexadecimal()
        let afterHigh = position
        if (0xD800...0xDBFF).contains(value), consume(word: "\\u") {
            let low = try hexadecimal()
            if (0xDC00...0xDFFF).contains(low) {
                value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
            } else {
                position = afterHigh
            }
        }
        output += String(Character(Unicode.Scalar(value) ?? "\u{FFFD}")).utf8
    }

    private mutating func hexadecimal() throws(RQLError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = next?.hexDigitValue else { throw invalidInput(expected: "a hexadecimal digit") }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    // MARK: Errors

    /// The error for what stands at the position.
    func invalidInput(expected: String, hint: String = "") -> RQLError {
        guard position < bytes.count else {
            return error("Unexpected end of input, expected \(expected)", advice: syntaxAdvice + hint)
        }
        let rest = String(decoding: bytes[position...].prefix(4), as: UTF8.self)
        let found = rest.unicodeScalars.first.map { $0.value < 0x20 ? $0.escaped(asASCII: true) : String($0) } ?? ""
        return error("Invalid input '\(found)', expected \(expected)", advice: syntaxAdvice + hint)
    }

    /// An error at `offset`, or at the position.
    func error(_ problem: String, advice: String, at offset: Int? = nil) -> RQLError {
        RQLError(problem, advice: advice, at: offset ?? position, in: bytes)
    }
}
