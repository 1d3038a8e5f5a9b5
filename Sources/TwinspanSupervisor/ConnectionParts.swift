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
        /// Nil without sources.
        let inbox: ConnectionInbox?

        /// Makes everything and starts nothing. Throws when a mapper cannot be made.
        init(
            _ connection: Connection, _ environment: SupervisorEnvironment, queue: OutboundQueue,
            counters: ConnectionCounters, outcomes: CountedOutcomes, recorder: ConnectionRecorder, logger: Logger,
            onChange: @escaping @Sendable () -> Void
        ) throws(TwinspanError) {
            let clock = environment.clock
            let engine = environment.engine
            guard let adapter = environment.adapters[connection.type] else {
                (consumer, publisher, targets, inbox) = (nil, nil, nil, nil)
                return
            }
            let trouble = TroubleLog(logger: logger, now: { clock.monotonic })
            let needsPublisher = !connection.targets.isEmpty || connection.sources.contains { $0.replyTarget != nil }
            let publisher =
                needsPublisher
                ? SessionRunner(
                    session: adapter.publisher(for: connection, queue: queue, outcomes: outcomes), role: "publisher",
                    isFailoverEnabled: connection.isFailoverEnabled, clock: clock, counters: counters, logger: logger,
                    obstacle: { nil }, onChange: onChange) : nil
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
                inbox = nil
            } else {
                let replies = ReplyPublisher(
                    connection: connection, queue: queue, engine: engine, clock: clock, counters: counters,
                    recorder: recorder)
                let accounts = InboundAccounts(
                    counters: counters, recorder: recorder, trouble: trouble,
                    replies: needsPublisher ? replies : nil)
                let side = try InboundSide(
                    connection, engine: engine, clock: clock, accounts: accounts,
                    payloadBytesMax: environment.payloadBytesMax, mappers: environment.mappers,
                    settings: environment.inbox)
                let inbox = side.inbox
                self.inbox = inbox
                consumer = SessionRunner(
                    session: adapter.consumer(for: connection, inlet: side.pipeline), role: "consumer",
                    isFailoverEnabled: connection.isFailoverEnabled, clock: clock, counters: counters, logger: logger,
                    obstacle: {
                        if engine.condition != .open { return .known }
                        return inbox.isFull ? .told(.inboxFull(environment.inbox.bytes)) : nil
                    }, onChange: onChange)
            }
        }

        func start(_ id: ConnectionID) {
            targets?.start(name: "out \(id)")
            publisher?.start(name: "pub \(id)")
            inbox?.start()
            consumer?.start(name: "sub \(id)")
        }
    }
}

extension BrokerFailure {
    /// The connection takes nothing in until some of what waits is done.
    fileprivate static func inboxFull(_ bytes: Int) -> BrokerFailure {
        BrokerFailure(
            step: .serve, reaction: .awaitIntake, reason: "inbox-full",
            message: "Messages that wait for acknowledgements or answers fill the inbox (\(bytes) bytes).",
            hint: "see which acknowledgements are missing; 'requested-acks' and the targets that issue them decide")
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
