// One connection of a publisher, from the login to its end. Confined to the session's thread. A turn publishes what
// the window and the socket admit, reads what the broker says, and sleeps until there is more of either.
//
// The library's writing has no time limit, so nothing is written before poll(2) says that the socket takes it, and a
// body goes out in pieces; between two of them everything else goes on.
import Glibc
import TwinspanConnections
import TwinspanNetwork

/// Publishes through an accepted connection.
final class AMQP091PublisherLink {
    private enum ChannelState { case ready, opening, selecting }

    private let connection: RabbitMQConnection
    private let fields: AMQP091Fields
    private let queue: OutboundQueue
    private let outcomes: any PublishOutcomes
    private let observer: any SessionObserver
    private let timing: AMQP091BrokerClient.Timing
    private let control: SessionControl
    private let wake: WakeSignal
    private let halfHeartbeat: Duration

    private var window = AMQP091ConfirmWindow()
    /// Taken from the queue and not yet published, from `nextTaken` on.
    private var taken: [OutboundMessage] = []
    private var nextTaken = 0
    /// The message whose body is under way, and how much of it has been sent. It stands in the window already.
    private var unfinished: (payload: [UInt8], sent: Int)?
    private var exchanges: AMQP091ExchangeWatch
    private var channel = ChannelState.ready
    /// Of this channel's messages: their number alone would be used again and again.
    private var idPrefix = AMQP091PublisherLink.newPrefix()
    /// Channels the broker has closed since it last confirmed something.
    private var closedChannels = 0
    /// Whether the socket has to take something before we can go on.
    private var isWriting = false
    /// Whether the next message waits for something else than the queue.
    private var isStalled = false
    private var failure: BrokerFailure?

    init(
        connection: RabbitMQConnection, fields: AMQP091Fields, queue: OutboundQueue, outcomes: any PublishOutcomes,
        observer: any SessionObserver, timing: AMQP091BrokerClient.Timing, control: SessionControl, wake: WakeSignal
    ) {
        self.connection = connection
        self.fields = fields
        self.queue = queue
        self.outcomes = outcomes
        self.observer = observer
        self.timing = timing
        self.control = control
        self.wake = wake
        halfHeartbeat = .milliseconds(connection.heartbeatSeconds * 500)
        exchanges = AMQP091ExchangeWatch(
            fields: fields, connection: connection, observer: observer, pause: timing.longestPause)
    }

    /// Publishes until a stop or a failure, then gives back what is not confirmed.
    func serve() -> SessionEnd {
        defer {
            queue.giveBack(window.removeAll() + taken[nextTaken...])
            taken.removeAll()
            nextTaken = 0
        }
        while true {
            if let deadline = control.stopDeadline, deadline.hasPassed || isDone {
                if exchanges.blocked == nil, unfinished == nil { connection.sayGoodbye(until: deadline) }
                return .stopped
            }
            turn()
            if let failure {
                // What no longer can be told by status is no failure of the next connection.
                exchanges.blocked = nil
                return .failed(failure)
            }
        }
    }

    /// Whether everything has been sent and confirmed.
    private var isDone: Bool { window.isEmpty && nextTaken == taken.count && queue.load.messages == 0 }

    private func turn() {
        connection.cork(true)
        if exchanges.blocked == nil, unfinished == nil, failure == nil { failure = exchanges.attempt() }
        publishWhatFits()
        connection.cork(false)
        guard failure == nil else { return }
        sleep()
        read()
        if exchanges.blocked == nil, let deadline = window.oldestDeadline, deadline.hasPassed { giveUpExpired() }
    }

    private func sleep() {
        let canTake = channel == .ready && exchanges.blocked == nil && !window.isFull && !isWriting && !isStalled
        let mayBlock = canTake ? nextTaken == taken.count && queue.prepareToSleep() : true
        guard mayBlock, !(control.isStopping && isDone) else { return }
        var deadline = min(.after(halfHeartbeat), control.stopDeadline ?? .never)
        if exchanges.blocked == nil { deadline = min(deadline, window.oldestDeadline ?? .never) }
        if !exchanges.isAsking, exchanges.blocked == nil { deadline = min(deadline, exchanges.nextAttempt) }
        connection.sleep(until: deadline, wake: wake, isWriting: isWriting)
    }

