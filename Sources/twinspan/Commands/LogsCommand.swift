// `twinspan logs`: the log of one connection, as the management API keeps it.
import ArgumentParser
import Glibc
import TwinspanJSON
import TwinspanProtocol

struct LogsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "Show the log of a connection.",
        discussion: """
            Failures are always logged, successes for an hour after the connection was opened or its log was read; \
            of each kind the newest ten are kept. Times are UTC. For every message as it comes, see `twinspan tap`.

            Examples:
              twinspan logs telemetry-in
              twinspan logs telemetry-in -f --json
            """)

    @Argument(help: "The id of the connection.")
    var connection: String

    @Flag(name: .shortAndLong, help: "Go on with new entries, until Ctrl-C.")
    var follow = false

    @Flag(help: "Print each entry as a line of JSON.")
    var json = false

    @OptionGroup var service: ServiceOptions

    func validate() throws { try ConnectionPath.validate(connection) }

    func run() throws {
        let interrupt = Interrupt()
        ProcessSignals.install { if $0 == .terminate { interrupt.request() } }
        try ServiceTrouble.reported {
            let session = try service.session()
            let path = "/api/2/connections/\(connection)/logs"
            var seen: Set<String> = []
            var isLost = false
            let ink = Ink(isOn: StandardOutput.isTerminal)
            var body = try session.object(path, connection: connection)
            while true {
                let entries = (body["connectionLogs"]?.array ?? []).map(\.text)
                for entry in entries where !seen.contains(entry) {
                    StandardOutput.write(json ? entry + "\n" : Self.text(entry, ink))
                }
                // What the ring has forgotten does not come again.
                seen = Set(entries)
                guard follow else { break }
                for _ in 0..<20 where !interrupt.isRequested { usleep(50_000) }
                if interrupt.isRequested { return }
                do {
                    body = try session.object(path, connection: connection)
                    isLost = false
                } catch let trouble as ServiceTrouble {
                    // A service that is started again is followed on; told once.
                    if !isLost { StandardError.write("\(trouble.what); trying again every second.\n") }
                    isLost = true
                }
            }
            if seen.isEmpty, !json { StandardError.write("the log of '\(connection)' is empty.\n") }
        }
    }

    /// An entry in two lines or more: what and where, then the message.
    static func text(_ entry: String, _ ink: Ink) -> String {
        // It was written by our own writer a moment ago.
        guard let entry = (try? JSONValue.parse(entry))?.object else { return "" }
        func field(_ name: String) -> String { Ink.clean(entry[name]?.string ?? "") }
        let isFailure = field("level") == "failure"
        let head = [
            field("timestamp").padded(to: 24), ink.paint(field("level").padded(to: 7), isFailure ? .red : .green),
            "\(field("category"))/\(field("type"))".padded(to: 19), Ink.cut(field("address"), to: 45),
        ].joined(separator: " ")
        var tail: [String] = []
        if entry["entityId"] != nil { tail.append("\(field("entityType")) \(field("entityId"))") }
        if field("correlationId") != "<not-provided>" { tail.append("correlation-id \(field("correlationId"))") }
        var lines = [String(head.reversed().drop { $0 == " " }.reversed())]
        lines += Ink.wrapped(field("message"), width: Ink.columns - 4).map { "    \($0)" }
        if !tail.isEmpty {
            lines += Ink.wrapped(tail.joined(separator: ", "), width: Ink.columns - 4).map {
                "    \(ink.paint($0, .faint))"
            }
        }
        return lines.map { $0 + "\n" }.joined()
    }
}

/// Ids of connections in paths.
enum ConnectionPath {
    /// Refuses what is no id: it could only be a wrong word, and in a path it would mean something else.
    static func validate(_ id: String) throws {
        do throws(TwinspanError) {
            _ = try ConnectionID(id)
        } catch {
            throw ValidationError("'\(id)' is not the id of a connection: letters, digits, '-', '_' and ':' only")
        }
    }
}
