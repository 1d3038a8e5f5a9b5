// Time as a value the executable gives in, so that tests decide what time it is.
public import TwinspanProtocol

/// Reads the clocks.
public protocol EngineClock: Sendable {
    /// The time of day, for timestamps of events. May jump.
    var now: Timestamp { get }
    /// Nanoseconds of a clock that never goes back, for ages and latencies.
    var monotonic: UInt64 { get }
}
