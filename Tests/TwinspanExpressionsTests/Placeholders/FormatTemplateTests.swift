import Testing

@testable import TwinspanExpressions

@Suite("FormatTemplate")
struct FormatTemplateTests {
    private static let object = #"""
        {"s":"text","n":1.50,"b":true,"z":null,"o":{"x":1},"e":[],"p":["a",2],
        "list":[{"k":"v1","t":[1,2]},{"k":"v2"}],"nested":{"deep":{"x":"y"}}}
        """#

    @Test(
        "fields and sections are rendered",
        arguments: [
            ("constant", ["constant"]),
            ("{s}", ["text"]),
            ("{ s }", ["text"]),
            ("{n}-{b}", ["1.50-true"]),
            ("[{z}][{missing}]", ["[][]"]),
            ("{o}", [#"{"x":1}"#]),
            ("{e}|", ["|"]),
            ("x{p}", ["xa", "x2"]),
            ("{p}{p}", ["aa", "a2", "2a", "22"]),
            ("{/nested/deep/x}", ["y"]),
            ("{nested/deep/x}", ["y"]),
            ("{#list}{k};{/list}", ["v1;", "v2;"]),
            ("a{#list}{k}{/list}b", ["av1b", "av2b"]),
            ("{#list}{k}{t}{/list}", ["v11", "v12", "v2"]),
            ("{#p}<{.}{k}>{/p}", ["<a>", "<2>"]),
            ("{#o}{x}{/o}", ["1"]),
            ("{#s}{.}{/s}", ["text"]),
            ("{#e}x{/e}", [""]),
            ("a{#missing}x{/missing}b", ["ab"]),
            ("{#z}x{/z}", [""]),
            ("{#/nested/deep}{x}{/nested/deep}", ["y"]),
            ("{#nested}{#deep}{x}{/deep}{/nested}", ["y"]),
            (#"\{{s}\}"#, ["{text}"]),
            ("}", ["}"]),
            (#"\n"#, [#"\n"#]),
            ("{.}", [""]),
        ] as [(String, [String])])
    func renders(text: String, expected: [String]) throws {
        let template = try FormatTemplate(text)
        #expect(template.apply(to: .one(Self.object)).values == expected)
    }

    @Test("inputs that are not objects are skipped")
    func skips() throws {
        let template = try FormatTemplate("{a}")
        #expect(template.apply(to: .many([#"{"a":1}"#, "no json", "[1]", "7", #"{"a":2}"#])).values == ["1", "2"])
        #expect(template.apply(to: .one("no json")) == .one(""))
        #expect(template.apply(to: .unresolved) == .unresolved)
        #expect(template.apply(to: .deleted) == .deleted)
    }

    @Test("a product above the bound is unresolved")
    func bounded() throws {
        let numbers = (0..<200).map(String.init).joined(separator: ",")
        #expect(try FormatTemplate("{a}{a}").apply(to: .one("{\"a\":[\(numbers)]}")) == .unresolved)
    }

    @Test(
        "a broken template is refused",
        arguments: [
            "{", "{a", "a{", "{}", "{ }", "{#}", "{#a}", "{#a}{/b}", "{#a}{#b}{/a}{/b}", "{//}", "{a//b}",
            "{#a//b}{/a//b}",
            String(repeating: "{#a}", count: 30) + String(repeating: "{/a}", count: 30),
        ])
    func refuses(text: String) {
        #expect(throws: FormatTemplate.Failure.self) { try FormatTemplate(text) }
    }
}
