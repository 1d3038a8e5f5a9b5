// How the removal of a subject is announced (spec/policies-search.md A.1.1, A.9.2). Read, checked and kept.
public import TwinspanJSON
import TwinspanProtocol

/// The `announcement` of a subject.
public struct SubjectAnnouncement: Sendable, Equatable {
    /// How long before the expiry, as written: a number with `h`, `m`, `s` or no unit for seconds.
    public let beforeExpiry: String?
    /// Whether removal itself is announced too.
    public let isSentWhenDeleted: Bool
    /// The labels of the acknowledgements that are asked for; nil when `requestedAcks` is absent.
    public let requestedAcknowledgements: [String]?
    /// How long those are waited for, as written.
    public let acknowledgementTimeout: String?
    /// The span over which announcements are spread, as written.
    public let randomizationInterval: String?

    /// The JSON; `whenDeleted` is always written.
    public var json: JSONValue {
        var object = JSONObject()
        if let beforeExpiry { object["beforeExpiry"] = .string(beforeExpiry) }
        object["whenDeleted"] = .bool(isSentWhenDeleted)
        if let requestedAcknowledgements {
            var acknowledgements = JSONObject([("labels", .array(requestedAcknowledgements.map { .string($0) }))])
            if let acknowledgementTimeout { acknowledgements["timeout"] = .string(acknowledgementTimeout) }
            object["requestedAcks"] = .object(acknowledgements)
        }
        if let randomizationInterval { object["randomizationInterval"] = .string(randomizationInterval) }
        return .object(object)
    }

    /// Reads the member, nil when it is absent. Throws `policies:subjectannouncement.invalid` for a duration,
    /// `acknowledgement:label.invalid` for a label, `json.invalid` for a value of a wrong type.
    static func parse(_ json: JSONValue?, _ subject: String) throws(TwinspanError) -> SubjectAnnouncement? {
        guard let json else { return nil }
        let field = "\(subject)/announcement"
        let object = try PolicyJSON.object(json, field)
        let whenDeleted = object["whenDeleted"] ?? false
        guard let isSentWhenDeleted = whenDeleted.bool else {
            throw PolicyErrors.wrongType("\(field)/whenDeleted", "a boolean")
        }
        var labels: [String]?
        var timeout: String?
        if let requested = object["requestedAcks"] {
            let requested = try PolicyJSON.object(requested, "\(field)/requestedAcks")
            let written = requested["labels"] ?? []
            labels = try PolicyJSON.stringsIgnoringOthers(written, "\(field)/requestedAcks/labels")
            for label in labels ?? [] { try checkAcknowledgement(label) }
            timeout = try duration(requested["timeout"], among: AnnouncementDuration.Unit.allCases)
        }
        return SubjectAnnouncement(
            beforeExpiry: try duration(object["beforeExpiry"], among: AnnouncementDuration.leadUnits),
            isSentWhenDeleted: isSentWhenDeleted, requestedAcknowledgements: labels, acknowledgementTimeout: timeout,
            randomizationInterval: try duration(
                object["randomizationInterval"], among: AnnouncementDuration.Unit.allCases))
    }

    /// Checks a duration and returns the text as it is.
    private static func duration(
        _ json: JSONValue?, among units: [AnnouncementDuration.Unit]
    ) throws(TwinspanError) -> String? {
        guard let json else { return nil }
        guard let text = json.string else { throw PolicyErrors.subjectAnnouncementInvalid(json.text) }
        guard let duration = AnnouncementDuration(text), units.contains(duration.unit) else {
            throw PolicyErrors.subjectAnnouncementInvalid(text)
        }
        return text
    }

    /// Refuses what nobody could acknowledge (spec/protocol.md §1.4). A placeholder in front is left to whoever
    /// resolves it.
    private static func checkAcknowledgement(_ label: String) throws(TwinspanError) {
        let bytes = Array(label.utf8)
        let end = label.hasPrefix("{{") ? bytes.position(of: Array("}}:".utf8), from: 2) : nil
        _ = try AckLabel(end.map { String(decoding: bytes[($0 + 3)...], as: UTF8.self) } ?? label)
    }

    init(
        beforeExpiry: String?, isSentWhenDeleted: Bool, requestedAcknowledgements: [String]?,
        acknowledgementTimeout: String?, randomizationInterval: String?
    ) {
        self.beforeExpiry = beforeExpiry
        self.isSentWhenDeleted = isSentWhenDeleted
        self.requestedAcknowledgements = requestedAcknowledgements
        self.acknowledgementTimeout = acknowledgementTimeout
        self.randomizationInterval = randomizationInterval
    }
}
