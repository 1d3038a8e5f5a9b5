// Where a JSON value differs from the one that was expected, for people.
public import TwinspanJSON

/// One place at which two values differ.
public struct JSONDifference: Sendable, Equatable {
    /// A JSON pointer; empty for the value itself.
    public var path: String
    /// In words or as JSON.
    public var expected: String
    public var found: String

    /// The differences in the order of the expected value. Numbers are compared by value, members in any order.
    ///
    /// The depth is bounded by that of the documents, which their readers limit.
    /// - Parameter isPartial: whether objects may have more members than expected, at every depth.
    public static func between(
        expected: JSONValue, found: JSONValue, isPartial: Bool
    ) -> [JSONDifference] {
        var differences: [JSONDifference] = []
        collect(expected, found, isPartial, [], &differences)
        return differences
    }

    private static func collect(
        _ expected: JSONValue, _ found: JSONValue, _ isPartial: Bool, _ path: [String],
        _ differences: inout [JSONDifference]
    ) {
        switch (expected, found) {
        case (.object(let expected), .object(let found)):
            for (key, value) in expected {
                if let other = found[key] {
                    collect(value, other, isPartial, path + [key], &differences)
                } else {
                    differences.append(JSONDifference(path + [key], value.brief, "nothing"))
                }
            }
            guard !isPartial else { return }
            for (key, value) in found where expected[key] == nil {
                differences.append(JSONDifference(path + [key], "nothing", value.brief))
            }
        case (.array(let expected), .array(let found)):
            for (index, pair) in zip(expected, found).enumerated() {
                collect(pair.0, pair.1, isPartial, path + ["\(index)"], &differences)
            }
            if expected.count != found.count {
                differences.append(JSONDifference(path, Self.count(expected), Self.count(found)))
            }
        default:
            if expected != found { differences.append(JSONDifference(path, expected.brief, found.brief)) }
        }
    }

    private init(_ path: [String], _ expected: String, _ found: String) {
        self.init(path: JSONPointer(segments: path).description, expected: expected, found: found)
        if path.isEmpty { self.path = "" }
    }

    init(path: String, expected: String, found: String) {
        self.path = path
        self.expected = expected
        self.found = found
    }

    private static func count(_ elements: [JSONValue]) -> String {
        "\(elements.count) element\(elements.count == 1 ? "" : "s")"
    }
}

extension JSONValue {
    /// The JSON text, cut where a line would become too long.
    var brief: String {
        let text = text
        return text.count <= 120 ? text : text.prefix(117) + "…"
    }
}
