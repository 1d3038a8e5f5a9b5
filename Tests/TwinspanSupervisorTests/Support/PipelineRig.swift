import Glibc
import Logging
import Synchronization
import Testing
import TwinspanConnections
import TwinspanExpressions
import TwinspanMapping
import TwinspanProtocol
import TwinspanSQLite
import TwinspanTestSupport

@testable import TwinspanEngine
@testable import TwinspanSupervisor

/// One connection's pipelines around a real engine; the broker is the test.
final class PipelineRig: Sendable {
    let directory: TemporaryDirectory
    let rig: EngineRig
    let queue: OutboundQueue
    let counters = ConnectionCounters()
    let trouble: TroubleLog
    let recorder: ConnectionRecorder

    /// - Parameters:
    ///   - directory: of an earlier rig whose engine has ended, to go on with what it has stored.
    ///   - store: its store, where that still is there.
    init(
        queueCapacity: Int = 1_000, queueBytes: Int = 1 << 20, directory: TemporaryDirectory? = nil,
        reopening store: FaultyStore? = nil, clock: ManualClock = ManualClock(),
        settings: EngineSettings = EngineRig.settings()
    ) throws {
        self.directory = try directory ?? TemporaryDirectory(isInMemory: true)
        rig = try EngineRig(
            store: try store ?? FaultyStore(try SQLiteStore(directory: self.directory.path, durability: .os)),
            clock: clock, settings: settings)
        queue = OutboundQueue(capacity: queueCapacity, byteCapacity: queueBytes)
        trouble = TroubleLog(
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }), now: { clock.monotonic })
        recorder = ConnectionRecorder(
            // Places that are counted by themselves; a test has at most two sources.
            connection: try Self.connection(
                sources: [
                    Source(addresses: ["in/#"], authorizationContext: []),
                    Source(addresses: ["more/#"], authorizationContext: []),
                ]), now: { clock.now }, monotonic: { clock.monotonic })
    }

    deinit { rig.engine.stop() }

    func connection(sources: [Source] = [], targets: [Target] = []) throws -> Connection {
        try Self.connection(sources: sources, targets: targets)
    }

    private static func connection(sources: [Source] = [], targets: [Target] = []) throws -> Connection {
        Connection(
            id: try ConnectionID("c1"), type: .mqtt, isOpen: true,
            uri: ConnectionURI(scheme: "tcp", host: "localhost", port: 1883), sources: sources, targets: targets)
    }

    func inlet(_ source: Source, payloadBytesMax: Int = 1 << 20) throws -> SourcePipeline {
        try side([source], payloadBytesMax: payloadBytesMax).pipeline
    }

    /// Pipeline and inbox of a connection with these sources.
    func side(
        _ sources: [Source], payloadBytesMax: Int = 1 << 20, settings: InboxSettings = InboxSettings(),
        mappers: MapperRegistry = .builtIn, definitions: [String: MappingDefinition] = [:]
    ) throws -> InboundSide {
        var connection = try connection(sources: sources)
        connection.mappingDefinitions = definitions
        let clock = rig.clock
        let replies = ReplyPublisher(
            connection: connection, queue: queue, engine: rig.engine, clock: clock, counters: counters,
            recorder: recorder, mappers: try ReplyMappers(connection, registry: mappers))
        let accounts = InboundAccounts(counters: counters, recorder: recorder, trouble: trouble, replies: replies)
        return try InboundSide(
            connection, engine: rig.engine, clock: clock, accounts: accounts, payloadBytesMax: payloadBytesMax,
            mappers: mappers, settings: settings)
    }

    /// Runs a target pipeline while the body runs; it has done everything published until then when this returns.
    func withTargets(_ targets: [Target], isConnected: Bool = true, _ body: () throws -> Void) throws {
        try withWayOut(try connection(targets: targets), isConnected: isConnected) { _ in try body() }
    }

    /// The same for any connection, with its way out.
    func withWayOut(
        _ connection: Connection, isConnected: Bool = true, mappers: MapperRegistry = .builtIn,
        _ body: (WayOut) throws -> Void
    ) throws {
        // What was committed before is published before the pipeline subscribes.
        rig.engine.leadership.withLock { _ in }
        let wayOut = try WayOut(connection, self, isConnected: isConnected, mappers: mappers)
        let pipeline = wayOut.pipeline
        let worker = WorkerThread(name: "targets") { pipeline.run() }
        // The subscription sees what is committed after it was added.
        while !pipeline.isRunning { usleep(1_000) }
        defer {
            // Publishing follows the opening of the gate, in the same round.
            rig.engine.leadership.withLock { _ in }
            pipeline.stop()
            worker.join()
            wayOut.claims.release()
        }
        try body(wayOut)
    }

    /// What was counted: outcome, or outcome and reason, with its number; without those that are zero.
    var counts: [String: Int64] {
        var counts: [String: Int64] = [:]
        for counter in counters.snapshot where counter.value != 0 {
            counts[counter.reason.isEmpty ? counter.outcome : "\(counter.outcome)/\(counter.reason)"] = counter.value
        }
        return counts
    }

    /// Everything that waits for the broker.
    func sent() -> [OutboundMessage] {
        var messages: [OutboundMessage] = []
        queue.take(upTo: 1_000_000, into: &messages)
        return messages
    }
}

