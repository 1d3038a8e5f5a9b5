// One import of a policy (spec/policies-search.md A.5). Read, checked and kept; resolving it needs other policies.
public import TwinspanJSON
public import TwinspanProtocol

/// A member of `imports`: `"<policyId>": {"entries"?: [label…], "transitiveImports"?: [policyId…]}`.
public struct PolicyImport: Sendable, Equatable {
    /// The policy that is imported.
    public let policyID: PolicyID
    /// The labels of the explicit entries that are taken; nil when the import was written as `{}`.
    public let entries: [String]?
    /// Those imports of the imported policy that are followed.
    public let transitiveImports: [PolicyID]

    /// The value of the member. `transitiveImports` is written only when there are any.
    public var json: JSONValue {
        var object = JSONObject()
        if let entries { object["entries"] = .array(entries.map { .string($0) }) }
        if !transitiveImports.isEmpty {
            object["transitiveImports"] = .array(transitiveImports.map { .string($0.text) })
        }
        return .object(object)
    }

    /// Reads a member of the imports of `importer`.
    ///
    /// Throws `policies:id.invalid` for the key, `policies:import.invalid` when a policy imports itself or a
    /// transitive import is no policy id, `json.invalid` for a value of a wrong type.
    public static func parse(key: String, _ json: JSONValue, of importer: PolicyID) throws(TwinspanError) -> Self {
        let policyID = try PolicyID(key)
        guard policyID != importer else {
            throw PolicyErrors.importInvalid("The policy '\(importer)' must not import itself.")
        }
        let object = try PolicyJSON.object(json, "imports/\(key)")
        var transitiveImports: [PolicyID] = []
        if let list = object["transitiveImports"] {
            for element in try PolicyJSON.array(list, "imports/\(key)/transitiveImports") {
                transitiveImports.append(try transitiveImport(element, of: importer))
            }
        }
        var entries: [String]?
        if !object.isEmpty {
            // A non-empty import is always written back with its entries, also when none were given.
            entries = try PolicyJSON.stringsIgnoringOthers(object["entries"] ?? [], "imports/\(key)/entries")
        }
        return PolicyImport(policyID: policyID, entries: entries, transitiveImports: transitiveImports)
    }

    private static func transitiveImport(_ json: JSONValue, of importer: PolicyID) throws(TwinspanError) -> PolicyID {
        // The reason why it is no id is the same for every element: it is no import.
        guard let text = json.string, let id = try? PolicyID(text) else {
            throw PolicyErrors.importInvalid("A transitive import of the policy '\(importer)' is not a policy id.")
        }
        guard id != importer else {
            throw PolicyErrors.importInvalid("The policy '\(importer)' must not import itself transitively.")
        }
        return id
    }
}