    // MARK: Publishing

    private func publishWhatFits() {
        (isWriting, isStalled) = (false, false)
        guard failure == nil, channel == .ready, exchanges.blocked == nil else { return }
        while failure == nil, finishBody(), !window.isFull {
            if nextTaken == taken.count {
                taken.removeAll(keepingCapacity: true)
                nextTaken = 0
                queue.take(upTo: AMQP091ConfirmWindow.maximumCount, into: &taken)
                if taken.isEmpty { return }
            }
            guard publish(taken[nextTaken]) else { return }
            nextTaken += 1
        }
    }

    /// Publishes or refuses a message; false if it has to wait.
    private func publish(_ message: OutboundMessage) -> Bool {
        guard let route = AMQP091Fields.route(message.address) else {
            let detail = "'\(message.address)' is not of the form 'exchange/routingKey'"
            outcomes.refused(message, PublishRefusal(reason: "invalid-topic", detail: detail, status: 400))
            return true
        }
        switch exchanges.standing(of: route.exchange) {
        case .usable: break
        case .refused(let failure):
            outcomes.refused(message, PublishRefusal(reason: failure.reason, detail: failure.message))
            return true
        case .unknown:
            isStalled = true
            if failure == nil { failure = exchanges.attempt() }
            return false
        }
        let properties = self.properties(of: message)
        let isTooLong = message.headers.contains { $0.name.utf8.count > RabbitMQProperties.maximumLength }
        guard !isTooLong, properties.encodedSize <= connection.frameMaximum else {
            let detail = "the headers do not fit into one frame of \(connection.frameMaximum) bytes"
            outcomes.refused(message, PublishRefusal(reason: "too-large", detail: detail, status: 400))
            return true
        }
        guard connection.isWritable else {
            isWriting = true
            return false
        }
        let channel = AMQP091Channel.messages
        var status = connection.beginMessage(exchange: route.exchange, key: route.key, channel: channel)
        if status == .success {
            status = connection.sendHeader(properties, bodySize: message.payload.count, channel: channel)
        }
        guard status == .success else {
            failure = AMQP091Failure.lost(status, step: .serve)
            return false
        }
        window.append(message, until: .after(timing.confirm))
        if !message.payload.isEmpty { unfinished = (message.payload, 0) }
        return true
    }

    /// Sends of the body under way what the socket takes; true once nothing is left of it.
    private func finishBody() -> Bool {
        while let (payload, sent) = unfinished {
            // Right behind its header a small body needs no question of its own.
            guard (sent == 0 && payload.count <= pieceSize) || connection.isWritable else {
                isWriting = true
                return false
            }
            let end = min(payload.count, sent + min(pieceSize, connection.frameMaximum - 8))
            let status = connection.sendBody(payload[sent..<end], channel: AMQP091Channel.messages)
            guard status == .success else {
                failure = AMQP091Failure.lost(status, step: .serve)
                return false
            }
            unfinished = end == payload.count ? nil : (payload, end)
        }
        return true
    }

    /// poll(2) promises about a third of the send buffer, which is at least some 40 KB.
    private let pieceSize = 8192

    private func properties(of message: OutboundMessage) -> RabbitMQProperties {
        func header(_ name: String) -> String? {
            // Longer ones do not fit into a property; they stand among the headers all the same.
            message.headers.first { $0.name == name }.flatMap {
                $0.value.utf8.count <= RabbitMQProperties.maximumLength ? $0.value : nil
            }
        }
        return RabbitMQProperties(
            contentType: header("content-type") ?? (message.isBinary ? "application/octet-stream" : nil),
            correlationID: header("correlation-id"), messageID: "\(idPrefix)-\(window.nextTag)",
            headers: message.headers)
    }

    private static func newPrefix() -> String { String(UInt64.random(in: .min ... .max), radix: 16) }

    // MARK: Reading

    private func read() {
        var status = RabbitMQStatus.success
        while failure == nil {
            guard let event = connection.next(&status) else {
                if status != .timeout { failure = AMQP091Failure.lost(status, step: .serve) }
                return
            }
            handle(event)
        }
    }

