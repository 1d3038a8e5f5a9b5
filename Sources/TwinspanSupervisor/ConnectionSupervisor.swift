// One connection as it runs: its sessions, its pipelines, its queue and its counters. Made from a `Connection`, never
// changed; another configuration is another supervisor.
public import Logging
public import TwinspanConnections
public import TwinspanEngine
import TwinspanExpressions
public import TwinspanMapping
import TwinspanProtocol

/// What every connection needs from the process around it.
public struct SupervisorEnvironment: Sendable {
    public var engine: TwinEngine
    public var clock: any EngineClock
    /// The adapters by connection type; an explicit value, made in the executable.
    public var adapters: [ConnectionType: any BrokerAdapter]
    public var logger: Logger
    /// The kinds of mappers.
    public var mappers: MapperRegistry
    /// Bytes an inbound payload may have.
    public var payloadBytesMax: Int
    /// Messages each target adds to its connection's outbound queue unless it says otherwise, and the queue's bytes.
    public var queueCapacity: Int
    public var queueBytes: Int
    /// The connections that publish answers of others.
    let diversions = DiversionBoard()
    /// The targets that read the journal.
    let readers: DurableReaders
    /// Bounds and pace of each connection's inbox.
    public var inbox: InboxSettings
    /// How definitions that come over HTTP are read.
    public var reading = ConnectionReading.unavailable
    /// Finds the Kafka connections that connections of Hono stand for.
    public var hono = HonoResolution(HonoSettings())
    /// Encrypts secrets of connections in the store; nil stores them as they are.
    public var secrets: SecretsAtRest?
    /// The name of this process in status.
    public var instance = "twinspan"

    public init(
        engine: TwinEngine, clock: any EngineClock, adapters: [any BrokerAdapter], logger: Logger,
        mappers: MapperRegistry = .builtIn, payloadBytesMax: Int = 1 << 20, queueCapacity: Int = 4_000,
        queueBytes: Int = 32 << 20, inbox: InboxSettings = InboxSettings()
    ) {
        self.inbox = inbox
        self.engine = engine
        readers = DurableReaders(engine)
        self.clock = clock
        self.logger = logger
        self.mappers = mappers
        self.payloadBytesMax = payloadBytesMax
        self.queueCapacity = queueCapacity
        self.queueBytes = queueBytes
        var byType: [ConnectionType: any BrokerAdapter] = [:]
        for adapter in adapters { for type in adapter.types { byType[type] = adapter } }
        self.adapters = byType
    }
}

/// Runs one connection.
final class ConnectionSupervisor: Sendable {
    let connection: Connection
    private let environment: SupervisorEnvironment
    private let counters = ConnectionCounters()
    private let queue: OutboundQueue
    private let outcomes: CountedOutcomes
    /// What happened in it; also while it is closed.
    let recorder: ConnectionRecorder
    private let acks: IssuedAcks
    /// What runs; nil when the connection is to be closed, or cannot run.
    private let parts: Parts?
    /// Why it cannot run.
    private let problem: BrokerFailure?
    private let startedAt: UInt64
    /// Rung after each change of a session's state.
    private let changes = Doorbell()

