// The test cases of an installation: files `NAME.test.yaml` beside the connection files `NAME.yaml`.

/// What was found in files with test cases.
public struct LoadedCases: Sendable {
    /// The cases without errors, in the order of files and cases.
    public let cases: [MappingCase]
    /// All problems of the cases, sorted by file, line and column.
    public let diagnostics: [Diagnostic]
    /// The files with cases that were read, in order.
    public let files: [String]
    /// Errors of the connections that the cases are about.
    public let connectionDiagnostics: [Diagnostic]
}

/// Reads files with test cases.
public enum CaseFiles {
    private static let endings = [".yaml", ".yml", ".json"]

    /// Whether a file holds test cases and no connections.
    public static func isCaseFile(_ path: String) -> Bool {
        endings.contains { path.hasSuffix(".test" + $0) }
    }

    /// Reads the cases of files and directories; for a connection file those beside it.
    ///
    /// The parameters are those of `ConnectionFiles.load`, by which the connections are read.
    public static func load(
        paths: [String], environment: ConfigurationEnvironment = .process, rules: [BindingRules] = [],
        mappers: MapperRules = .standard, scripts: String? = nil
    ) -> LoadedCases {
        let sink = DiagnosticSink()
        let yaml = YAMLReader(environment: environment, sink: sink)
        let files = expand(paths, environment, sink)
        var cases: [MappingCase] = []
        var broken: [Diagnostic] = []
        for file in files {
            let text: SourceText
            do {
                text = SourceText(name: file, bytes: try environment.files.contents(of: file))
            } catch {
                sink.error(file: file, "the file cannot be read: \(error.reason)")
                continue
            }
            guard let connectionFile = connectionFile(beside: file, environment) else {
                sink.error(
                    file: file, "there is no connection file beside these test cases",
                    hint: "put them beside the connection: plant.test.yaml belongs to plant.yaml")
                continue
            }
            let loaded = ConnectionFiles.load(
                paths: [connectionFile], environment: environment, rules: rules, mappers: mappers, scripts: scripts)
            broken += loaded.diagnostics.filter { $0.severity == .error }
            let reader = CaseReader(sink: sink, file: file, connections: loaded.isValid ? loaded.connections : nil)
            cases += read(text, yaml, reader, sink)
        }
        return LoadedCases(
            cases: cases, diagnostics: sink.diagnostics, files: files, connectionDiagnostics: broken)
    }

    private static func read(
        _ text: SourceText, _ yaml: YAMLReader, _ reader: CaseReader, _ sink: DiagnosticSink
    ) -> [MappingCase] {
        let errorsBefore = sink.errorCount
        var nodes: [(node: YAMLNode, path: ConfigurationPath)] = []
        for document in yaml.documents(of: text, directory: FilePath.directory(of: text.name)) where !document.isNull {
            if let elements = document.sequence {
                nodes += elements.enumerated().map { ($0.element, .root.index($0.offset)) }
            } else {
                nodes.append((document, .root))
            }
        }
        if nodes.isEmpty, sink.errorCount == errorsBefore {
            sink.warning(file: text.name, "the file holds no test case")
        }
        return nodes.enumerated().compactMap {
            reader.read($0.element.node, number: $0.offset + 1, path: $0.element.path)
        }
    }

    /// The files with cases that belong to paths, in order and each once; paths that lead nowhere are reported.
    private static func expand(
        _ paths: [String], _ environment: ConfigurationEnvironment, _ sink: DiagnosticSink
    ) -> [String] {
        var files: [String] = []
        for path in paths {
            switch environment.files.kind(of: path) {
            case .file where isCaseFile(path): files.append(path)
            case .file:
                let base = withoutEnding(path)
                files += endings.map { "\(base).test\($0)" }.filter { environment.files.kind(of: $0) == .file }
            case .directory:
                do {
                    let names = try environment.files.entries(of: path)
                    files += names.filter { isCaseFile($0) && !$0.hasPrefix(".") && !$0.hasPrefix("#") }.sorted()
                        .map { path.hasSuffix("/") ? path + $0 : "\(path)/\($0)" }
                } catch {
                    sink.error(file: path, "the directory cannot be read: \(error.reason)")
                }
            case nil:
                sink.error(file: path, "there is no such file or directory", hint: "check the path, or create it")
            }
        }
        return files.uniqued
    }

    private static func connectionFile(beside file: String, _ environment: ConfigurationEnvironment) -> String? {
        let base = withoutEnding(withoutEnding(file), [".test"])
        return endings.map { base + $0 }.first { environment.files.kind(of: $0) == .file }
    }

    private static func withoutEnding(_ path: String, _ endings: [String] = endings) -> String {
        for ending in endings where path.hasSuffix(ending) { return String(path.dropLast(ending.count)) }
        return path
    }
}
