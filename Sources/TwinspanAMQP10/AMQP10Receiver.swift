// One receiver of a source's address over its links: attached, ended by the peer, attached again after a while. What
// the link does between two turns is only looked at here. Confined to the session's thread.
import TwinspanConnections
import TwinspanNetwork

/// A receiver and how it stands.
final class AMQP10Receiver {
    /// Index of the source it belongs to.
    let source: Int
    let address: AMQP10Address
    /// Why it does not receive at the moment; nil while it does, or is attached for the first time.
    private(set) var failure: BrokerFailure?
    /// Whether it is known how the first link went.
    private(set) var isDecided = false
    private(set) var link: ProtonLink?

    private let timing: AMQP10BrokerClient.Timing
    private var isDurable: Bool
    private var hasFlippedDurability = false
    private var attachLimit: Duration
    private var attachDeadline = Deadline.never
    private var openedAt: Deadline?
    private var backoff: AMQP10Backoff
    private var retryAt = Deadline.never
    private var check: ProtonLink?
    private var nextCheck = Deadline.never
    private var checkDeadline = Deadline.never
    /// Whether the broker has left a check without an answer. RabbitMQ 3.10 does so on a connection one of whose queues
    /// was deleted: the sessions' process has died, and nothing works on it any more.
    private(set) var isDeaf = false

    init(source: Int, address: AMQP10Address, timing: AMQP10BrokerClient.Timing) {
        self.source = source
        self.address = address
        self.timing = timing
        isDurable = address.prefersDurable
        attachLimit = timing.dial
        backoff = AMQP10Backoff(timing.relink)
    }

    /// When it wants to be looked at again, whatever the peer says.
    var nextDeadline: Deadline { min(min(attachDeadline, retryAt), min(nextCheck, checkDeadline)) }

    /// Begins the first link.
    func begin(on connection: ProtonConnection) { attach(on: connection) }

    /// Looks at what has become of the links, and does what is due.
    ///
    /// - Parameter checksQueue: whether the broker does not tell when a queue is deleted.
    func review(on connection: ProtonConnection, checksQueue: Bool) {
        switch link?.state {
        case .open: noteOpen(on: connection, checksQueue: checksQueue)
        case .ended(let condition): noteEnd(condition, on: connection)
        case .attaching:
            if attachDeadline.hasPassed {
                fail(
                    AMQP10Failure.silentLink(address, isSource: true, after: attachLimit, source: source),
                    on: connection)
            }
        case nil: if retryAt.hasPassed { attach(on: connection) }
        }
    }

    private func attach(on connection: ProtonConnection) {
        retryAt = .never
        link = connection.attach(.receiver, to: address, isDurable: isDurable)
        attachDeadline = .after(attachLimit)
    }

    private func noteOpen(on connection: ProtonConnection, checksQueue: Bool) {
        if openedAt == nil {
            openedAt = .now
            failure = nil
            isDecided = true
            attachDeadline = .never
            attachLimit = timing.attach
            if checksQueue, address.rabbitMQQueue != nil { nextCheck = .after(timing.queueCheck) }
        }
        if let check, case .ended(let condition) = check.state {
            connection.retire(check)
            self.check = nil
            // Anything else says nothing of the queue.
            if condition?.name == "amqp:not-found" { return noteEnd(condition, on: connection) }
        } else if let check, check.state == .open {
            connection.retire(check)
            self.check = nil
        }
        if check == nil {
            checkDeadline = .never
        } else if checkDeadline.hasPassed {
            isDeaf = true
        }
        guard nextCheck.hasPassed, let queue = address.rabbitMQQueue else { return }
        nextCheck = .after(timing.queueCheck)
        guard check == nil else { return }
        check = connection.attach(.receiver, to: queue, isDurable: false)
        checkDeadline = .after(timing.attach)
    }

    private func noteEnd(_ condition: ProtonCondition?, on connection: ProtonConnection) {
        if condition?.name == "amqp:precondition-failed", openedAt == nil, !hasFlippedDurability {
            // The queue is there and durable where we asked for one that is not, or the other way round.
            hasFlippedDurability = true
            isDurable.toggle()
            if let link { connection.retire(link) }
            return attach(on: connection)
        }
        fail(AMQP10Failure.link(condition, address, isSource: true, source: source), on: connection)
    }

    private func fail(_ failure: BrokerFailure, on connection: ProtonConnection) {
        if let link { connection.retire(link) }
        if let check { connection.retire(check) }
        (link, check) = (nil, nil)
        self.failure = failure
        isDecided = true
        (attachDeadline, nextCheck, checkDeadline) = (.never, .never, .never)
        attachLimit = timing.attach
        hasFlippedDurability = false
        retryAt = .after(backoff.next(after: openedAt))
        openedAt = nil
    }
}

/// How long to wait before a link is tried again: doubled each time, from the start after it had stood for a while.
struct AMQP10Backoff {
    private let limits: (first: Duration, last: Duration)
    private var delay: Duration
    /// A link that has stood for this long was no failed try.
    private static let steadyTime: Duration = .seconds(30)

    init(_ limits: (first: Duration, last: Duration)) {
        self.limits = limits
        delay = limits.first
    }

    /// The time to wait. `openedAt` is when the link had stood, nil if it never did.
    mutating func next(after openedAt: Deadline?) -> Duration {
        if let openedAt, Deadline.now.since(openedAt) >= Self.steadyTime { delay = limits.first }
        defer { delay = min(delay * 2, limits.last) }
        return delay
    }
}
