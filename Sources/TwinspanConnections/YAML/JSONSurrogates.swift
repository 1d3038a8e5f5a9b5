// The one place where JSON is not YAML for libyaml: a character outside the basic plane is written in JSON as two
// escapes, `\ud83d\ude00`, each of which YAML refuses. In texts that are JSON such pairs are joined before reading.

enum JSONSurrogates {
    /// A pair that was joined; the text behind it in the line moved by two columns.
    struct Rewrite {
        let line: Int
        /// Column of the joined escape in the rewritten text.
        let column: Int
    }

    private static let pairLength = 12  // \ud83d\ude00
    private static let joinedLength = 10  // \U0001F600

    /// The text with pairs joined, if it is JSON and has any. A text with a single quote or a comment outside of
    /// strings is YAML, where such a pair may be text that has to stay as it is.
    static func joined(in text: SourceText) -> (bytes: [UInt8], rewrites: [Rewrite]) {
        let bytes = text.bytes
        guard let first = bytes.first(where: { !isSpace($0) }), first == UInt8(ascii: "{") || first == UInt8(ascii: "[")
        else { return (bytes, []) }
        let places = pairs(in: bytes)
        guard !places.isEmpty else { return (bytes, []) }
        var output: [UInt8] = []
        var rewrites: [Rewrite] = []
        output.reserveCapacity(bytes.count)
        var copied = 0
        for place in places {
            output += bytes[copied..<place.offset]
            let position = text.position(ofOffset: place.offset)
            let earlier = rewrites.reversed().prefix { $0.line == position.line }.count
            let column = position.column - earlier * (pairLength - joinedLength)
            rewrites.append(Rewrite(line: position.line, column: column))
            let digits = String(place.character, radix: 16)
            output += Array("\\U".utf8) + Array(repeating: UInt8(ascii: "0"), count: 8 - digits.utf8.count)
            output += Array(digits.utf8)
            copied = place.offset + pairLength
        }
        output += bytes[copied...]
        return (output, rewrites)
    }

    /// The column in the original text.
    static func column(_ column: Int, inLine line: Int, undoing rewrites: [Rewrite]) -> Int {
        if rewrites.isEmpty { return column }
        let before = rewrites.count { $0.line == line && $0.column < column }
        return column + before * (pairLength - joinedLength)
    }

    /// The character of a pair of escapes at this offset, nil if there is none.
    static func pair(at offset: Int, in bytes: [UInt8]) -> UInt32? {
        guard offset + pairLength <= bytes.count, let high = unit(at: offset, in: bytes),
            let low = unit(at: offset + 6, in: bytes), (0xD800...0xDBFF).contains(high),
            (0xDC00...0xDFFF).contains(low)
        else { return nil }
        return 0x10000 + (high - 0xD800) << 10 + (low - 0xDC00)
    }

    private static func pairs(in bytes: [UInt8]) -> [(offset: Int, character: UInt32)] {
        var places: [(Int, UInt32)] = []
        var isInString = false
        var index = 0
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\""): isInString.toggle()
            case UInt8(ascii: "'") where !isInString, UInt8(ascii: "#") where !isInString: return []
            case UInt8(ascii: "\\") where isInString:
                if let character = pair(at: index, in: bytes) {
                    places.append((index, character))
                    index += pairLength - 2
                }
                index += 1
            default: break
            }
            index += 1
        }
        return places
    }

    private static func unit(at offset: Int, in bytes: [UInt8]) -> UInt32? {
        guard bytes[offset] == UInt8(ascii: "\\"), bytes[offset + 1] == UInt8(ascii: "u") else { return nil }
        return UInt32(String(decoding: bytes[(offset + 2)..<(offset + 6)], as: UTF8.self), radix: 16)
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 }
}
