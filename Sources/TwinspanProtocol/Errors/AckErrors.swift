// The errors of acknowledgements (spec/protocol.md §12.5).

/// Rows whose code belongs to acknowledgements.
public enum AckErrorTable {
    public static let labelInvalid = ErrorRow(
        "acknowledgement:label.invalid", 400, "The label of an acknowledgement is not valid.",
        "Labels have 3 to 165 letters, digits, '-', '_' and ':'.")
    public static let correlationIDMissing = ErrorRow(
        "acknowledgement:correlation-id.missing", 400, "The acknowledgement has no correlation-id.",
        "Repeat the correlation-id of the signal that is acknowledged.")
    public static let labelForbidden = ErrorRow(
        "acknowledgement:ditto.acklabel.forbidden", 400, "A built-in label cannot be issued by clients.",
        "Use a label of your own; 'twin-persisted', 'live-response' and 'search-persisted' are reserved.")
    public static let labelNotDeclared = ErrorRow(
        "acknowledgement:label.not.declared", 400, "The label of the acknowledgement is not declared.",
        // Clients compare this text (§14).
        "Each connection may only send acknowledgements whose label matches one declared for the connection.")
    public static let labelNotUnique = ErrorRow(
        "acknowledgement:label.not.unique", 409, "A declared label is already in use.",
        "Each label may be declared by one subscriber at a time; choose another one.")
    public static let requestParsingFailed = ErrorRow(
        "acknowledgement:request.parsing.failed", 422, "A requested acknowledgement is not valid.",
        "Give 'requested-acks' as an array of labels of 3 to 165 letters, digits, '-', '_' and ':'.")
    public static let requestTimeout = ErrorRow(
        "acknowledgement:request.timeout", 408, "The acknowledgement did not arrive in time.",
        "Check that its issuer is connected and declares the label, or raise the timeout.")

    /// Every row.
    public static let all: [ErrorRow] = [
        labelInvalid, correlationIDMissing, labelForbidden, labelNotDeclared, labelNotUnique, requestParsingFailed,
        requestTimeout,
    ]

    /// `acknowledgement:label.not.declared` with the literal text of §14.
    public static func notDeclared(_ label: AckLabel) -> TwinspanError {
        labelNotDeclared.error("Cannot send acknowledgement with label <\(label)>, which is not declared.")
    }
}
