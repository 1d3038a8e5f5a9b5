// Thing and policy ids: `namespace:name`, validated once at the edge. Everything behind the edge can rely on the form.
// Ids are compared by their UTF-8 bytes: Swift's own string equality would treat canonically equivalent names as one.

/// Text that is compared and hashed by its UTF-8 bytes.
public protocol BytewiseText: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The text itself.
    var text: String { get }
}

extension BytewiseText {
    /// Equality by UTF-8 bytes.
    @inlinable
    public static func == (left: Self, right: Self) -> Bool {
        left.text.hasSameBytes(as: right.text)
    }

    /// Hashes the UTF-8 bytes.
    @inlinable
    public func hash(into hasher: inout Hasher) {
        var copy = text
        copy.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }

    /// Order by UTF-8 bytes.
    public static func < (left: Self, right: Self) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }

    /// The text itself.
    public var description: String { text }
}

extension String {
    /// Whether both strings are the same sequence of UTF-8 bytes. O(n), no allocation for native strings.
    @inlinable
    public func hasSameBytes(as other: String) -> Bool {
        guard utf8.count == other.utf8.count else { return false }
        let equal = utf8.withContiguousStorageIfAvailable { left in
            other.utf8.withContiguousStorageIfAvailable { right in
                left.elementsEqual(right)
            }
        }
        return (equal ?? nil) ?? utf8.elementsEqual(other.utf8)
    }
}

/// The rules of spec/protocol.md §1.1, shared by every id of the form `namespace:name`.
enum NamespacedID {
    /// Returns the length in bytes of the namespace, or nil when the text is not a legal id.
    static func namespaceLength(of text: String) -> Int? {
        var copy = text
        return copy.withUTF8 { bytes -> Int? in
            guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), colon + 1 < bytes.count else { return nil }
            guard isNamespace(UnsafeBufferPointer(rebasing: bytes[..<colon])) else { return nil }
            guard isName(UnsafeBufferPointer(rebasing: bytes[(colon + 1)...])) else { return nil }
            guard isWithinLength(bytes, limit: 256) else { return nil }
            return colon
        }
    }

    /// Empty, or segments of a letter followed by letters, digits and underscores, joined by `.` or `-`.
    static func isNamespace(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        if bytes.isEmpty { return true }
        var isSegmentStart = true
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"):
                isSegmentStart = false
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                if isSegmentStart { return false }
            case UInt8(ascii: "."), UInt8(ascii: "-"):
                if isSegmentStart { return false }
                isSegmentStart = true
            default:
                return false
            }
        }
        return !isSegmentStart
    }

    /// One or more characters, none of them a slash, U+0000–U+001F or U+007F–U+00FF.
    static func isName(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard !bytes.isEmpty else { return false }
        for byte in bytes {
            // 0xC2 and 0xC3 lead exactly the code points U+0080–U+00FF, which the reference excludes.
            if byte < 0x20 || byte == 0x7F || byte == UInt8(ascii: "/") || byte == 0xC2 || byte == 0xC3 { return false }
        }
        return true
    }

    /// Whether the text has at most `limit` UTF-16 code units, the unit in which the specification counts.
    static func isWithinLength(_ bytes: UnsafeBufferPointer<UInt8>, limit: Int) -> Bool {
        if bytes.count <= limit { return true }
        return String(decoding: bytes, as: UTF8.self).utf16.count <= limit
    }
}

/// The id of a thing, `namespace:name` (spec/protocol.md §1.1).
public struct ThingID: BytewiseText {
    public let text: String
    private let namespaceLength: Int

    /// Validates an id. Throws `things:id.invalid` (400).
    public init(_ text: String) throws(TwinspanError) {
        guard let length = NamespacedID.namespaceLength(of: text) else { throw .thingIDInvalid(text) }
        self.text = text
        namespaceLength = length
    }

    /// The part before the first colon; may be empty.
    public var namespace: String { String(decoding: text.utf8.prefix(namespaceLength), as: UTF8.self) }
    /// The part behind the first colon.
    public var name: String { String(decoding: text.utf8.dropFirst(namespaceLength + 1), as: UTF8.self) }
    /// The id of a thing with the text of a policy's: both have one form, so tables of things can hold policies.
    public init(textOf policyID: PolicyID) {
        text = policyID.text
        namespaceLength = policyID.namespaceLength
    }

    /// The id of the policy that is made for this thing when none is named.
    public var policyID: PolicyID { PolicyID(validated: text, namespaceLength: namespaceLength) }
}

/// The id of a policy, `namespace:name` (spec/protocol.md §1.1).
public struct PolicyID: BytewiseText {
    public let text: String
    fileprivate let namespaceLength: Int

    /// Validates an id. Throws `policies:id.invalid` (400).
    public init(_ text: String) throws(TwinspanError) {
        guard let length = NamespacedID.namespaceLength(of: text) else { throw .policyIDInvalid(text) }
        self.text = text
        namespaceLength = length
    }

    init(validated text: String, namespaceLength: Int) {
        self.text = text
        self.namespaceLength = namespaceLength
    }

    /// The part before the first colon; may be empty.
    public var namespace: String { String(decoding: text.utf8.prefix(namespaceLength), as: UTF8.self) }
    /// The part behind the first colon.
    public var name: String { String(decoding: text.utf8.dropFirst(namespaceLength + 1), as: UTF8.self) }
}

/// The id of a connection: 1 to 100 of `[a-zA-Z0-9-_:]` (spec/connectivity.md §1.1).
public struct ConnectionID: BytewiseText {
    public let text: String

    /// Validates an id. Throws `connectivity:connection.id.invalid` (400).
    public init(_ text: String) throws(TwinspanError) {
        let isLegal = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: ":"):
                true
            default: false
            }
        }
        guard isLegal, (1...100).contains(text.utf8.count) else { throw .connectionIDInvalid(text) }
        self.text = text
    }
}
