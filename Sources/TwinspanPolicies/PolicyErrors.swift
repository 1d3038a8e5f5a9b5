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
        GeneralErrorTable.jsonFieldMissing.error(
            "The field '\(shortened(field))' is missing.", description: modelHint)
    }

    static func resourceKeyInvalid(_ key: String) -> TwinspanError {
        .jsonInvalid(
            "The resource key '\(shortened(key))' is not valid.",
            hint: "A resource key is '<type>:/<path>', e.g. 'thing:/features'.")
    }

    static func resourcePathInvalid(_ key: String, _ error: JSONPointerError) -> TwinspanError {
        GeneralErrorTable.jsonPointerInvalid.error(
            "The path of the resource key '\(shortened(key))' is not valid.", description: "\(error)")
    }

    // MARK: Entries

    static func labelReserved(_ label: String) -> TwinspanError {
        PolicyErrorTable.labelInvalid.error("The label '\(shortened(label))' is reserved.")
    }

    static func entryInvalid(_ message: String, hint: String) -> TwinspanError {
        PolicyErrorTable.entryInvalid.error(message, description: hint)
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
        PolicyErrorTable.subjectIDInvalid.error("The subject id '\(shortened(id))' is not valid.")
    }

    static func subjectExpiryInvalid(_ text: String) -> TwinspanError {
        PolicyErrorTable.subjectExpiryInvalid.error("The subject expiry '\(shortened(text))' is not valid.")
    }

    static func subjectAnnouncementInvalid(_ text: String) -> TwinspanError {
        PolicyErrorTable.subjectAnnouncementInvalid.error(
            "The duration '\(shortened(text))' in a subject announcement is not valid.")
    }

    // MARK: Imports

    static func importInvalid(_ message: String) -> TwinspanError {
        PolicyErrorTable.importInvalid.error(message)
    }

    static func importsTooLarge(_ count: Int, limit: Int) -> TwinspanError {
        PolicyErrorTable.importsTooLarge.error(
            "The policy has \(count) imports.", description: "At most \(limit) are allowed.")
    }

    // MARK: Whole policies

    static func idNotSettable(_ given: PolicyID, addressed: PolicyID) -> TwinspanError {
        PolicyErrorTable.idNotSettable.error(
            "The policy id '\(given)' in the value differs from '\(addressed)', which is addressed.")
    }

    static func tooLarge(_ bytes: Int, limit: Int) -> TwinspanError {
        PolicyErrorTable.tooLarge.error("The policy would have \(bytes) bytes, \(limit) are allowed.")
    }

    static func policyWithoutOwner(_ id: PolicyID) -> TwinspanError {
        PolicyErrorTable.modificationInvalid.error("The policy '\(id)' would have no owner.")
    }

    static func entryWithoutOwner(_ label: String, _ id: PolicyID) -> TwinspanError {
        PolicyErrorTable.entryModificationInvalid.error(
            "Changing the entry '\(shortened(label))' would leave the policy '\(id)' without owner.")
    }

    private static let modelHint = "Check the policy against the JSON model of policies."

    /// Peer text for a message: not longer than a reader needs.
    private static func shortened(_ text: String) -> String {
        text.count <= 100 ? text : "\(text.prefix(100))…"
    }
}
