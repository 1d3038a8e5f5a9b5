// Reads instants as the wire shows them: ISO-8601, in UTC or with an offset.

extension Timestamp {
    /// Reads `2024-01-06T14:23:42Z`, with an optional fraction of up to nine digits and `±hh:mm` in place of `Z`; a
    /// finer fraction than milliseconds is cut off. Nil for anything else, also for dates that do not exist.
    public init?(parsing text: String) {
        var reader = Digits(Array(text.utf8))
        guard let year = reader.number(4), reader.skip("-"), let month = reader.number(2), reader.skip("-"),
            let day = reader.number(2), reader.skip("T") || reader.skip("t"),
            let hour = reader.number(2), reader.skip(":"), let minute = reader.number(2), reader.skip(":"),
            let second = reader.number(2),
            (1...12).contains(month), (1...Self.daysInMonth(month, of: year)).contains(day),
            hour < 24, minute < 60, second < 60,
            let millisecond = reader.fraction(), let offset = reader.offsetMinutes(), reader.isAtEnd
        else { return nil }
        let minutes = (Self.dayNumber(year: year, month: month, day: day) * 24 + hour) * 60 + minute - offset
        self.init(milliseconds: Int64((minutes * 60 + second) * 1000 + millisecond))
    }

    private static func daysInMonth(_ month: Int, of year: Int) -> Int {
        switch month {
        case 2: (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days since 1970-01-01 in the proleptic Gregorian calendar, for years 0 to 9999.
    private static func dayNumber(year: Int, month: Int, day: Int) -> Int {
        // Counted from March, so that the leap day is the last of a year; year 0 then starts in year -1, hence + 400.
        let shifted = (month > 2 ? year : year - 1) + 400
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + dayOfYear - 719_468 - 146_097
    }
}

/// Reads fixed-width numbers from the front of a text.
private struct Digits {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { position == bytes.count }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    mutating func number(_ digits: Int) -> Int? {
        guard position + digits <= bytes.count else { return nil }
        var value = 0
        for byte in bytes[position..<(position + digits)] {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            value = value * 10 + Int(byte - UInt8(ascii: "0"))
        }
        position += digits
        return value
    }

    /// Milliseconds of an optional fraction, nil when it is malformed.
    mutating func fraction() -> Int? {
        guard skip(".") else { return 0 }
        var milliseconds = 0
        var weight = 100
        var count = 0
        while let digit = number(1) {
            milliseconds += digit * weight
            weight /= 10
            count += 1
        }
        return (1...9).contains(count) ? milliseconds : nil
    }

    /// Minutes east of UTC, nil when neither `Z` nor `±hh:mm` follows.
    mutating func offsetMinutes() -> Int? {
        if skip("Z") || skip("z") { return 0 }
        let isEast = skip("+")
        guard isEast || skip("-") else { return nil }
        guard let hours = number(2), skip(":"), let minutes = number(2), hours <= 18, minutes < 60 else { return nil }
        return isEast ? hours * 60 + minutes : -(hours * 60 + minutes)
    }
}
