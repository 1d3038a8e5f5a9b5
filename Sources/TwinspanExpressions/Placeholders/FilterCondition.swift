// `fn:filter` in all its forms (spec/mapping.md §3.1).

/// A compiled `fn:filter`.
enum FilterCondition: Sendable, Hashable {
    /// What a value is compared with.
    enum Comparison: Sendable, Hashable {
        case equal(PipelineArgument)
        case notEqual(PipelineArgument)
        case like(PipelineArgument)
        /// A constant pattern, compiled.
        case likePattern(WildcardPattern)
        case exists(Bool)
        /// An operator that is not known: the reference accepts it in the three-argument form and keeps nothing.
        case never

        var placeholder: Placeholder? {
            switch self {
            case .equal(let argument), .notEqual(let argument), .like(let argument): argument.placeholder
            case .likePattern, .exists, .never: nil
            }
        }

        func holds(for value: String, resolver: any PlaceholderResolver) -> Bool {
            switch self {
            case .equal(let argument): Self.text(argument, resolver).utf8.elementsEqual(value.utf8)
            case .notEqual(let argument): !Self.text(argument, resolver).utf8.elementsEqual(value.utf8)
            case .like(let argument):
                WildcardPattern.matches(
                    anyOf: Self.text(argument, resolver), value: value, isCaseSensitive: true)
            case .likePattern(let pattern): pattern.matches(value)
            case .exists(let expected): value.isEmpty != expected
            case .never: false
            }
        }

        /// An argument without a value counts as empty text.
        private static func text(_ argument: PipelineArgument, _ resolver: any PlaceholderResolver) -> String {
            if case .constant(let text) = argument { return text }
            return argument.values(resolver).first ?? ""
        }
    }

    /// `fn:filter('op','cmp')`: keeps the input values for which the comparison holds.
    case values(Comparison)
    /// `fn:filter(value,'op','cmp')`: keeps the whole input if it holds for any value of the argument.
    case input(PipelineArgument, Comparison)

    var placeholders: [Placeholder] {
        switch self {
        case .values(let comparison): [comparison.placeholder].compactMap(\.self)
        case .input(let argument, let comparison):
            [argument.placeholder, comparison.placeholder].compactMap(\.self)
        }
    }

    func apply(to input: PlaceholderValues, resolver: any PlaceholderResolver) -> PlaceholderValues {
        guard input.isResolved else { return input }
        switch self {
        case .values(let comparison):
            return input.mapEach { comparison.holds(for: $0, resolver: resolver) ? $0 : nil }
        case .input(let argument, let comparison):
            let values = argument.values(resolver)
            let holds =
                if case .exists(let expected) = comparison {
                    values.contains { !$0.isEmpty } == expected
                } else if values.isResolved {
                    values.contains { comparison.holds(for: $0, resolver: resolver) }
                } else {
                    comparison.holds(for: "", resolver: resolver)
                }
            return holds ? input : .unresolved
        }
    }
}
