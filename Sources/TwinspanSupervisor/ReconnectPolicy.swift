// When to try again. A value: failures go in, waiting times come out; no clock, no randomness of its own.
import TwinspanConnections

/// The back-off of one session.
struct ReconnectPolicy: Sendable {
    static let first = Duration.seconds(1)
    static let longest = Duration.seconds(60)
    /// A connection that has been open this long starts over with short waits.
    static let healthy = Duration.seconds(10)
    /// What a person has to change is tried again at this pace.
    static let misconfigured = Duration.seconds(60)

    private var failures = 0

    /// What to do after a failure: wait this long, or nil to give up.
    ///
    /// - Parameters:
    ///   - openFor: how long the session was open before it failed; nil when it never was.
    ///   - jitter: 0…1, spreads the attempts of many clients.
    mutating func delay(after reaction: BrokerFailure.Reaction, openFor: Duration?, jitter: Double) -> Duration? {
        if let openFor, openFor >= Self.healthy { failures = 0 }
        // A long wait would only keep messages back.
        if reaction == .awaitIntake { failures = 0 }
        failures += 1
        switch reaction {
        case .fatal: return nil
        case .misconfigured: return Self.misconfigured * (0.8 + 0.4 * jitter)
        case .retryNow where failures == 1: return .milliseconds(100) * (0.5 + jitter)
        case .retryNow, .backOff, .awaitIntake:
            let doublings = min(failures - 1, 6)
            return min(Self.first * (1 << doublings), Self.longest) * (0.8 + 0.4 * jitter)
        }
    }
}
