// JSON on the per-message path: compact bytes that were validated once. Reading a part gives a range of bytes, changing
// a part splices bytes; no tree is made. Pipelines, the engine and the store hand these around.

/// A valid JSON document as compact canonical UTF-8 bytes.
///
/// Compact: no whitespace. Canonical: in strings only `\" \\ \b \f \n \r \t \u00xx` are escaped; number literals are as
/// their author wrote them; members are in their author's order, so two texts of equal value can differ.
public struct JSONText: Sendable, Hashable {
    /// The document.
    public let bytes: [UInt8]

    /// Validates `source` and makes it compact and canonical.
    /// - Throws: `JSONSyntaxError` with an offset into `source`.
    public init(validating source: [UInt8], limits: JSONLimits = .standard) throws(JSONSyntaxError) {
        var output: [UInt8] = []
        try source.withUnsafeBufferPointer { (buffer) throws(JSONSyntaxError) in
            try Self.compact(UnsafeRawBufferPointer(buffer), into: &output, limits: limits) { _, _ in }
        }
        // A text that was mostly whitespace would keep its room for as long as it is cached.
        bytes = output.capacity - output.count > output.count / 4 + 32 ? output.withUnsafeBytes { Array($0) } : output
    }

    /// The text of a value.
    public init(_ value: JSONValue) {
        bytes = value.bytes
    }

    /// Takes bytes that are known to be compact and canonical, such as a part of another `JSONText` or a row of our
    /// own store. Other bytes give wrong answers, but never a read outside of them.
    @inlinable
    public init(uncheckedBytes bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// `{}`
    public static let emptyObject = JSONText(uncheckedBytes: [UInt8(ascii: "{"), UInt8(ascii: "}")])

    /// `null`
    public static let null = JSONText(uncheckedBytes: Array("null".utf8))

    /// The tree.
    public var value: JSONValue {
        withReader { JSONTreeBuilder.build($0.slice(0..<$0.end)) }
    }

    /// The document as a string.
    public var text: String {
        String(decoding: bytes, as: UTF8.self)
    }

    /// Whether the document is an object.
    @inlinable
    public var isObject: Bool { bytes.first == UInt8(ascii: "{") }

    /// Whether the document is `null`.
    @inlinable
    public var isNull: Bool { bytes.first == UInt8(ascii: "n") }

    /// Whether the document is an array.
    @inlinable
    public var isArray: Bool { bytes.first == UInt8(ascii: "[") }

    /// Whether the document is a string.
    @inlinable
    public var isString: Bool { bytes.first == UInt8(ascii: "\"") }

    @inline(__always)
    func withReader<Result>(_ body: (JSONReader) -> Result) -> Result {
        bytes.withUnsafeBufferPointer { body(JSONReader(UnsafeRawBufferPointer($0))) }
    }
}

extension JSONText: CustomStringConvertible {
    public var description: String { text }
}

extension JSONText {
    /// Validates `source` in one pass and appends its compact canonical form to `output`. If the document is an object,
    /// `member` is called for each of its members with ranges into `output`: the key without quotes, still escaped,
    /// and the value.
    /// - Throws: `JSONSyntaxError` with an offset into `source`. `output` is then as before, but `member` may have been
    ///   called already.
    public static func compact(
        _ source: UnsafeRawBufferPointer, into output: inout [UInt8], limits: JSONLimits = .standard,
        member: (Range<Int>, Range<Int>) -> Void
    ) throws(JSONSyntaxError) {
        guard source.count <= limits.bytes else { throw JSONSyntaxError(offset: limits.bytes, reason: .tooLarge) }
        let base = output.count
        try output.append(addingCapacity: source.count + JSONCompactor.slack) { (span) throws(JSONSyntaxError) in
            try span.withUnsafeMutableBufferPointer { (buffer, count) throws(JSONSyntaxError) in
                // A capacity above zero was asked for, so there is an address.
                let address = buffer.baseAddress!
                count = try JSONCompactor.compact(source, to: address, limits: limits) { key, value in
                    member(key.shifted(by: base), value.shifted(by: base))
                }
            }
        }
    }
}

extension Range<Int> {
    @inline(__always)
    func shifted(by offset: Int) -> Range<Int> {
        lowerBound + offset..<upperBound + offset
    }
}
