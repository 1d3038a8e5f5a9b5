import Glibc
import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanSQLite
import TwinspanTestSupport

/// A commit that fails, at every point where it can (spec: nobody sees or builds upon what was not committed).
@Suite("Faults of a commit")
struct CommitFaultTests {
    @Test("a rejected batch is seen by nobody, and everything goes on by itself", arguments: FaultyStore.Fault.allCases)
    func rejected(fault: FaultyStore.Fault) throws {
        let fixture = try EngineFixture()
        let rig = fixture.rig
        for number in 0..<10 { try rig.run(.create, "n:t\(number)", "/", #"{"attributes":{"v":0}}"#) }
        #expect(fixture.published(10).count == 10)

        // While commits wait, a batch gathers that then fails as a whole.
        rig.store.state.update { state in
            state.isBlocked = true
            state.faults = [fault]
            state.failingProbes = 2
        }
        var outcomes: [Outcome<ThingResponse>] = []
        for number in 0..<10 { outcomes.append(try rig.send(.modify, "n:t\(number)", "/attributes/v", "1")) }
        outcomes.append(try rig.send(.create, "n:new", "/", "{}"))
        outcomes.append(try rig.send(.delete, "n:t9"))
        // A read of what is not committed is as uncommitted as that.
        let read = try rig.send(.retrieve, "n:t0", "/attributes/v")
        #expect(try read.result.get().value?.value == 1)
        let callbacks = Watched<[CommitOutcome]>([])
        rig.engine.gate.whenKnown(outcomes[5].ticket) { outcome in callbacks.update { $0.append(outcome) } }
        for outcome in outcomes + [read] { #expect(rig.engine.gate.outcome(of: outcome.ticket) == .pending) }
        rig.store.state.update { $0.isBlocked = false }

        for outcome in outcomes + [read] {
            #expect(rig.engine.gate.wait(for: outcome.ticket, patience: .seconds(20)) == .rejected)
        }
        #expect(callbacks.wait(5) { !$0.isEmpty } && callbacks.current == [.rejected])
        // Closed, with the reason, and then open again by itself.
        var reasons: [StoreFailure] = []
        try rig.awaitCondition("open") { condition in
            if case .closed(let failure) = condition { reasons.append(failure) }
            return condition == .open
        }
        #expect(reasons.contains(FaultyStore.failure))
        #expect(rig.engine.metrics.snapshot.failedCommits >= 1)

        for number in 0..<10 {
            let thing = try rig.run(.retrieve, "n:t\(number)", "/attributes/v")
            #expect((thing.value?.value, thing.revision) == (0, 1))
        }
        expectError("things:thing.notfound", 404) { try rig.run(.retrieve, "n:new") }
        #expect(throws: TwinspanError.self) { try rig.policy(.retrieve, "n:new") }
        #expect(fixture.published(1, within: 50).isEmpty)

        // Commands work again, without a gap.
        for number in 0..<10 { #expect(try rig.run(.modify, "n:t\(number)", "/attributes/v", "2").revision == 2) }
        #expect(try rig.run(.create, "n:new", "/", "{}").revision == 1)
        #expect(fixture.published(11).map(\.revision) == Array(repeating: 2, count: 10) + [1])
        try expectGapless(rig.store.inner)
    }

    @Test("commands that come while the store is closed are refused with 503, and reads too")
    func closed() throws {
        let fixture = try EngineFixture()
        let rig = fixture.rig
        try fixture.make("n:t")
        rig.store.state.update { state in
            state.faults = [.beforeAnything]
            state.failingOpens = 1_000_000
        }
        let lost = try rig.send(.modify, "n:t", "/attributes/a", "2")
        #expect(rig.engine.gate.wait(for: lost.ticket, patience: .seconds(10)) == .rejected)
        try rig.awaitCondition("closed") { if case .closed = $0 { true } else { false } }
        for action in [ThingCommand.Action.retrieve, .modify] {
            let outcome = try rig.send(action, "n:t", "/attributes/a", "3")
            #expect(throws: ThingErrorTable.unavailable.error()) { try outcome.result.get() }
        }
        #expect(throws: TwinspanError.self) { try rig.policy(.retrieve, "n:t") }
        rig.store.state.update { $0.failingOpens = 0 }
        try rig.awaitCondition("open") { $0 == .open }
        #expect(try rig.run(.modify, "n:t", "/attributes/a", "4").revision == 2)
        // What was refused was discarded from behind what was committed.
        #expect(rig.store.state.current.opens.contains(2))
    }

    @Test(
        "a batch that reached the disk although it was rejected is discarded when the store is opened again",
        arguments: [
            FaultyStore.Fault.afterCommit, .halfway,
        ])
    func discarded(fault: FaultyStore.Fault) throws {
        let fixture = try EngineFixture()
        let rig = fixture.rig
        try fixture.make("n:t")
        let before = try rig.store.inner.journal(after: 0, limit: 100).map(\.sequence)
        rig.store.state.update { state in
            state.faults = [fault]
            state.failingOpens = 1
        }
        let lost = try rig.send(.modify, "n:t", "/attributes/a", "2")
        #expect(rig.engine.gate.wait(for: lost.ticket, patience: .seconds(10)) == .rejected)
        try rig.awaitCondition("open") { $0 == .open }
        #expect(try rig.store.inner.journal(after: 0, limit: 100).map(\.sequence) == before)
        #expect(try rig.run(.retrieve, "n:t", "/attributes/a").value?.value == 1)
    }

    @Test("rows that cannot be written close the store too, and lose nothing")
    func rows() throws {
        let fixture = try EngineFixture()
        let rig = fixture.rig
        rig.store.state.update { $0.failingWrites = 1 }
        try fixture.make("n:t")
        // The row writer waits two seconds for more; after its failure the committer closes the store and opens it
        // again.
        var hasFailed = false
        for _ in 0..<1_000 where !hasFailed {
            rig.engine.commitSoon()
            usleep(10_000)
            hasFailed = rig.engine.metrics.snapshot.failedCommits > 0
        }
        #expect(hasFailed)
        try rig.awaitCondition("open") { $0 == .open }
        #expect(try rig.run(.modify, "n:t", "/attributes/a", "2").revision == 2)
        rig.engine.stop()
        _ = try rig.store.inner.open(discardingAfter: nil)
        #expect(try rig.store.inner.thing(try ThingID("n:t"))?.revision == 2)
        rig.store.inner.close()
    }

    @Test("eight threads and random faults: acknowledged changes stay, rejected ones never show, revisions have no gap")
    func storm() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("storm seed \(seed)")
        var random = SeededRandom(seed)
        let fixture = try EngineFixture()
        let rig = fixture.rig
        let plan = (0..<12).map { _ in FaultyStore.Fault.allCases.randomElement(using: &random) ?? .halfway }
        try rig.policy(.create, "n:policy", Sample.policy())
        let acknowledged = Watched<[String: Int64]>([:])
        let isOver = Watched(false)
        let threads = (0..<8).map { thread in
            WorkerThread(name: "storm \(thread)") {
                let id = "n:s\(thread)"
                var round: Int64 = 0
                while !isOver.current {
                    round += 1
                    let value = #"{"policyId":"n:policy","attributes":{"v":\#(round)}}"#
                    // The command is legal in form; `try?` only spares the promise of the rig.
                    guard let outcome = try? rig.send(.modify, id, "/", value) else { continue }
                    let known = rig.engine.gate.wait(for: outcome.ticket, patience: .seconds(30))
                    if known == .committed, case .success = outcome.result {
                        acknowledged.update { $0[id] = round }
                    } else {
                        // Whoever is refused waits a moment, as a broker's client does.
                        usleep(1_000)
                    }
                }
            }
        }
        for fault in plan {
            rig.store.state.update { $0.faults.append(fault) }
            #expect(rig.store.state.wait(20) { $0.faults.isEmpty })
            try rig.awaitCondition("open") { $0 == .open }
            usleep(10_000)
        }
        isOver.update { $0 = true }
        for thread in threads { thread.join() }
        try rig.awaitCondition("open") { $0 == .open }
        for (id, value) in acknowledged.current {
            let seen = try #require(try rig.run(.retrieve, id, "/attributes/v").value?.value.int64)
            #expect(seen == value, "\(id)")
        }
        #expect(acknowledged.current.count == 8)
        #expect(rig.engine.metrics.snapshot.failedCommits >= plan.count)
        try expectGapless(rig.store.inner)
        // Each event is of a committed record: the events are the journal.
        let records = try rig.store.inner.journal(after: 0, limit: 100_000).compactMap { record -> ThingEvent? in
            if case .thing(let event) = record.content { event } else { nil }
        }
        #expect(fixture.published(records.count) == records)
    }
}

/// Expects the sequences of a journal, and the revisions of each entity in it, to rise by one from one. Where records
/// were kept the sequences only rise.
func expectGapless(
    _ store: any TwinStore, withRecords: Bool = false, sourceLocation: SourceLocation = #_sourceLocation
) throws {
    var revisions: [String: Int64] = [:]
    var sequence: Int64 = 0
    while true {
        let records = try store.journal(after: sequence, limit: 10_000)
        guard !records.isEmpty else { return }
        for record in records {
            if withRecords {
                #expect(record.sequence > sequence, sourceLocation: sourceLocation)
            } else {
                #expect(record.sequence == sequence + 1, sourceLocation: sourceLocation)
            }
            sequence = record.sequence
            let (key, revision) =
                switch record.content {
                case .thing(let event): ("t \(event.thingID)", event.revision)
                case .policy(let event): ("p \(event.policyID)", event.revision)
                }
            #expect(revision == revisions[key, default: 0] + 1, "\(key)", sourceLocation: sourceLocation)
            revisions[key] = revision
        }
    }
}
