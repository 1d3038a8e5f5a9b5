// `twinspan parse`: an offline validator of Ditto Protocol envelopes. No network, no store, no policy.
import ArgumentParser
import Glibc
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol

struct ParseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "parse",
        abstract: "Check Ditto Protocol envelopes without a server.",
        discussion: """
            Reads one JSON envelope per line from the standard input and prints for each its canonical form, or the \
            error that a server would send. Everything is checked that needs neither a stored thing nor a policy: \
            topic, path, headers, value. Empty lines are skipped. Exit code 0: all lines are fine, 1: at least one \
            failed, 2: wrong usage.

            Examples:
              twinspan parse < messages.jsonl
              mosquitto_sub -t 'telemetry/#' | twinspan parse --explain
            """)

    @Flag(help: "Say below each line what it is, what it addresses, which permissions it needs, what is answered.")
    var explain = false

    func run() throws {
        var lines = InputLines()
        var number = 0
        var failures = 0
        while let line = lines.next() {
            number += 1
            guard line.contains(where: { $0 > UInt8(ascii: " ") }) else { continue }
            let (text, isValid) = Self.result(of: line, number: number, explain: explain)
            StandardOutput.write(text)
            if !isValid { failures += 1 }
        }
        guard failures == 0 else {
            StandardError.write("\(failures) of \(number) lines failed\n")
            throw ExitCode(1)
        }
    }

    /// What is printed for one line.
    static func result(of line: [UInt8], number: Int, explain: Bool) -> (text: String, isValid: Bool) {
        let envelope: Envelope
        do throws(EnvelopeFailure) {
            envelope = try Envelope.parse(line)
        } catch {
            return failed(error.error, error.topic, error.headers, number, explain)
        }
        do throws(TwinspanError) {
            let signal = try Signal(envelope)
            try SignalCheck.check(signal)
            var text = String(decoding: signal.envelope.bytes, as: UTF8.self) + "\n"
            if explain { text += SignalExplanation(signal).text }
            return (text, true)
        } catch {
            return failed(error, envelope.topic, envelope.headers, number, explain)
        }
    }

    private static func failed(
        _ error: TwinspanError, _ topic: TopicPath?, _ headers: DittoHeaders, _ number: Int, _ explain: Bool
    ) -> (text: String, isValid: Bool) {
        var text = String(decoding: error.envelope(topic: topic, headers: headers).bytes, as: UTF8.self) + "\n"
        if explain {
            text += SignalExplanation.line("failed", "line \(number): \(error.code) \(error.status)")
            text += SignalExplanation.line("", error.message)
            if let description = error.description { text += SignalExplanation.line("", "→ \(description)") }
        }
        return (text, false)
    }
}

/// The lines of the standard input as bytes, each as soon as it has come.
struct InputLines {
    private var buffer: [UInt8] = []
    private var start = 0
    private var isAtEnd = false

    /// The next line without its end; nil behind the last.
    mutating func next() -> [UInt8]? {
        var searched = start
        while true {
            if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                defer { start = end + 1 }
                return Array(buffer[start..<end])
            }
            guard !isAtEnd else {
                guard start < buffer.count else { return nil }
                defer { start = buffer.count }
                return Array(buffer[start...])
            }
            buffer.removeFirst(start)
            start = 0
            searched = buffer.count
            fill()
        }
    }

    private mutating func fill() {
        withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 1) { chunk in
            var count = read(STDIN_FILENO, chunk.baseAddress, chunk.count)
            while count < 0, errno == EINTR { count = read(STDIN_FILENO, chunk.baseAddress, chunk.count) }
            guard count > 0 else {
                isAtEnd = true
                return
            }
            buffer.append(contentsOf: chunk[..<count])
        }
    }
}
