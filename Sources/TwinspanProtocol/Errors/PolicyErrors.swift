// The errors of policies: one line each, code and status as in spec/protocol.md §12.3.

/// Rows whose code belongs to policies.
public enum PolicyErrorTable {
    static let checkRead = "Check that it exists and that the policy grants you READ on it."
    static let grantWrite = "You need WRITE on the addressed part of 'policy:/' and everything below it."
    static let keepOwner =
        "At least one permanent subject, one without expiry, must have WRITE granted and not revoked on 'policy:/'."

    public static let idInvalid = ErrorRow(
        "policies:id.invalid", 400, "The policy id is not valid.",
        "A policy id is 'namespace:name', at most 256 characters, without slashes or control characters.")
    public static let idNotSettable = ErrorRow(
        "policies:id.notsettable", 400, "The policy id in the value differs from the id that is addressed.",
        "Leave 'policyId' out of the value or make it equal to the addressed id.")
    public static let conflict = ErrorRow(
        "policies:policy.conflict", 409, "A policy with this id exists already.",
        "Choose another id, or use 'modify' to replace it.")
    public static let notFound = ErrorRow(
        "policies:policy.notfound", 404, "The policy could not be found.",
        "Check that it exists and that it grants you READ.")
    public static let notModifiable = ErrorRow(
        "policies:policy.notmodifiable", 403, "The policy may not be modified.",
        "You need WRITE on 'policy:/' and everything below it.")
    public static let notCreatable = ErrorRow(
        "policies:policy.notcreatable", 403, "The policy may not be created.",
        "Its creator must keep WRITE on 'policy:/', or set the header allow-policy-lockout to true.")
    public static let modificationInvalid = ErrorRow(
        "policies:policy.modificationinvalid", 403, "The policy would have no owner.", keepOwner)
    public static let tooLarge = ErrorRow(
        "policies:policy.toolarge", 413, "The policy would become larger than allowed.",
        "Split it, or raise 'limits.policyBytes'.")
    public static let tooManyModifyingRequests = ErrorRow(
        "policies:policy.toomanymodifyingrequests", 429, "Too many changes are waiting to be stored.",
        "Try again later.")
    public static let unavailable = ErrorRow(
        "policies:policy.unavailable", 503, "The policy is temporarily unavailable.",
        "The store does not accept changes at the moment; /ready says why. Try again.")
    public static let historyNotFound = ErrorRow(
        "policies:policy.history.notfound", 404, "There is no state of the policy at this revision or time.",
        "Ask for a revision that the journal still has.")
    public static let preconditionFailed = ErrorRow(
        "policies:precondition.failed", 412, "The precondition of the request is not met.",
        "Compare the 'etag' of the policy with if-match or if-none-match.")
    public static let preconditionNotModified = ErrorRow(
        "policies:precondition.notmodified", 304, "The policy is unchanged.")
    public static let viewInvalid = ErrorRow(
        "policies:view.invalid", 400, "The policy view is not known.",
        "Set the header policy-view to 'original' or 'resolved'.")
    public static let actionFailed = ErrorRow(
        "policies:action.failed", 400, "The action on the policy could not be executed.",
        "Authenticate with a token, and check that an entry holds your subject and grants READ on a thing.")

    public static let entryInvalid = ErrorRow(
        "policies:entry.invalid", 400, "The policy entry is not valid.",
        "Labels have 1 to 256 characters, without slashes or control characters; permissions are READ, WRITE, EXECUTE.")
    public static let entryModificationInvalid = ErrorRow(
        "policies:entry.modificationinvalid", 403, "Changing the entry would leave the policy without owner.",
        keepOwner)
    public static let entryReferenceConflict = ErrorRow(
        "policies:entry.referenceconflict", 409, "Another entry refers to this one.",
        "Remove the references to the entry first.")
    public static let labelInvalid = ErrorRow(
        "policies:label.invalid", 400, "The label is reserved.",
        "Labels must not start with 'imported' or 'nsimported'.")
    public static let subjectIDInvalid = ErrorRow(
        "policies:subjectid.invalid", 400, "The subject id is not valid.",
        "A subject id is '<issuer>:<subject>', at most 256 characters, without control characters.")
    public static let subjectExpiryInvalid = ErrorRow(
        "policies:subjectexpiry.invalid", 400, "The expiry of the subject is not valid.",
        "Use an ISO-8601 instant that is not past, e.g. '2030-01-01T12:00:00Z'.")
    public static let subjectAnnouncementInvalid = ErrorRow(
        "policies:subjectannouncement.invalid", 400, "The announcement of the subject is not valid.",
        "Use a whole number with a unit; 'beforeExpiry' takes h, m or s.")
    public static let importInvalid = ErrorRow(
        "policies:import.invalid", 400, "The import is not valid.",
        "A policy may import other policies by their id, never itself.")
    public static let importReferenceConflict = ErrorRow(
        "policies:import.referenceconflict", 409, "Entries refer to the import.",
        "Remove the references to the import first.")
    public static let importsTooLarge = ErrorRow(
        "policies:imports.toolarge", 400, "The policy has too many imports.", "At most 10 are allowed.")