    /// Starts the connection when it is to be open; a closed one only reports that it is.
    /// - Parameters:
    ///   - recorder: that of the same connection before it was opened or closed; nil makes a new one.
    ///   - known: why it cannot run, if that is known before.
    init(
        _ connection: Connection, environment: SupervisorEnvironment, keeping recorder: ConnectionRecorder? = nil,
        problem known: BrokerFailure? = nil
    ) {
        self.connection = connection
        self.environment = environment
        var logger = environment.logger
        logger[metadataKey: "connection"] = "\(connection.id)"
        let clock = environment.clock
        let counters = self.counters
        queue = OutboundQueue(
            capacity: max(
                1,
                // Answers need room too, also in a connection that has no targets.
                connection.targets.reduce(
                    connection.sources.contains { $0.replyTarget != nil } ? environment.queueCapacity : 0
                ) { $0 + ($1.queueLimit ?? environment.queueCapacity) }),
            byteCapacity: environment.queueBytes)
        let recorder =
            recorder
            ?? ConnectionRecorder(connection: connection, now: { clock.now }, monotonic: { clock.monotonic })
        self.recorder = recorder
        acks = IssuedAcks(
            live: environment.engine.live, connection: connection,
            claims: AckClaims(
                connection, live: environment.engine.live, clock: clock,
                trouble: TroubleLog(logger: logger, now: { clock.monotonic }), recorder: recorder),
            recorder: recorder)
        outcomes = CountedOutcomes(counters: counters, logger: logger, clock: clock, recorder: recorder, acks: acks)
        var parts: Parts?
        var problem = known
        if connection.isOpen {
            do throws(TwinspanError) {
                parts = try Parts(
                    connection, environment, queue: queue, counters: counters, outcomes: outcomes, acks: acks,
                    recorder: recorder, logger: logger, onChange: { [changes] in changes.ring() })
            } catch {
                problem = BrokerFailure(
                    step: .serve, reaction: .misconfigured, reason: "mapper", message: error.message,
                    hint: error.description)
                logger.error("connection cannot run", metadata: ["error": "\(error.message)"])
            }
        }
        self.parts = parts
        self.problem = problem
        startedAt = clock.monotonic
        parts?.start(connection.id)
    }

    /// Stops intake: the consumer ends, what it has read is committed and acknowledged.
    func stopConsumer(grace: Duration) {
        parts?.consumer?.stop(grace: grace)
    }

    func joinConsumer() {
        parts?.consumer?.join()
        parts?.inbox?.stop()
    }

    /// Runs a dead letter again: it is a message of the inbox once the ticket is committed, and runs as soon as the
    /// connection is open.
    func retry(_ letter: DeadLetter) -> CommitTicket {
        if let inbox = parts?.inbox { return inbox.retry(letter) }
        let engine = environment.engine
        let message = InboxMessage(
            id: engine.makeRecordID(), message: letter.message, attempts: 0, nextAttemptAt: environment.clock.now)
        return engine.keep([.inboxPut(message), .deadLetterRemove(id: letter.id)], commitsSoon: true)
    }

    /// Ends the outbound side: events that are committed already go out within `grace`.
    func stopPublisher(grace: Duration) {
        parts?.stopPublisher(grace: grace)
    }

    func joinPublisher() {
        parts?.joinPublisher()
        // Only now: until its end the publisher acknowledges.
        acks.claims.release()
    }

    /// Whether there is something that connects.
    var isRunning: Bool { parts != nil }

    /// How an attempt to open ended.
    enum Opening {
        case open, timedOut, interrupted
        case failed(BrokerFailure)
    }

    /// Waits until every session is open, or one has failed. Only one thread at a time may wait.
    func awaitOpen(patience: Duration, isInterrupted: () -> Bool) -> Opening {
        let clock = ContinuousClock()
        let deadline = clock.now + patience
        while true {
            let snapshot = self.snapshot
            switch snapshot.state {
            case .open: return .open
            case .failed, .misconfigured:
                if let failure = snapshot.failure { return .failed(failure) }
            case .closed: return .interrupted
            case .connecting: break
            }
            if isInterrupted() { return .interrupted }
            let left = deadline - clock.now
            guard left > .zero else { return .timedOut }
            // A reload does not ring, so nobody sleeps long.
            changes.wait(patience: min(left, .milliseconds(100)))
        }
    }

