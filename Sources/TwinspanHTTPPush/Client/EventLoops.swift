// The one thread on which all http-push connections do their network work. It begins with the first session and ends
// with the last, so it costs nothing while there is none.
import NIOCore
import NIOPosix
import Synchronization

/// Lends the event loop to sessions. Safe from any thread.
final class EventLoops: Sendable {
    private struct State {
        var group: MultiThreadedEventLoopGroup?
        var borrowers = 0
    }

    private let state = Mutex(State())

    /// The loop's group; each `borrow` has its `giveBack`.
    func borrow() -> MultiThreadedEventLoopGroup {
        state.withLock { state in
            state.borrowers += 1
            if let group = state.group { return group }
            let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            state.group = group
            return group
        }
    }

    /// Ends the thread when nobody else needs it. From any thread, also the loop's own; does not wait.
    func giveBack() {
        let unused = state.withLock { state -> MultiThreadedEventLoopGroup? in
            state.borrowers -= 1
            return state.borrowers == 0 ? state.group.take() : nil
        }
        // Nothing runs on it any more, so there is nothing that an error could tell.
        unused?.shutdownGracefully { _ in }
    }
}
