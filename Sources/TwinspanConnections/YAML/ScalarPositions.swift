// From an offset in a scalar's text to the line and column where that character was written: through substituted
// variables, quotes, escapes, folded lines and block indentation. Only diagnostics need it, so it costs nothing
// while everything is in order.

/// Finds the places of characters of one scalar.
struct ScalarPositions {
    private let node: YAMLNode
    private let scalar: YAMLScalar
    private let source: SourceText

    /// - Parameters:
    ///   - node: a scalar node.
    ///   - source: the text it was read from.
    init?(_ node: YAMLNode, in source: SourceText) {
        guard let scalar = node.scalar else { return nil }
        self.node = node
        self.scalar = scalar
        self.source = source
    }

    /// Where the character at a UTF-8 offset of the scalar's text was written.
    func mark(of offset: Int) -> Mark {
        let position = source.position(ofOffset: sourceOffset(ofWritten: writtenOffset(of: offset)))
        return Mark(source: node.start.source, line: position.line, column: position.column)
    }

    /// The offset before substitution. What stands inside of a replacement stands at its `${`.
    private func writtenOffset(of offset: Int) -> Int {
        var shift = 0
        for substitution in scalar.substitutions {
            if offset < substitution.result.lowerBound { break }
            if offset < substitution.result.upperBound { return substitution.written.lowerBound }
            shift = substitution.written.upperBound - substitution.result.upperBound
        }
        return offset + shift
    }

    private func sourceOffset(ofWritten offset: Int) -> Int {
        let start = contentStart()
        switch scalar.style {
        case .plain: return flowOffset(offset, from: start, quote: nil)
        case .singleQuoted: return flowOffset(offset, from: start + 1, quote: UInt8(ascii: "'"))
        case .doubleQuoted: return flowOffset(offset, from: start + 1, quote: UInt8(ascii: "\""))
        case .literal, .folded: return blockOffset(offset, from: start)
        }
    }

    /// Skips anchors and tags in front of the scalar.
    private func contentStart() -> Int {
        let bytes = source.bytes
        var index = source.offset(line: node.start.line, column: node.start.column)
        while index < bytes.count, bytes[index] == UInt8(ascii: "&") || bytes[index] == UInt8(ascii: "!") {
            while index < bytes.count, !Self.isSpace(bytes[index]) { index += 1 }
            while index < bytes.count, Self.isSpace(bytes[index]) { index += 1 }
        }
        return index
    }

    /// Walks a plain or quoted scalar.
    private func flowOffset(_ target: Int, from start: Int, quote: UInt8?) -> Int {
        let bytes = source.bytes
        var index = start
        var decoded = 0
        while index < bytes.count, decoded < target || isEscapedBreak(at: index, quote) {
            if Self.isSpace(bytes[index]), let fold = fold(at: index) {
                index = fold.end
                decoded += fold.breaks == 1 ? 1 : fold.breaks - 1
            } else if quote == UInt8(ascii: "'"), bytes[index] == UInt8(ascii: "'") {
                index += 2
                decoded += 1
            } else if quote == UInt8(ascii: "\""), bytes[index] == UInt8(ascii: "\\") {
                let escape = self.escape(at: index)
                if decoded + escape.decoded > target { return index }
                index += escape.length
                decoded += escape.decoded
            } else {
                index += 1
                decoded += 1
            }
        }
        return min(index, bytes.count)
    }

    /// Whether a line ends here in a way that puts nothing into the text.
    private func isEscapedBreak(at index: Int, _ quote: UInt8?) -> Bool {
        quote == UInt8(ascii: "\"") && source.bytes[index] == UInt8(ascii: "\\") && escape(at: index).decoded == 0
    }

    /// A run of white space with at least one line break, which folds into a space or into fewer breaks.
    private func fold(at start: Int) -> (end: Int, breaks: Int)? {
        let bytes = source.bytes
        var index = start
        var breaks = 0
        while index < bytes.count, Self.isSpace(bytes[index]) {
            if bytes[index] == UInt8(ascii: "\n") { breaks += 1 }
            index += 1
        }
        return breaks == 0 ? nil : (index, breaks)
    }

    /// The length of an escape and of the UTF-8 it stands for.
    private func escape(at start: Int) -> (length: Int, decoded: Int) {
        let bytes = source.bytes
        guard start + 1 < bytes.count else { return (1, 1) }
        if let character = JSONSurrogates.pair(at: start, in: bytes) { return (12, Self.utf8Length(character)) }
        let digits: Int
        switch bytes[start + 1] {
        case UInt8(ascii: "x"): digits = 2
        case UInt8(ascii: "u"): digits = 4
        case UInt8(ascii: "U"): digits = 8
        case UInt8(ascii: "\n"), UInt8(ascii: "\r"):
            // An escaped line break joins lines; the indentation behind it goes with it.
            return ((fold(at: start + 1)?.end ?? start + 2) - start, 0)
        case UInt8(ascii: "N"), UInt8(ascii: "_"): return (2, 2)
        case UInt8(ascii: "L"), UInt8(ascii: "P"): return (2, 3)
        default: return (2, 1)
        }
        let end = min(start + 2 + digits, bytes.count)
        let value = UInt32(String(decoding: bytes[(start + 2)..<end], as: UTF8.self), radix: 16) ?? 0
        return (2 + digits, Self.utf8Length(value))
    }

    /// Walks a block scalar: header line, then lines behind a common indentation.
    private func blockOffset(_ target: Int, from start: Int) -> Int {
        let bytes = source.bytes
        guard var index = bytes[start...].firstIndex(of: UInt8(ascii: "\n")).map({ $0 + 1 }) else { return start }
        let indentation = self.indentation(from: index)
        var decoded = 0
        while index < bytes.count {
            let lineEnd = bytes[index...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            let lineStart = min(index + indentation, lineEnd)
            let length = lineEnd - lineStart
            if target <= decoded + length { return lineStart + target - decoded }
            decoded += length
            if scalar.style == .folded, let fold = fold(at: lineEnd), fold.breaks > 1 {
                // n breaks fold into n - 1; the empty lines between are passed with them.
                index = lineEnd + 1
                for _ in 1..<fold.breaks {
                    index = (bytes[index...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count - 1) + 1
                }
                decoded += fold.breaks - 1
            } else {
                index = lineEnd + 1
                decoded += 1
            }
        }
        return bytes.count
    }

    /// The indentation that is not part of the text: that of the first line that is not empty, less what the text
    /// itself has there (`|2` says so).
    private func indentation(from start: Int) -> Int {
        let firstLine = scalar.text.split(separator: "\n").first { $0.contains { $0 != " " } } ?? ""
        return max(0, leadingSpaces(from: start) - firstLine.prefix { $0 == " " }.count)
    }

    private func leadingSpaces(from start: Int) -> Int {
        let bytes = source.bytes
        var index = start
        var spaces = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: " ") {
                spaces += 1
            } else if bytes[index] == UInt8(ascii: "\n") || bytes[index] == UInt8(ascii: "\r") {
                spaces = 0
            } else {
                return spaces
            }
            index += 1
        }
        return spaces
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
    }

    private static func utf8Length(_ value: UInt32) -> Int {
        switch value {
        case ..<0x80: 1
        case ..<0x800: 2
        case ..<0x10000: 3
        default: 4
        }
    }
}
