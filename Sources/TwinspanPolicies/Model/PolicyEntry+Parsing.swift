// Reading an entry. What depends on other entries or other policies is checked by the policy.
public import TwinspanJSON
public import TwinspanProtocol

extension PolicyEntry {
    /// Reads a member of `entries`. Absent subjects and resources count as empty, unknown members are dropped.
    ///
    /// Throws `policies:label.invalid` for a reserved label, `policies:entry.invalid` for what the entry itself gets
    /// wrong, the errors of its subjects and resources, `json.invalid` and `json.field.missing`.
    public static func parse(label: String, _ json: JSONValue) throws(TwinspanError) -> PolicyEntry {
        try checkLabel(label)
        let object = try PolicyJSON.object(json, "entries/\(label)")
        var subjects: [PolicySubject] = []
        for member in try members(object["subjects"], "entries/\(label)/subjects") {
            subjects.append(try PolicySubject.parse(id: member.key, member.value))
        }
        var resources: [PolicyResource] = []
        for member in try members(object["resources"], "entries/\(label)/resources") {
            resources.append(try PolicyResource.parse(key: member.key, member.value))
        }
        return PolicyEntry(
            label: label, subjects: subjects, resources: resources,
            namespaces: try namespaces(object["namespaces"], label),
            importable: try importable(object["importable"], label),
            allowedAdditions: try allowedAdditions(object["allowedAdditions"], label),
            references: try references(object["references"], label))
    }

    /// Throws `policies:label.invalid` for a reserved prefix, `policies:entry.invalid` for any other illegal label.
    public static func checkLabel(_ label: String) throws(TwinspanError) {
        // A plain prefix test, as the reference does it: `importedX` is refused as well.
        guard !label.hasPrefix("imported"), !label.hasPrefix("nsimported") else {
            throw PolicyErrors.labelReserved(label)
        }
        let isLegal =
            !label.isEmpty && label.isWithinIDLength && !label.utf8.contains(UInt8(ascii: "/"))
            && !label.hasControlCharacter
        guard isLegal else { throw PolicyErrors.labelInvalid(label) }
    }

    private static func members(_ json: JSONValue?, _ field: String) throws(TwinspanError) -> [JSONObject.Element] {
        guard let json else { return [] }
        return try PolicyJSON.object(json, field).members
    }

    private static func namespaces(_ json: JSONValue?, _ label: String) throws(TwinspanError) -> [NamespacePattern]? {
        guard let json else { return nil }
        var patterns: [NamespacePattern] = []
        for element in try list(json, "namespaces", label) {
            guard let text = element.string, let pattern = NamespacePattern(text) else {
                throw PolicyErrors.namespacePatternInvalid(element.string ?? element.text, label)
            }
            if !patterns.contains(pattern) { patterns.append(pattern) }
        }
        return patterns
    }

    private static func importable(_ json: JSONValue?, _ label: String) throws(TwinspanError) -> Importable {
        guard let json else { return .implicit }
        guard let text = json.string, let importable = Importable(rawValue: text) else {
            throw PolicyErrors.entryInvalid(
                "'importable' of entry '\(label)' is not valid.", hint: "Use implicit, explicit or never.")
        }
        return importable
    }

    private static func allowedAdditions(
        _ json: JSONValue?, _ label: String
    ) throws(TwinspanError) -> [AllowedAddition]? {
        guard let json else { return nil }
        var additions: [AllowedAddition] = []
        for element in try list(json, "allowedAdditions", label) {
            guard let text = element.string, let addition = AllowedAddition(rawValue: text) else {
                throw PolicyErrors.entryInvalid(
                    "'allowedAdditions' of entry '\(label)' is not valid.",
                    hint: "Use a list of subjects, resources and namespaces.")
            }
            if !additions.contains(addition) { additions.append(addition) }
        }
        return additions
    }

    private static func references(_ json: JSONValue?, _ label: String) throws(TwinspanError) -> [Reference] {
        guard let json else { return [] }
        let field = "entries/\(label)/references"
        var references: [Reference] = []
        for element in try PolicyJSON.array(json, field) {
            let object = try PolicyJSON.object(element, field)
            guard let entry = object["entry"] else { throw PolicyErrors.fieldMissing("\(field)/entry") }
            var importedPolicy: PolicyID?
            if let written = object["import"] {
                let text = try PolicyJSON.string(written, "\(field)/import")
                guard !text.isEmpty else { throw PolicyErrors.wrongType("\(field)/import", "the id of a policy") }
                importedPolicy = try PolicyID(text)
            }
            let target = try PolicyJSON.string(entry, "\(field)/entry")
            guard !target.isEmpty else {
                throw PolicyErrors.entryInvalid(
                    "A reference of entry '\(label)' has an empty 'entry'.", hint: "Name the label of an entry.")
            }
            references.append(Reference(importedPolicy: importedPolicy, entry: target))
        }
        return references
    }

    /// The elements of a list whose every fault is `policies:entry.invalid`.
    private static func list(_ json: JSONValue, _ name: String, _ label: String) throws(TwinspanError) -> [JSONValue] {
        guard let array = json.array else {
            throw PolicyErrors.entryInvalid("'\(name)' of entry '\(label)' is not valid.", hint: "Use a list.")
        }
        return array
    }
}
