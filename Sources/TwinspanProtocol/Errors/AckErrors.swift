// The errors of acknowledgements (spec/protocol.md §12.5).

/// Rows whose code belongs to acknowledgements.
public enum AckErrorTable {
    public static let labelInvalid = ErrorRow(
        "acknowledgement:label.invalid", 400, "The label of an acknowledgement is not valid.",
        "Labels have 3 to 165 letters, digits, '-', '_' and ':'.")

    /// Every row.
    public static let all: [ErrorRow] = [labelInvalid]
}
