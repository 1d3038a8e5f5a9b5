// Options of mappers whose text stands in a file of its own: `script: ../mappers/decode.js`, `${file:…}` in a script,
// and the descriptor set of Protobuf.
import TwinspanJSON
import TwinspanProtocol

/// Reads the files that options name.
struct OptionFiles {
    let files: any FileAccess
    /// Where a relative path is looked for, in order: beside the connection's file, then among the mappers.
    let directories: [String]

    /// What a file holds.
    struct Content {
        let path: String
        let bytes: [UInt8]
    }

    func content(of path: String) throws(FileAccessError) -> Content {
        let candidates = path.hasPrefix("/") ? [path] : directories.map { FilePath.resolve(path, in: $0) }
        let found = candidates.first { files.kind(of: $0) == .file } ?? candidates.first ?? path
        return Content(path: found, bytes: try files.contents(of: found))
    }
}

/// The options of one definition with the texts of files in them.
struct OptionReader {
    static let incomingScript = "incomingScript"
    static let outgoingScript = "outgoingScript"
    /// Names one file that holds both functions. Ours; Ditto has the other two.
    static let script = "script"
    static let descriptorSet = "descriptorSet"

    let sink: DiagnosticSink
    /// Nil where files must not be read: bodies of requests name none.
    let files: OptionFiles?

    private(set) var options = JSONObject()
    private(set) var places: [String: (file: String, line: Int)] = [:]
    /// The text that an option's problems point into, by its number in the sink.
    private(set) var texts: [String: Int] = [:]
    /// Hash of the files' contents.
    private(set) var contentHash: UInt64?

    init(sink: DiagnosticSink, files: OptionFiles?) {
        self.sink = sink
        self.files = files
    }

    /// Reads the options of a definition with this engine.
    mutating func read(_ part: Located<YAMLNode>?, engine: String) {
        for pair in part?.value.mapping ?? [] {
            let path = part?.path.key(pair.key) ?? .root
            switch (engine, pair.key) {
            case ("JavaScript", Self.script), ("JavaScript", Self.incomingScript),
                ("JavaScript", Self.outgoingScript):
                readScript(pair, path)
            case ("Protobuf", Self.descriptorSet): readDescriptorSet(pair, path)
            default: options[pair.key] = pair.value.json
            }
        }
    }

    // MARK: Scripts

    private mutating func readScript(_ pair: YAMLPair, _ path: ConfigurationPath) {
        guard let scalar = pair.value.scalar, !scalar.isBroken else {
            // What is no text is for the mapper to refuse.
            options[pair.key] = pair.value.json
            return
        }
        if let file = Self.fileName(pair.key, scalar.text) {
            guard let content = content(file, pair, path) else { return }
            guard let text = String(validating: content.bytes, as: UTF8.self) else {
                sink.error(
                    at: Spot(of: pair.value), path: path, "the file '\(content.path)' is not UTF-8 text",
                    hint: "save it as UTF-8")
                return
            }
            let source = sink.add(SourceText(name: content.path, bytes: content.bytes))
            set(pair.key, text, place: (content.path, 1), source: source)
        } else {
            let start = sink.spot(in: pair.value, 0..<1).mark
            let name = sink.source(start.source).name
            set(pair.key, scalar.text, place: (name, max(1, start.line)), source: start.source)
        }
    }

    private mutating func set(_ key: String, _ text: String, place: (file: String, line: Int), source: Int) {
        let keys = key == Self.script ? [Self.incomingScript, Self.outgoingScript] : [key]
        // A script of one direction goes before the common one, in whatever order they stand.
        for target in keys where key != Self.script || options[target] == nil {
            options[target] = .string(text)
            places[target] = place
            texts[target] = source
        }
    }

    /// The file that a script stands in; nil when the option is the script itself.
    private static func fileName(_ key: String, _ text: String) -> String? {
        let trimmed = text.trimmed
        if trimmed.hasPrefix("${file:"), trimmed.hasSuffix("}"), !trimmed.contains("\n") {
            return String(trimmed.dropFirst(7).dropLast())
        }
        // A script in one line that is no path: it would hold at least a function.
        if key != script || trimmed.contains("\n") || trimmed.contains("(") { return nil }
        return String(trimmed)
    }

    // MARK: Descriptor sets

    private mutating func readDescriptorSet(_ pair: YAMLPair, _ path: ConfigurationPath) {
        guard let text = pair.value.scalar?.text, pair.value.scalar?.isBroken == false else {
            options[pair.key] = pair.value.json
            return
        }
        // A definition that was read and written back holds the set itself; no path looks like it.
        let isText = text.utf8.count > 64 && Base64.decode(text) != nil
        if isText || files == nil {
            options[pair.key] = .string(text)
        } else if let content = content(text, pair, path) {
            options[pair.key] = .string(Base64.encode(content.bytes))
            places[pair.key] = (content.path, 1)
        }
    }

    private mutating func content(
        _ file: String, _ pair: YAMLPair, _ path: ConfigurationPath
    ) -> OptionFiles.Content? {
        guard let files else {
            sink.error(
                at: Spot(of: pair.value), path: path, "'\(pair.key)' names a file, which is not read from here",
                hint: "send the text itself")
            return nil
        }
        do {
            let content = try files.content(of: file)
            contentHash = Fingerprint.adding(content.bytes, to: contentHash ?? Fingerprint.start)
            return content
        } catch {
            let places = files.directories.joined(separator: "' and '")
            sink.error(
                at: Spot(of: pair.value), path: path, "the file '\(file)' cannot be read: \(error.reason)",
                hint: "it is looked for in '\(places)'")
            return nil
        }
    }
}
