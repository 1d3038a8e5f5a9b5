// Instants as the wire shows them: ISO-8601 in UTC. Own arithmetic, because Foundation's formatters cost microseconds
// and an event is stamped per message.

/// An instant in milliseconds since 1970-01-01T00:00:00Z.
public struct Timestamp: Sendable, Hashable, Comparable {
    public let milliseconds: Int64

    /// What lies outside the years that the text has four digits for is shown as the nearest instant within.
    private static let yearZero: Int64 = -62_167_219_200_000
    private static let endOfYear9999: Int64 = 253_402_300_799_999

    public init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    public static func < (left: Timestamp, right: Timestamp) -> Bool { left.milliseconds < right.milliseconds }

    /// `2024-01-06T14:23:42.123Z`; without the fraction when it is zero.
    public var iso8601: String {
        String(unsafeUninitializedCapacity: 24) { buffer in
            write(into: buffer)
        }
    }

    /// Appends the text of `iso8601`.
    public func write(into output: inout [UInt8]) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 24) { buffer in
            let count = write(into: buffer)
            output.append(contentsOf: UnsafeBufferPointer(rebasing: buffer[..<count]))
        }
    }

    /// Writes at most 24 bytes and returns their number.
    private func write(into buffer: UnsafeMutableBufferPointer<UInt8>) -> Int {
        let milliseconds = min(max(milliseconds, Self.yearZero), Self.endOfYear9999)
        let day = milliseconds.quotientRoundedDown(by: 86_400_000)
        let inDay = Int(milliseconds - day * 86_400_000)
        let date = Self.civil(fromDays: Int(day))
        var position = 0
        func put(_ value: Int, digits: Int) {
            var rest = value
            for index in stride(from: digits - 1, through: 0, by: -1) {
                buffer[position + index] = UInt8(ascii: "0") + UInt8(rest % 10)
                rest /= 10
            }
            position += digits
        }
        func put(_ character: Unicode.Scalar) {
            buffer[position] = UInt8(ascii: character)
            position += 1
        }
        put(date.year, digits: 4)
        put("-")
        put(date.month, digits: 2)
        put("-")
        put(date.day, digits: 2)
        put("T")
        put(inDay / 3_600_000, digits: 2)
        put(":")
        put(inDay / 60_000 % 60, digits: 2)
        put(":")
        put(inDay / 1000 % 60, digits: 2)
        if inDay % 1000 != 0 {
            put(".")
            put(inDay % 1000, digits: 3)
        }
        put("Z")
        return position
    }

    /// The day of its month in UTC, 1 through 31.
    public var dayOfMonth: Int { Self.civil(fromDays: Int(milliseconds.quotientRoundedDown(by: 86_400_000))).day }

    /// The proleptic Gregorian date of a day number counted from 1970-01-01.
    private static func civil(fromDays days: Int) -> (year: Int, month: Int, day: Int) {
        // Years are counted from March, so that the leap day is the last of a year, in eras of 400 years.
        let shifted = days + 719_468
        let era = Int(Int64(shifted).quotientRoundedDown(by: 146_097))
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}

extension Int64 {
    /// Division that rounds towards negative infinity. `divisor` must be positive.
    func quotientRoundedDown(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}
