// What runs while a connection is open: its sessions, its pipelines and their threads.
import Logging
import Synchronization
import TwinspanConnections
import TwinspanEngine
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol

extension ConnectionSupervisor {
    /// The running parts of one connection.
    final class Parts: Sendable {
        let consumer: SessionRunner?
        let publisher: SessionRunner?
        let targets: TargetRunner?
        let durables: [DurableTarget]
        private let connection: Connection
        private let diversions: DiversionBoard
        private let engine: TwinEngine
        private let clock: any EngineClock
        private let claims: AckClaims
        private let doorway = Doorway()
        /// Nil without sources.
        let inbox: ConnectionInbox?

        /// Makes everything and starts nothing. Throws when a mapper cannot be made.
        init(
            _ connection: Connection, _ environment: SupervisorEnvironment, queue: OutboundQueue,
            counters: ConnectionCounters, outcomes: CountedOutcomes, acks: IssuedAcks, recorder: ConnectionRecorder,
            logger: Logger, onChange: @escaping @Sendable () -> Void
        ) throws(TwinspanError) {
            let clock = environment.clock
            self.clock = clock
            claims = acks.claims
            let connection = environment.hono.resolve(connection)
            self.connection = connection
            diversions = environment.diversions
            let engine = environment.engine
            self.engine = engine
            guard let adapter = environment.adapters[connection.type] else {
                (consumer, publisher, targets, durables, inbox) = (nil, nil, nil, [], nil)
                return
            }
            let trouble = TroubleLog(logger: logger, now: { clock.monotonic })
            let needsPublisher = !connection.targets.isEmpty || connection.sources.contains { $0.replyTarget != nil }
            let answerMappers = try ReplyMappers(connection, registry: environment.mappers)
            let publisher =
                needsPublisher
                ? SessionRunner(
                    session: adapter.publisher(for: connection, queue: queue, outcomes: outcomes), role: "publisher",
                    isFailoverEnabled: connection.isFailoverEnabled, clock: clock, counters: counters, logger: logger,
                    obstacle: { nil },
                    whenOpen: { [doorway] in doorway.announceOpened(connection.id, at: clock.now) },
                    onChange: onChange, onPlace: { recorder.tell($0, $1) }) : nil
            self.publisher = publisher
            if connection.targets.isEmpty, acks.claims.labels.isEmpty, answerMappers.isQuick {
                (targets, durables) = (nil, [])
            } else {
                let around = TargetPipeline.Surroundings(
                    engine: engine, clock: clock, queue: queue, counters: counters, outcomes: outcomes, acks: acks,
                    recorder: recorder, isConnected: { publisher?.snapshot.state == .open })
                let pipeline = try TargetPipeline(
                    connection: connection, around, mappers: environment.mappers)
                durables = try connection.durableTargets(
                    around, readers: environment.readers, trouble: trouble, mappers: environment.mappers)
                targets = TargetRunner(pipeline)
                doorway.open(to: pipeline)
            }
            if connection.sources.isEmpty {
                consumer = nil
                inbox = nil
            } else {
                let replies = ReplyPublisher(
                    connection: connection, queue: queue, engine: engine, clock: clock, counters: counters,
                    recorder: recorder, mappers: answerMappers, diversions: diversions,
                    later: { [targets] in targets?.perform(.work($0)) ?? false })
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
                    }, onChange: onChange, onPlace: { recorder.tell($0, $1) })
            }
        }

        func start(_ id: ConnectionID) {
            // A device may acknowledge as soon as the sources are open.
            claims.declareIfDue()
            targets?.start(name: "out \(id)")
            for durable in durables { durable.start(name: "dur \(id)") }
            if connection.isDiversionTarget { targets?.join(diversions, as: id) }
            publisher?.start(name: "pub \(id)")
            inbox?.start()
            if consumer != nil { engine.claimPositions(of: id) }
            consumer?.start(name: "sub \(id)")
        }

        /// Ends the way out: what is committed goes out within `grace`, and so does the announcement of the end.
        func stopPublisher(grace: Duration) {
            diversions.remove(connection.id)
            let announces =
                connection.targets.contains { $0.topics.contains { $0.kind == .connectionAnnouncements } }
                && publisher?.snapshot.state == .open
            if announces {
                _ = targets?.perform(.announcement(.ofConnection(.connectionClosed(connection.id, at: clock.now))))
            }
            targets?.stop()
            for durable in durables { durable.stop() }
            doorway.close()
            publisher?.stop(grace: announces ? max(grace, Self.announcementPatience) : grace)
        }

        /// Waits for the end of the way out; what was confirmed until then is not sent again.
        func joinPublisher() {
            engine.releasePositions(of: connection.id)
            publisher?.join()
            for durable in durables { durable.finish() }
        }

        /// How long the end waits for its announcement (spec/connectivity.md §8.8).
        private static let announcementPatience = Duration.seconds(3)
    }
}

