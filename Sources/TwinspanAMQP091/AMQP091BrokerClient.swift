// The AMQP 0.9.1 binding as the supervisor sees it. A connection has up to two sessions, a consumer and a publisher,
// each with a connection to the broker and a thread of its own: an alarm of RabbitMQ stops connections that publish,
// and those that only consume go on.
public import TwinspanConnections

/// Speaks AMQP 0.9.1 through librabbitmq.
public struct AMQP091BrokerClient: BrokerAdapter {
    /// Limits that tests shorten.
    public struct Timing: Sendable {
        /// For one attempt to connect, up to the end of the login, and again for the queues.
        public var dial: Duration = .seconds(10)
        /// The longest a batch is held while its commit is pending.
        public var hold: Duration = .seconds(600)
        /// The longest a message stays unconfirmed (spec/connectivity-bindings.md §2).
        public var confirm: Duration = .seconds(60)
        /// The pause before a queue that is gone is tried again; it doubles up to `longestPause`.
        public var shortestPause: Duration = .seconds(1)
        /// Also the pause between two looks for a missing exchange.
        public var longestPause: Duration = .seconds(60)
        public init() {}
    }

    public let types: [ConnectionType] = [.amqp091]
    private let timing: Timing

    public init(timing: Timing = Timing()) { self.timing = timing }

    public func consumer(for connection: Connection, inlet: any Inlet) -> any BrokerSession {
        AMQP091Consumer(fields: AMQP091Fields(connection), inlet: inlet, timing: timing)
    }

    public func publisher(
        for connection: Connection, queue: OutboundQueue, outcomes: any PublishOutcomes
    ) -> any BrokerSession {
        AMQP091Publisher(fields: AMQP091Fields(connection), queue: queue, outcomes: outcomes, timing: timing)
    }

    public func probe(_ connection: Connection, timeout: Duration, observer: any SessionObserver) -> SessionEnd {
        AMQP091Probe(fields: AMQP091Fields(connection), timeout: timeout).run(observer: observer)
    }
}
