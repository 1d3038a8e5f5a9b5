// The errors of messages and live signals (spec/protocol.md §12.2, §12.4, §12.9).

/// Rows whose code belongs to messages and the live channel.
public enum LiveErrorTable {
    public static let sendNotAllowed = ErrorRow(
        "messages:send.notallowed", 403, "The message may not be sent.",
        "The policy of the thing must grant WRITE on the message resource.")
    public static let payloadTooLarge = ErrorRow(
        "messages:payload.toolarge", 413, "The payload of the message is larger than allowed.",
        "Split it, or raise 'limits.messageBytes'.")
    public static let eventNotAllowed = ErrorRow(
        "things:event.notallowed", 403, "The live event may not be sent.",
        "The policy of the thing must grant WRITE on the path of the event and everything below it.")
    public static let conditionNotAllowed = ErrorRow(
        "things:live.channelcondition.notallowed", 405, "A live channel condition is not allowed here.",
        "Only commands that retrieve may have 'live-channel-condition'.")
    public static let illegalAdaptable = ErrorRow(
        "protocoladapter:illegal.adaptable", 422, "The answer does not fit the signal it answers.",
        "Answer with the path of the command, its action and a status its response may have.")
    public static let tooManyRequests = ErrorRow(
        "too.many.requests", 429, "Too many requests wait for their answers.", "Try again later.")

    /// Every row.
    public static let all: [ErrorRow] = [
        sendNotAllowed, payloadTooLarge, eventNotAllowed, conditionNotAllowed, illegalAdaptable, tooManyRequests,
    ]

    /// `things:thing.notcreatable` with the status of the live channel, where nothing can be created (§7.3).
    public static func notCreatable(_ thing: ThingID) -> TwinspanError {
        TwinspanError(
            code: ThingErrorTable.notCreatable.code, status: 405,
            message: "The thing '\(thing)' cannot be created on the live channel.",
            description: "Create it on the twin channel.")
    }

    /// The literal text of §14 for a status that the answered command cannot have.
    public static func statusInvalid(_ status: Int) -> TwinspanError {
        let category =
            switch status {
            case ..<200: "INFORMATIONAL"
            case ..<300: "SUCCESS"
            case ..<400: "REDIRECTION"
            case ..<500: "CLIENT_ERROR"
            default: "SERVER_ERROR"
            }
        return illegalAdaptable.error("HttpStatus [code=\(status), category=\(category)] is invalid.")
    }
}
