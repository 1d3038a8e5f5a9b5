// JSON Schema of the files, for editors: made from the declarations of their fields, so that it cannot drift.
public import TwinspanJSON

/// Makes JSON Schema, draft 2020-12.
public enum ConfigurationSchema {
    /// The schema of a connection document.
    public static var connection: JSONValue {
        schema("Twinspan connection", FieldReference.connection)
    }

    /// The schema of `twinspan.yaml`.
    public static var configuration: JSONValue {
        schema("twinspan.yaml", FieldReference.configuration)
    }

    private static func schema(_ title: String, _ groups: [FieldGroup]) -> JSONValue {
        var root: JSONObject = [
            "$schema": "https://json-schema.org/draft/2020-12/schema", "title": .string(title),
        ]
        if let first = groups.first {
            for member in object(first).members { root[member.key] = member.value }
        }
        let rest = groups.dropFirst().map { (definitionName($0.name), JSONValue.object(object($0))) }
        if !rest.isEmpty { root["$defs"] = .object(JSONObject(rest)) }
        return .object(root)
    }

    /// An object with the fields of a group and no others.
    private static func object(_ group: FieldGroup) -> JSONObject {
        var json: JSONObject = ["type": "object"]
        json["properties"] = .object(JSONObject(group.fields.map { ($0.name, .object(property($0))) }))
        let required = group.fields.filter(\.isRequired).map(\.name)
        if !required.isEmpty { json["required"] = .array(required.map { .string($0) }) }
        json["additionalProperties"] = false
        return json
    }

    private static func property(_ field: FieldDeclaration) -> JSONObject {
        var json = value(field.kind)
        let limit = field.limit.map { " \($0.prefix(1).uppercased())\($0.dropFirst())." } ?? ""
        json["description"] = .string(field.documentation + limit)
        if let text = field.defaultText {
            // A default that is no JSON is text.
            json["default"] = (try? JSONValue.parse(text)) ?? .string(text)
        }
        if !field.isServed { json["deprecated"] = true }
        return json
    }

    private static func value(_ kind: FieldDeclaration.Kind) -> JSONObject {
        switch kind {
        case .text: ["type": "string"]
        case .flag: ["anyOf": [["type": "boolean"], variable]]
        case .integer: ["anyOf": [["type": "integer"], variable]]
        case .size, .duration: ["type": ["integer", "string"]]
        case .word(let words): ["anyOf": [["enum": .array(words.map { .string($0) })], variable]]
        case .texts: ["type": "array", "items": ["type": "string"]]
        case .textsOrNull: ["type": "array", "items": ["type": ["string", "null"]]]
        case .textsMap:
            ["type": "object", "additionalProperties": ["type": "array", "items": ["type": "string"]]]
        case .textMap: ["type": "object", "additionalProperties": ["type": "string"]]
        case .anyMap: ["type": "object"]
        case .object(let name): reference(name)
        case .objects(let name): ["type": "array", "items": .object(reference(name))]
        case .objectMap(let name): ["type": "object", "additionalProperties": .object(reference(name))]
        case .any: JSONObject()
        }
    }

    /// A variable stands in the place of any value.
    private static let variable: JSONValue = ["type": "string", "pattern": "\\$\\{"]

    private static func reference(_ name: String) -> JSONObject {
        ["$ref": .string("#/$defs/\(definitionName(name))")]
    }

    private static func definitionName(_ name: String) -> String {
        String(name.map { $0 == " " ? "-" : $0 })
    }
}

extension JSONValue {
    /// The value with indentation, for people. Only for values whose depth we know.
    public func indented(by indent: Int = 0) -> String {
        let inner = String(repeating: " ", count: indent + 2)
        let end = "\n" + String(repeating: " ", count: indent)
        switch self {
        case .object(let object) where !object.isEmpty:
            let members = object.members.map {
                "\(inner)\(JSONValue.string($0.key).text): \($0.value.indented(by: indent + 2))"
            }
            return "{\n" + members.joined(separator: ",\n") + end + "}"
        case .array(let elements) where elements.contains { $0.object != nil || $0.array != nil }:
            let lines = elements.map { inner + $0.indented(by: indent + 2) }
            return "[\n" + lines.joined(separator: ",\n") + end + "]"
        case .null, .bool, .number, .string, .array, .object: return text
        }
    }
}
