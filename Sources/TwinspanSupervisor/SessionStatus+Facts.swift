// What a session's status is to whoever shows it: instants of the time of day instead of a clock that only this process
// knows.
import TwinspanConnections
import TwinspanEngine
import TwinspanProtocol

extension SessionStatus {
    /// The facts for `ConnectionStatusJSON`.
    func facts(_ role: ConnectionStatusFacts.Session.Role, clock: any EngineClock) -> ConnectionStatusFacts.Session {
        let now = clock.monotonic
        let age = now > since ? Int64(clamping: (now - since) / 1_000_000) : 0
        return ConnectionStatusFacts.Session(
            role: role, state: state, since: Timestamp(milliseconds: clock.now.milliseconds - age), failure: failure,
            isRetrying: nextAttemptAt != nil, warning: warning.map { Self.trouble($0, clock: clock) })
    }

    /// What ails single places.
    func troubles(clock: any EngineClock) -> [SessionPlace: PlaceTrouble] {
        places.mapValues { Self.trouble($0, clock: clock) }
    }

    private static func trouble(
        _ trouble: (failure: BrokerFailure, since: UInt64), clock: any EngineClock
    ) -> PlaceTrouble {
        let now = clock.monotonic
        let age = now > trouble.since ? Int64(clamping: (now - trouble.since) / 1_000_000) : 0
        return PlaceTrouble(
            failure: trouble.failure, since: Timestamp(milliseconds: clock.now.milliseconds - age))
    }
}
