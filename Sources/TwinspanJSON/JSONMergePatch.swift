// Merge patches: RFC 7396 with Ditto's extension that removes members by a regular expression (specification §3.2).

/// Applies and shapes merge patches.
public enum JSONMergePatch {
    /// Values nested deeper than this are refused. Parsed documents put at parsed pointers never are.
    static let depthMaximum = JSONLimits.depthMaximum * 2

    /// Steps that all regular expressions of one patch may take together: about a tenth of a second.
    static let matchingBudget = 20_000_000

    /// Applies `patch` to `target`; `nil` is an absent target.
    ///
    /// Two objects are merged member by member: `null` removes, objects recurse, all else replaces. In every other case
    /// the patch is the result. An object that gets added loses its null members at all levels, but not inside arrays.
    ///
    /// A member `"{{~REGEX~}}": null` (or `"{{/REGEX/}}": null`) removes every member of the target object, at that
    /// level, whose whole key matches; members that the patch also names are then set, not merged. A key of that form
    /// with another value is an ordinary key.
    /// - Throws: `JSONMergePatchError`; the target is then to stay as it is.
    public static func apply(
        _ patch: JSONValue, to target: JSONValue?
    ) throws(JSONMergePatchError) -> JSONValue {
        var budget = matchingBudget
        return try apply(patch, to: target ?? .null, depth: 0, budget: &budget)
    }

    /// The patch for the whole document that does what `patch` does at `pointer`: `1` at `/a/b` is `{"a":{"b":1}}`.
    public static func wrap(_ patch: JSONValue, at pointer: JSONPointer) -> JSONValue {
        pointer.segments.reversed().reduce(patch) { .object(JSONObject(distinct: [($1, $0)])) }
    }

    /// `value` without null members at all levels. Arrays are kept as they are; `null` itself stays `null`.
    public static func removingNulls(_ value: JSONValue) -> JSONValue {
        guard case .object(let object) = value else { return value }
        return .object(
            JSONObject(
                distinct: object.members.compactMap { $0.value.isNull ? nil : ($0.key, removingNulls($0.value)) }))
    }

    private static func apply(
        _ patch: JSONValue, to target: JSONValue, depth: Int, budget: inout Int
    ) throws(JSONMergePatchError) -> JSONValue {
        guard depth < depthMaximum else { throw .depthExceeded }
        guard case .object(let changes) = patch, case .object(let object) = target else {
            return removingNulls(patch)
        }
        var result = Merging(object, expected: changes.count)
        for (key, value) in changes where value.isNull {
            guard let expression = JSONKeyPattern.expression(in: key) else { continue }
            do throws(JSONKeyPatternError) {
                try result.removeAll(matching: JSONKeyPattern(expression), budget: &budget)
            } catch {
                throw .invalidPattern(key: key, reason: error.reason)
            }
        }
        for (key, value) in changes {
            guard let position = result.position(of: key) else {
                if !value.isNull { result.members.append((key, removingNulls(value))) }
                continue
            }
            if value.isNull {
                result.remove(at: position)
            } else if result.isRemoved(position) {
                result.restore(at: position, with: removingNulls(value))
            } else {
                result.members[position].value = try apply(
                    value, to: result.members[position].value, depth: depth + 1, budget: &budget)
            }
        }
        return .object(result.object)
    }
}

/// An object under change. Members are marked before they are removed, so that positions stay true and removing many
/// members of a large object is one pass.
private struct Merging {
    var members: [JSONObject.Element]
    private var removed: Set<Int> = []
    private let original: JSONObject
    private let positions: [JSONKey: Int]?

    /// `expected` is the number of keys that will be looked up.
    init(_ object: JSONObject, expected: Int) {
        original = object
        members = object.members
        let isLarge = object.count > JSONObject.indexThreshold && expected > JSONObject.indexThreshold / 2
        positions = isLarge ? object.positionsByKey() : nil
    }

    /// The position of a member of the original object.
    func position(of key: String) -> Int? {
        if let positions { return positions[JSONKey(key)] }
        return original.position(of: key)
    }

    func isRemoved(_ position: Int) -> Bool {
        removed.contains(position)
    }

    mutating func remove(at position: Int) {
        removed.insert(position)
    }

    mutating func removeAll(matching pattern: JSONKeyPattern, budget: inout Int) throws(JSONKeyPatternError) {
        for position in original.members.indices {
            let key = original.members[position].key
            budget -= pattern.cost(length: key.utf8.count)
            guard budget >= 0 else { throw JSONKeyPatternError("matching it takes too long") }
            if pattern.matches(key) { removed.insert(position) }
        }
    }

    mutating func restore(at position: Int, with value: JSONValue) {
        removed.remove(position)
        members[position].value = value
    }

    var object: JSONObject {
        guard !removed.isEmpty else { return JSONObject(distinct: members) }
        return JSONObject(distinct: members.indices.compactMap { removed.contains($0) ? nil : members[$0] })
    }
}

/// Why a patch cannot be applied. On the wire all are `things:merge.invalid`.
public enum JSONMergePatchError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The regular expression of a removal is malformed or uses what we do not offer.
    case invalidPattern(key: String, reason: String)
    /// Patch and target are nested too deeply.
    case depthExceeded

    public var description: String {
        switch self {
        case .invalidPattern(let key, let reason): "The key \"\(key)\" is no usable regular expression: \(reason)."
        case .depthExceeded: "The patch is nested too deeply."
        }
    }
}
