import Testing
import TwinspanJSON

@Suite struct JSONNumberTests {
    @Test(
        "integers of 64 bits are exact",
        arguments: [
            0, 1, -1, 9, 10, 99, 100, 1_000_000, 9_007_199_254_740_993, 999_999_999_999_999_999,
            1_000_000_000_000_000_000, Int64.max, Int64.max - 1, Int64.min, Int64.min + 1,
        ])
    func integers(_ value: Int64) throws {
        let number = JSONNumber(value)
        #expect(number.text == "\(value)")
        #expect(JSONValue.number(number).text == "\(value)")
        let parsed = try JSONValue.parse("\(value)")
        #expect(parsed.int64 == value)
        #expect(parsed == .number(number))
        #expect(number.isInteger)
    }

    @Test(
        "literals are printed back unchanged and have the value they say",
        arguments: [
            ("9223372036854775808", nil, 0x1p63, true),
            ("-9223372036854775809", nil, -0x1p63, true),
            ("18446744073709551615", nil, 0x1p64, true),
            ("18446744073709551616", nil, 0x1p64, true),
            ("99999999999999999999999", nil, 1e23, true), ("-0", 0, -0.0, true), ("0.0", nil, 0, false),
            ("-0.0", nil, -0.0, false), ("1.0", nil, 1, false), ("1.10", nil, 1.1, false), ("1E5", nil, 100_000, false),
            ("1e+5", nil, 100_000, false), ("1e-5", nil, 0.00001, false), ("0.1", nil, 0.1, false),
            ("1.7976931348623157e308", nil, Double.greatestFiniteMagnitude, false), ("1e400", nil, .infinity, false),
            ("-1e400", nil, -.infinity, false), ("5e-324", nil, Double.leastNonzeroMagnitude, false),
            ("1e-400", nil, 0, false), ("2.2250738585072014E-308", nil, Double.leastNormalMagnitude, false),
            ("0.1000000000000000055511151231257827", nil, 0.1, false),
        ] as [(String, Int64?, Double, Bool)])
    func literals(_ text: String, _ int64: Int64?, _ double: Double, _ isInteger: Bool) throws {
        guard case .number(let number) = try JSONValue.parse(text) else {
            Issue.record("no number")
            return
        }
        #expect(number.text == text)
        #expect(JSONValue.number(number).text == text)
        #expect(number.int64 == int64)
        #expect(number.double == double)
        #expect(number.isInteger == isInteger)
        #expect(JSONNumber(literal: text) == number)
    }

    @Test("doubles are printed so that they read back the same")
    func doubles() throws {
        var generator = SeededGenerator(seed: 42)
        for _ in 0..<2000 {
            let value = Double(bitPattern: generator.next())
            guard value.isFinite else { continue }
            #expect(try JSONValue.parse(JSONNumber(value).text).double == value)
        }
        #expect(JSONNumber(1.0).text == "1.0")
        #expect(JSONNumber(0.1).text == "0.1")
        #expect(JSONNumber(Double.nan).text == "null")
        #expect(JSONNumber(-Double.infinity).text == "null")
    }

    @Test(
        "equality is that of values",
        arguments: [
            ("1", "1.0"), ("1", "10e-1"), ("100", "1E2"), ("0", "-0"), ("0", "0e99"), ("0.5", "5e-1"),
            ("-1.50", "-1.5"),
            ("1e400", "10e399"), ("123456789012345678901234567890", "1.2345678901234567890123456789e29"),
            ("0.00001", "1e-5"), ("1e99999999999999999999", "1e99999999999999999999"),
        ])
    func equal(_ left: String, _ right: String) {
        #expect(JSONNumber(literal: left) == JSONNumber(literal: right))
        #expect(JSONNumber(literal: right) == JSONNumber(literal: left))
    }

    @Test(
        "numbers beyond the precision of doubles stay different",
        arguments: [
            ("9007199254740993", "9007199254740992.0"), ("18446744073709551615", "18446744073709551616"),
            ("1", "-1"), ("1e400", "1e401"), ("0.1", "0.10000000000000001"), ("1", "10"), ("1e400", "-1e400"),
        ])
    func unequal(_ left: String, _ right: String) {
        #expect(JSONNumber(literal: left) != JSONNumber(literal: right))
        #expect(JSONNumber(literal: right) != JSONNumber(literal: left))
    }

    @Test("a double equals the integer of the same value")
    func mixed() {
        #expect(JSONNumber(3.0) == JSONNumber(3))
        #expect(JSONNumber(3.5) != JSONNumber(3))
        #expect(JSONNumber(0.1) == JSONNumber(literal: "0.10"))
        #expect(JSONNumber(1e300) == JSONNumber(literal: "1e300"))
    }

    @Test(
        "only JSON number literals are literals",
        arguments: ["", "-", "01", "1.", ".5", "+1", "1e", " 1", "1 ", "x", "NaN"])
    func invalidLiterals(_ text: String) {
        #expect(JSONNumber(literal: text) == nil)
    }
}
