// The MQTT binding, versions 3.1.1 and 5, as the supervisor sees it. A connection has up to two sessions, a consumer
// and a publisher, each with a client handle and a thread of its own: publishing through the consumer's handle would
// share its output queue and so send held acknowledgements early (design §3).
public import TwinspanConnections

/// Speaks MQTT 3.1.1 and 5 through libmosquitto.
public struct MQTTBrokerClient: BrokerAdapter {
    /// Limits that tests shorten.
    public struct Timing: Sendable {
        /// For one attempt to connect, up to CONNACK, and again for the subscriptions.
        public var dial: Duration = .seconds(10)
        /// The longest a batch is held while its commit is pending.
        public var hold: Duration = .seconds(600)
        public init() {}
    }

    public let types: [ConnectionType] = [.mqtt, .mqtt5]
    private let timing: Timing
    private let keepsKnownHeaders: Bool

    /// - Parameter keepsKnownHeaders: whether an MQTT 5 message tells in user properties too with which topic, QoS and
    ///   retain flag it was sent, where those were mapped (spec/connectivity-bindings.md §1.6).
    public init(timing: Timing = Timing(), keepsKnownHeaders: Bool = true) {
        self.timing = timing
        self.keepsKnownHeaders = keepsKnownHeaders
    }

    public func consumer(for connection: Connection, inlet: any Inlet) -> any BrokerSession {
        MQTTConsumer(
            fields: MQTTFields(connection),
            downgraded: connection.sources.indices.filter { connection.sources[$0].qos == 2 }, inlet: inlet,
            timing: timing)
    }

    public func publisher(
        for connection: Connection, queue: OutboundQueue, outcomes: any PublishOutcomes
    ) -> any BrokerSession {
        MQTTPublisher(
            fields: MQTTFields(connection), queue: queue, outcomes: outcomes, timing: timing,
            keepsKnownHeaders: keepsKnownHeaders)
    }

    public func probe(_ connection: Connection, timeout: Duration, observer: any SessionObserver) -> SessionEnd {
        MQTTProbe(fields: MQTTFields(connection), timeout: timeout).run(observer: observer)
    }
}
