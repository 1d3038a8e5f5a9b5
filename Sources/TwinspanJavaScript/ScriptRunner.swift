// Keeps the context of one script: made with the first message, thrown away when it has outgrown its memory.
import Synchronization

/// One direction of a mapper.
///
/// The lock stands for the rule that one thread at a time uses a mapper, and is never waited for; it is held while the
/// script runs, because a context must not be entered twice.
final class ScriptRunner: Sendable {
    private struct State {
        var context: ScriptContext?
        /// What the script threw when it was evaluated: it would throw it again.
        var failure: ScriptFailure?
    }

    private let source: ScriptSource
    private let entry: String
    private let library: JavaScriptEngineLibrary
    private let limits: ScriptLimits
    private let state = Mutex(State())

    /// - Parameter entry: `ScriptPrelude.incoming` or `.outgoing`.
    init(_ source: ScriptSource, entry: String, library: JavaScriptEngineLibrary, limits: ScriptLimits) {
        (self.source, self.entry, self.library, self.limits) = (source, entry, library, limits)
    }

    /// Calls `body` with the script's context. What `body` gives must not be a value of the engine.
    func run<Result: Sendable>(
        _ body: (ScriptContext) throws(ScriptFailure) -> Result
    ) throws(ScriptFailure) -> Result {
        try state.withLock { state throws(ScriptFailure) -> Result in
            if let failure = state.failure { throw failure }
            do throws(ScriptFailure) {
                let context = try context(&state)
                return try body(context)
            } catch {
                if error.endsContext { state.context = nil }
                throw error
            }
        }
    }

    private func context(_ state: inout State) throws(ScriptFailure) -> ScriptContext {
        if let context = state.context { return context }
        do throws(ScriptFailure) {
            let made = try ScriptContext(source, entry: entry, library: library, limits: limits)
            state.context = made
            return made
        } catch {
            if error.kind == .thrown { state.failure = error }
            throw error
        }
    }
}
