// `twinspan map`: shows what a source makes of a message, or a target of an event, step by step. No network, nothing is
// stored.
import ArgumentParser
import Glibc
import TwinspanConnections
import TwinspanJSON
import TwinspanProtocol
import TwinspanSupervisor

struct MapCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "map",
        abstract: "Show what a source makes of a message, or a target of an event, step by step.",
        discussion: """
            Reads a payload from the standard input and takes it through the pipeline of a source. With --target it \
            reads a Ditto Protocol message and takes it through the pipeline of a target, which may see all of it; \
            'extra' in the message holds what is known of the thing. Nothing is sent and nothing is stored. Exit code \
            0: no step fails, 1: a step fails, 2: wrong usage.

            Examples:
              twinspan map connections/telemetry-in.yaml --address telemetry/demo:sensor-01 < message.json
              twinspan map connections/events-out.yaml --target 1 --json < event.json
            """)

    @Argument(help: ArgumentHelp("The file with the connection.", valueName: "CONNECTION.yaml"))
    var file: String

    @Option(name: .long, help: "The id of the connection; needed when the file holds several.")
    var connection: String?

    @Option(name: .long, help: "Which source gets the message, counted from 1; the first unless there is --target.")
    var source: Int?

    @Option(name: .long, help: "Which target gets the event, counted from 1.")
    var target: Int?

    @Option(name: .long, help: ArgumentHelp("A header of the message; may be repeated.", valueName: "name=value"))
    var header: [String] = []

    @Option(name: .long, help: "Where the message was published; the source's address unless that has wildcards.")
    var address: String?

    @Option(name: .long, help: "The quality of service it arrives with, 0 to 2.")
    var qos: Int?

    @Flag(help: "Print the steps as JSON.")
    var json = false

    func validate() throws {
        if let qos, !(0...2).contains(qos) { throw ValidationError("--qos is 0, 1 or 2") }
        for (name, number) in [("--source", source), ("--target", target)] {
            if let number, number < 1 { throw ValidationError("\(name) counts from 1") }
        }
        for text in header where text.prefix(while: { $0 != "=" }).isEmpty || !text.contains("=") {
            throw ValidationError("--header is name=value, not '\(text)'")
        }
        guard target != nil else { return }
        let inward: [(String, Bool)] = [
            ("--source", source != nil), ("--address", address != nil), ("--qos", qos != nil),
            ("--header", !header.isEmpty),
        ]
        if let (name, _) = inward.first(where: \.1) {
            throw ValidationError("\(name) is about a source, --target about a target: say one of them")
        }
    }

    func run() throws {
        let chosen = try chooseConnection()
        if let target { return try runOutward(chosen, target) }
        let source = source ?? 1
        guard chosen.sources.indices.contains(source - 1) else {
            throw ValidationError("the connection '\(chosen.id)' has \(chosen.sources.count) sources, not \(source)")
        }
        let headers = header.map { text in
            let name = text.prefix { $0 != "=" }
            return (name: String(name), value: String(text.dropFirst(name.count + 1)))
        }
        let trace = try MessageTrace(
            payload: StandardInput.readAll(), address: try chooseAddress(chosen.sources[source - 1], source),
            qos: UInt8(qos ?? 1), headers: headers, connection: chosen, sourceIndex: source - 1,
            clock: SystemClock(), mappers: Mappers.registry)
        StandardOutput.write(json ? trace.json.text + "\n" : trace.text)
        if !trace.isSuccess { throw ExitCode(1) }
    }

    private func runOutward(_ connection: Connection, _ target: Int) throws {
        guard connection.targets.indices.contains(target - 1) else {
            throw ValidationError(
                "the connection '\(connection.id)' has \(connection.targets.count) targets, not \(target)")
        }
        let trace = try TargetTrace(
            signal: StandardInput.readAll(), connection: connection, targetIndex: target - 1, clock: SystemClock(),
            mappers: Mappers.registry)
        StandardOutput.write(json ? trace.json.text + "\n" : trace.text)
        if !trace.isSuccess { throw ExitCode(1) }
    }

    private func chooseConnection() throws -> Connection {
        let loaded = ConnectionFiles.load(
            paths: [file], rules: Adapters.bindingRules, mappers: Mappers.rules, scripts: "./mappers")
        if !loaded.diagnostics.isEmpty {
            let report = DiagnosticReport(loaded.diagnostics, fileCount: loaded.files.count)
            StandardError.write(report.text(isColoured: StandardError.isTerminal))
        }
        guard loaded.isValid else { throw ExitCode(1) }
        let ids = loaded.connections.map(\.id.text)
        let fitting = loaded.connections.filter { connection == nil || $0.id.text == connection }
        guard fitting.count == 1 else {
            let list = ids.joined(separator: ", ")
            throw ValidationError(
                fitting.isEmpty
                    ? "there is no connection '\(connection ?? "")' in \(file); there are: \(list)"
                    : "\(file) holds several connections; name one with --connection: \(list)")
        }
        return fitting[0]
    }

    private func chooseAddress(_ source: Source, _ number: Int) throws -> String {
        if let address { return address }
        guard let only = source.addresses.first, !only.contains("#"), !only.contains("+") else {
            throw ValidationError(
                "source \(number) reads \(source.addresses.joined(separator: ", ")): "
                    + "say with --address where the message was published")
        }
        return only
    }
}

/// stdin.
enum StandardInput {
    /// All bytes up to the end of the input.
    static func readAll() -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(STDIN_FILENO, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return bytes }
            bytes.append(contentsOf: chunk[..<count])
        }
    }
}

extension Duration {
    /// The duration in milliseconds, with fractions.
    var milliseconds: Double { self / .milliseconds(1) }
}

/// A number with a fixed count of decimals, which the standard library has no formatter for.
func fixed(_ value: Double, _ decimals: Int) -> String {
    let scale = (0..<decimals).reduce(1.0) { scale, _ in scale * 10 }
    guard value.isFinite, value.magnitude < 1e12 else { return "\(value)" }
    let scaled = Int64((value.magnitude * scale).rounded())
    let (whole, rest) = scaled.quotientAndRemainder(dividingBy: Int64(scale))
    let sign = value < 0 && scaled != 0 ? "-" : ""
    guard decimals > 0 else { return "\(sign)\(whole)" }
    let digits = String(rest)
    return "\(sign)\(whole)." + String(repeating: "0", count: decimals - digits.count) + digits
}
