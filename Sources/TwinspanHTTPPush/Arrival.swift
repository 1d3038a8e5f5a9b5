// A value that comes from the event loop and that the session's thread waits for in poll(2).
import Glibc
import Synchronization
import TwinspanNetwork

/// One value on its way to a session's thread.
final class Arrival<Value: Sendable>: Sendable {
    /// How waiting ended.
    enum Outcome {
        case arrived(Value)
        case timedOut
        case stopped
    }

    private let value = Mutex<Value?>(nil)
    private let wake: WakeSignal

    init(wake: WakeSignal) { self.wake = wake }

    /// Hands over the value. From any thread.
    func arrive(_ value: Value) {
        self.value.withLock { $0 = value }
        wake.wake()
    }

    /// Waits until the value, the deadline or a stop comes.
    func wait(until deadline: Deadline, control: SessionControl) -> Outcome {
        while true {
            if let value = value.withLock({ $0.take() }) { return .arrived(value) }
            if control.isStopping { return .stopped }
            if deadline.hasPassed { return .timedOut }
            var descriptor = pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0)
            poll(&descriptor, 1, deadline.pollTimeout)
            if descriptor.revents != 0 { wake.drain() }
        }
    }
}