extension Connection {
    /// Its targets that read the journal, not yet at work. Throws for a mapper that cannot be made.
    fileprivate func durableTargets(
        _ around: TargetPipeline.Surroundings, readers: DurableReaders, trouble: TroubleLog, mappers: MapperRegistry
    ) throws(TwinspanError) -> [DurableTarget] {
        var durables: [DurableTarget] = []
        for (index, target) in targets.enumerated() {
            let durable = try DurableTarget(
                target, index: index, of: self, around, readers: readers, trouble: trouble, mappers: mappers)
            if let durable { durables.append(durable) }
        }
        return durables
    }
}

/// Between the publisher's session, which knows when it is open, and the pipeline, which is made after it.
private final class Doorway: Sendable {
    private let pipeline = Mutex<TargetPipeline?>(nil)

    func open(to pipeline: TargetPipeline) {
        guard pipeline.deliveries.contains(where: \.compiled.takesAnnouncements) else { return }
        self.pipeline.withLock { $0 = pipeline }
    }

    /// The pipeline knows the session too; whoever ends one lets go of the other.
    func close() { pipeline.withLock { $0 = nil } }

    func announceOpened(_ id: ConnectionID, at now: Timestamp) {
        guard let pipeline = pipeline.withLock({ $0 }) else { return }
        // A pipeline that is so far behind drops announcements too; it counts what it drops.
        _ = pipeline.perform(.announcement(.ofConnection(.connectionOpened(id, at: now))))
    }
}

extension Announcement {
    /// An announcement of a connection with the headers it has (spec/connectivity.md §8.8).
    fileprivate static func ofConnection(_ kind: Kind) -> Announcement {
        var headers = DittoHeaders()
        headers[.contentType] = .string("application/json")
        return Announcement(kind: kind, headers: headers)
    }
}

extension ConnectionRecorder {
    /// A place of a session has failed, or works again.
    fileprivate func tell(_ place: SessionPlace, _ failure: BrokerFailure?) {
        let recorded: RecordedPlace
        var at: String?
        switch place {
        case .source(let index, let address): (recorded, at) = (.source(index), address)
        case .target(let index): recorded = .target(index)
        case .tunnel: recorded = .connection
        }
        if failure != nil { count(recorded, .other, isFailure: true) }
        note(
            StageNote(
                recorded, .other, isFailure: failure != nil, failure?.message ?? "It works again.", address: at,
                reason: failure?.reason))
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
    private let thread = Mutex<WorkerThread?>(nil)

    init(_ pipeline: TargetPipeline) {
        self.pipeline = pipeline
    }

    func start(name: String) {
        let worker = WorkerThread(name: name) { [pipeline] in pipeline.run() }
        thread.withLock { $0 = worker }
    }

    /// Lets the pipeline's thread do something; false when too much waits there already.
    func perform(_ errand: Errands.Errand) -> Bool { pipeline.perform(errand) }

    /// Takes answers of other connections from now on.
    func join(_ board: DiversionBoard, as id: ConnectionID) { board.add(pipeline, as: id) }

    /// Lets what is committed go through the pipeline, and ends it.
    func stop() {
        pipeline.stop()
        thread.withLock { $0 }?.join()
    }
}
