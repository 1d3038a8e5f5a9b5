// The references between the entries of a policy, asked whether a change would leave one without its target
// (spec/protocol.md §6.3, A.5, A.6).
import TwinspanJSON
import TwinspanProtocol

/// Every reference of a stored policy.
struct PolicyReferences {
    private struct Reference {
        let referrer: String
        /// The imported policy, nil for a reference to an entry of the same policy.
        let imported: String?
        let entry: String
    }

    private let references: [Reference]
    private let policy: JSONValue

    /// Collects the references of a policy that was checked when it was stored.
    init(in policy: JSONValue) {
        self.policy = policy
        var references: [Reference] = []
        for (label, entry) in policy.object?["entries"]?.object?.members ?? [] {
            for element in entry.object?["references"]?.array ?? [] {
                guard let object = element.object, let target = object["entry"]?.string else { continue }
                references.append(Reference(referrer: label, imported: object["import"]?.string, entry: target))
            }
        }
        self.references = references
    }

    /// Refuses a change that takes away what a reference needs; `after` is the policy it would lead to.
    ///
    /// What is written by its own resource is told as a conflict. A whole entry or policy that contradicts itself is
    /// not: reading it fails with `policies:entry.invalid` or `policies:import.invalid`.
    ///
    /// Throws `policies:entry.referenceconflict`, `policies:import.referenceconflict`; both 409.
    func check(
        _ action: PolicyCommand.Action, at resource: PolicyPath, after: JSONValue
    ) throws(TwinspanError) {
        guard !references.isEmpty else { return }
        switch resource.kind {
        case .entry where action == .delete: try checkNoTarget(resource)
        case .importable where after.value(at: resource.path)?.string == "never": try checkNoTarget(resource)
        case .imports, .policyImport, .importEntries: try checkImports(after: after)
        default: break
        }
    }

    private func checkNoTarget(_ resource: PolicyPath) throws(TwinspanError) {
        guard let label = resource.label else { return }
        for reference in references where reference.imported == nil && reference.entry.hasSameBytes(as: label) {
            throw .entryReferenceConflict(label, referrer: reference.referrer)
        }
    }

    private func checkImports(after: JSONValue) throws(TwinspanError) {
        for reference in references {
            guard let imported = reference.imported else { continue }
            let path = JSONPointer(segments: ["imports", imported])
            // An implicit entry need not be listed; one that was listed and no longer is, is taken away.
            let wasListed = Self.lists(policy.value(at: path), reference.entry)
            let next = after.value(at: path)
            guard next != nil, !wasListed || Self.lists(next, reference.entry) else {
                throw .importReferenceConflict(imported, referrer: reference.referrer)
            }
        }
    }

    private static func lists(_ policyImport: JSONValue?, _ label: String) -> Bool {
        policyImport?.object?["entries"]?.array?.contains { $0.string?.hasSameBytes(as: label) == true } ?? false
    }
}
