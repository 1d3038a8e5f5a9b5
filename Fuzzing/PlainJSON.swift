// A second reader of JSON, written from RFC 8259 as plainly as possible and sharing no code with the product. It judges
// what the product's reader accepts, and gives the compact canonical text to compare with.

/// Reads one document, byte by byte.
struct PlainJSON {
    private let source: [UInt8]
    private var position = 0
    private var output: [UInt8] = []

    /// The compact canonical text of `source`; `nil` if it is no document or nested deeper than 200.
    static func canonical(_ source: [UInt8]) -> [UInt8]? {
        var reader = PlainJSON(source: source)
        reader.skipSpace()
        guard reader.value(depth: 1) else { return nil }
        reader.skipSpace()
        return reader.position == source.count ? reader.output : nil
    }

    private init(source: [UInt8]) {
        self.source = source
    }

    private var next: UInt8? { position < source.count ? source[position] : nil }

    private mutating func skipSpace() {
        while let byte = next, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { position += 1 }
    }

    private mutating func take(_ character: Character) -> Bool {
        guard next == character.asciiValue else { return false }
        position += 1
        return true
    }

    private mutating func value(depth: Int) -> Bool {
        switch next {
        case UInt8(ascii: "{"): depth <= 200 && object(depth: depth)
        case UInt8(ascii: "["): depth <= 200 && array(depth: depth)
        case UInt8(ascii: "\""): string() != nil
        case UInt8(ascii: "t"): word("true")
        case UInt8(ascii: "f"): word("false")
        case UInt8(ascii: "n"): word("null")
        default: number()
        }
    }

    private mutating func word(_ word: String) -> Bool {
        guard source[position...].starts(with: word.utf8) else { return false }
        position += word.utf8.count
        output += Array(word.utf8)
        return true
    }

    private mutating func object(depth: Int) -> Bool {
        position += 1
        output.append(UInt8(ascii: "{"))
        var keys: Set<[UInt8]> = []
        skipSpace()
        if !take("}") {
            repeat {
                if !keys.isEmpty { output.append(UInt8(ascii: ",")) }
                skipSpace()
                guard let key = string(), keys.insert(key).inserted else { return false }
                skipSpace()
                guard take(":") else { return false }
                output.append(UInt8(ascii: ":"))
                skipSpace()
                guard value(depth: depth + 1) else { return false }
                skipSpace()
            } while take(",")
            guard take("}") else { return false }
        }
        output.append(UInt8(ascii: "}"))
        return true
    }

    private mutating func array(depth: Int) -> Bool {
        position += 1
        output.append(UInt8(ascii: "["))
        var count = 0
        skipSpace()
        if !take("]") {
            repeat {
                if count > 0 { output.append(UInt8(ascii: ",")) }
                count += 1
                skipSpace()
                guard value(depth: depth + 1) else { return false }
                skipSpace()
            } while take(",")
            guard take("]") else { return false }
        }
        output.append(UInt8(ascii: "]"))
        return true
    }

    private mutating func number() -> Bool {
        let start = position
        _ = take("-")
        if !take("0") { guard digits() else { return false } }
        if take(".") { guard digits() else { return false } }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            guard digits() else { return false }
        }
        output += source[start..<position]
        return true
    }

    private mutating func digits() -> Bool {
        let start = position
        while let byte = next, (0x30...0x39).contains(byte) { position += 1 }
        return position > start
    }

    /// The content of the string, unescaped; `nil` if it is none.
    private mutating func string() -> [UInt8]? {
        guard take("\"") else { return nil }
        var content: [UInt8] = []
        while let byte = next, byte != UInt8(ascii: "\"") {
            position += 1
            if byte < 0x20 { return nil }
            if byte == UInt8(ascii: "\\") {
                guard let scalar = escape() else { return nil }
                content += Array(String(scalar).utf8)
            } else {
                content.append(byte)
            }
        }
        guard take("\""), String(validating: content, as: UTF8.self) != nil else { return nil }
        write(content)
        return content
    }

    private mutating func escape() -> Unicode.Scalar? {
        guard let byte = next else { return nil }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            guard let unit = codeUnit() else { return nil }
            guard (0xD800..<0xDC00).contains(unit) else { return Unicode.Scalar(unit) }
            guard take("\\"), take("u"), let low = codeUnit(), (0xDC00..<0xE000).contains(low) else { return nil }
            return Unicode.Scalar(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00))
        default: return nil
        }
    }

    private mutating func codeUnit() -> UInt32? {
        var unit: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = next.flatMap({ Character(Unicode.Scalar($0)).hexDigitValue }) else { return nil }
            unit = (unit << 4) + UInt32(digit)
            position += 1
        }
        return unit
    }

    private mutating func write(_ content: [UInt8]) {
        output.append(0x22)
        for byte in content {
            if let letter = Self.shortEscape(byte) {
                output += [0x5C, letter]
            } else if byte < 0x20 {
                let digits = String(byte, radix: 16)
                output += Array("\\u00\(digits.count < 2 ? "0" : "")\(digits)".utf8)
            } else {
                output.append(byte)
            }
        }
        output.append(0x22)
    }

    private static func shortEscape(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x22, 0x5C: byte
        case 0x08: UInt8(ascii: "b")
        case 0x0C: UInt8(ascii: "f")
        case 0x0A: UInt8(ascii: "n")
        case 0x0D: UInt8(ascii: "r")
        case 0x09: UInt8(ascii: "t")
        default: nil
        }
    }
}
