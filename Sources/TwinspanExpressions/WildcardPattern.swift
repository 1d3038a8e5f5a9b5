// Patterns with `*` and `?` for RQL `like`/`ilike` (spec/policies-search.md B.5) and `fn:filter(…,'like',…)`.
// Matching works on UTF-8 bytes, never allocates, and takes at most pattern × text steps.

/// One or more compiled wildcard patterns; a text matches if any of them does.
public struct WildcardPattern: Sendable, Hashable {
    private enum Token: Sendable, Hashable {
        case byte(UInt8)
        /// `?`: exactly one character that is not a line break.
        case character
        /// `*`: any run of characters without a line break, also an empty one.
        case run
    }

    private let alternatives: [[Token]]
    private let isCaseSensitive: Bool

    /// - Parameters:
    ///   - text: `*` and `?` are wildcards, everything else is literal; runs of `*` collapse.
    ///   - splitsAlternatives: whether `|` separates alternatives.
    ///   - isCaseSensitive: otherwise ASCII letters match in either case.
    public init(_ text: String, splitsAlternatives: Bool, isCaseSensitive: Bool) {
        self.isCaseSensitive = isCaseSensitive
        var alternatives: [[Token]] = [[]]
        for byte in text.utf8 {
            let last = alternatives.count - 1
            switch byte {
            case UInt8(ascii: "|") where splitsAlternatives: alternatives.append([])
            case UInt8(ascii: "*"):
                if alternatives[last].last != .run { alternatives[last].append(.run) }
            case UInt8(ascii: "?"): alternatives[last].append(.character)
            default: alternatives[last].append(.byte(isCaseSensitive ? byte : byte.lowercasedASCII))
            }
        }
        self.alternatives = alternatives
    }

    /// Compiles and matches at once, for patterns known only per message.
    static func matches(anyOf pattern: String, value: String, isCaseSensitive: Bool) -> Bool {
        WildcardPattern(pattern, splitsAlternatives: true, isCaseSensitive: isCaseSensitive).matches(value)
    }

    /// Whether the whole of `text` matches.
    public func matches(_ text: String) -> Bool {
        if let result = text.utf8.withContiguousStorageIfAvailable({ matches($0) }) {
            return result
        }
        return Array(text.utf8).withUnsafeBufferPointer { matches($0) }
    }

    private func matches(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        alternatives.contains { matches($0, text) }
    }

    /// Greedy matching that returns to the last `*` only. This is exact although runs stop at line breaks: an earlier
    /// run could only take text up to the same line break.
    private func matches(_ tokens: [Token], _ text: UnsafeBufferPointer<UInt8>) -> Bool {
        var position = 0
        var index = 0
        var lastRun: (index: Int, position: Int)?
        while position < text.count || index < tokens.count {
            if index < tokens.count {
                switch tokens[index] {
                case .run:
                    lastRun = (index, position)
                    index += 1
                    continue
                case .byte(let byte) where position < text.count && fold(text[position]) == byte:
                    index += 1
                    position += 1
                    continue
                case .character where position < text.count && !Self.isLineBreak(text, position):
                    index += 1
                    position += Self.characterLength(text, position)
                    continue
                case .byte, .character:
                    break
                }
            }
            guard let run = lastRun, run.position < text.count, !Self.isLineBreak(text, run.position) else {
                return false
            }
            lastRun = (run.index, run.position + Self.characterLength(text, run.position))
            index = run.index + 1
            position = run.position + Self.characterLength(text, run.position)
        }
        return true
    }

    private func fold(_ byte: UInt8) -> UInt8 { isCaseSensitive ? byte : byte.lowercasedASCII }

    private static func characterLength(_ text: UnsafeBufferPointer<UInt8>, _ position: Int) -> Int {
        let length =
            switch text[position] {
            case 0xF0...: 4
            case 0xE0...: 3
            case 0xC0...: 2
            default: 1
            }
        return min(length, text.count - position)
    }

    /// LF, CR, U+0085, U+2028 and U+2029.
    private static func isLineBreak(_ text: UnsafeBufferPointer<UInt8>, _ position: Int) -> Bool {
        switch text[position] {
        case 0x0A, 0x0D: true
        case 0xC2: position + 1 < text.count && text[position + 1] == 0x85
        case 0xE2:
            position + 2 < text.count && text[position + 1] == 0x80 && (text[position + 2] & 0xFE) == 0xA8
        default: false
        }
    }
}

extension UInt8 {
    var lowercasedASCII: UInt8 {
        self >= UInt8(ascii: "A") && self <= UInt8(ascii: "Z") ? self | 0x20 : self
    }
}
