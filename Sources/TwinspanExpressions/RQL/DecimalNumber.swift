// Decimal comparison: `1 == 1.0`, and no two different numbers are equal because a Double rounds them.

import TwinspanJSON

/// A number for comparison, from a filter, a thing, or a text that looks like one.
struct DecimalNumber: Sendable, Hashable {
    /// The exact value when it is a 64-bit integer written without a fraction or exponent.
    private let int64: Int64?
    /// The nearest double; infinite when out of range.
    private let double: Double
    private let source: Source

    private enum Source: Sendable, Hashable {
        case text(String)
        case number(JSONNumber)

        static func == (left: Source, right: Source) -> Bool { left.text == right.text }

        func hash(into hasher: inout Hasher) { hasher.combine(text) }

        var text: String {
            switch self {
            case .text(let text): text
            case .number(let number): number.text
            }
        }
    }

    init(_ number: JSONNumber) {
        int64 = number.int64
        double = number.double
        source = .number(number)
    }

    /// `nil` unless `text` is a decimal: optional sign, digits with an optional point, optional exponent.
    init?(parsing text: String) {
        guard Self.isDecimal(text), let double = Double(text) else { return nil }
        int64 = Int64(text)
        self.double = double
        source = .text(text)
    }

    /// The literal as written.
    var text: String { source.text }

    /// Compares by value. Reads the texts only when the doubles are equal and one side is not a 64-bit integer.
    func order(to other: DecimalNumber) -> ComparisonOrder {
        if let left = int64, let right = other.int64 { return ComparisonOrder(left, right) }
        // Rounding keeps the order, so different doubles decide; equal doubles do not.
        if double != other.double { return ComparisonOrder(double, other.double) }
        let left = text
        let right = other.text
        if Self.isExact(left) && Self.isExact(right) { return .equal }
        return DecimalDigits(left).order(to: DecimalDigits(right))
    }

    /// How a number of a thing compares with this one.
    func order(of number: JSONNumber) -> ComparisonOrder {
        if let right = int64, let left = number.int64 { return ComparisonOrder(left, right) }
        return DecimalNumber(number).order(to: self)
    }

    /// Whether no other text of this kind has the same double: up to 15 digits survive a double, exponents aside.
    private static func isExact(_ text: String) -> Bool {
        text.utf8.count <= 15 && text.utf8.allSatisfy { $0.lowercasedASCII != UInt8(ascii: "e") }
    }

    private static func isDecimal(_ text: String) -> Bool {
        var bytes = text.utf8[...]
        if bytes.first == UInt8(ascii: "+") || bytes.first == UInt8(ascii: "-") { bytes = bytes.dropFirst() }
        let whole = bytes.prefix(while: isDigit)
        bytes = bytes.dropFirst(whole.count)
        var fractionCount = 0
        if bytes.first == UInt8(ascii: ".") {
            fractionCount = bytes.dropFirst().prefix(while: isDigit).count
            bytes = bytes.dropFirst(fractionCount + 1)
        }
        guard whole.count + fractionCount > 0 else { return false }
        guard let exponentMark = bytes.first else { return true }
        guard exponentMark.lowercasedASCII == UInt8(ascii: "e") else { return false }
        bytes = bytes.dropFirst()
        if bytes.first == UInt8(ascii: "+") || bytes.first == UInt8(ascii: "-") { bytes = bytes.dropFirst() }
        return !bytes.isEmpty && bytes.allSatisfy(isDigit)
    }

    fileprivate static func isDigit(_ byte: UInt8) -> Bool {
        byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
    }
}

/// The outcome of comparing two values.
enum ComparisonOrder: Sendable {
    case less, equal, greater

    init<Value: Comparable>(_ left: Value, _ right: Value) {
        self = left < right ? .less : left == right ? .equal : .greater
    }

    var reversed: ComparisonOrder {
        switch self {
        case .less: .greater
        case .equal: .equal
        case .greater: .less
        }
    }
}

/// A decimal as sign × 0.digits × 10^magnitude, digits without zeros at either end.
private struct DecimalDigits {
    private let isNegative: Bool
    private let digits: ArraySlice<UInt8>
    private let magnitude: Int

    /// - Parameter text: a valid decimal.
    init(_ text: String) {
        let bytes = text.utf8
        let mantissa = bytes.prefix { $0.lowercasedASCII != UInt8(ascii: "e") }
        let exponentText = String(Substring(bytes.dropFirst(mantissa.count + 1)))
        // An exponent beyond any Int still orders correctly at this bound, unless two such numbers meet.
        let bound = Int.max / 4
        let exponent = Int(exponentText) ?? (exponentText.isEmpty ? 0 : exponentText.hasPrefix("-") ? -bound : bound)
        let wholeCount = mantissa.prefix { $0 != UInt8(ascii: ".") }.count { DecimalNumber.isDigit($0) }
        let all = mantissa.filter(DecimalNumber.isDigit)
        let leadingZeroCount = all.prefix { $0 == UInt8(ascii: "0") }.count
        var significant = all[leadingZeroCount...]
        while significant.last == UInt8(ascii: "0") { significant.removeLast() }
        digits = significant
        magnitude = min(max(exponent, -bound), bound) + wholeCount - leadingZeroCount
        isNegative = mantissa.first == UInt8(ascii: "-") && !significant.isEmpty
    }

    func order(to other: DecimalDigits) -> ComparisonOrder {
        if isNegative != other.isNegative { return isNegative ? .less : .greater }
        let order = magnitudeOrder(to: other)
        return isNegative ? order.reversed : order
    }

    private func magnitudeOrder(to other: DecimalDigits) -> ComparisonOrder {
        if digits.isEmpty || other.digits.isEmpty { return ComparisonOrder(digits.count, other.digits.count) }
        if magnitude != other.magnitude { return ComparisonOrder(magnitude, other.magnitude) }
        if digits == other.digits { return .equal }
        return digits.lexicographicallyPrecedes(other.digits) ? .less : .greater
    }
}
