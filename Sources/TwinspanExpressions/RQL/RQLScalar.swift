// Values that predicates compare, and their order in the model and in searches (spec/policies-search.md B.4).

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

    /// Whether this is `null`.
    var isNull: Bool {
        if case .scalar(.null) = self { true } else { false }
    }

    /// The pattern that this is for `like` at evaluation; `nil` for null.
    func pattern(_ resolver: any PlaceholderResolver, isCaseSensitive: Bool) -> WildcardPattern? {
        scalar(resolver)?.text.map {
            WildcardPattern($0, splitsAlternatives: false, isCaseSensitive: isCaseSensitive)
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

    /// How a candidate compares with this literal in a search: only values of one type have an order, texts that of
    /// their bytes. Two nulls are equal.
    func orderWithinType(of candidate: JSONValue) -> ComparisonOrder? {
        switch (candidate, self) {
        case (.null, .null): .equal
        case (.bool(let left), .bool(let right)): ComparisonOrder(left ? 1 : 0, right ? 1 : 0)
        case (.number(let left), .number(let right)): right.order(of: left)
        case (.string(let left), .string(let right, _)): left.utf8Order(to: right)
        case (.null, _), (.bool, _), (.number, _), (.string, _), (.array, _), (.object, _): nil
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
        order(to: other) { $0 == 0xEE || $0 == 0xEF ? $0 + 0x10 : $0 }
    }

    /// The order of UTF-8 bytes, which is that of code points.
    func utf8Order(to other: String) -> ComparisonOrder {
        order(to: other) { $0 }
    }

    /// Compares the bytes where the texts first differ; a text comes before its continuations.
    @inline(__always)
    private func order(to other: String, rank: (UInt8) -> UInt8) -> ComparisonOrder {
        utf8Span.span.withUnsafeBytes { left in
            other.utf8Span.span.withUnsafeBytes { right in
                for index in 0..<min(left.count, right.count) where left[index] != right[index] {
                    return ComparisonOrder(rank(left[index]), rank(right[index]))
                }
                return ComparisonOrder(left.count, right.count)
            }
        }
    }
}
