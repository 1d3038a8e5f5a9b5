// `stage | stage | …`: an optional placeholder followed by functions.

/// A compiled pipeline.
struct Pipeline: Sendable, Hashable {
    /// The leading placeholder; without it the first function receives the input of `resolve`.
    let head: Placeholder?
    let functions: [PipelineFunction]

    var placeholders: [Placeholder] {
        (head.map { [$0] } ?? []) + functions.flatMap(\.placeholders)
    }

    func resolve(_ resolver: any PlaceholderResolver, input: PlaceholderValues) -> PlaceholderValues {
        var values = head.map { resolver.values(of: $0) } ?? input
        // A resolver may hand over an empty or one-element array; functions and callers see one form only.
        if case .many(let list) = values, list.count < 2 { values = PlaceholderValues(list) }
        for function in functions {
            values = function.apply(to: values, resolver: resolver)
        }
        return values
    }
}
