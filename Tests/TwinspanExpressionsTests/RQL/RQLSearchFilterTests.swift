import Testing
import TwinspanJSON
import TwinspanProtocol

@testable import TwinspanExpressions

@Suite("RQLSearchFilter")
struct RQLSearchFilterTests {
    private static let thing: JSONValue = [
        "thingId": "acme:d1", "policyId": "acme:p", "_revision": 7,
        "attributes": ["open": 1, "secret": 2, "gone": nil],
        "features": [
            "lamp": ["properties": ["on": true, "dim": 80]], "lock": ["properties": ["on": true, "pin": 1234]],
        ],
    ]

    /// What a predicate says is hidden together with the field (C.1).
    @Test(
        "a predicate sees only what may be read, and its negation holds for the rest",
        arguments: [
            ("eq(attributes/open,1)", true), ("eq(attributes/secret,2)", false), ("ne(attributes/secret,1)", false),
            ("exists(attributes/secret)", false), ("not(eq(attributes/secret,2))", true),
            ("not(eq(attributes/secret,1))", true), ("not(exists(attributes/secret))", true),
            ("and(eq(attributes/open,1),eq(attributes/secret,2))", false),
            ("or(eq(attributes/open,1),eq(attributes/secret,2))", true),
            ("in(attributes/secret,2,null)", false), ("empty(attributes/secret)", false),
            ("empty(attributes/other)", true), ("empty(attributes/hidden)", false),
            ("in(attributes/hidden,null)", false), ("like(attributes/secret,'*')", false),
            // The id needs no permission of its own, the rest does.
            ("eq(thingId,'acme:d1')", true), ("eq(namespace,'acme')", true), ("eq(_namespace,'acme')", true),
            ("eq(policyId,'acme:p')", false), ("eq(_revision,7)", false),
            // For any feature the permission is that for the same feature.
            ("eq(features/*/properties/on,true)", true), ("eq(features/*/properties/dim,80)", true),
            ("eq(features/*/properties/pin,1234)", false), ("exists(features/*/properties/pin)", false),
            ("eq(features/lock/properties/on,true)", false), ("exists(features/lock)", false),
            ("exists(features/*)", true), ("empty(features/*/properties/dim)", false),
            ("not(exists(features/*/properties/pin))", true),
        ])
    func permissions(text: String, expected: Bool) throws {
        let hidden = ["/policyId", "/_revision", "/attributes/secret", "/attributes/hidden", "/features/lock"]
        let hiddenPointers = try hidden.map { try JSONPointer(parsing: $0) }
        let filter = try RQLSearchFilter.parse(text)
        let result = filter.matches(Self.thing) { pointer in !hiddenPointers.contains { pointer.hasPrefix($0) } }
        #expect(result == expected)
    }

    /// So nobody can learn from a search that a field is there which may not be read.
    @Test("an unreadable field is the same as one that is not there")
    func indistinguishable() throws {
        var without = Self.thing
        without.remove(at: JSONPointer(segments: ["attributes", "secret"]))
        let predicates = [
            "eq(attributes/secret,2)", "ne(attributes/secret,1)", "gt(attributes/secret,0)", "le(attributes/secret,9)",
            "like(attributes/secret,'*')", "exists(attributes/secret)", "in(attributes/secret,2,null)",
            "empty(attributes/secret)",
        ]
        for text in predicates + predicates.map({ "not(\($0))" }) {
            let filter = try RQLSearchFilter.parse(text)
            let isReadable: (JSONPointer) -> Bool = { $0.last != "secret" }
            #expect(
                filter.matches(Self.thing, isReadable: isReadable) == filter.matches(without, isReadable: isReadable),
                "\(text)")
        }
    }

    @Test("the permission is asked for the path of the predicate, and only when that holds")
    func asked() throws {
        var asked: [String] = []
        for text in [
            "gt(features/*/properties/dim,50)", "eq(attributes/open,2)", "eq(attributes/open,1)", "exists(features/*)",
        ] {
            _ = try RQLSearchFilter.parse(text).matches(Self.thing) {
                asked.append($0.description)
                return true
            }
        }
        #expect(asked == ["/features/lamp/properties/dim", "/attributes/open", "/features/lamp"])
    }

    @Test("repeated filters are all to hold, and none admits every thing")
    func several() throws {
        let both = try RQLSearchFilter.parse(allOf: ["eq(attributes/open,1)", "eq(policyId,'acme:p')"])
        #expect(both.matches(Self.thing))
        #expect(both.texts.count == 2)
        #expect(!both.matches(["attributes": ["open": 1]]))
        #expect(try RQLSearchFilter.parse(allOf: []).matches([:]))
        let error = #expect(throws: RQLError.self) {
            try RQLSearchFilter.parse(allOf: ["eq(attributes/open,1)", "eq(attributes/open)"])
        }
        #expect(error?.offset == 18)
    }

    @Test(
        "what a search does not know is refused",
        arguments: [
            "exists(_metadata)", "eq(topic:action,'x')", "eq(time:now,'x')", "eq(features/*,1)", "eq(*,1)",
            "eq(attributes,1)", "exists(features)", "exists(features/*/*)", "eq(attributes//a,1)", "", "sort(+thingId)",
        ])
    func refuses(text: String) {
        let error = #expect(throws: RQLError.self) { try RQLSearchFilter.parse(text) }
        #expect(error?.wireError().code == "rql.expression.invalid")
    }

    @Test("paths of metadata can be searched")
    func metadata() throws {
        let filter = try RQLSearchFilter.parse("eq(_metadata/attributes/open/unit,'mm')")
        #expect(filter.matches(["_metadata": ["attributes": ["open": ["unit": "mm"]]]]))
    }
}
