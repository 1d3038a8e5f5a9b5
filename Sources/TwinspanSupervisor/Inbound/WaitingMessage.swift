// A message some of whose signals do not end at once: they wait for acknowledgements, for the answers of devices, or
// for a commit. It gathers their ends, on whichever threads they come, and tells the inbox when the last has.
import Synchronization
import TwinspanConnections
import TwinspanEngine
import TwinspanProtocol

/// The signals of one message that were given to `TwinEngine.serve`. Safe from any thread.
final class WaitingMessage: Sendable {
    private struct State {
        /// Signals that have not ended.
        var held = 0
        /// The same of those that ask for no acknowledgement: the message does not wait for them (N = 0 in §6.6).
        var loose = 0
        var verdict = MessageVerdict()
        /// What ended while the message was still being carried.
        var tally = ConnectionCounters.Tally()
        var isTurnOver = false
        /// Nil when the inbox does not have it.
        var id: Int64?
    }

    private let state = Mutex(State())
    private let accounts: InboundAccounts
    private let inbox: ConnectionInbox

    init(accounts: InboundAccounts, inbox: ConnectionInbox) {
        self.accounts = accounts
        self.inbox = inbox
    }

    /// One more signal is given to the engine.
    /// - Parameter isHeld: whether the message waits for its end.
    func begin(isHeld: Bool) {
        state.withLock { if isHeld { $0.held += 1 } else { $0.loose += 1 } }
    }

    /// A signal has ended.
    func ended(_ end: SignalEnd, _ origin: SignalOrigin, isHeld: Bool) {
        let verdict = SignalVerdict(end).limited(isHeld: isHeld, isKept: origin.isKept)
        var tally = ConnectionCounters.Tally()
        tell(end, verdict, origin, &tally)
        let conclusion = state.withLock { state -> (id: Int64, verdict: MessageVerdict)? in
            if isHeld { state.held -= 1 } else { state.loose -= 1 }
            // One that nobody waits for concerns its message no more once that has been carried.
            if isHeld || !state.isTurnOver {
                state.verdict.take(verdict, .command, correlationID: origin.correlationID)
            }
            guard state.isTurnOver else {
                tally.mapped = 1
                state.tally.add(tally)
                return nil
            }
            accounts.counters.add(tally, waiting: -1)
            guard isHeld, state.held == 0, let id = state.id else { return nil }
            return (id, state.verdict)
        }
        if let conclusion { inbox.conclude(conclusion.id, conclusion.verdict) }
    }

    /// What has become of the signals so far, when the message has been carried: their number that waits and is held,
    /// and the verdict on those that have ended.
    var present: (held: Int, verdict: MessageVerdict) {
        state.withLock { ($0.held, $0.verdict) }
    }

    /// The message has been carried. From now on ends are counted as they come.
    /// - Parameters:
    ///   - id: of the message in the inbox, whose record is queued; nil when it is not there.
    ///   - verdict: of its other signals.
    /// - Returns: what has ended until now, to be counted with the batch.
    func endTurn(id: Int64?, _ verdict: MessageVerdict) -> ConnectionCounters.Tally {
        let (tally, conclusion) = state.withLock { state in
            state.isTurnOver = true
            state.id = id
            state.verdict.take(verdict)
            // Whatever becomes of the batch, these have begun and will end.
            let waiting = state.held + state.loose
            accounts.counters.add(ConnectionCounters.Tally(mapped: waiting), waiting: waiting)
            let isOver = state.held == 0 && id != nil
            return (state.tally, isOver ? state.verdict : nil)
        }
        if let id, let conclusion { inbox.conclude(id, conclusion) }
        return tally
    }

    /// Counts an end, tells of it, and answers it.
    private func tell(
        _ end: SignalEnd, _ verdict: SignalVerdict, _ origin: SignalOrigin, _ tally: inout ConnectionCounters.Tally
    ) {
        switch verdict {
        case .interrupted:
            // The message comes again, so the sender is not told.
            return tally.add(.redelivered, reason: end.failure?.code ?? "store")
        case .again(let error): tally.add(.redelivered, reason: error.code)
        case .dead(let error): tally.add(InboundAccounts.outcome(of: error), reason: error.code)
        case .done:
            if let failure = end.failure {
                tally.add(InboundAccounts.outcome(of: failure), reason: failure.code)
            } else if let fate = end.fate, fate != .counted {
                tally.add(.dropped, reason: fate.reason)
            } else {
                tally.served += 1
            }
        }
        if case .invalid(let error) = end.fate { accounts.misfit(error, origin) }
        if let failure = end.failure { accounts.failed(.command, failure, origin) }
        guard let answer = end.envelope else { return }
        accounts.answer(answer, end.responseType, to: origin, after: nil)
    }
}

extension SignalEnd {
    /// The type that a reply target has to expect (§6.7).
    var responseType: ReplyTarget.ResponseType {
        if failure != nil { return .error }
        switch answer {
        case .live(let response): return response.isError ? .error : .response
        case .acknowledgements(let all): return (200..<300).contains(all.status) ? .response : .nack
        case .accepted, .twin, .message, .failure, nil: return .response
        }
    }
}

extension AnswerFate {
    /// The word in counters.
    fileprivate var reason: String {
        switch self {
        case .counted: "counted"
        case .unknown: "nobody-waits"
        case .duplicate: "answered-before"
        case .notRequested: "not-requested"
        case .invalid: "unfit-answer"
        }
    }
}
