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
    private let scripts: String?
    private let hosts: HostRules
    private let fleet: ConnectionFleet
    private let seeds: SeedKeeper
    private let logger: Logger
    private let grace: Duration
    private let isStopping = Atomic<Bool>(false)
    private let doorbell = Doorbell()
    private let thread = Mutex<WorkerThread?>(nil)
    private let state = Mutex(State())

    private struct State {
        /// How the files were that were read last.
        var applied: [FileStamp] = []
        /// What they refer to: scripts, certificates, secrets.
        var watched: [String] = []
        var last: ConfigurationReload?
    }

    /// How the last reading went; nil before the first one.
    var lastReload: ConfigurationReload? { state.withLock { $0.last } }

    /// How often files are looked at. Polling, because change notifications do not cross bind mounts and network
    /// file systems, and a handful of `stat` calls a second costs nothing.
    private static let interval = Duration.milliseconds(1000)

    /// - Parameters:
    ///   - scripts: the directory of mapper scripts.
    ///   - seeds: policies and things, whose files are watched on the same thread.
    init(
        paths: [String], scripts: String?, hosts: HostRules, fleet: ConnectionFleet, seeds: SeedKeeper,
        logger: Logger, grace: Duration
    ) {
        self.paths = paths
        self.hosts = hosts
        self.scripts = scripts
        self.fleet = fleet
        self.seeds = seeds
        self.logger = logger
        self.grace = grace
    }

    /// Reads all files and announces the connections. Prints all problems; nil when one of them is an error.
    func loadAtStart() -> [Connection]? {
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
        let before = state.withLock { $0.applied }
        let loaded = load()
        guard loaded.isValid else {
            for diagnostic in loaded.diagnostics where diagnostic.severity == .error {
                logger.error("connections not reloaded", metadata: ["problem": "\(diagnostic)"])
            }
            return
        }
        let origins = Dictionary(
            loaded.connections.map { ($0.id, $0.origin) }, uniquingKeysWith: { first, _ in first })
        let touched = Self.touched(before, state.withLock { $0.applied })
        let changes = fleet.apply(loaded.connections, grace: grace)
        let restarted = Set(changes.started).intersection(changes.stopped)
        logger.info(
            "connections reloaded",
            metadata: [
                "because": "\(reason)", "files": "\(touched.joined(separator: ","))",
                "started": Self.list(changes.started.filter { !restarted.contains($0) }),
                "stopped": Self.list(changes.stopped.filter { !restarted.contains($0) }),
                "changed": Self.list(Array(restarted)),
            ])
        for id in restarted.sorted(by: { $0.text < $1.text }) {
            guard let origin = origins[id] ?? nil else { continue }
            let files = ([origin.file] + origin.references).filter(touched.contains)
            logger.info(
                "connection changed",
                metadata: ["connection": "\(id)", "files": "\(files.joined(separator: ","))"])
        }
    }

    private static func list(_ ids: [ConnectionID]) -> Logger.MetadataValue {
        "\(ids.map(\.text).sorted().joined(separator: ","))"
    }

    /// The files that are new, gone or others than before.
    private static func touched(_ before: [FileStamp], _ after: [FileStamp]) -> [String] {
        let kept = Set(before).intersection(after)
        return Set(Set(before + after).subtracting(kept).map(\.path)).sorted()
    }

    /// Watches the files on a thread of its own.
    func watch() {
        let worker = WorkerThread(name: "watch") { [self] in
            var last = stamps
            while !isStopping.load(ordering: .acquiring) {
                doorbell.wait(patience: Self.interval)
                // Before the connections, whose messages may be for them.
                seeds.lookAtFiles()
                let now = stamps
                // A file that still changes is half written: only what stood still for one round is read.
                if now == last, now != state.withLock({ $0.applied }) { reload(because: "files changed") }
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

    /// Reads the files and remembers how they were just before: a change while they are read is seen afterwards.
    private func load() -> LoadedConnections {
        var stamps = self.stamps
        let loaded = ConnectionFiles.load(
            paths: paths, rules: Adapters.bindingRules, mappers: Mappers.rules, scripts: scripts,
            hosts: hosts)
        let known = Set(stamps.map(\.path))
        // What is referred to is known only now.
        stamps += loaded.watchedFiles.filter { !known.contains($0) }.map { FileStamp(path: $0) }
        stamps.removeAll { !loaded.watchedFiles.contains($0.path) }
        stamps.sort { $0.path < $1.path }
        let outcome = ConfigurationReload(
            isSuccessful: loaded.isValid, epochSeconds: SystemClock().now.milliseconds / 1000)
        state.withLock { state in
            state.watched = loaded.watchedFiles
            state.applied = stamps
            state.last = outcome
        }
        return loaded
    }

    private var stamps: [FileStamp] {
        let files = ConnectionFiles.files(at: paths)
        let known = Set(files)
        return (files + state.withLock { $0.watched }.filter { !known.contains($0) }).map { FileStamp(path: $0) }
            .sorted { $0.path < $1.path }
    }
}
