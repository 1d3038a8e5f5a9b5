// From a file and `--set` overrides to a configuration.

extension Configuration {
    /// Reads a configuration file and puts overrides on top of it.
    ///
    /// Relative paths of the file are relative to the file's directory; those of overrides to the working directory.
    /// - Parameters:
    ///   - file: the path of the file; nil for the defaults.
    ///   - overrides: texts of the form `a.b=value`; the value is YAML, so `connections=[a, b]` is a list.
    public static func load(
        file: String?, overrides: [String] = [], environment: ConfigurationEnvironment = .process
    ) -> LoadedConfiguration {
        let sink = DiagnosticSink()
        let yaml = YAMLReader(environment: environment, sink: sink)
        var root = YAMLNode.emptyMapping(sink: sink)
        var directory: String?
        if let file {
            directory = FilePath.directory(of: file)
            do {
                let text = SourceText(name: file, bytes: try environment.files.contents(of: file))
                let documents = yaml.documents(of: text, directory: FilePath.directory(of: file))
                if documents.count > 1 {
                    sink.error(at: Spot(of: documents[1]), "a configuration file has one document")
                }
                if let document = documents.first, !document.isNull { root = document }
            } catch {
                sink.error(
                    file: file, "the file cannot be read: \(error.reason)", hint: "check the path and its permissions")
            }
        }
        var overridden: Set<String> = []
        for override in overrides {
            if let key = ConfigurationOverride.apply(override, to: &root, yaml, sink) { overridden.insert(key) }
        }
        let reader = ConfigurationReader(sink: sink, directory: directory, overridden: overridden)
        return LoadedConfiguration(configuration: reader.configuration(root), diagnostics: sink.diagnostics)
    }
}

/// One `a.b=value`.
enum ConfigurationOverride {
    /// More keys than any value of the configuration stands behind.
    private static let depthMax = 8

    /// Sets the value in the tree.
    /// - Returns: the first key; nil when the override is wrong, which is reported.
    static func apply(
        _ override: String, to root: inout YAMLNode, _ yaml: YAMLReader, _ sink: DiagnosticSink
    ) -> String? {
        let name = "--set \(override)"
        guard let equals = override.firstIndex(of: "="), equals != override.startIndex else {
            sink.error(file: name, "not of the form key=value", hint: "e.g. --set http.port=8081")
            return nil
        }
        let keys = override[..<equals].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard !keys.contains(""), keys.count <= depthMax else {
            sink.error(file: name, "not a key of the configuration", hint: "e.g. --set http.port=8081")
            return nil
        }
        // The value stands where it stands in the option, so that diagnostics can quote the whole of it.
        let value = String(override[override.index(after: equals)...])
        let documents = yaml.documents(of: SourceText(name: name, text: value), directory: ".")
        guard let node = documents.first else {
            if value.trimmed.isEmpty { sink.error(file: name, "the value is empty") }
            return nil
        }
        root = set(node, at: keys[...], in: root)
        return keys[0]
    }

    private static func set(_ value: YAMLNode, at keys: ArraySlice<String>, in node: YAMLNode) -> YAMLNode {
        guard let key = keys.first else { return value }
        var pairs = node.mapping ?? []
        let index = pairs.firstIndex { $0.key == key }
        let nothing = YAMLNode(content: .mapping([]), start: value.start, end: value.end)
        let inner = set(value, at: keys.dropFirst(), in: index.map { pairs[$0].value } ?? nothing)
        let pair = YAMLPair(key: key, keyStart: value.start, keyEnd: value.end, value: inner)
        if let index { pairs[index] = pair } else { pairs.append(pair) }
        return YAMLNode(content: .mapping(pairs), start: node.start, end: node.end)
    }
}

extension YAMLNode {
    /// A mapping without entries and without a text.
    static func emptyMapping(sink: DiagnosticSink) -> YAMLNode {
        let source = sink.add(SourceText(name: "(no file)", bytes: []))
        let mark = Mark(source: source, line: 0, column: 0)
        return YAMLNode(content: .mapping([]), start: mark, end: mark)
    }
}
