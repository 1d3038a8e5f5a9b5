// The durations in the announcement of a subject (spec/policies-search.md A.1.1, spec/protocol.md §5.3): kept as
// written, because they are shown as written.

/// `[+]<digits><unit>`.
struct AnnouncementDuration: Equatable {
    /// The unit behind the number; seconds may also be written without one.
    enum Unit: String, CaseIterable {
        case bare = "", milliseconds = "ms", seconds = "s", minutes = "m", hours = "h", days = "d", weeks = "w"
        case months = "mo", years = "y"

        /// Months and years have their average length.
        var milliseconds: Int64 {
            switch self {
            case .milliseconds: 1
            case .bare, .seconds: 1000
            case .minutes: 60_000
            case .hours: 3_600_000
            case .days: 86_400_000
            case .weeks: 604_800_000
            case .months: 2_629_746_000
            case .years: 31_556_952_000
            }
        }
    }

    /// The units that are allowed ahead of an expiry.
    static let leadUnits: [Unit] = [.bare, .seconds, .minutes, .hours]

    /// The longest duration: ten thousand years, so that it can be subtracted from any instant that can be written.
    static let longest: Int64 = 315_569_520_000_000

    /// The text as written.
    let text: String
    let unit: Unit
    /// At most `longest`; what is longer counts as that.
    let milliseconds: Int64

    /// Nil for anything but up to fifteen digits and a unit: no sign but `+`, no fraction, no blanks.
    init?(_ text: String) {
        var rest = text.utf8[...]
        if rest.first == UInt8(ascii: "+") { rest.removeFirst() }
        let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard (1...15).contains(digits.count), let number = Int64(String(Substring(digits))),
            let unit = Unit(rawValue: String(Substring(rest.dropFirst(digits.count))))
        else { return nil }
        let (product, isTooLong) = number.multipliedReportingOverflow(by: unit.milliseconds)
        self.text = text
        self.unit = unit
        milliseconds = isTooLong ? Self.longest : min(product, Self.longest)
    }

    /// The next multiple of the granularity, at least one of it; written in the same unit, or in a smaller one if it
    /// is no whole number of that. A granularity below one millisecond changes nothing.
    func roundedUp(to granularity: Duration) -> AnnouncementDuration {
        let granule = granularity.clampedMilliseconds
        guard granule > 0 else { return self }
        let multiple = max(1, milliseconds / granule + (milliseconds % granule > 0 ? 1 : 0)) * granule
        if multiple == milliseconds { return self }
        // `beforeExpiry` has no milliseconds: what is not a whole second is rounded up to one.
        let units: [Unit] = [unit, .minutes, .seconds]
        let unit = units.first { multiple % $0.milliseconds == 0 } ?? .seconds
        let number = multiple / unit.milliseconds + (multiple % unit.milliseconds > 0 ? 1 : 0)
        return AnnouncementDuration("\(number)\(unit.rawValue)") ?? self
    }
}

extension SubjectAnnouncement {
    /// How long before the expiry it is announced; nil for not at all.
    public var lead: Duration? { Self.value(beforeExpiry) }

    /// How long acknowledgements are waited for; nil for as long as the operator says.
    public var acknowledgementWait: Duration? { Self.value(acknowledgementTimeout) }

    /// The span over which the announcement is spread; nil for the operator's.
    public var spread: Duration? { Self.value(randomizationInterval) }

    /// The announcement with its lead rounded up to a multiple of the granularity, one at least (A.9.1).
    public func roundedUp(to granularity: Duration) -> SubjectAnnouncement {
        SubjectAnnouncement(
            beforeExpiry: beforeExpiry.flatMap { AnnouncementDuration($0)?.roundedUp(to: granularity).text },
            isSentWhenDeleted: isSentWhenDeleted, requestedAcknowledgements: requestedAcknowledgements,
            acknowledgementTimeout: acknowledgementTimeout, randomizationInterval: randomizationInterval)
    }

    private static func value(_ text: String?) -> Duration? {
        text.flatMap { AnnouncementDuration($0) }.map { .milliseconds($0.milliseconds) }
    }
}

extension Duration {
    /// Whole milliseconds, within ten thousand years: room enough to add it to any instant that can be written.
    var clampedMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        guard seconds.magnitude < AnnouncementDuration.longest.magnitude / 1000 else {
            return seconds < 0 ? -AnnouncementDuration.longest : AnnouncementDuration.longest
        }
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
