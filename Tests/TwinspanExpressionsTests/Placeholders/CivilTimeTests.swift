import Testing

@testable import TwinspanExpressions

@Suite("CivilTime")
struct CivilTimeTests {
    @Test(
        "an instant is printed as ISO-8601 in UTC",
        arguments: [
            (0, "1970-01-01T00:00:00Z"),
            (1, "1970-01-01T00:00:00.001Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (1_704_551_022_123, "2024-01-06T14:23:42.123Z"),
            (1_704_551_022_000, "2024-01-06T14:23:42Z"),
            (1_704_551_022_120, "2024-01-06T14:23:42.120Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (951_868_799_999, "2000-02-29T23:59:59.999Z"),
            (-2_203_891_200_000, "1900-03-01T00:00:00Z"),
            (253_402_300_799_000, "9999-12-31T23:59:59Z"),
            (253_402_300_800_000, "+10000-01-01T00:00:00Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00Z"),
            (-62_167_219_200_001, "-0001-12-31T23:59:59.999Z"),
            (Int64.max, "+292278994-08-17T07:12:55.807Z"),
            (Int64.min, "-292275055-05-16T16:47:04.192Z"),
        ] as [(Int64, String)])
    func prints(milliseconds: Int64, expected: String) {
        #expect(CivilTime.iso8601(milliseconds: milliseconds) == expected)
    }

    @Test("days and dates convert into each other over 800 years")
    func roundTrip() {
        var next = CivilTime.civilDate(epochDay: -146_097)
        for day in Int64(-146_097)...146_097 {
            let date = next
            next = CivilTime.civilDate(epochDay: day + 1)
            let isFollowed = next.day == date.day + 1 || (next.day == 1 && date.day >= 28)
            // A macro per day would take seconds.
            if !isFollowed || CivilTime.epochDay(year: date.year, month: date.month, day: date.day) != day {
                Issue.record("day \(day) is \(date), followed by \(next)")
            }
        }
    }
}
