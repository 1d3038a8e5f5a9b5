/// Why a text is not an acceptable JSON document, and where.
public struct JSONSyntaxError: Error, Equatable, Sendable {
    /// The kinds of mistakes a document can contain.
    public enum Reason: Equatable, Sendable {
        /// The text stops in the middle of a value; the offset is the length of the text.
        case unexpectedEnd
        /// A byte that cannot stand here: a missing comma, a misspelt literal, a byte order mark, …
        case unexpectedByte
        /// Not UTF-8: overlong, a surrogate code point, above U+10FFFF, truncated; the offset is its first byte.
        case invalidUTF8
        /// A `\u` escape naming half of a surrogate pair; the offset is its backslash.
        case loneSurrogate
        /// A backslash that starts no escape of RFC 8259; the offset is the backslash.
        case invalidEscape
        /// An unescaped byte below 0x20 in a string.
        case controlCharacter
        /// `01`, `1.`, `-`, `1e`, …; the offset is the first byte that breaks the number.
        case invalidNumber
        /// An object names this key twice; the offset is the opening quote of the second one.
        case duplicateKey(String)
        /// More containers open than `JSONLimits.depth`; the offset is the bracket that is one too many.
        case depthExceeded
        /// Something follows the value.
        case trailingBytes
        /// The text is longer than `JSONLimits.bytes`; the offset is that limit.
        case tooLarge
        /// Nothing but whitespace.
        case empty
    }

    /// The position of the mistake in bytes from the start of the text.
    public let offset: Int

    /// What is wrong there.
    public let reason: Reason

    public init(offset: Int, reason: Reason) {
        self.offset = offset
        self.reason = reason
    }
}

extension JSONSyntaxError: CustomStringConvertible {
    /// One sentence without a full stop, for log lines and wire errors, such as `unexpected byte at offset 12`.
    public var description: String {
        "\(reason) at offset \(offset)"
    }
}

extension JSONSyntaxError.Reason: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unexpectedEnd: "unexpected end of text"
        case .unexpectedByte: "unexpected byte"
        case .invalidUTF8: "invalid UTF-8"
        case .loneSurrogate: "escape of a lone surrogate"
        case .invalidEscape: "invalid escape"
        case .controlCharacter: "unescaped control character in a string"
        case .invalidNumber: "invalid number"
        case .duplicateKey(let key): "duplicate key \"\(key)\""
        case .depthExceeded: "too many nested containers"
        case .trailingBytes: "unexpected byte after the document"
        case .tooLarge: "text is too large"
        case .empty: "text is empty"
        }
    }
}
