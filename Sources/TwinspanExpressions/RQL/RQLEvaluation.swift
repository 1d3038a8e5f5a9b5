// Evaluates a filter on the JSON of a thing (spec/policies-search.md B.3, B.4, column M of B.8), in three-valued logic:
// a connection filters once before it has loaded the extra fields, which are unknown then.

import TwinspanJSON

/// One evaluation. Lives on the stack of the caller.
struct RQLEvaluation: RQLComparing {
    let thing: JSONValue
    let resolver: any PlaceholderResolver
    /// Whether the value of a field is not known yet; `nil` when everything is known.
    let isUnknown: ((JSONPointer) -> Bool)?

    func outcome(_ predicate: RQLPredicate) -> RQLOutcome {
        switch predicate {
        case .and(let children): return combine(children, decisive: .differs)
        case .or(let children): return combine(children, decisive: .matches)
        case .not(let child): return outcome(child).negated
        case .exists(let property): return outcome(of: property) { $0.exist }
        case .empty(let property): return outcome(of: property) { isEmpty($0, property) }
        case .compare(let property, let comparison): return outcome(of: property) { compares($0, comparison) }
        }
    }

    /// Stops at the first child whose outcome decides; unknown if none decides and some child is unknown.
    private func combine(_ children: [RQLPredicate], decisive: RQLOutcome) -> RQLOutcome {
        var result = decisive.negated
        for child in children {
            let outcome = outcome(child)
            if outcome == decisive { return decisive }
            if outcome == .unknown { result = .unknown }
        }
        return result
    }

    private func outcome(of property: RQLProperty, _ test: (RQLValues) -> Bool) -> RQLOutcome {
        if let isUnknown, let pointer = property.pointer, isUnknown(pointer) { return .unknown }
        return RQLOutcome(test(values(of: property)))
    }

    private func values(of property: RQLProperty) -> RQLValues {
        switch property {
        case .field(let pointer), .container(let pointer), .feature(let pointer):
            return RQLValues(at: pointer, in: thing)
        case .namespace: return RQLValues(namespaceOf: thing)
        case .placeholder(let placeholder):
            let values = resolver.values(of: placeholder)
            return values.isResolved ? .texts(values) : .missing
        case .anyFeature:
            // Searches only; the parser makes none here.
            return .missing
        }
    }

    // MARK: Predicates

    private func isEmpty(_ values: RQLValues, _ property: RQLProperty) -> Bool {
        switch values {
        case .missing: return true
        case .several: return false
        case .texts(let texts): return !texts.contains { !$0.isEmpty }
        case .one(let value):
            if case .feature = property { return value.isEmptyFeature }
            return value.isEmptyValue
        }
    }

    // MARK: Comparing

    func order(of candidate: JSONValue, to literal: RQLScalar) -> ComparisonOrder? { literal.order(of: candidate) }

    func text(of candidate: JSONValue) -> String? { candidate.scalarText }
}
