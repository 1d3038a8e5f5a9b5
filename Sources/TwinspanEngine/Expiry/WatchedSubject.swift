// Subjects that leave their policy by themselves or want to be told when they do (spec/policies-search.md A.9), and
// when something has to be done for them. Values only; who does it is `SubjectWatch`.
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

/// How the removal of a subject is announced, under the operator's settings.
struct AnnouncementTerms: Sendable, Equatable {
    /// How long before the expiry, in milliseconds; nil when it is not announced in advance.
    let lead: Int64?
    /// Whether the removal itself is announced where nothing was acknowledged before.
    let isSentWhenDeleted: Bool
    /// The acknowledgements that are waited for; without any, publication is enough.
    let labels: [AckLabel]
    /// How long those are waited for, in milliseconds.
    let timeout: Int64
    /// Over how many milliseconds announcements are spread.
    let spread: Int64

    init(_ announcement: SubjectAnnouncement, _ settings: AnnouncementSettings) {
        lead = announcement.lead.map { lead in
            let lead = Self.milliseconds(lead)
            let granule = max(Self.milliseconds(settings.granularity), 1)
            return max((lead.saturatingAdd(granule - 1)) / granule, 1).saturatingMultiply(granule)
        }
        isSentWhenDeleted = announcement.isSentWhenDeleted && settings.announcesDeletions
        var labels: [AckLabel] = []
        for text in announcement.requestedAcknowledgements ?? [] {
            // What is no label can be acknowledged by nobody, and the built-in ones say nothing about announcements.
            guard let label = try? AckLabel(text), !label.isBuiltIn, !labels.contains(label) else { continue }
            labels.append(label)
        }
        self.labels = labels
        let longest = Self.milliseconds(settings.longestWait)
        timeout = max(min(announcement.acknowledgementWait.map(Self.milliseconds) ?? longest, longest), 1)
        spread = Self.milliseconds(announcement.spread ?? settings.randomizationInterval)
    }

    static func milliseconds(_ duration: Duration) -> Int64 { Int64(duration / .milliseconds(1)) }
}

/// A subject of a policy that something will have to be done for.
struct WatchedSubject: Sendable {
    let policyID: PolicyID
    let id: String
    /// The subject as text: its id, expiry and announcement, which together are what is watched.
    let key: String
    let expiry: Int64?
    let terms: AnnouncementTerms?

    init(_ subject: PolicySubject, of policyID: PolicyID, _ settings: AnnouncementSettings) {
        self.policyID = policyID
        id = subject.id
        var object = JSONObject([("id", .string(subject.id))])
        if let expiry = subject.expiry { object["expiry"] = .string(expiry.text) }
        if let announcement = subject.announcement { object["announcement"] = announcement.json }
        key = JSONValue.object(object).text
        expiry = subject.expiry?.instant.milliseconds
        terms = subject.announcement.map { AnnouncementTerms($0, settings) }
    }

    /// Reads what `key` has written; nil when it is something else.
    init?(key: String, of policyID: PolicyID, _ settings: AnnouncementSettings) {
        // The text comes from our own store; what cannot be read there cannot be announced either.
        guard var object = (try? JSONValue.parse(key))?.object, let id = object["id"]?.string else { return nil }
        object["type"] = ""
        guard let subject = try? PolicySubject.parse(id: id, .object(object)) else { return nil }
        self.init(subject, of: policyID, settings)
    }

    /// When it is announced, in milliseconds since 1970; nil when it is not while it is there. Within its interval the
    /// moment follows from the subject itself, so a restart does not change it.
    var announceAt: Int64? {
        guard let terms, let expiry else { return nil }
        guard let lead = terms.lead else { return terms.isSentWhenDeleted ? expiry : nil }
        let jitter = terms.spread > 0 ? Int64(hash % UInt64(terms.spread)) : 0
        return expiry.saturatingAdd(-lead).saturatingAdd(-jitter)
    }

    /// A number that spreads subjects evenly and is the same in every process (FNV-1a).
    var hash: UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in policyID.text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        for byte in key.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return hash ^ hash >> 29
    }

    // MARK: Of a policy

    /// The subjects that are watched, each once however many entries have it.
    static func all(in policy: Policy, _ settings: AnnouncementSettings) -> [WatchedSubject] {
        var subjects: [WatchedSubject] = []
        var keys: Set<String> = []
        for entry in policy.entries {
            for subject in entry.subjects where subject.expiry != nil || subject.announcement != nil {
                let watched = WatchedSubject(subject, of: policy.id, settings)
                if keys.insert(watched.key).inserted { subjects.append(watched) }
            }
        }
        return subjects
    }

    /// Not later than the first moment at which a subject of the policy has to be announced or removed, but for
    /// `slack`.
    static func firstDue(in policy: Policy) -> Timestamp? {
        var first: Int64?
        for entry in policy.entries {
            for subject in entry.subjects {
                guard let expiry = subject.expiry?.instant.milliseconds else { continue }
                let lead = AnnouncementTerms.milliseconds(subject.announcement?.lead ?? .zero)
                let spread = AnnouncementTerms.milliseconds(subject.announcement?.spread ?? .zero)
                let due = expiry.saturatingAdd(-lead).saturatingAdd(-spread)
                first = min(first ?? due, due)
            }
        }
        return first.map { Timestamp(milliseconds: $0) }
    }

    /// By how much settings can make `firstDue` earlier, in milliseconds.
    static func slack(_ settings: AnnouncementSettings) -> Int64 {
        AnnouncementTerms.milliseconds(settings.granularity).saturatingAdd(
            AnnouncementTerms.milliseconds(settings.randomizationInterval))
    }

    static func announcesRemovals(_ policy: Policy) -> Bool {
        policy.entries.contains { $0.subjects.contains { $0.announcement?.isSentWhenDeleted == true } }
    }
}

extension Int64 {
    /// The sum, or the nearest number there is.
    func saturatingAdd(_ other: Int64) -> Int64 {
        let (sum, isBeyond) = addingReportingOverflow(other)
        return isBeyond ? (other > 0 ? .max : .min) : sum
    }

    /// The product of two numbers that are not negative, or the greatest number there is.
    func saturatingMultiply(_ other: Int64) -> Int64 {
        let (product, isBeyond) = multipliedReportingOverflow(by: other)
        return isBeyond ? .max : product
    }
}
