// The connections of an installation: directories and files of YAML or JSON, one connection per document.

/// What was found in connection files.
public struct LoadedConnections: Sendable {
    /// The connections without errors, in the order of files and documents.
    public let connections: [Connection]
    /// All problems, sorted by file, line and column.
    public let diagnostics: [Diagnostic]
    /// The files that were read, in order.
    public let files: [String]
    /// Everything whose change may change the connections: `files`, and what they refer to, such as scripts and
    /// certificates, also where it could not be read.
    public var watchedFiles: [String] = []
    /// What is worth knowing and no problem; `twinspan lint` shows it.
    public var notes: [Diagnostic] = []

    /// Whether there is no error.
    public var isValid: Bool { !diagnostics.contains { $0.severity == .error } }
}

/// Reads connection files.
public enum ConnectionFiles {
    private static let endings = [".yaml", ".yml", ".json"]

    /// Reads all connections and checks them one by one and against each other.
    ///
    /// - Parameters:
    ///   - paths: files, and directories of which the `*.yaml`, `*.yml` and `*.json` files are taken. Hidden files and
    ///     those that editors put beside a file are not.
    ///   - rules: what the adapters know about connections.
    ///   - mappers: the kinds of mappers.
    ///   - scripts: the directory of mapper scripts, where options look for files that are not beside the definition.
    ///   - hosts: what connections may reach.
    public static func load(
        paths: [String], environment: ConfigurationEnvironment = .process, rules: [BindingRules] = [],
        mappers: MapperRules = .standard, limits: ConnectionLimits = .standard, scripts: String? = nil,
        hosts: HostRules = .none
    ) -> LoadedConnections {
        let sink = DiagnosticSink()
        let files = expand(paths, environment, sink)
        let recorded = RecordingFiles(environment.files)
        let yaml = YAMLReader(
            environment: ConfigurationEnvironment(variable: environment.variable, files: recorded), sink: sink)
        let rules = ReadingRules(bindings: rules, mappers: mappers, limits: limits, hosts: hosts)
        var found: [ReadConnection] = []
        for file in files {
            do {
                let text = SourceText(name: file, bytes: try environment.files.contents(of: file))
                let directories = [FilePath.directory(of: file)] + (scripts.map { [$0] } ?? [])
                let reader = ConnectionReader(
                    sink: sink, rules: rules, files: OptionFiles(files: recorded, directories: directories))
                found += connections(in: text, file: file, yaml, reader, sink, recorded)
            } catch {
                sink.error(file: file, "the file cannot be read: \(error.reason)")
            }
        }
        var loaded = finish(found, files: files, sink)
        loaded.watchedFiles = (files + found.flatMap(\.references)).uniqued
        return loaded
    }

    /// Reads the connections of one text, e.g. the body of a request or the standard input.
    ///
    /// - Parameter name: what diagnostics call the text. The connections have no origin.
    public static func read(
        _ bytes: [UInt8], named name: String, environment: ConfigurationEnvironment = .process,
        rules: [BindingRules] = [], mappers: MapperRules = .standard, limits: ConnectionLimits = .standard
    ) -> LoadedConnections {
        let sink = DiagnosticSink()
        let yaml = YAMLReader(environment: environment, sink: sink)
        let reader = ConnectionReader(
            sink: sink, rules: ReadingRules(bindings: rules, mappers: mappers, limits: limits),
            files: OptionFiles(files: environment.files, directories: ["."]))
        let found = connections(in: SourceText(name: name, bytes: bytes), file: nil, yaml, reader, sink, nil)
        return finish(found, files: [name], sink)
    }

    /// The files that `load` would read.
    public static func files(
        at paths: [String], environment: ConfigurationEnvironment = .process
    ) -> [String] {
        expand(paths, environment, DiagnosticSink())
    }

    private static func connections(
        in text: SourceText, file: String?, _ yaml: YAMLReader, _ reader: ConnectionReader, _ sink: DiagnosticSink,
        _ recorded: RecordingFiles?
    ) -> [ReadConnection] {
        let errorsBefore = sink.errorCount
        let documents = yaml.documents(of: text, directory: file.map(FilePath.directory) ?? ".")
        // Variables are put in for the whole text at once, so its files are those of each of its connections.
        let shared = recorded?.takePaths() ?? []
        // Empty documents are what is left when everything in them is a comment.
        if documents.allSatisfy(\.isNull), sink.errorCount == errorsBefore {
            sink.warning(file: text.name, "the file holds no connection")
        }
        return documents.indices.filter { !documents[$0].isNull }.map { index in
            let document = documents[index]
            let end = index + 1 < documents.count ? documents[index + 1].start.line : Int.max
            let isClean = !sink.hasError(in: document.start.source, lines: document.start.line..<end)
            var read = reader.connection(document, file: file)
            read.references = (shared + (recorded?.takePaths() ?? [])).uniqued
            read.draft?.origin?.references = read.references
            // A duplicate key or a missing variable is an error of the text, which the reader of fields cannot see.
            if !isClean { read.isUsable = false }
            return read
        }
    }

    private static func finish(_ found: [ReadConnection], files: [String], _ sink: DiagnosticSink) -> LoadedConnections
    {
        var found = found
        ConnectionSetChecks(sink: sink).check(&found)
        let usable = found.filter(\.isUsable).compactMap(\.draft)
        return LoadedConnections(
            connections: usable, diagnostics: sink.diagnostics, files: files, watchedFiles: files,
            notes: sink.notes.sorted())
    }

    /// The files of paths, in order and each once; paths that lead nowhere are reported.
    static func expand(
        _ paths: [String], _ environment: ConfigurationEnvironment, _ sink: DiagnosticSink
    ) -> [String] {
        var files: [String] = []
        for path in paths {
            switch environment.files.kind(of: path) {
            case .file: if !CaseFiles.isCaseFile(path) { files.append(path) }
            case .directory:
                do {
                    let names = try environment.files.entries(of: path).filter(isConnectionFile).sorted()
                    files += names.map { path.hasSuffix("/") ? path + $0 : "\(path)/\($0)" }
                        .filter { environment.files.kind(of: $0) == .file }
                } catch {
                    sink.error(file: path, "the directory cannot be read: \(error.reason)")
                }
            case nil:
                sink.error(file: path, "there is no such file or directory", hint: "check the path, or create it")
            }
        }
        var seen: Set<String> = []
        return files.filter { seen.insert($0).inserted }
    }

    /// Whether a file in a directory is meant to hold connections.
    static func isConnectionFile(_ name: String) -> Bool {
        !name.hasPrefix(".") && !name.hasPrefix("#") && endings.contains(where: name.hasSuffix)
            && !CaseFiles.isCaseFile(name)
    }
}

extension [String] {
    /// Each once, in the order of their first occurrence.
    var uniqued: [String] {
        var seen: Set<String> = []
        return filter { seen.insert($0).inserted }
    }
}
