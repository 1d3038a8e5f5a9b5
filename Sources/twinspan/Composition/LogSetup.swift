// Logs go to stderr: a line for people on a terminal, JSON otherwise.
import Glibc
import Logging
import TwinspanJSON
import TwinspanProtocol

/// Writes log lines to stderr.
struct StandardErrorLog: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level
    let isTerminal: Bool

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let facts = metadata.merging(event.metadata ?? [:]) { _, new in new }
        let line = isTerminal ? person(event, facts) : program(event, facts)
        var bytes = line
        bytes.append(UInt8(ascii: "\n"))
        // One call per line, so that lines of several threads never mix. Nothing can be done if stderr is gone.
        _ = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    private func person(_ event: LogEvent, _ facts: Logger.Metadata) -> [UInt8] {
        let time = SystemClock().now.iso8601
        let clock = time.dropFirst(11).prefix(8)
        let level = "\(event.level)".padded(to: 8)
        var text = "\(clock) \(level)\(event.message)"
        for (key, value) in facts.sorted(by: { $0.key < $1.key }) { text += "  \(key)=\(value)" }
        // Control characters of a peer must not reach a terminal.
        return text.utf8.map { $0 < 0x20 || $0 == 0x7F ? UInt8(ascii: " ") : $0 }
    }

    private func program(_ event: LogEvent, _ facts: Logger.Metadata) -> [UInt8] {
        var object = JSONObject()
        object["time"] = .string(SystemClock().now.iso8601)
        object["level"] = .string("\(event.level)")
        object["message"] = .string("\(event.message)")
        for (key, value) in facts.sorted(by: { $0.key < $1.key }) { object[key] = .string("\(value)") }
        return JSONValue.object(object).bytes
    }
}

extension String {
    /// The text with blanks behind it up to a width in characters.
    func padded(to width: Int) -> String {
        count >= width ? self : self + String(repeating: " ", count: width - count)
    }
}
