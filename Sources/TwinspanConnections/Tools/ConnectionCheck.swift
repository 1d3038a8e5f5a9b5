// Tries a connection once, step by step, and tells how each step went: `twinspan check`.
import Synchronization

/// How the steps of one connection went.
public struct ConnectionCheck: Sendable {
    /// What became of a step.
    public enum Outcome: String, Sendable { case ok, failed, notTried = "not tried" }

    /// One step.
    public struct Step: Sendable {
        public let step: SessionStep
        public let outcome: Outcome
        /// What it has found, e.g. the addresses of the host.
        public let text: String
        /// Nil for a step that was not tried.
        public let duration: Duration?
    }

    /// In the order in which they are taken. Steps that the connection does not need are left out.
    public let steps: [Step]
    /// Why it failed; nil when all went well.
    public let failure: BrokerFailure?
    /// What is worth knowing although all went well.
    public let hints: [String]

    public var isSuccess: Bool { failure == nil }

    /// Tries a connection. Blocks for at most about `timeout`. At the broker nothing is left behind.
    public init(_ connection: Connection, adapter: any BrokerAdapter, timeout: Duration) {
        let notes = StepNotes()
        let end = adapter.probe(connection, timeout: timeout, observer: notes)
        let taken = notes.finish()
        let failure: BrokerFailure? =
            switch end {
            case .stopped: nil
            case .failed(let failure): failure
            }
        self.failure = failure
        hints = notes.hints
        var steps: [Step] = []
        for step in SessionStep.allCases where step != .serve {
            let began = taken.first { $0.step == step }
            if failure?.step == step {
                steps.append(
                    Step(step: step, outcome: .failed, text: failure?.message ?? "", duration: began?.duration))
            } else if let began {
                steps.append(Step(step: step, outcome: .ok, text: began.text, duration: began.duration))
            } else if failure != nil, Self.needs(step, connection) {
                steps.append(Step(step: step, outcome: .notTried, text: "", duration: nil))
            }
        }
        self.steps = steps
    }

    private static func needs(_ step: SessionStep, _ connection: Connection) -> Bool {
        switch step {
        case .resolve, .connect, .authenticate: true
        case .tls: ["ssl", "mqtts", "wss", "amqps", "https"].contains(connection.uri.scheme)
        case .subscribe: !connection.sources.isEmpty
        case .serve: false
        }
    }
}

/// Notes when each step has begun, and what it has found.
private final class StepNotes: SessionObserver {
    struct Note {
        var step: SessionStep
        var start: ContinuousClock.Instant
        var text = ""
        var duration: Duration?
    }

    private struct State {
        var notes: [Note] = []
        var hints: [String] = []
    }

    private let state = Mutex(State())

    var hints: [String] { state.withLock { $0.hints } }

    func began(_ step: SessionStep) {
        let now = ContinuousClock.now
        state.withLock { state in
            Self.close(&state, now)
            state.notes.append(Note(step: step, start: now))
        }
    }

    func opened() { _ = finish() }

    func warned(_ failure: BrokerFailure) {
        let text = [failure.message, failure.hint].compactMap { $0 }.joined(separator: " ")
        state.withLock { $0.hints.append(text) }
    }

    func noted(_ step: SessionStep, _ text: String) {
        state.withLock { state in
            if step == .serve { return state.hints.append(text) }
            guard let index = state.notes.lastIndex(where: { $0.step == step }) else { return }
            state.notes[index].text = text
        }
    }

    /// The steps that were taken; the last one ends now unless it has ended already.
    func finish() -> [Note] {
        let now = ContinuousClock.now
        return state.withLock { state in
            Self.close(&state, now)
            return state.notes
        }
    }

    private static func close(_ state: inout State, _ now: ContinuousClock.Instant) {
        guard let last = state.notes.indices.last, state.notes[last].duration == nil else { return }
        state.notes[last].duration = now - state.notes[last].start
    }
}
