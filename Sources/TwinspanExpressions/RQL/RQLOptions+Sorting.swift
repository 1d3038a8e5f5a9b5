// The order of search results (spec/policies-search.md C.3): by the values of the sort fields, those of different types
// by type. The values of the last result of a page are all that a cursor has to keep.

public import TwinspanJSON

extension RQLOptions {
    /// The values that a thing is sorted by, one per key of `sort`; null for what is missing.
    ///
    /// Of an array the smallest element counts in an ascending order and the largest in a descending one.
    ///
    /// - Parameters:
    ///   - thing: the JSON of the thing with its special fields.
    ///   - isReadable: whether the caller may read the field at a pointer; what may not be read counts as missing, so
    ///     that the order tells nothing about it. `nil` when everything may be read.
    public func sortValues(of thing: JSONValue, isReadable: ((JSONPointer) -> Bool)? = nil) -> [JSONValue] {
        sort.map { key in
            if key.pointer == RQLProperty.namespacePointer {
                if case .one(let value) = RQLValues(namespaceOf: thing) { return value }
                return .null
            }
            if let isReadable, !key.pointer.isThingID, !isReadable(key.pointer) { return .null }
            switch RQLValues(at: key.pointer, in: thing) {
            case .missing, .texts: return .null
            case .one(.array(let elements)): return Self.representative(elements, key)
            case .one(let value): return value
            case .several(let values):
                return Self.representative(values.flatMap { $0.array ?? [$0] }, key)
            }
        }
    }

    /// Whether a thing with the sort values `left` comes before one with `right`; both as `sortValues` made them.
    public func precedes(_ left: [JSONValue], _ right: [JSONValue]) -> Bool {
        for (key, (left, right)) in zip(sort, zip(left, right)) {
            switch left.sortOrder(to: right) {
            case .less: return key.isAscending
            case .greater: return !key.isAscending
            case .equal: continue
            }
        }
        return false
    }

    private static func representative(_ elements: [JSONValue], _ key: SortKey) -> JSONValue {
        let isBefore: (JSONValue, JSONValue) -> Bool = { $0.sortOrder(to: $1) == .less }
        return (key.isAscending ? elements.min(by: isBefore) : elements.max(by: isBefore)) ?? .null
    }
}

extension JSONValue {
    /// null < numbers < texts < objects < arrays < booleans; objects and arrays among themselves by their text.
    fileprivate func sortOrder(to other: JSONValue) -> ComparisonOrder {
        switch (self, other) {
        case (.number(let left), .number(let right)): DecimalNumber(left).order(to: DecimalNumber(right))
        case (.string(let left), .string(let right)): left.utf8Order(to: right)
        case (.bool(let left), .bool(let right)): ComparisonOrder(left ? 1 : 0, right ? 1 : 0)
        case (.object, .object), (.array, .array): text.utf8Order(to: other.text)
        case (.null, _), (.bool, _), (.number, _), (.string, _), (.array, _), (.object, _):
            ComparisonOrder(sortRank, other.sortRank)
        }
    }

    private var sortRank: Int {
        switch self {
        case .null: 0
        case .number: 1
        case .string: 2
        case .object: 3
        case .array: 4
        case .bool: 5
        }
    }
}
