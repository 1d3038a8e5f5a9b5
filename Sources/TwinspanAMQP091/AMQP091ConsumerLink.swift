// One connection of a consumer, from the login to its end. Confined to the session's thread.
//
// Settlement: a turn reads until nothing waits or the batch is full, hands the batch on, waits for its commit, and
// then acknowledges it as a whole. While it waits it reads a little every half heartbeat, or the broker would think us
// dead; what comes then makes the next batch. The broker sends no more than the prefetch without acknowledgement.
import Glibc
import TwinspanConnections
import TwinspanNetwork

/// Consumes through an accepted connection.
final class AMQP091ConsumerLink {
    private let connection: RabbitMQConnection
    private let fields: AMQP091Fields
    private let inlet: any Inlet
    private let observer: any SessionObserver
    private let timing: AMQP091BrokerClient.Timing
    private let control: SessionControl
    private let wake: WakeSignal
    private let halfHeartbeat: Duration

    /// The batch that is being filled, and the one that is free or being settled.
    private var intake: AMQP091Intake
    private var spare: AMQP091Intake
    private var queues: AMQP091QueueWatch
    /// Why the connection cannot go on.
    private var failure: BrokerFailure?

    init(
        connection: RabbitMQConnection, fields: AMQP091Fields, inlet: any Inlet, observer: any SessionObserver,
        timing: AMQP091BrokerClient.Timing, control: SessionControl, wake: WakeSignal
    ) {
        self.connection = connection
        self.fields = fields
        self.inlet = inlet
        self.observer = observer
        self.timing = timing
        self.control = control
        self.wake = wake
        halfHeartbeat = .milliseconds(connection.heartbeatSeconds * 500)
        let limits = inlet.batchLimits
        intake = AMQP091Intake(limits: limits)
        spare = AMQP091Intake(limits: limits)
        queues = AMQP091QueueWatch(
            fields: fields, connection: connection, observer: observer, timing: timing,
            prefetch: min(fields.prefetch, max(1, limits.messages)))
    }

    /// Consumes until a stop or a failure.
    func serve() -> SessionEnd {
        observer.began(.subscribe)
        if let end = subscribe() { return end }
        observer.began(.serve)
        observer.opened()
        while true {
            if let deadline = control.stopDeadline {
                connection.sayGoodbye(until: deadline)
                return .stopped
            }
            if let end = turn() { return end }
        }
    }

    // MARK: Opening

    /// Opens the channels, looks for every queue, then consumes them. Nil: all went well.
    private func subscribe() -> SessionEnd? {
        let deadline = Deadline.after(fields.answerTimeout)
        func ask(_ channel: UInt16, _ send: () -> RabbitMQStatus) -> AMQP091Answer {
            connection.ask(
                channel: channel, step: .subscribe, until: deadline, control: control, wake: wake,
                other: { handle($0) }, send)
        }
        for channel in [AMQP091Channel.messages, AMQP091Channel.questions] {
            if let end = AMQP091ConsumerLink.end(ask(channel) { connection.openChannel(channel) }) { return end }
        }
        switch AMQP091QueueWatch.findMissing(fields.subscriptions, connection: connection, ask: ask) {
        case .success(nil): break
        case .success(let failure?): return .failed(failure)
        case .failure(let end): return end.end
        }
        for index in fields.subscriptions.indices {
            let subscription = fields.subscriptions[index]
            for send in [{ self.queues.limitPrefetch(of: index) }, { self.queues.consume(index) }] {
                let answer = ask(AMQP091Channel.messages, send)
                if case .no(let code, let text) = answer {
                    return .failed(AMQP091Failure.queue(subscription, code: code, text: text))
                }
                if let end = AMQP091ConsumerLink.end(answer) { return end }
            }
        }
        return failure.map { .failed($0) }
    }

    /// How a session ends with an answer; nil for a yes.
    private static func end(_ answer: AMQP091Answer) -> SessionEnd? {
        switch answer {
        case .yes: nil
        case .no(let code, let text): .failed(AMQP091Failure.channelClosed(code: code, text: text))
        case .stopped: .stopped
        case .failed(let failure): .failed(failure)
        }
    }

    // MARK: One turn

    private func turn() -> SessionEnd? {
        if intake.batch.isEmpty {
            connection.sleep(
                until: min(.after(halfHeartbeat), queues.nextAttempt, control.stopDeadline ?? .never), wake: wake)
        }
        read()
        if !intake.batch.isEmpty {
            if let end = settle() { return end }
        }
        if failure == nil { failure = queues.attempt() }
        return failure.map { .failed($0) }
    }

    /// Reads until nothing waits, the batch is full or the connection has ended.
    private func read() {
        var status = RabbitMQStatus.success
        while failure == nil, !intake.isFull {
            guard let event = connection.next(&status) else {
                if status != .timeout { failure = AMQP091Failure.lost(status, step: .serve) }
                return
            }
            handle(event)
        }
    }

