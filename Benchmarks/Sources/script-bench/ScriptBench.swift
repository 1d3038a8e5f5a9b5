import Glibc
import TwinspanJSON
import TwinspanJavaScript
import TwinspanMapping
import TwinspanProtocol

/// Prints what a script mapper costs per message and in memory, as one JSON line: `{"ns":…,"rss":…,"without":…}`.
///
/// Usage: `script-bench SCRIPT.js [MILLISECONDS]`. From the bytes of a message to a checked envelope.
@main
struct ScriptBench {
    static func main() {
        do {
            let arguments = CommandLine.arguments
            guard arguments.count > 1 else {
                throw Failure(description: "usage: script-bench SCRIPT.js [MILLISECONDS]")
            }
            let milliseconds = arguments.count > 2 ? Int(arguments[2]) ?? 300 : 300
            let without = resident
            let mapper = try mapper(try text(of: arguments[1]))
            let messages = (0..<256).map(payload)
            _ = try run(mapper, messages, milliseconds)
            let nanoseconds = try run(mapper, messages, milliseconds)
            print(#"{"ns":\#(nanoseconds),"rss":\#(resident),"without":\#(without)}"#)
        } catch {
            let text = Array("script-bench: \(error)\n".utf8)
            _ = write(STDERR_FILENO, text, text.count)
            exit(1)
        }
    }

    private struct Failure: Error {
        let description: String
    }

    private static func mapper(_ script: String) throws -> any PayloadMapper {
        let made = try JavaScriptMapper.engine.make(
            MapperDefinition(name: "bench", options: ["incomingScript": .string(script)]))
        guard case .mapper(let mapper) = made else { throw Failure(description: "not a mapper") }
        return mapper
    }

    /// Nanoseconds of processor time per message.
    private static func run(_ mapper: any PayloadMapper, _ messages: [[UInt8]], _ milliseconds: Int) throws -> Double {
        let scene = MappingScene(connectionID: try ConnectionID("bench"), now: Timestamp(milliseconds: 0))
        let headers = ExternalHeaders([
            (name: "content-type", value: "application/json"), (name: "device", value: "gateway"),
        ])
        var scratch: [UInt8] = []
        var count = 0
        let start = now
        repeat {
            for message in messages {
                let mapped = try message.withUnsafeBytes {
                    try mapper.inbound(InboundMessage(payload: $0, headers: headers), scene, scratch: &scratch)
                }
                guard case .one = mapped else { throw Failure(description: "nothing was mapped") }
            }
            count += messages.count
        } while now - start < UInt64(milliseconds) * 1_000_000
        return Double(now - start) / Double(count)
    }

    /// The same as in `mapping-node.js`.
    private static func payload(_ number: Int) -> [UInt8] {
        Array(
            (#"{"device":"device-\#(number % 100)","number":\#(number),"at":"2030-01-01T12:00:00.000Z","values":{"speed":"#
                + #"\#(1000 + number % 97),"temperature":71.5,"status":"running"},"#
                + #""units":{"speed":"rpm","temperature":"°C","status":null}}"#).utf8)
    }

    private static func text(of path: String) throws -> String {
        guard let file = fopen(path, "r") else { throw Failure(description: "cannot read \(path)") }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        return String(decoding: bytes[..<fread(&bytes, 1, bytes.count, file)], as: UTF8.self)
    }

    /// Processor time of all threads, which a busy machine disturbs less than the clock.
    private static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Resident bytes.
    private static var resident: Int {
        guard let file = fopen("/proc/self/statm", "r") else { return 0 }
        defer { fclose(file) }
        var text = [UInt8](repeating: 0, count: 128)
        let line = String(decoding: text[..<fread(&text, 1, text.count, file)], as: UTF8.self)
        return (line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * sysconf(Int32(_SC_PAGESIZE))
    }
}
