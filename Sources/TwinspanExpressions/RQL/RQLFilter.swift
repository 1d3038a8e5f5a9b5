// The RQL filter language (spec/policies-search.md part B): conditions and the filters of event subscriptions. Compiled
// once, evaluated per command or event on the thread that handles it.

public import TwinspanJSON

/// What an evaluation says, in three-valued logic.
public enum RQLOutcome: Sendable, Equatable {
    case matches, differs
    /// It depends on a field that is not known yet.
    case unknown

    init(_ matches: Bool) {
        self = matches ? .matches : .differs
    }

    var negated: RQLOutcome {
        switch self {
        case .matches: .differs
        case .differs: .matches
        case .unknown: .unknown
        }
    }
}

/// A compiled filter.
public struct RQLFilter: Sendable, Hashable {
    /// The filter as written.
    public let text: String
    /// The fields of the thing that are read, each once, in reading order. A condition needs READ on all of them.
    public let fields: [JSONPointer]
    /// The placeholders used as properties, each once. `time:` literals are not listed.
    public let placeholders: [Placeholder]
    private let predicate: RQLPredicate

    /// Compiles `text`. White space is accepted in more places than the grammar asks for; names are never trimmed.
    ///
    /// - Parameter placeholders: which placeholders count as properties here.
    /// - Throws: `RQLError` for a syntax error, an unknown property, predicates nested deeper than 64, and more than
    ///   1,048,576 bytes.
    public static func parse(_ text: String, placeholders: RQLPlaceholders) throws(RQLError) -> RQLFilter {
        var parser = RQLParser(text, dialect: .model(placeholders))
        return RQLFilter(text: text, predicate: try parser.parse())
    }

    init(text: String, predicate: RQLPredicate) {
        self.text = text
        self.predicate = predicate
        var fields: [JSONPointer] = []
        var placeholders: [Placeholder] = []
        var known: Set<RQLProperty> = []
        var knownFields: Set<JSONPointer> = []
        for property in predicate.properties where known.insert(property).inserted {
            if case .placeholder(let placeholder) = property { placeholders.append(placeholder) }
            if let pointer = property.pointer, knownFields.insert(pointer).inserted { fields.append(pointer) }
        }
        self.fields = fields
        self.placeholders = placeholders
    }

    /// Whether the filter holds for `thing`.
    ///
    /// - Parameters:
    ///   - thing: the JSON of a thing with its special fields, or the part of it that a change is about.
    ///   - placeholders: supplies property placeholders and the time.
    public func matches(
        _ thing: JSONValue, placeholders: any PlaceholderResolver = UnresolvedPlaceholders()
    ) -> Bool {
        RQLEvaluation(thing: thing, resolver: placeholders, isUnknown: nil).outcome(predicate) == .matches
    }

    /// Like `matches`, when some fields have not been loaded yet.
    ///
    /// - Parameter isUnknown: whether the field at a pointer is not known yet. `unknown` is returned only when the
    ///   result depends on such a field.
    public func evaluate(
        _ thing: JSONValue, placeholders: any PlaceholderResolver = UnresolvedPlaceholders(),
        isUnknown: (JSONPointer) -> Bool
    ) -> RQLOutcome {
        withoutActuallyEscaping(isUnknown) { isUnknown in
            RQLEvaluation(thing: thing, resolver: placeholders, isUnknown: isUnknown).outcome(predicate)
        }
    }
}
