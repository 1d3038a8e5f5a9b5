// Connections of a Ditto as files: what `twinspan import` does. A definition works as it is; this makes it a file one
// wants to keep: without what says nothing, without secrets, with comments where something is different here.
public import TwinspanJSON

/// Turns connection JSON of Ditto into YAML files.
public struct DittoImport: Sendable {
    /// One file to write.
    public struct File: Sendable {
        /// Without a directory, e.g. `plant.yaml`.
        public var name: String
        public var text: String
        public var id: String
    }

    /// A variable that has to be set before the connections can be used.
    public struct Variable: Sendable, Equatable {
        public var name: String
        /// Where its value stands in the definition, e.g. `/uri` of `plant`.
        public var place: String
    }

    public private(set) var files: [File] = []
    public private(set) var variables: [Variable] = []
    /// What is different, or does not work; sentences for people.
    public private(set) var remarks: [String] = []

    private let limits: ConnectionLimits

    /// Reads one definition, an array of them, or what a Ditto answers to `retrieveConnection`.
    /// - Throws: `JSONSyntaxError` when the text is no JSON. What is no connection is a remark.
    public init(_ bytes: [UInt8], limits: ConnectionLimits = .standard) throws(JSONSyntaxError) {
        self.limits = limits
        let value = try JSONValue.parse(bytes)
        let elements = value.array ?? value.object?["items"]?.array ?? [value]
        for (index, element) in elements.enumerated() {
            guard let object = element.object else {
                remarks.append("entry \(index + 1) is not an object and is left out")
                continue
            }
            add(object["connection"]?.object ?? object, number: index + 1)
        }
    }

    private mutating func add(_ object: JSONObject, number: Int) {
        var conversion = DefinitionImport(object, number: number)
        conversion.run()
        if let type = ConnectionType(rawValue: object["connectionType"]?.string ?? ""),
            !limits.servedTypes.contains(type)
        {
            conversion.remark(["connectionType"], "connections of type '\(type.rawValue)' are not in this version")
        }
        let writer = YAMLWriter(comments: conversion.comments, variables: conversion.variablePaths)
        var name = ConnectionReader.suggestedID(conversion.id).replacing(":", with: "-")
        let base = name
        var copy = 2
        while files.contains(where: { $0.name == "\(name).yaml" }) {
            name = "\(base)-\(copy)"
            copy += 1
        }
        let head = "# Imported from Ditto; '#' lines say what was changed.\n"
        files.append(File(name: "\(name).yaml", text: head + writer.text(conversion.object), id: conversion.id))
        variables += conversion.variables
        remarks += conversion.remarks.map { "\(conversion.id): \($0)" }
    }
}

/// One definition on its way.
struct DefinitionImport {
    private(set) var object: JSONObject
    private(set) var comments: [ConfigurationPath: [String]] = [:]
    private(set) var variablePaths: Set<ConfigurationPath> = []
    private(set) var variables: [DittoImport.Variable] = []
    private(set) var remarks: [String] = []
    let id: String

    private typealias Defaults = [(key: String, value: JSONValue)]
    private static let topDefaults: Defaults = [
        ("connectionStatus", "open"), ("clientCount", 1), ("failoverEnabled", true), ("validateCertificates", true),
        ("processorPoolSize", 1), ("tags", []), ("specificConfig", [:]), ("mappingDefinitions", [:]),
        ("sources", []), ("targets", []), ("mappingContext", nil), ("ca", ""),
    ]
    private static let partDefaults: Defaults = [
        ("consumerCount", 1), ("headerMapping", [:]), ("payloadMapping", []),
        ("declaredAcks", []),
    ]

    init(_ object: JSONObject, number: Int) {
        self.object = object
        id = object["id"]?.string ?? "imported-\(number)"
    }

    mutating func run() {
        if object["id"]?.string == nil {
            object = JSONObject(
                [("id", .string(id))] + object.members.filter { $0.key != "id" }.map { ($0.key, $0.value) })
            remark(["id"], "the definition has no id; this one was made up")
        }
        replaceLegacyMapper()
        var fields = object
        dropUnknown(&fields, ConnectionFields.group, .root)
        object = Self.without(Self.topDefaults, fields)
        convertParts("sources", SourceFields.group)
        convertParts("targets", TargetFields.group)
        dropWithoutEffect()
        moveSecrets()
    }

    /// A remark that stands in the file too.
    mutating func remark(_ path: ConfigurationPath, _ text: String) {
        remarks.append("\(path.description.isEmpty ? "/" : path.description): \(text)")
        if path != .root { comments[path, default: []].append(text) }
    }

    /// Removes what is gone from the file, so that the remark can only be in the report.
    private mutating func report(_ path: ConfigurationPath, _ text: String) {
        remarks.append("\(path): \(text)")
    }

    private static func without(_ defaults: Defaults, _ object: JSONObject) -> JSONObject {
        JSONObject(
            object.members.filter { member in !defaults.contains { $0.key == member.key && $0.value == member.value } }
                .map { ($0.key, $0.value) })
    }

