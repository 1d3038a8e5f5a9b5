// Strings as JSON sees them: sequences of bytes. Swift's own `==` says that composed and decomposed "é" are the same
// string; in JSON they are two different keys. Everything in this target compares through this file.

extension String {
    /// Whether both strings consist of the same UTF-8 bytes.
    func hasSameBytes(as other: String) -> Bool {
        guard utf8.count == other.utf8.count else { return false }
        return withBytes { left in other.withBytes { left.hasSameBytes(as: $0) } }
    }

    /// Calls `body` with the string's UTF-8 bytes. Does not allocate for native strings, which is all of them on Linux.
    @inline(__always)
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        utf8Span.span.withUnsafeBytes(body)
    }
}

/// A key as a member of a hash table, compared by its bytes.
struct JSONKey: Hashable {
    let text: String

    init(_ text: String) {
        self.text = text
    }

    static func == (left: JSONKey, right: JSONKey) -> Bool {
        left.text.hasSameBytes(as: right.text)
    }

    func hash(into hasher: inout Hasher) {
        text.withBytes { hasher.combine(bytes: $0) }
    }
}
