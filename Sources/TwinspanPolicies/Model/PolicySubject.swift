// One subject of a policy entry.
public import TwinspanJSON
public import TwinspanProtocol

/// A member of an entry's `subjects`: `"<issuer>:<subject>": {"type": …, "expiry"?: …, "announcement"?: …}`.
public struct PolicySubject: Sendable, Equatable {
    /// The whole subject id. Compared by its bytes, without wildcards.
    public let id: String
    /// Free text that says what the subject is; `generated` for those of default policies.
    public let type: String
    /// When the subject is to be removed, nil for a permanent one.
    public let expiry: SubjectExpiry?
    /// How its removal is announced.
    public let announcement: SubjectAnnouncement?

    /// A permanent subject. `id` must be a legal subject id.
    public init(id: String, type: String) {
        self.init(id: id, type: type, expiry: nil, announcement: nil)
    }

    /// Reads a member of `subjects`.
    ///
    /// Throws `policies:subjectid.invalid`, `policies:subjectexpiry.invalid`, `policies:subjectannouncement.invalid`,
    /// `json.field.missing` without `type`, `json.invalid` for a value of a wrong type.
    public static func parse(id: String, _ json: JSONValue) throws(TwinspanError) -> PolicySubject {
        guard isLegalID(id) else { throw PolicyErrors.subjectIDInvalid(id) }
        let field = "subjects/\(id)"
        let object = try PolicyJSON.object(json, field)
        guard let type = object["type"] else { throw PolicyErrors.fieldMissing("\(field)/type") }
        return PolicySubject(
            id: id, type: try PolicyJSON.string(type, "\(field)/type"),
            expiry: try SubjectExpiry.parse(object["expiry"]),
            announcement: try SubjectAnnouncement.parse(object["announcement"], field))
    }

    /// The value of the member.
    public var json: JSONValue {
        var object = JSONObject([("type", .string(type))])
        if let expiry { object["expiry"] = .string(expiry.text) }
        if let announcement { object["announcement"] = announcement.json }
        return .object(object)
    }

    /// Whether a text is `issuer:subject`. The issuer of an id with `://` ends at the first colon behind that; a text
    /// with a placeholder is legal as it is, its parts are known only when it is resolved.
    public static func isLegalID(_ id: String) -> Bool {
        guard !id.isEmpty, id.isWithinIDLength, !id.hasControlCharacter else { return false }
        if id.containsPlaceholder { return true }
        let bytes = Array(id.utf8)
        let scheme = bytes.position(of: Array("://".utf8), from: 0)
        guard let colon = bytes.position(of: Array(":".utf8), from: scheme.map { $0 + 3 } ?? 0) else { return false }
        return colon + 1 < bytes.count
    }

    private init(id: String, type: String, expiry: SubjectExpiry?, announcement: SubjectAnnouncement?) {
        self.id = id
        self.type = type
        self.expiry = expiry
        self.announcement = announcement
    }
}
