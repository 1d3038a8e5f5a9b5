// The object of the value tree. Twins have few members per object, so the members are one array in the order they
// were written and a lookup walks it; that is faster than hashing up to some dozens of members and half the memory.

/// An ordered list of members with distinct keys. Keys are compared by their UTF-8 bytes.
///
/// Reading, setting and removing a member is linear in the number of members.
public struct JSONObject: Sendable, Sequence {
    public typealias Element = (key: String, value: JSONValue)

    /// The members in the order they were written or added. Keys are distinct.
    public internal(set) var members: [Element]

    /// An object without members.
    @inlinable
    public init() {
        self.init(distinct: [])
    }

    /// An object of `members`. If a key occurs again, its first place is kept with its last value.
    public init(_ members: [(String, JSONValue)]) {
        var positions: [JSONKey: Int] = [:]
        var distinct: [Element] = []
        distinct.reserveCapacity(members.count)
        for (key, value) in members {
            if let position = positions.updateValue(distinct.count, forKey: JSONKey(key)) {
                positions[JSONKey(key)] = position
                distinct[position].value = value
            } else {
                distinct.append((key, value))
            }
        }
        self.init(distinct: distinct)
    }

    /// An object of members whose keys are known to be distinct.
    @usableFromInline
    init(distinct members: [Element]) {
        self.members = members
    }

    /// The value of a member, `nil` if there is none. Setting `nil` removes it; setting a new key appends it.
    public subscript(key: String) -> JSONValue? {
        get {
            position(of: key).map { members[$0].value }
        }
        set {
            switch (position(of: key), newValue) {
            case (let position?, let value?): members[position].value = value
            case (let position?, nil): members.remove(at: position)
            case (nil, let value?): members.append((key, value))
            case (nil, nil): break
            }
        }
    }

    /// Removes a member.
    /// - Returns: its value, `nil` if there was none.
    @discardableResult
    public mutating func remove(_ key: String) -> JSONValue? {
        position(of: key).map { members.remove(at: $0).value }
    }

    /// The number of members.
    public var count: Int { members.count }

    /// Whether there are no members.
    public var isEmpty: Bool { members.isEmpty }

    /// The keys in the order of the members. Makes an array; use `members` in loops.
    public var keys: [String] { members.map(\.key) }

    public func makeIterator() -> IndexingIterator<[Element]> {
        members.makeIterator()
    }

    /// Where a member stands in `members`, `nil` if there is none.
    func position(of key: String) -> Int? {
        let length = key.utf8.count
        for position in members.indices {
            let candidate = members[position].key
            if candidate.utf8.count == length, candidate.hasSameBytes(as: key) { return position }
        }
        return nil
    }

    /// Gives mutable access to a member's value in place, adding `null` first if there is no such member.
    /// - Returns: what `body` returns.
    mutating func withMember<Result>(_ key: String, _ body: (inout JSONValue) -> Result) -> Result {
        if let position = position(of: key) { return body(&members[position].value) }
        members.append((key, .null))
        return body(&members[members.count - 1].value)
    }

    /// The positions of all members by key, for work that looks up many keys of a large object.
    func positionsByKey() -> [JSONKey: Int] {
        var positions: [JSONKey: Int] = [:]
        positions.reserveCapacity(count)
        for position in members.indices { positions[JSONKey(members[position].key)] = position }
        return positions
    }

    /// From this many members on, an index pays for many lookups.
    static let indexThreshold = 32
}

extension JSONObject: Equatable {
    /// Compares regardless of the order of members.
    public static func == (left: JSONObject, right: JSONObject) -> Bool {
        guard left.count == right.count else { return false }
        // The usual case is the same order, which needs no lookups.
        var start = 0
        while start < left.count, left.members[start].key.hasSameBytes(as: right.members[start].key) {
            guard left.members[start].value == right.members[start].value else { return false }
            start += 1
        }
        guard start < left.count else { return true }
        let positions = left.count - start > indexThreshold ? right.positionsByKey() : nil
        for member in left.members[start...] {
            let position = positions.map { $0[JSONKey(member.key)] } ?? right.position(of: member.key)
            guard let position, right.members[position].value == member.value else { return false }
        }
        return true
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self.init(elements)
    }
}
