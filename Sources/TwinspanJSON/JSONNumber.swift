// A number that remembers how it was written. Twins store what devices send; `1.10` must not come back as `1.1`, nor
// 18446744073709551615 as 1.8446744073709552e19.

/// A JSON number: a 64-bit integer, a double, or a literal kept as text because its canonical print would differ.
public struct JSONNumber: Sendable {
    @usableFromInline
    enum Storage: Sendable {
        case integer(Int64)
        case double(Double)
        /// A valid JSON number literal. Up to 15 bytes it lives inside the `String`, without an allocation.
        case literal(String)
    }

    @usableFromInline
    let storage: Storage

    @inlinable
    init(storage: Storage) {
        self.storage = storage
    }

    /// An integer, printed in decimal.
    @inlinable
    public init(_ value: Int64) {
        storage = .integer(value)
    }

    /// An integer, printed in decimal.
    @inlinable
    public init(_ value: Int) {
        storage = .integer(Int64(value))
    }

    /// A double, printed as the shortest text that reads back as the same double (`1.0`, `0.1`, `1e+16`).
    /// JSON has no infinities and no NaN; those are printed as `null`.
    @inlinable
    public init(_ value: Double) {
        storage = .double(value)
    }

    /// A number written as `literal`, which is printed back unchanged. `nil` unless it is a JSON number literal.
    public init?(literal: String) {
        guard literal.withBytes({ JSONNumberScanner.isNumber($0) }) else { return nil }
        self = literal.withBytes { JSONNumber(validated: $0) }
    }

    /// The value, if the number is written as an integer (no fraction, no exponent) and fits 64 bits; else `nil`.
    @inlinable
    public var int64: Int64? {
        if case .integer(let value) = storage { return value }
        return literalInt64
    }

    /// The nearest double; infinite if the literal is beyond the range of doubles. A literal is read at each call.
    @inlinable
    public var double: Double {
        switch storage {
        case .integer(let value): Double(value)
        case .double(let value): value
        case .literal(let text): Double(text) ?? .nan
        }
    }

    /// The literal as it is written into a document.
    public var text: String {
        switch storage {
        case .integer(let value): String(value)
        case .double(let value): value.isFinite ? value.description : "null"
        case .literal(let text): text
        }
    }

    /// Whether the number is written without fraction and exponent. It may still be too large for `int64`.
    public var isInteger: Bool {
        switch storage {
        case .integer: true
        case .double: false
        case .literal(let text): !text.utf8.contains { $0 == UInt8(ascii: ".") || $0 | 0x20 == UInt8(ascii: "e") }
        }
    }

    /// Only `-0` is an integer that fits 64 bits and still needs its literal.
    @usableFromInline
    var literalInt64: Int64? {
        if case .literal(let text) = storage, text.utf8.count == 2, text.hasSameBytes(as: "-0") { return 0 }
        return nil
    }
}

extension JSONNumber: Equatable {
    /// Compares values, not texts: `1`, `1.0` and `10e-1` are equal. Exact, also beyond the precision of doubles.
    public static func == (left: JSONNumber, right: JSONNumber) -> Bool {
        switch (left.storage, right.storage) {
        case (.integer(let left), .integer(let right)): return left == right
        case (.double(let left), .double(let right)): return left == right
        case (.integer, _), (.double, _), (.literal, _):
            let texts = (left: left.text, right: right.text)
            return texts.left.hasSameBytes(as: texts.right) || JSONDecimal(texts.left) == JSONDecimal(texts.right)
        }
    }
}

extension JSONNumber: CustomStringConvertible {
    public var description: String { text }
}

/// The value of a number literal, free of the way it was written: 0.digits × 10^exponent, no zeros at either end.
private struct JSONDecimal: Equatable {
    var isNegative = false
    var digits: [UInt8] = []
    var exponent = 0

    init(_ literal: String) {
        var fractionDigits: Int?
        var written = literal.utf8[...]
        if written.first == UInt8(ascii: "-") {
            isNegative = true
            written.removeFirst()
        }
        while let byte = written.first, byte | 0x20 != UInt8(ascii: "e") {
            written.removeFirst()
            if byte == UInt8(ascii: ".") {
                fractionDigits = 0
            } else {
                digits.append(byte)
                fractionDigits? += 1
            }
        }
        // An exponent beyond 64 bits compares as the largest one: no document needs more.
        let scale = written.isEmpty ? 0 : Self.exponent(of: written.dropFirst())
        let leadingZeros = digits.prefix { $0 == UInt8(ascii: "0") }.count
        let integerDigits = digits.count - (fractionDigits ?? 0) - leadingZeros
        digits.removeFirst(leadingZeros)
        while digits.last == UInt8(ascii: "0") { digits.removeLast() }
        if digits.isEmpty {
            isNegative = false
        } else {
            exponent = integerDigits + scale
        }
    }

    private static func exponent(of written: Substring.UTF8View) -> Int {
        let limit = Int.max / 4
        let isNegative = written.first == UInt8(ascii: "-")
        var value = 0
        for byte in written where byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") {
            value = Swift.min(value, limit / 16) * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return isNegative ? -value : value
    }
}
