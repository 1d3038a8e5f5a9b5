// A server whose answers a test chooses, for what no real broker does on request: silence, refusals, a sudden end.
import Foundation

/// Accepts connections on loopback and answers each MQTT packet with what the script says.
public final class ScriptedServer: Sendable {
    /// What to do with a packet.
    public enum Answer: Sendable {
        case silence
        case bytes([UInt8])
        /// Sends the bytes and closes the connection.
        case last([UInt8])
    }

    public var port: Int { listener.port }
    private let listener: LoopbackListener

    /// `script` is asked with the type byte of each packet, on a thread of the server.
    public init(script: @escaping @Sendable (_ type: UInt8, _ body: [UInt8]) -> Answer) throws {
        let listener = try LoopbackListener()
        self.listener = listener
        Thread.detachNewThread {
            while true {
                let descriptor = listener.accept()
                guard descriptor >= 0 else { return }
                Thread.detachNewThread { ScriptedServer.serve(descriptor, script) }
            }
        }
    }

    deinit { listener.interrupt() }

    private static func serve(_ descriptor: Int32, _ script: (UInt8, [UInt8]) -> Answer) {
        defer { close(descriptor) }
        var buffer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            while let packet = RawMQTTClient.split(&buffer) {
                switch script(packet.type, packet.body) {
                case .silence: break
                case .bytes(let bytes): _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
                case .last(let bytes):
                    _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
                    return
                }
            }
            let count = recv(descriptor, &chunk, chunk.count, 0)
            guard count > 0 else { return }
            buffer += chunk[..<count]
        }
    }
}
