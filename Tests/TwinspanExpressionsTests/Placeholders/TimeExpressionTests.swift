import Testing

@testable import TwinspanExpressions

@Suite("TimeExpression")
struct TimeExpressionTests {
    @Test(
        "offset and truncation are applied in this order",
        arguments: [
            ("now", "2024-01-06T14:23:42.123Z"),
            ("now[ms]", "2024-01-06T14:23:42.123Z"),
            ("now[s]", "2024-01-06T14:23:42Z"),
            ("now[m]", "2024-01-06T14:23:00Z"),
            ("now[h]", "2024-01-06T14:00:00Z"),
            ("now[d]", "2024-01-06T00:00:00Z"),
            ("now[w]", "2024-01-01T00:00:00Z"),
            ("now[mo]", "2024-01-01T00:00:00Z"),
            ("now[y]", "2024-01-01T00:00:00Z"),
            ("now-1h", "2024-01-06T13:23:42.123Z"),
            ("now+30m", "2024-01-06T14:53:42.123Z"),
            ("now-123ms", "2024-01-06T14:23:42Z"),
            ("now-42s", "2024-01-06T14:23:00.123Z"),
            ("now-1h[h]", "2024-01-06T13:00:00Z"),
            ("now-1d[d]", "2024-01-05T00:00:00Z"),
            ("now-7d[mo]", "2023-12-01T00:00:00Z"),
            ("now-1w[w]", "2023-12-25T00:00:00Z"),
            ("now+1mo", "2024-02-06T00:52:48.123Z"),
            ("now-1y", "2023-01-06T08:34:30.123Z"),
            ("now_epoch_millis", "1704551022123"),
            ("now_epoch_millis-7d", "1703946222123"),
            ("now_epoch_millis+1w[w]", "1704672000000"),
            ("now_epoch_millis[y]", "1704067200000"),
            ("now-0d", "2024-01-06T14:23:42.123Z"),
        ])
    func evaluates(text: String, expected: String) throws {
        let expression = try #require(TimeExpression(parsing: text))
        #expect(expression.text(atEpochMilliseconds: TableResolver.exampleNow) == expected)
        #expect(expression.text == text)
    }

    @Test("a Monday truncates to itself, a Sunday to the Monday before", arguments: [0, 1, 6])
    func weeks(day: Int64) throws {
        let monday: Int64 = 1_704_067_200_000
        let expression = try #require(TimeExpression(parsing: "now[w]"))
        #expect(expression.milliseconds(atEpochMilliseconds: monday + day * 86_400_000 + 5) == monday)
    }

    @Test("times before 1970 are truncated downwards")
    func negative() throws {
        let expression = try #require(TimeExpression(parsing: "now[d]"))
        #expect(expression.milliseconds(atEpochMilliseconds: -1) == -86_400_000)
    }

    @Test("results saturate instead of overflowing", arguments: ["now+9000000000000000000ms[y]", "now[mo]", "now+1y"])
    func saturates(text: String) throws {
        let expression = try #require(TimeExpression(parsing: text))
        #expect(expression.milliseconds(atEpochMilliseconds: .max) > 8_900_000_000_000_000_000)
        _ = expression.text(atEpochMilliseconds: .min)
    }

    @Test(
        "a malformed expression is refused",
        arguments: [
            "", "Now", "no", "nowx", "now ", " now", "now-", "now-h", "now-1", "now-1x", "now-1 h", "now - 1h",
            "now-1.5h", "now--1h", "now+-1h", "now-1h+1m", "now[h]-1h", "now[", "now[]", "now[h", "now[x]", "now[h]]",
            "now[h][d]", "now[1h]", "now-1H", "now-1M", "now-1mon", "now-99999999999999999999h",
            "now-9223372036854775807y", "now_epoch", "now_epoch_millis_", "now_epoch_millis-1", "then", "now-1h[",
            "now-１h", "now1h", "now-1h]",
        ])
    func refuses(text: String) {
        #expect(TimeExpression(parsing: text) == nil)
    }
}