/// What stands behind the targets of one connection.
struct WayOut: Sendable {
    let pipeline: TargetPipeline
    let outcomes: CountedOutcomes
    let claims: AckClaims
    let recorder: ConnectionRecorder

    init(_ connection: Connection, _ rig: PipelineRig, isConnected: Bool, mappers: MapperRegistry) throws {
        let clock = rig.rig.clock
        let live = rig.rig.engine.live
        recorder = ConnectionRecorder(connection: connection, now: { clock.now })
        claims = AckClaims(connection, live: live, clock: clock, trouble: rig.trouble, recorder: recorder)
        let acks = IssuedAcks(live: live, connection: connection, claims: claims, recorder: recorder)
        outcomes = CountedOutcomes(
            counters: rig.counters, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
            clock: clock, recorder: recorder, acks: acks)
        pipeline = try TargetPipeline(
            connection: connection,
            TargetPipeline.Surroundings(
                engine: rig.rig.engine, clock: clock, queue: rig.queue, counters: rig.counters, outcomes: outcomes,
                acks: acks, recorder: recorder, isConnected: { isConnected }),
            mappers: mappers)
    }
}

/// What came in has gone out, per stage; the identities stand with `ConnectionCounters`.
func assertBalanced(_ rig: PipelineRig, sourceLocation: SourceLocation = #_sourceLocation) {
    assertBalanced(
        rig.counters.snapshot, inFlight: rig.counters.inFlight, waiting: rig.counters.waiting,
        sourceLocation: sourceLocation)
}

/// The same for the counters of any connection.
func assertBalanced(
    _ counters: [ConnectionSnapshot.Counter], inFlight: Int, waiting: Int,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    func sum(_ outcomes: String...) -> Int64 {
        counters.filter { $0.direction == .inbound && outcomes.contains($0.outcome) }.reduce(0) { $0 + $1.value }
    }
    #expect(
        sum("received") == sum("acknowledged", "retried") + Int64(inFlight), "messages: \(counters)",
        sourceLocation: sourceLocation)
    #expect(
        sum("acknowledged") == sum("effective", "empty", "dead"), "settled: \(counters)",
        sourceLocation: sourceLocation)
    #expect(
        sum("mapped", "unmapped")
            == sum("committed", "unchanged", "served", "denied", "dropped", "redelivered") + Int64(waiting),
        "signals: \(counters), waiting \(waiting)", sourceLocation: sourceLocation)
}

/// A batch with these messages for source 0.
func batch(_ messages: [(address: String, payload: String)], headers: [(name: String, value: String)] = [])
    -> MessageBatch
{
    let batch = MessageBatch()
    for message in messages {
        Array(message.address.utf8).withUnsafeBytes { address in
            Array(message.payload.utf8).withUnsafeBytes { payload in
                batch.append(address: address, payload: payload, source: 0, qos: 1, isRetained: false, headers: headers)
            }
        }
    }
    return batch
}

/// A Ditto Protocol command.
func command(
    _ action: String, _ thing: String, _ path: String, _ value: String? = nil,
    headers: String = #"{"correlation-id":"c"}"#
) -> String {
    let value = value.map { #","value":\#($0)"# } ?? ""
    return #"{"topic":"n/\#(thing)/things/twin/commands/\#(action)","headers":\#(headers),"path":"\#(path)"\#(value)}"#
}

func template(_ text: String, _ scope: PlaceholderScope) throws -> PlaceholderTemplate {
    try PlaceholderTemplate.parse(text, scope: scope)
}
