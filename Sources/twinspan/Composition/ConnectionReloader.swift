// Reads connection files at the start, when they change, and on SIGHUP. A valid change restarts only what it changes;
// an invalid one is reported and the running connections stay.
import Glibc
import Logging
import Synchronization
import TwinspanConnections
import TwinspanEngine
import TwinspanProtocol
import TwinspanSupervisor

/// Keeps the running connections in step with their files.
final class ConnectionReloader: Sendable {
    private let paths: [String]
    private let fleet: ConnectionFleet
    private let logger: Logger
    private let grace: Duration
    private let isStopping = Atomic<Bool>(false)
    private let doorbell = Doorbell()
    private let thread = Mutex<WorkerThread?>(nil)
    /// What the running connections were read from.
    private let applied = Mutex<[FileStamp]>([])

    /// How often files are looked at. Polling, because change notifications do not cross bind mounts and network
    /// file systems, and a handful of `stat` calls a second costs nothing.
    private static let interval = Duration.milliseconds(1000)

    init(paths: [String], fleet: ConnectionFleet, logger: Logger, grace: Duration) {
        self.paths = paths
        self.fleet = fleet
        self.logger = logger
        self.grace = grace
    }

    /// Reads all files and announces the connections. Prints all problems; nil when one of them is an error.
    func loadAtStart() -> [Connection]? {
        applied.withLock { $0 = stamps }
        let loaded = load()
        if !loaded.diagnostics.isEmpty {
            let report = DiagnosticReport(loaded.diagnostics, fileCount: loaded.files.count)
            StandardError.write(report.text(isColoured: StandardError.isTerminal))
        }
        guard loaded.isValid else { return nil }
        fleet.announce(loaded.connections)
        return loaded.connections
    }

    /// Reads all files again and applies what changed.
    func reload(because reason: String) {
        applied.withLock { $0 = stamps }
        let loaded = load()
        guard loaded.isValid else {
            for diagnostic in loaded.diagnostics where diagnostic.severity == .error {
                logger.error("connections not reloaded", metadata: ["problem": "\(diagnostic)"])
            }
            return
        }
        let changes = fleet.apply(loaded.connections, grace: grace)
        logger.info(
            "connections reloaded",
            metadata: [
                "because": "\(reason)", "started": "\(changes.started.map(\.text).sorted().joined(separator: ","))",
                "stopped": "\(changes.stopped.map(\.text).sorted().joined(separator: ","))",
            ])
    }

    /// Watches the files on a thread of its own.
    func watch() {
        let worker = WorkerThread(name: "watch") { [self] in
            var last = stamps
            while !isStopping.load(ordering: .acquiring) {
                doorbell.wait(patience: Self.interval)
                let now = stamps
                // A file that still changes is half written: only what stood still for one round is read.
                if now == last, now != applied.withLock({ $0 }) { reload(because: "files changed") }
                last = now
            }
        }
        thread.withLock { $0 = worker }
    }

    func stop() {
        isStopping.store(true, ordering: .releasing)
        doorbell.ring()
        thread.withLock { $0 }?.join()
    }

    private func load() -> LoadedConnections {
        ConnectionFiles.load(paths: paths, rules: Adapters.bindingRules)
    }

    /// What tells that a file is another one.
    private struct FileStamp: Equatable {
        let path: String
        let size: Int64
        let seconds: Int
        let nanoseconds: Int
        let inode: UInt64
    }

    private var stamps: [FileStamp] {
        ConnectionFiles.files(at: paths).map { path in
            var status = stat()
            guard stat(path, &status) == 0 else {
                return FileStamp(path: path, size: -1, seconds: 0, nanoseconds: 0, inode: 0)
            }
            return FileStamp(
                path: path, size: Int64(status.st_size), seconds: status.st_mtim.tv_sec,
                nanoseconds: status.st_mtim.tv_nsec, inode: UInt64(status.st_ino))
        }
    }
}
