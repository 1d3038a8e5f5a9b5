// MQTT 3.1.1 on a socket, as little of it as traffic needs. Not the adapter's library, and not blocking: the tests'
// side must go on whatever the broker does.
import Glibc
import TwinspanTestSupport

/// One connection to a broker. Used by one thread.
final class MQTTSocket {
    /// A packet: its first byte and what follows the length.
    struct Packet {
        var type: UInt8
        var body: ArraySlice<UInt8>
    }

    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var chunk = [UInt8](repeating: 0, count: 262_144)

    /// Connects; throws if the broker refuses or is silent for five seconds.
    init(port: Int, clientID: String, isClean: Bool) throws {
        descriptor = try LoopbackPort.connect(to: port)
        var yes: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
        // A broker that is stopped or dead must not hold a sending thread for ever.
        var timeout = timeval(tv_sec: 5, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        // Keep-alive 0: nobody watches the clock in a test.
        try send(0x10, Self.text("MQTT") + [4, isClean ? 2 : 0, 0, 0] + Self.text(clientID))
        let answer = try receive(patience: 5000).first
        try require(answer?.type == 0x20 && answer?.body.last == 0, "the broker refused \(clientID)")
    }

    deinit { close(descriptor) }

    /// Sends a packet.
    func send(_ type: UInt8, _ body: [UInt8]) throws { try send(RawMQTTClient.packet(type, body)) }

    /// Sends whole packets.
    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw ScenarioFailure("the broker does not take data") }
            sent += count
        }
    }

    /// The packets that have arrived, waiting up to `patience` milliseconds for the first.
    func receive(patience: Int32) throws -> [Packet] {
        var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&poller, 1, patience) > 0 else { return [] }
        let count = recv(descriptor, &chunk, chunk.count, 0)
        guard count > 0 else { throw ScenarioFailure("the broker closed the connection") }
        buffer += chunk[..<count]
        return split()
    }

    private func split() -> [Packet] {
        var packets: [Packet] = []
        var start = 0
        while let (body, end) = Self.body(in: buffer, from: start) {
            packets.append(Packet(type: buffer[start], body: buffer[body..<end]))
            start = end
        }
        buffer = Array(buffer[start...])
        return packets
    }

    /// Where the body of the packet at `start` begins and ends; nil while the packet is not whole.
    private static func body(in buffer: [UInt8], from start: Int) -> (start: Int, end: Int)? {
        var length = 0
        for digit in 0..<4 {
            let at = start + 1 + digit
            guard at < buffer.count else { return nil }
            length |= Int(buffer[at] & 0x7F) << (7 * digit)
            guard buffer[at] & 0x80 == 0 else { continue }
            return at + 1 + length <= buffer.count ? (at + 1, at + 1 + length) : nil
        }
        return nil
    }

    /// A text with its length before it.
    static func text(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        return [UInt8(bytes.count >> 8), UInt8(bytes.count & 0xFF)] + bytes
    }
}
