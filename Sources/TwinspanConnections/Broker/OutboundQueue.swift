// The bounded queue between a connection's target pipeline and its publisher session. The pipeline offers, the session
// takes; both only hold the lock for a moment, and neither ever waits for the other. Full means: the newest is refused,
// and the pipeline counts it by reason (design: the outbound side never blocks the inbound side).
import Synchronization

/// A message on its way to a broker.
///
/// Connectivity counts pairs of a signal and a target, not messages; the messages of one pair share a receipt.
public struct OutboundMessage: Sendable {
    public var address: String
    public var payload: [UInt8]
    public var qos: UInt8
    public var isRetained: Bool
    /// Headers for transports that have them.
    public var headers: [(name: String, value: String)]
    /// Whether the payload is bytes and no text, for transports that tell one from the other.
    public var isBinary: Bool
    /// Index of the target it belongs to; nil for an answer to a reply target.
    public var target: Int?
    /// When the event behind it was committed, in nanoseconds of the monotonic clock: for the age of the queue.
    public var queuedAt: UInt64
    /// Where the message is one of several that one signal became, or somebody waits to hear of it; nil for nearly
    /// every message.
    public var receipt: DeliveryReceipt?

    public init(
        address: String, payload: [UInt8], qos: UInt8, isRetained: Bool = false,
        headers: [(name: String, value: String)] = [], isBinary: Bool = false, target: Int?, queuedAt: UInt64,
        receipt: DeliveryReceipt? = nil
    ) {
        self.address = address
        self.payload = payload
        self.qos = qos
        self.isRetained = isRetained
        self.headers = headers
        self.isBinary = isBinary
        self.target = target
        self.queuedAt = queuedAt
        self.receipt = receipt
    }
}

/// Told what became of each message a publisher has taken. Called on the publisher's thread.
public protocol PublishOutcomes: AnyObject, Sendable {
    /// The library has taken the message and the broker has confirmed it (QoS 0: it is written).
    func confirmed(_ message: OutboundMessage)
    /// The receiver has answered, as an HTTP endpoint does, or the broker has told where the message is. Whether that
    /// is a success stands in the answer's status. Called in place of `confirmed`.
    func answered(_ message: OutboundMessage, with answer: BrokerAnswer)
    /// The message can never be sent, or was refused.
    func refused(_ message: OutboundMessage, _ refusal: PublishRefusal)
}

/// What a receiver says to a message.
public struct BrokerAnswer: Sendable {
    /// As of HTTP; from 200 to 299 the message is delivered.
    public var status: Int
    /// Names in lower case.
    public var headers: [(name: String, value: String)]
    public var body: [UInt8]
    /// Why the body is missing although there was one, a clause, e.g. that it is too large; nil when it is complete.
    public var bodyProblem: String?

    public init(
        status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = [], bodyProblem: String? = nil
    ) {
        self.status = status
        self.headers = headers
        self.body = body
        self.bodyProblem = bodyProblem
    }

    public var isSuccess: Bool { (200...299).contains(status) }
}

/// Why a message was not published.
public struct PublishRefusal: Error, Sendable, Equatable {
    /// A short word for metrics, e.g. `invalid-topic`, `unroutable`.
    public var reason: String
    /// What happened, with the broker's own words.
    public var detail: String
    /// What an acknowledgement of the target gets: 400 when the message can never be sent, 503 when it may go well
    /// another time, 408 when no confirmation came (spec/connectivity-bindings.md, per binding).
    public var status: Int

    public init(reason: String, detail: String, status: Int = 503) {
        self.reason = reason
        self.detail = detail
        self.status = status
    }
}

/// A bounded queue of outbound messages. Safe from any thread.
public final class OutboundQueue: Sendable {
    private struct State {
        var messages: [OutboundMessage] = []
        var head = 0
        var bytes = 0
        var isReaderAsleep = false
        var wake: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())
    /// The most messages the queue holds.
    public let capacity: Int
    /// The most bytes of payload the queue holds.
    public let byteCapacity: Int

