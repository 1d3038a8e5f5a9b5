// Cuts from a value what its reader may not see (spec/policies-search.md A.3.1). Walks the value and the trie together
// and leaves both as soon as the rest is decided, so that unrestricted parts are passed on without a copy.
import TwinspanJSON
import TwinspanProtocol

/// Filters values of one kind of entity for one asker.
struct ReadFilter {
    /// What is left of a value.
    enum Remainder {
        case nothing
        case everything
        case part(JSONValue)
    }

    private let trie: ResourceTrie
    private let type: PolicyResourceType
    private let asker: Asker
    /// Whether values are merge patches: there an empty object changes nothing, so what was emptied is left out, and a
    /// key may be a pattern of what is removed.
    private let isPatch: Bool

    init(_ trie: ResourceTrie, _ type: PolicyResourceType, _ asker: Asker, isPatch: Bool = false) {
        self.trie = trie
        self.type = type
        self.asker = asker
        self.isPatch = isPatch
    }

    /// Members of the entity itself that every reader of any part of it sees.
    static func alwaysVisible(_ type: PolicyResourceType) -> [String] {
        switch type {
        case .thing: ["thingId", "_namespace", "_revision", "_modified", "_created"]
        case .policy: ["policyId"]
        case .message: []
        }
    }

    /// What is left of the value at a place. The depth of the recursion is that of the value, which its parser limits.
    func remainder(of value: JSONValue, at place: TrieCursor) -> Remainder {
        if place.isDecided { return place.isAllowed ? .everything : .nothing }
        switch value {
        case .null, .bool, .number, .string:
            return place.isAllowed ? .everything : .nothing
        case .array(let elements):
            return remainder(of: elements, at: place)
        case .object(let object):
            let (kept, isChanged) = members(of: object, at: place, isRoot: false)
            if kept.isEmpty, !place.isAllowed || isPatch && isChanged { return .nothing }
            return isChanged ? .part(.object(JSONObject(kept))) : .everything
        }
    }

    /// The members of an object that are left, in their order, and whether anything was cut.
    ///
    /// - Parameters:
    ///   - isRoot: whether the object is the whole entity.
    ///   - keepsVisible: whether what is always visible at the root is kept as it is.
    func members(
        of object: JSONObject, at place: TrieCursor, isRoot: Bool, keepsVisible: Bool = true
    ) -> (kept: [(String, JSONValue)], isChanged: Bool) {
        let alwaysVisible = isRoot && keepsVisible ? Self.alwaysVisible(type) : []
        var kept: [(String, JSONValue)] = []
        kept.reserveCapacity(object.count)
        var isChanged = false
        for (key, value) in object.members {
            if alwaysVisible.contains(where: { $0.hasSameBytes(as: key) }) {
                kept.append((key, value))
                continue
            }
            switch remainder(of: value, key, at: place, isRoot: isRoot) {
            case .everything:
                kept.append((key, value))
            case .part(let part):
                kept.append((key, part))
                isChanged = true
            case .nothing:
                isChanged = true
            }
        }
        return (kept, isChanged)
    }

    /// What is left of a member.
    private func remainder(of value: JSONValue, _ key: String, at place: TrieCursor, isRoot: Bool) -> Remainder {
        // Here the place is restricted, and the pattern may hit what cannot be read.
        if isPatch, value.isNull, PolicyEnforcer.isRemovalPattern(key) { return .nothing }
        let left = remainder(of: value, at: member(key, of: place))
        guard isRoot, type == .thing, key.hasSameBytes(as: "_metadata") else { return left }
        // Metadata mirrors the thing: what is said about a place is no more visible than the place.
        switch left {
        case .nothing: return .nothing
        case .everything: return remainder(of: value, at: place)
        case .part(let part):
            let rest = remainder(of: part, at: place)
            if case .everything = rest { return left }
            return rest
        }
    }

    /// Elements have no level of their own: they are judged at the place of the array.
    private func remainder(of elements: [JSONValue], at place: TrieCursor) -> Remainder {
        var kept: [JSONValue] = []
        var isChanged = false
        for element in elements {
            switch remainder(of: element, at: place) {
            case .everything:
                kept.append(element)
            case .part(let part):
                kept.append(part)
                isChanged = true
            case .nothing:
                isChanged = true
            }
        }
        if kept.isEmpty, !place.isAllowed { return .nothing }
        return isChanged ? .part(.array(kept)) : .everything
    }

    private func member(_ key: String, of place: TrieCursor) -> TrieCursor {
        // Resource keys such as `thing:/features` are members of a policy, but several levels of a resource path.
        guard type == .policy, key.utf8.contains(UInt8(ascii: "/")) else { return trie.descend(place, key, asker) }
        return key.utf8.split(separator: UInt8(ascii: "/")).reduce(place) { place, level in
            trie.descend(place, String(Substring(level)), asker)
        }
    }
}
