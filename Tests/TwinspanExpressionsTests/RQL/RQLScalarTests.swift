import Testing
import TwinspanJSON

@testable import TwinspanExpressions

@Suite("RQLScalar")
struct RQLScalarTests {
    @Test(
        "strings compare in the order of UTF-16 code units",
        arguments: [
            ("a", "b", .less), ("a", "a", .equal), ("a", "ab", .less), ("Z", "a", .less), ("", "a", .less),
            ("é", "z", .greater),
            ("\u{1F600}", "\u{FFFD}", .less), ("\u{1F600}", "\u{D7FF}", .greater), ("\u{1F600}", "\u{1F601}", .less),
            ("\u{E000}", "\u{10000}", .greater), ("e\u{301}", "é", .less),
        ] as [(String, String, ComparisonOrder)])
    func strings(left: String, right: String, expected: ComparisonOrder) {
        #expect(left.utf16Order(to: right) == expected)
        #expect(right.utf16Order(to: left) == expected.reversed)
        let reference = ComparisonOrder(
            left.utf16.elementsEqual(right.utf16) ? 0 : left.utf16.lexicographicallyPrecedes(right.utf16) ? -1 : 1, 0)
        #expect(reference == expected)
    }

    @Test(
        "values of different kinds compare as the model does",
        arguments: [
            (.null, .null, .equal), (.null, .bool(false), nil), (true, .null, nil), (1, .null, nil),
            (true, .bool(false), .greater), (true, RQLScalar(text: "true"), .equal), (1, .bool(true), .less),
            ("10", RQLScalar(text: "9"), .less), (10, RQLScalar(text: "9"), .greater),
            (10, RQLScalar(text: "x"), .less),
            ("true", .bool(true), .equal), ([1], RQLScalar(text: "1"), nil), (["a": 1], RQLScalar(text: "1"), nil),
        ] as [(JSONValue, RQLScalar, ComparisonOrder?)])
    func kinds(candidate: JSONValue, literal: RQLScalar, expected: ComparisonOrder?) {
        #expect(literal.order(of: candidate) == expected)
    }
}
