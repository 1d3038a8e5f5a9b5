// A device gateway as it should be: one client id, one session, QoS 1, and every message is sent again until the broker
// has confirmed it, over any number of connections. Order is kept: what is unconfirmed goes first, oldest first.
import Foundation
import TwinspanTestSupport

/// Sends messages in order on a thread of its own until each is confirmed.
final class LoadGenerator: @unchecked Sendable {
    // Unchecked: `state` has its lock; everything else belongs to the thread.
    struct Message: Sendable {
        var topic: String
        var payload: [UInt8]

        init(_ topic: String, _ text: String) {
            self.topic = topic
            payload = Array(text.utf8)
        }

        init(_ topic: String, bytes: [UInt8]) {
            self.topic = topic
            payload = bytes
        }
    }

    private struct State {
        var waiting: [Message] = []
        var head = 0
        var queued = 0
        var confirmed = 0
        var connects = 0
        var isStopping = false
        /// Messages per second; 0 is as fast as the broker confirms.
        var rate = 0
        /// When `rate` was set, and how many were sent since.
        var since = Date()
        var sent = 0
    }

    private let port: Int
    private let clientID: String
    /// The most unconfirmed messages.
    private let window: Int
    private let state = Watched(State())
    private var unconfirmed: [(id: UInt16, message: Message)] = []
    private var lastID: UInt16 = 0

    init(port: Int, clientID: String = "load-generator", window: Int = 100) {
        self.port = port
        self.clientID = clientID
        self.window = window
        Thread.detachNewThread { [self] in run() }
    }

    /// Ends the thread.
    func stop() { state.update { $0.isStopping = true } }

    /// Limits how fast messages are sent; 0 lifts the limit.
    func setRate(_ perSecond: Int) {
        state.update { state in
            state.rate = perSecond
            state.since = Date()
            state.sent = 0
        }
    }

    func send(_ messages: [Message]) {
        state.update { state in
            state.waiting += messages
            state.queued += messages.count
        }
    }

    /// Messages the broker has confirmed so far.
    var confirmed: Int { state.current.confirmed }
    /// How often a connection was made.
    var connects: Int { state.current.connects }

    /// Waits until everything given so far, or `count` messages, are confirmed.
    func waitForConfirmations(of count: Int? = nil, _ timeout: Double) throws {
        let isDone = state.wait(timeout) { $0.confirmed >= count ?? $0.queued }
        let now = state.current
        try require(isDone, "the broker confirmed \(now.confirmed) of \(now.queued) messages in \(timeout) s")
    }

    /// Waits until fewer than `count` messages are left to send.
    func waitForBacklog(below count: Int, _ timeout: Double) throws {
        let isDone = state.wait(timeout) { $0.queued - $0.confirmed < count }
        try require(isDone, "more than \(count) messages are still not sent after \(timeout) s")
    }

    // MARK: The thread

    private func run() {
        while !state.current.isStopping {
            // Whatever ends a connection, the next one goes on where it ended.
            try? serve()
            usleep(50_000)
        }
    }

    private func serve() throws {
        let socket = try MQTTSocket(port: port, clientID: clientID, isClean: false)
        state.update { $0.connects += 1 }
        for entry in unconfirmed { try socket.send(Self.packet(entry.message, entry.id, isRepeated: true)) }
        while !state.current.isStopping {
            let due = take(window - unconfirmed.count)
            var bytes: [UInt8] = []
            for message in due {
                lastID = lastID == .max ? 1 : lastID + 1
                unconfirmed.append((lastID, message))
                bytes += Self.packet(message, lastID, isRepeated: false)
            }
            if !bytes.isEmpty { try socket.send(bytes) }
            var confirmed = 0
            for packet in try socket.receive(patience: due.isEmpty ? 10 : 1) where packet.type == 0x40 {
                let id =
                    UInt16(packet.body[packet.body.startIndex]) << 8
                    | UInt16(packet.body[packet.body.startIndex + 1])
                guard let index = unconfirmed.firstIndex(where: { $0.id == id }) else { continue }
                unconfirmed.remove(at: index)
                confirmed += 1
            }
            if confirmed > 0 { state.update { $0.confirmed += confirmed } }
        }
    }

    private func take(_ limit: Int) -> [Message] {
        guard limit > 0 else { return [] }
        return state.update { state in
            var count = min(limit, state.waiting.count - state.head)
            if state.rate > 0 {
                let allowed = Int(Date().timeIntervalSince(state.since) * Double(state.rate)) - state.sent
                count = min(count, max(allowed, 0))
            }
            state.sent += count
            let due = Array(state.waiting[state.head..<state.head + count])
            state.head += count
            if state.head > 10_000 {
                state.waiting.removeFirst(state.head)
                state.head = 0
            }
            return due
        }
    }

    private static func packet(_ message: Message, _ id: UInt16, isRepeated: Bool) -> [UInt8] {
        RawMQTTClient.packet(
            isRepeated ? 0x3A : 0x32,
            MQTTSocket.text(message.topic) + [UInt8(id >> 8), UInt8(id & 0xFF)] + message.payload)
    }
}
