// The AMQP 1.0 binding as the supervisor sees it. A connection has up to two sessions, a consumer and a publisher, each
// with a connection to the broker and a thread of its own.
public import TwinspanConnections
import TwinspanNetwork

/// Speaks AMQP 1.0 through qpid-proton.
public struct AMQP10BrokerClient: BrokerAdapter {
    /// Limits that tests shorten.
    public struct Timing: Sendable {
        /// For one attempt to connect, up to the opened connection, and again for the first links.
        public var dial: Duration = .seconds(15)
        /// For a link that is attached later on.
        public var attach: Duration = .seconds(5)
        /// The longest a batch is held while its commit is pending.
        public var hold: Duration = .seconds(600)
        /// How long a message waits for credit, and again for its confirmation.
        public var send: Duration = .seconds(60)
        /// How long a message that was released waits before it is sent again.
        public var resend: Duration = .seconds(1)
        /// How soon a link that has failed is tried again, at first and at most.
        public var relink: (first: Duration, last: Duration) = (.seconds(1), .seconds(600))
        /// How often the queues of sources are looked for where the broker does not tell that they are gone.
        public var queueCheck: Duration = .seconds(60)
        /// The most bytes of an inbound message; larger ones are rejected before they are whole.
        public var messageBytes = 16 << 20
        public init() {}
    }

    public let types: [ConnectionType] = [.amqp10]
    private let timing: Timing

    public init(timing: Timing = Timing()) { self.timing = timing }

    public func consumer(for connection: Connection, inlet: any Inlet) -> any BrokerSession {
        AMQP10Consumer(setup: AMQP10Setup(connection, timing), inlet: inlet)
    }

    public func publisher(
        for connection: Connection, queue: OutboundQueue, outcomes: any PublishOutcomes
    ) -> any BrokerSession {
        AMQP10Publisher(setup: AMQP10Setup(connection, timing), queue: queue, outcomes: outcomes)
    }

    public func probe(_ connection: Connection, timeout: Duration, observer: any SessionObserver) -> SessionEnd {
        AMQP10Probe(setup: AMQP10Setup(connection, timing), timeout: timeout).run(observer: observer)
    }
}

/// What a session works with: the connection's settings over the adapter's.
struct AMQP10Setup: Sendable {
    var fields: AMQP10Fields
    var timing: AMQP10BrokerClient.Timing
    /// Nil without TLS.
    var security: TLSSettings?

    init(_ connection: Connection, _ timing: AMQP10BrokerClient.Timing) {
        fields = AMQP10Fields(connection)
        self.timing = timing
        self.timing.dial = fields.connectTimeout ?? timing.dial
        self.timing.send = fields.sendTimeout ?? timing.send
        self.timing.attach = fields.requestTimeout ?? timing.attach
        security = TLSSettings(connection)
    }
}
