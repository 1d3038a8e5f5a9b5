// Expiries are stored rounded up, so that subjects that leave do so in groups (spec/policies-search.md A.9.1).
public import TwinspanJSON
public import TwinspanProtocol

extension SubjectExpiry {
    /// Ditto's default granularity, one hour, in milliseconds. Hours divide days, so counting from 1970 is enough.
    static let granularityMilliseconds: Int64 = 3_600_000

    /// This expiry at the next full hour, or as it is when it is at one; in any case written as UTC.
    public var roundedUp: SubjectExpiry {
        let beyond = instant.milliseconds % Self.granularityMilliseconds
        let step =
            beyond > 0 ? Self.granularityMilliseconds - beyond : beyond < 0 ? -beyond : 0
        let rounded = Timestamp(milliseconds: instant.milliseconds + step)
        // The last hour of the year 9999 has no next one that could be written; it stays.
        return SubjectExpiry(rounded.iso8601) ?? self
    }

    /// Rounds up every expiry in the value of a resource. What is malformed is left for the reader to refuse.
    ///
    /// Returns the earliest of them after rounding, nil when there is none.
    public static func roundUp(in value: inout JSONValue, of kind: PolicyPath.Kind) -> SubjectExpiry? {
        var earliest: SubjectExpiry?
        guard let steps = steps(from: kind) else { return nil }
        roundUp(&value, steps[...], &earliest)
        return earliest
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

    /// Recurses once per step, four times at most.
    private static func roundUp(
        _ value: inout JSONValue, _ steps: ArraySlice<String?>, _ earliest: inout SubjectExpiry?
    ) {
        guard var object = value.object else { return }
        guard let step = steps.first else {
            guard let rounded = object["expiry"]?.string.flatMap({ SubjectExpiry($0) })?.roundedUp else { return }
            object["expiry"] = .string(rounded.text)
            value = .object(object)
            if earliest.map({ rounded.instant.milliseconds < $0.instant.milliseconds }) ?? true { earliest = rounded }
            return
        }
        if let step {
            guard var member = object[step] else { return }
            roundUp(&member, steps.dropFirst(), &earliest)
            object[step] = member
            value = .object(object)
            return
        }
        var members: [(String, JSONValue)] = []
        for (key, member) in object.members {
            var member = member
            roundUp(&member, steps.dropFirst(), &earliest)
            members.append((key, member))
        }
        value = .object(JSONObject(members))
    }
}
