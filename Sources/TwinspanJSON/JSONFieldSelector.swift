// Field selectors, as in `?fields=thingId,attributes(a,b/c)` (specification §3.3). Parsed once per request or
// subscription into a tree of keys, then applied to many documents.

/// A selection of the fields of an object.
public struct JSONFieldSelector: Sendable {
    /// The selector as it was written.
    public let text: String

    /// The fields selected, with parentheses expanded, in the order they were written. A wildcard is a segment `*`.
    public let pointers: [JSONPointer]

    /// The pointers as a tree. Node 0 is the document.
    private let nodes: [Node]

    /// Parentheses may be nested this deep.
    static let nestingMaximum = 32

    /// The fields of one object that are selected.
    private struct Node: Sendable {
        /// Whether the whole value is selected.
        var isLeaf = false
        var children: [(key: String, node: Int)] = []
        /// The node for any key: `*` below `features` and `_metadata/features`.
        var wildcard: Int?

        func child(_ key: String) -> Int? {
            children.first { $0.key.hasSameBytes(as: key) }?.node
        }
    }

    /// Reads `a,b/c,d(e,f(g))`. A leading slash of each path is optional. Whatever stands between `{{` and `}}` belongs
    /// to the key it stands in. Percent-decoding is the caller's business.
    /// - Throws: `JSONFieldSelectorError`.
    public init(parsing text: String) throws(JSONFieldSelectorError) {
        var parser = JSONFieldSelectorParser(text)
        self.init(text: text, pointers: try parser.parse())
    }

    /// A selection of `pointers`; the root among them selects everything.
    public init(_ pointers: [JSONPointer]) {
        // Keys are written as they are: there is no escape for slashes, commas and parentheses.
        // The slash goes as a byte: as a character it can be one with the accents that begin a key.
        let texts = pointers.map { String(Substring($0.description.utf8.dropFirst())) }
        self.init(text: texts.joined(separator: ","), pointers: pointers)
    }

    private init(text: String, pointers: [JSONPointer]) {
        self.text = text
        self.pointers = pointers
        nodes = Self.tree(pointers)
    }

    /// The selected part of `value`. Missing fields are left out, also parents of nothing but missing fields. Inside an
    /// array, the object elements are projected and all others left out. A value that is no object is returned as it
    /// is.
    public func select(from value: JSONValue) -> JSONValue {
        guard case .object(let object) = value else { return value }
        return project(object, [0]).map(JSONValue.object) ?? .object(JSONObject())
    }

    /// Whether the field `topLevelKey` of a document, or a part of it, is selected.
    public func selects(_ topLevelKey: String) -> Bool {
        nodes[0].isLeaf || nodes[0].child(topLevelKey) != nil
    }

    // MARK: Projection

    /// What the nodes select of `value`; `nil` if nothing. Recurses at most as deep as the longest pointer.
    private func project(_ value: JSONValue, _ selection: [Int]) -> JSONValue? {
        if selection.contains(where: { nodes[$0].isLeaf }) { return value }
        switch value {
        case .object(let object):
            return project(object, selection).map(JSONValue.object)
        case .array(let elements):
            let projected = elements.compactMap { $0.object.map { project($0, selection) } }
            guard projected.contains(where: { $0 != nil }) else { return nil }
            return .array(projected.map { .object($0 ?? JSONObject()) })
        case .null, .bool, .number, .string:
            return nil
        }
    }

    private func project(_ object: JSONObject, _ selection: [Int]) -> JSONObject? {
        if selection.contains(where: { nodes[$0].isLeaf }) { return object }
        let members = object.members.compactMap { member -> JSONObject.Element? in
            var next: [Int] = []
            for node in selection {
                if let child = nodes[node].child(member.key) { next.append(child) }
                if let wildcard = nodes[node].wildcard { next.append(wildcard) }
            }
            guard !next.isEmpty, let value = project(member.value, next) else { return nil }
            return (member.key, value)
        }
        return members.isEmpty ? nil : JSONObject(distinct: members)
    }

    // MARK: Tree

    private static func tree(_ pointers: [JSONPointer]) -> [Node] {
        var nodes = [Node()]
        for pointer in pointers {
            var node = 0
            for (index, key) in pointer.segments.enumerated() {
                let isWildcard = key == "*" && isWildcardAllowed(below: pointer.segments[..<index])
                if let next = isWildcard ? nodes[node].wildcard : nodes[node].child(key) {
                    node = next
                    continue
                }
                nodes.append(Node())
                if isWildcard {
                    nodes[node].wildcard = nodes.count - 1
                } else {
                    nodes[node].children.append((key, nodes.count - 1))
                }
                node = nodes.count - 1
            }
            nodes[node].isLeaf = true
        }
        return nodes
    }

    private static func isWildcardAllowed(below parent: ArraySlice<String>) -> Bool {
        parent.last == "features" && (parent.count == 1 || parent.count == 2 && parent.first == "_metadata")
    }
}

extension JSONFieldSelector: Hashable {
    /// Selectors are equal if they name the same fields in the same order, however they are written.
    public static func == (left: JSONFieldSelector, right: JSONFieldSelector) -> Bool {
        left.pointers == right.pointers
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(pointers)
    }
}

extension JSONFieldSelector: CustomStringConvertible {
    public var description: String { text }
}

/// Why a text is no field selector. On the wire all are `json.fieldselector.invalid`.
public enum JSONFieldSelectorError: Error, Equatable, Sendable {
    /// Nothing is selected.
    case empty
    /// The numbers of opening and closing parentheses differ, or one closes what was never opened.
    case unbalancedParentheses
    /// Nothing stands between two commas, or before a parenthesis; the offset is in UTF-8 bytes.
    case emptyItem(offset: Int)
    /// A path with consecutive slashes.
    case consecutiveSlashes(offset: Int)
    /// Something other than a comma follows a closing parenthesis.
    case unexpectedText(offset: Int)
    /// Parentheses nested too deep, or a path of too many keys.
    case tooDeep(offset: Int)
}

extension JSONFieldSelectorError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .empty: "The field selector must not be empty."
        case .unbalancedParentheses: "The numbers of opening and closing parentheses differ."
        case .emptyItem(let offset): "A field name is missing at offset \(offset)."
        case .consecutiveSlashes(let offset): "Consecutive slashes at offset \(offset) are not supported."
        case .unexpectedText(let offset): "Only a comma can follow a closing parenthesis, at offset \(offset)."
        case .tooDeep(let offset): "The field selector is nested too deeply at offset \(offset)."
        }
    }
}
