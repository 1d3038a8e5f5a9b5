// An answer leaves the process only when the commit it depends on is done (design: data path). Nobody's thread is
// blocked for that: the request's task is suspended and woken by the committer, by its time limit or by its
// cancellation, whichever comes first.
import NIOCore
import NIOPosix
import Synchronization
import TwinspanEngine
import TwinspanProtocol

/// Waits for commits.
struct CommitWaits: Sendable {
    let engine: TwinEngine
    let loops: any EventLoopGroup

    /// Returns when everything the ticket depends on is durable. Throws 503 when that was rejected, 408 when it takes
    /// longer than `patience`. `unavailable` is the 503 of the entity that the command was for.
    func settle(
        _ ticket: CommitTicket, patience: Duration, unavailable: ErrorRow = ThingErrorTable.unavailable
    ) async throws(TwinspanError) {
        switch engine.gate.outcome(of: ticket) {
        case .committed: return
        case .rejected: throw unavailable.error()
        case .pending: break
        }
        engine.commitSoon()
        switch await outcome(of: ticket, patience: patience) {
        case .committed: return
        case .rejected: throw unavailable.error()
        case .pending:
            throw GeneralErrorTable.commandTimeout.error(
                "The store has not confirmed the change in time.",
                description: "It may still be stored: retrieve the resource to see. /ready says how the store is.")
        }
    }

    /// The outcome, or `.pending` when the time is up.
    private func outcome(of ticket: CommitTicket, patience: Duration) async -> CommitOutcome {
        let waiter = Waiter()
        let timer = loops.any().scheduleTask(in: TimeAmount(patience)) { waiter.finish(.pending) }
        defer { timer.cancel() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                waiter.begin(continuation)
                engine.gate.whenKnown(ticket) { waiter.finish($0) }
            }
        } onCancel: {
            waiter.finish(.pending)
        }
    }

    /// Resumes one continuation once, with the first outcome that is told.
    private final class Waiter: Sendable {
        private enum State {
            case idle
            case waiting(CheckedContinuation<CommitOutcome, Never>)
            case finished(CommitOutcome)
        }

        private let state = Mutex(State.idle)

        func begin(_ continuation: CheckedContinuation<CommitOutcome, Never>) {
            let known = state.withLock { state -> CommitOutcome? in
                switch state {
                case .idle, .waiting:
                    state = .waiting(continuation)
                    return nil
                case .finished(let outcome): return outcome
                }
            }
            if let known { continuation.resume(returning: known) }
        }

        func finish(_ outcome: CommitOutcome) {
            let continuation = state.withLock { state -> CheckedContinuation<CommitOutcome, Never>? in
                switch state {
                case .idle:
                    state = .finished(outcome)
                    return nil
                case .waiting(let continuation):
                    state = .finished(outcome)
                    return continuation
                case .finished: return nil
                }
            }
            continuation?.resume(returning: outcome)
        }
    }
}
