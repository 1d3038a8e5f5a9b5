// Which files hold connections, which policies and which things: `twinspan lint` takes them all. The directory's name
// decides, as it does for a start without configuration; elsewhere the first document's keys do.

/// Files sorted by what they hold.
public struct DefinitionFiles: Sendable, Equatable {
    /// What is not known stands here too, where problems of paths and texts are reported.
    public private(set) var connections: [String] = []
    public private(set) var policies: [String] = []
    public private(set) var things: [String] = []

    private enum Kind { case connection, policy, thing }

    /// Sorts files and the files of directories, in their order.
    public init(paths: [String], environment: ConfigurationEnvironment = .process) {
        for path in paths {
            guard environment.files.kind(of: path) == .directory else {
                // What leads nowhere and what holds test cases is told by their own readers.
                add(path, environment.files.kind(of: path) == nil ? .connection : Self.kind(of: path, environment))
                continue
            }
            // A directory that cannot be read is told by the reader of connections.
            guard (try? environment.files.entries(of: path)) != nil else {
                connections.append(path)
                continue
            }
            for file in ConnectionFiles.files(at: [path], environment: environment) {
                add(file, Self.kind(of: file, environment))
            }
        }
    }

    private mutating func add(_ file: String, _ kind: Kind) {
        switch kind {
        case .connection: connections.append(file)
        case .policy: policies.append(file)
        case .thing: things.append(file)
        }
    }

    private static func kind(of file: String, _ environment: ConfigurationEnvironment) -> Kind {
        if CaseFiles.isCaseFile(file) { return .connection }
        let directory = FilePath.directory(of: file)
        switch directory.split(separator: "/").last {
        case "policies": return .policy
        case "things": return .thing
        case "connections": return .connection
        default: break
        }
        // Problems of the text are told when it is read for good.
        guard let bytes = try? environment.files.contents(of: file) else { return .connection }
        let documents = YAMLReader(environment: environment, sink: DiagnosticSink())
            .documents(of: SourceText(name: file, bytes: bytes), directory: directory)
        guard let first = documents.first(where: { !$0.isNull }) else { return .connection }
        func has(_ keys: String...) -> Bool { keys.contains { first[$0] != nil } }
        if has("connectionType", "uri", "sources", "targets") { return .connection }
        if has("thingId", "attributes", "features") { return .thing }
        return has("policyId", "entries", "imports") ? .policy : .connection
    }
}
