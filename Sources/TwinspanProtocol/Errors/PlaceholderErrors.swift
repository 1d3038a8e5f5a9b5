// The errors of placeholders (spec/protocol.md §12.11). `placeholder:unresolved` stands in `GeneralErrors.swift`.

/// Rows whose code belongs to placeholders.
public enum PlaceholderErrorTable {
    public static let signatureInvalid = ErrorRow(
        "placeholder:function.signature.invalid", 400, "A function of a placeholder has the wrong arguments.",
        "Check the number and the kind of the arguments.")
    public static let tooComplex = ErrorRow(
        "placeholder:function.too.complex", 400, "A placeholder has too many functions.", "Use fewer functions.")
    public static let functionUnknown = ErrorRow(
        "placeholder:function.unknown", 400, "A function of a placeholder is not known.",
        "Check the name behind 'fn:'.")
    public static let notResolvable = ErrorRow(
        "placeholder:placeholder.notresolvable", 400, "A placeholder is not known.",
        "Use a placeholder that exists in this place.")
    public static let referenceNotSupported = ErrorRow(
        "placeholder:placeholder.reference.notsupported", 400, "A reference names a kind of entity that is not known.",
        "Use 'ref:things/<thingId>/policyId'.")
    public static let referenceUnknownField = ErrorRow(
        "placeholder:placeholder.reference.unknownfield", 400, "The entity of a reference does not have this field.",
        "Use 'ref:things/<thingId>/policyId'.")

    /// Every row.
    public static let all: [ErrorRow] = [
        signatureInvalid, tooComplex, functionUnknown, notResolvable, referenceNotSupported, referenceUnknownField,
    ]
}
