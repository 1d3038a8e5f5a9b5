// The policy as a value: read from JSON with all checks, written back in Ditto's form. It decides nothing itself;
// `PolicyEnforcer` is compiled from it once per revision.
public import TwinspanJSON
public import TwinspanProtocol

/// Who may do what with the things that name this policy, and with the policy itself.
public struct Policy: Sendable, Equatable {
    /// The id, under which it is stored.
    public let id: PolicyID
    /// The imported policies in the order written; nil when `imports` was not declared.
    public let imports: [PolicyImport]?
    /// The entries in the order written. The order never affects a decision.
    public let entries: [PolicyEntry]

    /// A policy of the given entries, without imports.
    public init(id: PolicyID, entries: [PolicyEntry]) {
        self.init(id: id, imports: nil, entries: entries)
    }

    /// The policy that a thing gets which names none: its owner may do everything (spec/policies-search.md A.3.2).
    /// `subject` must be a legal subject id.
    public static func generated(id: PolicyID, owner subject: String) -> Policy {
        let resources = PolicyResourceType.allCases.map { type in
            PolicyResource(type, .root, grants: [.read, .write])
        }
        let owner = PolicySubject(id: subject, type: "generated")
        return Policy(id: id, entries: [PolicyEntry(label: "DEFAULT", subjects: [owner], resources: resources)])
    }

    /// Ditto's default representation: `policyId`, `imports` if declared, `entries`.
    public var json: JSONValue {
        var members: [(String, JSONValue)] = [("policyId", .string(id.text))]
        if let imports {
            members.append(("imports", .object(JSONObject(imports.map { ($0.policyID.text, $0.json) }))))
        }
        members.append(("entries", .object(JSONObject(entries.map { ($0.label, $0.json) }))))
        return .object(JSONObject(members))
    }

    /// The entry of a label.
    public subscript(label: String) -> PolicyEntry? {
        entries.first { $0.label.hasSameBytes(as: label) }
    }

    /// Whether somebody can always repair the policy: a subject without expiry in an entry that grants WRITE exactly on
    /// `policy:/`, and which no entry that revokes WRITE there contains. Deeper paths are ignored. References to other
    /// entries of the policy count, those to imported ones do not: what they lead to is not known here.
    public var hasPermanentOwner: Bool {
        var owners: Set<ByteName> = []
        var deprived: Set<ByteName> = []
        for stored in entries {
            let entry = stored.mergingReferences { $0.importedPolicy == nil ? self[$0.entry] : nil }
            for resource in entry.resources where resource.type == .policy && resource.path.isRoot {
                if resource.revokes.contains(.write) {
                    deprived.formUnion(entry.subjects.map { ByteName(text: $0.id) })
                } else if resource.grants.contains(.write) {
                    owners.formUnion(entry.subjects.filter { $0.expiry == nil }.map { ByteName(text: $0.id) })
                }
            }
        }
        return !owners.isSubset(of: deprived)
    }

    /// Refuses a policy that would lock everybody out (spec/policies-search.md A.9.3). A policy with imports is exempt:
    /// its owner may come from an imported one.
    ///
    /// - Parameter label: the entry whose change led here, nil when the whole policy or all entries were written.
    /// - Throws: `policies:policy.modificationinvalid`, or `policies:entry.modificationinvalid` with a label; both 403.
    public func validateOwnership(changedEntry label: String? = nil) throws(TwinspanError) {
        guard imports?.isEmpty ?? true, !hasPermanentOwner else { return }
        throw label.map { PolicyErrors.entryWithoutOwner($0, id) } ?? PolicyErrors.policyWithoutOwner(id)
    }

    init(id: PolicyID, imports: [PolicyImport]?, entries: [PolicyEntry]) {
        self.id = id
        self.imports = imports
        self.entries = entries
    }
}

/// A subject id or path level in a set, compared by its bytes.
struct ByteName: BytewiseText {
    let text: String
}
