import Testing
import TwinspanJSON
import TwinspanProtocol

@testable import TwinspanExpressions

/// spec/policies-search.md B.7, C.3.
@Suite("RQLOptions")
struct RQLOptionsTests {
    private static func sortText(_ options: RQLOptions) -> String {
        options.sort.map { ($0.isAscending ? "+" : "-") + $0.pointer.description }.joined(separator: ",")
    }

    @Test(
        "the order ends with the id, and what comes after the id does not count",
        arguments: [
            ([], "+/thingId"), (["sort(+thingId)"], "+/thingId"), (["sort(-thingId)"], "-/thingId"),
            (["sort(+attributes/a)"], "+/attributes/a,+/thingId"),
            (["sort(-/attributes/a,+features/f/properties/p)"], "-/attributes/a,+/features/f/properties/p,+/thingId"),
            (["sort(+_modified,-thingId,+attributes/a)"], "+/_modified,-/thingId"),
            (["size(5),sort(-_revision)"], "-/_revision,+/thingId"),
            (["sort(-features/f/desiredProperties/p/q)", "size(3)"], "-/features/f/desiredProperties/p/q,+/thingId"),
            (
                ["sort(+namespace,+policyId,+definition,+_created)"],
                "+/_namespace,+/policyId,+/definition,+/_created,+/thingId"
            ),
            (["sort(+attributes/a b)"], "+/attributes/a b,+/thingId"),
            ([#"sort(+attributes/say \"x\")"#], #"+/attributes/say "x",+/thingId"#),
            (["sort(+attributes/x~1y)"], "+/attributes/x/y,+/thingId"),
        ] as [([String], String)])
    func order(texts: [String], expected: String) throws {
        #expect(Self.sortText(try RQLOptions.parse(texts)) == expected)
    }

    @Test("size, limit and cursor are read, also from repeated parameters")
    func pages() throws {
        #expect(try RQLOptions.parse([]) == RQLOptions())
        #expect(RQLOptions().pageSize == 25)
        #expect(try RQLOptions.parse(["size(200)"]).pageSize == 200)
        #expect(try RQLOptions.parse(["size(007)"]).size == 7)
        let limit = try RQLOptions.parse(["limit(50,0),sort(+thingId)"])
        #expect(limit.limit?.offset == 50)
        #expect(limit.pageSize == 0)
        #expect(try RQLOptions.parse(["limit(+5,+10)"]).limit?.count == 10)
        let cursor = try RQLOptions.parse(["cursor(abc-_09)", "size(10)"])
        #expect(cursor.cursor == "abc-_09")
        #expect(cursor.size == 10)
    }

    @Test(
        "anything else is refused with its place and what to do",
        arguments: [
            ("", "expected one of sort, size, limit, cursor (line 1, column 1)", "Write options as"),
            ("size", "Unexpected end of input, expected '('", "Write options as"),
            ("size()", "Invalid input ')', expected a digit", "Write options as"),
            ("size(0)", "The page size is 0 (line 1, column 6)", "1 to 200"),
            ("size(201)", "The page size is 201", "1 to 200"), ("size(-1)", "The page size is -1", "1 to 200"),
            ("size(99999999999999999999)", "The page size is 99999999999999999999", "1 to 200"),
            ("size(1", "expected ')'", "Write options as"), ("size(1))", "the end of the options", "Write options as"),
            ("size(1) ", "Invalid input ' '", "no blanks"), ("size(1), size(2)", "Invalid input ' '", "no blanks"),
            ("size(1),", "Unexpected end", "Write options as"), ("size(1.5)", "Invalid input '.'", "Write options as"),
            ("siez(1)", "Invalid input 's'", "Did you mean 'size'?"), ("Size(1)", "Invalid input 'S'", "size(25)"),
            ("size(1),size(2)", "The option 'size' is given twice (line 1, column 9)", "once"),
            ("cursor(a),cursor(b)", "The option 'cursor' is given twice", "once"),
            ("limit(0,1),limit(0,1)", "The option 'limit' is given twice", "once"),
            ("sort(+thingId),sort(+thingId)", "The option 'sort' is given twice", "once"),
            ("cursor(a),limit(0,1)", "'cursor' and 'limit' exclude", "size"),
            ("limit(0,1),cursor(a)", "'cursor' and 'limit' exclude", "size"),
            ("limit(0,1),size(2)", "'size' and 'limit' exclude", "size"),
            ("limit(-1,5)", "The offset of the page is -1", "at least 0"),
            ("limit(0,-1)", "The number of results is -1", "0 to 200"),
            ("limit(0,201)", "The number of results is 201", "0 to 200"),
            ("limit(0)", "expected ','", "limit(0,25)"), ("limit(a,1)", "Invalid input 'a'", "limit(0,25)"),
            ("sort()", "expected '+' or '-'", "%2B"), ("sort( thingId)", "Invalid input ' '", "write '+' as '%2B'"),
            ("sort(thingId)", "Invalid input 't'", "%2B"), ("sort(+thingId,)", "Invalid input ')'", "%2B"),
            ("sort(+)", "Unknown sort property:", "Sort by thingId"),
            ("sort(+thingid)", "Unknown sort property: thingid (line 1, column 7)", "Did you mean 'thingId'?"),
            ("sort(+foo)", "Unknown sort property: foo", "Sort by"),
            ("sort(+attributes)", "Unknown sort property", "Sort by"),
            ("sort(+features/f)", "Unknown sort property", "Sort by"),
            ("sort(+features/f/properties)", "Unknown sort property", "Sort by"),
            ("sort(+features/f/definition)", "Unknown sort property", "Sort by"),
            ("sort(+features/*/properties/p)", "Unknown sort property", "Sort by"),
            ("sort(+_metadata/a)", "Unknown sort property", "Sort by"),
            ("sort(+thingId,+foo)", "Unknown sort property: foo", "Sort by"),
            ("sort(+attributes//a)", "Unknown sort property", "Sort by"),
            ("eq(attributes/a,1)", "Invalid input 'e'", "Write options as"),
        ])
    func refuses(text: String, message: String, advice: String) {
        let error = #expect(throws: TwinspanError.self) { try RQLOptions.parse([text]) }
        #expect(error?.code == "thing-search:search.option.invalid")
        #expect(error?.status == 400)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
        let description = error?.description ?? ""
        #expect(description.hasPrefix("Line 1, column "), "\(description)")
        #expect(description.contains("^\n"), "\(description)")
        #expect(description.contains(advice), "\(description)")
    }

    @Test("the protocol and streams allow less")
    func kinds() throws {
        _ = try RQLOptions.parse(["size(5),sort(+thingId)"], kinds: [.size, .sort])
        for text in ["limit(0,5)", "cursor(a)"] {
            let error = #expect(throws: TwinspanError.self) { try RQLOptions.parse([text], kinds: [.size, .sort]) }
            #expect(error?.message.contains("cannot be used here") == true)
            #expect(error?.description?.hasSuffix("Use sort, size only.") == true)
        }
    }

    @Test("a rule holds across repeated parameters")
    func repeated() {
        #expect(throws: TwinspanError.self) { try RQLOptions.parse(["size(1)", "size(2)"]) }
        #expect(throws: TwinspanError.self) { try RQLOptions.parse(["limit(0,1)", "cursor(a)"]) }
        #expect(throws: TwinspanError.self) { try RQLOptions.parse(["size(1)", ""]) }
    }

    @Test(
        "namespaces are a comma list; an empty one finds nothing",
        arguments: [
            (nil, nil), ([], []), ([""], []), ([","], []), (["a"], ["a"]), (["a,b.c"], ["a", "b.c"]),
            (["a", "b,a"], ["a", "b"]), (["a, b"], ["a", "b"]),
        ] as [([String]?, Set<String>?)])
    func namespaces(parameters: [String]?, expected: Set<String>?) {
        #expect(RQLOptions.namespaces(parameters) == expected)
    }

    // MARK: Order of results (C.3)

    /// In ascending order; missing and null are equal, and then the id decides.
    private static let ordered: [(id: String, value: JSONValue?)] = [
        ("a:1", nil), ("a:2", .null), ("a:3", []), ("a:4", -1), ("a:5", 1), ("a:6", 1.5), ("a:7", [10, 2, "x"]),
        ("a:8", 3), ("a:9", ""), ("b:1", "A"), ("b:2", "a"), ("b:3", "\u{E000}"), ("b:4", "😀"), ("b:5", ["x": 1]),
        ("b:6", false), ("b:7", true),
    ]

    private static func thing(_ id: String, _ value: JSONValue?) -> JSONValue {
        guard let value else { return ["thingId": .string(id)] }
        return ["thingId": .string(id), "attributes": ["k": value]]
    }

    @Test("results are in the order of types and values, missing ones first when ascending")
    func ascending() throws {
        let options = try RQLOptions.parse(["sort(+attributes/k)"])
        let values = Self.ordered.map { options.sortValues(of: Self.thing($0.id, $0.value)) }
        for (index, left) in values.enumerated() {
            for (other, right) in values.enumerated() {
                #expect(options.precedes(left, right) == (index < other), "\(left) and \(right)")
            }
        }
    }

    @Test("a descending order reverses the values, takes the largest of an array, and keeps the ids ascending")
    func descending() throws {
        let options = try RQLOptions.parse(["sort(-attributes/k)"])
        func values(_ id: String, _ value: JSONValue?) -> [JSONValue] {
            options.sortValues(of: Self.thing(id, value))
        }
        #expect(options.precedes(values("a:1", 2), values("a:2", 1)))
        #expect(options.precedes(values("a:1", [1, 9]), values("a:2", 8)))
        #expect(options.precedes(values("a:2", 1), values("a:1", nil)))
        #expect(options.precedes(values("a:1", nil), values("a:2", nil)))
        #expect(options.precedes(values("a:2", false), values("a:1", "x")))
    }

    @Test("several keys, objects in arrays and the namespace count")
    func keys() throws {
        let options = try RQLOptions.parse(["sort(+namespace,-attributes/l/a)"])
        let thing: JSONValue = ["thingId": "acme:d", "attributes": ["l": [["a": 1], ["a": [5, 2]], ["b": 9]]]]
        #expect(options.sortValues(of: thing) == ["acme", 5, "acme:d"])
    }

    @Test("what may not be read sorts as missing")
    func unreadable() throws {
        let options = try RQLOptions.parse(["sort(+attributes/k,-policyId)"])
        let thing: JSONValue = ["thingId": "a:b", "policyId": "a:p", "attributes": ["k": 1]]
        #expect(options.sortValues(of: thing) { _ in false } == [nil, nil, "a:b"])
        #expect(options.sortValues(of: thing) { $0.first == "policyId" } == [nil, "a:p", "a:b"])
    }
}
