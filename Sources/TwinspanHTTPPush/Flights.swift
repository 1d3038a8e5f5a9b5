// The requests of a session that are under way or have just ended. The session's thread owns all but the list of ends,
// which the event loop fills.
import Synchronization
import TwinspanConnections
import TwinspanNetwork

/// A message on its way, with what has been tried for it.
struct Attempt {
    var message: OutboundMessage
    /// Whether it was sent again after its connection had broken off.
    var isRepeated = false
    /// Whether it was sent again with a new token.
    var hasNewToken = false
}

/// A request under way.
struct Flight {
    let attempt: Attempt
    let exchange: Exchange
    let isIdempotent: Bool
    /// The token it carries.
    let token: AccessToken?
    /// By when the head of the answer has to be there.
    let deadline: Deadline
    /// Whether its deadline has passed and was dealt with.
    var isExpired = false
}

/// Ends of requests on their way from the event loop to the session's thread.
final class FlightEnds: Sendable {
    private let ends = Mutex<[(id: Int, end: ExchangeEnd)]>([])
    private let wake: WakeSignal

    init(wake: WakeSignal) { self.wake = wake }

    var isEmpty: Bool { ends.withLock { $0.isEmpty } }

    func add(_ id: Int, _ end: ExchangeEnd) {
        ends.withLock { $0.append((id, end)) }
        wake.wake()
    }

    /// Takes out all of them, oldest first.
    func take() -> [(id: Int, end: ExchangeEnd)] {
        ends.withLock { ends in
            defer { ends.removeAll(keepingCapacity: true) }
            return ends
        }
    }
}
