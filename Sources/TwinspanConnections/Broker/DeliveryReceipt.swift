// What is to be told when the broker has confirmed a message: that the signal behind it is delivered, once for all the
// messages it became, and the acknowledgement that the target issues for it (spec/connectivity.md §6.4).
import Synchronization
public import TwinspanProtocol

/// The messages that one signal became for one target. Safe from any thread.
public final class DeliveryReceipt: Sendable {
    /// An acknowledgement that somebody waits for.
    public struct Acknowledgement: Sendable, Equatable {
        public var label: AckLabel
        public var thingID: ThingID
        public var channel: TopicPath.Channel
        public var correlationID: String
        /// Whether it is of a thing, or of the policy with that id.
        public var group: TopicPath.Group

        public init(
            label: AckLabel, thingID: ThingID, channel: TopicPath.Channel, correlationID: String,
            group: TopicPath.Group = .things
        ) {
            self.group = group
            self.label = label
            self.thingID = thingID
            self.channel = channel
            self.correlationID = correlationID
        }
    }

    /// The signal behind the messages, as far as an answer to it has to be judged.
    public struct SentSignal: Sendable {
        public enum Content: Sendable {
            case event
            case message(Message)
            case liveCommand
        }

        public var content: Content
        public var thingID: ThingID
        public var correlationID: String
        /// As subscribers get them.
        public var headers: DittoHeaders

        public init(content: Content, thingID: ThingID, correlationID: String, headers: DittoHeaders) {
            self.content = content
            self.thingID = thingID
            self.correlationID = correlationID
            self.headers = headers
        }
    }

    /// Why a message was not delivered.
    public struct Failure: Sendable {
        /// A short word for metrics.
        public var reason: String
        public var error: TwinspanError

        public init(reason: String, error: TwinspanError) {
            self.reason = reason
            self.error = error
        }
    }

    /// What is known when the last message has been settled: the first failure, if there was one.
    public struct End: Sendable {
        public var failure: Failure?
        /// What the receiver has answered: with the failure, or to the last message.
        public var answer: BrokerAnswer?
    }

    private struct State {
        var missing: Int
        var failure: Failure?
        var answer: BrokerAnswer?
    }

    /// Nil when nobody waits for one.
    public let acknowledgement: Acknowledgement?
    /// For receivers that answer with more than a status; nil for all others.
    public let signal: SentSignal?
    private let state: Mutex<State>

    /// Told of the end, once, on the thread that brings it; must return at once. Returns whether it is the end: false
    /// when the signal will be sent again. Nil when nobody wants to know.
    public let whenSettled: (@Sendable (Failure?) -> Bool)?

    /// - Parameter messages: how many messages share the receipt, at least one.
    public init(
        messages: Int, acknowledgement: Acknowledgement? = nil, signal: SentSignal? = nil,
        whenSettled: (@Sendable (Failure?) -> Bool)? = nil
    ) {
        self.acknowledgement = acknowledgement
        self.signal = signal
        self.whenSettled = whenSettled
        state = Mutex(State(missing: messages))
    }

    /// Notes that a message was confirmed, or why it was not; to be called once per message. Returns the end with the
    /// last of them.
    public func settle(_ failure: Failure? = nil, answer: BrokerAnswer? = nil) -> End? {
        state.withLock { state in
            // The answer of the first failure counts; while all goes well, the latest.
            if state.failure == nil {
                state.failure = failure
                state.answer = answer
            }
            state.missing -= 1
            return state.missing == 0 ? End(failure: state.failure, answer: state.answer) : nil
        }
    }
}
