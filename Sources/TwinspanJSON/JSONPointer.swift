// Ditto's dialect of JSON pointers (specification §3.1): the leading slash is optional, only `~0` is an escape, array
// elements have no address.

/// The address of a value in a document: the keys to follow from the root.
public struct JSONPointer: Sendable {
    /// The keys, unescaped. Empty at the root.
    public let segments: [String]

    /// The whole document.
    public static let root = JSONPointer(segments: [])

    /// More segments than this are refused when parsing, so that no peer builds trees of any depth.
    public static let segmentCountMaximum = 200

    public init(segments: [String]) {
        self.segments = segments
    }

    /// Reads `a/b`, `/a/b` or `/a/b/`; the empty text and `/` are the root. `~0` stands for `~`; a tilde before
    /// anything else, also `~1`, stands for itself.
    /// - Throws: `JSONPointerError` for consecutive slashes and for more than `segmentCountMaximum` segments.
    public init(parsing text: String) throws(JSONPointerError) {
        var written = text.utf8[...]
        if written.first == UInt8(ascii: "/") { written.removeFirst() }
        if written.last == UInt8(ascii: "/") { written.removeLast() }
        if written.isEmpty {
            // Two slashes and nothing else is not the root.
            guard text.utf8.count < 2 else { throw .consecutiveSlashes }
            segments = []
            return
        }
        let parts = written.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count <= Self.segmentCountMaximum else { throw .tooManySegments }
        guard !parts.contains(where: \.isEmpty) else { throw .consecutiveSlashes }
        segments = parts.map { Self.decode(Substring($0)) }
    }

    /// Whether this addresses the whole document.
    public var isRoot: Bool { segments.isEmpty }

    /// The first key, `nil` at the root.
    public var first: String? { segments.first }

    /// The last key, `nil` at the root.
    public var last: String? { segments.last }

    /// The pointer that is left after following the first key; the root stays the root.
    public func dropFirst(_ count: Int = 1) -> JSONPointer {
        JSONPointer(segments: Array(segments.dropFirst(count)))
    }

    /// The pointer without its last key; `nil` at the root.
    public var parent: JSONPointer? {
        isRoot ? nil : JSONPointer(segments: Array(segments.dropLast()))
    }

    /// The address of a member of what this addresses. `segment` is a key as it is, not escaped.
    public func appending(_ segment: String) -> JSONPointer {
        JSONPointer(segments: segments + [segment])
    }

    /// The address `pointer` relative to what this addresses.
    public func appending(_ pointer: JSONPointer) -> JSONPointer {
        JSONPointer(segments: segments + pointer.segments)
    }

    /// Whether this is `prefix` or something inside it.
    public func hasPrefix(_ prefix: JSONPointer) -> Bool {
        segments.count >= prefix.segments.count
            && zip(segments, prefix.segments).allSatisfy { $0.hasSameBytes(as: $1) }
    }

    /// A key as it is, from a segment as it is written: `~0` is the only escape of the dialect (spec §3.1).
    public static func decode(_ part: Substring) -> String {
        guard part.utf8.contains(UInt8(ascii: "~")) else { return String(part) }
        var decoded: [UInt8] = []
        var isAfterTilde = false
        for byte in part.utf8 {
            if isAfterTilde, byte == UInt8(ascii: "0") {
                isAfterTilde = false
                continue
            }
            isAfterTilde = byte == UInt8(ascii: "~")
            decoded.append(byte)
        }
        return String(decoding: decoded, as: UTF8.self)
    }
}

extension JSONPointer: Hashable {
    public static func == (left: JSONPointer, right: JSONPointer) -> Bool {
        left.segments.count == right.segments.count && left.hasPrefix(right)
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(segments.count)
        for segment in segments { hasher.combine(JSONKey(segment)) }
    }
}

extension JSONPointer: CustomStringConvertible {
    /// `/a/b`, the root as `/`. Each `~` is written as `~0`.
    public var description: String {
        var written: [UInt8] = []
        appendText(to: &written)
        return String(decoding: written, as: UTF8.self)
    }

    /// Appends the text of `description`.
    public func appendText(to output: inout [UInt8]) {
        if isRoot { output.append(UInt8(ascii: "/")) }
        for segment in segments {
            output.append(UInt8(ascii: "/"))
            guard segment.utf8.contains(UInt8(ascii: "~")) else {
                output.append(contentsOf: segment.utf8)
                continue
            }
            for byte in segment.utf8 {
                output.append(byte)
                if byte == UInt8(ascii: "~") { output.append(UInt8(ascii: "0")) }
            }
        }
    }

    /// Appends the text as a JSON string with its quotes.
    public func writeString(into output: inout [UInt8]) {
        let isPlain = !segments.contains { $0.utf8.contains(UInt8(ascii: "~")) }
        guard isPlain, !isRoot else { return JSONText.writeString(description, into: &output) }
        output.append(UInt8(ascii: "\""))
        for segment in segments {
            output.append(UInt8(ascii: "/"))
            JSONText.appendContent(segment, to: &output)
        }
        output.append(UInt8(ascii: "\""))
    }
}

/// Why a text is no pointer.
public enum JSONPointerError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Two slashes in a row. Clients compare the description (specification §14).
    case consecutiveSlashes
    /// More than `JSONPointer.segmentCountMaximum` segments.
    case tooManySegments

    public var description: String {
        switch self {
        case .consecutiveSlashes: "Consecutive slashes in JSON pointers are not supported."
        case .tooManySegments: "A JSON pointer has at most \(JSONPointer.segmentCountMaximum) segments."
        }
    }
}
