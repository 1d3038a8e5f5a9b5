// What is known of a running connection, for whoever shows its status. The supervisor fills it in,
// `ConnectionStatusJSON` makes the response of it.
public import TwinspanProtocol

/// What ails something, and since when.
public struct PlaceTrouble: Sendable, Equatable {
    public var failure: BrokerFailure
    public var since: Timestamp

    public init(failure: BrokerFailure, since: Timestamp) {
        self.failure = failure
        self.since = since
    }
}

/// The facts behind the status of one connection.
public struct ConnectionStatusFacts: Sendable {
    /// One session: the client handle that reads, or the one that sends.
    public struct Session: Sendable {
        public enum Role: Sendable { case consumer, publisher }

        public var role: Role
        public var state: ConnectionState
        /// When the state was entered.
        public var since: Timestamp
        /// Behind `failed` and `misconfigured`.
        public var failure: BrokerFailure?
        /// Whether another attempt is planned or under way.
        public var isRetrying: Bool
        /// The newest trouble of an open session that has not ended it.
        public var warning: PlaceTrouble?

        public init(
            role: Role, state: ConnectionState, since: Timestamp, failure: BrokerFailure? = nil,
            isRetrying: Bool = false, warning: PlaceTrouble? = nil
        ) {
            self.role = role
            self.state = state
            self.since = since
            self.failure = failure
            self.isRetrying = isRetrying
            self.warning = warning
        }
    }

    public var connection: Connection
    /// The name of this instance, shown as `client`.
    public var client: String
    /// Empty for a connection that is closed or has not started yet.
    public var sessions: [Session]
    /// When the connection was closed; nil when it was never open.
    public var closedSince: Timestamp?
    /// What ails single places while their session is open.
    public var places: [SessionPlace: PlaceTrouble]

    public init(
        connection: Connection, client: String, sessions: [Session], closedSince: Timestamp? = nil,
        places: [SessionPlace: PlaceTrouble] = [:]
    ) {
        self.connection = connection
        self.client = client
        self.sessions = sessions
        self.closedSince = closedSince
        self.places = places
    }
}
