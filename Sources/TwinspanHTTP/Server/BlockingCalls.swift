// Threads for what blocks: reads of the store for entities that are not in memory, and password hashing. Neither may
// run on an event loop or in the cooperative pool.
import NIOPosix

/// A few threads that run blocking calls, in the order in which they were submitted.
final class BlockingCalls: Sendable {
    private let pool: NIOThreadPool

    init(threads: Int) {
        pool = NIOThreadPool(numberOfThreads: threads)
        pool.start()
    }

    deinit {
        // The pool keeps itself until its threads have ended; there is nobody left to tell.
        pool.shutdownGracefully { _ in }
    }

    /// Runs `body` on one of the threads. It is told whether the pool is running, or is being shut down.
    func submit(_ body: @escaping @Sendable (_ isRunning: Bool) -> Void) {
        pool.submit { state in
            switch state {
            case .active: body(true)
            case .cancelled: body(false)
            }
        }
    }

    /// Runs `body` on one of the threads and gives its result; nil when the threads are being shut down.
    func run<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result? {
        await withCheckedContinuation { continuation in
            submit { isRunning in continuation.resume(returning: isRunning ? body() : nil) }
        }
    }
}
