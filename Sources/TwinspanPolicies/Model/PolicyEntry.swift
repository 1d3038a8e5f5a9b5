// One labelled entry of a policy: who may do what where (spec/policies-search.md A.1).
public import TwinspanJSON
public import TwinspanProtocol

/// A member of a policy's `entries`.
public struct PolicyEntry: Sendable, Equatable {
    /// Whether other policies get this entry when they import its policy.
    public enum Importable: String, Sendable { case implicit, explicit, never }

    /// What an entry that refers to this one may add of its own.
    public enum AllowedAddition: String, Sendable { case subjects, resources, namespaces }

    /// A template this entry builds on: an entry of the same policy, or of an imported one.
    public struct Reference: Sendable, Equatable {
        /// The imported policy that holds the entry, nil for an entry of the same policy.
        public let importedPolicy: PolicyID?
        /// The label of the entry.
        public let entry: String
    }

    /// The label, unique in the policy.
    public let label: String
    /// Who is meant. Without subjects an entry decides nothing.
    public let subjects: [PolicySubject]
    /// What is granted and revoked. Without resources an entry decides nothing.
    public let resources: [PolicyResource]
    /// The namespaces of things for which the entry counts: nil when never set; nil and empty both mean all.
    public let namespaces: [NamespacePattern]?
    /// Whether importers get this entry.
    public let importable: Importable
    /// What referring entries may add: nil means everything, empty nothing.
    public let allowedAdditions: [AllowedAddition]?
    /// The templates, in the order written.
    public let references: [Reference]

    /// An entry for all namespaces, without references.
    public init(label: String, subjects: [PolicySubject], resources: [PolicyResource]) {
        self.init(
            label: label, subjects: subjects, resources: resources, namespaces: nil, importable: .implicit,
            allowedAdditions: nil, references: [])
    }

    /// The value of the member, as Ditto writes it: `subjects`, `resources` and `importable` always, the rest if set.
    public var json: JSONValue {
        var members: [(String, JSONValue)] = [
            ("subjects", .object(JSONObject(subjects.map { ($0.id, $0.json) }))),
            ("resources", .object(JSONObject(resources.map { ($0.key, $0.json) }))),
        ]
        if let namespaces { members.append(("namespaces", .array(namespaces.map { .string($0.text) }))) }
        members.append(("importable", .string(importable.rawValue)))
        if let allowedAdditions {
            members.append(("allowedAdditions", .array(allowedAdditions.map { .string($0.rawValue) })))
        }
        if !references.isEmpty { members.append(("references", .array(references.map(\.json)))) }
        return .object(JSONObject(members))
    }

    init(
        label: String, subjects: [PolicySubject], resources: [PolicyResource], namespaces: [NamespacePattern]?,
        importable: Importable, allowedAdditions: [AllowedAddition]?, references: [Reference]
    ) {
        self.label = label
        self.subjects = subjects
        self.resources = resources
        self.namespaces = namespaces
        self.importable = importable
        self.allowedAdditions = allowedAdditions
        self.references = references
    }
}

extension PolicyEntry.Reference {
    /// `{"import"?: policyId, "entry": label}`.
    public var json: JSONValue {
        var object = JSONObject()
        if let importedPolicy { object["import"] = .string(importedPolicy.text) }
        object["entry"] = .string(entry)
        return .object(object)
    }
}
