// The queues of a consumer: which of them are consumed, and when those that are gone are tried again. A queue that is
// deleted takes only its own consumer along, so the others go on. Whether it is back is asked on a channel of its own,
// because the broker closes the channel of whoever asks for a queue that is missing. Confined to the session's thread.
import TwinspanConnections
import TwinspanNetwork

/// The channels of a connection.
enum AMQP091Channel {
    /// For messages.
    static let messages: UInt16 = 1
    /// For questions: the broker says no by closing it.
    static let questions: UInt16 = 2
}

/// Keeps the consumers of a connection.
struct AMQP091QueueWatch {
    private enum Stage: Equatable {
        case opening, checking
        case consuming(answersLeft: Int)
    }

    private struct Gone {
        var nextTry: Deadline
        var pause: Duration
    }

    private let fields: AMQP091Fields
    private let connection: RabbitMQConnection
    private let observer: any SessionObserver
    private let timing: AMQP091BrokerClient.Timing
    private let shares: [UInt16]
    /// By subscription; those that are consumed are missing.
    private var gone: [Int: Gone] = [:]
    private var question: (subscription: Int, stage: Stage)?
    private var isQuestionChannelOpen = true

    init(
        fields: AMQP091Fields, connection: RabbitMQConnection, observer: any SessionObserver,
        timing: AMQP091BrokerClient.Timing, prefetch: Int
    ) {
        self.fields = fields
        self.connection = connection
        self.observer = observer
        self.timing = timing
        // The limit of the broker is per consumer, so the connection's is shared out among them.
        let weights = max(1, fields.subscriptions.reduce(0) { $0 + $1.weight })
        shares = fields.subscriptions.map { UInt16(clamping: max(1, prefetch * $0.weight / weights)) }
    }

    // MARK: Opening

    /// Why a session cannot open.
    struct Unopened: Error {
        var end: SessionEnd
    }

    /// Looks for every queue; the failure that names all that are missing, or the first that is refused.
    static func findMissing(
        _ subscriptions: [AMQP091Fields.Subscription], connection: RabbitMQConnection,
        ask: (UInt16, () -> RabbitMQStatus) -> AMQP091Answer
    ) -> Result<BrokerFailure?, Unopened> {
        let channel = AMQP091Channel.questions
        var missing: [AMQP091Fields.Subscription] = []
        for subscription in subscriptions {
            switch ask(channel, { connection.checkQueue(subscription.queue, channel: channel) }) {
            case .yes: continue
            case .no(404, _): missing.append(subscription)
            case .no(let code, let text):
                return .success(AMQP091Failure.queue(subscription, code: code, text: text))
            case .stopped: return .failure(Unopened(end: .stopped))
            case .failed(let failure): return .failure(Unopened(end: .failed(failure)))
            }
            // The no has closed the channel.
            switch ask(channel, { connection.openChannel(channel) }) {
            case .yes: continue
            case .no(let code, let text):
                return .success(AMQP091Failure.channelClosed(code: code, text: text))
            case .stopped: return .failure(Unopened(end: .stopped))
            case .failed(let failure): return .failure(Unopened(end: .failed(failure)))
            }
        }
        guard let first = missing.first else { return .success(nil) }
        return .success(AMQP091Failure.missingQueues(missing.map(\.queue), source: first.source))
    }

    /// Limits how much the consumer that is made next is sent ahead.
    func limitPrefetch(of subscription: Int) -> RabbitMQStatus {
        connection.limitPrefetch(shares[subscription], channel: AMQP091Channel.messages)
    }

    /// Consumes a queue.
    func consume(_ subscription: Int) -> RabbitMQStatus {
        connection.consume(
            fields.subscriptions[subscription].queue, consumer: subscription, channel: AMQP091Channel.messages)
    }

    // MARK: Coming back

    /// When there is something to try; never while an answer is awaited.
    var nextAttempt: Deadline { question == nil ? gone.values.map(\.nextTry).min() ?? .never : .never }

    /// The broker has cancelled a consumer.
    mutating func lost(_ consumer: Int) {
        guard fields.subscriptions.indices.contains(consumer) else { return }
        wait(consumer, pause: timing.shortestPause, AMQP091Failure.queueGone(fields.subscriptions[consumer]))
    }

    /// Tries a queue whose pause is over.
    mutating func attempt() -> BrokerFailure? {
        guard question == nil, let due = gone.first(where: { $0.value.nextTry.hasPassed })?.key else { return nil }
        question = (due, isQuestionChannelOpen ? .checking : .opening)
        return AMQP091QueueWatch.failure(
            isQuestionChannelOpen
                ? connection.checkQueue(fields.subscriptions[due].queue, channel: AMQP091Channel.questions)
                : connection.openChannel(AMQP091Channel.questions))
    }

    /// An answer has come.
    mutating func answered(on channel: UInt16) -> BrokerFailure? {
        guard let (subscription, stage) = question else { return nil }
        switch stage {
        case .opening where channel == AMQP091Channel.questions:
            isQuestionChannelOpen = true
            question = (subscription, .checking)
            return AMQP091QueueWatch.failure(
                connection.checkQueue(fields.subscriptions[subscription].queue, channel: channel))
        case .checking where channel == AMQP091Channel.questions:
            question = (subscription, .consuming(answersLeft: 2))
            let limited = limitPrefetch(of: subscription)
            return AMQP091QueueWatch.failure(limited == .success ? consume(subscription) : limited)
        case .consuming(let left) where channel == AMQP091Channel.messages:
            question = left > 1 ? (subscription, .consuming(answersLeft: left - 1)) : nil
            guard left <= 1 else { return nil }
            gone[subscription] = nil
            observer.changed(place(of: subscription), nil)
            return nil
        default: return nil
        }
    }

    /// The broker has closed the channel of the questions: the queue is still missing, or may not be read.
    mutating func refused(code: Int, text: String) -> BrokerFailure? {
        isQuestionChannelOpen = false
        if let (subscription, _) = question {
            question = nil
            let pause = min((gone[subscription]?.pause ?? timing.shortestPause) * 2, timing.longestPause)
            let place = fields.subscriptions[subscription]
            wait(
                subscription, pause: pause,
                code == 404 ? AMQP091Failure.queueGone(place) : AMQP091Failure.queue(place, code: code, text: text))
        }
        return AMQP091QueueWatch.failure(connection.confirmChannelClose(AMQP091Channel.questions))
    }

    private mutating func wait(_ subscription: Int, pause: Duration, _ failure: BrokerFailure) {
        gone[subscription] = Gone(nextTry: .after(pause), pause: pause)
        observer.changed(place(of: subscription), failure)
    }

    private func place(of subscription: Int) -> SessionPlace {
        .source(fields.subscriptions[subscription].source, address: fields.subscriptions[subscription].queue)
    }

    private static func failure(_ status: RabbitMQStatus) -> BrokerFailure? {
        status == .success ? nil : AMQP091Failure.lost(status, step: .serve)
    }
}
