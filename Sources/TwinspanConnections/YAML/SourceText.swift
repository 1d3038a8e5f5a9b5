// A configuration text with its lines: what diagnostics quote and what positions inside scalars are counted in.

/// The text of a configuration file.
public struct SourceText: Sendable {
    /// The name shown to people, usually the path as it was given.
    public let name: String
    /// UTF-8 without a byte order mark.
    public let bytes: [UInt8]
    /// Offset of the first byte of each line.
    private let lineStarts: [Int]

    /// Takes a text. A leading byte order mark is dropped, because editors do not count it as a column.
    public init(name: String, bytes: [UInt8]) {
        self.name = name
        let hasByteOrderMark = bytes.starts(with: [0xEF, 0xBB, 0xBF])
        self.bytes = hasByteOrderMark ? Array(bytes.dropFirst(3)) : bytes
        var starts = [0]
        for (index, byte) in self.bytes.enumerated() where byte == UInt8(ascii: "\n") {
            starts.append(index + 1)
        }
        lineStarts = starts
    }

    /// Takes a text that is a string already.
    public init(name: String, text: String) {
        self.init(name: name, bytes: Array(text.utf8))
    }

    /// The number of lines; a text that ends in a line break has no further line after it.
    public var lineCount: Int {
        lineStarts.last == bytes.count && lineStarts.count > 1 ? lineStarts.count - 1 : lineStarts.count
    }

    /// A line without its break; empty when there is no such line. Bytes that are not UTF-8 appear as U+FFFD.
    /// - Parameter number: counted from 1.
    public func line(_ number: Int) -> String {
        guard let range = lineRange(number) else { return "" }
        return String(decoding: bytes[range], as: UTF8.self)
    }

    /// The bytes of a line, without its break.
    func lineRange(_ number: Int) -> Range<Int>? {
        guard number >= 1, number <= lineStarts.count else { return nil }
        let start = lineStarts[number - 1]
        var end = number < lineStarts.count ? lineStarts[number] - 1 : bytes.count
        if end > start, bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
        return start..<end
    }

    /// The byte offset of a place, at most the end of its line.
    func offset(line: Int, column: Int) -> Int {
        guard let range = lineRange(line) else { return bytes.count }
        var offset = range.lowerBound
        var remaining = column - 1
        while remaining > 0, offset < range.upperBound {
            offset += Self.scalarLength(bytes[offset])
            remaining -= 1
        }
        return min(offset, range.upperBound)
    }

    /// The line and column of a byte.
    func position(ofOffset offset: Int) -> (line: Int, column: Int) {
        var low = 0
        var high = lineStarts.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if lineStarts[middle] <= offset { low = middle } else { high = middle }
        }
        let end = min(offset, bytes.count)
        var column = 1
        var index = lineStarts[low]
        while index < end {
            if bytes[index] & 0xC0 != 0x80 { column += 1 }
            index += 1
        }
        // A place inside a character is the place of that character.
        if end < bytes.count, bytes[end] & 0xC0 == 0x80, column > 1 { column -= 1 }
        return (low + 1, column)
    }

    /// The number of bytes of the character that begins with this byte; 1 for bytes that begin none.
    static func scalarLength(_ lead: UInt8) -> Int {
        switch lead {
        case 0xC0...0xDF: 2
        case 0xE0...0xEF: 3
        case 0xF0...0xF7: 4
        default: 1
        }
    }
}
