// `twinspan map`: shows what a source makes of a message, step by step. No network, nothing is stored.
import ArgumentParser
import Glibc
import TwinspanConnections
import TwinspanJSON
import TwinspanProtocol
import TwinspanSupervisor

struct MapCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "map",
        abstract: "Show what a source makes of a message, step by step.",
        discussion: """
            Reads the payload from the standard input and takes it through the pipeline of a source. Nothing is sent \
            and nothing is stored. Exit code 0: the message would be taken, 1: a step fails, 2: wrong usage.

            Examples:
              twinspan map connections/telemetry-in.yaml --address telemetry/demo:sensor-01 < message.json
              twinspan map connections/plant.yaml --connection plant --source 2 --json < message.json
            """)

    @Argument(help: ArgumentHelp("The file with the connection.", valueName: "CONNECTION.yaml"))
    var file: String

    @Option(name: .long, help: "The id of the connection; needed when the file holds several.")
    var connection: String?

    @Option(name: .long, help: "Which source, counted from 1.")
    var source = 1

    @Option(name: .long, help: "Where the message was published; the source's address unless that has wildcards.")
    var address: String?

    @Option(name: .long, help: "The quality of service it arrives with, 0 to 2.")
    var qos = 1

    @Flag(help: "Print the steps as JSON.")
    var json = false

    func validate() throws {
        guard (0...2).contains(qos) else { throw ValidationError("--qos is 0, 1 or 2") }
        guard source >= 1 else { throw ValidationError("--source counts from 1") }
    }

    func run() throws {
        let chosen = try chooseConnection()
        guard chosen.sources.indices.contains(source - 1) else {
            throw ValidationError("the connection '\(chosen.id)' has \(chosen.sources.count) sources, not \(source)")
        }
        let trace = try MessageTrace(
            payload: StandardInput.readAll(), address: try chooseAddress(chosen.sources[source - 1]),
            qos: UInt8(qos), connection: chosen, sourceIndex: source - 1, clock: SystemClock(),
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

    private func chooseAddress(_ source: Source) throws -> String {
        if let address { return address }
        guard let only = source.addresses.first, !only.contains("#"), !only.contains("+") else {
            throw ValidationError(
                "source \(self.source) reads \(source.addresses.joined(separator: ", ")): "
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

extension MessageTrace {
    /// The steps for people: a numbered line each, details below.
    fileprivate var text: String {
        var text = ""
        for (index, step) in steps.enumerated() {
            text += "\(index + 1) \(step.kind.rawValue.padded(to: 12))\(step.line)\n"
            for detail in step.details { text += Self.margin + "\(detail)\n" }
            guard let failure = step.failure else { continue }
            text += Self.margin + "\(failure.status) \(failure.code)\n" + Self.margin + "\(failure.message)\n"
            if let description = failure.description { text += Self.margin + "→ \(description)\n" }
            guard let answer = step.answer else { continue }
            text += step.isAnswered ? "would be answered with:\n" : "no answer is sent here; it would be:\n"
            text += "\(String(decoding: answer.bytes, as: UTF8.self))\n"
        }
        for command in commands { text += "would be committed as: \(command) (nothing was sent anywhere)\n" }
        return text
    }

    private static var margin: String { String(repeating: " ", count: 14) }

    /// The steps for programs.
    fileprivate var json: JSONValue {
        let steps = steps.map { step -> JSONValue in
            var object = JSONObject([("step", .string(step.kind.rawValue)), ("text", .string(step.text))])
            if !step.details.isEmpty { object["details"] = .array(step.details.map { .string($0) }) }
            if let duration = step.duration { object["milliseconds"] = .number(JSONNumber(duration.milliseconds)) }
            if let failure = step.failure { object["error"] = failure.json }
            if let answer = step.answer {
                object["answer"] = JSONText(uncheckedBytes: answer.bytes).value
                object["isAnswered"] = .bool(step.isAnswered)
            }
            return .object(object)
        }
        return .object(
            JSONObject([
                ("success", .bool(isSuccess)), ("steps", .array(steps)),
                ("commands", .array(commands.map { .string($0) })),
            ]))
    }
}

extension MessageTrace.Step {
    fileprivate var line: String {
        if failure != nil { return "FAILED  \(text)" }
        guard let duration else { return text }
        let time = "\(fixed(duration.milliseconds, 3)) ms"
        return text.padded(to: 84 - time.count) + time
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
