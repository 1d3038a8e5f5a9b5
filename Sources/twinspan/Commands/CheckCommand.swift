// `twinspan check`: dials each connection once, step by step, and names the step that fails.
import ArgumentParser
import Glibc
import TwinspanConnections
import TwinspanJSON
import TwinspanProtocol

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Dial each connection once and name the step that fails.",
        discussion: """
            Takes the steps resolve, connect, tls, authenticate and subscribe of each open connection. The broker is \
            not disturbed: a client id of its own, no session, no last will, nothing acknowledged, nothing published. \
            Connections of Eclipse Hono are dialled at the cluster that 'hono' names in the configuration. \
            Exit code 0: all steps went well, 1: one failed, 2: wrong usage.

            Examples:
              twinspan check
              twinspan check connections/plant.yaml --timeout 30s --json
              twinspan check connections/hono.yaml --config twinspan.yaml
            """)

    @Argument(help: "Files and directories; ./connections when none is named.")
    var paths: [String] = []

    @Option(help: "The longest time for one connection, e.g. 10s.", transform: Self.duration)
    var timeout: Duration = .seconds(10)

    @Flag(help: "Print the steps as JSON.")
    var json = false

    @Flag(help: "Dial connections with the status closed as well.")
    var all = false

    @Option(help: "The configuration file (twinspan.yaml), for its cluster of Eclipse Hono.")
    var config: String?

    @Option(help: "The directory of mapper scripts.")
    var mappers = "./mappers"

    func run() throws {
        // A broker that closes while TLS still writes must not end the process.
        signal(SIGPIPE, SIG_IGN)
        let hono = try honoResolution()
        let loaded = ConnectionFiles.load(
            paths: paths.isEmpty ? ["./connections"] : paths, rules: Adapters.bindingRules, mappers: Mappers.rules,
            scripts: mappers)
        if !loaded.diagnostics.isEmpty {
            let report = DiagnosticReport(loaded.diagnostics, fileCount: loaded.files.count)
            StandardError.write(report.text(isColoured: StandardError.isTerminal))
        }
        var (tried, failed) = (0, 0)
        var objects: [JSONValue] = []
        for connection in loaded.connections {
            guard connection.isOpen || all else {
                objects.append(connection.checkHead(["skipped": true]))
                if !json {
                    StandardOutput.write(connection.checkLine + "\n  skipped      its status is closed (--all)\n")
                }
                continue
            }
            let dialled = hono.resolve(connection)
            // Reading refuses a type that nobody serves.
            guard let adapter = Adapters.all.first(where: { $0.types.contains(dialled.type) }) else { continue }
            if !json { StandardOutput.write(connection.checkLine + "\n") }
            let check = ConnectionCheck(dialled, adapter: adapter, timeout: timeout)
            tried += 1
            if !check.isSuccess { failed += 1 }
            objects.append(connection.checkHead(check.members))
            if !json { StandardOutput.write(check.text(isColoured: StandardOutput.isTerminal)) }
        }
        if json {
            let success = failed == 0 && loaded.isValid
            StandardOutput.write(
                JSONValue.object(["success": .bool(success), "connections": .array(objects)]).text + "\n")
        } else if tried > 0 {
            let fine = "\(tried) connection\(tried == 1 ? "" : "s") fine\n"
            StandardOutput.write(failed > 0 ? "\(failed) of \(tried) connections failed\n" : fine)
        } else if loaded.isValid {
            StandardOutput.write("There is no open connection to check.\n")
        }
        if failed > 0 || !loaded.isValid { throw ExitCode(1) }
    }

    /// What connections of Hono stand for. Prints what is wrong with the configuration and ends with 1.
    private func honoResolution() throws -> HonoResolution {
        let loaded = Configuration.load(file: config)
        let report = DiagnosticReport(loaded.diagnostics, fileCount: config == nil ? 0 : 1)
        if !loaded.diagnostics.isEmpty { StandardError.write(report.text(isColoured: StandardError.isTerminal)) }
        guard report.errorCount == 0 else { throw ExitCode(1) }
        return HonoResolution(loaded.configuration.hono)
    }

    private static func duration(_ text: String) throws -> Duration {
        guard let duration = TimeSpan.parse(text), duration >= .milliseconds(100), duration <= .seconds(3600) else {
            throw ValidationError("--timeout is a duration from 100ms to 1h, e.g. 10s, not '\(text)'")
        }
        return duration
    }
}

extension Connection {
    fileprivate var checkLine: String { "\(id.text.padded(to: 15))\(type.rawValue.padded(to: 7))\(uri.display)" }

    fileprivate func checkHead(_ members: JSONObject) -> JSONValue {
        var object: JSONObject = [
            "id": .string(id.text), "connectionType": .string(type.rawValue), "uri": .string(uri.display),
        ]
        for member in members { object[member.key] = member.value }
        return .object(object)
    }
}

extension ConnectionCheck {
    /// The steps for people; a failure with what to do about it.
    fileprivate func text(isColoured: Bool) -> String {
        let ink = Ink(isOn: isColoured)
        // Certificates and brokers have a word in these texts, so they are cleaned and wrapped.
        func wrapped(_ front: String, _ text: String, margin: Int) -> String {
            let lines = Ink.wrapped(text, width: Ink.columns - margin)
            return front + lines.joined(separator: "\n" + String(repeating: " ", count: margin)) + "\n"
        }
        var text = ""
        for step in steps {
            let name = "  " + step.step.rawValue.padded(to: 13)
            switch step.outcome {
            case .ok:
                let time = step.duration.map { "\(fixed($0.milliseconds, $0 < .milliseconds(10) ? 1 : 0)) ms" } ?? ""
                text += name + "ok     " + Ink.cut(step.text, to: 66).padded(to: 77 - time.count) + time + "\n"
            case .notTried: text += name + step.outcome.rawValue + "\n"
            case .failed:
                text += wrapped(name + ink.paint("FAILED", .red) + " ", step.text, margin: 22)
                guard let hint = failure?.hint else { continue }
                text += wrapped(String(repeating: " ", count: 15) + "→ ", hint, margin: 17)
            }
        }
        for hint in hints { text += wrapped("  hint         ", hint, margin: 15) }
        return text
    }

    /// The steps for programs.
    fileprivate var members: JSONObject {
        let steps = steps.map { step -> JSONValue in
            var object: JSONObject = [
                "step": .string(step.step.rawValue), "outcome": .string(step.outcome.rawValue),
            ]
            if !step.text.isEmpty { object["text"] = .string(step.text) }
            if let duration = step.duration { object["milliseconds"] = .number(JSONNumber(duration.milliseconds)) }
            return .object(object)
        }
        var members: JSONObject = ["success": .bool(isSuccess), "steps": .array(steps)]
        if let failure {
            var object: JSONObject = [
                "step": .string(failure.step.rawValue), "reason": .string(failure.reason),
                "message": .string(failure.message),
            ]
            if let hint = failure.hint { object["hint"] = .string(hint) }
            if let index = failure.sourceIndex { object["source"] = .number(JSONNumber(Int64(index + 1))) }
            members["failure"] = .object(object)
        }
        if !hints.isEmpty { members["hints"] = .array(hints.map { .string($0) }) }
        return members
    }
}
