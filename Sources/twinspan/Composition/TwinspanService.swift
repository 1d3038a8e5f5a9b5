// Puts the parts together and runs them: store → engine → connections → HTTP, and the same order backwards at the end.
import ArgumentParser
import CMalloc
import Glibc
import Logging
import Synchronization
import TwinspanConnections
import TwinspanEngine
import TwinspanSQLite
import TwinspanSupervisor

/// The running service.
final class TwinspanService: Sendable {
    private let configuration: Configuration
    private let explicitConnections: Bool
    private let logger: Logger

    /// Time an orderly end has, all together under 10 s.
    static let grace = Duration.seconds(4)

    init(configuration: Configuration, explicitConnections: Bool) {
        self.configuration = configuration
        self.explicitConnections = explicitConnections
        let level = Logger.Level(rawValue: configuration.log.level.rawValue) ?? .info
        let isTerminal = StandardError.isTerminal
        LoggingSystem.bootstrap { _ in StandardErrorLog(logLevel: level, isTerminal: isTerminal) }
        logger = Logger(label: "twinspan")
    }

    func run() async throws {
        // Each thread would get a memory arena of its own; two are enough and keep an idle process small.
        limitMemoryArenas()
        let started = SystemClock().monotonic
        let clock = SystemClock()
        let store: SQLiteStore
        let engine: TwinEngine
        do throws(StoreFailure) {
            store = try SQLiteStore(
                directory: configuration.data, durability: configuration.durability == .full ? .full : .os)
            engine = TwinEngine(store: store, clock: clock, settings: engineSettings)
            try engine.start()
        } catch {
            StandardError.write("cannot open the data directory \(configuration.data): \(error.description).\n")
            if let hint = error.hint { StandardError.write("  → \(hint)\n") }
            throw ExitCode(1)
        }
        let fleet = ConnectionFleet(
            environment: SupervisorEnvironment(engine: engine, clock: clock, adapters: Adapters.all, logger: logger))
        let reloader = ConnectionReloader(
            paths: connectionPaths, fleet: fleet, logger: logger, grace: Self.grace)
        guard reloader.loadAtStart() else {
            engine.stop()
            throw ExitCode(1)
        }
        let end = EndOfService()
        ProcessSignals.install { signal in
            switch signal {
            case .terminate: end.request()
            case .reload: reloader.reload(because: "SIGHUP")
            }
        }
        reloader.watch()
        logger.info(
            "ready", metadata: ["milliseconds": "\((clock.monotonic - started) / 1_000_000)", "data": "\(configuration.data)"])
        await end.wait()
        logger.info("ending")
        reloader.stop()
        fleet.stop(grace: Self.grace)
        engine.stop()
        logger.info("ended")
    }

    private var engineSettings: EngineSettings {
        EngineSettings(
            limits: TwinLimits(
                thingBytes: configuration.limits.thingBytes, policyBytes: configuration.limits.policyBytes),
            cacheBytes: configuration.cache.bytes,
            retention: JournalRetention(
                bytes: Int64(configuration.journal.maxBytes), age: configuration.journal.maxAge))
    }

    /// Default directories that do not exist are no error; what was named must exist.
    private var connectionPaths: [String] {
        let paths = configuration.connections
        return paths.isDefault ? paths.paths.filter { access($0, R_OK) == 0 } : paths.paths
    }

    private func limitMemoryArenas() {
        mallopt(M_ARENA_MAX, 2)
    }
}

/// Waits for the end that a signal asks for.
final class EndOfService: Sendable {
    private struct State {
        var isRequested = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    func request() {
        let waiter = state.withLock { state in
            state.isRequested = true
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let isRequested = state.withLock { state -> Bool in
                if !state.isRequested { state.waiter = continuation }
                return state.isRequested
            }
            if isRequested { continuation.resume() }
        }
    }
}
