// Moves pages from the write-ahead log to their place in the file, on a thread and connection of its own, so that no
// commit waits for it. SQLite starts the log from its beginning only when a checkpoint has copied everything while
// nobody writes; under steady writing that never happens by itself. So the thread copies the bulk, and the committer,
// between two commits, copies the rest and restarts the log.
import GRDB
import Synchronization
import TwinspanEngine

final class Checkpointer: Sendable {
    /// From this size of the log on, pages are moved.
    static let startBytes: Int64 = 16 << 20
    /// The log is cut back to this size when it restarts.
    static let restartBytes: Int64 = 32 << 20

    private enum Phase {
        case resting
        case copying
        /// The bulk is copied; the committer may restart the log.
        case copied
    }

    private struct State {
        var phase = Phase.resting
        var calls = 0
    }

    private let state = Mutex(State())
    private let database: DatabaseQueue
    private let walPath: String
    private let thread = Mutex<WorkerThread?>(nil)

    init(database: DatabaseQueue, path: String) {
        self.database = database
        walPath = path + "-wal"
    }

    /// Whether it is time to look at sizes: every 64th call, or as soon as a copy is complete.
    func isDue() -> Bool {
        let shouldLook = state.withLock { state -> Bool in
            state.calls += 1
            return state.calls % 64 == 0 || state.phase == .copied
        }
        guard shouldLook else { return false }
        let startsCopy = state.withLock { state -> Bool in
            guard state.phase == .resting, DataDirectory.size(of: walPath) > Self.startBytes else { return false }
            state.phase = .copying
            return true
        }
        if startsCopy { copy() }
        return true
    }

    private func copy() {
        let worker = WorkerThread(name: "checkpoint") { [self] in
            // A failed copy loses nothing: the log still has every page, and the next round tries again.
            _ = try? database.inDatabase { db in try db.checkpoint(.passive) }
            state.withLock { $0.phase = .copied }
        }
        let previous = thread.withLock { thread in
            defer { thread = worker }
            return thread
        }
        previous?.join()
    }

    /// Whether the committer should restart the log now.
    var mayRestart: Bool { state.withLock { $0.phase == .copied } }

    /// Runs the restart and rests again.
    func restart(_ body: () -> Void) {
        body()
        state.withLock { $0.phase = .resting }
    }

    /// Waits for a running copy and closes the connection.
    func stop() {
        thread.withLock { $0 }?.join()
        // Nothing can be done about a connection that does not close; the process ends or opens others.
        try? database.close()
    }
}
