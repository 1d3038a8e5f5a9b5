// The `time:` placeholder: `now` or `now_epoch_millis`, an optional offset, an optional truncation
// (spec/mapping.md §2.1). Parsed once with the configuration; evaluated against a clock value that the caller injects.

/// What a `time:` placeholder asks for, e.g. `now-1d[d]`.
public struct TimeExpression: Sendable, Hashable, CustomStringConvertible {
    enum Form: Sendable, Hashable { case instant, epochMilliseconds }

    enum Unit: String, Sendable, CaseIterable {
        case millisecond = "ms"
        case second = "s"
        case minute = "m"
        case hour = "h"
        case day = "d"
        case week = "w"
        case month = "mo"
        case year = "y"

        /// Length in milliseconds. Months and years have their average Gregorian length, because an offset is a
        /// duration and not a calendar step (30.436875 d and 365.2425 d).
        var milliseconds: Int64 {
            switch self {
            case .millisecond: 1
            case .second: 1_000
            case .minute: 60_000
            case .hour: 3_600_000
            case .day: 86_400_000
            case .week: 604_800_000
            case .month: 2_629_746_000
            case .year: 31_556_952_000
            }
        }
    }

    /// Instants are kept inside this bound (about 285 million years), so that truncation cannot overflow.
    private static let instantBound: Int64 = 9_000_000_000_000_000_000

    let form: Form
    let offsetMilliseconds: Int64
    let truncation: Unit?
    /// The expression as written, without the `time:` prefix.
    public let text: String

    public var description: String { text }

    /// Parses the part after `time:`. `nil` when it is malformed or its offset does not fit 64 bits of milliseconds.
    public init?(parsing text: String) {
        var rest = Substring(text)
        if rest.consume("now_epoch_millis") {
            form = .epochMilliseconds
        } else if rest.consume("now") {
            form = .instant
        } else {
            return nil
        }
        guard let offset = Self.parseOffset(&rest), let truncation = Self.parseTruncation(&rest), rest.isEmpty
        else { return nil }
        offsetMilliseconds = offset
        self.truncation = truncation
        self.text = text
    }

    /// The value as text: ISO-8601 for `now…`, a decimal number for `now_epoch_millis…`.
    ///
    /// - Parameter now: the current time in milliseconds since the epoch.
    public func text(atEpochMilliseconds now: Int64) -> String {
        let value = milliseconds(atEpochMilliseconds: now)
        return form == .instant ? CivilTime.iso8601(milliseconds: value) : String(value)
    }

    /// The value as milliseconds since the epoch, offset first, then truncation. Saturates instead of overflowing.
    public func milliseconds(atEpochMilliseconds now: Int64) -> Int64 {
        let (sum, isOverflow) = now.addingReportingOverflow(offsetMilliseconds)
        let shifted = isOverflow ? (offsetMilliseconds > 0 ? Int64.max : Int64.min) : sum
        let bounded = min(max(shifted, -Self.instantBound), Self.instantBound)
        guard let truncation else { return bounded }
        return Self.truncate(bounded, to: truncation)
    }

    private static func truncate(_ milliseconds: Int64, to unit: Unit) -> Int64 {
        let dayLength = CivilTime.millisecondsPerDay
        let day = CivilTime.floorDivide(milliseconds, by: dayLength)
        switch unit {
        case .millisecond, .second, .minute, .hour, .day:
            return CivilTime.floorDivide(milliseconds, by: unit.milliseconds) * unit.milliseconds
        case .week:
            // 1970-01-01 was a Thursday, three days after a Monday.
            return (CivilTime.floorDivide(day + 3, by: 7) * 7 - 3) * dayLength
        case .month:
            let date = CivilTime.civilDate(epochDay: day)
            return CivilTime.epochDay(year: date.year, month: date.month, day: 1) * dayLength
        case .year:
            return CivilTime.epochDay(year: CivilTime.civilDate(epochDay: day).year, month: 1, day: 1) * dayLength
        }
    }

    /// `[+-]<int><unit>`; 0 when there is no sign; `nil` when malformed.
    private static func parseOffset(_ rest: inout Substring) -> Int64? {
        let isNegative = rest.first == "-"
        guard isNegative || rest.first == "+" else { return 0 }
        rest.removeFirst()
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        guard let amount = Int64(digits) else { return nil }
        rest = rest[digits.endIndex...]
        let name = rest.prefix { $0 != "[" }
        guard let unit = Unit(rawValue: String(name)) else { return nil }
        rest = rest[name.endIndex...]
        let (product, isOverflow) = amount.multipliedReportingOverflow(by: unit.milliseconds)
        return isOverflow ? nil : (isNegative ? -product : product)
    }

    /// `[<unit>]`. The outer optional is `nil` when malformed, the inner one when there is no truncation.
    private static func parseTruncation(_ rest: inout Substring) -> Unit?? {
        guard rest.first == "[" else { return .some(nil) }
        rest.removeFirst()
        let name = rest.prefix { $0 != "]" }
        guard let unit = Unit(rawValue: String(name)), name.endIndex != rest.endIndex else { return nil }
        rest = rest[rest.index(after: name.endIndex)...]
        return .some(unit)
    }
}

extension Substring {
    fileprivate mutating func consume(_ prefix: String) -> Bool {
        guard hasPrefix(prefix) else { return false }
        removeFirst(prefix.count)
        return true
    }
}
