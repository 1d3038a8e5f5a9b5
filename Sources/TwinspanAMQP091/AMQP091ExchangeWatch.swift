// The exchanges a publisher sends to: which are known to exist, and which the broker refuses. Nothing is published to
// an exchange that was not looked for, because a message for a missing one ends the channel and with it the
// confirmations of all others. Confined to the session's thread.
import TwinspanConnections
import TwinspanNetwork

/// Knows the exchanges of a connection.
struct AMQP091ExchangeWatch {
    /// What is known of an exchange.
    enum Standing {
        case usable
        /// Nothing can be sent there for now.
        case refused(BrokerFailure)
        /// It is being asked for.
        case unknown
    }

    private enum State {
        case usable
        case refused(BrokerFailure, retry: Deadline)
    }

    private let fields: AMQP091Fields
    private let connection: RabbitMQConnection
    private let observer: any SessionObserver
    private let pause: Duration
    private var states: [String: State] = [:]
    /// To be asked for, in this order.
    private var wanted: [String]
    private var asked: String?
    private var isChannelOpen = false
    /// The most exchanges that are remembered: their names may come out of messages.
    private let maximumCount = 10_000

    /// Why the broker takes nothing at all; nil while it does.
    var blocked: BrokerFailure? {
        didSet {
            guard blocked != oldValue else { return }
            for target in 0..<fields.targetCount { report(target) }
        }
    }

    init(fields: AMQP091Fields, connection: RabbitMQConnection, observer: any SessionObserver, pause: Duration) {
        self.fields = fields
        self.connection = connection
        self.observer = observer
        self.pause = pause
        wanted = []
        for destination in fields.destinations { want(destination.exchange) }
    }

    /// Whether messages can be sent to an exchange. One that is not known is asked for.
    mutating func standing(of exchange: String) -> Standing {
        // The default exchange always exists and cannot be asked for.
        if exchange.isEmpty { return .usable }
        switch states[exchange] {
        case .usable?: return .usable
        case .refused(let failure, let retry)? where !retry.hasPassed: return .refused(failure)
        case .refused?, nil:
            want(exchange)
            return .unknown
        }
    }

    /// When an exchange of a target is to be looked for again.
    var nextAttempt: Deadline {
        fields.destinations.compactMap { destination -> Deadline? in
            guard case .refused(_, let retry)? = states[destination.exchange] else { return nil }
            return retry
        }.min() ?? .never
    }

    /// Asks for the next exchange, if there is one and no answer is awaited.
    mutating func attempt() -> BrokerFailure? {
        for destination in fields.destinations {
            guard case .refused(_, let retry)? = states[destination.exchange], retry.hasPassed else { continue }
            want(destination.exchange)
        }
        guard asked == nil, let exchange = wanted.first, connection.isWritable else { return nil }
        asked = exchange
        return Self.failure(
            isChannelOpen
                ? connection.checkExchange(exchange, channel: AMQP091Channel.questions)
                : connection.openChannel(AMQP091Channel.questions))
    }

    /// Whether an answer is awaited or a question is to be sent.
    var isAsking: Bool { !wanted.isEmpty }

    /// An answer has come on the channel of the questions.
    mutating func answered() -> BrokerFailure? {
        guard let exchange = asked else { return nil }
        guard isChannelOpen else {
            isChannelOpen = true
            return Self.failure(connection.checkExchange(exchange, channel: AMQP091Channel.questions))
        }
        settle(exchange, .usable)
        return nil
    }

    /// The broker has closed the channel of the questions: the exchange is missing, or may not be used.
    mutating func refused(code: Int, text: String) -> BrokerFailure? {
        isChannelOpen = false
        if let exchange = asked { refuse(exchange, code: code, text: text) }
        return Self.failure(connection.confirmChannelClose(AMQP091Channel.questions))
    }

    /// The broker does not take messages for an exchange.
    mutating func refuse(_ exchange: String, code: Int, text: String) {
        let failure = AMQP091Failure.exchange(exchange, code: code, text: text, at: AMQP091Clock.now)
        settle(exchange, .refused(failure, retry: .after(pause)))
    }

    /// Forgets what exists, so that everything is asked for again.
    mutating func forget() {
        states = states.filter { entry in
            if case .refused = entry.value { true } else { false }
        }
    }

    private mutating func want(_ exchange: String) {
        if !wanted.contains(exchange) { wanted.append(exchange) }
    }

    private mutating func settle(_ exchange: String, _ state: State) {
        if states.count >= maximumCount { states.removeAll() }
        states[exchange] = state
        wanted.removeAll { $0 == exchange }
        if asked == exchange { asked = nil }
        for destination in fields.destinations where destination.exchange == exchange { report(destination.target) }
    }

    private func report(_ target: Int) {
        var failure: BrokerFailure?
        if let exchange = fields.destinations.first(where: { $0.target == target })?.exchange,
            case .refused(let reason, _)? = states[exchange]
        {
            failure = reason
        }
        observer.changed(.target(target), failure ?? blocked)
    }

    private static func failure(_ status: RabbitMQStatus) -> BrokerFailure? {
        status == .success ? nil : AMQP091Failure.lost(status, step: .serve)
    }
}
