import Foundation
import Synchronization
import Testing
import TwinspanConnections
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol
import TwinspanSQLite
import TwinspanTestSupport

@testable import TwinspanEngine
@testable import TwinspanSupervisor

@Suite("Places in a broker's log")
struct LogPositionTests {
    /// A log with one message per offset, and whoever reads it as an adapter does: from the place that the store has,
    /// a batch at a time, and from there again after a batch that was not committed.
    private struct Reader {
        let side: InboundSide
        let log: [String]
        let random: Watched<SeededNumbers>

        /// Takes one batch; returns its settlement, nil when the place could not be read.
        func turn() -> Settlement? {
            guard let places = try? side.pipeline.positions(of: "g") else { return nil }
            let start = Int(places.first?.offset ?? 0)
            let end = min(start + 1 + random.update { Int($0.next() % 7) }, log.count)
            guard start < end else { return .committed }
            let batch = batch(log[start..<end].map { ("topic", $0) })
            batch.positions = [LogPosition(reader: "g", topic: "topic", partition: 0, offset: Int64(end))]
            let ticket = side.pipeline.accept(batch)
            let settlement = side.pipeline.settlement(of: ticket, patience: .seconds(20))
            side.pipeline.settled(batch, as: settlement)
            return settlement
        }

        var place: Int { (try? side.pipeline.positions(of: "g").first?.offset).map { Int($0) } ?? 0 }
    }

