// How much may wait in a connection's inbox, and how often it is tried again (design: settlement and the inbox).

/// Bounds and pace of a connection's inbox.
public struct InboxSettings: Sendable, Equatable {
    /// Bytes of messages that may wait; reached, the connection takes no more until a fifth of it is free.
    public var bytes: Int
    /// How often a message is carried out at most, the first time included.
    public var attempts: Int
    /// How long after its arrival a message is tried again at most.
    public var age: Duration
    /// The wait before the second attempt; it doubles with each one.
    public var firstDelay: Duration
    public var longestDelay: Duration

    public init(
        bytes: Int = 16 << 20, attempts: Int = 10, age: Duration = .seconds(86_400),
        firstDelay: Duration = .seconds(1), longestDelay: Duration = .seconds(300)
    ) {
        self.bytes = bytes
        self.attempts = attempts
        self.age = age
        self.firstDelay = firstDelay
        self.longestDelay = longestDelay
    }

    /// How long a message waits that has been carried out so often.
    /// - Parameter jitter: 0…1, spreads messages that failed together.
    func delay(after attempts: Int, jitter: Double) -> Duration {
        // Twenty doublings of the shortest wait are longer than anybody waits.
        let doublings = min(max(attempts - 1, 0), 20)
        return min(firstDelay * (1 << doublings), longestDelay) * (0.8 + 0.4 * jitter)
    }
}
