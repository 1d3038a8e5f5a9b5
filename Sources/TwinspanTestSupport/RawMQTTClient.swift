// A small MQTT client, 3.1.1 or 5, on a blocking socket, for the tests' side of a broker. It shares no code with the
// adapter, so that the two cannot agree on a mistake.
import Glibc

/// An MQTT client for tests. Used by one thread.
public final class RawMQTTClient {
    /// A received PUBLISH.
    public struct Message: Equatable, Sendable {
        public var topic: String
        public var payload: [UInt8]
        public var qos: UInt8
        public var isRetained: Bool
        public var isDuplicate: Bool
        /// Of MQTT 5.
        public var properties: [RawMQTTProperty] = []
    }

    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var lastID: UInt16 = 0
    private var inbox: [Message] = []
    private let isV5: Bool

    /// Connects. Throws if the broker refuses or does not answer within five seconds.
    public init(
        port: Int, clientID: String, isClean: Bool = true, user: String? = nil, password: String? = nil,
        isV5: Bool = false
    ) throws {
        self.isV5 = isV5
        descriptor = try LoopbackPort.connect(to: port)
        var timeout = timeval(tv_sec: 5, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var flags: UInt8 = isClean ? 2 : 0
        if user != nil { flags |= 0x80 }
        if password != nil { flags |= 0x40 }
        var body = RawMQTTClient.text("MQTT") + [isV5 ? 5 : 4, flags, 0, 60] + (isV5 ? [0] : [])
        body += RawMQTTClient.text(clientID)
        if let user { body += RawMQTTClient.text(user) }
        if let password { body += RawMQTTClient.text(password) }
        try send(0x10, body)
        let answer = try nextPacket()
        try require(answer.type == 0x20 && answer.body.dropFirst().first == 0, "CONNACK \(answer.body)")
    }

    deinit { close(descriptor) }

    /// Publishes and, for QoS 1, waits for the confirmations of all.
    public func publish(
        _ payloads: [[UInt8]], to topic: String, qos: UInt8 = 1, isRetained: Bool = false,
        properties: [RawMQTTProperty] = []
    ) throws {
        for (index, payload) in payloads.enumerated() {
            lastID = lastID == .max ? 1 : lastID + 1
            var body = RawMQTTClient.text(topic)
            if qos > 0 { body += [UInt8(lastID >> 8), UInt8(lastID & 0xFF)] }
            if isV5 { body += RawMQTTProperty.block(properties) }
            try send(0x30 | qos << 1 | (isRetained ? 1 : 0), body + payload)
            // The broker answers as fast as it reads; waiting now and then keeps its output from filling up.
            if qos == 1, index % 20 == 19 || index == payloads.count - 1 {
                for _ in 0...(index % 20) { try awaitPacket(0x40) }
            }
        }
    }

    /// Subscribes and waits for the answer; returns the granted QoS.
    @discardableResult
    public func subscribe(_ filter: String, qos: UInt8 = 1) throws -> UInt8 {
        lastID += 1
        try send(
            0x82, [UInt8(lastID >> 8), UInt8(lastID & 0xFF)] + (isV5 ? [0] : []) + RawMQTTClient.text(filter) + [qos])
        return try awaitPacket(0x90).last ?? 0x80
    }

    /// Waits for the next message and acknowledges it; throws after five seconds.
    public func receive() throws -> Message {
        if !inbox.isEmpty { return inbox.removeFirst() }
        while inbox.isEmpty { keep(try nextPacket()) }
        return inbox.removeFirst()
    }

    /// Says goodbye.
    public func disconnect() throws { try send(0xE0, []) }

    // MARK: Packets

    @discardableResult
    private func awaitPacket(_ type: UInt8) throws -> [UInt8] {
        while true {
            let packet = try nextPacket()
            if packet.type & 0xF0 == type { return packet.body }
            keep(packet)
        }
    }

    private func keep(_ packet: (type: UInt8, body: [UInt8])) {
        guard packet.type & 0xF0 == 0x30, packet.body.count >= 2 else { return }
        let qos = packet.type >> 1 & 3
        let length = Int(packet.body[0]) << 8 | Int(packet.body[1])
        let afterTopic = 2 + length
        let afterID = afterTopic + (qos > 0 ? 2 : 0)
        guard packet.body.count >= afterID else { return }
        var rest = packet.body[afterID...]
        // A packet that is not well-formed shows by its missing properties.
        let properties = isV5 ? RawMQTTProperty.read(&rest) ?? [] : []
        inbox.append(
            Message(
                topic: String(decoding: packet.body[2..<afterTopic], as: UTF8.self),
                payload: Array(rest), qos: qos, isRetained: packet.type & 1 != 0,
                isDuplicate: packet.type & 8 != 0, properties: properties))
        // A confirmation that cannot be sent shows as a timeout of the next wait.
        if qos == 1 { try? send(0x40, Array(packet.body[afterTopic..<afterID])) }
    }

    private func nextPacket() throws -> (type: UInt8, body: [UInt8]) {
        while true {
            if let packet = RawMQTTClient.split(&buffer) { return packet }
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let count = recv(descriptor, &chunk, chunk.count, 0)
            guard count > 0 else { throw ScenarioFailure("the broker closed the connection or was silent") }
            buffer += chunk[..<count]
        }
    }

    private func send(_ type: UInt8, _ body: [UInt8]) throws {
        let packet = RawMQTTClient.packet(type, body)
        var sent = 0
        while sent < packet.count {
            let count = packet[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw ScenarioFailure("the broker closed the connection") }
            sent += count
        }
    }

    /// A packet with its header.
    public static func packet(_ type: UInt8, _ body: [UInt8]) -> [UInt8] {
        var length: [UInt8] = []
        var rest = body.count
        repeat {
            length.append(UInt8(rest & 0x7F) | (rest > 0x7F ? 0x80 : 0))
            rest >>= 7
        } while rest > 0
        return [type] + length + body
    }

    /// Cuts the first whole packet off a buffer; nil if there is none.
    public static func split(_ buffer: inout [UInt8]) -> (type: UInt8, body: [UInt8])? {
        var length = 0
        for at in 1..<5 {
            guard buffer.count > at else { return nil }
            length |= Int(buffer[at] & 0x7F) << (7 * (at - 1))
            guard buffer[at] & 0x80 == 0 else { continue }
            let end = at + 1 + length
            guard buffer.count >= end else { return nil }
            defer { buffer.removeFirst(end) }
            return (buffer[0], Array(buffer[(at + 1)..<end]))
        }
        return nil
    }

    private static func text(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        return [UInt8(bytes.count >> 8), UInt8(bytes.count & 0xFF)] + bytes
    }
}
