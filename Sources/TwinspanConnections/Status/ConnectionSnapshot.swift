// What can be asked about connections from outside: by /ready, /metrics, the demo's screen and later the management
// API. The supervisor gives it, whoever serves it knows nothing of the supervisor.
public import TwinspanProtocol

/// Gives the state of all connections.
public protocol ConnectionDirectory: AnyObject, Sendable {
    /// Snapshots in the order of connection ids.
    func snapshots() -> [ConnectionSnapshot]
}

/// How a connection is.
public enum ConnectionState: String, Sendable, CaseIterable {
    case closed, connecting, open, failed, misconfigured
}

/// One connection at one moment.
public struct ConnectionSnapshot: Sendable {
    public var id: ConnectionID
    public var type: ConnectionType
    /// `scheme://host:port`, without credentials.
    public var uri: String
    public var state: ConnectionState
    /// Seconds since the state was entered.
    public var stateAgeSeconds: Double
    /// The failure behind `failed` and `misconfigured`, and behind a retry that is under way.
    public var failure: BrokerFailure?
    /// Seconds until the next attempt; nil when none is planned.
    public var nextAttemptSeconds: Double?
    /// Whether readiness waits for it.
    public var isRequired: Bool
    public var sourceCount: Int
    public var targetCount: Int
    /// Counters since the start of the process, in a stable order.
    public var counters: [Counter]
    /// Messages read from the broker whose commit is awaited.
    public var inFlight: Int
    /// Messages that wait for the broker.
    public var queueDepth: Int
    public var queueBytes: Int
    /// Age of the oldest message that waits, in seconds; 0 when none does.
    public var queueAgeSeconds: Double
    /// Signals that wait for acknowledgements, answers or a commit.
    public var waitingSignals = 0
    /// Messages in the inbox, and dead letters.
    public var inbox = Kept()
    public var deadLetters = Kept()
    /// What somebody should know beside the state: that an id is taken twice.
    public var notes: [String] = []

    /// Sources and targets that do not work while their session is open, and the tunnel; sources first.
    public var failedPlaces: [FailedPlace] = []

    /// A source or target that does not work.
    public struct FailedPlace: Sendable, Equatable {
        public enum Kind: String, Sendable, CaseIterable { case source, target, tunnel }
        public var kind: Kind
        /// Index in the definition, counted from 0.
        public var index: Int
        /// As the definition has it; empty for the tunnel.
        public var address: String
        public var failure: BrokerFailure
        public init(kind: Kind, index: Int, address: String, failure: BrokerFailure) {
            self.kind = kind
            self.index = index
            self.address = address
            self.failure = failure
        }
    }

    /// What durable targets have still to send, in the order of the targets; empty without durable targets.
    public var behind: [Behind] = []

    /// How far a durable target is behind the journal.
    public struct Behind: Sendable, Equatable {
        /// The name of the target.
        public var target: String
        /// Journal sequences that it has not seen confirmed or has not looked at yet: at least the events it has still
        /// to send.
        public var events: Int64
        /// Age in seconds of the oldest event it has still to send; 0 when there is none.
        public var ageSeconds: Double
        /// Journal sequences that retention had removed before they were read, since the start of the process.
        public var missed: Int64
        public init(target: String, events: Int64, ageSeconds: Double, missed: Int64 = 0) {
            self.target = target
            self.events = events
            self.ageSeconds = ageSeconds
            self.missed = missed
        }
    }

    /// The events of all durable targets together, with the greatest age; nil without durable targets.
    public var behindTogether: (events: Int64, ageSeconds: Double)? {
        guard !behind.isEmpty else { return nil }
        return (behind.reduce(0) { $0 + $1.events }, behind.reduce(0) { max($0, $1.ageSeconds) })
    }

    /// How many messages are kept of one kind.
    public struct Kept: Sendable, Equatable {
        public var count: Int
        public var bytes: Int64
        /// Age of the oldest in seconds; 0 when there is none.
        public var ageSeconds: Double
        public init(count: Int = 0, bytes: Int64 = 0, ageSeconds: Double = 0) {
            self.count = count
            self.bytes = bytes
            self.ageSeconds = ageSeconds
        }
    }

    /// One counter. The closed set of outcomes per direction makes every message end in exactly one per stage.
    public struct Counter: Sendable, Equatable {
        public enum Direction: String, Sendable { case inbound, outbound }
        public var direction: Direction
        /// `received`, `mapped`, `denied`, `filtered`, `committed`, `published`, `acknowledged`, `retried`, `dropped`,
        /// `reconnects`, …
        public var outcome: String
        /// Why, for denied, dropped, retried and reconnects; empty otherwise.
        public var reason: String
        public var value: Int64
        public init(direction: Direction, outcome: String, reason: String = "", value: Int64) {
            self.direction = direction
            self.outcome = outcome
            self.reason = reason
            self.value = value
        }
    }

    public init(
        id: ConnectionID, type: ConnectionType, uri: String, state: ConnectionState, stateAgeSeconds: Double,
        failure: BrokerFailure?, nextAttemptSeconds: Double?, isRequired: Bool, sourceCount: Int, targetCount: Int,
        counters: [Counter], inFlight: Int, queueDepth: Int, queueBytes: Int, queueAgeSeconds: Double
    ) {
        self.id = id
        self.type = type
        self.uri = uri
        self.state = state
        self.stateAgeSeconds = stateAgeSeconds
        self.failure = failure
        self.nextAttemptSeconds = nextAttemptSeconds
        self.isRequired = isRequired
        self.sourceCount = sourceCount
        self.targetCount = targetCount
        self.counters = counters
        self.inFlight = inFlight
        self.queueDepth = queueDepth
        self.queueBytes = queueBytes
        self.queueAgeSeconds = queueAgeSeconds
    }
}
