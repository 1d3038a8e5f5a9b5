// The tables of spec/policies-search.md B.4, B.5 and B.8: every row in both columns, the model (conditions and the
// filters of subscriptions) and the search with everything readable.

import Testing
import TwinspanJSON

@testable import TwinspanExpressions

/// A line of a table: the section it stands in, an expression, and what it says in the model and in the search.
struct ExpressionRow: Sendable, CustomTestStringConvertible {
    let section: String
    let text: String
    /// `nil` where the expression is refused.
    let model: Bool?, search: Bool?

    init(_ section: String, _ text: String, _ model: Bool?, _ search: Bool?) {
        self.section = section
        self.text = text
        self.model = model
        self.search = search
    }

    var testDescription: String { "\(section): \(text)" }

    /// Compiles and evaluates in both dialects.
    func check(_ thing: JSONValue) throws {
        var resolver = TableResolver()
        // Later than any document here was modified.
        resolver.now = 1_800_000_000_000
        if let model {
            let filter = try RQLFilter.parse(text, placeholders: .condition)
            #expect(filter.matches(thing, placeholders: resolver) == model, "model")
        } else {
            #expect(throws: RQLError.self) { try RQLFilter.parse(text, placeholders: .condition) }
        }
        if let search {
            let filter = try RQLSearchFilter.parse(text)
            #expect(filter.matches(thing, placeholders: resolver) == search, "search")
            #expect(filter.matches(thing, placeholders: resolver, isReadable: { _ in true }) == search, "readable")
        } else {
            #expect(throws: RQLError.self) { try RQLSearchFilter.parse(text) }
        }
    }
}

