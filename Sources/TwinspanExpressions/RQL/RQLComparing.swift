// What comparisons mean in conditions and in searches alike (spec/policies-search.md B.4). The two differ in how values
// of different types are ordered, and in what has a text.

import TwinspanJSON

/// Compares the values of a property with literals.
protocol RQLComparing {
    var resolver: any PlaceholderResolver { get }
    /// How a value compares with a literal; nil when there is no order between them.
    func order(of candidate: JSONValue, to literal: RQLScalar) -> ComparisonOrder?
    /// What `like` looks at; nil when a value has no text.
    func text(of candidate: JSONValue) -> String?
}

extension RQLComparing {
    /// Whether some value fulfils the comparison; for `ne`, whether none is equal.
    func compares(_ values: RQLValues, _ comparison: RQLComparison) -> Bool {
        switch comparison {
        case .equal(let literal): hasCandidate(values, literal) { $0 == .equal }
        case .notEqual(let literal): !hasCandidate(values, literal) { $0 == .equal }
        case .greater(let literal): hasOrderedCandidate(values, literal) { $0 == .greater }
        case .greaterOrEqual(let literal): hasOrderedCandidate(values, literal) { $0 != .less }
        case .less(let literal): hasOrderedCandidate(values, literal) { $0 == .less }
        case .lessOrEqual(let literal): hasOrderedCandidate(values, literal) { $0 != .greater }
        case .any(let literals): literals.contains { hasCandidate(values, $0) { $0 == .equal } }
        case .like(let pattern): values.contains { text(of: $0).map(pattern.matches) ?? false }
        case .likeLiteral(let literal, let isCaseSensitive):
            literal.pattern(resolver, isCaseSensitive: isCaseSensitive).map { pattern in
                values.contains { text(of: $0).map(pattern.matches) ?? false }
            } ?? false
        }
    }

    /// Like `hasCandidate`, but null has no place in an order.
    private func hasOrderedCandidate(
        _ values: RQLValues, _ literal: RQLLiteral, _ accepts: (ComparisonOrder) -> Bool
    ) -> Bool {
        literal.isNull ? false : hasCandidate(values, literal, accepts)
    }

    private func hasCandidate(
        _ values: RQLValues, _ literal: RQLLiteral, _ accepts: (ComparisonOrder) -> Bool
    ) -> Bool {
        guard let scalar = literal.scalar(resolver) else { return false }
        return values.contains { order(of: $0, to: scalar).map(accepts) ?? false }
    }
}
