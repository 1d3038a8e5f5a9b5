// Which successes are noted in words: all of them while somebody taps the connection, else the last of a batch, and
// only as many in a moment as a ring of the log holds. The log shows a sample then, and a busy connection pays no more.
import Synchronization
import TwinspanConnections
import TwinspanEngine

/// Decides which successes of one connection are worth a note. Safe from any thread.
final class NoteBudget: Sendable {
    private let recorder: ConnectionRecorder
    private let clock: any EngineClock
    private let spent = Mutex<(window: UInt64, notes: Int)>((0, 0))

    /// In nanoseconds.
    private static let window: UInt64 = 500_000_000

    init(_ recorder: ConnectionRecorder, clock: any EngineClock) {
        self.recorder = recorder
        self.clock = clock
    }

    /// Whether a success is noted that has so many behind it in its batch.
    func wants(before remaining: Int) -> Bool {
        if recorder.isTapped { return true }
        guard remaining < ConnectionRecorder.ringCapacity, recorder.logsSuccesses else { return false }
        let window = clock.monotonic / Self.window
        return spent.withLock { spent in
            if spent.window != window { spent = (window, 0) }
            spent.notes += 1
            return spent.notes <= ConnectionRecorder.ringCapacity
        }
    }
}
