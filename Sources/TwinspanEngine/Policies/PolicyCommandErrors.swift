// The errors of policy commands, by the resource that is addressed (spec/protocol.md §6.3, §12.3, A.3.3).
import TwinspanJSON
import TwinspanProtocol

extension TwinspanError {
    /// The resource is absent, or its asker may not read it: the two cannot be told apart.
    static func notFound(_ resource: PolicyPath, of id: PolicyID) -> TwinspanError {
        let code =
            switch resource.kind {
            case .policy, .entries: "policies:policy.notfound"
            case .entry, .namespaces, .importable, .allowedAdditions, .references: "policies:entry.notfound"
            case .subjects: "policies:subjects.notfound"
            case .subject: "policies:subject.notfound"
            case .resources: "policies:resources.notfound"
            case .resource: "policies:resource.notfound"
            case .imports: "policies:imports.notfound"
            case .policyImport, .importEntries, .transitiveImports: "policies:import.notfound"
            }
        return TwinspanError(
            code: code, status: 404, message: "\(resource.sentenceStart(of: id)) could not be found.",
            description: "Check that it exists and that the policy grants you READ on it.")
    }

    /// WRITE is missing on the resource or on something below it.
    static func notModifiable(_ resource: PolicyPath, of id: PolicyID) -> TwinspanError {
        let code =
            switch resource.kind {
            case .policy, .entries: "policies:policy.notmodifiable"
            case .entry, .namespaces, .importable, .allowedAdditions, .references: "policies:entry.notmodifiable"
            case .subjects: "policies:subjects.notmodifiable"
            case .subject: "policies:subject.notmodifiable"
            case .resources: "policies:resources.notmodifiable"
            case .resource: "policies:resource.notmodifiable"
            case .imports: "policies:imports.notmodifiable"
            case .policyImport, .importEntries, .transitiveImports: "policies:import.notmodifiable"
            }
        return TwinspanError(
            code: code, status: 403, message: "\(resource.sentenceStart(of: id)) may not be modified.",
            description: "You need WRITE on 'policy:\(resource.path)' and everything below it.")
    }

    static func policyConflict(_ id: PolicyID) -> TwinspanError {
        TwinspanError(
            code: "policies:policy.conflict", status: 409, message: "A policy with the id '\(id)' exists already.",
            description: "Choose another id, or modify the policy.")
    }

    /// The modifier of the whole policy would lose WRITE on it.
    static func policyLockout(_ id: PolicyID) -> TwinspanError {
        TwinspanError(
            code: "policies:policy.modificationinvalid", status: 403,
            message: "The policy '\(id)' cannot be changed so that you lose WRITE on it.",
            description: "Keep WRITE on 'policy:/', or set the header allow-policy-lockout to true.")
    }

    /// A local reference of the entry `referrer` still has `label` as its target.
    static func entryReferenceConflict(_ label: String, referrer: String) -> TwinspanError {
        TwinspanError(
            code: "policies:entry.referenceconflict", status: 409,
            message: "The entry '\(label.shortened)' is the target of a reference of entry '\(referrer.shortened)'.",
            description: "Remove the reference first.")
    }

    /// A reference of the entry `referrer` still uses the import.
    static func importReferenceConflict(_ imported: String, referrer: String) -> TwinspanError {
        TwinspanError(
            code: "policies:import.referenceconflict", status: 409,
            message: "The import of '\(imported.shortened)' is used by a reference of entry '\(referrer.shortened)'.",
            description: "Remove the reference first.")
    }

    static func subjectExpired(_ expiry: String) -> TwinspanError {
        TwinspanError(
            code: "policies:subjectexpiry.invalid", status: 400, message: "The subject expiry '\(expiry)' is past.",
            description: "Use an ISO-8601 instant that is not past; it is rounded up to the next full hour.")
    }

    static func policyViewInvalid(_ text: String) -> TwinspanError {
        TwinspanError(
            code: "policies:view.invalid", status: 400, message: "The policy view '\(text.shortened)' is not known.",
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