    struct SeededNumbers: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var value = state
            value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
            value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
            return value ^ (value >> 31)
        }
    }

    /// Messages that leave a trace of each kind: a revision, a dead letter.
    private static func log(_ count: Int) -> [String] {
        (0..<count).map { number in
            number % 5 == 4 ? "not json \(number)" : command("modify", "t", "/attributes/a", "\(number)")
        }
    }

    /// What must be there after the first `place` messages and nothing else: one event each, or one dead letter each.
    private static func expectEffects(
        _ store: any TwinStore, upTo place: Int, _ comment: Comment, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let values = try store.journal(after: 0, limit: 100_000).compactMap { record -> Int? in
            guard case .thing(let event) = record.content, event.path.segments.last == "a" else { return nil }
            return event.value?.value.int64.map { Int($0) }
        }
        let letters = try store.records.deadLetters(DeadLetterQuery(limit: 100_000)).reversed().map {
            String(decoding: $0.message.payload, as: UTF8.self)
        }
        #expect(
            values == (0..<place).filter { $0 % 5 != 4 }, comment, sourceLocation: sourceLocation)
        #expect(
            letters == (0..<place).filter { $0 % 5 == 4 }.map { "not json \($0)" }, comment,
            sourceLocation: sourceLocation)
    }

    private static func storedPlace(_ store: any TwinStore) throws -> Int {
        Int(try store.records.positions(of: try ConnectionID("c1"), reader: "g").first?.offset ?? 0)
    }

    @Test("the place is committed with the effects of its batch, whatever fails and whenever")
    func exactlyOnce() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("positions seed \(seed)")
        let random = Watched(SeededNumbers(state: seed))
        var directory = try TemporaryDirectory(isInMemory: true)
        let log = Self.log(120)
        var isFirst = true
        for round in 0..<6 {
            let comment: Comment = "seed \(seed), round \(round)"
            let rig = try PipelineRig(directory: directory)
            if isFirst { try rig.rig.run(.create, "n:t", "/", "{}") }
            isFirst = false
            let reader = Reader(side: try rig.side([try source(replyTo: nil)]), log: log, random: random)
            try Self.expectEffects(rig.rig.store.inner, upTo: reader.place, comment)
            // A quick neighbour, as the consumer of another connection: its commits fall between those of the batches.
            let mustEnd = Watched(false)
            let neighbour = WorkerThread(name: "neighbour") {
                while !mustEnd.current {
                    if let outcome = try? rig.rig.send(.modify, "n:t", "/attributes/b", "1") {
                        _ = rig.rig.engine.commit(outcome.ticket, patience: .seconds(1))
                    }
                }
            }
            for _ in 0..<12 {
                if random.update({ $0.next() % 3 }) == 0 {
                    let fault = FaultyStore.Fault.allCases[Int(random.update { $0.next() % 4 })]
                    rig.rig.store.state.update { $0.faults = [fault] }
                }
                let settlement = reader.turn()
                if settlement != .committed { try rig.rig.awaitCondition("open") { $0 == .open } }
            }
            // As a killed process would leave it, with whatever is under way.
            let copy = try TemporaryDirectory(isInMemory: true)
            try rig.rig.engine.leadership.withLock { _ in
                for name in try FileManager.default.contentsOfDirectory(atPath: directory.path)
                where name.contains(".db") && !name.hasSuffix("-shm") {
                    try FileManager.default.copyItem(
                        atPath: "\(directory.path)/\(name)", toPath: "\(copy.path)/\(name)")
                }
            }
            mustEnd.update { $0 = true }
            neighbour.join()
            try rig.rig.awaitCondition("open") { $0 == .open }
            try Self.expectEffects(rig.rig.store.inner, upTo: reader.place, comment)
            #expect(reader.place > 0, comment)
            let killed = try SQLiteStore(directory: copy.path, durability: .os)
            _ = try killed.open(discardingAfter: nil)
            try Self.expectEffects(killed, upTo: try Self.storedPlace(killed), comment)
            killed.close()
            rig.rig.engine.stop()
            if random.update({ $0.next() % 2 }) == 0 { directory = copy }
        }
    }

    @Test("a failure between any two messages of a batch leaves nothing of it")
    func failureInside() throws {
        for failing in 0..<4 {
            let rig = try PipelineRig()
            for name in ["a", "b", "c", "d"] { try rig.rig.run(.create, "n:\(name)", "/", "{}") }
            let side = try rig.side([try source(replyTo: nil)])
            let engine = rig.rig
            let things = ["e", "f", "g", "h"]
            engine.store.onRead { id in
                guard id.text == "n:\(things[failing])" else { return }
                engine.store.onRead(nil)
                // Another's commit fails, and the store is open again, before this message is judged.
                engine.store.state.update { $0.faults = [.beforeAnything] }
                WorkerThread(name: "other") {
                    _ = try? engine.send(.modify, "n:a", "/attributes/other", "1")
                }.join()
                try? engine.awaitCondition("failed once") { _ in engine.engine.metrics.snapshot.failedCommits > 0 }
                try? engine.awaitCondition("open") { $0 == .open }
            }
            let messages = batch(
                zip(["a", "b", "c", "d"], things).flatMap { known, fresh in
                    [
                        ("in", command("modify", known, "/attributes/v", "1")),
                        ("in", command("create", fresh, "/", "{}")),
                    ]
                })
            messages.positions = [LogPosition(reader: "g", topic: "t", partition: 0, offset: 8)]
            let before = engine.engine.gate.committed
            #expect(rig.settle(side, messages) == .rejected)
            try engine.awaitCondition("open") { $0 == .open }
            #expect(try side.pipeline.positions(of: "g").isEmpty)
            #expect(engine.engine.gate.committed <= before + 1)
            for name in things { #expect(throws: TwinspanError.self) { try engine.run(.retrieve, "n:\(name)") } }
            #expect(rig.settle(side, messages) == .committed)
            #expect(try side.pipeline.positions(of: "g") == messages.positions)
            #expect(rig.counts["retried/store"] == 8)
        }
    }

    @Test("a batch without messages keeps its place, and so does one whose messages all came to nothing")
    func emptyBatches() throws {
        let rig = try PipelineRig()
        let side = try rig.side([try source(replyTo: nil)])
        for (offset, messages) in [(Int64(3), []), (4, [("in", "not json")]), (9, [])] {
            let batch = batch(messages)
            batch.positions = [0, 1].map { LogPosition(reader: "g", topic: "t", partition: $0, offset: offset) }
            #expect(rig.settle(side, batch) == .committed)
            #expect(try side.pipeline.positions(of: "g") == batch.positions)
        }
        #expect(try side.pipeline.positions(of: "h").isEmpty)
    }

    @Test("mapping is done before anybody else has to wait")
    func slowMapping() throws {
        let rig = try PipelineRig()
        try rig.rig.run(.create, "n:t", "/", "{}")
        let engine = rig.rig
        let slow = MapperEngine(name: "Slow") { definition throws(TwinspanError) in
            .mapper(SlowMapper(name: definition.name) { _ = try? engine.run(.modify, "n:t", "/attributes/b", "1") })
        }
        var source = try source(replyTo: nil)
        source.payloadMapping = ["Slow"]
        let side = try rig.side([source], mappers: MapperRegistry(engines: [slow]))
        let messages = batch([1, 2].map { ("in", command("modify", "t", "/attributes/a", "\($0)")) })
        messages.positions = [LogPosition(reader: "g", topic: "t", partition: 0, offset: 2)]
        #expect(rig.settle(side, messages) == .committed)
        #expect(rig.counts["committed"] == 2)
    }

    @Test("while the store is closed no place is told, and the session waits for it")
    func closedStore() throws {
        let rig = try PipelineRig()
        let side = try rig.side([try source(replyTo: nil)])
        rig.rig.store.state.update { state in
            state.faults = [.afterCommit]
            state.failingOpens = 1_000_000
        }
        let messages = batch([("in", "not json")])
        messages.positions = [LogPosition(reader: "g", topic: "t", partition: 0, offset: 2)]
        #expect(rig.settle(side, messages) == .rejected)
        try rig.rig.awaitCondition("closed") { if case .closed = $0 { true } else { false } }
        let failure = #expect(throws: BrokerFailure.self) { try side.pipeline.positions(of: "g") }
        #expect((failure?.reaction, failure?.reason) == (.awaitIntake, "store-unreadable"))
        rig.rig.store.state.update { $0.failingOpens = 0 }
        try rig.rig.awaitCondition("open") { $0 == .open }
        #expect(try side.pipeline.positions(of: "g").isEmpty)
        #expect(try rig.deadLetters().isEmpty)
    }
}

/// Does something before it makes a command of a message.
private struct SlowMapper: PayloadMapper {
    let name: String
    let work: @Sendable () -> Void

    func inbound(
        _ message: InboundMessage, _ scene: MappingScene, scratch: inout [UInt8]
    ) throws(MappingFailure) -> MappedSignals {
        work()
        return try DittoMapper(name: name).inbound(message, scene, scratch: &scratch)
    }

    func outbound(_ signal: OutboundSignal, _ scene: MappingScene) throws(TwinspanError) -> [MappedMessage] { [] }
}
