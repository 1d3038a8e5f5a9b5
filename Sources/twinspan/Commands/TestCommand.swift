// `twinspan test`: runs the test cases that stand beside connection files. No network, nothing is stored.
import ArgumentParser
import Glibc
import TwinspanConnections
import TwinspanJSON
import TwinspanSupervisor

struct TestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Run the test cases beside connection files.",
        discussion: """
            The cases of plant.yaml stand in plant.test.yaml: what comes in, and what has to come of it. Nothing is \
            sent and nothing is stored.

              - name: a frame becomes a change
                source: 1                  # or target: 1, and event: for payload:
                address: plant/pump-7
                payload: { rpm: 1490 }     # or text, or payloadBase64
                expect:                    # or dropped: true, or error: <code>
                  - contains: { path: /attributes/rpm, value: 1490 }

            'equals' wants the message as a whole, 'contains' the named parts. Exit code 0: all cases pass, 1: one \
            fails or cannot be read, 2: wrong usage.

            Examples:
              twinspan test
              twinspan test connections/plant.yaml --filter frame --junit results.xml
            """)

    @Argument(help: "Files and directories; ./connections when none is named.")
    var paths: [String] = []

    @Option(help: "Run only cases whose name has this text in it.")
    var filter: String?

    @Flag(help: "Print the results as JSON.")
    var json = false

    @Option(help: ArgumentHelp("Also write the results as JUnit XML.", valueName: "file"))
    var junit: String?

    @Option(help: "The directory of mapper scripts.")
    var mappers = "./mappers"

    func run() throws {
        let loaded = CaseFiles.load(
            paths: paths.isEmpty ? ["./connections"] : paths, rules: Adapters.bindingRules, mappers: Mappers.rules,
            scripts: mappers)
        let problems = loaded.connectionDiagnostics + loaded.diagnostics
        let errors = problems.filter { $0.severity == .error }
        let chosen = loaded.cases.filter { each in filter.map { each.name.contains($0) } ?? true }
        if !problems.isEmpty {
            let report = DiagnosticReport(problems, fileCount: loaded.files.count)
            StandardError.write(report.text(isColoured: StandardError.isTerminal))
        }
        let report = CaseReport(chosen.map { CaseResult($0, mappers: Mappers.registry) })
        if json {
            StandardOutput.write(report.json.text + "\n")
        } else if !chosen.isEmpty {
            StandardOutput.write(report.text)
        }
        if let junit { try write(report.junit(problems: errors), to: junit) }
        if chosen.isEmpty, errors.isEmpty { return try reportNothing(hasCases: !loaded.cases.isEmpty) }
        if report.failureCount > 0 || !errors.isEmpty { throw ExitCode(1) }
    }

    /// Who names files wants cases to be run; who only tries the command is told how to begin.
    private func reportNothing(hasCases: Bool) throws {
        if hasCases {
            StandardError.write("No case has '\(filter ?? "")' in its name.\n")
            throw ExitCode(1)
        }
        StandardError.write(
            """
            There are no test cases yet. Put some beside a connection: those of connections/plant.yaml stand in
            connections/plant.test.yaml, for example
              - name: what the case shows
                address: plant/pump-7
                payload: { topic: org.plant/pump-7/things/twin/commands/modify, path: /attributes/rpm, value: 7 }
                expect:
                  - contains: { path: /attributes/rpm, value: 7 }

            """)
        if !paths.isEmpty { throw ExitCode(1) }
    }

    private func write(_ text: String, to path: String) throws {
        guard let file = fopen(path, "w") else {
            StandardError.write("cannot write \(path): \(String(cString: strerror(errno)))\n")
            throw ExitCode(1)
        }
        let bytes = Array(text.utf8)
        let count = fwrite(bytes, 1, bytes.count, file)
        guard fclose(file) == 0, count == bytes.count else {
            StandardError.write("cannot write \(path): \(String(cString: strerror(errno)))\n")
            throw ExitCode(1)
        }
    }
}
