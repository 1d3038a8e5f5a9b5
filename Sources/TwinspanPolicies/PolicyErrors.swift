// The errors of reading and changing policies, with code and status of spec/protocol.md §12.3 and §12.8.
import TwinspanJSON
import TwinspanProtocol

/// One factory per cause. Texts are ours, except that of a double slash, which clients compare (§14).
enum PolicyErrors {
    // MARK: JSON

    static func wrongType(_ field: String, _ expected: String) -> TwinspanError {
        .jsonInvalid("'\(shortened(field))' must be \(expected).", hint: modelHint)
    }

    static func fieldMissing(_ field: String) -> TwinspanError {
        TwinspanError(
            code: "json.field.missing", status: 400, message: "The field '\(shortened(field))' is missing.",
            description: modelHint)
    }

    static func resourceKeyInvalid(_ key: String) -> TwinspanError {
        .jsonInvalid(
            "The resource key '\(shortened(key))' is not valid.",
            hint: "A resource key is '<type>:/<path>', e.g. 'thing:/features'.")
    }

    static func resourcePathInvalid(_ key: String, _ error: JSONPointerError) -> TwinspanError {
        TwinspanError(
            code: "json.pointer.invalid", status: 400,
            message: "The path of the resource key '\(shortened(key))' is not valid.", description: "\(error)")
    }

    // MARK: Entries

    static func labelReserved(_ label: String) -> TwinspanError {
        TwinspanError(
            code: "policies:label.invalid", status: 400, message: "The label '\(shortened(label))' is reserved.",
            description: "Labels must not start with 'imported' or 'nsimported'.")
    }

    static func entryInvalid(_ message: String, hint: String) -> TwinspanError {
        TwinspanError(code: "policies:entry.invalid", status: 400, message: message, description: hint)
    }

    static func labelInvalid(_ label: String) -> TwinspanError {
        entryInvalid(
            "The label '\(shortened(label))' is not valid.",
            hint: "Labels have 1 to 256 characters, without slashes or control characters.")
    }

    static func permissionUnknown(_ name: String, _ field: String) -> TwinspanError {
        entryInvalid(
            "'\(shortened(name))' in '\(shortened(field))' is not a permission.", hint: "Use READ, WRITE or EXECUTE.")
    }

    static func namespacePatternInvalid(_ text: String, _ label: String) -> TwinspanError {
        entryInvalid(
            "'\(shortened(text))' in the namespaces of entry '\(label)' is not valid.",
            hint: "Use a namespace, or a namespace followed by '.*'.")
    }

    // MARK: Subjects

    static func subjectIDInvalid(_ id: String) -> TwinspanError {
        TwinspanError(
            code: "policies:subjectid.invalid", status: 400, message: "The subject id '\(shortened(id))' is not valid.",
            description: "A subject id is '<issuer>:<subject>', at most 256 characters, without control characters.")
    }

    static func subjectExpiryInvalid(_ text: String) -> TwinspanError {
        TwinspanError(
            code: "policies:subjectexpiry.invalid", status: 400,
            message: "The subject expiry '\(shortened(text))' is not valid.",
            description: "Use an ISO-8601 instant that is not past, e.g. '2030-01-01T12:00:00Z'.")
    }

    static func subjectAnnouncementInvalid(_ text: String) -> TwinspanError {
        TwinspanError(
            code: "policies:subjectannouncement.invalid", status: 400,
            message: "The duration '\(shortened(text))' in a subject announcement is not valid.",
            description: "Use a whole number with a unit; 'beforeExpiry' takes h, m or s.")
    }

    // MARK: Imports

    static func importInvalid(_ message: String) -> TwinspanError {
        TwinspanError(
            code: "policies:import.invalid", status: 400, message: message,
            description: "A policy may import other policies by their id, never itself.")
    }

    static func importsTooLarge(_ count: Int, limit: Int) -> TwinspanError {
        TwinspanError(
            code: "policies:imports.toolarge", status: 400, message: "The policy has \(count) imports.",
            description: "At most \(limit) are allowed.")
    }

    // MARK: Whole policies

    static func idNotSettable(_ given: PolicyID, addressed: PolicyID) -> TwinspanError {
        GeneralErrorTable.policyIDNotSettable.error(
            "The policy id '\(given)' in the value differs from '\(addressed)', which is addressed.")
    }

    static func tooLarge(_ bytes: Int, limit: Int) -> TwinspanError {
        GeneralErrorTable.policyTooLarge.error("The policy would have \(bytes) bytes, \(limit) are allowed.")
    }

    static func policyWithoutOwner(_ id: PolicyID) -> TwinspanError {
        TwinspanError(
            code: "policies:policy.modificationinvalid", status: 403,
            message: "The policy '\(id)' would have no owner.", description: ownerHint)
    }

    static func entryWithoutOwner(_ label: String, _ id: PolicyID) -> TwinspanError {
        TwinspanError(
            code: "policies:entry.modificationinvalid", status: 403,
            message: "Changing the entry '\(shortened(label))' would leave the policy '\(id)' without owner.",
            description: ownerHint)
    }

    private static let modelHint = "Check the policy against the JSON model of policies."
    private static let ownerHint =
        "At least one permanent subject, one without expiry, must have WRITE granted and not revoked on 'policy:/'."

    /// Peer text for a message: not longer than a reader needs.
    private static func shortened(_ text: String) -> String {
        text.count <= 100 ? text : "\(text.prefix(100))…"
    }
}
