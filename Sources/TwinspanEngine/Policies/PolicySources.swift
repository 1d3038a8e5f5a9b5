// What a policy may build on, asked when it is written (spec/policies-search.md A.5, A.6): whoever writes an import or
// a reference must be able to read what it brings, or he could find out about policies that are not his.
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

/// The imports and references of a policy as it would be.
struct PolicySources {
    private let policy: Policy
    private let writer: AuthorizationContext

    init(of policy: Policy, writer: AuthorizationContext) {
        self.policy = policy
        self.writer = writer
    }

    /// Checks what a create or modify of `resource` brings in.
    ///
    /// Throws `policies:policy.notfound` naming an imported policy that does not exist, or of which the writer may not
    /// read what is imported; `policies:import.invalid` for a reference to an imported entry that does not exist or
    /// may never be imported.
    func check(
        at resource: PolicyPath, _ cache: inout PolicyCache, _ inquiry: inout PolicyInquiry
    ) throws(TwinspanError) {
        let imports = imports(at: resource)
        let references = references(at: resource)
        if imports.isEmpty, references.isEmpty { return }
        try cache.require(imports.map(\.policyID) + references.compactMap(\.importedPolicy), for: &inquiry)
        for item in imports { try check(item, &cache, &inquiry) }
        for reference in references { try check(reference, &cache, &inquiry) }
    }

    private func imports(at resource: PolicyPath) -> [PolicyImport] {
        let all = policy.imports ?? []
        return switch resource.kind {
        case .policy, .imports: all
        case .policyImport, .importEntries:
            all.filter { resource.importedID?.hasSameBytes(as: $0.policyID.text) == true }
        default: []
        }
    }

    /// The references to entries of imported policies; those to entries of the policy itself need nothing else.
    private func references(at resource: PolicyPath) -> [PolicyEntry.Reference] {
        let entries: [PolicyEntry] =
            switch resource.kind {
            case .policy, .entries: policy.entries
            case .entry, .references: resource.label.flatMap { policy[$0] }.map { [$0] } ?? []
            default: []
            }
        return entries.flatMap(\.references).filter { $0.importedPolicy != nil }
    }

    private func check(
        _ item: PolicyImport, _ cache: inout PolicyCache, _ inquiry: inout PolicyInquiry
    ) throws(TwinspanError) {
        guard let source = try cache.policy(item.policyID, for: &inquiry),
            let enforcer = try cache.enforcer(of: item.policyID, for: &inquiry)
        else { throw .notFound(.root, of: item.policyID) }
        let implicit = source.entries.filter { $0.importable == .implicit }.map(\.label)
        for label in implicit + (item.entries ?? []) where !mayRead(label, enforcer) {
            throw .notFound(.root, of: item.policyID)
        }
    }

    private func check(
        _ reference: PolicyEntry.Reference, _ cache: inout PolicyCache, _ inquiry: inout PolicyInquiry
    ) throws(TwinspanError) {
        guard let id = reference.importedPolicy else { return }
        // Whether there is such an entry is told to those only who may read it.
        guard let source = try cache.policy(id, for: &inquiry),
            let enforcer = try cache.enforcer(of: id, for: &inquiry), mayRead(reference.entry, enforcer)
        else { throw .notFound(.root, of: id) }
        if let target = source[reference.entry] {
            guard target.importable == .never else { return }
            throw Self.invalid(reference, of: id, "may never be imported")
        }
        // The policy may itself have it from another one, if the import says so.
        let label = "imported-\(id)-\(reference.entry)"
        let resolved = try cache.resolve(policy, revision: 0, for: &inquiry).resolved
        guard resolved.entries.contains(where: { $0.entry.label.hasSameBytes(as: label) }) else {
            throw Self.invalid(reference, of: id, "does not exist")
        }
    }

    private func mayRead(_ label: String, _ enforcer: PolicyEnforcer) -> Bool {
        enforcer.isUnrestricted(.read, .policy, .entry(label), subjects: writer, namespace: "")
    }

    private static func invalid(
        _ reference: PolicyEntry.Reference, of id: PolicyID, _ why: String
    ) -> TwinspanError {
        PolicyErrorTable.importInvalid.error(
            "The entry '\(reference.entry.shortened)' of the imported policy '\(id)' \(why).",
            description: "Refer to an entry that the imported policy lets others import.")
    }
}

extension JSONPointer {
    /// An entry of a policy.
    static func entry(_ label: String) -> JSONPointer { JSONPointer(segments: ["entries", label]) }
}
