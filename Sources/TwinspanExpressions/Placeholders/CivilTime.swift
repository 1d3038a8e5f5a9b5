// Civil-date arithmetic on epoch milliseconds (proleptic Gregorian calendar, UTC), without Foundation.
// Called by `time:` placeholders and by whoever prints a Ditto timestamp. Pure functions, usable from any thread.

/// Prints instants the way Ditto does.
public enum CivilTime {
    static let millisecondsPerDay: Int64 = 86_400_000

    /// The ISO-8601 text of an instant in UTC: `2024-01-06T14:23:42.123Z`, without a fraction when it is zero.
    ///
    /// - Parameter milliseconds: milliseconds since 1970-01-01T00:00:00Z, any value. Years above 9999 get a `+`.
    public static func iso8601(milliseconds: Int64) -> String {
        let day = floorDivide(milliseconds, by: millisecondsPerDay)
        // Not `milliseconds - day * millisecondsPerDay`: the product overflows for the earliest instants.
        let remainder = milliseconds % millisecondsPerDay
        let millisecondOfDay = remainder < 0 ? remainder + millisecondsPerDay : remainder
        let date = civilDate(epochDay: day)
        return String(unsafeUninitializedCapacity: 40) { buffer in
            var writer = DigitWriter(buffer: buffer)
            writer.writeYear(date.year)
            writer.write(UInt8(ascii: "-"))
            writer.write(date.month, digits: 2)
            writer.write(UInt8(ascii: "-"))
            writer.write(date.day, digits: 2)
            writer.write(UInt8(ascii: "T"))
            writer.write(millisecondOfDay / 3_600_000, digits: 2)
            writer.write(UInt8(ascii: ":"))
            writer.write(millisecondOfDay / 60_000 % 60, digits: 2)
            writer.write(UInt8(ascii: ":"))
            writer.write(millisecondOfDay / 1_000 % 60, digits: 2)
            let fraction = millisecondOfDay % 1_000
            if fraction != 0 {
                writer.write(UInt8(ascii: "."))
                writer.write(fraction, digits: 3)
            }
            writer.write(UInt8(ascii: "Z"))
            return writer.count
        }
    }

    /// The calendar date of a day counted from 1970-01-01. Months and days start at 1.
    static func civilDate(epochDay: Int64) -> (year: Int64, month: Int64, day: Int64) {
        // Counting years from 1 March puts the leap day last, so a month's start is a linear formula.
        let marchDay = epochDay + 719_468
        let era = floorDivide(marchDay, by: 146_097)
        let dayOfEra = marchDay - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    /// The inverse of `civilDate(epochDay:)`.
    static func epochDay(year: Int64, month: Int64, day: Int64) -> Int64 {
        let marchYear = month <= 2 ? year - 1 : year
        let era = floorDivide(marchYear, by: 400)
        let yearOfEra = marchYear - era * 400
        let marchMonth = month > 2 ? month - 3 : month + 9
        let dayOfYear = (153 * marchMonth + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// Division that rounds towards negative infinity. `divisor` is positive.
    static func floorDivide(_ value: Int64, by divisor: Int64) -> Int64 {
        let quotient = value / divisor
        return value % divisor < 0 ? quotient - 1 : quotient
    }
}

/// Appends decimal digits to a buffer that is known to be large enough (the longest timestamp has 32 bytes).
private struct DigitWriter {
    let buffer: UnsafeMutableBufferPointer<UInt8>
    var count = 0

    mutating func write(_ byte: UInt8) {
        buffer[count] = byte
        count += 1
    }

    mutating func write(_ number: Int64, digits: Int) {
        var rest = number
        for index in stride(from: count + digits - 1, through: count, by: -1) {
            buffer[index] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        }
        count += digits
    }

    /// Four digits at least; a sign outside 0...9999, as `java.time.Instant` prints it.
    mutating func writeYear(_ year: Int64) {
        if year > 9_999 { write(UInt8(ascii: "+")) }
        if year < 0 { write(UInt8(ascii: "-")) }
        var digits = 4
        var bound: Int64 = 10_000
        while abs(year) >= bound {
            digits += 1
            bound *= 10
        }
        write(abs(year), digits: digits)
    }
}
