// A TLS server whose every byte a test decides: the `openssl` program with its input and output in our hands. What is
// written in one go leaves in one TLS record, which no broker does.
import Foundation

/// Speaks TLS with one client after another on loopback.
public final class PipedTLSServer: @unchecked Sendable {
    // Unchecked: immutable after init; the pipes are used by the server's own thread.
    public let port: Int
    private let process = Process()
    private let toClient = Pipe()
    private let fromClient = Pipe()

    /// Starts a server. `script` is asked with the type byte of each MQTT packet, and what it answers leaves in one
    /// TLS record if it has at most 8 KB.
    public init(
        _ pair: TestCertificate.Pair, script: @escaping @Sendable (_ type: UInt8, _ body: [UInt8]) -> [UInt8]
    ) throws {
        port = try LoopbackPort.free()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments = [
            "s_server", "-quiet", "-accept", "127.0.0.1:\(port)", "-cert", pair.certificatePath, "-key", pair.keyPath,
        ]
        process.standardInput = toClient
        process.standardOutput = fromClient
        process.standardError = FileHandle.nullDevice
        try process.run()
        let (input, output) = (toClient.fileHandleForWriting, fromClient.fileHandleForReading)
        Thread.detachNewThread {
            var buffer: [UInt8] = []
            while case let data = output.availableData, !data.isEmpty {
                buffer += data
                while let packet = RawMQTTClient.split(&buffer) {
                    let answer = script(packet.type, packet.body)
                    // A server that has ended shows at the client.
                    if !answer.isEmpty { try? input.write(contentsOf: Data(answer)) }
                }
            }
        }
        // Connecting would make it take us for the client, so only its listening is awaited.
        for _ in 0..<500 where !LoopbackPort.isTaken(port) { usleep(10_000) }
        try require(LoopbackPort.isTaken(port), "openssl s_server did not start")
    }

    deinit {
        // By its id and at once: a signal it could wait for may be blocked in a process started from a pool's thread.
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }
}
