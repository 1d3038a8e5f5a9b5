// Puts the parts together and runs them: store → engine → connections → HTTP, and the same order backwards at the end.
import ArgumentParser
import CMalloc
import Glibc
import Logging
import ServiceLifecycle
import Synchronization
import TwinspanConnections
import TwinspanEngine
import TwinspanHTTP
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
            engine = self.engine(store: store, clock: clock)
            try engine.start()
        } catch {
            StandardError.write("cannot open the data directory \(configuration.data): \(error.description).\n")
            if let hint = error.hint { StandardError.write("  → \(hint)\n") }
            throw ExitCode(1)
        }
        let fleet = try fleet(engine: engine, clock: clock)
        let seedKeeper = self.seedKeeper(engine: engine)
        let reloader = ConnectionReloader(
            paths: configuration.connections.present, scripts: configuration.mappers.paths.first,
            hosts: configuration.hosts, fleet: fleet, seeds: seedKeeper, logger: logger, grace: Self.grace)
        // All files are read before anything is written, so that all their problems are told at once.
        let seeds = seedKeeper.readAtStart()
        guard let connections = reloader.loadAtStart(), let seeds, seedKeeper.applyAtStart(seeds) else {
            engine.stop()
            throw ExitCode(1)
        }
        let end = Occurrence()
        let listening = Occurrence()
        let http = try httpGroup(
            engine: engine, fleet: fleet, store: store, reloader: reloader, started: started
        ) { listening.request() }
        let serving = Task { () -> (any Error)? in
            defer {
                end.request()
                listening.request()
            }
            do {
                try await http.run()
                return nil
            } catch {
                return error
            }
        }
        ProcessSignals.install { signal in
            switch signal {
            case .terminate: end.request()
            case .reload:
                seedKeeper.reload(because: "SIGHUP")
                reloader.reload(because: "SIGHUP")
            }
        }
        // Only a process that has its port may take over the sessions at the brokers.
        await listening.wait()
        if !end.isRequested {
            fleet.apply(connections, grace: Self.grace)
            reloader.watch()
        }
        await end.wait()
        logger.info("ending")
        // Open requests may wait for a commit, so HTTP ends while the engine still runs.
        await http.triggerGracefulShutdown()
        reloader.stop()
        fleet.stop(grace: Self.grace)
        let httpFailure = await serving.value
        engine.stop()
        try report(httpFailure)
        logger.info("ended")
    }

    /// Policies and things of files.
    private func seedKeeper(engine: TwinEngine) -> SeedKeeper {
        SeedKeeper(
            policies: configuration.policies, things: configuration.things, engine: engine, settings: engineSettings,
            logger: logger)
    }

    private static func log(_ announcement: AbandonedAnnouncement, to logger: Logger) {
        logger.warning(
            "announcement given up",
            metadata: [
                "policy.id": "\(announcement.policyID)", "subject.id": "\(announcement.subjectID)",
                "attempts": "\(announcement.attempts)",
                "reason": announcement.status.map { "acknowledged with status \($0)" } ?? "not acknowledged in time",
                "hint": "see who subscribes to _/_/policies/announcements as this subject, and what it answers",
            ])
    }

    /// The engine, not yet started; it tells the log of announcements that are given up.
    private func engine(store: SQLiteStore, clock: SystemClock) -> TwinEngine {
        let engine = TwinEngine(store: store, clock: clock, settings: engineSettings)
        engine.announcements.whenAbandoned { [logger] in Self.log($0, to: logger) }
        return engine
    }

    /// All connections; those made over HTTP are read from the store, and start with those of the files.
    private func fleet(engine: TwinEngine, clock: SystemClock) throws -> ConnectionFleet {
        do {
            var environment = SupervisorEnvironment(
                engine: engine, clock: clock, adapters: Adapters.all, logger: logger,
                mappers: Mappers.registry, payloadBytesMax: payloadBytesMax,
                inbox: InboxSettings(
                    bytes: configuration.inbox.bytes, attempts: configuration.inbox.attempts,
                    age: configuration.inbox.maxAge))
            environment.reading = Adapters.reading(hosts: configuration.hosts)
            environment.hono = HonoResolution(configuration.hono)
            environment.secrets = try secrets()
            environment.instance = Self.hostName
            let fleet = ConnectionFleet(environment: environment)
            try fleet.loadStored()
            return fleet
        } catch let failure as SecretsFailure {
            StandardError.write("\(failure.description).\n  → \(failure.hint)\n")
        } catch let failure as StoreFailure {
            StandardError.write("the stored connections cannot be read: \(failure.description).\n")
        }
        engine.stop()
        throw ExitCode(1)
    }

    /// The keys of secrets in the store, from the environment.
    private func secrets() throws(SecretsFailure) -> SecretsAtRest? {
        func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
        guard let key = variable(SecretsAtRest.keyVariable) else { return nil }
        return try SecretsAtRest(key: key, oldKey: variable(SecretsAtRest.oldKeyVariable))
    }

    /// The name of the machine: what Ditto shows as the client of a connection.
    private static var hostName: String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "twinspan" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The HTTP door as the one service of a group, which bounds how long open requests may take at the end.
    private func httpGroup(
        engine: TwinEngine, fleet: ConnectionFleet, store: SQLiteStore, reloader: ConnectionReloader, started: UInt64,
        onListening: @escaping @Sendable () -> Void
    ) throws -> ServiceGroup {
        let logger = self.logger
        let data = configuration.data
        let service = TwinHTTPService(
            backend: HTTPBackend(
                engine: engine, connections: fleet, authenticator: try authenticator(),
                storeMeasures: { store.measure() }, lastReload: { [weak reloader] in reloader?.lastReload },
                registry: fleet,
                facts: ServiceFacts(
                    version: Version.text, clock: SystemClock(), startedAt: started,
                    journalMaxBytes: Int64(configuration.journal.maxBytes))),
            settings: HTTPSettings(
                host: configuration.http.host, port: configuration.http.port,
                authenticatesMetrics: configuration.metrics.isAuthenticated), logger: logger,
            onListening: { address in
                onListening()
                logger.info(
                    "ready",
                    metadata: [
                        "http": "http://\(address)", "data": "\(data)",
                        "after": "\((SystemClock().monotonic - started) / 1_000_000) ms",
                    ])
            })
        var group = ServiceGroupConfiguration(
            services: [service],
            logger: Logger(label: "services") { _ in
                SwiftLogNoOpLogHandler()
            })
        group.maximumGracefulShutdownDuration = .seconds(4)
        return ServiceGroup(configuration: group)
    }

    /// The users of the configuration, or those of the credentials file that the first start makes.
    private func authenticator() throws -> Authenticator {
        var users = configuration.authentication.basic.map { user in
            BasicUser(name: user.user, secret: Self.secret(user.password))
        }
        if let devops = configuration.authentication.devops {
            users.append(BasicUser(name: CredentialsFile.devopsName, secret: Self.secret(devops), role: .devops))
        }
        if users.isEmpty {
            do throws(CredentialsFileFailure) {
                let file = try CredentialsFile.open(in: configuration.data)
                users = file.users
                if file.wasCreated { logger.notice("passwords were made", metadata: ["file": "\(file.path)"]) }
            } catch {
                StandardError.write("\(error.description).\n  → \(error.hint)\n")
                throw ExitCode(1)
            }
        }
        return Authenticator(users: users, clock: SystemClock())
    }

    private static func secret(_ password: Authentication.Password) -> BasicUser.Secret {
        switch password {
        case .hash(let hash): .hash(hash)
        case .plain(let plain): .password(plain.exposed)
        }
    }

    private func report(_ failure: (any Error)?) throws {
        guard let failure else { return }
        if let failure = failure as? ListenFailure {
            StandardError.write("\(failure.description).\n  → \(failure.hint)\n")
        } else {
            StandardError.write("HTTP cannot be served: \(failure).\n")
        }
        throw ExitCode(1)
    }

    /// Bytes an inbound payload may have: room for the largest entity in its envelope, at least 1 MiB.
    private var payloadBytesMax: Int {
        let limits = configuration.limits
        return max(1 << 20, 2 * max(limits.thingBytes, limits.policyBytes, limits.messageBytes))
    }

    private var engineSettings: EngineSettings {
        EngineSettings(
            limits: TwinLimits(
                thingBytes: configuration.limits.thingBytes, policyBytes: configuration.limits.policyBytes,
                policyImports: configuration.limits.policyImports, messageBytes: configuration.limits.messageBytes),
            cacheBytes: configuration.cache.bytes,
            retention: JournalRetention(
                bytes: Int64(configuration.journal.maxBytes), age: configuration.journal.maxAge),
            deadLetters: DeadLetterRetention(
                bytes: Int64(configuration.deadLetters.bytes), age: configuration.deadLetters.maxAge),
            access: AccessSettings(configuration.access))
    }

    private func limitMemoryArenas() {
        mallopt(M_ARENA_MAX, 2)
        // Fixed, so that large blocks always go back to the system; left alone, the limit grows with the first of them.
        mallopt(M_MMAP_THRESHOLD, 256 << 10)
        mallopt(M_TRIM_THRESHOLD, 1 << 20)
    }
}

/// Something that happens once, and one task that waits for it: the end that a signal asks for, the open port.
final class Occurrence: Sendable {
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

    var isRequested: Bool { state.withLock { $0.isRequested } }

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
