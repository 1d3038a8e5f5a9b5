// A device gateway for brokers of any type: paced, in order, and again until the broker has confirmed it.
import Foundation
import TwinspanTestSupport

/// Sends messages on a thread of its own.
final class BrokerFeeder: Sendable {
    private struct State {
        var sent = 0
        var repeated = 0
        /// Where the newest part begins that is sent again.
        var failedAt = -1
        var isPaused = false
        var isSending = false
        var isStopping = false
    }

    private let state = Watched(State())
    private let count: Int

    /// Begins to send.
    /// - Parameter rate: messages per second.
    init(_ messages: [SourceMessage], to kind: BrokerKind, in yard: BrokerYard, rate: Int) {
        count = messages.count
        Thread.detachNewThread { [state] in
            let part = max(1, rate / 20)
            while true {
                _ = state.wait(120) { !$0.isPaused || $0.isStopping }
                let from = state.update { state in
                    state.isSending = !state.isPaused
                    return state.sent
                }
                let now = state.current
                guard from < messages.count, !now.isStopping else { return }
                guard now.isSending else { continue }
                do {
                    try yard.send(Array(messages[from..<min(from + part, messages.count)]), to: kind)
                    state.update { $0.sent = min(from + part, messages.count) }
                } catch {
                    // Some of them may have arrived; all go again, in order. While the broker is away, none arrives.
                    state.update { state in
                        if state.failedAt != from { state.repeated += part }
                        state.failedAt = from
                    }
                }
                state.update { $0.isSending = false }
                usleep(50_000)
            }
        }
    }

    /// How many messages, at most, the broker has more than once, for they were sent again.
    var repeated: Int { state.current.repeated }

    /// Stops sending, for somebody else has to talk with the broker; returns when nothing is under way.
    func pause() throws {
        state.update { $0.isPaused = true }
        try require(state.wait(40) { !$0.isSending }, "the broker does not confirm")
    }

    func resume() { state.update { $0.isPaused = false } }

    /// Ends the thread.
    func stop() { state.update { $0.isStopping = true } }

    /// Waits until all messages are confirmed.
    func finish(_ timeout: Double) throws {
        try require(
            state.wait(timeout) { $0.sent == count },
            "\(state.current.sent) of \(count) messages are confirmed after \(timeout) s")
        stop()
    }
}
