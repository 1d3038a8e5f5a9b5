// Receives what the service publishes, over any number of connections and with a session that outlives them.
import Foundation
import TwinspanJSON
import TwinspanTestSupport

/// Collects messages on a thread of its own.
final class EventCollector: @unchecked Sendable {
    // Unchecked: `state` has its lock; everything else belongs to the thread.
    struct Message: Sendable {
        var topic: String
        var payload: [UInt8]

        /// The payload as JSON; null when it is not.
        var json: JSONValue { (try? JSONValue.parse(payload)) ?? .null }
        var text: String { String(decoding: payload, as: UTF8.self) }
    }

    private struct State {
        var messages: [Message] = []
        var count = 0
        var isSubscribed = false
        var isStopping = false
    }

    private let port: Int
    private let clientID: String
    private let filters: [String]
    private let keepsMessages: Bool
    private let state = Watched(State())

    /// Starts to collect; returns once the broker has taken the subscriptions.
    ///
    /// - Parameter keepsMessages: false only counts them.
    init(port: Int, clientID: String = "event-collector", _ filters: [String], keepsMessages: Bool = true) throws {
        self.port = port
        self.clientID = clientID
        self.filters = filters
        self.keepsMessages = keepsMessages
        Thread.detachNewThread { [self] in run() }
        try require(state.wait(10) { $0.isSubscribed }, "the broker did not take the collector's subscriptions")
    }

    /// Ends the thread.
    func stop() { state.update { $0.isStopping = true } }

    var messages: [Message] { state.current.messages }
    var count: Int { state.current.count }

    /// Waits for a message; throws with `what` after so many seconds.
    @discardableResult
    func wait(_ timeout: Double, for what: String, _ isWanted: @escaping (Message) -> Bool) throws -> Message {
        var found: Message?
        var seen = 0
        let isFound = state.wait(timeout) { state in
            while seen < state.messages.count, found == nil {
                if isWanted(state.messages[seen]) { found = state.messages[seen] }
                seen += 1
            }
            return found != nil
        }
        guard isFound, let found else { throw ScenarioFailure("\(what) did not come within \(timeout) s") }
        return found
    }

    /// Waits until so many messages have come.
    func wait(_ timeout: Double, count: Int) throws {
        let isDone = state.wait(timeout) { $0.count >= count }
        try require(isDone, "\(self.count) of \(count) messages came within \(timeout) s")
    }

    /// Waits until nothing has come for so many seconds.
    func waitForSilence(of seconds: Double, _ timeout: Double) throws {
        let end = Date(timeIntervalSinceNow: timeout)
        while Date() < end {
            let before = count
            guard state.wait(seconds, until: { $0.count > before }) else { return }
        }
        throw ScenarioFailure("messages kept coming for \(timeout) s")
    }

    // MARK: The thread

    private func run() {
        while !state.current.isStopping {
            // Whatever ends a connection, the broker keeps the session's messages for the next one.
            try? serve()
            usleep(20_000)
        }
    }

    private func serve() throws {
        let socket = try MQTTSocket(port: port, clientID: clientID, isClean: false)
        try socket.send(0x82, [0, 1] + filters.flatMap { MQTTSocket.text($0) + [1] })
        while !state.current.isStopping {
            var arrived: [Message] = []
            var confirmations: [UInt8] = []
            for packet in try socket.receive(patience: 50) {
                if packet.type == 0x90 { state.update { $0.isSubscribed = true } }
                guard packet.type & 0xF0 == 0x30 else { continue }
                let start = packet.body.startIndex
                let topicEnd = start + 2 + Int(packet.body[start]) << 8 + Int(packet.body[start + 1])
                let isConfirmed = packet.type & 0x06 != 0
                if isConfirmed { confirmations += [0x40, 2] + packet.body[topicEnd..<topicEnd + 2] }
                arrived.append(
                    Message(
                        topic: String(decoding: packet.body[(start + 2)..<topicEnd], as: UTF8.self),
                        payload: Array(packet.body[(isConfirmed ? topicEnd + 2 : topicEnd)...])))
            }
            guard !arrived.isEmpty else { continue }
            // Kept first: what is confirmed never comes again.
            state.update { state in
                state.count += arrived.count
                if keepsMessages { state.messages += arrived }
            }
            if !confirmations.isEmpty { try socket.send(confirmations) }
        }
    }
}