    /// Missing or unreadable parts, by the word in the code.
    public static let entryNotFound = missing("entry", "entry")
    public static let subjectsNotFound = missing("subjects", "subjects of the entry")
    public static let subjectNotFound = missing("subject", "subject")
    public static let resourcesNotFound = missing("resources", "resources of the entry")
    public static let resourceNotFound = missing("resource", "resource")
    public static let importsNotFound = missing("imports", "imports")
    public static let importNotFound = missing("import", "import")

    /// Parts on which WRITE is missing.
    public static let entryNotModifiable = forbidden("entry", "entry")
    public static let subjectsNotModifiable = forbidden("subjects", "subjects of the entry")
    public static let subjectNotModifiable = forbidden("subject", "subject")
    public static let resourcesNotModifiable = forbidden("resources", "resources of the entry")
    public static let resourceNotModifiable = forbidden("resource", "resource")
    public static let importsNotModifiable = forbidden("imports", "imports")
    public static let importNotModifiable = forbidden("import", "import")

    /// Every row.
    public static let all: [ErrorRow] = [
        idInvalid, idNotSettable, conflict, notFound, notModifiable, notCreatable, modificationInvalid, tooLarge,
        tooManyModifyingRequests, unavailable, historyNotFound, preconditionFailed, preconditionNotModified,
        viewInvalid, actionFailed, entryInvalid, entryModificationInvalid, entryReferenceConflict, labelInvalid,
        subjectIDInvalid, subjectExpiryInvalid, subjectAnnouncementInvalid, importInvalid, importReferenceConflict,
        importsTooLarge, entryNotFound, subjectsNotFound, subjectNotFound, resourcesNotFound, resourceNotFound,
        importsNotFound, importNotFound, entryNotModifiable, subjectsNotModifiable, subjectNotModifiable,
        resourcesNotModifiable, resourceNotModifiable, importsNotModifiable, importNotModifiable,
    ]

    private static func missing(_ word: String, _ noun: String) -> ErrorRow {
        ErrorRow("policies:\(word).notfound", 404, "The \(noun) could not be found.", checkRead)
    }

    private static func forbidden(_ word: String, _ noun: String) -> ErrorRow {
        ErrorRow("policies:\(word).notmodifiable", 403, "The \(noun) may not be modified.", grantWrite)
    }
}

extension PolicyPath.Kind {
    /// The 404 of the addressed part (spec/protocol.md §6.3); parts of an entry without code of their own are missing
    /// when the entry is.
    public var notFoundRow: ErrorRow {
        switch self {
        case .policy, .entries: PolicyErrorTable.notFound
        case .entry, .namespaces, .importable, .allowedAdditions, .references: PolicyErrorTable.entryNotFound
        case .subjects: PolicyErrorTable.subjectsNotFound
        case .subject: PolicyErrorTable.subjectNotFound
        case .resources: PolicyErrorTable.resourcesNotFound
        case .resource: PolicyErrorTable.resourceNotFound
        case .imports: PolicyErrorTable.importsNotFound
        case .policyImport, .importEntries, .transitiveImports: PolicyErrorTable.importNotFound
        }
    }

    /// The 403 of the addressed part when WRITE is missing (spec/protocol.md §6.3).
    public var notModifiableRow: ErrorRow {
        switch self {
        case .policy, .entries: PolicyErrorTable.notModifiable
        case .entry, .namespaces, .importable, .allowedAdditions, .references: PolicyErrorTable.entryNotModifiable
        case .subjects: PolicyErrorTable.subjectsNotModifiable
        case .subject: PolicyErrorTable.subjectNotModifiable
        case .resources: PolicyErrorTable.resourcesNotModifiable
        case .resource: PolicyErrorTable.resourceNotModifiable
        case .imports: PolicyErrorTable.importsNotModifiable
        case .policyImport, .importEntries, .transitiveImports: PolicyErrorTable.importNotModifiable
        }
    }
}
