// Expiries are stored rounded up, so that subjects that leave do so in groups (spec/policies-search.md A.9.1).
public import TwinspanJSON
public import TwinspanProtocol

extension SubjectExpiry {
    /// Ditto's default granularity.
    public static let standardGranularity = Duration.seconds(3600)

    /// This expiry at the next multiple of the granularity, or as it is when it is at one; in any case written as UTC.
    ///
    /// The granularity counts in the largest unit that fits into it, what is left over is ignored: `90m` counts as one
    /// hour. Multiples are counted anew from each start of the unit above: days from the first of the month, hours from
    /// midnight, minutes from the full hour, seconds from the full minute, milliseconds from the full second. One of
    /// zero or less leaves the instant as it is.
    public func roundedUp(to granularity: Duration = standardGranularity) -> SubjectExpiry {
        guard let steps = Steps(granularity) else { return SubjectExpiry(instant.iso8601) ?? self }
        let units = (instant.milliseconds - instant.milliseconds.remainder(of: steps.unit)) / steps.unit
        let beyond = steps.countInParent(units, instant) % steps.amount
        let isExact = units * steps.unit == instant.milliseconds && !isFinerThanMilliseconds
        let rounded = isExact && beyond == 0 ? units : units + steps.amount - beyond
        // What lies beyond the year 9999 cannot be written; it becomes the last instant that can.
        return SubjectExpiry(Timestamp(milliseconds: rounded * steps.unit).iso8601) ?? self
    }

    /// Whether the text has a fraction of a millisecond, which the instant does not show.
    private var isFinerThanMilliseconds: Bool {
        let digits = text.utf8.drop { $0 != UInt8(ascii: ".") }.dropFirst()
            .prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        return digits.dropFirst(3).contains { $0 != UInt8(ascii: "0") }
    }

    /// A granularity as a number of units.
    private struct Steps {
        /// The unit in milliseconds.
        let unit: Int64
        let amount: Int64
        /// How many units the one above has; nil for days, whose months differ.
        let countPerParent: Int64?

        private static let units: [(milliseconds: Int64, countPerParent: Int64?)] = [
            (86_400_000, nil), (3_600_000, 24), (60_000, 60), (1000, 60), (1, 1000),
        ]

        /// Nil for a granularity below one millisecond.
        init?(_ granularity: Duration) {
            let milliseconds = granularity.clampedMilliseconds
            guard let unit = Self.units.first(where: { $0.milliseconds <= milliseconds }) else { return nil }
            self.unit = unit.milliseconds
            amount = milliseconds / unit.milliseconds
            countPerParent = unit.countPerParent
        }

        /// The number of whole units since the unit above began.
        func countInParent(_ units: Int64, _ instant: Timestamp) -> Int64 {
            guard let countPerParent else { return Int64(instant.dayOfMonth - 1) }
            return units.remainder(of: countPerParent)
        }
    }
}

extension SubjectExpiry {
    /// Rounds up every expiry in the value of a resource, and the lead of announcements if a granularity is given for
    /// them. What is malformed is left for the reader to refuse.
    ///
    /// Returns the earliest expiry after rounding, nil when there is none.
    public static func roundUp(
        in value: inout JSONValue, of kind: PolicyPath.Kind, granularity: Duration = standardGranularity,
        announcements: Duration? = nil
    ) -> SubjectExpiry? {
        var rounding = Rounding(expiries: granularity, announcements: announcements)
        guard let steps = steps(from: kind) else { return nil }
        rounding.roundUp(&value, steps[...])
        return rounding.earliest
    }

    /// The way from a resource to its subjects; nil stands for every member.
    private static func steps(from kind: PolicyPath.Kind) -> [String?]? {
        switch kind {
        case .policy: ["entries", nil, "subjects", nil]
        case .entries: [nil, "subjects", nil]
        case .entry: ["subjects", nil]
        case .subjects: [nil]
        case .subject: []
        case .resources, .resource, .namespaces, .importable, .allowedAdditions, .references, .imports, .policyImport,
            .importEntries, .transitiveImports:
            nil
        }
    }

    /// One pass over a value.
    private struct Rounding {
        let expiries: Duration
        let announcements: Duration?
        var earliest: SubjectExpiry?

        /// Recurses once per step, four times at most.
        mutating func roundUp(_ value: inout JSONValue, _ steps: ArraySlice<String?>) {
            guard var object = value.object else { return }
            guard let step = steps.first else {
                roundUp(&object)
                value = .object(object)
                return
            }
            if let step {
                guard var member = object[step] else { return }
                roundUp(&member, steps.dropFirst())
                object[step] = member
                value = .object(object)
                return
            }
            var members: [(String, JSONValue)] = []
            for (key, member) in object.members {
                var member = member
                roundUp(&member, steps.dropFirst())
                members.append((key, member))
            }
            value = .object(JSONObject(members))
        }

        private mutating func roundUp(_ subject: inout JSONObject) {
            if let announcements, var announcement = subject["announcement"]?.object,
                let lead = announcement["beforeExpiry"]?.string.flatMap({ AnnouncementDuration($0) }),
                AnnouncementDuration.leadUnits.contains(lead.unit)
            {
                announcement["beforeExpiry"] = .string(lead.roundedUp(to: announcements).text)
                subject["announcement"] = .object(announcement)
            }
            guard let expiry = subject["expiry"]?.string.flatMap({ SubjectExpiry($0) }) else { return }
            let rounded = expiry.roundedUp(to: expiries)
            subject["expiry"] = .string(rounded.text)
            if earliest.map({ rounded.instant < $0.instant }) ?? true { earliest = rounded }
        }
    }
}

extension Int64 {
    /// What is left beyond the next smaller multiple, also before 1970: from zero up to, not including, `divisor`.
    fileprivate func remainder(of divisor: Int64) -> Int64 {
        let remainder = self % divisor
        return remainder < 0 ? remainder + divisor : remainder
    }
}
