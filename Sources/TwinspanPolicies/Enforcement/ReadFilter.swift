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

    init(_ trie: ResourceTrie, _ type: PolicyResourceType, _ asker: Asker) {
        self.trie = trie
        self.type = type
        self.asker = asker
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
            let (kept, isChanged) = members(of: object, at: place, alwaysVisible: [])
            if kept.isEmpty, !place.isAllowed { return .nothing }
            return isChanged ? .part(.object(JSONObject(kept))) : .everything
        }
    }

    /// The members of an object that are left, in their order, and whether anything was cut.
    /// Those named in `alwaysVisible` are kept as they are.
    func members(
        of object: JSONObject, at place: TrieCursor, alwaysVisible: [String]
    ) -> (kept: [(String, JSONValue)], isChanged: Bool) {
        var kept: [(String, JSONValue)] = []
        kept.reserveCapacity(object.count)
        var isChanged = false
        for (key, value) in object.members {
            if alwaysVisible.contains(where: { $0.hasSameBytes(as: key) }) {
                kept.append((key, value))
                continue
            }
            switch remainder(of: value, at: member(key, of: place)) {
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