    private func handle(_ event: RabbitMQConnection.Event) {
        switch event {
        case .delivered:
            let consumer = connection.delivery.consumer
            guard fields.subscriptions.indices.contains(consumer) else { return }
            intake.receive(connection.delivery, of: fields.subscriptions[consumer])
        case .closed(let code, let text):
            _ = connection.confirmClose()  // The connection ends, whatever becomes of it.
            failure = AMQP091Failure.closed(code: code, text: text, step: .serve)
        case .channelClosed(AMQP091Channel.messages, let code, let text):
            failure = AMQP091Failure.channelClosed(code: code, text: text)
        case .channelClosed(_, let code, let text): failure = queues.refused(code: code, text: text)
        case .answered(let channel): failure = queues.answered(on: channel)
        case .cancelled(let consumer): queues.lost(consumer)
        case .confirmed, .returned, .blocked, .unblocked, .other: break
        }
    }

    // MARK: Settlement

    /// Hands the batch on, waits for its commit and acknowledges it. Nil: go on.
    private func settle() -> SessionEnd? {
        swap(&intake, &spare)
        let settling = spare
        defer { settling.removeAll() }
        let ticket = inlet.accept(settling.batch)
        switch failure.map(HoldEnd.failed) ?? hold(ticket) {
        case .committed:
            if let failure = acknowledge(upTo: settling.lastTag) {
                inlet.settled(settling.batch, as: .rejected)
                return .failed(failure)
            }
            inlet.settled(settling.batch, as: .committed)
            return nil
        case .failed(let failure):
            connection.release()
            inlet.settled(settling.batch, as: .rejected)
            return .failed(failure)
        case .stopped:
            connection.release()
            inlet.settled(settling.batch, as: .rejected)
            return .stopped
        }
    }

    private enum HoldEnd {
        case committed, stopped
        case failed(BrokerFailure)
    }

    /// Waits for the commit, and meanwhile keeps the broker from thinking us dead.
    private func hold(_ ticket: Ticket) -> HoldEnd {
        let limit = Deadline.after(timing.hold)
        var nextBeat = Deadline.after(halfHeartbeat)
        while true {
            let slice = min(nextBeat, control.stopDeadline ?? .never, limit, .after(holdSlice))
            switch inlet.settlement(of: ticket, patience: slice.remaining) {
            case .committed: return .committed
            case .rejected: return .failed(BrokerFailure.batchNotTaken)
            case .pending: break
            }
            if let deadline = control.stopDeadline, deadline.hasPassed { return .stopped }
            if limit.hasPassed { return .failed(BrokerFailure.storeStalled(after: timing.hold)) }
            if isPeerGone { return .failed(AMQP091Failure.lost(.connectionClosed, step: .serve)) }
            guard nextBeat.hasPassed else { continue }
            keepAlive()
            if let failure { return .failed(failure) }
            nextBeat = .after(halfHeartbeat)
        }
    }

    /// Reads what there is, but at least one frame even if the next batch is full: the library takes an unread socket
    /// for a silent peer. Heartbeats are sent by us, for the library sends none while input waits.
    private func keepAlive() {
        var status = RabbitMQStatus.success
        if let event = connection.next(&status) {
            handle(event)
            read()
        } else if status != .timeout {
            failure = AMQP091Failure.lost(status, step: .serve)
        }
        guard failure == nil, connection.isWritable else { return }
        let sent = connection.sendHeartbeat()
        if sent != .success { failure = AMQP091Failure.lost(sent, step: .serve) }
    }

    /// Acknowledges the batch once the socket takes it: the call has no time limit of its own.
    private func acknowledge(upTo tag: UInt64) -> BrokerFailure? {
        let limit = Deadline.after(fields.answerTimeout)
        while !connection.isWritable {
            if limit.hasPassed || control.stopDeadline?.hasPassed == true {
                return AMQP091Failure.lost(.timeout, step: .serve)
            }
            var socket = pollfd(fd: connection.descriptor, events: Int16(POLLOUT), revents: 0)
            poll(&socket, 1, min(limit, .after(holdSlice)).pollTimeout)
        }
        let sent = connection.acknowledge(upTo: tag, channel: AMQP091Channel.messages)
        return sent == .success ? nil : AMQP091Failure.lost(sent, step: .serve)
    }

    /// A stop cannot wake a thread that waits for a commit, so it looks up this often. Commits take milliseconds; this
    /// is only felt when the store is stuck.
    private let holdSlice: Duration = .milliseconds(100)

    private var isPeerGone: Bool {
        var socket = pollfd(fd: connection.descriptor, events: 0, revents: 0)
        return poll(&socket, 1, 0) > 0
    }
}