    var snapshot: ConnectionSnapshot {
        let now = environment.clock.monotonic
        var sessions = [parts?.consumer?.snapshot, parts?.publisher?.snapshot].compactMap { $0 }
        if let problem { sessions.append(SessionStatus(state: .misconfigured, since: startedAt, failure: problem)) }
        let worst = sessions.max { Self.severity($0.state) < Self.severity($1.state) }
        let load = queue.load
        var snapshot = ConnectionSnapshot(
            id: connection.id, type: connection.type, uri: connection.uri.display, state: worst?.state ?? .closed,
            stateAgeSeconds: worst.map { Self.seconds(from: $0.since, to: now) } ?? 0,
            failure: worst?.failure ?? acks.claims.problem.map(Self.labelsTaken),
            nextAttemptSeconds: worst?.nextAttemptAt.map { Self.seconds(from: now, to: $0) },
            isRequired: connection.isRequired && connection.isOpen, sourceCount: connection.sources.count,
            targetCount: connection.targets.count, counters: counters.snapshot, inFlight: counters.inFlight,
            queueDepth: load.messages, queueBytes: load.bytes,
            queueAgeSeconds: load.oldestQueuedAt.map { $0 == 0 ? 0 : Self.seconds(from: $0, to: now) } ?? 0)
        snapshot.behind = parts?.durables.map(\.behind) ?? []
        snapshot.waitingSignals = counters.waiting
        snapshot.failedPlaces = failedPlaces(sessions)
        snapshot.inbox = kept(environment.engine.inboxLoad[connection.id])
        snapshot.deadLetters = kept(environment.engine.deadLetterLoad[connection.id])
        return snapshot
    }

    private func failedPlaces(_ sessions: [SessionStatus]) -> [ConnectionSnapshot.FailedPlace] {
        let places = sessions.flatMap { $0.places.map { ($0.key, $0.value.failure) } }.compactMap { place, failure in
            switch place {
            case .source(let index, let address):
                return ConnectionSnapshot.FailedPlace(
                    kind: .source, index: index, address: address, failure: failure)
            case .target(let index):
                let targets = connection.targets
                return ConnectionSnapshot.FailedPlace(
                    kind: .target, index: index,
                    address: targets.indices.contains(index) ? targets[index].address.text : "", failure: failure)
            case .tunnel:
                return ConnectionSnapshot.FailedPlace(kind: .tunnel, index: 0, address: "", failure: failure)
            }
        }
        return places.sorted { ($0.kind.rawValue, $0.index, $0.address) < ($1.kind.rawValue, $1.index, $1.address) }
    }

    private func kept(_ load: RecordLoad?) -> ConnectionSnapshot.Kept {
        guard let load else { return ConnectionSnapshot.Kept() }
        let age = load.oldest.map { environment.clock.now.milliseconds - $0.milliseconds } ?? 0
        return ConnectionSnapshot.Kept(count: load.count, bytes: load.bytes, ageSeconds: Double(max(age, 0)) / 1000)
    }

    /// The facts behind the status (spec/connectivity.md §8.4); `client` is the name of this instance.
    func statusFacts(client: String) -> ConnectionStatusFacts {
        let clock = environment.clock
        var sessions = [
            parts?.consumer?.snapshot.facts(.consumer, clock: clock),
            parts?.publisher?.snapshot.facts(.publisher, clock: clock),
        ].compactMap { $0 }
        if let problem {
            let status = SessionStatus(state: .misconfigured, since: startedAt, failure: problem)
            sessions.append(status.facts(.consumer, clock: clock))
        }
        var places: [SessionPlace: PlaceTrouble] = [:]
        for runner in [parts?.consumer, parts?.publisher].compactMap({ $0 }) {
            places.merge(runner.snapshot.troubles(clock: clock)) { first, _ in first }
        }
        return ConnectionStatusFacts(connection: connection, client: client, sessions: sessions, places: places)
    }

    private static func severity(_ state: ConnectionState) -> Int {
        switch state {
        case .open: 0
        case .closed: 1
        case .connecting: 2
        case .failed: 3
        case .misconfigured: 4
        }
    }

    /// A connection whose labels another session has works, but its acknowledgements are refused.
    private static func labelsTaken(_ problem: TwinspanError) -> BrokerFailure {
        BrokerFailure(
            step: .serve, reaction: .backOff, reason: "acknowledgement-labels", message: problem.message,
            hint: "give every connection labels of its own; it is tried again every 10 s")
    }

    private static func seconds(from start: UInt64, to end: UInt64) -> Double {
        end > start ? Double(end - start) / 1e9 : 0
    }
}
