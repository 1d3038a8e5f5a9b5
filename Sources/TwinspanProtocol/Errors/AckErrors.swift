// The errors of acknowledgements (spec/protocol.md §12.5).

/// Rows whose code belongs to acknowledgements.
public enum AckErrorTable {
    public static let labelInvalid = ErrorRow(
        "acknowledgement:label.invalid", 400, "The label of an acknowledgement is not valid.",
        "Labels have 3 to 165 letters, digits, '-', '_' and ':'.")
    public static let correlationIDMissing = ErrorRow(
        "acknowledgement:correlation-id.missing", 400, "The acknowledgement has no correlation id.",
        "Send the correlation-id of the signal that is acknowledged.")
    public static let builtInLabelForbidden = ErrorRow(
        "acknowledgement:ditto.acklabel.forbidden", 400, "Only the server may issue this acknowledgement.",
        "Issue acknowledgements with a label of your own.")
    /// Clients compare both texts, with the label in the place of `<L>` (§14); see `TwinspanError.labelNotDeclared`.
    public static let labelNotDeclared = ErrorRow(
        "acknowledgement:label.not.declared", 400,
        "Cannot send acknowledgement with a label which is not declared.",
        "Each connection may only send acknowledgements whose label matches one declared for the connection.")
    public static let labelNotUnique = ErrorRow(
        "acknowledgement:label.not.unique", 409, "The declared label is taken by another subscriber.",
        "Declare labels that begin with something of your own, e.g. the connection id.")
    public static let duplicateCorrelationID = ErrorRow(
        "acknowledgement:request.duplicate.correlation-id", 409,
        "The correlation id is in use by another request for acknowledgements.",
        "Use a new correlation-id for every signal that asks for acknowledgements.")
    public static let requestParsingFailed = ErrorRow(
        "acknowledgement:request.parsing.failed", 422, "A requested acknowledgement is not valid.",
        "'requested-acks' is an array of labels; they have 3 to 165 letters, digits, '-', '_' and ':'.")
    public static let requestTimeout = ErrorRow(
        "acknowledgement:request.timeout", 408, "The acknowledgement did not arrive in time.",
        "Raise the timeout, and check that somebody issues the acknowledgement.")

    /// Every row.
    public static let all: [ErrorRow] = [
        labelInvalid, correlationIDMissing, builtInLabelForbidden, labelNotDeclared, labelNotUnique,
        duplicateCorrelationID, requestParsingFailed, requestTimeout,
    ]
}

extension TwinspanError {
    /// `acknowledgement:label.not.declared`, with the texts that clients compare (§14).
    public static func labelNotDeclared(_ label: AckLabel) -> TwinspanError {
        AckErrorTable.labelNotDeclared.error(
            "Cannot send acknowledgement with label <\(label.text)>, which is not declared.")
    }

    /// `acknowledgement:request.timeout`, the payload of an acknowledgement that did not come.
    public static func ackTimeout(_ label: AckLabel, milliseconds: Int64) -> TwinspanError {
        AckErrorTable.requestTimeout.error(
            "The acknowledgement '\(label.text)' did not arrive within \(milliseconds) ms.")
    }
}
