// How fast a durable target catches up: so many messages a second, evenly, with a tenth of a second to spare.

/// A pace in messages a second. Times are nanoseconds of the monotonic clock.
struct SendPace: Sendable {
    private let interval: UInt64
    private let tolerance: UInt64
    /// When everything that was sent would have been sent at the pace.
    private var paidUntil: UInt64 = 0

    init(messagesPerSecond rate: Int) {
        interval = 1_000_000_000 / UInt64(max(rate, 1))
        tolerance = 100_000_000
    }

    /// How long the next message has to wait; 0 when it may go.
    func delay(at now: UInt64) -> UInt64 {
        paidUntil > now + tolerance ? paidUntil - now - tolerance : 0
    }

    /// Notes messages that go now.
    mutating func spend(_ messages: Int, at now: UInt64) {
        paidUntil = max(paidUntil, now) + UInt64(messages) * interval
    }
}
