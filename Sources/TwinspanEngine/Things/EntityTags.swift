// Entity tags of conditional requests (spec/protocol.md §10.1). Revisions for whole entities, content hashes for parts.
import TwinspanJSON
import TwinspanProtocol

/// The list of an `if-match` or `if-none-match` header.
struct EntityTags: Sendable {
    private let isAny: Bool
    private let tags: [String]

    /// Parses `*` or a comma-separated list of tags. Throws `header.invalid`.
    init(_ text: String, header: String) throws(TwinspanError) {
        let trimmed = text.trimmedSpaces
        isAny = trimmed == "*"
        guard !isAny else {
            tags = []
            return
        }
        var tags: [String] = []
        var rest = trimmed.utf8[...]
        repeat {
            guard let tag = Self.takeTag(&rest) else {
                throw .headerInvalid(header, "Use '*' or entity tags in quotes, separated by commas.")
            }
            tags.append(tag)
        } while !rest.isEmpty
        self.tags = tags
    }

    /// Takes `(W/)?"…"` and the comma behind it; nil when there is something else. A tag may hold commas.
    private static func takeTag(_ rest: inout Substring.UTF8View) -> String? {
        let quote = UInt8(ascii: "\"")
        var end = rest.startIndex
        if rest.starts(with: "W/".utf8) { end = rest.index(end, offsetBy: 2) }
        guard end < rest.endIndex, rest[end] == quote else { return nil }
        let body = rest[rest.index(after: end)...]
        guard let close = body.firstIndex(of: quote), !body[..<close].contains(UInt8(ascii: "*")) else { return nil }
        let tag = String(Substring(rest[...close]))
        rest = rest[rest.index(after: close)...].drop(while: isBlank)
        guard rest.isEmpty || rest.first == UInt8(ascii: ",") else { return nil }
        // A comma must have a tag behind it.
        guard !rest.isEmpty else { return tag }
        rest = rest.dropFirst().drop(while: isBlank)
        return rest.isEmpty ? nil : tag
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }

    /// Whether the tag strongly equals one of the list; weak tags never do.
    func contain(_ tag: String) -> Bool {
        isAny || tags.contains { $0.hasSameBytes(as: tag) }
    }

    /// The tag of a whole entity.
    static func tag(revision: Int64) -> String { "\"rev:\(revision)\"" }

    /// The tag of a part: FNV-1a over its compact text, 32 bits.
    static func tag(of value: JSONText) -> String {
        var hash: UInt32 = 2_166_136_261
        for byte in value.bytes { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        return "\"hash:\(String(hash, radix: 16))\""
    }
}

extension String {
    /// Without blanks and tabs at both ends.
    fileprivate var trimmedSpaces: String {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        return String(drop(while: isBlank).reversed().drop(while: isBlank).reversed())
    }
}
