import Testing
import TwinspanJSON
import TwinspanProtocol

@testable import TwinspanExpressions

@Suite("RQLParser")
struct RQLParserTests {
    @Test(
        "a filter of the grammar is accepted",
        arguments: [
            "eq(thingId,\"a:b\")", "eq(/thingId,'a:b')", "ne(attributes/a,1)", "gt(attributes/a,1.5)",
            "ge(attributes/a,-1)",
            "lt(attributes/a,+5)", "le(attributes/a,-0.5)", "like(attributes/a,\"x*\")", "ilike(attributes/a,'X?')",
            "in(attributes/x,null,\"test\",null)", "in(attributes/x,1)", "and(eq(attributes/a,1))",
            "or(eq(attributes/a,1))",
            "and(eq(attributes/a,1), eq(attributes/b,2))", "and(eq(attributes/a,1),\n\t\r\u{0C}eq(attributes/b,2))",
            "not(eq(attributes/a,1))", "exists(features/x)", "exists(features/x/)", "exists(/features/x/properties)",
            "empty(features/x/desiredProperties/)", "eq(features/x/properties/a/b,true)",
            "eq(features/x/desiredProperties/a,false)",
            "eq(features/x/definition,\"a:b:1\")", "eq(features/x/definition/,\"a:b:1\")",
            "eq(_metadata/attributes/a,null)",
            "exists(_metadata)", "eq(namespace,\"acme\")", "eq(_namespace,\"acme\")", "eq(policyId,\"a:b\")",
            "eq(definition,null)", "gt(_revision,7)", "lt(_modified,time:now)", "lt(_created,time:now-1d[d])",
            "eq(attributes/a,1 )", " eq(attributes/a,1)", "eq(attributes/a b,1)", "eq(attributes/a(b,1)",
            "eq(attributes/it's,1)",
            "eq(attributes/a\\\"b,1)", "eq(attributes/a,\"\\u0041\\uD83D\\uDE00\")", "eq(attributes/a,\"\\uD800\")",
            "eq(attributes/a,'\\'\\\\\\/\\b\\f\\n\\r\\t')", "eq(attributes/a,\"line\nbreak\")",
            "eq(attributes/a,\"it's\")",
            "like(attributes/a,42)", "like(attributes/a,null)", "eq(attributes/*,1)", "gt(features/*/properties/x,5)",
            "eq(attributes/a,9223372036854775807)", "eq(attributes/a,-9223372036854775808)", "eq(attributes/a,0.0)",
            "eq(attributes/a~1b,1)", "eq(attributes/a:b,1)", "eq(attributes/time:now,1)",
            // More white space than the grammar asks for.
            "eq(attributes/a, 1)", "eq(attributes/a,1) ", "not( eq(attributes/a,1) )",
            "and( eq(attributes/a,1) , eq(attributes/b,2) )",
        ])
    func accepts(text: String) throws {
        let filter = try RQLFilter.parse(text, placeholders: .condition)
        #expect(filter.text == text)
    }

    @Test(
        "anything else is refused",
        arguments: [
            "", " ", "eq", "eq(", "eq()", "eq(attributes/a", "eq(attributes/a)", "eq(attributes/a,",
            "eq(attributes/a,)",
            "eq(attributes/a,1", "eq(attributes/a,1,2)", "eq(attributes/a,1))", "eq(attributes/a,1)x",
            "EQ(attributes/a,1)",
            "Eq(attributes/a,1)", "equals(attributes/a,1)", "eq (attributes/a,1)", "eq( attributes/a,1)",
            "eq(attributes/a ,1",
            "eq(thingId,foo:bar)", "eq(thingId,foo)", "eq(thingId,\"foo)", "eq(thingId,'foo)", "eq(thingId,'foo\")",
            "eq(\"thingId\",'a')", "exists(\"features/x\")", "exists(features/x,1)", "exists()", "empty()",
            "exists(features/x",
            "eq(attributes/a,.7)", "eq(attributes/a,127.)", "eq(attributes/a,0123)", "eq(attributes/a,-.7)",
            "eq(attributes/a,1e5)",
            "eq(attributes/a,1.5e5)", "eq(attributes/a,00)", "eq(attributes/a,00.5)", "eq(attributes/a,-0)",
            "eq(attributes/a,+)",
            "eq(attributes/a,-)", "eq(attributes/a,--1)", "eq(attributes/a,1_000)", "eq(attributes/a,0x1)",
            "eq(attributes/a,9223372036854775808)", "eq(attributes/a,-9223372036854775809)",
            "eq(attributes/a,99999999999999999999)",
            "eq(attributes/a,True)", "eq(attributes/a,nul)", "eq(attributes/a,nullx)", "eq(attributes/a,truefalse)",
            "eq(attributes/a,{\"a\":1})", "eq(attributes/a,[1])", "eq(attributes/a,\"\\x\")",
            "eq(attributes/a,\"\\'\")",
            "eq(attributes/a,'\\\"')", "eq(attributes/a,\"\\u00\")", "eq(attributes/a,\"\\u00G0\")",
            "eq(attributes/a,\"\\\")",
            "eq(attributes/a,\"\\", "eq(attributes/a\\,b,1)", "eq(attributes/a\\'b,1)", "eq(attributes/a\\,1)",
            "eq(attributes/a,time:)", "eq(attributes/a,time:then)", "eq(attributes/a,time:now-1x)",
            "eq(attributes/a,time:now[)",
            "eq(attributes/a,topic:action)", "and()", "or()", "not()", "and(", "and(eq(attributes/a,1)",
            "and(eq(attributes/a,1),)",
            "and(,eq(attributes/a,1))", "and(eq(attributes/a,1)eq(attributes/b,1))",
            "not(eq(thingId,\"a\"),eq(thingId,\"b\"))",
            "not(thingId)", "and(thingId,1)", "in()", "in(attributes/a)", "in(attributes/a,)", "in(attributes/a,1,)",
            "eq(attributes,1)", "eq(attributes/,1)", "exists(attributes)", "exists(features)", "eq(foo,1)", "eq(,1)",
            "eq(features/lamp,1)",
            "eq(features/lamp/properties,1)", "eq(features/lamp/properties/,1)", "eq(features/lamp/foo,1)",
            "exists(features/lamp/definition/0)", "eq(thingId/a,1)", "eq(thingid,1)", "like(width,123*)",
            "like(attributes/width,123*)",
            "eq(attributes//a,1)", "eq(//attributes/a,1)", "exists(features//properties)", "eq(attributes/a//,1)",
            "exists(topic:action)", "eq(header:a,1)", "sort(+thingId)", "limit(0,1)",
            "eq(thingId,\"a\"),eq(thingId,\"b\")",
            "{\"a\":1}", "(eq(thingId,\"a\"))", "\u{0}", "eq(attributes/a,\u{0})", "😀", "eq(attributes/a,😀)",
        ])
    func refuses(text: String) {
        let error = #expect(throws: RQLError.self) { try RQLFilter.parse(text, placeholders: .condition) }
        #expect(error?.description.isEmpty == false)
        #expect((0...text.utf8.count).contains(error?.offset ?? -1))
    }

