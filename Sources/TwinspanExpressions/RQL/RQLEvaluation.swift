// Evaluates a filter on the JSON of a thing (spec/policies-search.md B.3, B.4, column M of B.8), in three-valued logic:
// a connection filters once before it has loaded the extra fields, which are unknown then.

import TwinspanJSON

/// One evaluation. Lives on the stack of the caller.
struct RQLEvaluation {
    let thing: JSONValue
    let resolver: any PlaceholderResolver
    /// Whether the value of a field is not known yet; `nil` when everything is known.
    let isUnknown: ((JSONPointer) -> Bool)?

    /// The values that a property has.
    private enum Values {
        case missing
        case one(JSONValue)
        /// What an array on the way fanned out to; never empty.
        case several([JSONValue])
        case texts(PlaceholderValues)
    }

    func outcome(_ predicate: RQLPredicate) -> RQLOutcome {
        switch predicate {
        case .and(let children): return combine(children, decisive: .differs)
        case .or(let children): return combine(children, decisive: .matches)
        case .not(let child): return outcome(child).negated
        case .exists(let property):
            return isUnknown(property) ? .unknown : RQLOutcome(exists(values(of: property)))
        case .empty(let property):
            return isUnknown(property) ? .unknown : RQLOutcome(isEmpty(values(of: property), property))
        case .compare(let property, let comparison):
            return isUnknown(property) ? .unknown : RQLOutcome(holds(comparison, for: values(of: property)))
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

    private func isUnknown(_ property: RQLProperty) -> Bool {
        guard let isUnknown, let pointer = property.pointer else { return false }
        return isUnknown(pointer)
    }

    // MARK: Values

    private func values(of property: RQLProperty) -> Values {
        switch property {
        case .field(let pointer), .container(let pointer), .feature(let pointer): return values(at: pointer)
        case .placeholder(let placeholder):
            let values = resolver.values(of: placeholder)
            return values.isResolved ? .texts(values) : .missing
        case .namespace:
            if case .one(let value) = values(at: RQLProperty.namespacePointer) { return .one(value) }
            guard let namespace = thing.object?["thingId"]?.string?.before(":") else { return .missing }
            return .one(.string(namespace))
        }
    }

    private func values(at pointer: JSONPointer) -> Values {
        var value = thing
        for (index, segment) in pointer.segments.enumerated() {
            switch value {
            case .object(let object):
                guard let member = object[segment] else { return .missing }
                value = member
            case .array:
                return fanOut(value, pointer.segments[index...])
            case .null, .bool, .number, .string:
                return .missing
            }
        }
        return .one(value)
    }

    /// Follows the path into every object of an array, and of the arrays found on the way.
    private func fanOut(_ array: JSONValue, _ path: ArraySlice<String>) -> Values {
        var values = [array]
        for segment in path {
            var members: [JSONValue] = []
            for value in values {
                if let member = value.object?[segment] {
                    members.append(member)
                } else if let elements = value.array {
                    members += elements.compactMap { $0.object?[segment] }
                }
            }
            values = members
        }
        return values.isEmpty ? .missing : .several(values)
    }

    // MARK: Predicates

    private func exists(_ values: Values) -> Bool {
        if case .missing = values { false } else { true }
    }

    private func isEmpty(_ values: Values, _ property: RQLProperty) -> Bool {
        switch values {
        case .missing: return true
        case .several: return false
        case .texts(let texts): return !texts.contains { !$0.isEmpty }
        case .one(.object(let object)):
            guard case .feature = property else { return object.isEmpty }
            return ["definition", "properties", "desiredProperties"].allSatisfy { object[$0] == nil }
        case .one(.null): return true
        case .one(.string(let text)): return text.isEmpty
        case .one(.array(let elements)): return elements.isEmpty
        case .one(.bool), .one(.number): return false
        }
    }

    private func holds(_ comparison: RQLComparison, for values: Values) -> Bool {
        switch comparison {
        case .equal(let literal): hasCandidate(values, literal) { $0 == .equal }
        case .notEqual(let literal): !hasCandidate(values, literal) { $0 == .equal }
        case .greater(let literal): hasOrderedCandidate(values, literal) { $0 == .greater }
        case .greaterOrEqual(let literal): hasOrderedCandidate(values, literal) { $0 != .less }
        case .less(let literal): hasOrderedCandidate(values, literal) { $0 == .less }
        case .lessOrEqual(let literal): hasOrderedCandidate(values, literal) { $0 != .greater }
        case .any(let literals): literals.contains { hasCandidate(values, $0) { $0 == .equal } }
        case .like(let pattern): hasCandidate(values) { $0.scalarText.map(pattern.matches) ?? false }
        case .likeLiteral(let literal, let isCaseSensitive):
            matches(values, pattern: literal, isCaseSensitive: isCaseSensitive)
        }
    }

    private func matches(_ values: Values, pattern literal: RQLLiteral, isCaseSensitive: Bool) -> Bool {
        guard let text = literal.scalar(resolver)?.text else { return false }
        let pattern = WildcardPattern(text, splitsAlternatives: false, isCaseSensitive: isCaseSensitive)
        return hasCandidate(values) { $0.scalarText.map(pattern.matches) ?? false }
    }

    /// Like `hasCandidate`, but null has no place in an order.
    private func hasOrderedCandidate(
        _ values: Values, _ literal: RQLLiteral, _ accepts: (ComparisonOrder) -> Bool
    ) -> Bool {
        literal == .scalar(.null) ? false : hasCandidate(values, literal, accepts)
    }

    private func hasCandidate(
        _ values: Values, _ literal: RQLLiteral, _ accepts: (ComparisonOrder) -> Bool
    ) -> Bool {
        guard let scalar = literal.scalar(resolver) else { return false }
        return hasCandidate(values) { scalar.order(of: $0).map(accepts) ?? false }
    }

    /// Whether any scalar among the values is accepted: arrays count with their scalar descendants, objects do not.
    private func hasCandidate(_ values: Values, where accepts: (JSONValue) -> Bool) -> Bool {
        switch values {
        case .missing: false
        case .one(let value): hasCandidate(value, accepts)
        case .several(let values): values.contains { hasCandidate($0, accepts) }
        case .texts(let texts): texts.contains { accepts(.string($0)) }
        }
    }

    private func hasCandidate(_ value: JSONValue, _ accepts: (JSONValue) -> Bool) -> Bool {
        switch value {
        case .null, .bool, .number, .string: return accepts(value)
        case .object: return false
        case .array(let elements):
            // Arrays may nest as deep as a document may; a list of pending values needs no stack for that.
            var pending = elements
            while let element = pending.popLast() {
                switch element {
                case .array(let nested): pending += nested
                case .object: continue
                case .null, .bool, .number, .string: if accepts(element) { return true }
                }
            }
            return false
        }
    }
}
