import Testing
import TwinspanJSON

@Suite struct JSONFieldSelectorTests {
    @Test(
        "selectors expand to pointers",
        arguments: [
            ("a", ["/a"]), ("/a", ["/a"]), ("a,b", ["/a", "/b"]), ("a/b,/c/d", ["/a/b", "/c/d"]),
            ("attributes/a(b,c/d)", ["/attributes/a/b", "/attributes/a/c/d"]),
            ("a(b(c,d),e),f", ["/a/b/c", "/a/b/d", "/a/e", "/f"]), ("a(/b)", ["/a/b"]), ("a/", ["/a"]),
            ("a/(b)", ["/a/b"]),
            ("features/*/properties", ["/features/*/properties"]), ("a~0b", ["/a~0b"]),
            ("a(b),c(d)", ["/a/b", "/c/d"]),
            (
                "features/{{ feature:id }}/properties(a,b)",
                [
                    "/features/{{ feature:id }}/properties/a", "/features/{{ feature:id }}/properties/b",
                ]
            ),
            ("a/{{ fn:filter('x,y') }}", ["/a/{{ fn:filter('x,y') }}"]), ("a{{b", ["/a{{b"]), ("é", ["/é"]),
        ] as [(String, [String])])
    func parsing(_ text: String, _ expected: [String]) throws {
        let selector = try JSONFieldSelector(parsing: text)
        #expect(selector.pointers.map(\.description) == expected)
        #expect(selector.text == text)
    }

    @Test(
        "malformed selectors are refused",
        arguments: [
            ("", .empty), (",", .emptyItem(offset: 0)), ("a,", .emptyItem(offset: 2)), (",a", .emptyItem(offset: 0)),
            ("a,,b", .emptyItem(offset: 2)), ("a()", .emptyItem(offset: 2)), ("(a)", .emptyItem(offset: 0)),
            ("a(b,)", .emptyItem(offset: 4)), ("/", .emptyItem(offset: 1)), ("a(/)", .emptyItem(offset: 3)),
            ("a(b", .unbalancedParentheses), ("a)", .unbalancedParentheses), ("a(b))", .unbalancedParentheses),
            ("a(b)(c)", .unexpectedText(offset: 4)), ("a(b)c", .unexpectedText(offset: 4)),
            ("a(b)/c", .unexpectedText(offset: 4)), ("a//b", .consecutiveSlashes(offset: 2)),
            ("//a", .consecutiveSlashes(offset: 1)), ("a(b//c)", .consecutiveSlashes(offset: 4)),
            ("a//", .consecutiveSlashes(offset: 2)), ("a((b))", .emptyItem(offset: 2)),
        ] as [(String, JSONFieldSelectorError)])
    func malformed(_ text: String, _ error: JSONFieldSelectorError) {
        #expect(throws: error) { try JSONFieldSelector(parsing: text) }
    }

    @Test("nesting and length of paths are bounded")
    func bounds() throws {
        let deep = String(repeating: "a(", count: 33) + "b" + String(repeating: ")", count: 33)
        #expect(throws: JSONFieldSelectorError.tooDeep(offset: 65)) { try JSONFieldSelector(parsing: deep) }
        _ = try JSONFieldSelector(parsing: String(repeating: "a/", count: 200))
        #expect(throws: JSONFieldSelectorError.tooDeep(offset: 401)) {
            try JSONFieldSelector(parsing: String(repeating: "a/", count: 201) + "b")
        }
    }

    @Test(
        "selection keeps what is named and the order of the document",
        arguments: [
            ("thingId", #"{"thingId":"n:t"}"#), ("b,thingId", #"{"thingId":"n:t"}"#), ("x", "{}"),
            ("attributes/x", "{}"),
            ("attributes/a/b", #"{"attributes":{"a":{"b":1}}}"#),
            ("attributes(a/c,d)", #"{"attributes":{"a":{"c":2},"d":[]}}"#),
            ("attributes/a,attributes/a/b", #"{"attributes":{"a":{"b":1,"c":2}}}"#),
            ("attributes/a/b,attributes/a", #"{"attributes":{"a":{"b":1,"c":2}}}"#), ("thingId/x", "{}"),
            ("features/*/p", #"{"features":{"f":{"p":1},"g":{"p":2}}}"#),
            ("features/f", #"{"features":{"f":{"p":1,"q":3}}}"#),
            ("features/*/p,features/f/q", #"{"features":{"f":{"p":1,"q":3},"g":{"p":2}}}"#), ("attributes/*/b", "{}"),
            ("_metadata/features/*/p", #"{"_metadata":{"features":{"f":{"p":9}}}}"#),
            ("list/v", #"{"list":[{"v":1},{}]}"#),
            ("list/x", "{}"), ("features/*", #"{"features":{"f":{"p":1,"q":3},"g":{"p":2}}}"#), ("*", "{}"),
            ("list/0", "{}"),
        ])
    func selection(_ text: String, _ expected: String) throws {
        let document = try JSONValue.parse(
            #"""
            {"thingId":"n:t","attributes":{"a":{"b":1,"c":2},"d":[]},"features":{"f":{"p":1,"q":3},"g":{"p":2}},
            "list":[{"v":1,"w":2},5,{"w":3}],"_metadata":{"features":{"f":{"p":9}}}}
            """#)
        #expect(try JSONFieldSelector(parsing: text).select(from: document).text == expected)
    }

    @Test("values that are no objects are left alone")
    func scalars() throws {
        let selector = try JSONFieldSelector(parsing: "a")
        for value in [nil, 1, "a", [1]] as [JSONValue] { #expect(selector.select(from: value) == value) }
    }

    @Test("top-level fields are known, also if only a part of them is selected")
    func topLevel() throws {
        let selector = try JSONFieldSelector(parsing: "thingId,attributes/a,features(f)")
        #expect(selector.selects("thingId"))
        #expect(selector.selects("attributes"))
        #expect(selector.selects("features"))
        #expect(!selector.selects("_policy"))
        #expect(!selector.selects("a"))
    }

    @Test("selectors are equal by the fields they name")
    func equality() throws {
        let left = try JSONFieldSelector(parsing: "a(b,c)")
        let right = try JSONFieldSelector(parsing: "/a/b,a/c")
        #expect(left == right)
        #expect(Set([left, right]).count == 1)
        #expect(try left != JSONFieldSelector(parsing: "a"))
        #expect(JSONFieldSelector(left.pointers) == left)
        #expect(JSONFieldSelector(left.pointers).text == "a/b,a/c")
    }

    @Test(
        "a key that begins with an accent is written back",
        arguments: ["\u{301}a", "\u{5A7}", "\u{FE0F}/b", "a,\u{72A}"])
    func accents(_ text: String) throws {
        let selector = try JSONFieldSelector(parsing: text)
        #expect(JSONFieldSelector(selector.pointers).text.utf8.elementsEqual(text.utf8))
    }
}
