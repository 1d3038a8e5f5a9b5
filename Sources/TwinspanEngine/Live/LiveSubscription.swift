// One subscriber of the live channel. Whether a signal is his is decided on the sender's thread, because the answer is
// also needed for weak acknowledgements; what is his waits in his inbox until he takes it, and never holds up a sender.
import Synchronization
import TwinspanJSON
import TwinspanPolicies
public import TwinspanProtocol

/// Signals of one kind that a subscriber wants.
public struct LiveTopic: Sendable {
    public var kind: LiveKind
    /// Exact namespaces; empty admits all.
    public var namespaces: Set<String>
    /// The subscriber's filter; nil admits all. It runs on the thread of the sender and must not block.
    public var admits: (@Sendable (LiveSignal) -> Bool)?

    public init(
        _ kind: LiveKind, namespaces: Set<String> = [], admits: (@Sendable (LiveSignal) -> Bool)? = nil
    ) {
        self.kind = kind
        self.namespaces = namespaces
        self.admits = admits
    }
}

/// A subscriber and his bounded inbox.
public final class LiveSubscription: Sendable {
    /// A signal is delivered when one of them wants it, and then once.
    public let topics: [LiveTopic]
    /// Whose READ decides; nil when the subscriber judges himself what he may see of a signal, because he reads with
    /// the permissions of several.
    public let subjects: AuthorizationContext?
    /// The session or connection; its own signals are not delivered to it.
    public let session: ConnectionID
    /// The labels that this subscriber acknowledges with.
    public let declaredAcks: [AckLabel]
    /// Whether the labels are declared with the subscription; otherwise the session declares them by itself, and they
    /// count only while it has them.
    let declaresAcks: Bool
    private let inbox: Mutex<Inbox<LiveDelivery>>
    private let wake: @Sendable () -> Void
    private let onOverflow: @Sendable (LiveSignal) -> Void

    /// - Parameters:
    ///   - wake: called when the reader sleeps and there is something to take; must return at once.
    ///   - onOverflow: called on the sender's thread for each signal that did not fit; must return at once.
    public init(
        topics: [LiveTopic], subjects: AuthorizationContext?, session: ConnectionID, declaredAcks: [AckLabel] = [],
        declaresAcks: Bool = true, capacity: Int, byteCapacity: Int, wake: @escaping @Sendable () -> Void,
        onOverflow: @escaping @Sendable (LiveSignal) -> Void
    ) {
        self.topics = topics
        self.subjects = subjects
        self.session = session
        self.declaredAcks = declaredAcks
        self.declaresAcks = declaresAcks
        inbox = Mutex(Inbox(capacity: capacity, byteCapacity: byteCapacity))
        self.wake = wake
        self.onOverflow = onOverflow
    }

    /// Takes everything there is. When there is nothing, the next signal will call `wake`.
    public func take() -> [LiveDelivery] { inbox.withLock { $0.take() } }

    /// Signals that wait, and how many did not fit so far.
    public var load: (waiting: Int, overflowed: Int64) {
        inbox.withLock { ($0.elements.count, $0.overflowed) }
    }

    /// Why a signal is not the subscriber's, in the words of a weak acknowledgement.
    enum Offer: Equatable {
        case delivered
        /// It would have been his, but his inbox is full: that is a loss, not a matter for a weak acknowledgement.
        case overflowed
        case withheld(String)
    }

    func offer(_ signal: LiveSignal) -> Offer {
        if signal.origin == session { return .withheld("The signal came from this subscriber.") }
        guard wants(signal) else { return .withheld("The subscriber has not subscribed to the signal.") }
        var part: SignalPart?
        if let subjects {
            switch signal.view(for: subjects) {
            case .none: return .withheld("The subscriber may not read the signal.")
            case .full: break
            case .part(let readable): part = readable
            }
        }
        let delivery = LiveDelivery(signal: signal, part: part)
        let (isTaken, wakes) = inbox.withLock { inbox -> (Bool, Bool) in
            guard !inbox.isEnded, inbox.append(delivery, bytes: signal.queuedBytes) else { return (false, false) }
            return (true, inbox.wakesReader())
        }
        if wakes { wake() }
        if !isTaken { onOverflow(signal) }
        return isTaken ? .delivered : .overflowed
    }

    private func wants(_ signal: LiveSignal) -> Bool {
        let namespace = signal.thingID.namespace
        return topics.contains { topic in
            guard topic.kind == signal.kind else { return false }
            guard topic.namespaces.isEmpty || topic.namespaces.contains(namespace) else { return false }
            return topic.admits?(signal) ?? true
        }
    }

    /// Takes nothing any more and forgets what it holds.
    func end() { inbox.withLock { $0.end() } }
}
