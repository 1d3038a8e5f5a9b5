// The body of `GET /devops/twinspan/connections/{id}/tap`: one JSON object per line for as long as somebody reads.
import Hummingbird
import NIOCore
import Synchronization
import TwinspanConnections

/// Streams a tap.
enum TapStream {
    /// An empty line is sent this often when nothing happens: it tells a reader that the tap stands, and us whether the
    /// reader is still there.
    static let heartbeat = TimeAmount.seconds(1)

    /// A body that ends when the reader goes, or the tap does.
    static func body(of tap: MessageTap, loop: any EventLoop) -> ResponseBody {
        ResponseBody { writer in
            let (wakes, wake) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
            let pulse = loop.scheduleRepeatedTask(initialDelay: heartbeat, delay: heartbeat) { _ in wake.yield() }
            defer {
                pulse.cancel()
                wake.finish()
                tap.close()
            }
            let bell = Bell(tap: tap) { wake.yield() }
            // The head of the response leaves with the first bytes.
            try await writer.write(ByteBuffer(string: "\n"))
            bell.arm()
            for await _ in wakes {
                guard let lines = tap.take() else { break }
                try await writer.write(lines.isEmpty ? ByteBuffer(string: "\n") : ByteBuffer(bytes: lines))
                bell.arm()
            }
            try await writer.finish(nil)
        }
    }

    /// Arms the tap once at a time: arming it again calls what was armed before.
    private final class Bell: Sendable {
        private let tap: MessageTap
        private let ring: @Sendable () -> Void
        private let isArmed = Atomic<Bool>(false)

        init(tap: MessageTap, ring: @escaping @Sendable () -> Void) {
            self.tap = tap
            self.ring = ring
        }

        func arm() {
            guard !isArmed.exchange(true, ordering: .acquiringAndReleasing) else { return }
            tap.arm { [self] in
                isArmed.store(false, ordering: .releasing)
                ring()
            }
        }
    }
}
