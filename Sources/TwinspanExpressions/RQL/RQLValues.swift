// What a property is in a thing: the values that a path leads to (spec/policies-search.md B.3). Both evaluations use
// it.

import TwinspanJSON

/// The values of a property.
enum RQLValues {
    case missing
    case one(JSONValue)
    /// What an array on the way fanned out to; never empty.
    case several([JSONValue])
    /// What a placeholder yields.
    case texts(PlaceholderValues)

    /// The values at a path. An array on the way fans out over its elements.
    init(at pointer: JSONPointer, in thing: JSONValue) {
        var value = thing
        let path = pointer.segments
        for index in path.indices {
            switch value {
            case .object(let object):
                guard let member = object[path[index]] else {
                    self = .missing
                    return
                }
                value = member
            case .array:
                self = Self.fanOut(value, path[index...])
                return
            case .null, .bool, .number, .string:
                self = .missing
                return
            }
        }
        self = .one(value)
    }

    /// The namespace of a thing, taken from its id when it does not carry one.
    init(namespaceOf thing: JSONValue) {
        guard let object = thing.object else {
            self = .missing
            return
        }
        if let namespace = object["_namespace"] {
            self = .one(namespace)
        } else if let namespace = object["thingId"]?.string?.before(":") {
            self = .one(.string(namespace))
        } else {
            self = .missing
        }
    }

    /// Follows the path into every object of an array, and of the arrays found on the way.
    private static func fanOut(_ array: JSONValue, _ path: ArraySlice<String>) -> RQLValues {
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

    /// Whether there is a value; null is one.
    var exist: Bool {
        if case .missing = self { false } else { true }
    }

    /// Whether any scalar among the values is accepted: arrays count with their scalar descendants, objects do not.
    func contains(where accepts: (JSONValue) -> Bool) -> Bool {
        switch self {
        case .missing: false
        case .one(let value): Self.contains(value, accepts)
        case .several(let values): values.contains { Self.contains($0, accepts) }
        case .texts(let texts): texts.contains { accepts(.string($0)) }
        }
    }

    private static func contains(_ value: JSONValue, _ accepts: (JSONValue) -> Bool) -> Bool {
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

extension JSONValue {
    /// Whether `empty` holds for it: null, an empty text, array or object.
    var isEmptyValue: Bool {
        switch self {
        case .null: true
        case .string(let text): text.isEmpty
        case .array(let elements): elements.isEmpty
        case .object(let object): object.isEmpty
        case .bool, .number: false
        }
    }

    /// Whether `empty` holds for it as a feature: it has neither definition nor properties nor desired properties.
    var isEmptyFeature: Bool {
        guard case .object(let feature) = self else { return isEmptyValue }
        return feature["definition"] == nil && feature["properties"] == nil && feature["desiredProperties"] == nil
    }
}
