// A moment on the kernel's monotonic clock. The session threads sleep in poll(2), which no injected clock can drive, so
// they read the clock here and nowhere else.
import Glibc

/// A moment by which something has to be done.
public struct Deadline: Sendable, Comparable {
    /// Nanoseconds of CLOCK_MONOTONIC; `UInt64.max` never comes.
    private let nanoseconds: UInt64

    private init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// Never comes.
    public static let never = Deadline(nanoseconds: .max)
    /// The present moment.
    public static var now: Deadline { Deadline(nanoseconds: clock()) }

    /// `duration` from now; a negative one has passed already.
    public static func after(_ duration: Duration) -> Deadline { now.advanced(by: duration) }

    /// This moment moved by a duration; moments out of range never come.
    public func advanced(by duration: Duration) -> Deadline {
        guard nanoseconds != .max else { return self }
        let (seconds, attoseconds) = duration.components
        guard seconds < 1 << 32 else { return .never }
        guard seconds > -(1 << 32) else { return Deadline(nanoseconds: 0) }
        let moved = Int64(nanoseconds) + seconds * 1_000_000_000 + attoseconds / 1_000_000_000
        return Deadline(nanoseconds: UInt64(max(0, moved)))
    }

    /// Whether the moment has come.
    public var hasPassed: Bool { Deadline.clock() >= nanoseconds }

    /// The time until the moment; zero once it has passed, an hour for one that never comes.
    public var remaining: Duration {
        guard nanoseconds != .max else { return .seconds(3600) }
        let now = Deadline.clock()
        return now >= nanoseconds ? .zero : .nanoseconds(Int64(nanoseconds - now))
    }

    /// The timeout for poll(2) in milliseconds, rounded up so that a wake-up is never early; -1 means no limit.
    public var pollTimeout: Int32 {
        guard nanoseconds != .max else { return -1 }
        let now = Deadline.clock()
        guard nanoseconds > now else { return 0 }
        return Int32(min((nanoseconds - now + 999_999) / 1_000_000, UInt64(Int32.max)))
    }

    /// How long `self` came after `earlier`; zero if it did not.
    public func since(_ earlier: Deadline) -> Duration {
        nanoseconds > earlier.nanoseconds ? .nanoseconds(Int64(nanoseconds - earlier.nanoseconds)) : .zero
    }

    public static func < (left: Deadline, right: Deadline) -> Bool { left.nanoseconds < right.nanoseconds }

    private static func clock() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
