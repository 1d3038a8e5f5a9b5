// Which successes are told in words: all of them while somebody taps the connection, else a sample. The log shows that
// the connection works, and a busy one pays no more for it.
import Synchronization
import TwinspanConnections
import TwinspanEngine

/// How many successes are worth a note in the log. The ring has room for a few, so that under load nearly all of them
/// would be gone before anybody has seen them; putting them into words would cost more than the messages.
struct SuccessBudget {
    /// Messages a second that are told of under load.
    static let rate: UInt64 = 20
    private var available = UInt64(ConnectionRecorder.ringCapacity)
    private var filledAt: UInt64 = 0

    /// How many of the last messages of a batch are told of.
    mutating func take(_ count: Int, at now: UInt64) -> Int {
        let most = UInt64(ConnectionRecorder.ringCapacity)
        let share = 1_000_000_000 / Self.rate
        let gained = (now &- filledAt) / share
        if gained > 0 {
            available = min(most, available + min(gained, most))
            filledAt = gained >= most ? now : filledAt + gained * share
        }
        let taken = min(UInt64(count), available)
        available -= taken
        return Int(taken)
    }
}

/// The same for those who meet on several threads: decides about one success at a time.
final class NoteBudget: Sendable {
    private let recorder: ConnectionRecorder
    private let clock: any EngineClock
    private let successes = Mutex(SuccessBudget())

    init(_ recorder: ConnectionRecorder, clock: any EngineClock) {
        self.recorder = recorder
        self.clock = clock
    }

    /// Whether a success is noted that has so many behind it in its batch: of a batch only the last could stay in a
    /// ring.
    func wants(before remaining: Int) -> Bool {
        if recorder.isTapped { return true }
        guard remaining < ConnectionRecorder.ringCapacity, recorder.logsSuccesses else { return false }
        return successes.withLock { $0.take(1, at: clock.monotonic) } == 1
    }
}