    private func handle(_ event: RabbitMQConnection.Event) {
        switch event {
        case .confirmed(let tag, let isMultiple, let isTaken):
            closedChannels = 0
            window.settle(tag, isMultiple: isMultiple) { settled in tell(settled, isTaken: isTaken) }
        case .returned(let id, let code, let text):
            guard id.hasPrefix(idPrefix + "-"), let tag = UInt64(id.dropFirst(idPrefix.count + 1)) else { return }
            window.noteReturn(tag, "\(code) \(text)")
        case .blocked(let reason): exchanges.blocked = AMQP091Failure.blocked(reason)
        case .unblocked:
            exchanges.blocked = nil
            window.restartClocks(until: .after(timing.confirm))
        case .closed(let code, let text):
            _ = connection.confirmClose()  // The connection ends, whatever becomes of it.
            failure = AMQP091Failure.closed(code: code, text: text, step: .serve)
        case .channelClosed(AMQP091Channel.messages, let code, let text): reopen(code: code, text: text)
        case .channelClosed(_, let code, let text): failure = exchanges.refused(code: code, text: text)
        case .answered(AMQP091Channel.messages): goOnOpening()
        case .answered: failure = exchanges.answered()
        case .delivered, .cancelled, .other: break
        }
    }

    private func tell(_ settled: AMQP091ConfirmWindow.Settled, isTaken: Bool) {
        if let returned = settled.returned {
            let detail = "Received basic.return from the external broker: \(returned)"
            outcomes.refused(settled.message, PublishRefusal(reason: "unroutable", detail: detail))
        } else if isTaken {
            outcomes.confirmed(settled.message)
        } else {
            let detail = "Received negative confirm from the external broker."
            outcomes.refused(settled.message, PublishRefusal(reason: "refused-by-broker", detail: detail))
        }
    }

    private func giveUpExpired() {
        for message in window.removeExpired() {
            let detail = "No publisher confirm arrived."
            outcomes.refused(message, PublishRefusal(reason: "timeout", detail: detail, status: 408))
        }
        failure = AMQP091Failure.unconfirmed(after: timing.confirm)
    }

    // MARK: A closed channel

    /// The broker has closed the channel because of one message and confirms none of those that stand in the window.
    /// They are published again, except the one that is to blame.
    private func reopen(code: Int, text: String) {
        closedChannels += 1
        var again = window.removeAll()
        unfinished = nil
        let culprit = again.lazy.compactMap { AMQP091Fields.route($0.address)?.exchange }
            .first { !$0.isEmpty && text.contains("'\($0)'") }
        switch code {
        case 404, 403:
            exchanges.forget()
            // Of a missing exchange the next question tells the same.
            if let culprit, code == 403 { exchanges.refuse(culprit, code: code, text: text) }
        case 406, 311:
            // A message the broker does not like, and it does not say which: the largest is the likeliest.
            if let index = again.indices.max(by: { again[$0].payload.count < again[$1].payload.count }) {
                outcomes.refused(
                    again.remove(at: index),
                    PublishRefusal(reason: "too-large", detail: "The broker says: \(code) \(text)", status: 400))
            }
        default: closedChannels += AMQP091PublisherLink.maximumClosedChannels
        }
        taken.replaceSubrange(..<nextTaken, with: again)
        nextTaken = 0
        guard closedChannels <= AMQP091PublisherLink.maximumClosedChannels, code != 403 || culprit != nil else {
            failure = AMQP091Failure.channelClosed(code: code, text: text)
            return
        }
        idPrefix = AMQP091PublisherLink.newPrefix()
        channel = .opening
        let closed = connection.confirmChannelClose(AMQP091Channel.messages)
        let opened = closed == .success ? connection.openChannel(AMQP091Channel.messages) : closed
        if opened != .success { failure = AMQP091Failure.lost(opened, step: .serve) }
    }

    private static let maximumClosedChannels = 5

    private func goOnOpening() {
        switch channel {
        case .ready: break
        case .opening:
            channel = .selecting
            let status = connection.selectConfirms(channel: AMQP091Channel.messages)
            if status != .success { failure = AMQP091Failure.lost(status, step: .serve) }
        case .selecting: channel = .ready
        }
    }
}
