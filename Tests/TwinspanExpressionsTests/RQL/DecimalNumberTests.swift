import Testing
import TwinspanJSON

@testable import TwinspanExpressions

@Suite("DecimalNumber")
struct DecimalNumberTests {
    @Test(
        "numbers compare by value",
        arguments: [
            ("1", "1.0", .equal), ("1", "+1", .equal), ("0", "-0.0", .equal), ("100", "1e2", .equal),
            ("0.1", "1e-1", .equal),
            ("1", "2", .less), ("-1", "1", .less), ("-2", "-1", .less), ("1.5", "1", .greater),
            ("9223372036854775807", "9223372036854775806", .greater),
            ("18446744073709551615", "18446744073709551614", .greater),
            ("18446744073709551615", "18446744073709551615.0", .equal),
            ("9007199254740993", "9007199254740992.0", .greater), ("0.1", "0.10000000000000000001", .less),
            ("1e400", "1e401", .less), ("-1e400", "1", .less), ("1e400", "10e399", .equal), ("1e-400", "0", .greater),
            ("1e-400", "1e-401", .greater), (".5", "0.5", .equal), ("5.", "5", .equal), ("00012", "12", .equal),
            ("1e99999999999999999999", "1e5", .greater), ("1e-99999999999999999999", "0", .greater),
            ("-1e-400", "0", .less), ("-1e-400", "-1e-401", .less),
        ] as [(String, String, ComparisonOrder)])
    func compares(left: String, right: String, expected: ComparisonOrder) throws {
        let left = try #require(DecimalNumber(parsing: left))
        let right = try #require(DecimalNumber(parsing: right))
        #expect(left.order(to: right) == expected)
        #expect(right.order(to: left) == expected.reversed)
    }

    @Test(
        "texts that are no decimals are refused",
        arguments: [
            "", "+", "-", ".", "e1", "1e", "1e+", "abc", "1a", "0x10", "inf", "nan", "Infinity", " 1", "1 ", "1,5",
            "1.2.3", "--1",
            "１", "1_000", "1e1.5",
        ])
    func refuses(text: String) {
        #expect(DecimalNumber(parsing: text) == nil)
    }

    @Test("numbers of a document compare exactly")
    func json() throws {
        let value = try JSONValue.parse("[0.1,18446744073709551615]")
        guard case .array(let elements) = value, case .number(let tenth) = elements[0],
            case .number(let big) = elements[1]
        else {
            Issue.record("not an array of two numbers")
            return
        }
        #expect(DecimalNumber(tenth).order(to: try #require(DecimalNumber(parsing: "0.1"))) == .equal)
        #expect(DecimalNumber(big).order(to: try #require(DecimalNumber(parsing: "18446744073709551616"))) == .less)
    }
}
