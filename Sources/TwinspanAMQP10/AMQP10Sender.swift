// The sender of one address over its links, with the messages that wait for it. Confined to the session's thread.
import TwinspanConnections
import TwinspanNetwork

/// A message between the queue and its end.
struct AMQP10Pending {
    var message: OutboundMessage
    /// Its place in the order of the queue.
    var number: Int
    /// When it is given up: unsent for want of credit, or unconfirmed.
    var deadline: Deadline
    /// Not sent again before that moment.
    var notBefore: Deadline?
    /// Why the broker has given it back, if it has.
    var returnedAs: String?
}

/// A sender and how it stands.
final class AMQP10Sender {
    let address: AMQP10Address
    /// The targets whose constant address it is; empty for one that is made when it is needed.
    var targets: [Int] = []
    /// Messages that have not been sent, oldest first.
    var waiting: [AMQP10Pending] = []
    /// Messages sent and not answered, also those that were given up.
    var unsettledCount = 0
    /// When it was used last, by the count of messages.
    var lastUse = 0
    private(set) var failure: BrokerFailure?
    private(set) var isDecided = false
    private(set) var link: ProtonLink?

    private let timing: AMQP10BrokerClient.Timing
    private var isDurable: Bool
    private var hasFlippedDurability = false
    private var attachDeadline = Deadline.never
    private var attachLimit: Duration
    private var openedAt: Deadline?
    private var backoff: AMQP10Backoff
    private var retryAt = Deadline.never

    init(_ address: AMQP10Address, timing: AMQP10BrokerClient.Timing, attachLimit: Duration) {
        self.address = address
        self.timing = timing
        self.attachLimit = attachLimit
        isDurable = address.prefersDurable
        backoff = AMQP10Backoff(timing.relink)
    }

    var isIdle: Bool { waiting.isEmpty && unsettledCount == 0 }
    var isOpen: Bool { link?.state == .open }

    /// When it wants to be looked at again, whatever the peer says.
    var nextDeadline: Deadline {
        var next = min(attachDeadline, retryAt)
        guard let first = waiting.first else { return next }
        next = min(next, first.deadline)
        // One that has waited long enough waits for credit.
        if let moment = first.notBefore, !moment.hasPassed { next = min(next, moment) }
        return next
    }

    func attach(on connection: ProtonConnection) {
        retryAt = .never
        link = connection.attach(.sender, to: address, isDurable: isDurable)
        attachDeadline = .after(attachLimit)
    }

    /// Looks at what has become of the link, and does what is due. Returns whether the link has ended: what was sent
    /// over it will not be answered.
    func review(on connection: ProtonConnection) -> Bool {
        switch link?.state {
        case .open:
            guard openedAt == nil else { return false }
            openedAt = .now
            failure = nil
            isDecided = true
            attachDeadline = .never
            attachLimit = timing.attach
            return false
        case .ended(let condition):
            if condition?.name == "amqp:precondition-failed", openedAt == nil, !hasFlippedDurability {
                hasFlippedDurability = true
                isDurable.toggle()
                if let link { connection.retire(link) }
                attach(on: connection)
                return false
            }
            fail(AMQP10Failure.link(condition, address, isSource: false), on: connection)
            return true
        case .attaching:
            guard attachDeadline.hasPassed else { return false }
            fail(AMQP10Failure.silentLink(address, isSource: false, after: attachLimit), on: connection)
            return true
        case nil:
            if retryAt.hasPassed { attach(on: connection) }
            return false
        }
    }

    /// Closes the link of a sender that is no longer wanted.
    func retire(on connection: ProtonConnection) {
        if let link { connection.retire(link) }
        link = nil
    }

    private func fail(_ failure: BrokerFailure, on connection: ProtonConnection) {
        retire(on: connection)
        self.failure = failure
        isDecided = true
        attachDeadline = .never
        attachLimit = timing.attach
        hasFlippedDurability = false
        retryAt = .after(backoff.next(after: openedAt))
        openedAt = nil
    }
}
