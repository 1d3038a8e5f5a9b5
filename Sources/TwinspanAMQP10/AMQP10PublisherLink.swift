// One connection of a publisher, from its opening to its end. Confined to the session's thread. A turn takes messages
// out of the queue, hands them to the sender of their address, sends what has credit, and sleeps until the broker
// answers, the queue fills or a stop comes.
//
// RabbitMQ gives 65,536 credits at once, so credit is no brake: what is taken out of the queue and has no end yet is
// bounded here.
import TwinspanConnections
import TwinspanNetwork

/// Sends on an opened connection.
final class AMQP10PublisherLink {
    /// The most messages without an end, sent or waiting for credit.
    static let maximumCount = 256
    /// The most payload bytes of them.
    static let maximumBytes = 8 << 20
    /// The most messages that wait for one address while others are served too; more are dropped.
    static let maximumWaiting = 128
    /// Bytes a sender may have on their way to the socket.
    static let maximumBuffered = 1 << 20

    private let connection: ProtonConnection
    private let setup: AMQP10Setup
    private let situation: AMQP10Failure.Situation
    private let queue: OutboundQueue
    private let outcomes: any PublishOutcomes
    private let observer: any SessionObserver
    private let control: SessionControl
    private let wake: WakeSignal

    private var senders: AMQP10SenderSet
    private var standing: [Int: BrokerFailure] = [:]
    private var isOpen = false
    /// Sent and not answered, by the id under which the answer comes.
    private var sent: [Int: (pending: AMQP10Pending, sender: AMQP10Sender)] = [:]
    /// Given up for want of an answer that may still come; they count as unsettled.
    private var abandoned: [Int: AMQP10Sender] = [:]
    /// The ids of `sent` in the order of sending; those that have an end are skipped.
    private var order: [Int] = []
    private var orderHead = 0
    private var nextID = 1
    private var nextNumber = 0
    /// Taken out of the queue, and there is no place for it yet.
    private var held: OutboundMessage?
    private var pendingCount = 0
    private var pendingBytes = 0
    private var taken: [OutboundMessage] = []
    private var encoder = AMQP10Encoder()

    init(
        connection: ProtonConnection, setup: AMQP10Setup, situation: AMQP10Failure.Situation, queue: OutboundQueue,
        outcomes: any PublishOutcomes, observer: any SessionObserver, control: SessionControl, wake: WakeSignal
    ) {
        self.connection = connection
        self.setup = setup
        self.situation = situation
        self.queue = queue
        self.outcomes = outcomes
        self.observer = observer
        self.control = control
        self.wake = wake
        senders = AMQP10SenderSet(setup)
    }

    /// Attaches the senders of constant addresses and serves until a stop or a failure, then gives back what has no
    /// end.
    func serve() -> SessionEnd {
        defer { giveBack() }
        observer.began(.subscribe)
        for sender in senders.all { sender.attach(on: connection) }
        while true {
            connection.process()
            review()
            if let deadline = control.stopDeadline, !isOpen || isDone || deadline.hasPassed {
                connection.sayGoodbye(wake, until: deadline)
                return .stopped
            }
            settleConfirmed()
            if let end = connection.end { return .failed(failure(end)) }
            if isOpen {
                takeWhatFits()
                send()
                connection.process()
                settleConfirmed()
                giveUpLate()
            }
            sleep()
        }
    }

    private var isDone: Bool { pendingCount == 0 && held == nil && queue.load.messages == 0 }

    private func failure(_ end: ProtonConnection.End) -> BrokerFailure {
        var situation = situation
        if !isOpen { situation.step = .subscribe }
        return AMQP10Failure.ended(end, situation)
    }

    private func sleep() {
        var deadline = control.stopDeadline ?? .never
        for sender in senders.all { deadline = min(deadline, sender.nextDeadline) }
        if let oldest = oldestSent { deadline = min(deadline, oldest.deadline) }
        let mayBlock = !isOpen || isFull || held != nil || queue.prepareToSleep()
        let isReady = !mayBlock || (control.isStopping && isDone)
        connection.wait(wake, until: isReady ? .now : deadline)
    }

