// `twinspan lint`: checks connection files without a network.
import ArgumentParser
import Glibc
import TwinspanConnections
import TwinspanJSON

struct LintCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lint",
        abstract: "Check connection files without a network.",
        discussion: """
            Checks connections and the test cases beside them. Reports all problems at once as \
            file:line:column. Exit code 0: no errors, 1: errors, 2: wrong usage.

            Examples:
              twinspan lint
              twinspan lint connections/plant.yaml --json
            """)

    @Argument(help: "Files and directories; ./connections when none is named.")
    var paths: [String] = []

    @Flag(help: "Print the findings as JSON.")
    var json = false

    @Option(help: "The directory of mapper scripts.")
    var mappers = "./mappers"

    func run() throws {
        let paths = paths.isEmpty ? ["./connections"] : paths
        let loaded = ConnectionFiles.load(
            paths: paths, rules: Adapters.bindingRules, mappers: Mappers.rules, scripts: mappers)
        // Paths that lead nowhere have been reported; of a broken connection only the connection is worth a line.
        let cases = CaseFiles.load(
            paths: loaded.files + paths.filter(CaseFiles.isCaseFile), rules: Adapters.bindingRules,
            mappers: Mappers.rules, scripts: mappers)
        let report = DiagnosticReport(
            loaded.diagnostics + cases.diagnostics + loaded.notes, fileCount: loaded.files.count + cases.files.count)
        if json {
            StandardOutput.write(report.json.text + "\n")
        } else {
            StandardOutput.write(report.text(isColoured: StandardOutput.isTerminal))
        }
        if report.errorCount > 0 { throw ExitCode(1) }
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