    public init(capacity: Int, byteCapacity: Int) {
        self.capacity = capacity
        self.byteCapacity = byteCapacity
    }

    /// Adds a message unless the queue is full; returns whether it was taken.
    public func offer(_ message: OutboundMessage) -> Bool {
        offer(contentsOf: CollectionOfOne(message)) == 1
    }

    /// Adds messages in their order until the queue is full; returns how many were taken. One wake-up for all of them,
    /// so that the session sends a batch instead of one message per turn.
    public func offer(contentsOf messages: some Collection<OutboundMessage>) -> Int {
        let (accepted, wake) = state.withLock { state -> (Int, (@Sendable () -> Void)?) in
            var accepted = 0
            for message in messages {
                let isFull =
                    state.messages.count - state.head >= capacity
                    || (state.bytes > 0 && state.bytes + message.payload.count > byteCapacity)
                if isFull { break }
                state.messages.append(message)
                state.bytes += message.payload.count
                accepted += 1
            }
            guard accepted > 0, state.isReaderAsleep else { return (accepted, nil) }
            state.isReaderAsleep = false
            return (accepted, state.wake)
        }
        wake?()
        return accepted
    }

    /// Adds messages whether there is room or not: for a sender that bounds what is under way by itself.
    public func admit(_ messages: [OutboundMessage]) {
        guard !messages.isEmpty else { return }
        let wake = state.withLock { state -> (@Sendable () -> Void)? in
            state.messages += messages
            for message in messages { state.bytes += message.payload.count }
            guard state.isReaderAsleep else { return nil }
            state.isReaderAsleep = false
            return state.wake
        }
        wake?()
    }

    /// Moves up to `limit` messages, oldest first, to the end of `destination`.
    public func take(upTo limit: Int, into destination: inout [OutboundMessage]) {
        guard limit > 0 else { return }
        state.withLock { state in
            let end = state.head + min(limit, state.messages.count - state.head)
            guard end > state.head else { return }
            for index in state.head..<end { state.bytes -= state.messages[index].payload.count }
            destination.append(contentsOf: state.messages[state.head..<end])
            state.head = end
            // Moving the rest down only when half is spent keeps taking O(1) on average.
            if state.head == state.messages.count {
                state.messages.removeAll(keepingCapacity: state.messages.capacity <= 4096)
                state.head = 0
            } else if state.head > state.messages.count / 2 {
                state.messages.removeSubrange(..<state.head)
                state.head = 0
            }
        }
    }

    /// Puts unconfirmed messages of a lost connection back in front, oldest first. They were admitted once, so they
    /// are taken even if that exceeds the capacity for a moment; it is bounded by the session's window.
    public func giveBack(_ messages: [OutboundMessage]) {
        guard !messages.isEmpty else { return }
        state.withLock { state in
            state.messages.replaceSubrange(..<state.head, with: messages)
            state.head = 0
            for message in messages { state.bytes += message.payload.count }
        }
    }

    /// Registers how to wake the session; nil when it ends.
    public func onWake(_ wake: (@Sendable () -> Void)?) {
        state.withLock { $0.wake = wake }
    }

    /// To be called before the session blocks in poll: returns false when there is something to take, else the next
    /// offer wakes the session.
    public func prepareToSleep() -> Bool {
        state.withLock { state in
            guard state.head == state.messages.count else { return false }
            state.isReaderAsleep = true
            return true
        }
    }

    /// Number of messages and bytes waiting, and when the oldest was committed.
    public var load: (messages: Int, bytes: Int, oldestQueuedAt: UInt64?) {
        state.withLock { state in
            let count = state.messages.count - state.head
            return (count, state.bytes, count > 0 ? state.messages[state.head].queuedAt : nil)
        }
    }
}
