import Testing
import TwinspanProtocol

@Suite("HeaderDuration")
struct HeaderDurationTests {
    @Test(
        "durations have digits and a unit",
        arguments: [
            ("0", 0), ("5", 5_000), ("+5", 5_000), ("5s", 5_000), ("007", 7_000), ("250ms", 250), ("2m", 120_000),
            ("1h", 3_600_000), ("1d", 86_400_000), ("1w", 604_800_000), ("1mo", 2_592_000_000), ("1y", 31_536_000_000),
            ("99999999999999999999", .max), ("9223372036854775807s", .max),
        ] as [(String, Int64)])
    func legal(text: String, milliseconds: Int64) {
        #expect(HeaderDuration.milliseconds(text) == milliseconds)
    }

    @Test(
        "anything else is none",
        arguments: [
            "", "s", "-1", "-0", "1.5", "1,5", " 1", "1 ", "1 s", "1S", "1sec", "1min", "++1", "0x1", "١", "1e3", "ms",
            "1ss",
        ])
    func illegal(text: String) {
        #expect(HeaderDuration.milliseconds(text) == nil)
    }
}
