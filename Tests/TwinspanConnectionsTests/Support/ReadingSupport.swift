// Short ways to read a text and to say what came of it.
@testable import TwinspanConnections

/// The documents of a YAML text and what was reported.
func readYAML(
    _ bytes: [UInt8], variables: [String: String] = [:], files: [String: String] = [:],
    limits: YAMLLimits = .standard
) -> (documents: [YAMLNode], diagnostics: [Diagnostic]) {
    let sink = DiagnosticSink()
    let reader = YAMLReader(environment: .memory(files, variables: variables), limits: limits, sink: sink)
    let documents = reader.documents(of: SourceText(name: "test.yaml", bytes: bytes), directory: "conf")
    return (documents, sink.diagnostics)
}

/// The documents of a YAML text and what was reported.
func readYAML(
    _ text: String, variables: [String: String] = [:], files: [String: String] = [:], limits: YAMLLimits = .standard
) -> (documents: [YAMLNode], diagnostics: [Diagnostic]) {
    readYAML(Array(text.utf8), variables: variables, files: files, limits: limits)
}

/// Reads connection files that exist only here.
func loadConnections(
    _ files: [String: String], variables: [String: String] = [:], rules: [BindingRules] = [],
    limits: ConnectionLimits = .standard
) -> LoadedConnections {
    ConnectionFiles.load(
        paths: ["c"], environment: .memory(files, variables: variables), rules: rules, limits: limits)
}

extension Diagnostic {
    /// `line:column`.
    var at: String { "\(line):\(column)" }
}
