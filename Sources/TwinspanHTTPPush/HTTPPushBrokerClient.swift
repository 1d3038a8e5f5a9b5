// The http-push binding as the supervisor sees it: a connection has one session, which sends requests. Nothing is read
// from anywhere, and there is no connection to a broker: "open" means that the server could be reached a moment ago.
public import TwinspanConnections

/// Sends messages as HTTP requests.
public struct HTTPPushBrokerClient: BrokerAdapter {
    /// Limits that tests shorten.
    public struct Limits: Sendable {
        /// For one attempt to open: name, connection, handshake and token together.
        public var dial: Duration = .seconds(10)
        /// For the body of an answer, once its head is there (spec/connectivity-bindings.md §5.3).
        public var answerBody: Duration = .seconds(10)
        /// The most bytes of an answer's body; acknowledgements and messages are not larger either.
        public var answerBytes = 256_000
        /// How long a session that ends by a failure waits for its other requests.
        public var windUp: Duration = .seconds(2)
        public init() {}
    }

    public let types: [ConnectionType] = [.httpPush]
    private let limits: Limits
    private let now: @Sendable () -> Int64
    private let loops = EventLoops()

    /// - Parameter now: seconds since 1970; signatures and the expiry of tokens depend on it.
    public init(limits: Limits = Limits(), now: @escaping @Sendable () -> Int64) {
        self.limits = limits
        self.now = now
    }

    public func consumer(for connection: Connection, inlet: any Inlet) -> any BrokerSession { NoConsumer() }

    public func publisher(
        for connection: Connection, queue: OutboundQueue, outcomes: any PublishOutcomes
    ) -> any BrokerSession {
        HTTPPushPublisher(
            fields: HTTPPushFields(connection), queue: queue, outcomes: outcomes, limits: limits, loops: loops,
            now: now)
    }

    public func probe(_ connection: Connection, timeout: Duration, observer: any SessionObserver) -> SessionEnd {
        HTTPPushProbe(fields: HTTPPushFields(connection), timeout: timeout, loops: loops, now: now)
            .run(observer: observer)
    }
}

/// What stands in for a consumer: the lint refuses sources, so nobody runs it.
private final class NoConsumer: BrokerSession {
    func run(observer: any SessionObserver) -> SessionEnd { .failed(HTTPPushFailure.noSources) }
    func stop(grace: Duration) {}
}
