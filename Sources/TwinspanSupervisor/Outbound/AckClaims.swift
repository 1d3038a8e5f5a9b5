// The acknowledgement labels of a connection: declared when it opens, given back at its end. A label has one session at
// a time; a connection whose labels are taken goes on without them and tries again (spec/connectivity.md §6.4).
import Logging
import Synchronization
import TwinspanConnections
import TwinspanEngine
import TwinspanProtocol

/// Declares the labels of one connection.
final class AckClaims: Sendable {
    private struct State {
        var isHeld = false
        var nextAttemptAt: UInt64 = 0
        var problem: TwinspanError?
    }

    let labels: Set<AckLabel>
    private let ordered: [AckLabel]
    private let live: LiveChannel
    private let session: ConnectionID
    private let clock: any EngineClock
    private let trouble: TroubleLog
    private let recorder: ConnectionRecorder
    private let state = Mutex(State())

    /// Between two attempts to declare labels that another session has, in nanoseconds.
    static let interval: UInt64 = 10_000_000_000

    init(
        _ connection: Connection, live: LiveChannel, clock: any EngineClock, trouble: TroubleLog,
        recorder: ConnectionRecorder
    ) {
        labels = IssuedAcks.labels(of: connection)
        ordered = labels.sorted { $0.text < $1.text }
        session = connection.id
        self.live = live
        self.clock = clock
        self.trouble = trouble
        self.recorder = recorder
    }

    /// Whether the labels are declared; true when there are none.
    var isHeld: Bool { labels.isEmpty || state.withLock { $0.isHeld } }

    /// Why they are not.
    var problem: TwinspanError? { state.withLock { $0.problem } }

    /// Declares the labels, unless they are declared or the last attempt was a moment ago. Called by one thread at a
    /// time.
    func declareIfDue() {
        let now = clock.monotonic
        let isDue = state.withLock { !$0.isHeld && now >= $0.nextAttemptAt }
        guard isDue, !ordered.isEmpty else { return }
        var problem: TwinspanError?
        do throws(TwinspanError) {
            try live.declareAcks(ordered, by: session)
        } catch {
            problem = error
        }
        state.withLock { state in
            state.isHeld = problem == nil
            state.problem = problem
            state.nextAttemptAt = now + Self.interval
        }
        guard let problem else { return }
        recorder.count(.connection, .other, isFailure: true)
        recorder.note(
            StageNote(
                .connection, .other, isFailure: true,
                "The acknowledgement labels could not be declared: \(problem.message)", entityType: "connection",
                entityID: session.text, reason: problem.code))
        trouble.warn(
            "acknowledgement labels are taken", reason: problem.code,
            [
                "error": "\(problem.message)",
                "hint": "give every connection labels of its own; it is tried again every 10 s",
            ])
    }

    /// Gives the labels back.
    func release() {
        let wasHeld = state.withLock { state in
            defer { state.isHeld = false }
            return state.isHeld
        }
        if wasHeld { live.releaseAcks(of: session) }
    }
}
