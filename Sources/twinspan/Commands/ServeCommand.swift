// `twinspan serve`: runs the service until it is told to end.
import ArgumentParser
import Glibc
import Logging
import TwinspanConnections
import TwinspanEngine

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the service.",
        discussion: """
            No configuration is needed: without one, connections are read from ./connections, policies and things \
            to begin with from ./policies and ./things, the data is kept in ./data, and HTTP is served on \
            127.0.0.1:8080. The files are watched; SIGHUP reloads them at once. \
            The first SIGTERM or Ctrl-C ends in order, a second one at once.

            Examples:
              twinspan serve
              twinspan serve --config twinspan.yaml --data /var/lib/twinspan --set http.port=8081
            """)

    @Option(name: .long, help: "The configuration file (twinspan.yaml).")
    var config: String?

    @Option(name: .long, help: "A directory or file with connections; may be repeated.")
    var connections: [String] = []

    @Option(name: .long, help: "The directory with mapping scripts.")
    var mappers: String?

    @Option(name: .long, help: "The directory the twins are kept in.")
    var data: String?

    @Option(name: .long, help: ArgumentHelp("Where HTTP is served.", valueName: "host:port"))
    var http: String?

    @Option(name: .long, help: "'full' survives a power cut, 'os' only a crash of the process.")
    var durability: String?

    @Option(
        name: .long, help: ArgumentHelp("Override a key of the configuration; may be repeated.", valueName: "a.b=c"))
    var set: [String] = []

    func run() async throws {
        let configuration = try loadConfiguration()
        let service = TwinspanService(
            configuration: configuration, explicitConnections: config != nil || !connections.isEmpty)
        try await service.run()
    }

    /// The configuration file with the options on top of it. Prints what is wrong and ends with 1.
    private func loadConfiguration() throws -> Configuration {
        var overrides: [String] = []
        if !connections.isEmpty {
            overrides.append("connections=[\(connections.map(\.asYAML).joined(separator: ", "))]")
        }
        if let mappers { overrides.append("mappers=\(mappers.asYAML)") }
        if let data { overrides.append("data=\(data.asYAML)") }
        if let durability { overrides.append("durability=\(durability.asYAML)") }
        if let http {
            guard let colon = http.lastIndex(of: ":"), let port = Int(http[http.index(after: colon)...]) else {
                throw ValidationError("'\(http)' is not host:port, e.g. --http 127.0.0.1:8081")
            }
            overrides.append("http.host=\(String(http[..<colon]).asYAML)")
            overrides.append("http.port=\(port)")
        }
        let loaded = Configuration.load(file: config, overrides: overrides + set)
        let report = DiagnosticReport(loaded.diagnostics, fileCount: config == nil ? 0 : 1)
        if !loaded.diagnostics.isEmpty { StandardError.write(report.text(isColoured: StandardError.isTerminal)) }
        guard report.errorCount == 0 else { throw ExitCode(1) }
        return loaded.configuration
    }
}

extension String {
    /// The text as a quoted YAML scalar.
    fileprivate var asYAML: String {
        "'\(split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''"))'"
    }
}

/// stderr.
enum StandardError {
    static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 && getenv("NO_COLOR") == nil }

    static func write(_ text: String) {
        var text = text
        // Nothing can be done when stderr is gone.
        _ = text.withUTF8 { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
