// Values that predicates compare, and their order in the model (spec/policies-search.md B.4).

import TwinspanJSON

/// A literal of a filter.
enum RQLLiteral: Sendable, Hashable {
    case scalar(RQLScalar)
    /// `time:…`, a string that is known only at evaluation.
    case time(TimeExpression)

    /// The value at evaluation; `nil` when the resolver does not tell the time.
    func scalar(_ resolver: any PlaceholderResolver) -> RQLScalar? {
        switch self {
        case .scalar(let scalar): scalar
        case .time(let expression): resolver.values(of: .time(expression)).first.map(RQLScalar.init(text:))
        }
    }
}

/// A literal value, prepared for comparison.
enum RQLScalar: Sendable, Hashable {
    case null
    case bool(Bool)
    case number(DecimalNumber)
    /// With its value as a number if it looks like one, because numbers and texts compare as decimals.
    case string(String, DecimalNumber?)

    init(text: String) {
        self = .string(text, DecimalNumber(parsing: text))
    }

    /// The form that texts are compared with; `nil` for null.
    var text: String? {
        switch self {
        case .null: nil
        case .bool(let value): value ? "true" : "false"
        case .number(let number): number.text
        case .string(let text, _): text
        }
    }

    /// How a candidate of the thing compares with this literal. `nil` when no order exists: one of them is null.
    /// Two nulls are equal.
    func order(of candidate: JSONValue) -> ComparisonOrder? {
        switch (candidate, self) {
        case (.null, .null): return .equal
        case (.number(let left), .number(let right)): return right.order(of: left)
        case (.number(let left), .string(_, .some(let right))): return right.order(of: left)
        case (.string(let left), .string(let right, _)): return left.utf16Order(to: right)
        case (.string(let left), .number(let right)):
            if let number = DecimalNumber(parsing: left) { return number.order(to: right) }
            return left.utf16Order(to: right.text)
        case (.bool(let left), .bool(let right)): return ComparisonOrder(left ? 1 : 0, right ? 1 : 0)
        default:
            guard let left = candidate.scalarText, let right = text else { return nil }
            return left.utf16Order(to: right)
        }
    }
}

extension JSONValue {
    /// The text form of a scalar; `nil` for null, arrays and objects.
    var scalarText: String? {
        switch self {
        case .null, .array, .object: nil
        case .bool(let value): value ? "true" : "false"
        case .number(let number): number.text
        case .string(let text): text
        }
    }
}

extension String {
    /// The order of UTF-16 code units, computed on UTF-8 bytes.
    ///
    /// Both orders agree except that surrogate pairs (lead bytes F0…) come before U+E000…U+FFFF (lead bytes EE, EF).
    func utf16Order(to other: String) -> ComparisonOrder {
        var left = utf8.makeIterator()
        var right = other.utf8.makeIterator()
        while true {
            switch (left.next(), right.next()) {
            case (nil, nil): return .equal
            case (nil, _): return .less
            case (_, nil): return .greater
            case (let leftByte?, let rightByte?):
                if leftByte != rightByte {
                    return ComparisonOrder(Self.utf16Rank(leftByte), Self.utf16Rank(rightByte))
                }
            }
        }
    }

    private static func utf16Rank(_ byte: UInt8) -> UInt8 {
        byte == 0xEE || byte == 0xEF ? byte + 0x10 : byte
    }
}
