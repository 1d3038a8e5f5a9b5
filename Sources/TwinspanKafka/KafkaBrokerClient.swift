// The Kafka binding as the supervisor sees it. A connection has one consumer handle, a member of the connection's
// group, and one producer handle for all its targets. Connections of Eclipse Hono come here rewritten as Kafka ones.
public import TwinspanConnections

/// Speaks Kafka through librdkafka.
public struct KafkaBrokerClient: BrokerAdapter {
    /// Limits that tests shorten.
    public struct Timing: Sendable {
        /// For one attempt to connect, up to the cluster's first answer.
        public var dial: Duration = .seconds(15)
        /// How long the group may take to give us partitions before the session counts as open without them.
        public var join: Duration = .seconds(10)
        /// The longest a batch is held while its commit is pending.
        public var hold: Duration = .seconds(600)
        /// The longest the group waits between two turns of ours; past half of it, reading pauses.
        public var pollInterval: Duration = .seconds(300)
        /// How long a message may wait for the cluster before it counts as not sent, as Kafka's own client does.
        public var delivery: Duration = .seconds(120)
        /// In place of the connection's session timeout.
        public var session: Duration?
        public init() {}
    }

    public let types: [ConnectionType] = [.kafka]
    private let timing: Timing

    public init(timing: Timing = Timing()) { self.timing = timing }

    public func consumer(for connection: Connection, inlet: any Inlet) -> any BrokerSession {
        KafkaConsumer(fields: KafkaFields(connection), inlet: inlet, timing: timing)
    }

    public func publisher(
        for connection: Connection, queue: OutboundQueue, outcomes: any PublishOutcomes
    ) -> any BrokerSession {
        KafkaPublisher(fields: KafkaFields(connection), queue: queue, outcomes: outcomes, timing: timing)
    }

    public func probe(_ connection: Connection, timeout: Duration, observer: any SessionObserver) -> SessionEnd {
        KafkaProbe(fields: KafkaFields(connection), timeout: timeout).run(observer: observer)
    }
}