    @Test(
        "escapes are decoded",
        arguments: [
            (#"eq(attributes/s,"te\"st")"#, "te\"st"), (#"eq(attributes/s,'te\'st')"#, "te'st"),
            (#"eq(attributes/s,"abc\nyz")"#, "abc\nyz"), (#"eq(attributes/s,"\u0041\u00e9")"#, "Aé"),
            (#"eq(attributes/s,"\uD83D\uDE00")"#, "😀"), (#"eq(attributes/s,"\uD83Dx")"#, "\u{FFFD}x"),
            (#"eq(attributes/s,"\uD83D\u0041")"#, "\u{FFFD}A"),
            (#"eq(attributes/s,"\\\/\b\f\r\t")"#, "\\/\u{8}\u{C}\r\t"),
            (#"eq(attributes/s,"it's")"#, "it's"), (#"eq(attributes/s,'say "x"')"#, "say \"x\""),
        ])
    func escapes(text: String, expected: String) throws {
        let filter = try RQLFilter.parse(text, placeholders: .condition)
        #expect(filter.matches(["attributes": ["s": .string(expected)]]))
        #expect(!filter.matches(["attributes": ["s": .string(expected + "x")]]))
    }

    @Test("names use the escapes of JSON pointers")
    func pointers() throws {
        let slash = try RQLFilter.parse("eq(attributes/a~1b,1)", placeholders: .condition)
        #expect(slash.matches(["attributes": ["a/b": 1]]))
        let tilde = try RQLFilter.parse("eq(attributes/a~01b,1)", placeholders: .condition)
        #expect(tilde.matches(["attributes": ["a~1b": 1]]))
        let quote = try RQLFilter.parse(#"eq(attributes/a\"b,1)"#, placeholders: .condition)
        #expect(quote.matches(["attributes": ["a\"b": 1]]))
    }

    @Test("nesting is bounded")
    func depth() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "not(", count: depth) + "eq(attributes/a,1)" + String(repeating: ")", count: depth)
        }
        _ = try RQLFilter.parse(nested(RQLParser.depthMax - 1), placeholders: .condition)
        for depth in [RQLParser.depthMax, 100_000] {
            let error = #expect(throws: RQLError.self) { try RQLFilter.parse(nested(depth), placeholders: .condition) }
            #expect(error?.message.hasPrefix("The filter is nested too deeply") == true)
        }
    }

    @Test("an error names what was found, and shows the place with a caret in its description")
    func caret() {
        let error = #expect(throws: RQLError.self) {
            try RQLFilter.parse("eq(attributes/ä,{\"a\":\"b\"})", placeholders: .condition)
        }
        #expect(error?.offset == 17)
        #expect(
            error?.message
                == "Invalid input '{', expected a quoted string, a number, true, false, null or time:…"
                + " (line 1, column 17)."
        )
        #expect(
            error?.description == """
                Line 1, column 17:
                eq(attributes/ä,{"a":"b"})
                                ^
                Check that all parentheses and quotes are closed and that strings are quoted, as in \
                and(eq(attributes/a,1),like(attributes/b,"x*")).
                """)
    }

    @Test(
        "the wire error has the text that clients look for, and the caret in its description",
        arguments: [
            (StreamErrorTable.expressionInvalid, "rql.expression.invalid"),
            (ThingErrorTable.conditionInvalid, "things:condition.invalid"),
        ])
    func wireError(row: ErrorRow, code: String) throws {
        // spec/policies-search.md part H.
        let error = #expect(throws: RQLError.self) { try RQLSearchFilter.parse("eq(attributes/x,{\"a\":\"b\"})") }
        let wire = try #require(error).wireError(row)
        #expect(wire.code == code)
        #expect(wire.status == 400)
        #expect(wire.message.hasPrefix("Invalid input '{'"))
        let caret = "\neq(attributes/x,{\"a\":\"b\"})\n" + String(repeating: " ", count: 16) + "^\n"
        #expect(wire.description?.contains(caret) == true)
    }

    @Test("an error in a long filter shows an excerpt of its line")
    func excerpt() {
        let long = String(repeating: "x", count: 1_000)
        let error = #expect(throws: RQLError.self) {
            try RQLFilter.parse("and(eq(attributes/a,1),\neq(attributes/\(long),y\(long)))", placeholders: .condition)
        }
        #expect(error?.line == 2)
        #expect(error?.column == 1016)
        #expect(
            error?.excerpt == String(long.suffix(59)) + ",y" + String(long.prefix(59)) + "\n"
                + String(repeating: " ", count: 60) + "^")
    }

    @Test("control characters do not move the caret")
    func control() {
        let error = #expect(throws: RQLError.self) {
            try RQLFilter.parse("eq(attributes/a\tb\u{1B}c,\u{0})", placeholders: .condition)
        }
        #expect(error?.excerpt == "eq(attributes/a b c, )\n                    ^")
        #expect(error?.message.hasPrefix("Invalid input '\\0'") == true, "\(error?.message ?? "")")
    }

    @Test(
        "hostile input is refused with a short error",
        arguments: [
            String(repeating: "not(", count: 100_000), String(repeating: "and(", count: 60_000),
            String(repeating: "(", count: 100_000), String(repeating: "\\", count: 100_000),
            "eq(attributes/a,\"" + String(repeating: "x", count: 1_100_000) + "\")",
            "eq(attributes/a,\"" + String(repeating: "x", count: 200_000),
            "eq(" + String(repeating: "x", count: 200_000) + ",1)",
            "eq(attributes/" + String(repeating: "/", count: 200_000) + ",1)",
            "eq(attributes" + String(repeating: "/a", count: 100_000) + ",1)",
            "eq(attributes/a,time:" + String(repeating: "9", count: 200_000) + ")",
            "eq(attributes/a," + String(repeating: "9", count: 200_000) + ")",
            "in(attributes/a" + String(repeating: ",1", count: 100_000),
            String(repeating: "ä", count: 200_000), String(repeating: "\n", count: 200_000),
        ])
    func hostile(text: String) throws {
        for isSearch in [false, true] {
            let error = try #require(throws: RQLError.self) {
                if isSearch {
                    _ = try RQLSearchFilter.parse(text)
                } else {
                    _ = try RQLFilter.parse(text, placeholders: .webSocket)
                }
            }
            #expect((0...text.utf8.count).contains(error.offset))
            #expect(error.message.utf8.count < 400, "\(error.message.prefix(400))")
            #expect(error.description.utf8.count < 1_500)
        }
    }

    @Test("large filters are read and evaluated")
    func large() throws {
        let text = "or(" + Array(repeating: "eq(attributes/a,\"b\")", count: 1_000).joined(separator: ",") + ")"
        let filter = try RQLFilter.parse(text, placeholders: .condition)
        #expect(!filter.matches(["attributes": ["a": .array(Array(repeating: "c", count: 100))]]))
        let distinct = "or(" + (0..<12_000).map { "exists(attributes/\($0))" }.joined(separator: ",") + ")"
        #expect(try RQLFilter.parse(distinct, placeholders: .condition).fields.count == 12_000)
        let string = String(repeating: "x", count: 1_000_000)
        let equal = try RQLSearchFilter.parse("eq(attributes/a,'\(string)')")
        #expect(equal.matches(["attributes": ["a": .string(string)]]))
    }

    @Test(
        "an unknown property suggests the nearest",
        arguments: [
            ("eq(thingid,1)", "thingId"), ("eq(attribute/a,1)", "attributes/a"),
            ("eq(topic:acton,1)", "topic:action"),
            ("eq(_revison,1)", "_revision"), ("eq(/attributs/a,1)", "attributes/a"),
            ("exists(feature/lamp)", "features/lamp"),
        ])
    func suggests(text: String, expected: String) {
        let error = #expect(throws: RQLError.self) { try RQLFilter.parse(text, placeholders: .connection) }
        #expect(error?.message.hasPrefix("Unknown property name: ") == true)
        #expect(error?.description.hasSuffix(" Did you mean '\(expected)'?") == true)
    }
}
