// `twinspan status`: how the connections of a running service are.
import ArgumentParser
import Glibc
import TwinspanJSON

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show how the connections of a running service are.",
        discussion: """
            One line per connection: its state, messages per second over the last second, what waits and what is \
            dead, and what ails it. Exit code 0: the service answered, 1: it did not, 2: wrong usage.

            Examples:
              twinspan status
              twinspan status --watch --url http://gateway:8080
            """)

    @OptionGroup var service: ServiceOptions

    @Flag(help: "Print the service's own JSON, with the rates in 'perSecond'.")
    var json = false

    @Flag(help: "Show it anew every second, until Ctrl-C.")
    var watch = false

    static let path = "/devops/twinspan/status"

    func run() throws {
        let interrupt = Interrupt()
        ProcessSignals.install { if $0 == .terminate { interrupt.request() } }
        try ServiceTrouble.reported {
            let session = try service.session()
            let clock = SystemClock()
            var last = StatusReading(try session.object(Self.path), takenAt: clock.monotonic)
            let screen = TerminalScreen()
            let isRewritten = watch && !json && screen.isTerminal
            if isRewritten { screen.begin() }
            defer { if isRewritten { screen.end() } }
            repeat {
                for _ in 0..<20 where !interrupt.isRequested { usleep(50_000) }
                if interrupt.isRequested { break }
                let reading = StatusReading(try session.object(Self.path), takenAt: clock.monotonic)
                let rates = reading.rates(since: last)
                last = reading
                if json {
                    StandardOutput.write(Self.json(reading, rates).text + "\n")
                    continue
                }
                let table = StatusTable(reading: reading, rates: rates, ink: Ink(isOn: StandardOutput.isTerminal))
                if isRewritten {
                    screen.show(table.lines)
                } else {
                    StandardOutput.write(table.lines.map { $0 + "\n" }.joined())
                }
            } while watch
        }
    }

    private static func json(_ reading: StatusReading, _ rates: [String: [String: Double]]) -> JSONValue {
        var json = reading.json
        let connections = (json["connections"]?.array ?? []).map { value -> JSONValue in
            guard var connection = value.object, let id = connection["id"]?.string else { return value }
            let rates = rates[id] ?? [:]
            connection["perSecond"] = .object(
                JSONObject(rates.sorted { $0.key < $1.key }.map { ($0.key, .number(JSONNumber($0.value))) }))
            return .object(connection)
        }
        json["connections"] = .array(connections)
        return .object(json)
    }
}
