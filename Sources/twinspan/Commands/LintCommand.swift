// `twinspan lint`: checks files of connections, policies and things without a network.
import ArgumentParser
import Glibc
import TwinspanConnections
import TwinspanJSON

struct LintCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lint",
        abstract: "Check connections, policies and things without a network.",
        discussion: """
            Checks connections, the test cases beside them, policies and things, and what they say of each other. \
            Files in a directory 'policies' or 'things' hold those; elsewhere a file is known by its keys. Reports \
            all problems at once as file:line:column. Exit code 0: no errors, 1: errors, 2: wrong usage.

            Examples:
              twinspan lint
              twinspan lint connections/plant.yaml --json
              twinspan lint policies things
            """)

    @Argument(help: "Files and directories; ./connections, ./policies and ./things when none is named.")
    var paths: [String] = []

    @Flag(help: "Print the findings as JSON.")
    var json = false

    @Option(help: "The directory of mapper scripts.")
    var mappers = "./mappers"

    func run() throws {
        let paths = paths.isEmpty ? Self.defaultPaths : paths
        let files = DefinitionFiles(paths: paths)
        let loaded = ConnectionFiles.load(
            paths: files.connections, rules: Adapters.bindingRules, mappers: Mappers.rules, scripts: mappers)
        // Paths that lead nowhere have been reported; of a broken connection only the connection is worth a line.
        let cases = CaseFiles.load(
            paths: loaded.files + (paths + files.connections).filter(CaseFiles.isCaseFile),
            rules: Adapters.bindingRules, mappers: Mappers.rules, scripts: mappers)
        var seeds = ReadSeeds(policies: files.policies, things: files.things, now: SystemClock().now)
        seeds.checkReferences()
        let report = DiagnosticReport(
            loaded.diagnostics + cases.diagnostics + seeds.diagnostics + loaded.notes,
            fileCount: loaded.files.count + cases.files.count + seeds.fileCount)
        if json {
            StandardOutput.write(report.json.text + "\n")
        } else {
            StandardOutput.write(report.text(isColoured: StandardOutput.isTerminal))
        }
        if report.errorCount > 0 { throw ExitCode(1) }
    }

    /// Those that are there; connections when there are none, so that their absence is told.
    private static var defaultPaths: [String] {
        let all = ["./connections", "./policies", "./things"]
        let present = all.filter { access($0, R_OK) == 0 }
        return present.isEmpty ? ["./connections"] : present
    }
}

/// stdout.
enum StandardOutput {
    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 && getenv("NO_COLOR") == nil }

    static func write(_ text: String) {
        var text = text
        text.withUTF8 { buffer in
            var rest = UnsafeRawBufferPointer(buffer)
            while !rest.isEmpty {
                let count = Glibc.write(STDOUT_FILENO, rest.baseAddress, rest.count)
                if count < 0, errno == EINTR { continue }
                // Nobody reads any more.
                guard count > 0 else { return }
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            }
        }
    }
}
