// A clock that goes only when a test moves it.
import Synchronization
public import TwinspanEngine
public import TwinspanProtocol

/// A clock that stands still until `advance`. Safe from any thread.
public final class ManualClock: EngineClock {
    private let state: Mutex<(now: Int64, monotonic: UInt64)>

    /// - Parameters:
    ///   - now: milliseconds since 1970.
    ///   - monotonic: nanoseconds.
    public init(now: Int64 = 1_700_000_000_000, monotonic: UInt64 = 10_000_000_000) {
        state = Mutex((now, monotonic))
    }

    public var now: Timestamp { Timestamp(milliseconds: state.withLock { $0.now }) }
    public var monotonic: UInt64 { state.withLock { $0.monotonic } }

    /// Moves both clocks forward.
    public func advance(by duration: Duration) {
        let nanoseconds = UInt64(max(duration / .nanoseconds(1), 0))
        state.withLock { state in
            state.now += Int64(nanoseconds / 1_000_000)
            state.monotonic += nanoseconds
        }
    }

    /// Sets the time of day alone, as an operator or a time server does.
    public func setNow(_ milliseconds: Int64) {
        state.withLock { $0.now = milliseconds }
    }
}
