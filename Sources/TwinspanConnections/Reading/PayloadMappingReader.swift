// Which mappers a connection defines and uses (spec/mapping.md §4.1): every used name must lead to a mapper, with
// options that it takes, and every definition should be used.
import TwinspanExpressions
import TwinspanJSON

/// Reads the mapping definitions of one connection and resolves the names that its sources and targets use.
struct PayloadMappingReader {
    /// Most entries of one `payloadMapping`.
    static let entriesMax = 10
    /// The name of the definition that Ditto makes of a `mappingContext`.
    static let legacyName = "javascript"

    /// Which way messages go through the mappers of a list.
    enum Direction { case inbound, outbound }

    private let sink: DiagnosticSink
    private let rules: MapperRules
    private let files: OptionFiles?
    private let part: Located<YAMLNode>?
    private(set) var definitions: [String: MappingDefinition] = [:]
    /// Hash of the files that definitions refer to.
    private(set) var contentHash: UInt64?
    private var used: Set<String> = []
    /// Whether every list gets the legacy mapper.
    private(set) var hasLegacyMapper = false

    /// Reads the definitions.
    init(_ part: Located<YAMLNode>?, rules: MapperRules, files: OptionFiles?, sink: DiagnosticSink) {
        self.sink = sink
        self.rules = rules
        self.files = files
        self.part = part
        for pair in part?.value.mapping ?? [] {
            let path = part?.path.key(pair.key) ?? .root
            if let definition = definition(pair.value, path: path, name: pair.key) {
                definitions[pair.key] = definition
            }
        }
    }

    /// Takes the one mapper of old definitions: it becomes a definition that every source and target uses (§1.1).
    mutating func readLegacy(_ context: Located<YAMLNode>?) {
        guard let context else { return }
        hasLegacyMapper = true
        used.insert(Self.legacyName)
        if part?.value[Self.legacyName] != nil { return }
        if let definition = definition(context.value, path: context.path, name: Self.legacyName) {
            definitions[Self.legacyName] = definition
        }
    }

    /// The names of a `payloadMapping`; those that lead nowhere are reported.
    mutating func names(_ entries: [Located<String>], _ direction: Direction, owner: String) -> [String] {
        if entries.count > Self.entriesMax, let entry = entries.dropFirst(Self.entriesMax).first {
            sink.error(
                at: Spot(of: entry.node), path: entry.path,
                "\(owner) has \(entries.count) mappers, more than the \(Self.entriesMax) allowed",
                hint: "use at most \(Self.entriesMax)")
        }
        for entry in entries { resolve(entry) }
        let names = entries.map(\.value) + (hasLegacyMapper ? [Self.legacyName] : [])
        let mute = direction == .inbound ? MapperRules.outboundOnly : MapperRules.inboundOnly
        if let first = entries.first, names.allSatisfy({ isMute($0, mute) }) {
            let what = direction == .inbound ? "nothing that comes in" : "nothing that goes out"
            sink.warning(
                at: Spot(of: first.node), path: first.path, "the mappers of \(owner) map \(what)",
                hint: "\(first.value) serves the other direction only; add Ditto or another mapper")
        }
        return names
    }

    private func isMute(_ name: String, _ mute: Set<String>) -> Bool {
        let engine = definitions[name]?.engine ?? name
        return mute.contains(engine) && rules.engine(named: engine) != nil
    }

    /// Reports definitions that nothing uses. Called when all sources and targets are read.
    func reportUnused() {
        for pair in part?.value.mapping ?? [] where !used.contains(pair.key) {
            sink.warning(
                at: Spot(keyOf: pair), path: part?.path.key(pair.key) ?? .root,
                "mapper '\(pair.key)' is defined and used by no source or target")
        }
    }

    /// Values by name, as text; what is no text stands as its JSON.
    static func texts(_ part: Located<YAMLNode>?) -> [String: String] {
        var texts: [String: String] = [:]
        for pair in part?.value.mapping ?? [] where !pair.value.isNull {
            texts[pair.key] = pair.value.scalar?.text ?? pair.value.json.text
        }
        return texts
    }

