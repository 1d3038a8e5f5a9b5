// Evaluates a filter on the JSON of a thing as the search does (spec/policies-search.md B.4, column S of B.8, C.1):
// values of different types never match, most predicates need the field to be there, and each predicate holds only
// where the caller may read. An index has to agree with this.

import TwinspanJSON

/// One evaluation. Lives on the stack of the caller.
struct RQLSearchEvaluation: RQLComparing {
    let thing: JSONValue
    let resolver: any PlaceholderResolver
    /// Whether the caller may read the field at a pointer; `nil` when everything may be read.
    let isReadable: ((JSONPointer) -> Bool)?

    func holds(_ predicate: RQLPredicate) -> Bool {
        switch predicate {
        case .and(let children): return children.allSatisfy(holds)
        case .or(let children): return children.contains(where: holds)
        case .not(let child): return !holds(child)
        case .exists(let property): return holds(for: property) { $0.exist }
        case .empty(let property): return holds(for: property) { isEmpty($0, property) }
        case .compare(let property, let comparison): return holds(for: property) { holds(comparison, for: $0) }
        }
    }

    /// Whether the test holds for the values of a property, or of the property of some feature, that may be read.
    /// The permission is asked last: most predicates fail.
    private func holds(for property: RQLProperty, _ test: (RQLValues) -> Bool) -> Bool {
        switch property {
        case .field(let pointer), .container(let pointer), .feature(let pointer):
            return test(RQLValues(at: pointer, in: thing)) && mayRead(pointer)
        case .namespace: return test(RQLValues(namespaceOf: thing))
        case .anyFeature(let path, _):
            guard let features = thing.object?["features"]?.object else { return false }
            return features.members.contains { id, feature in
                test(RQLValues(at: path, in: feature)) && mayRead(path, ofFeature: id)
            }
        case .placeholder:
            // Not in searches; the parser makes none here.
            return false
        }
    }

    private func mayRead(_ pointer: JSONPointer) -> Bool {
        guard let isReadable else { return true }
        // Whoever finds a thing knows its id.
        return pointer.isThingID || isReadable(pointer)
    }

    private func mayRead(_ path: JSONPointer, ofFeature id: String) -> Bool {
        isReadable?(JSONPointer(segments: ["features", id] + path.segments)) ?? true
    }

    // MARK: Predicates

    /// An array counts as empty when one of its elements does.
    private func isEmpty(_ values: RQLValues, _ property: RQLProperty) -> Bool {
        switch values {
        case .missing: return true
        case .several(let values): return values.contains(where: Self.isEmpty)
        case .texts: return false
        case .one(let value):
            switch property {
            case .feature: return value.isEmptyFeature
            case .anyFeature(let path, _) where path.isRoot: return value.isEmptyFeature
            case .anyFeature, .field, .container, .namespace, .placeholder: return Self.isEmpty(value)
            }
        }
    }

    private static func isEmpty(_ value: JSONValue) -> Bool {
        value.isEmptyValue || value.array?.contains(where: \.isEmptyValue) == true
    }

    /// A field that is missing differs from nothing, and is one of several values when null is among them.
    private func holds(_ comparison: RQLComparison, for values: RQLValues) -> Bool {
        if !values.exist {
            if case .notEqual = comparison { return false }
            if case .any(let literals) = comparison, literals.contains(where: \.isNull) { return true }
        }
        return compares(values, comparison)
    }

    // MARK: Comparing

    func order(of candidate: JSONValue, to literal: RQLScalar) -> ComparisonOrder? {
        literal.orderWithinType(of: candidate)
    }

    func text(of candidate: JSONValue) -> String? { candidate.string }
}

extension JSONPointer {
    /// Whether this is the id of the thing, which needs no permission of its own (C.1).
    var isThingID: Bool { segments.count == 1 && segments[0] == "thingId" }
}
