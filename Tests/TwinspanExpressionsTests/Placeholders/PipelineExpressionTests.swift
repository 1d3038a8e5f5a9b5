import Testing

@testable import TwinspanExpressions

@Suite("PipelineExpression")
struct PipelineExpressionTests {
    private static let resolver = TableResolver(["header:qos": .one("1"), "thing:id": .one("acme:d1")])

    @Test(
        "an expression starts from its input",
        arguments: [
            ("fn:filter(header:qos,'ne','0')", .one("true"), .one("true")),
            ("fn:filter(header:qos,'eq','0')", .one("true"), .unresolved),
            ("fn:filter(header:qos,'ne','0')", .unresolved, .unresolved),
            ("fn:filter(header:qos,'eq','0') | fn:default('no')", .one("true"), .one("no")),
            ("fn:default('[\"x\"]')", .unresolved, .one("[\"x\"]")),
            ("fn:default('[\"x\"]')", .one("[]"), .one("[]")),
            ("fn:delete()", .one("[]"), .deleted),
            ("  thing:id | fn:upper()  ", .one("ignored"), .one("ACME:D1")),
            ("fn:filter('like','a*')", .many(["a", "b"]), .one("a")),
        ] as [(String, PlaceholderValues, PlaceholderValues)])
    func resolves(text: String, input: PlaceholderValues, expected: PlaceholderValues) throws {
        let expression = try PipelineExpression.parse(text, scope: .mapperCondition)
        #expect(expression.resolve(Self.resolver, input: input) == expected)
    }

    @Test("without an input the first function receives nothing")
    func noInput() throws {
        #expect(
            try PipelineExpression.parse("fn:lower()", scope: .mapperCondition).resolve(Self.resolver) == .unresolved)
    }

    @Test(
        "a broken expression is refused",
        arguments: [
            ("", "unresolved"), ("true", "unresolved"), ("{{ thing:id }}", "unresolved"),
            ("${thing:id}", "unresolved"),
            ("fn:foo()", "function.unknown"), ("fn:filter('exists')", "function.signature.invalid"),
            ("fn:lower() |", "function.unknown"),
        ])
    func refuses(text: String, code: String) {
        let error = #expect(throws: PlaceholderError.self) {
            try PipelineExpression.parse(text, scope: .mapperCondition)
        }
        #expect(error?.code == "placeholder:\(code)")
    }
}
