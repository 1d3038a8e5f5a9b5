// A filter is read for one of two evaluations, which differ in the names they know and in how they compare
// (spec/policies-search.md B.2, B.4).

/// What a filter is read for.
enum RQLDialect: Sendable, Hashable {
    /// Conditions and the filters of subscriptions; these placeholders are properties.
    case model(RQLPlaceholders)
    /// Searches: `features/*` stands for any feature, and there are no placeholders but `time:` as a value.
    case search

    /// The placeholders that are property names.
    var scope: PlaceholderScope {
        switch self {
        case .model(let placeholders): placeholders.scope
        case .search: PlaceholderScope(position: "a search filter", prefixes: [])
        }
    }

    var isSearch: Bool { self == .search }
}
