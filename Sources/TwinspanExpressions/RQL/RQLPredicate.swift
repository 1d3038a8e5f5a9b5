// The compiled tree of a filter. Its depth is bounded by the parser, so recursion over it is safe.

/// A node of a filter.
indirect enum RQLPredicate: Sendable, Hashable {
    case and([RQLPredicate])
    case or([RQLPredicate])
    case not(RQLPredicate)
    case exists(RQLProperty)
    case empty(RQLProperty)
    case compare(RQLProperty, RQLComparison)

    /// The properties in reading order, repeated ones included.
    var properties: [RQLProperty] {
        switch self {
        case .and(let children), .or(let children): children.flatMap(\.properties)
        case .not(let child): child.properties
        case .exists(let property), .empty(let property), .compare(let property, _): [property]
        }
    }
}

/// What a property is compared with.
enum RQLComparison: Sendable, Hashable {
    case equal(RQLLiteral)
    case notEqual(RQLLiteral)
    case greater(RQLLiteral)
    case greaterOrEqual(RQLLiteral)
    case less(RQLLiteral)
    case lessOrEqual(RQLLiteral)
    case any([RQLLiteral])
    /// `like` and `ilike` with a constant pattern.
    case like(WildcardPattern)
    /// `like` with a pattern known at evaluation, or with null, which matches nothing.
    case likeLiteral(RQLLiteral, isCaseSensitive: Bool)
}
