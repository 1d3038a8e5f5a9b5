// The errors of policy commands, by the resource that is addressed (spec/protocol.md §6.3, §12.3, A.3.3).
import TwinspanJSON
import TwinspanProtocol

extension TwinspanError {
    /// The resource is absent, or its asker may not read it: the two cannot be told apart.
    static func notFound(_ resource: PolicyPath, of id: PolicyID) -> TwinspanError {
        resource.kind.notFoundRow.error("\(resource.sentenceStart(of: id)) could not be found.")
    }

    /// WRITE is missing on the resource or on something below it.
    static func notModifiable(_ resource: PolicyPath, of id: PolicyID) -> TwinspanError {
        resource.kind.notModifiableRow.error(
            "\(resource.sentenceStart(of: id)) may not be modified.",
            description: "You need WRITE on 'policy:\(resource.path)' and everything below it.")
    }

    static func policyConflict(_ id: PolicyID) -> TwinspanError {
        PolicyErrorTable.conflict.error(
            "A policy with the id '\(id)' exists already.",
            description: "Choose another id, or modify the policy.")
    }

    /// The modifier of the whole policy would lose WRITE on it.
    static func policyLockout(_ id: PolicyID) -> TwinspanError {
        PolicyErrorTable.modificationInvalid.error(
            "The policy '\(id)' cannot be changed so that you lose WRITE on it.",
            description: "Keep WRITE on 'policy:/', or set the header allow-policy-lockout to true.")
    }

    /// A local reference of the entry `referrer` still has `label` as its target.
    static func entryReferenceConflict(_ label: String, referrer: String) -> TwinspanError {
        PolicyErrorTable.entryReferenceConflict.error(
            "The entry '\(label.shortened)' is the target of a reference of entry '\(referrer.shortened)'.",
            description: "Remove the reference first.")
    }

    /// A reference of the entry `referrer` still uses the import.
    static func importReferenceConflict(_ imported: String, referrer: String) -> TwinspanError {
        PolicyErrorTable.importReferenceConflict.error(
            "The import of '\(imported.shortened)' is used by a reference of entry '\(referrer.shortened)'.",
            description: "Remove the reference first.")
    }

    static func subjectExpired(_ expiry: String) -> TwinspanError {
        PolicyErrorTable.subjectExpiryInvalid.error(
            "The subject expiry '\(expiry)' is past.",
            description: "Use an ISO-8601 instant that is not past; it is rounded up to the next full hour.")
    }

    static func policyViewInvalid(_ text: String) -> TwinspanError {
        PolicyErrorTable.viewInvalid.error(
            "The policy view '\(text.shortened)' is not known.",
            description: "Use 'original' or 'resolved'.")
    }

    /// The resource has no such command: entries cannot be deleted all at once, and only policies can be created.
    static func policyActionUnknown(_ action: PolicyCommand.Action, _ resource: PolicyPath) -> TwinspanError {
        GeneralErrorTable.unknownPath.error(
            "There is no command '\(action)' for the path '\(resource.path.description.shortened)' of a policy.",
            description: "Modify it, or address the part that is meant.")
    }

    static func policyUnchanged() -> TwinspanError {
        GeneralErrorTable.policyPreconditionFailed.error(
            description: "The value equals the stored one, and 'if-equal' asks to skip such changes.")
    }
}

extension PolicyPath {
    /// "The subject 'a:b' of entry 'l' of the policy 'n:p'".
    fileprivate func sentenceStart(of id: PolicyID) -> String {
        let entry = label.map { "entry '\($0.shortened)' of the policy '\(id)'" } ?? "the policy '\(id)'"
        let imported = "the import '\((importedID ?? "").shortened)' of the policy '\(id)'"
        return switch kind {
        case .policy: "The policy '\(id)'"
        case .entries: "The entries of the policy '\(id)'"
        case .entry: "The \(entry)"
        case .subjects: "The subjects of \(entry)"
        case .subject: "The subject '\((key ?? "").shortened)' of \(entry)"
        case .resources: "The resources of \(entry)"
        case .resource: "The resource '\((key ?? "").shortened)' of \(entry)"
        case .namespaces: "The namespaces of \(entry)"
        case .importable: "The importable type of \(entry)"
        case .allowedAdditions: "The allowed additions of \(entry)"
        case .references: "The references of \(entry)"
        case .imports: "The imports of the policy '\(id)'"
        case .policyImport: "The import '\((importedID ?? "").shortened)' of the policy '\(id)'"
        case .importEntries: "The entries of \(imported)"
        case .transitiveImports: "The transitive imports of \(imported)"
        }
    }
}
