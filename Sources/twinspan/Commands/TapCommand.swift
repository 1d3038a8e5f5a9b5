// `twinspan tap`: what happens to messages of a connection, as it happens.
import ArgumentParser
import Glibc
import TwinspanConnections
import TwinspanJSON

struct TapCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tap",
        abstract: "Show what happens to the messages of a connection, as it happens.",
        discussion: """
            A line per message and stage, until Ctrl-C. The service goes on as before: what comes faster than it can \
            be shown is left out, and a line says how much. Times are UTC.

            Examples:
              twinspan tap telemetry-in --outcome failure
              twinspan tap telemetry-in --thing 'org.plant:*' --stage mapped --json | jq .message
            """)

    @Argument(help: "The id of the connection.")
    var connection: String

    @Option(name: .long, help: "Only this thing; * and ? are wildcards.")
    var thing: String?

    @Option(name: .long, help: "Only 'success' or 'failure'.")
    var outcome: String?

    @Option(name: .long, help: "Only messages with this correlation id.")
    var correlationId: String?

    @Option(name: .long, help: ArgumentHelp("Only one of: \(TapCommand.stages)."))
    var stage: String?

    @Flag(help: "Print the lines of JSON as they come.")
    var json = false

    @OptionGroup var service: ServiceOptions

    private static let stages = RecordedStage.allCases.map(\.rawValue).joined(separator: ", ")

    func validate() throws {
        try ConnectionPath.validate(connection)
        do throws(TapFilterFailure) {
            _ = try TapFilter.parse(thing: thing, outcome: outcome, correlationID: correlationId, stage: stage)
        } catch {
            throw ValidationError("\(error.message) \(error.hint)")
        }
    }

    func run() throws {
        let interrupt = Interrupt()
        ProcessSignals.install { if $0 == .terminate { interrupt.request() } }
        let ink = Ink(isOn: StandardOutput.isTerminal)
        try ServiceTrouble.reported {
            let session = try service.session()
            try session.lines(path, connection: connection, interrupt: interrupt) { line in
                let text = String(decoding: line, as: UTF8.self)
                StandardOutput.write(json ? text + "\n" : Self.text(text, ink))
            }
        }
    }

    private var path: String {
        let parameters = [("thing", thing), ("outcome", outcome), ("correlation-id", correlationId), ("stage", stage)]
        let query = parameters.compactMap { name, value in value.map { "\(name)=\(Self.escaped($0))" } }
        return "/devops/twinspan/connections/\(connection)/tap"
            + (query.isEmpty ? "" : "?" + query.joined(separator: "&"))
    }

    /// Everything but letters, digits and `-._~` as `%XX`.
    static func escaped(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF")
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default: result += "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
            }
        }
        return result
    }

    /// A note for people: one line, and more for what it says of a failure.
    static func text(_ line: String, _ ink: Ink) -> String {
        // What is no JSON is shown as it came, so that nothing is hidden.
        guard let note = (try? JSONValue.parse(line))?.object else { return Ink.clean(line) + "\n" }
        func field(_ name: String) -> String? { note[name]?.string.map { Ink.clean($0) } }
        let time = String((field("time") ?? "").drop { $0 != "T" }.dropFirst())
        guard let stage = field("stage") else {
            return "\(time.padded(to: 13)) \(ink.paint(field("message") ?? "", .yellow))\n"
        }
        let place =
            note["source"]?.int64.map { "in \($0)" } ?? note["target"]?.int64.map { "out \($0)" }
            ?? (field("direction") == nil ? "–" : "answer")
        let isFailure = field("outcome") == "failure"
        let head = "\(time.padded(to: 13)) \(place.padded(to: 6)) \(stage.padded(to: 12)) "
        let subject = field("thing") ?? field("policy") ?? field("address") ?? ""
        var lines = [
            head + ink.paint(isFailure ? "failed" : "ok    ", isFailure ? .red : .green) + " "
                + Ink.cut(subject, to: Ink.columns - head.count - 7)
        ]
        let message = [field("message"), field("reason").map { "(\($0))" }].compactMap { $0 }.joined(separator: " ")
        lines += Ink.wrapped(message, width: Ink.columns - 4).map { "    \($0)" }
        var more: [String] = []
        if subject != field("address"), let address = field("address") { more.append("address \(address)") }
        if let id = field("correlationId") { more.append("correlation-id \(id)") }
        for (name, value) in note["details"]?.object ?? JSONObject() { more.append("\(name) \(value.string ?? "")") }
        if !more.isEmpty {
            lines += Ink.wrapped(more.joined(separator: ", "), width: Ink.columns - 4).map {
                "    \(ink.paint($0, .faint))"
            }
        }
        return lines.map { $0 + "\n" }.joined()
    }
}
