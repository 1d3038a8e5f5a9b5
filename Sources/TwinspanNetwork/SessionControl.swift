// What other threads may say to a session: stop. It remembers the request, also before `run` has begun, and wakes the
// session's thread. The lock is held for assignments only, never across a call into a library.
import Synchronization
public import TwinspanConnections

/// The stop request of a session and the way to wake its thread.
public final class SessionControl: Sendable {
    private struct State {
        var stopDeadline: Deadline?
        var wake: WakeSignal?
    }

    private let state = Mutex(State())

    public init() {}

    /// Asks the session to end by `grace` from now; of two requests the sooner one counts.
    public func stop(grace: Duration) {
        let deadline = Deadline.after(grace)
        let wake = state.withLock { state in
            state.stopDeadline = min(deadline, state.stopDeadline ?? .never)
            return state.wake
        }
        wake?.wake()
    }

    /// The frame of every session's run: gives `serve` a signal by which a stop wakes it, and answers a stop with
    /// `.stopped`, whatever `serve` has come to by then. A stop that was asked for before ends the run at once.
    public func run(_ serve: (WakeSignal) -> SessionEnd) -> SessionEnd {
        guard let wake = WakeSignal() else { return end() ? .stopped : .failed(NetworkFailure.exhausted) }
        begin(wake: wake)
        let end = isStopping ? .stopped : serve(wake)
        return self.end() ? .stopped : end
    }

    /// Called at the start of a run with the signal its thread listens to.
    public func begin(wake: WakeSignal) {
        state.withLock { $0.wake = wake }
    }

    /// Called at the end of a run. Returns whether a stop was asked for; that request is spent then.
    public func end() -> Bool {
        state.withLock { state in
            state.wake = nil
            defer { state.stopDeadline = nil }
            return state.stopDeadline != nil
        }
    }

    /// By when the session has to be gone; nil while nobody has asked for a stop.
    public var stopDeadline: Deadline? { state.withLock { $0.stopDeadline } }
    /// Whether a stop was asked for.
    public var isStopping: Bool { stopDeadline != nil }
}