@Suite("RQL tables of the specification")
struct RQLExampleTableTests {
    private static let document =
        #"""
        {"thingId":"acme:d1","policyId":"acme:p","definition":"acme:lamp:1.0.0","_modified":"2026-03-01T10:00:00Z",
        "_revision":7,"attributes":{"n":42,"f":1.5,"s":"Kitchen","num":"42","b":true,"z":null,"e":"",
        "arr":["red",3,{"room":"hall","lv":2}],"o":{"x":1},"eo":{},"ea":[]},
        "features":{"lamp":{"definition":["acme:lamp:1.0.0"],"properties":{"on":false,"dim":80}},
        "sensor":{"properties":{"dim":5}},"bare":{}}}
        """#

    private static let examples: [ExpressionRow] = [
        .init("B.8 #1", "eq(attributes/n,42)", true, true),
        .init("B.8 #2", "eq(/attributes/n,42.0)", true, true),
        .init("B.8 #3", #"eq(attributes/n,"42")"#, true, false),
        .init("B.8 #4", "eq(attributes/num,42)", true, false),
        .init("B.8 #5", #"eq(attributes/b,"true")"#, true, false),
        .init("B.8 #6", "ne(attributes/n,41)", true, true),
        .init("B.8 #7", "ne(attributes/missing,1)", true, false),
        .init("B.8 #8", "not(eq(attributes/missing,1))", true, true),
        .init("B.8 #9", "eq(attributes/z,null)", true, true),
        .init("B.8 #10", "eq(attributes/missing,null)", false, false),
        .init("B.8 #11", "ne(attributes/z,null)", false, false),
        .init("B.8 #12", "exists(attributes/z)", true, true),
        .init("B.8 #13", "empty(attributes/z)", true, true),
        .init("B.8 #13", "empty(attributes/e)", true, true),
        .init("B.8 #13", "empty(attributes/eo)", true, true),
        .init("B.8 #13", "empty(attributes/ea)", true, true),
        .init("B.8 #13", "empty(attributes/missing)", true, true),
        .init("B.8 #14", "empty(attributes/b)", false, false),
        .init("B.8 #14", "empty(attributes/n)", false, false),
        .init("B.8 #15", "exists(attributes/o/x)", true, true),
        .init("B.8 #16", "eq(attributes/o,1)", false, false),
        .init("B.8 #17", "gt(attributes/n,41.9)", true, true),
        .init("B.8 #18", "lt(attributes/z,1)", false, false),
        .init("B.8 #19", #"gt(attributes/s,"A")"#, true, true),
        .init("B.8 #20", "gt(attributes/b,false)", true, true),
        .init("B.8 #21", #"in(attributes/s,"Bath","Kitchen")"#, true, true),
        .init("B.8 #22", #"like(attributes/s,"Kit*")"#, true, true),
        .init("B.8 #23", #"like(attributes/s,"kit*")"#, false, false),
        .init("B.8 #23", #"ilike(attributes/s,"kit*")"#, true, true),
        .init("B.8 #24", #"like(attributes/s,"K?tchen")"#, true, true),
        .init("B.8 #25", #"like(attributes/s,"K.tchen")"#, false, false),
        .init("B.8 #26", #"like(attributes/s,"itche")"#, false, false),
        .init("B.8 #27", #"like(attributes/s,"**itche***")"#, true, true),
        .init("B.8 #28", #"eq(attributes/arr,"red")"#, true, true),
        .init("B.8 #29", #"ne(attributes/arr,"red")"#, false, false),
        .init("B.8 #30", "ne(attributes/arr,99)", true, true),
        .init("B.8 #31", "gt(attributes/arr,2)", true, true),
        .init("B.8 #32", #"eq(attributes/arr/room,"hall")"#, true, true),
        .init("B.8 #32", "ge(attributes/arr/lv,2)", true, true),
        .init("B.8 #33", "exists(attributes/arr/room)", true, true),
        .init("B.8 #34", "exists(features/bare)", true, true),
        .init("B.8 #35", "exists(features/bare/properties)", false, false),
        .init("B.8 #36", "empty(features/bare)", true, true),
        .init("B.8 #37", #"eq(features/lamp/definition,"acme:lamp:1.0.0")"#, true, true),
        .init("B.8 #38", "gt(features/*/properties/dim,50)", false, true),
        .init(
            "B.8 #39", "and(eq(features/*/properties/dim,5),eq(features/*/properties/on,false))", false, true),
        .init("B.8 #40", #"eq(definition,"acme:lamp:1.0.0")"#, true, true),
        .init("B.8 #41", "lt(_modified,time:now)", true, true),
        .init("B.8 #42", #"gt(_modified,"2026-02-01")"#, true, true),
        .init("B.8 #43", "eq(_revision,7)", true, true),
        .init("B.8 #44", "eq(attributes,1)", nil, nil), .init("B.8 #44", "eq(foo,1)", nil, nil),
        .init("B.8 #44", "eq(features/lamp,1)", nil, nil),
        .init("B.8 #45", "eq(attributes/s,Kitchen)", nil, nil),
        .init("B.8 #46", "and()", nil, nil),
        .init("B.8 #46", #"not(eq(thingId,"a"),eq(thingId,"b"))"#, nil, nil),
        .init("B.8 #47", "or(eq(attributes/n,1))", false, false),
    ]

    @Test("every example holds in both columns", arguments: examples)
    func example(row: ExpressionRow) throws {
        try row.check(try JSONValue.parse(Self.document))
    }

    @Test(
        "an event is judged by its change and the extra fields",
        arguments: [
            ("B.8 #48", "gt(attributes/n,42)", false, true),
            ("B.8 #49", #"eq(attributes/s,"Kitchen")"#, false, false),
            ("B.8 #49, with extra fields", #"eq(attributes/s,"Kitchen")"#, true, true),
            ("B.8 #50", "and(in(topic:action,'created','deleted'),eq(resource:path,'/'))", false, true),
            ("B.6, absent data", "ne(attributes/s,1)", false, true),
            ("B.6, absent data", "not(eq(attributes/s,1))", false, true),
            ("B.6, absent placeholder", "eq(topic:subject,'x')", false, false),
            ("B.6, absent placeholder", "ne(topic:subject,'x')", false, true),
            ("B.6, absent placeholder", "empty(topic:subject)", false, true),
        ])
    func events(section: String, text: String, isEnriched: Bool, expected: Bool) throws {
        var changed: JSONValue = ["thingId": "acme:d1", "attributes": ["n": 43]]
        if isEnriched { changed.set("Kitchen", at: JSONPointer(segments: ["attributes", "s"])) }
        let resolver = TableResolver(["topic:action": .one("created"), "resource:path": .one("/")])
        for context in [RQLPlaceholders.connection, .webSocket, .serverSentEvents] {
            let filter = try RQLFilter.parse(text, placeholders: context)
            #expect(filter.matches(changed, placeholders: resolver) == expected)
        }
    }

    private static let types =
        #"""
        {"thingId":"acme:d1","_modified":"2026-03-01T10:00:00Z","_revision":7,"attributes":{
        "one":1,"oneAndAHalf":1.5,"big":9007199254740993,"ten":10,"text":"ten","textTen":"10","yes":true,"no":false,
        "null":null,"blank":"","object":{"a":1},"emptyObject":{},"emptyArray":[],"zero":0,
        "nulls":[1,null],"blanks":["x",""],"holes":["x",[]],"shells":["x",{}],"words":["x","y"],"deep":[[["x"]]],
        "list":[{"a":1,"b":null},{"a":2}],"emoji":"😀","private":"\uE000","lines":"a\nb"},
        "features":{"f":{"properties":{"p":1,"none":null}},"g":{"definition":["a:b:1"]},"h":{"desiredProperties":{}},
        "empty":{}}}
        """#

    private static let comparisons: [ExpressionRow] = [
        .init("B.4 numbers", "eq(attributes/one,1.0)", true, true),
        .init("B.4 numbers", "lt(attributes/one,1.5)", true, true),
        .init("B.4 numbers", "le(attributes/oneAndAHalf,1.50)", true, true),
        .init("B.4 numbers", "gt(attributes/big,9007199254740992)", true, true),
        .init("B.4 numbers", "eq(attributes/big,9007199254740992.0)", false, false),
        .init("B.4 number vs string", #"eq(attributes/ten,"10.0")"#, true, false),
        .init("B.4 number vs string", #"gt(attributes/ten,"9")"#, true, false),
        .init("B.4 number vs string", #"ne(attributes/ten,"10")"#, false, true),
        .init("B.4 number vs string", "gt(attributes/textTen,9)", true, false),
        .init("B.4 number vs string", #"lt(attributes/ten,"ten")"#, true, false),
        .init("B.4 number vs string", "gt(attributes/text,5)", true, false),
        .init("B.4 number vs string", #"in(attributes/ten,"x","10")"#, true, false),
        .init("B.4 bool vs string", #"eq(attributes/yes,"true")"#, true, false),
        .init("B.4 bool vs string", #"ne(attributes/yes,"true")"#, false, true),
        .init("B.4 bool vs number", "gt(attributes/yes,1)", true, false),
        .init("B.4 string vs bool", "lt(attributes/text,true)", true, false),
        .init("B.4 strings", #"lt(attributes/text,"text")"#, true, true),
        .init("B.4 strings", "lt(attributes/emoji,\"\u{E000}\")", true, false),
        .init("B.4 strings", "gt(attributes/private,'😀')", true, false),
        .init("B.4 strings", #"lt(attributes/textTen,"9")"#, true, true),
        .init("B.4 booleans", "lt(attributes/no,true)", true, true),
        .init("B.4 booleans", "gt(attributes/yes,false)", true, true),
        .init("B.4 booleans", "ge(attributes/no,true)", false, false),
        .init("B.4 eq(x,null)", "eq(attributes/null,null)", true, true),
        .init("B.4 eq(x,null)", "eq(attributes/missing,null)", false, false),
        .init("B.4 eq(x,null)", "eq(attributes/blank,null)", false, false),
        .init("B.4 ne(x,v) missing", "ne(attributes/missing,1)", true, false),
        .init("B.4 ne(x,v) missing", "ne(attributes/one/x,1)", true, false),
        .init("B.4 ne(x,v) null", "ne(attributes/null,1)", true, true),
        .init("B.4 ne(x,null)", "ne(attributes/missing,null)", true, false),
        .init("B.4 ne(x,null)", "ne(attributes/one,null)", true, true),
        .init("B.4 ne(x,null)", "ne(attributes/null,null)", false, false),
        .init("B.4 order with null", "ge(attributes/null,null)", false, false),
        .init("B.4 order with null", "le(attributes/one,null)", false, false),
        .init("B.4 order with null", "lt(attributes/null,1)", false, false),
        .init("B.4 order, missing", "lt(attributes/missing,1)", false, false),
        .init("B.4 in", "in(attributes/ten,1,10)", true, true),
        .init("B.4 in", #"in(attributes/words,"z","y")"#, true, true),
        .init("B.4 in", #"in(attributes/words,"z")"#, false, false),
        .init("B.4 in with null", "in(attributes/missing,1,null)", false, true),
        .init("B.4 in with null", "in(attributes/null,1,null)", true, true),
        .init("B.4 in with null", "in(attributes/one,2,null)", false, false),
        .init("B.4 exists", "exists(attributes/null)", true, true),
        .init("B.4 exists", "exists(attributes/missing)", false, false),
        .init("B.4 exists", "exists(attributes/list/b)", true, true),
        .init("B.4 exists", "exists(features/h/desiredProperties)", true, true),
        .init("B.4 empty", "empty(attributes/missing)", true, true),
        .init("B.4 empty", "empty(attributes/null)", true, true),
        .init("B.4 empty", "empty(attributes/blank)", true, true),
        .init("B.4 empty", "empty(attributes/emptyObject)", true, true),
        .init("B.4 empty", "empty(attributes/emptyArray)", true, true),
        .init("B.4 empty", "empty(attributes/zero)", false, false),
        .init("B.4 empty", "empty(attributes/no)", false, false),
        .init("B.4 empty", "empty(attributes/words)", false, false),
        .init("B.4 empty, element", "empty(attributes/nulls)", false, true),
        .init("B.4 empty, element", "empty(attributes/blanks)", false, true),
        .init("B.4 empty, element", "empty(attributes/holes)", false, true),
        .init("B.4 empty, element", "empty(attributes/shells)", false, true),
        .init("B.4 empty, element", "empty(attributes/list/b)", false, true),
        .init("B.4 empty, feature", "empty(features/empty)", true, true),
        .init("B.4 empty, feature", "empty(features/missing)", true, true),
        .init("B.4 empty, feature", "empty(features/f)", false, false),
        .init("B.4 empty, feature", "empty(features/g)", false, false),
        .init("B.4 empty, feature", "empty(features/h)", false, false),
        .init("B.4 not", "not(eq(attributes/missing,1))", true, true),
        .init("B.4 not", "not(ne(attributes/missing,1))", false, true),
        .init("B.4 objects", "eq(attributes/object,1)", false, false),
        .init("B.4 objects", "ne(attributes/object,1)", true, true),
        .init("B.3 nested arrays", #"eq(attributes/deep,"x")"#, true, true),
        .init("B.3 fan-out", "eq(attributes/list/a,2)", true, true),
        .init("B.3 fan-out", "eq(attributes/list/b,null)", true, true),
        .init("B.4 time text", "gt(attributes/ten,time:now_epoch_millis)", false, false),
        .init("B.4 time text", "lt(attributes/ten,time:now_epoch_millis)", true, false),
        .init("B.4 time text", "gt(_modified,time:now-1000d[d])", true, true),
        .init("B.5 text form", #"like(attributes/ten,"1*")"#, true, false),
        .init("B.5 text form", #"like(attributes/yes,"tr?e")"#, true, false),
        .init("B.5 text form", #"like(attributes/null,"*")"#, false, false),
        .init("B.5 numeric pattern", "like(attributes/textTen,10)", true, true),
        .init("B.5 numeric pattern", "like(attributes/textTen,+10)", true, true),
        .init("B.5 numeric pattern", "like(attributes/oneAndAHalf,1.500)", true, false),
        .init("B.5 null pattern", "like(attributes/text,null)", false, false),
        .init("B.5 line break", #"like(attributes/lines,"a*")"#, false, false),
        .init("B.5 line break", #"like(attributes/lines,"a?b")"#, false, false),
        .init("B.5 line break", #"like(attributes/lines,"a\nb")"#, true, true),
        .init("B.5 one character", #"like(attributes/emoji,"?")"#, true, true),
        .init("B.5 any element", #"ilike(attributes/words,"Y")"#, true, true),
        .init("B.5 any element", #"like(attributes/words,"Y")"#, false, false),
        .init("B.5 time pattern", "like(_modified,time:now)", false, false),
        .init("B.2 #6", #"eq(namespace,"acme")"#, true, true),
        .init("B.2 #6", #"eq(_namespace,"acme")"#, true, true),
        .init("B.8 nuance", "exists(_namespace)", true, true),
        .init("B.8 nuance", "empty(_revision)", false, false),
    ]

    @Test("every rule of comparison holds in both columns", arguments: comparisons)
    func comparison(row: ExpressionRow) throws {
        try row.check(try JSONValue.parse(Self.types))
    }

    @Test(
        "`*` stands for any feature in searches, and for itself in conditions",
        arguments: [
            .init("B.2 wildcard", "exists(features/*)", false, true),
            .init("B.2 wildcard", "exists(features/*/properties)", false, true),
            .init("B.2 wildcard", "exists(features/*/properties/p)", false, true),
            .init("B.2 wildcard", "exists(features/*/properties/q)", false, false),
            .init("B.2 wildcard", "eq(features/*/definition,'a:b:1')", false, true),
            .init("B.2 wildcard", "eq(features/*/desiredProperties/p,1)", false, false),
            .init("B.2 wildcard", "ne(features/*/properties/p,2)", true, true),
            .init("B.2 wildcard", "ne(features/*/properties/p,1)", true, false),
            .init("B.2 wildcard", "not(eq(features/*/properties/p,1))", true, false),
            .init("B.2 wildcard", "eq(features/*/properties/none,null)", false, true),
            .init("B.4 empty, wildcard", "empty(features/*)", true, true),
            .init("B.4 empty, wildcard", "empty(features/*/properties/p)", true, true),
            .init("B.4 empty, wildcard", "empty(features/*/properties)", true, true),
            .init("B.4 in, wildcard", "in(features/*/properties/p,null)", false, true),
            .init("B.2 wildcard", "eq(features/*,1)", nil, nil),
            .init("B.2 wildcard", "eq(features/*/properties,1)", nil, nil),
            .init("B.2 wildcard", "exists(features/*/other)", nil, nil),
            .init("B.2 an attribute", "exists(attributes/*)", false, false),
        ] as [ExpressionRow])
    func wildcard(row: ExpressionRow) throws {
        try row.check(try JSONValue.parse(Self.types))
    }

    @Test("`*` needs a feature, whatever the predicate is")
    func noFeatures() throws {
        for text in ["empty(features/*)", "empty(features/*/properties/x)", "in(features/*/properties/x,null)"] {
            let filter = try RQLSearchFilter.parse(text)
            for thing in [["thingId": "a:b"], ["features": .object([:])], ["features": nil], [1]] as [JSONValue] {
                #expect(!filter.matches(thing), "\(text) on \(thing)")
            }
        }
    }
}
