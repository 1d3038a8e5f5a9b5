// Reading the value of one resource of a policy, by the same rules as the whole (spec/protocol.md §6.3, A.1.1).
public import TwinspanJSON
public import TwinspanProtocol

/// The values of the resources of a policy.
public enum PolicyPart {
    /// The value as Ditto writes it: defaults filled in, duplicates and unknown members dropped.
    ///
    /// What depends on other parts of the policy is checked when the policy that results is read: references above all.
    ///
    /// Throws the errors of `Policy.parse` that the value or the keys of the path can cause.
    public static func canonical(
        _ json: JSONValue, at resource: PolicyPath, of id: PolicyID, limits: PolicyLimits = .standard
    ) throws(TwinspanError) -> JSONValue {
        try checkKeys(of: resource)
        let keys = resource.path.segments
        switch resource.kind {
        case .policy:
            return try Policy.parse(json, id: id, limits: limits.unsized).json
        case .entries:
            var entries: [(String, JSONValue)] = []
            for member in try PolicyJSON.object(json, "entries") {
                entries.append((member.key, try PolicyEntry.parse(label: member.key, member.value).json))
            }
            return .object(JSONObject(entries))
        case .entry:
            return try PolicyEntry.parse(label: keys[1], json).json
        case .subjects, .subject, .resources, .resource, .namespaces, .importable, .allowedAdditions, .references:
            // Read as the only part of an entry, so that each part has one reader.
            let path = resource.path.dropFirst(2)
            var entry: JSONValue = [:]
            entry.set(json, at: path)
            // Only an empty list of references is not written.
            return try PolicyEntry.parse(label: keys[1], entry).json.value(at: path) ?? []
        case .imports:
            let policy = try Policy.parse(["imports": json, "entries": [:]], id: id, limits: limits.unsized)
            return policy.json.value(at: resource.path) ?? [:]
        case .policyImport:
            return try PolicyImport.parse(key: keys[1], json, of: id).json
        case .importEntries, .transitiveImports:
            let read = try PolicyImport.parse(key: keys[1], [keys[2]: json], of: id)
            // Only an empty list of transitive imports is not written.
            return read.json.value(at: resource.path.dropFirst(2)) ?? []
        }
    }

    /// Checks the label, subject id, resource key or policy id that a path holds.
    ///
    /// Throws `policies:label.invalid`, `policies:entry.invalid`, `policies:subjectid.invalid`, `policies:id.invalid`,
    /// and for resource keys `json.invalid` and `json.pointer.invalid`.
    public static func checkKeys(of resource: PolicyPath) throws(TwinspanError) {
        if let label = resource.label { try PolicyEntry.checkLabel(label) }
        if let imported = resource.importedID { _ = try PolicyID(imported) }
        guard let key = resource.key else { return }
        if resource.kind == .resource {
            _ = try PolicyResource.parse(key: key, [:])
        } else if !PolicySubject.isLegalID(key) {
            throw PolicyErrors.subjectIDInvalid(key)
        }
    }
}

extension PolicyLimits {
    /// Without the limit of size, which is judged on the policy that results.
    fileprivate var unsized: PolicyLimits { PolicyLimits(sizeBytes: 0, imports: imports) }
}
