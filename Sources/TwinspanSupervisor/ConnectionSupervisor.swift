// One connection as it runs: its sessions, its pipelines, its queue and its counters. Made from a `Connection`, never
// changed; another configuration is another supervisor.
public import Logging
public import TwinspanConnections
public import TwinspanEngine

/// What every connection needs from the process around it.
public struct SupervisorEnvironment: Sendable {
    public var engine: TwinEngine
    public var clock: any EngineClock
    /// The adapters by connection type; an explicit value, made in the executable.
    public var adapters: [ConnectionType: any BrokerAdapter]
    public var logger: Logger
    /// Bytes an inbound payload may have.
    public var payloadBytesMax: Int
    /// Messages each target adds to its connection's outbound queue unless it says otherwise, and the queue's bytes.
    public var queueCapacity: Int
    public var queueBytes: Int

    public init(
        engine: TwinEngine, clock: any EngineClock, adapters: [any BrokerAdapter], logger: Logger,
        payloadBytesMax: Int = 1 << 20, queueCapacity: Int = 4_000, queueBytes: Int = 32 << 20
    ) {
        self.engine = engine
        self.clock = clock
        self.logger = logger
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
    private let consumer: SessionRunner?
    private let publisher: SessionRunner?
    private let pipeline: TargetPipeline?
    private let pipelineThread: WorkerThread?
    private let outcomes: CountedOutcomes

    /// Starts the connection when it is to be open; a closed one only reports that it is.
    init(_ connection: Connection, environment: SupervisorEnvironment) {
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
        outcomes = CountedOutcomes(counters: counters, logger: logger, clock: clock)
        guard connection.isOpen, let adapter = environment.adapters[connection.type] else {
            (consumer, publisher, pipeline, pipelineThread) = (nil, nil, nil, nil)
            return
        }
        let trouble = TroubleLog(logger: logger, now: { clock.monotonic })
        let needsPublisher = !connection.targets.isEmpty || connection.sources.contains { $0.replyTarget != nil }
        let publisher =
            needsPublisher
            ? SessionRunner(
                session: adapter.publisher(for: connection, queue: queue, outcomes: outcomes), role: "publisher",
                isFailoverEnabled: connection.isFailoverEnabled, clock: clock, counters: counters, logger: logger,
                mayRun: { true }) : nil
        self.publisher = publisher
        if connection.targets.isEmpty {
            (pipeline, pipelineThread) = (nil, nil)
        } else {
            let pipeline = TargetPipeline(
                connection: connection, queue: queue, counters: counters, trouble: trouble, clock: clock,
                isConnected: { publisher?.snapshot.state == .open })
            self.pipeline = pipeline
            let hub = environment.engine.hub
            pipelineThread = WorkerThread(name: "out \(connection.id)") { pipeline.run(hub: hub) }
        }
        if connection.sources.isEmpty {
            consumer = nil
        } else {
            let engine = environment.engine
            let inlet = SourcePipeline(
                connection: connection, engine: engine, clock: clock, counters: counters, trouble: trouble,
                replies: needsPublisher ? ReplyPublisher(queue: queue, engine: engine, counters: counters) : nil,
                payloadBytesMax: environment.payloadBytesMax)
            consumer = SessionRunner(
                session: adapter.consumer(for: connection, inlet: inlet), role: "consumer",
                isFailoverEnabled: connection.isFailoverEnabled, clock: clock, counters: counters, logger: logger,
                mayRun: { engine.condition == .open })
        }
        publisher?.start(name: "pub \(connection.id)")
        consumer?.start(name: "sub \(connection.id)")
    }

    /// Stops intake: the consumer ends, what it has read is committed and acknowledged.
    func stopConsumer(grace: Duration) {
        consumer?.stop(grace: grace)
    }

    func joinConsumer() { consumer?.join() }

    /// Ends the outbound side: events that are committed already go out within `grace`.
    func stopPublisher(grace: Duration) {
        pipeline?.stop()
        pipelineThread?.join()
        publisher?.stop(grace: grace)
    }

    func joinPublisher() { publisher?.join() }

    var snapshot: ConnectionSnapshot {
        let now = environment.clock.monotonic
        let sessions = [consumer?.snapshot, publisher?.snapshot].compactMap { $0 }
        let worst = sessions.max { Self.severity($0.state) < Self.severity($1.state) }
        let load = queue.load
        return ConnectionSnapshot(
            id: connection.id, type: connection.type, uri: connection.uri.display, state: worst?.state ?? .closed,
            stateAgeSeconds: worst.map { Self.seconds(from: $0.since, to: now) } ?? 0, failure: worst?.failure,
            nextAttemptSeconds: worst?.nextAttemptAt.map { Self.seconds(from: now, to: $0) },
            isRequired: connection.isRequired && connection.isOpen, sourceCount: connection.sources.count,
            targetCount: connection.targets.count, counters: counters.snapshot, inFlight: counters.inFlight,
            queueDepth: load.messages, queueBytes: load.bytes,
            queueAgeSeconds: load.oldestQueuedAt.map { $0 == 0 ? 0 : Self.seconds(from: $0, to: now) } ?? 0)
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

    private static func seconds(from start: UInt64, to end: UInt64) -> Double {
        end > start ? Double(end - start) / 1e9 : 0
    }
}

/// Counts what became of published messages.
final class CountedOutcomes: PublishOutcomes {
    private let counters: ConnectionCounters
    private let trouble: TroubleLog

    init(counters: ConnectionCounters, logger: Logger, clock: any EngineClock) {
        self.counters = counters
        trouble = TroubleLog(logger: logger, now: { clock.monotonic })
    }

    func confirmed(_ message: OutboundMessage) {
        counters.add(.published)
    }

    func refused(_ message: OutboundMessage, reason: String, detail: String) {
        counters.add(.dropped, .outbound, reason: reason)
        trouble.warn(
            "message not published", reason: reason,
            ["address": "\(message.address.prefix(120))", "error": "\(detail)"])
    }
}
