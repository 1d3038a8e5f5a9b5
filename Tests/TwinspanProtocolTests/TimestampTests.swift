import Foundation
import Testing
import TwinspanProtocol

@Suite("Timestamp")
struct TimestampTests {
    @Test(
        "instants are written in ISO 8601 and UTC",
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (1, "1970-01-01T00:00:00.001Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"), (1_704_551_022_123, "2024-01-06T14:23:42.123Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"), (4_107_542_400_000, "2100-03-01T00:00:00Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] as [(Int64, String)])
    func text(milliseconds: Int64, text: String) {
        let timestamp = Timestamp(milliseconds: milliseconds)
        #expect(timestamp.iso8601 == text)
        var bytes: [UInt8] = []
        timestamp.write(into: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == text)
    }

    @Test("extremes do not trap", arguments: [Int64.min, Int64.max, Int64.min + 1, -62_167_219_200_001])
    func extremes(milliseconds: Int64) {
        #expect(Timestamp(milliseconds: milliseconds).iso8601.utf8.count <= 24)
    }

    @Test("random instants are those of Foundation")
    func random() {
        let formatter = ISO8601DateFormatter()
        formatter.formatOptions = [.withInternetDateTime]
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2_000 {
            let seconds = Int64.random(in: -2_000_000_000...10_000_000_000, using: &generator)
            let expected = formatter.string(from: Date(timeIntervalSince1970: Double(seconds)))
            #expect(Timestamp(milliseconds: seconds * 1000).iso8601 == expected, "\(seconds)")
        }
    }
}
