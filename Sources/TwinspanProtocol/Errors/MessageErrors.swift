// The errors of messages (spec/protocol.md §12.4).

/// Rows whose code belongs to messages.
public enum MessageErrorTable {
    public static let authorizationBlocked = ErrorRow(
        "messages:authorization.blocked", 429, "The subject may not send messages at the moment.", "Try again later.")
    public static let featureIDInvalid = ErrorRow(
        "messages:featureid.invalid", 400, "The feature id of the message is missing or not the expected one.",
        "Use the feature id of the path '/features/{id}/inbox/messages/{subject}'.")
    public static let idInvalid = ErrorRow(
        "messages:id.invalid", 400, "The thing id of the message is not valid.",
        "A thing id is 'namespace:name', at most 256 characters, without slashes or control characters.")
    public static let formatInvalid = ErrorRow(
        "messages:messageformat.invalid", 400, "The message cannot be used.",
        "Check the path and the content-type of the message.")
    public static let payloadTooLarge = ErrorRow(
        "messages:payload.toolarge", 413, "The payload of the message is larger than allowed.",
        "Send less, or a reference to content that lies elsewhere.")
    public static let sendNotAllowed = ErrorRow(
        "messages:send.notallowed", 403, "The message may not be sent.",
        "The policy of the thing must grant WRITE on 'message:/' or on the mailbox and subject addressed.")
    public static let subjectInvalid = ErrorRow(
        "messages:subject.invalid", 400, "The subject of the message is not valid.",
        "A subject has 1 to 256 characters that may stand in the path of a URI.")

    /// Every row.
    public static let all: [ErrorRow] = [
        authorizationBlocked, featureIDInvalid, idInvalid, formatInvalid, payloadTooLarge, sendNotAllowed,
        subjectInvalid,
    ]
}
