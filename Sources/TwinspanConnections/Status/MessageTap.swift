// A tap: lines about messages for somebody who watches. The pipelines never wait for the watcher; what he is too slow
// for is left out, counted, and told him in the stream.
import Synchronization
import TwinspanProtocol

/// The watcher's end of a tap. Ends the tap when it goes away. Safe from any thread; one reader at a time.
public final class MessageTap: Sendable {
    private let queue: TapQueue
    private let onClose: @Sendable (TapQueue) -> Void

    init(queue: TapQueue, onClose: @escaping @Sendable (TapQueue) -> Void) {
        self.queue = queue
        self.onClose = onClose
    }

    deinit { close() }

    /// Ends the tap; a reader that waits gets the rest and then the end.
    public func close() {
        onClose(queue)
        queue.end(nil)
    }

    /// All lines that are there, NDJSON; empty when there is none at the moment, nil after the end.
    public func take() -> [UInt8]? { queue.take() }

    /// Calls `wake` once, as soon as `take` has something to give: perhaps at once, perhaps on the thread of a
    /// pipeline, so it must return at once. Replaces, and calls, the one before.
    public func arm(_ wake: @escaping @Sendable () -> Void) { queue.arm(wake) }

    /// Waits for lines without blocking a thread; nil after the end. When the task is cancelled, the tap ends.
    public func lines() async -> [UInt8]? {
        while true {
            guard let lines = take() else { return nil }
            if !lines.isEmpty { return lines }
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in arm { continuation.resume() } }
            } onCancel: {
                close()
            }
        }
    }
}

/// The recorder's end of a tap. Safe from any thread.
final class TapQueue: Sendable {
    private struct State {
        var bytes: [UInt8] = []
        var lines = 0
        var dropped = 0
        var isEnded = false
        var wake: (@Sendable () -> Void)?
    }

    /// The most lines and bytes that wait for the reader.
    static let lineMaximum = 2_000
    static let byteMaximum = 1 << 20

    let filter: TapFilter
    private let connection: ConnectionID
    private let now: @Sendable () -> Timestamp
    private let state = Mutex(State())

    init(filter: TapFilter, connection: ConnectionID, now: @escaping @Sendable () -> Timestamp) {
        self.filter = filter
        self.connection = connection
        self.now = now
    }

    func offer(_ line: [UInt8]) {
        let wake = state.withLock { state -> (@Sendable () -> Void)? in
            guard !state.isEnded else { return nil }
            if state.dropped > 0 || state.lines >= Self.lineMaximum
                || state.bytes.count + line.count > Self.byteMaximum
            {
                // Once one is left out, all are until the reader has come: then one line tells of a gap without holes.
                state.dropped += 1
            } else {
                state.bytes += line
                state.lines += 1
            }
            return state.wake.take()
        }
        wake?()
    }

    func take() -> [UInt8]? {
        let (bytes, dropped, isEnded) = state.withLock { state in
            defer { (state.bytes, state.lines, state.dropped) = ([], 0, 0) }
            return (state.bytes, state.dropped, state.isEnded)
        }
        if dropped > 0 {
            return bytes
                + TapLine.notice(
                    "\(dropped) lines were left out here: they came faster than they were read.", dropped: dropped,
                    connection: connection, at: now())
        }
        return bytes.isEmpty && isEnded ? nil : bytes
    }

    func arm(_ wake: @escaping @Sendable () -> Void) {
        let (old, isDue) = state.withLock { state -> ((@Sendable () -> Void)?, Bool) in
            let old = state.wake.take()
            let isDue = !state.bytes.isEmpty || state.isEnded || state.dropped > 0
            if !isDue { state.wake = wake }
            return (old, isDue)
        }
        old?()
        if isDue { wake() }
    }

    /// Ends the tap; `reason` becomes the last line.
    func end(_ reason: String?) {
        let last = reason.map { TapLine.notice($0, connection: connection, at: now()) }
        let wake = state.withLock { state -> (@Sendable () -> Void)? in
            guard !state.isEnded else { return nil }
            if let last { state.bytes += last }
            state.isEnded = true
            return state.wake.take()
        }
        wake?()
    }
}