    // MARK: Definitions

    private mutating func definition(_ node: YAMLNode, path: ConfigurationPath, name: String) -> MappingDefinition? {
        guard
            let reader = ObjectReader(node, MappingFields.group, path: path, owner: "mapper '\(name)'", sink: sink)
        else { return nil }
        let templates = TemplateReader(sink: sink)
        let engine = reader.value(MappingFields.mappingEngine)
        let part = reader.value(MappingFields.options)
        let incoming = templates.conditions(reader.value(MappingFields.incomingConditions))
        let outgoing = templates.conditions(reader.value(MappingFields.outgoingConditions))
        guard let engine else { return nil }
        let errorsBefore = sink.errorCount
        var options = OptionReader(sink: sink, files: files)
        options.read(part, engine: engine.value)
        if let hash = options.contentHash {
            contentHash = (contentHash ?? Fingerprint.start) &* 31 &+ hash
        }
        let definition = MappingDefinition(
            engine: engine.value, options: options.options, incomingConditions: incoming,
            outgoingConditions: outgoing, places: options.places)
        guard let known = rules.engine(named: engine.value) else {
            reportUnknown(engine, names: [], name: name)
            return definition
        }
        if known.needsOptions, part?.value.mapping?.isEmpty ?? true {
            sink.error(
                at: Spot(of: engine.node), path: path.key("options"), "the mapper '\(known.name)' needs options",
                hint: "add 'options' to mapper '\(name)'", as: notLoaded(name))
        } else if sink.errorCount == errorsBefore {
            check(definition, name: name, options, at: part?.path ?? path, node)
        }
        return definition
    }

    private func check(
        _ definition: MappingDefinition, name: String, _ options: OptionReader, at path: ConfigurationPath,
        _ node: YAMLNode
    ) {
        for problem in rules.check(name, definition) {
            let place = ConfigurationPath(path.steps + ConfigurationPath(pointer: problem.option).steps)
            let inner = ConfigurationPath([.key("options")] + ConfigurationPath(pointer: problem.option).steps)
            var spot = node.spot(at: problem.option.isEmpty ? ["options"] : inner)
            if let line = problem.line, case .key(let option)? = ConfigurationPath(pointer: problem.option).steps.first,
                let source = options.texts[option]
            {
                spot = Spot(mark: Mark(source: source, line: line, column: 1))
            }
            let isScript = definition.engine == "JavaScript"
            sink.error(
                at: spot, path: place, "mapper '\(name)': \(Sentence.phrase(problem.message))", hint: problem.hint,
                as: isScript ? .configurationInvalid.saying(problem.message) : notLoaded(name))
        }
    }

    // MARK: Names

    private mutating func resolve(_ entry: Located<String>) {
        used.insert(entry.value)
        // A definition that has problems of its own has been reported.
        if part?.value[entry.value] != nil { return }
        let defined = part?.value.mapping?.map(\.key) ?? []
        guard let engine = rules.engine(named: entry.value) else {
            return reportUnknown(entry, names: defined, name: entry.value)
        }
        guard engine.needsOptions else { return }
        sink.error(
            at: Spot(of: entry.node), path: entry.path, "mapper '\(entry.value)' cannot be used without options",
            hint: "define it under mappingDefinitions", as: notLoaded(entry.value))
    }

    private func reportUnknown(_ text: Located<String>, names: [String], name: String) {
        let builtIn = rules.engines.map(\.name)
        let defined = names.isEmpty ? "" : "defined here: \(names.joined(separator: ", ")); "
        sink.error(
            at: Spot(of: text.node), path: text.path, "unknown mapper '\(text.value)'",
            hint: defined + "built in: \(builtIn.joined(separator: ", "))",
            suggestion: NearestName.find(text.value, among: names + builtIn), as: notLoaded(name))
    }

    private func notLoaded(_ name: String) -> WireError {
        .configurationInvalid.saying("The mapper <\(name)> could not be loaded.")
    }
}