    // MARK: Links

    private func review() {
        for sender in senders.all where sender.review(on: connection) {
            // What was sent over that link is not known to have arrived: it is sent again.
            let lost = sent.filter { $0.value.sender === sender }.sorted { $0.key < $1.key }
            for (id, _) in lost { sent[id] = nil }
            for (id, owner) in abandoned where owner === sender { abandoned[id] = nil }
            sender.unsettledCount = 0
            sender.waiting.insert(contentsOf: lost.map(\.value.pending), at: 0)
            // Unless the broker has said that somebody has to change something, there will soon be a link again.
            guard sender.failure?.reaction == .misconfigured else { continue }
            for pending in sender.waiting { refuse(pending, .noSender(sender)) }
            sender.waiting.removeAll()
        }
        if !isOpen, senders.all.allSatisfy(\.isDecided) {
            isOpen = true
            observer.began(.serve)
            observer.opened()
        }
        if isOpen { tellPlaces() }
    }

    /// Tells of the targets that have failed since, and of those that stand again.
    private func tellPlaces() {
        var now: [Int: BrokerFailure] = [:]
        for sender in senders.all {
            guard let failure = sender.failure else { continue }
            for target in sender.targets { now[target] = failure }
        }
        guard now != standing else { return }
        for target in standing.keys where now[target] == nil { observer.changed(.target(target), nil) }
        for (target, failure) in now where standing[target] != failure { observer.changed(.target(target), failure) }
        standing = now
    }

    // MARK: From the queue to the senders

    private var isFull: Bool {
        pendingCount + abandoned.count >= AMQP10PublisherLink.maximumCount
            || pendingBytes >= AMQP10PublisherLink.maximumBytes
    }

    private func takeWhatFits() {
        while !isFull {
            if held == nil {
                queue.take(upTo: 1, into: &taken)
                held = taken.popLast()
            }
            guard let message = held else { return }
            let address = AMQP10Address(message.address)
            if let problem = address.problem {
                held = nil
                outcomes.refused(
                    message,
                    PublishRefusal(
                        reason: "invalid-topic",
                        detail: "The address '\(message.address.prefix(120))' is not valid: "
                            + "\(problem).", status: 400))
                continue
            }
            guard let sender = senders.sender(for: address, on: connection) else { return }
            held = nil
            route(message, to: sender)
        }
    }

    private func route(_ message: OutboundMessage, to sender: AMQP10Sender) {
        if sender.failure?.reaction == .misconfigured {
            return outcomes.refused(message, .noSender(sender))
        }
        if sender.waiting.count >= AMQP10PublisherLink.maximumWaiting, senders.count > 1 {
            return outcomes.refused(message, .tooMany(sender.address))
        }
        nextNumber += 1
        sender.lastUse = nextNumber
        sender.waiting.append(
            AMQP10Pending(message: message, number: nextNumber, deadline: .after(setup.timing.send)))
        pendingCount += 1
        pendingBytes += message.payload.count
    }

    // MARK: Sending

    private func send() {
        for sender in senders.all where sender.isOpen && !sender.waiting.isEmpty {
            guard let link = sender.link else { continue }
            var count = 0
            while count < sender.waiting.count, link.credit > 0,
                link.bufferedBytes < AMQP10PublisherLink.maximumBuffered
            {
                // One that waits for its next try holds up those behind it: they are for the same address.
                if let moment = sender.waiting[count].notBefore, !moment.hasPassed { break }
                transmit(sender.waiting[count], over: link, of: sender)
                count += 1
            }
            sender.waiting.removeFirst(count)
        }
    }

