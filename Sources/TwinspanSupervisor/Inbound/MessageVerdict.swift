// What the ends of signals mean for the message they came in: whether it is done, runs again, or has died
// (spec/connectivity.md §6.6).
import TwinspanEngine
import TwinspanProtocol

/// Why a signal has failed, and where.
struct SignalFailure: Sendable {
    var stage: InboundStage
    var error: TwinspanError
    var correlationID: String?
}

/// What the end of one signal means.
enum SignalVerdict: Sendable, Equatable {
    case done
    /// The message is to run again.
    case again(TwinspanError)
    /// It can never succeed.
    case dead(TwinspanError)
    /// The store is closed, or the engine ends: nothing was judged.
    case interrupted

    init(_ end: SignalEnd) {
        if let failure = end.failure {
            self.init(failure)
        } else if let answer = end.answer {
            self.init(answer)
        } else {
            // An answer or an acknowledgement of a device: what became of it does not concern its message.
            self = .done
        }
    }

    /// Of an error that came instead of a response.
    init(_ error: TwinspanError) {
        switch error.status {
        // A precondition that is not met was asked for, so the command has done what it should.
        case 304, 412: self = .done
        case 503
        where error.code == ThingErrorTable.unavailable.code || error.code == PolicyErrorTable.unavailable.code:
            self = .interrupted
        // Too many requests at once is our own state and passes.
        case 408, 424, 429, 500...: self = .again(error)
        default: self = .dead(error)
        }
    }

    /// The verdict for a message that does not wait for the signal's end, or is not kept when it fails.
    func limited(isHeld: Bool, isKept: Bool) -> SignalVerdict {
        switch self {
        case .again where !isHeld: .done
        case .dead where !isKept: .done
        case .done, .interrupted, .again, .dead: self
        }
    }

    private init(_ answer: SignalAnswer) {
        switch answer {
        case .accepted, .twin: self = .done
        // Whatever a device answers is an answer; only that nobody did is a failure.
        case .live(let response): self = response.status == 408 ? .again(Self.timeout) : .done
        case .message(let message): self = message.status == 408 ? .again(Self.timeout) : .done
        case .acknowledgements(let all): self = Self.verdict(all)
        case .failure(let error): self.init(error)
        }
    }

    private static func verdict(_ all: Acknowledgements) -> SignalVerdict {
        var verdict = SignalVerdict.done
        for acknowledgement in all.acknowledgements {
            let status = acknowledgement.status
            // One that a target has issued in the device's place names its connection, and is like any other.
            let isAnswer =
                acknowledgement.label == .liveResponse && acknowledgement.headers[.connectionID] == nil
            switch status {
            case 408: return .again(failure(acknowledgement))
            case 424, 500...: if !isAnswer { return .again(failure(acknowledgement)) }
            case 400...: if !isAnswer { verdict = .dead(failure(acknowledgement)) }
            default: break
            }
        }
        return verdict
    }

    private static var timeout: TwinspanError { GeneralErrorTable.commandTimeout.error() }

    /// Who acknowledges may write anything into the payload, so the code is ours. It is in dead letters and counters
    /// only, never on the wire.
    private static func failure(_ acknowledgement: Acknowledgement) -> TwinspanError {
        let isTimeout = acknowledgement.status == 408
        return TwinspanError(
            code: isTimeout ? AckErrorTable.requestTimeout.code : "acknowledgement:failed",
            status: acknowledgement.status,
            message: "The acknowledgement '\(acknowledgement.label)' has the status \(acknowledgement.status).",
            description: "See what its issuer says about the signal, by the correlation id.")
    }
}

/// What all signals of a message together mean. The worst counts, but that it runs again is more than that it has died:
/// some of it may succeed yet.
struct MessageVerdict: Sendable {
    enum End: Sendable {
        case done, interrupted
        case again(SignalFailure)
        case dead(SignalFailure)
    }

    private var again: SignalFailure?
    private var death: SignalFailure?
    private var isInterrupted = false

    /// Nothing was judged.
    static var interrupted: MessageVerdict {
        var verdict = MessageVerdict()
        verdict.isInterrupted = true
        return verdict
    }

    /// The first of each kind is kept.
    mutating func take(_ verdict: SignalVerdict, _ stage: InboundStage, correlationID: String?) {
        switch verdict {
        case .done: break
        case .interrupted: isInterrupted = true
        case .again(let error):
            again = again ?? SignalFailure(stage: stage, error: error, correlationID: correlationID)
        case .dead(let error):
            death = death ?? SignalFailure(stage: stage, error: error, correlationID: correlationID)
        }
    }

    mutating func take(_ other: MessageVerdict) {
        again = again ?? other.again
        death = death ?? other.death
        isInterrupted = isInterrupted || other.isInterrupted
    }

    var end: End {
        if isInterrupted { return .interrupted }
        if let again { return .again(again) }
        if let death { return .dead(death) }
        return .done
    }
}