    private mutating func dropUnknown(_ object: inout JSONObject, _ group: FieldGroup, _ path: ConfigurationPath) {
        for key in object.keys {
            if key.hasPrefix("_") {
                object.remove(key)
            } else if !group.names.contains(key) {
                object.remove(key)
                report(path.key(key), "is not known and was left out")
            }
        }
    }

    // MARK: Parts

    private mutating func convertParts(_ name: String, _ group: FieldGroup) {
        guard let parts = object[name]?.array else { return }
        var converted: [JSONValue] = []
        for (index, part) in parts.enumerated() {
            guard var fields = part.object else {
                converted.append(part)
                continue
            }
            let path = ConfigurationPath([.key(name), .index(index)])
            dropUnknown(&fields, group, path)
            fields = Self.without(Self.partDefaults, fields)
            dropMadeUpReply(&fields, path)
            converted.append(.object(fields))
        }
        object[name] = .array(converted)
    }

    /// What Ditto makes up for MQTT 3.1.1 could never be resolved: its messages have no headers.
    private mutating func dropMadeUpReply(_ fields: inout JSONObject, _ path: ConfigurationPath) {
        guard object["connectionType"]?.string == ConnectionType.mqtt.rawValue,
            let reply = fields["replyTarget"]?.object, let address = reply["address"]?.string,
            address.filter({ $0 != " " }) == "{{header:reply-to}}"
        else { return }
        fields.remove("replyTarget")
        report(path.key("replyTarget"), "'{{ header:reply-to }}' has no value over MQTT 3.1.1 and was left out")
    }

    private mutating func replaceLegacyMapper() {
        guard var context = object["mappingContext"]?.object else { return }
        object.remove("mappingContext")
        let engine = context["mappingEngine"]?.string ?? ""
        // Old definitions name a class of the Java implementation.
        if engine.contains("."), engine.lowercased().contains("javascript") { context["mappingEngine"] = "JavaScript" }
        var definitions = object["mappingDefinitions"]?.object ?? JSONObject()
        let name = PayloadMappingReader.legacyName
        if definitions[name] == nil { definitions[name] = .object(context) }
        object["mappingDefinitions"] = .object(definitions)
        for part in ["sources", "targets"] {
            guard let elements = object[part]?.array else { continue }
            object[part] = .array(
                elements.map { element in
                    guard var fields = element.object else { return element }
                    fields["payloadMapping"] = .array((fields["payloadMapping"]?.array ?? []) + [.string(name)])
                    return .object(fields)
                })
        }
        remark(["mappingDefinitions", .key(name)], "was the 'mappingContext', which Ditto has given up")
    }

    private mutating func dropWithoutEffect() {
        if let pool = object["processorPoolSize"]?.int64, pool > 1 {
            object.remove("processorPoolSize")
            report(["processorPoolSize"], "\(pool) has no effect here and was left out")
        }
        guard var settings = object["specificConfig"]?.object else { return }
        for key in ["separatePublisherClient", "reconnectForRedelivery", "reconnectForRedeliveryDelay"] {
            guard settings.remove(key) != nil else { continue }
            report(["specificConfig", .key(key)], "has no effect here and was left out")
        }
        object["specificConfig"] = settings.isEmpty ? .none : .object(settings)
    }

    // MARK: Secrets

    private mutating func moveSecrets() {
        var stem = ""
        for byte in id.utf8 {
            let isWord = byte >= 0x30 && byte <= 0x39 || byte >= 0x41 && byte <= 0x5A || byte >= 0x61 && byte <= 0x7A
            stem += isWord ? String(decoding: [byte], as: UTF8.self).uppercased() : "_"
        }
        if let first = stem.first, first.isNumber { stem = "_" + stem }
        var found: [(path: ConfigurationPath, name: String)] = []
        object = ConnectionSecrets.transformed(object) { (pointer, text) throws(Never) -> String in
            if text.isEmpty { return text }
            // The words of the pointer make distinct names; the password of the URI is simply the password.
            let words = pointer == ConnectionSecrets.uri ? ["password"] : pointer.segments
            let name = ([stem] + words.map(Self.upperWord)).joined(separator: "_")
            found.append((ConfigurationPath(pointer.segments.map { .key($0) }), name))
            return "${\(name)}"
        }
        for (path, name) in found {
            variablePaths.insert(path)
            let isURI = path == ["uri"]
            comments[path, default: []].append(
                isURI ? "The password is in the environment, percent-encoded as before." : "In the environment.")
            variables.append(DittoImport.Variable(name: name, place: "\(path) of \(id)"))
        }
    }

    /// `clientSecret` as `CLIENT_SECRET`.
    private static func upperWord(_ word: String) -> String {
        var text = ""
        for character in word {
            if character.isUppercase { text += "_" }
            text += character.uppercased()
        }
        return text
    }
}

extension String {
    /// The text with one character in the place of another.
    fileprivate func replacing(_ character: Character, with other: Character) -> String {
        String(map { $0 == character ? other : $0 })
    }
}
