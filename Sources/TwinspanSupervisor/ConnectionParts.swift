// What runs while a connection is open: its sessions, its pipelines and their threads.
import Logging
import Synchronization
import TwinspanConnections
import TwinspanEngine
import TwinspanProtocol

extension ConnectionSupervisor {
    /// The running parts of one connection.
    final class Parts: Sendable {
        let consumer: SessionRunner?
        let publisher: SessionRunner?
        let targets: TargetRunner?

        /// Makes everything and starts nothing. Throws when a mapper cannot be made.
        init(
            _ connection: Connection, _ environment: SupervisorEnvironment, queue: OutboundQueue,
            counters: ConnectionCounters, outcomes: CountedOutcomes, recorder: ConnectionRecorder, logger: Logger,
            onChange: @escaping @Sendable () -> Void
        ) throws(TwinspanError) {
            let clock = environment.clock
            let engine = environment.engine
            guard let adapter = environment.adapters[connection.type] else {
                (consumer, publisher, targets) = (nil, nil, nil)
                return
            }
            let trouble = TroubleLog(logger: logger, now: { clock.monotonic })
            let needsPublisher = !connection.targets.isEmpty || connection.sources.contains { $0.replyTarget != nil }
            let publisher =
                needsPublisher
                ? SessionRunner(
                    session: adapter.publisher(for: connection, queue: queue, outcomes: outcomes), role: "publisher",
                    isFailoverEnabled: connection.isFailoverEnabled, clock: clock, counters: counters, logger: logger,
                    mayRun: { true }, onChange: onChange) : nil
            self.publisher = publisher
            if connection.targets.isEmpty {
                targets = nil
            } else {
                let pipeline = try TargetPipeline(
                    connection: connection, queue: queue, counters: counters, trouble: trouble, clock: clock,
                    mappers: environment.mappers, isConnected: { publisher?.snapshot.state == .open })
                targets = TargetRunner(pipeline, hub: engine.hub)
            }
            if connection.sources.isEmpty {
                consumer = nil
            } else {
                let replies = ReplyPublisher(
                    connection: connection, queue: queue, engine: engine, clock: clock, counters: counters,
                    recorder: recorder)
                let inlet = try SourcePipeline(
                    connection: connection, engine: engine, clock: clock, counters: counters, trouble: trouble,
                    replies: needsPublisher ? replies : nil,
                    payloadBytesMax: environment.payloadBytesMax, mappers: environment.mappers)
                consumer = SessionRunner(
                    session: adapter.consumer(for: connection, inlet: inlet), role: "consumer",
                    isFailoverEnabled: connection.isFailoverEnabled, clock: clock, counters: counters, logger: logger,
                    mayRun: { engine.condition == .open }, onChange: onChange)
            }
        }

        func start(_ id: ConnectionID) {
            targets?.start(name: "out \(id)")
            publisher?.start(name: "pub \(id)")
            consumer?.start(name: "sub \(id)")
        }
    }
}

/// A target pipeline with its thread.
final class TargetRunner: Sendable {
    private let pipeline: TargetPipeline
    private let hub: EventHub
    private let thread = Mutex<WorkerThread?>(nil)

    init(_ pipeline: TargetPipeline, hub: EventHub) {
        self.pipeline = pipeline
        self.hub = hub
    }

    func start(name: String) {
        let worker = WorkerThread(name: name) { [pipeline, hub] in pipeline.run(hub: hub) }
        thread.withLock { $0 = worker }
    }

    /// Lets what is committed go through the pipeline, and ends it.
    func stop() {
        pipeline.stop()
        thread.withLock { $0 }?.join()
    }
}
