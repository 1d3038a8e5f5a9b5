// The errors of the HTTP door and of authentication (spec/protocol.md §12.6). Rows that other layers raise too stand in
// `GeneralErrors.swift`.

/// Rows whose code belongs to the HTTP door, to tokens, or to CloudEvents.
public enum GatewayErrorTable {
    public static let apiVersionNotSupported = ErrorRow(
        "api.version.notsupported", 404, "This version of the API is not supported.", "Use '/api/2'.")
    public static let cloudEventSchemaUnsupported = ErrorRow(
        "cloudevent.dataschema.unsupported", 400, "The data schema of the CloudEvent is not supported.",
        "Use a schema that begins with 'ditto:', or none.")
    public static let cloudEventPayloadMissing = ErrorRow(
        "cloudevent.payload.missing", 400, "The CloudEvent has no data.", "Send a Ditto Protocol message as data.")
    public static let cloudEventUnparsable = ErrorRow(
        "cloudevent.unparsable", 400, "The body is not a CloudEvent.", "Check the headers 'ce-…' and the body.")
    public static let providerUnavailable = ErrorRow(
        "gateway:authentication.provider.unavailable", 503, "The identity provider cannot be reached.",
        "Try again later.")
    public static let internalError = ErrorRow(
        "gateway:internalerror", 500, "Something went wrong inside.", "The log says what, under the correlation id.")
    public static let tokenConditionFailed = ErrorRow(
        "gateway:jwt.condition.failed", 401, "The token does not meet a configured condition.",
        "Compare the claims of the token with the conditions of its issuer.")
    public static let issuerNotSupported = ErrorRow(
        "gateway:jwt.issuer.notsupported", 401, "The issuer of the token is not configured.",
        "Use a token of a configured issuer.")
    public static let namespaceNotAccessible = ErrorRow(
        "gateway:namespace.notaccessible", 403, "The namespace is not accessible.",
        "The rules of namespace access must allow it for your subjects.")
    public static let publicKeyProviderUnavailable = ErrorRow(
        "gateway:publickey.provider.unavailable", 503, "The keys of the issuer cannot be reached.",
        "Try again later.")
    public static let sessionAborted = ErrorRow(
        "gateway:streaming.session.aborted", 500, "The session was ended by a restart.", "Connect again.")
    public static let timeoutInvalid = ErrorRow(
        "gateway:timeout.invalid", 400, "The timeout is outside of what is allowed.",
        "Use a timeout between 0 and 60 seconds.")
    public static let sessionClosed = ErrorRow(
        "gateway:websocket.session.closed", 403, "The authorization of the session has changed.", "Connect again.")
    public static let sessionExpired = ErrorRow(
        "gateway:websocket.session.expired", 401, "The token of the session has expired.",
        "Connect again with a fresh token.")
    public static let webKeyInvalid = ErrorRow(
        "jwk:invalid", 400, "The JSON Web Key is not valid.", "Check the key set of the issuer.")
    public static let audienceInvalid = ErrorRow(
        "jwt:audience.invalid", 400, "The audience of the token is not valid.",
        "The claim 'aud' is text or an array of texts.")
    public static let tokenInvalid = ErrorRow(
        "jwt:invalid", 400, "The token is not valid.", "Send a JSON Web Token in the header authorization.")
    public static let serviceTimeout = ErrorRow(
        "service.timeout", 504, "A service did not answer in time.", "Try again later.")
    public static let tooManyRequests = ErrorRow(
        "too.many.requests", 429, "There are too many requests.", "Send fewer requests, and try again later.")
    public static let unsupportedAPIVersion = ErrorRow(
        "unsupported.api.version", 404, "The version of the schema is not supported.",
        "Leave the header 'version' out or set it to 2.")

    /// Every row.
    public static let all: [ErrorRow] = [
        apiVersionNotSupported, cloudEventSchemaUnsupported, cloudEventPayloadMissing, cloudEventUnparsable,
        providerUnavailable, internalError, tokenConditionFailed, issuerNotSupported, namespaceNotAccessible,
        publicKeyProviderUnavailable, sessionAborted, timeoutInvalid, sessionClosed, sessionExpired, webKeyInvalid,
        audienceInvalid, tokenInvalid, serviceTimeout, tooManyRequests, unsupportedAPIVersion,
    ]
}
