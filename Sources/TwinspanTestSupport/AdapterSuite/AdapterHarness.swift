// What the shared adapter suite needs to know about one kind of broker. Each adapter brings a harness; the scenarios
// are the same for all of them.
public import TwinspanConnections

/// One broker with the adapter that speaks to it and a way around the adapter for the test's own messages.
public protocol AdapterHarness: Sendable {
    /// The adapter under test, with short timeouts: dialling gives up after five seconds.
    var adapter: any BrokerAdapter { get }

    /// A connection to the harness's broker: one source that reads `address` and redelivers what is not acknowledged.
    /// `host` and `port` replace those of the broker, for brokers that are not there.
    func connection(id: String, reading address: String?, host: String?, port: Int?) throws -> Connection

    /// How long a stop may take that sends a few thousand messages first.
    var flushGrace: Duration { get }

    /// An address nobody else uses, in the broker's syntax.
    func address(_ name: String) -> String

    /// An outbound address the client library refuses.
    var impossibleAddress: String { get }

    /// What a session's failure asks for when the broker is stopped in order: one that says goodbye may be given time.
    var reactionToStop: BrokerFailure.Reaction { get }
    /// Whether a session goes on while its broker is away, because the client library connects again by itself.
    var outlivesOutages: Bool { get }

    /// Whether the broker confirms messages in the order in which they were sent.
    var confirmsInOrder: Bool { get }

    /// Sends messages to an address and waits until the broker has them.
    func send(_ payloads: [String], to address: String) throws

    /// Begins to collect what is sent to an address.
    func collector(of address: String) throws -> any MessageCollector

    /// Ends the broker in order, keeping sessions and messages.
    func stopBroker() throws
    /// Ends the broker at once.
    func killBroker() throws
    /// Starts the broker again on the same port.
    func startBroker() throws
}

extension AdapterHarness {
    public var flushGrace: Duration { .seconds(5) }
    /// What a session's failure asks for when the broker is stopped in order.
    public var reactionToStop: BrokerFailure.Reaction { .retryNow }
    /// Most client libraries leave that to us.
    public var outlivesOutages: Bool { false }
    /// Most do.
    public var confirmsInOrder: Bool { true }
}

/// Collects messages on the far side of a broker.
public protocol MessageCollector {
    /// Waits for the next payload.
    func next() throws -> String
}
