// The three states of a pipeline value (spec/mapping.md, opening line) and who supplies values.

/// What a placeholder, a pipeline or a template yields.
public enum PlaceholderValues: Sendable, Equatable {
    /// There is no value here. A later `fn:default` may supply one.
    case unresolved
    /// `fn:delete()` removed the value. Nothing revives it.
    case deleted
    case one(String)
    /// Several values, never empty when a template yields it.
    case many([String])

    /// No values are `unresolved`, one value is `one`.
    public init(_ values: [String]) {
        switch values.count {
        case 0: self = .unresolved
        case 1: self = .one(values[0])
        default: self = .many(values)
        }
    }

    /// The value for positions that need one string; `nil` when unresolved or deleted.
    @inlinable
    public var first: String? {
        switch self {
        case .unresolved, .deleted: nil
        case .one(let value): value
        case .many(let values): values.first
        }
    }

    /// All values; empty when unresolved or deleted.
    @inlinable
    public var values: [String] {
        switch self {
        case .unresolved, .deleted: []
        case .one(let value): [value]
        case .many(let values): values
        }
    }

    /// `true` when there is at least one value.
    @inlinable
    public var isResolved: Bool { first != nil }

    /// Applies a function to each value. A value mapped to `nil` is dropped; when none is left, the result is
    /// `unresolved`. Unresolved and deleted stay what they are.
    func mapEach(_ transform: (String) -> String?) -> PlaceholderValues {
        switch self {
        case .unresolved, .deleted: self
        case .one(let value): transform(value).map(PlaceholderValues.one) ?? .unresolved
        case .many(let values): PlaceholderValues(values.compactMap(transform))
        }
    }

    func contains(where predicate: (String) -> Bool) -> Bool {
        switch self {
        case .unresolved, .deleted: false
        case .one(let value): predicate(value)
        case .many(let values): values.contains(where: predicate)
        }
    }
}

/// Supplies the values of placeholders for one message. Implementations are short-lived values built per message.
public protocol PlaceholderResolver {
    /// The value of `placeholder`; `unresolved` when this message has none.
    ///
    /// For `.time(expression)` return `expression.text(atEpochMilliseconds:)` of the injected clock.
    func values(of placeholder: Placeholder) -> PlaceholderValues
}

/// A resolver that knows no placeholder.
public struct UnresolvedPlaceholders: PlaceholderResolver, Sendable {
    public init() {}

    public func values(of placeholder: Placeholder) -> PlaceholderValues { .unresolved }
}
