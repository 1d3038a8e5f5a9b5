// The filter of a search (spec/policies-search.md B, C.1), compiled once and evaluated per thing. What an index answers
// has to agree with it.

public import TwinspanJSON

/// A compiled search filter.
public struct RQLSearchFilter: Sendable, Hashable {
    /// The filters as written, which are all to hold. Empty when every thing is wanted.
    public let texts: [String]
    private let predicate: RQLPredicate

    /// Compiles a filter. Names are those of searches: `features/*` stands for any feature.
    ///
    /// - Throws: `RQLError` as `RQLFilter.parse` does; its wire error is `rql.expression.invalid`.
    public static func parse(_ text: String) throws(RQLError) -> RQLSearchFilter {
        try parse(allOf: [text])
    }

    /// Compiles filters that are all to hold, as repeated `filter` parameters are (B.7); none admits every thing.
    ///
    /// - Throws: the `RQLError` of the first that cannot be compiled.
    public static func parse(allOf texts: [String]) throws(RQLError) -> RQLSearchFilter {
        var children: [RQLPredicate] = []
        for text in texts {
            var parser = RQLParser(text, dialect: .search)
            children.append(try parser.parse())
        }
        return RQLSearchFilter(texts: texts, predicate: children.count == 1 ? children[0] : .and(children))
    }

    /// Whether the filter holds for `thing`, as far as the caller may read it.
    ///
    /// Whether the caller may find the thing at all (C.1, global read) is not asked here. A predicate on a field that
    /// may not be read does not hold, its negation does; `thingId` and `namespace` need no permission of their own.
    ///
    /// - Parameters:
    ///   - thing: the JSON of the thing with its special fields.
    ///   - placeholders: supplies the time.
    ///   - isReadable: whether the caller may read the field at a pointer, there or not; asked only where a predicate
    ///     would hold. For `features/*/…` it is asked for the very feature. `nil` when everything may be read.
    public func matches(
        _ thing: JSONValue, placeholders: any PlaceholderResolver = UnresolvedPlaceholders(),
        isReadable: ((JSONPointer) -> Bool)? = nil
    ) -> Bool {
        RQLSearchEvaluation(thing: thing, resolver: placeholders, isReadable: isReadable).holds(predicate)
    }
}
