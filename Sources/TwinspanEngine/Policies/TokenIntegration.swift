// Token integration: the holder of a token adds the subjects of that token to entries of a policy, for as long as the
// token is valid, or takes them away again (spec/policies-search.md A.8). Who has checked the token gives its claims.
import TwinspanExpressions
public import TwinspanJSON
import TwinspanPolicies
public import TwinspanProtocol

/// The command `activateTokenIntegration` or `deactivateTokenIntegration`.
public struct TokenIntegration: Sendable {
    public enum Action: String, Sendable, CaseIterable {
        case activate = "activateTokenIntegration"
        case deactivate = "deactivateTokenIntegration"
    }

    /// What was in a token that has been verified.
    public struct Token: Sendable {
        /// The claims, an object.
        public var claims: JSONValue
        /// `exp`; added subjects expire then, rounded up.
        public var expiry: Timestamp

        /// Makes a token.
        public init(claims: JSONValue, expiry: Timestamp) {
            self.claims = claims
            self.expiry = expiry
        }
    }

    public var policyID: PolicyID
    public var action: Action
    /// The entry; nil for all entries that the caller may and can use.
    public var label: String?
    /// Nil for a caller who was authenticated otherwise, which is refused.
    public var token: Token?
    /// Of the subjects that are added, as in a policy.
    public var announcement: JSONValue?
    /// For the placeholders `header:*`.
    public var headers: DittoHeaders

    public init(
        policyID: PolicyID, action: Action, label: String? = nil, token: Token?, announcement: JSONValue? = nil,
        headers: DittoHeaders = DittoHeaders()
    ) {
        self.policyID = policyID
        self.action = action
        self.label = label
        self.token = token
        self.announcement = announcement
        self.headers = headers
    }

    /// The announcement in the body of an activation, `{"announcement":{…}}`; nil without one. Throws `json.invalid`
    /// for a body that is no object.
    public static func announcement(inBody body: JSONText?) throws(TwinspanError) -> JSONValue? {
        guard let body else { return .none }
        guard let object = body.value.object else { throw .jsonInvalid("The body is not a JSON object.") }
        guard let announcement = object["announcement"], !announcement.isNull else { return .none }
        return announcement
    }
}

/// A token integration with everything read that needs no policy. Made before the lock of the policies is taken.
struct PreparedTokenIntegration {
    let command: TokenIntegration
    private let template: PlaceholderTemplate
    private let token: TokenIntegration.Token
    /// The value of each subject that is added; nil for a deactivation.
    let subject: JSONValue?

    /// Throws `policies:action.failed` (400) without a token, `placeholder:unresolved` when the token lacks what the
    /// template reads, `policies:subjectexpiry.invalid` for a token that has expired,
    /// `policies:subjectannouncement.invalid` and `json.invalid` for the announcement.
    init(_ command: TokenIntegration, access: AccessSettings, now: Timestamp) throws(TwinspanError) {
        guard let token = command.token else {
            throw PolicyErrorTable.actionFailed.error(
                "The action '\(command.action.rawValue)' needs a token.", description: "Authenticate with a JWT.")
        }
        self.command = command
        self.token = token
        do throws(PlaceholderError) {
            template = try PlaceholderTemplate.parse(access.tokenSubject, scope: .tokenIntegrationSubject)
        } catch {
            throw TwinspanError(
                code: PolicyErrorTable.actionFailed.code, status: 500,
                message: "The template of token integration cannot be read.",
                description: "Check 'access.tokenIntegrationSubject' of the configuration: \(error.message)")
        }
        switch command.action {
        case .activate: subject = try Self.subject(command, token, access, now)
        case .deactivate: subject = .none
        }
        // The label is known for every entry, so what is unresolved now is so for all of them, whatever they are.
        _ = try subjectIDs(for: command.label ?? "label")
    }

    private static func subject(
        _ command: TokenIntegration, _ token: TokenIntegration.Token, _ access: AccessSettings, _ now: Timestamp
    ) throws(TwinspanError) -> JSONValue {
        var object: JSONObject = [
            "type": .string("added via action <\(command.action.rawValue)> at \(now.iso8601)"),
            "expiry": .string(token.expiry.iso8601),
        ]
        if let announcement = command.announcement { object["announcement"] = announcement }
        var value = JSONValue.object(object)
        let expiry = SubjectExpiry.roundUp(
            in: &value, of: .subject, granularity: access.expiryGranularity,
            announcements: access.announcements.granularity)
        guard let expiry, expiry.instant >= now else { throw .subjectExpired(token.expiry.iso8601) }
        // Read as any other subject, under an id that is legal: the real ones are checked where they are made.
        return try PolicySubject.parse(id: "token:integration", value).json
    }

    /// The subjects of the token for an entry, each once. Throws `placeholder:unresolved`,
    /// `policies:subjectid.invalid`.
    func subjectIDs(for label: String) throws(TwinspanError) -> [String] {
        let resolver = TokenResolver(claims: token.claims, headers: command.headers, label: label)
        let values = template.resolve(resolver).values
        guard !values.isEmpty else {
            throw GeneralErrorTable.placeholderUnresolved.error(
                "The token has no value for the subject '\(template.text)'.",
                description: "The token needs the claims that the template of token integration names.")
        }
        var ids: [String] = []
        var known: Set<[UInt8]> = []
        for id in values where known.insert(Array(id.utf8)).inserted {
            guard PolicySubject.isLegalID(id) else {
                throw PolicyErrorTable.subjectIDInvalid.error("The subject id '\(id.shortened)' is not valid.")
            }
            ids.append(id)
        }
        return ids
    }
}

/// Gives the placeholders of the template their values.
private struct TokenResolver: PlaceholderResolver {
    let claims: JSONValue
    let headers: DittoHeaders
    let label: String

    func values(of placeholder: Placeholder) -> PlaceholderValues {
        switch placeholder {
        case .header(let name): headers[name].map { .one($0.string ?? $0.text) } ?? .unresolved
        case .policyEntryLabel: .one(label)
        case .jwt(let pointer): PlaceholderValues(Self.texts(claims, pointer.segments[...]))
        default: .unresolved
        }
    }

    /// The values at the end of a path. Arrays on the way, and there, mean each of their elements (spec/http.md §11.3).
    /// As deep as the claims, whose depth the parser limits.
    private static func texts(_ value: JSONValue, _ path: ArraySlice<String>) -> [String] {
        if let elements = value.array { return elements.flatMap { texts($0, path) } }
        if let key = path.first {
            return value.object?[key].map { texts($0, path.dropFirst()) } ?? []
        }
        if value.isNull { return [] }
        return [value.string ?? value.text]
    }
}
