// The scripted AMQP 1.0 peer (`amqp10-peer.py`) as tests use it: started on a free port, told what to do by a line, and
// asked what it has seen.
import Foundation
import TwinspanTestSupport

/// A running peer. Ended with the last reference.
final class AMQP10Peer: Sendable {
    /// What the peer has said: the name of the event, and its fields as texts.
    struct Event: Sendable {
        var name: String
        var fields: [String: String]
    }

    /// Why the peer cannot be started; nil if it can. For `.disabled(if:)`.
    static let unavailableReason: String? = {
        let tool = Process()
        tool.executableURL = URL(fileURLWithPath: python)
        tool.arguments = ["-c", "import proton"]
        tool.standardError = FileHandle.nullDevice
        let missing = "python3-qpid-proton is not installed: tests with a scripted AMQP 1.0 peer are skipped"
        guard (try? tool.run()) != nil else { return missing }  // No Python at all is the same to us.
        tool.waitUntilExit()
        return tool.terminationStatus == 0 ? nil : missing
    }()

    let port: Int
    let events = Watched<[Event]>([])
    private let input = Pipe()
    private let commands = Watched(0)

    init() throws {
        port = try LoopbackPort.free()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.python)
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("amqp10-peer.py")
        process.arguments = [script.path, "\(port)"]
        let output = Pipe()
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        let reader = output.fileHandleForReading
        Thread.detachNewThread { [events] in
            var rest = Data()
            while true {
                let chunk = reader.availableData
                if chunk.isEmpty { return }
                rest.append(chunk)
                while let end = rest.firstIndex(of: 0x0A) {
                    let line = rest[rest.startIndex..<end]
                    rest = Data(rest[(end + 1)...])
                    guard let object = try? JSONSerialization.jsonObject(with: line) as? [String: Any] else { continue }
                    let fields = object.mapValues { "\($0)" }
                    events.update { $0.append(Event(name: fields["event"] ?? "", fields: fields)) }
                }
            }
        }
        try require(events.wait(10) { $0.contains { $0.name == "listening" } }, "the peer did not start")
    }

    // The peer ends by itself when nobody can tell it anything any more.
    deinit { input.fileHandleForWriting.closeFile() }

    /// Tells the peer what to do and waits until it has done so.
    func tell(_ command: String, _ arguments: [String: any Sendable] = [:]) throws {
        var object: [String: Any] = arguments
        object["do"] = command
        let line = try JSONSerialization.data(withJSONObject: object) + Data([0x0A])
        let number = commands.update { count in
            count += 1
            return count
        }
        try input.fileHandleForWriting.write(contentsOf: line)
        try require(
            events.wait(10) { $0.count { $0.name == "done" } >= number }, "the peer did not answer '\(command)'")
    }

    /// Puts encoded messages into a queue of the peer.
    func send(_ messages: [[UInt8]], to address: String) throws {
        try tell("send", ["address": address, "messages": messages.map { Data($0).base64EncodedString() }])
    }

    /// Waits for so many events of a name, and returns them.
    @discardableResult
    func await(_ name: String, count: Int = 1, within seconds: Double = 15) throws -> [Event] {
        let found = events.wait(seconds) { $0.count { $0.name == name } >= count }
        let all = events.current.filter { $0.name == name }
        try require(found, "\(all.count) of \(count) events '\(name)'")
        return all
    }

    /// The encoded messages that the peer was sent.
    var received: [[UInt8]] {
        events.current.filter { $0.name == "received" }
            .map { Array(Data(base64Encoded: $0.fields["bytes"] ?? "") ?? Data()) }
    }

    private static let python = "/usr/bin/python3"
}
