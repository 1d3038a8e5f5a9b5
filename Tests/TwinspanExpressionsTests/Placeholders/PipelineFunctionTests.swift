import Testing

@testable import TwinspanExpressions

@Suite("Pipeline functions")
struct PipelineFunctionTests {
    private static let resolver = TableResolver([
        "header:a": .one("A"), "header:many": .many(["1", "2"]), "header:empty": .one(""), "header:dot": .one("."),
        "header:gone": .deleted,
    ])

    @Test(
        "a function maps its input",
        arguments: [
            // fn:default
            ("fn:default('x')", .unresolved, .one("x")),
            ("fn:default(\"x\")", .unresolved, .one("x")),
            ("fn:default( 'x' )", .unresolved, .one("x")),
            ("fn:default('')", .unresolved, .one("")),
            ("fn:default(header:a)", .unresolved, .one("A")),
            ("fn:default(header:many)", .unresolved, .many(["1", "2"])),
            ("fn:default(header:missing)", .unresolved, .unresolved),
            ("fn:default(header:missing) | fn:default('z')", .unresolved, .one("z")),
            ("fn:default('x')", .one("v"), .one("v")),
            ("fn:default('x')", .one(""), .one("")),
            ("fn:default('x')", .many(["v", "w"]), .many(["v", "w"])),
            ("fn:default('x')", .deleted, .deleted),
            // A backslash before a quote stays; one that leaves no closing quote is ordinary.
            (#"fn:default('it\'s')"#, .unresolved, .one(#"it\'s"#)),
            (#"fn:default('a\\')"#, .unresolved, .one(#"a\\"#)),
            (#"fn:default('a\')"#, .unresolved, .one(#"a\"#)),
            (#"fn:default("it's")"#, .unresolved, .one("it's")),
            ("fn:default('a)b,c')", .unresolved, .one("a)b,c")),
            // fn:substring-before and fn:substring-after
            ("fn:substring-before(':')", .one("a:b:c"), .one("a")),
            ("fn:substring-before(':')", .one(":b"), .one("")),
            ("fn:substring-before(':')", .one("abc"), .unresolved),
            ("fn:substring-before('')", .one("abc"), .one("")),
            ("fn:substring-before(':')", .many(["a:b", "c", "d:"]), .many(["a", "d"])),
            ("fn:substring-before(':')", .unresolved, .unresolved),
            ("fn:substring-before(':')", .deleted, .deleted),
            ("fn:substring-after(':')", .one("a:b:c"), .one("b:c")),
            ("fn:substring-after('::')", .one("a:b::c"), .one("c")),
            ("fn:substring-after(':')", .one("a:"), .one("")),
            ("fn:substring-after(':')", .one("abc"), .unresolved),
            ("fn:substring-after('')", .one("abc"), .one("abc")),
            ("fn:substring-after('e')", .one("ae\u{301}x"), .one("\u{301}x")),
            // Case and trim
            ("fn:lower()", .one("ÄBC"), .one("äbc")),
            ("fn:lower( \t)", .one("A"), .one("a")),
            ("fn:upper()", .one("äbi"), .one("ÄBI")),
            ("fn:upper()", .many(["a", "b"]), .many(["A", "B"])),
            ("fn:upper()", .deleted, .deleted),
            ("fn:trim()", .one(" \t\n a b \r\n\u{1}"), .one("a b")),
            ("fn:trim()", .one("  "), .one("")),
            ("fn:trim()", .one("\u{A0}x"), .one("\u{A0}x")),
            ("fn:trim()", .unresolved, .unresolved),
            // Codings
            ("fn:url-encode()", .one("a b&c/ä-._*~"), .one("a+b%26c%2F%C3%A4-._*%7E")),
            ("fn:url-decode()", .one("a+b%26c%2f%C3%A4"), .one("a b&c/ä")),
            ("fn:url-decode()", .one("%4"), .unresolved),
            ("fn:url-decode()", .one("%zz"), .unresolved),
            ("fn:url-decode()", .one("%FF"), .one("\u{FFFD}")),
            ("fn:base64-encode()", .one(""), .one("")),
            ("fn:base64-encode()", .one("f"), .one("Zg==")),
            ("fn:base64-encode()", .one("fo"), .one("Zm8=")),
            ("fn:base64-encode()", .one("foo"), .one("Zm9v")),
            ("fn:base64-encode()", .one("ä?>"), .one("w6Q/Pg==")),
            ("fn:base64-decode()", .one("Zm9vYg=="), .one("foob")),
            ("fn:base64-decode()", .one("Zm9vYg"), .one("foob")),
            ("fn:base64-decode()", .one("w6Q/Pg=="), .one("ä?>")),
            ("fn:base64-decode()", .one("Zm9vY"), .unresolved),
            ("fn:base64-decode()", .one("Zm9-"), .unresolved),
            ("fn:base64-decode()", .one("===="), .unresolved),
            ("fn:base64-decode() | fn:default('bad')", .one("!"), .one("bad")),
            // fn:delete
            ("fn:delete()", .one("x"), .deleted),
            ("fn:delete()", .unresolved, .deleted),
            ("fn:delete() | fn:default('x')", .one("x"), .deleted),
            // fn:replace
            ("fn:replace('a','b')", .one("banana"), .one("bbnbnb")),
            ("fn:replace('aa', 'b')", .one("aaa"), .one("ba")),
            ("fn:replace('.','')", .one("a.b.c"), .one("abc")),
            ("fn:replace(header:dot,header:a)", .one("a.b"), .one("aAb")),
            ("fn:replace(header:missing,'x')", .one("a.b"), .unresolved),
            ("fn:replace('x',header:missing)", .one("a.b"), .unresolved),
            ("fn:replace('x','y')", .one("abc"), .one("abc")),
            ("fn:replace('','-')", .one("ab"), .one("-a-b-")),
            ("fn:replace('a','b')", .unresolved, .unresolved),
            ("fn:replace('a','b')", .deleted, .deleted),
            // fn:split and fn:join
            ("fn:split(',')", .one("a,b,c"), .many(["a", "b", "c"])),
            ("fn:split(',')", .one("abc"), .one("abc")),
            ("fn:split(',')", .many(["a,b", "c"]), .many(["a", "b", "c"])),
            ("fn:split(',')", .one(","), .unresolved),
            ("fn:split(',')", .unresolved, .unresolved),
            (#"fn:split('\|')"#, .one("a|b"), .many(["a", "b"])),
            ("fn:split(',') | fn:join(';')", .one("a,b"), .one("a;b")),
            ("fn:join(';')", .one("a"), .one("a")),
            ("fn:join('')", .many(["a", "b"]), .one("ab")),
            ("fn:join(';')", .unresolved, .unresolved),
            ("fn:join(';')", .deleted, .deleted),
            // fn:format is tested on its own; here that it is wired.
            ("fn:format('{a}')", .one(#"{"a":1}"#), .one("1")),
            ("fn:format('{a}')", .unresolved, .unresolved),
        ] as [(String, PlaceholderValues, PlaceholderValues)])
    func maps(text: String, input: PlaceholderValues, expected: PlaceholderValues) throws {
        let expression = try PipelineExpression.parse(text, scope: .headerMapping)
        #expect(expression.resolve(Self.resolver, input: input) == expected)
    }

    @Test(
        "fn:filter keeps or drops",
        arguments: [
            ("fn:filter('eq','a')", .many(["a", "b"]), .one("a")),
            ("fn:filter('eq','c')", .many(["a", "b"]), .unresolved),
            ("fn:filter('ne','a')", .many(["a", "b", "c"]), .many(["b", "c"])),
            (
                "fn:filter('like','foo*|bar?')", .many(["foo", "food", "bar", "bars", "xfoo"]),
                .many(["foo", "food", "bars"])
            ),
            ("fn:filter('like','')", .one(""), .one("")),
            ("fn:filter('like','FOO*')", .one("foo"), .unresolved),
            ("fn:filter('eq',header:a)", .many(["A", "B"]), .one("A")),
            ("fn:filter('like',header:dot)", .many([".", "x"]), .one(".")),
            ("fn:filter('eq',header:missing)", .many(["", "b"]), .one("")),
            ("fn:filter('exists','true')", .many(["", "b"]), .one("b")),
            ("fn:filter('exists','false')", .many(["", "b"]), .one("")),
            ("fn:filter('eq','a')", .unresolved, .unresolved),
            ("fn:filter('eq','a')", .deleted, .deleted),
            ("fn:filter(header:a,'eq','A')", .many(["x", "y"]), .many(["x", "y"])),
            ("fn:filter(header:a, 'eq', 'B')", .one("x"), .unresolved),
            ("fn:filter(header:a,'ne','B')", .one("x"), .one("x")),
            ("fn:filter(header:many,'eq','2')", .one("x"), .one("x")),
            ("fn:filter(header:many,'like','3*|2*')", .one("x"), .one("x")),
            ("fn:filter(header:missing,'eq','')", .one("x"), .one("x")),
            ("fn:filter(header:missing,'ne','0')", .one("x"), .one("x")),
            ("fn:filter(header:missing,'like','*')", .one("x"), .one("x")),
            ("fn:filter(header:missing,'like','?*')", .one("x"), .unresolved),
            ("fn:filter('A','eq',header:a)", .one("x"), .one("x")),
            ("fn:filter(header:a,'exists')", .one("x"), .one("x")),
            ("fn:filter(header:missing,'exists')", .one("x"), .unresolved),
            ("fn:filter(header:empty,'exists')", .one("x"), .unresolved),
            ("fn:filter(header:a,'exists','true')", .one("x"), .one("x")),
            ("fn:filter(header:a,'exists','TRUE')", .one("x"), .one("x")),
            ("fn:filter(header:a,'exists','false')", .one("x"), .unresolved),
            ("fn:filter(header:missing,'exists','false')", .one("x"), .one("x")),
            ("fn:filter(header:missing,'exists','nonsense')", .one("x"), .one("x")),
            ("fn:filter(header:gone,'exists','false')", .one("x"), .one("x")),
            ("fn:filter(header:a,'gt','A')", .one("x"), .unresolved),
            ("fn:filter(header:a,'eq','A')", .unresolved, .unresolved),
            ("fn:filter(header:a,'eq','B') | fn:default('other')", .one("x"), .one("other")),
        ] as [(String, PlaceholderValues, PlaceholderValues)])
    func filters(text: String, input: PlaceholderValues, expected: PlaceholderValues) throws {
        let expression = try PipelineExpression.parse(text, scope: .headerMapping)
        #expect(expression.resolve(Self.resolver, input: input) == expected)
    }

    @Test(
        "a call with the wrong arguments is refused",
        arguments: [
            "fn:default()", "fn:default('a','b')", "fn:default(x)", "fn:default('a'", "fn:default('a)",
            "fn:default(\"a')", "fn:default('a' 'b')", "fn:default('a',)", "fn:default(,)", "fn:default",
            "fn:default ('a')", "fn:default('a'))", "fn:substring-before()", "fn:substring-before(header:a)",
            "fn:substring-before('a','b')", "fn:substring-after()", "fn:substring-after(header:a)", "fn:lower('a')",
            "fn:upper(header:a)", "fn:trim(x)", "fn:url-encode('a')", "fn:url-decode('a')", "fn:base64-encode('a')",
            "fn:base64-decode('a')", "fn:delete('a')", "fn:replace('a')", "fn:replace('a','b','c')", "fn:replace()",
            "fn:split()", "fn:split(header:a)", "fn:split('a','b')", "fn:split('[')", "fn:split('(')",
            "fn:split('*')",
            "fn:join()", "fn:join(header:a)", "fn:format()", "fn:format(header:a)", "fn:format('{#a}')",
            "fn:format('{a')", "fn:filter()", "fn:filter('exists')", "fn:filter(header:a)", "fn:filter('gt','a')",
            "fn:filter(header:a,'eq')", "fn:filter(header:a,header:b,'c')", "fn:filter('a','b','c','d')",
            "fn:filter(header:a,'exists',header:b)", "fn:filter('exists',header:b)",
        ])
    func signatures(text: String) {
        let error = #expect(throws: PlaceholderError.self) {
            try PipelineExpression.parse(text, scope: .headerMapping)
        }
        #expect(error?.code == "placeholder:function.signature.invalid")
    }

    @Test(
        "an unknown function suggests the nearest",
        arguments: [
            ("fn:lowercase()", nil), ("fn:uper()", "fn:upper"), ("fn:substringbefore('x')", "fn:substring-before"),
        ])
    func unknown(text: String, suggestion: String?) {
        let error = #expect(throws: PlaceholderError.self) {
            try PipelineExpression.parse(text, scope: .headerMapping)
        }
        #expect(error?.code == "placeholder:function.unknown")
        if let suggestion { #expect(error?.description.hasSuffix("Did you mean '\(suggestion)'?") == true) }
    }
}
