// Which mappers a connection defines and uses (spec/mapping.md §4.1): every used name must lead to a mapper that is in
// this version, and every definition should be used.
import TwinspanJSON

/// The mappers that Ditto has built in.
enum BuiltInMapper: String, CaseIterable {
    case ditto = "Ditto"
    case normalized = "Normalized"
    case rawMessage = "RawMessage"
    case implicitThingCreation = "ImplicitThingCreation"
    case updateTwinWithLiveResponse = "UpdateTwinWithLiveResponse"
    case connectionStatus = "ConnectionStatus"
    case cloudEvents = "CloudEvents"
    case javaScript = "JavaScript"

    /// Whether this version has it.
    var isServed: Bool { self == .ditto }

    /// Whether it only works with options, so with a definition.
    var needsOptions: Bool {
        switch self {
        case .implicitThingCreation, .connectionStatus, .javaScript: true
        case .ditto, .normalized, .rawMessage, .updateTwinWithLiveResponse, .cloudEvents: false
        }
    }
}

/// Reads the mapping definitions of one connection and resolves the names that its sources and targets use.
struct PayloadMappingReader {
    /// Most entries of one `payloadMapping`.
    static let entriesMax = 10

    private let sink: DiagnosticSink
    private let part: Located<YAMLNode>?
    private(set) var definitions: [String: MappingDefinition] = [:]
    private var used: Set<String> = []

    /// Reads the definitions.
    init(_ part: Located<YAMLNode>?, sink: DiagnosticSink) {
        self.sink = sink
        self.part = part
        for pair in part?.value.mapping ?? [] {
            let path = part?.path.key(pair.key) ?? .root
            if let definition = definition(pair.value, path: path, name: pair.key) {
                definitions[pair.key] = definition
            }
        }
    }

    /// The names of a `payloadMapping` that can be resolved.
    mutating func names(_ entries: [Located<String>], owner: String) -> [String] {
        if entries.count > Self.entriesMax, let entry = entries.dropFirst(Self.entriesMax).first {
            sink.error(
                at: Spot(of: entry.node), path: entry.path,
                "\(owner) has \(entries.count) mappers, more than the \(Self.entriesMax) allowed")
        }
        for entry in entries { resolve(entry) }
        return entries.map(\.value)
    }

    /// Reports definitions that nothing uses. Called when all sources and targets are read.
    func reportUnused() {
        for pair in part?.value.mapping ?? [] where !used.contains(pair.key) {
            sink.warning(
                at: Spot(keyOf: pair), path: part?.path.key(pair.key) ?? .root,
                "mapper '\(pair.key)' is defined and used by no source or target")
        }
    }

    private func definition(_ node: YAMLNode, path: ConfigurationPath, name: String) -> MappingDefinition? {
        guard
            let reader = ObjectReader(node, MappingFields.group, path: path, owner: "mapper '\(name)'", sink: sink)
        else { return nil }
        let templates = TemplateReader(sink: sink)
        let engine = reader.value(MappingFields.mappingEngine)
        let options = reader.value(MappingFields.options)
        let incoming = templates.conditions(reader.value(MappingFields.incomingConditions))
        let outgoing = templates.conditions(reader.value(MappingFields.outgoingConditions))
        guard let engine else { return nil }
        check(engine, hint: "")
        return MappingDefinition(
            engine: engine.value, options: options?.value.json.object ?? JSONObject(), incomingConditions: incoming,
            outgoingConditions: outgoing)
    }

    /// Values by name, as text; what is no text stands as its JSON.
    static func texts(_ part: Located<YAMLNode>?) -> [String: String] {
        var texts: [String: String] = [:]
        for pair in part?.value.mapping ?? [] where !pair.value.isNull {
            texts[pair.key] = pair.value.scalar?.text ?? pair.value.json.text
        }
        return texts
    }

    private mutating func resolve(_ entry: Located<String>) {
        used.insert(entry.value)
        // A definition that has problems of its own has been reported.
        if part?.value[entry.value] != nil { return }
        if let mapper = BuiltInMapper(rawValue: entry.value), mapper.isServed || mapper.needsOptions {
            guard mapper.needsOptions else { return }
            sink.error(
                at: Spot(of: entry.node), path: entry.path, "mapper '\(entry.value)' cannot be used without options",
                hint: "define it under mappingDefinitions")
            return
        }
        check(entry, hint: "defined here: \(part?.value.mapping?.map(\.key).joined(separator: ", ") ?? "none")")
    }

    private func check(_ name: Located<String>, hint: String) {
        if let mapper = BuiltInMapper(rawValue: name.value) {
            if mapper.isServed { return }
            sink.error(
                at: Spot(of: name.node), path: name.path, "the mapper '\(name.value)' is not in this version",
                hint: "use Ditto, or wait for a version that has it")
            return
        }
        let builtIn = BuiltInMapper.allCases.map(\.rawValue)
        let known = (hint.isEmpty ? [] : part?.value.mapping?.map(\.key) ?? []) + builtIn
        sink.error(
            at: Spot(of: name.node), path: name.path, "unknown mapper '\(name.value)'",
            hint: (hint.isEmpty ? "" : hint + "; ") + "built in: \(builtIn.joined(separator: ", "))",
            suggestion: NearestName.find(name.value, among: known))
    }
}