    private func transmit(_ pending: AMQP10Pending, over link: ProtonLink, of sender: AMQP10Sender) {
        encoder.encode(pending.message)
        if let limit = link.maximumMessageSize, UInt64(encoder.bytes.count) > limit {
            return refuse(pending, .tooLarge(encoder.bytes.count, limit, sender.address))
        }
        let id = nextID
        guard link.send(encoder.bytes, id: id) else { return refuse(pending, .noSender(sender)) }
        nextID += 1
        var pending = pending
        if pending.returnedAs == nil { pending.deadline = .after(setup.timing.send) }
        sent[id] = (pending, sender)
        order.append(id)
        sender.unsettledCount += 1
    }

    // MARK: Answers

    private func settleConfirmed() {
        guard !connection.confirmations.isEmpty else { return }
        for confirmation in connection.confirmations {
            if let sender = abandoned.removeValue(forKey: confirmation.id) {
                sender.unsettledCount -= 1
                continue
            }
            guard let (pending, sender) = sent.removeValue(forKey: confirmation.id) else { continue }
            sender.unsettledCount -= 1
            switch confirmation.outcome {
            case .accepted:
                forget(pending)
                outcomes.confirmed(pending.message)
            case .rejected(let condition): refuse(pending, .rejected(condition, sender.address))
            case .released: sendAgain(pending, "released", sender)
            case .modified: sendAgain(pending, "modified", sender)
            case .unknown: sendAgain(pending, "settled without an outcome", sender)
            }
        }
        connection.confirmations.removeAll(keepingCapacity: true)
    }

    private func sendAgain(_ pending: AMQP10Pending, _ outcome: String, _ sender: AMQP10Sender) {
        guard !pending.deadline.hasPassed else { return refuse(pending, .returned(outcome, sender.address)) }
        var pending = pending
        pending.returnedAs = outcome
        pending.notBefore = .after(setup.timing.resend)
        let place = sender.waiting.firstIndex { $0.number > pending.number } ?? sender.waiting.count
        sender.waiting.insert(pending, at: place)
    }

    /// Refuses what has waited too long for credit, a sender, or a confirmation.
    private func giveUpLate() {
        for sender in senders.all {
            while let first = sender.waiting.first, first.deadline.hasPassed {
                sender.waiting.removeFirst()
                if let outcome = first.returnedAs {
                    refuse(first, .returned(outcome, sender.address))
                } else {
                    refuse(first, .noCredit(sender.address, after: setup.timing.send))
                }
            }
        }
        while let oldest = oldestSent, oldest.deadline.hasPassed {
            guard let (pending, sender) = sent.removeValue(forKey: oldest.id) else { continue }
            // The broker may still answer, so it stays unsettled; for who waits it has ended.
            abandoned[oldest.id] = sender
            refuse(pending, .unconfirmed(sender.address, after: setup.timing.send))
        }
    }

    /// The one that was sent longest ago and has no answer.
    private var oldestSent: (id: Int, deadline: Deadline)? {
        while orderHead < order.count {
            let id = order[orderHead]
            if let deadline = sent[id]?.pending.deadline { return (id, deadline) }
            orderHead += 1
            if orderHead > 1024 {
                order.removeFirst(orderHead)
                orderHead = 0
            }
        }
        order.removeAll(keepingCapacity: true)
        orderHead = 0
        return nil
    }

    private func refuse(_ pending: AMQP10Pending, _ refusal: PublishRefusal) {
        forget(pending)
        outcomes.refused(pending.message, refusal)
    }

    private func forget(_ pending: AMQP10Pending) {
        pendingCount -= 1
        pendingBytes -= pending.message.payload.count
    }

    /// Puts what has no end back in front of the queue, in its order.
    private func giveBack() {
        // What the broker has said before the end still counts.
        settleConfirmed()
        let pending = sent.values.map(\.pending) + senders.all.flatMap(\.waiting)
        queue.giveBack(pending.sorted { $0.number < $1.number }.map(\.message) + (held.map { [$0] } ?? []))
    }
}
