// Reading a policy, with every check that needs nothing but the policy itself (spec/policies-search.md A.1.1).
public import TwinspanJSON
public import TwinspanProtocol

extension Policy {
    /// Reads a policy. Members that start with an underscore and unknown ones are dropped.
    ///
    /// - Parameter id: the id that is addressed; without it `policyId` is mandatory.
    /// - Throws: `policies:id.invalid`, `policies:id.notsettable` when `policyId` differs from `id`,
    ///   `policies:label.invalid`, `policies:entry.invalid`, `policies:subjectid.invalid`,
    ///   `policies:subjectexpiry.invalid`, `policies:subjectannouncement.invalid`, `policies:import.invalid`,
    ///   `policies:imports.toolarge`, `json.invalid`, `json.field.missing`, `json.pointer.invalid` (all 400);
    ///   `policies:policy.toolarge` (413).
    public static func parse(
        _ json: JSONValue, id: PolicyID?, limits: PolicyLimits = .standard
    ) throws(TwinspanError) -> Policy {
        let object = try PolicyJSON.object(json, "policy")
        let id = try policyID(object["policyId"], addressed: id)
        let imports = try imports(object["imports"], of: id, limit: limits.imports)
        let policy = Policy(id: id, imports: imports, entries: try entries(object["entries"], imports: imports))
        try policy.checkReferences()
        if limits.sizeBytes > 0 {
            let size = policy.json.bytes.count
            guard size <= limits.sizeBytes else { throw PolicyErrors.tooLarge(size, limit: limits.sizeBytes) }
        }
        return policy
    }

    private static func policyID(_ json: JSONValue?, addressed: PolicyID?) throws(TwinspanError) -> PolicyID {
        guard let json else {
            guard let addressed else { throw PolicyErrors.fieldMissing("policyId") }
            return addressed
        }
        let given = try PolicyID(try PolicyJSON.string(json, "policyId"))
        if let addressed, given != addressed { throw PolicyErrors.idNotSettable(given, addressed: addressed) }
        return given
    }

    private static func imports(
        _ json: JSONValue?, of id: PolicyID, limit: Int
    ) throws(TwinspanError) -> [PolicyImport]? {
        guard let json else { return nil }
        let object = try PolicyJSON.object(json, "imports")
        guard limit <= 0 || object.count <= limit else {
            throw PolicyErrors.importsTooLarge(object.count, limit: limit)
        }
        var imports: [PolicyImport] = []
        for member in object { imports.append(try PolicyImport.parse(key: member.key, member.value, of: id)) }
        return imports
    }

    private static func entries(
        _ json: JSONValue?, imports: [PolicyImport]?
    ) throws(TwinspanError) -> [PolicyEntry] {
        guard let json else {
            // A policy may consist of imports alone; anything else without entries is a mistake worth naming.
            guard imports != nil else { throw PolicyErrors.fieldMissing("entries") }
            return []
        }
        var entries: [PolicyEntry] = []
        for member in try PolicyJSON.object(json, "entries") {
            entries.append(try PolicyEntry.parse(label: member.key, member.value))
        }
        return entries
    }

    /// Checks the references between entries (A.6, write time). Targets in other policies are not looked up here.
    private func checkReferences() throws(TwinspanError) {
        for entry in entries {
            for (index, reference) in entry.references.enumerated() {
                guard !entry.references[..<index].contains(reference) else {
                    throw Self.referenceInvalid(entry, reference, "is given twice")
                }
                if let importedPolicy = reference.importedPolicy {
                    guard imports?.contains(where: { $0.policyID == importedPolicy }) ?? false else {
                        throw PolicyErrors.importInvalid(
                            "The entry '\(entry.label)' refers to '\(importedPolicy)', which is not imported.")
                    }
                } else {
                    try checkLocal(reference, of: entry)
                }
            }
        }
    }

    private func checkLocal(_ reference: PolicyEntry.Reference, of entry: PolicyEntry) throws(TwinspanError) {
        guard !reference.entry.hasSameBytes(as: entry.label) else {
            throw Self.referenceInvalid(entry, reference, "is the entry itself")
        }
        guard let target = self[reference.entry] else {
            throw Self.referenceInvalid(entry, reference, "does not exist")
        }
        guard target.importable != .never else {
            throw Self.referenceInvalid(entry, reference, "may never be imported")
        }
    }

    private static func referenceInvalid(
        _ entry: PolicyEntry, _ reference: PolicyEntry.Reference, _ why: String
    ) -> TwinspanError {
        PolicyErrors.entryInvalid(
            "The reference of entry '\(entry.label)' to '\(reference.entry)' \(why).",
            hint: "Refer once to another entry of this policy, or to an entry of an imported policy.")
    }
}
