import Glibc
import Synchronization
import Testing
import TwinspanJSON
import TwinspanProtocol
import TwinspanSQLite
import TwinspanTestSupport

@testable import TwinspanEngine

/// Random commands through a real engine, a stop at a random point, and the same states afterwards: as the next start
/// finds them, and as the journal alone rebuilds them.
@Suite("Replay")
struct ReplayTests {
    /// Directories and journals in each; the journals of a directory follow one another in one file.
    static let directories = 20
    static let journals = 50

    @Test("1,000 random journals rebuilt equal the live state", arguments: 0..<directories)
    func random(number: Int) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("replay \(number): seed \(seed)")
        var random = SeededRandom(seed)
        let directory = try TemporaryDirectory(isInMemory: true)
        let inner = try SQLiteStore(directory: directory.path, durability: .os)
        var expected = States()
        for journal in 0..<Self.journals {
            let rig = try EngineRig(
                store: FaultyStore(inner), settings: EngineRig.settings(cacheBytes: 256 << 10, shards: 1))
            try expected.expectSame(in: rig, "\(number)/\(journal) seed \(seed)")
            var commands = RandomCommands(seed: random.next())
            for _ in 0..<Int.random(in: 1...30, using: &random) {
                if Int.random(in: 0..<4, using: &random) == 0 {
                    rig.clock.advance(by: .milliseconds(Int.random(in: 1...5000, using: &random)))
                }
                commands.send(to: rig)
                // Rows that lag at different points: all written so far, or some of them that are ahead of the cursor.
                switch Int.random(in: 0..<12, using: &random) {
                case 0: try writeRows(rig, ahead: false)
                case 1: try writeRows(rig, ahead: true)
                default: break
                }
            }
            // A last change whose commit is waited for has everything before it committed.
            try rig.policy(.modify, "r:last", Sample.policy())
            expected = try States(of: rig)
            // A clean stop writes all rows, a dead store none.
            if Bool.random(using: &random) { rig.store.state.update { $0.isDead = true } }
            rig.engine.stop()
        }
        let rig = try EngineRig(store: FaultyStore(inner))
        try expected.expectSame(in: rig, "last start, seed \(seed)")
        try expectGapless(inner)
        let rebuilt = try States(replaying: inner)
        #expect(rebuilt == expected, "seed \(seed)")
        // The commands must not all have been refused.
        #expect(rebuilt.things.values.reduce(0) { $0 + $1.revision } > 100, "seed \(seed)")
        rig.engine.stop()
    }

    /// Writes what waits as rows. `ahead` leaves the cursor where it was, as a crash between two chunks does.
    private func writeRows(_ rig: EngineRig, ahead: Bool) throws {
        let engine = rig.engine
        try engine.rowWriter.withoutWriting { () throws(StoreFailure) in
            guard var rows = engine.backlog.nextRows() else { return }
            if ahead {
                rows.things = Array(rows.things.prefix(rows.things.count / 2))
                rows.cursor = 0
                try rig.store.inner.write(rows)
            } else {
                try rig.store.inner.write(rows)
                engine.backlog.written()
            }
        }
    }

    @Test("a record that cannot follow what is there is called corrupt, with its sequence")
    func inconsistent() throws {
        let id = try ThingID("n:t")
        var replay = Replay(store: EmptyStore())
        let event = ThingEvent(
            thingID: id, action: .created, path: .root,
            value: JSONText(try json(#"{"thingId":"n:t","policyId":"n:t"}"#)),
            revision: 1, timestamp: Timestamp(milliseconds: 0))
        try replay.apply(JournalRecord(sequence: 7, content: .thing(event)))
        var skipped = event
        skipped.revision = 3
        do throws(StoreFailure) {
            try replay.apply(JournalRecord(sequence: 8, content: .thing(skipped)))
            Issue.record("a gap was taken")
        } catch {
            #expect(error.kind == .corrupt)
            #expect(error.description.contains("8"))
            #expect(error.hint != nil)
        }
    }

    @Test("a record that a row has already changes nothing")
    func known() throws {
        let id = try ThingID("n:t")
        var replay = Replay(store: EmptyStore())
        for _ in 0..<2 {
            let event = ThingEvent(
                thingID: id, action: .created, path: .root, value: JSONText(try json(#"{"policyId":"n:t"}"#)),
                revision: 1, timestamp: Timestamp(milliseconds: 0))
            try replay.apply(JournalRecord(sequence: 1, content: .thing(event)))
        }
        #expect(replay.rows(cursor: 1).things.map(\.state.revision) == [1])
    }
}

/// What is stored of every entity of the random commands.
struct States: Equatable {
    struct PolicyFacts: Equatable {
        let revision: Int64
        let created: Timestamp
        let modified: Timestamp
        let text: JSONText?

        init(_ state: PolicyState) {
            (revision, created, modified, text) = (state.revision, state.created, state.modified, state.text)
        }
    }

    var things: [ThingID: ThingState] = [:]
    var policies: [PolicyID: PolicyFacts] = [:]

    init() {}

    /// The live states: from the cache, or from where the cache would load them.
    init(of rig: EngineRig) throws {
        let engine = rig.engine
        for id in RandomCommands.thingIDs {
            let id = try ThingID(id)
            let cached = engine.shards[engine.shardIndex(of: id)].content.withLock { content in
                content.cache.slot(of: id).map { content.cache[$0].state }
            }
            let state = try cached ?? engine.backlog.thing(id) ?? rig.store.inner.thing(id) ?? .never
            if state.revision > 0 { things[id] = state }
        }
        for id in RandomCommands.policyIDs {
            let id = try PolicyID(id)
            let cached = engine.policies.content.withLock { content in
                content.cache.slot(of: id).map { content.cache[$0].state }
            }
            let state = try cached ?? engine.backlog.policy(id) ?? rig.store.inner.policy(id) ?? .never
            if state.revision > 0 { policies[id] = PolicyFacts(state) }
        }
    }

    /// The states that the journal alone makes.
    init(replaying store: any TwinStore) throws {
        var replay = Replay(store: EmptyStore())
        for record in try store.journal(after: 0, limit: .max) { try replay.apply(record) }
        let rows = replay.rows(cursor: 0)
        for (id, state) in rows.things { things[id] = state }
        for (id, state) in rows.policies { policies[id] = PolicyFacts(state) }
    }

    /// Expects the rows a freshly started engine serves from to be these states.
    func expectSame(in rig: EngineRig, _ place: String) throws {
        let found = try States(of: rig)
        #expect(found.things == things, "\(place)")
        #expect(found.policies == policies, "\(place)")
    }
}

/// A store without anything in it, for replays from nothing.
final class EmptyStore: TwinStore {
    func open(discardingAfter committed: Int64?) throws(StoreFailure) -> StorePosition {
        StorePosition(lastSequence: 0, rowsCursor: 0)
    }
    func close() {}
    func commit(_ batch: CommitBatch) throws(StoreFailure) {}
    func write(_ rows: RowBatch) throws(StoreFailure) {}
    func probe() throws(StoreFailure) {}
    func trimJournal(_ retention: JournalRetention, now: Timestamp, limit: Int) throws(StoreFailure) -> Int { 0 }
    func maintain() throws(StoreFailure) {}
    func thing(_ id: ThingID) throws(StoreFailure) -> ThingState? { nil }
    func policy(_ id: PolicyID) throws(StoreFailure) -> PolicyState? { nil }
    func policiesDue(
        before instant: Timestamp, after last: DuePolicy?, limit: Int
    ) throws(StoreFailure) -> [DuePolicy] { [] }
    func journal(after sequence: Int64, limit: Int) throws(StoreFailure) -> [JournalRecord] { [] }
    func measure() -> StoreMeasures { StoreMeasures() }
    let records: any RecordStore = NoRecords()
}
