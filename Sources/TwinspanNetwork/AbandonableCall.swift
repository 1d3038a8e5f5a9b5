// Runs a call that may block without limit (getaddrinfo, a connect inside a library) on a thread of its own, so that
// the session thread can give up waiting when its time is over or a stop is asked for. An abandoned call runs to its
// end on that thread and its result is dropped there.
import Glibc
import Synchronization

/// One blocking call on a thread of its own.
public final class AbandonableCall<Value: Sendable>: Sendable {
    /// How waiting for the call ended.
    public enum Outcome {
        case finished(Value)
        case timedOut
        case stopped
        /// There is no thread or descriptor for it.
        case unavailable
    }

    private let result = Mutex<Value?>(nil)
    private let done: WakeSignal

    private init(done: WakeSignal) { self.done = done }

    /// Runs `body` elsewhere and waits for it until `deadline` or a stop.
    public static func run(
        until deadline: Deadline, control: SessionControl, wake: WakeSignal, body: @escaping @Sendable () -> Value
    ) -> Outcome {
        guard let done = WakeSignal() else { return .unavailable }
        let call = AbandonableCall(done: done)
        let started = startThread {
            let value = body()
            call.result.withLock { $0 = value }
            done.wake()
        }
        guard started else { return .unavailable }
        while true {
            if let value = call.result.withLock({ $0.take() }) { return .finished(value) }
            if control.isStopping { return .stopped }
            if deadline.hasPassed { return .timedOut }
            var descriptors = [
                pollfd(fd: done.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0),
            ]
            poll(&descriptors, 2, deadline.pollTimeout)
            if descriptors[1].revents != 0 { wake.drain() }
        }
    }
}

/// Starts a detached thread; false when the system has none left.
func startThread(_ body: @escaping @Sendable () -> Void) -> Bool {
    final class Box {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    // Retained for the new thread, which is the one consumer; taken back here if the thread never comes to be.
    let context = Unmanaged.passRetained(Box(body))
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    defer { pthread_attr_destroy(&attributes) }
    var thread = pthread_t()
    let code = pthread_create(
        &thread, &attributes,
        { context in
            if let context { Unmanaged<Box>.fromOpaque(context).takeRetainedValue().body() }
            return nil
        }, context.toOpaque())
    if code != 0 { context.release() }
    return code == 0
}
