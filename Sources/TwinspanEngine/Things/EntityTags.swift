// Entity tags of conditional requests (spec/protocol.md §10.1). Revisions for whole entities, content hashes for parts.
import TwinspanJSON
import TwinspanProtocol

/// The list of an `if-match` or `if-none-match` header.
struct EntityTags {
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
        for part in trimmed.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
            let tag = (String(Substring(part))).trimmedSpaces
            let quoted = tag.hasPrefix("W/") ? String(tag.dropFirst(2)) : tag
            let inner = quoted.utf8.dropFirst().dropLast()
            let isLegal =
                quoted.utf8.count >= 2 && quoted.hasPrefix("\"") && quoted.hasSuffix("\"")
                && !inner.contains(UInt8(ascii: "\"")) && !inner.contains(UInt8(ascii: "*"))
            guard isLegal else {
                throw .headerInvalid(header, "Use '*' or entity tags in quotes, separated by commas.")
            }
            tags.append(tag)
        }
        self.tags = tags
    }

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
