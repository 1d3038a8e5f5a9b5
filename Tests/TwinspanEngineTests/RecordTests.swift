import Foundation
import Synchronization
import Testing
import TwinspanJSON
import TwinspanProtocol
import TwinspanSQLite
import TwinspanTestSupport

@testable import TwinspanEngine

@Suite("Records beside events")
struct RecordTests {
    private static func keep(_ rig: EngineRig, _ records: [StoreRecord]) throws {
        try rig.awaitCommit(rig.engine.keep(records, commitsSoon: true))
    }

    @Test("records and changes that are queued together are committed together, also for a process that is killed")
    func together() throws {
        let fixture = try EngineFixture()
        let rig = fixture.rig
        try fixture.make("n:t")
        let commits = rig.engine.metrics.snapshot.commits
        rig.store.state.update { $0.isBlocked = true }
        let outcome = rig.engine.execute(
            try EngineRig.command(.modify, "n:t", "/attributes/a", "2"), as: EngineRig.owner, origin: nil)
        let ticket = rig.engine.keep([.inboxPut(try RecordSample.inbox(1)), .inboxPut(try RecordSample.inbox(2))])
        #expect(ticket.sequence == outcome.ticket.sequence + 1)
        #expect(rig.engine.gate.outcome(of: ticket) == .pending)
        rig.store.state.update { $0.isBlocked = false }
        #expect(rig.engine.commit(ticket, patience: .seconds(10)) == .committed)
        let metrics = rig.engine.metrics.snapshot
        #expect((metrics.commits, metrics.changes) == (commits + 1, 3))
        // Nobody is told of records.
        #expect(fixture.published(2, within: 50).count == 1)
        let next = rig.engine.keep([.inboxRemove(id: 1)], commitsSoon: true)
        try rig.awaitCommit(next)

        let copy = try copyAfterKill(of: fixture.directory)
        let store = try SQLiteStore(directory: copy.path, durability: .os)
        let position = try store.open(discardingAfter: nil)
        #expect(position.lastSequence == next.sequence)
        #expect(position.newestRecordID == 2)
        #expect(try store.inbox(of: try ConnectionID("plant")).map(\.id) == [2])
        #expect(try store.journal(after: 0, limit: 10).count == 3)
        #expect(store.loads == (try StoredRecords.loads(store)))
        store.close()
    }

    @Test("sequences go on after a restart, also when only records have used them")
    func sequences() throws {
        let directory = try TemporaryDirectory(isInMemory: true)
        var newest: Int64 = 0
        for round in 1...4 {
            let rig = try EngineRig(store: try SQLiteStore(directory: directory.path, durability: .os))
            #expect(rig.engine.gate.committed == newest)
            for number in 0..<5 {
                let ticket = rig.engine.keep([.cursorPut(name: "r", sequence: Int64(number))], commitsSoon: true)
                try rig.awaitCommit(ticket)
                #expect(ticket.sequence == newest + 1)
                newest = ticket.sequence
            }
            if round == 3 {
                let outcome = try rig.send(.create, "n:t", "/", "{}")
                try rig.awaitCommit(outcome.ticket)
                #expect(outcome.ticket.sequence > newest)
                newest = outcome.ticket.sequence
                #expect(try rig.engine.journal(after: 0, limit: 10).map(\.sequence) == [newest - 1, newest])
            }
            rig.engine.stop()
        }
    }

    @Test(
        "a rejected commit leaves nothing of its records and takes nothing away", arguments: FaultyStore.Fault.allCases)
    func rejected(fault: FaultyStore.Fault) throws {
        let fixture = try EngineFixture()
        let rig = fixture.rig
        let inner = rig.store.inner.records
        try Self.keep(
            rig,
            [
                .inboxPut(try RecordSample.inbox(1)), .inboxPut(try RecordSample.inbox(2, "yard")),
                .deadLetterPut(try RecordSample.letter(3)), .cursorPut(name: "r", sequence: 7),
                .connectionPut(try RecordSample.connection("c")),
            ])
        let before = try StoredRecords(inner)
        let loads = inner.loads
        #expect(loads == (try StoredRecords.loads(inner)))

        rig.store.state.update { state in
            state.isBlocked = true
            state.faults = [fault]
            state.failingProbes = 1
        }
        let change = try rig.send(.create, "n:t", "/", "{}")
        let tickets = [
            rig.engine.keep([.inboxPut(try RecordSample.inbox(1, attempts: 3)), .inboxRemove(id: 2)]),
            rig.engine.keep([.inboxPut(try RecordSample.inbox(4, "yard")), .deadLetterRemove(id: 3)]),
            rig.engine.keep([.deadLetterPut(try RecordSample.letter(5, "yard")), .cursorRemove(name: "r")]),
            rig.engine.keep([.cursorPut(name: "r", sequence: 9), .cursorPut(name: "s", sequence: 9)]),
            rig.engine.keep([
                .connectionRemove(try ConnectionID("c")), .connectionPut(try RecordSample.connection("d")),
                .connectionPut(try RecordSample.connection("c", revision: 8)), .inboxRemove(id: 4),
            ]),
        ]
        rig.engine.commitSoon()
        rig.store.state.update { $0.isBlocked = false }
        for ticket in tickets + [change.ticket] {
            #expect(rig.engine.gate.wait(for: ticket, patience: .seconds(20)) == .rejected)
        }
        try rig.awaitCondition("open") { $0 == .open }
        #expect(try StoredRecords(inner) == before)
        #expect(inner.loads == loads)

        // Kept again, it is there, and the sequences that were refused are given out again.
        let ticket = rig.engine.keep([.inboxRemove(id: 2)], commitsSoon: true)
        #expect(ticket.sequence <= tickets[4].sequence)
        try rig.awaitCommit(ticket)
        #expect(try inner.inbox(of: try ConnectionID("yard")).isEmpty)
        #expect(inner.loads == (try StoredRecords.loads(inner)))
        try rig.run(.create, "n:t", "/", "{}")
        try expectGapless(rig.store.inner, withRecords: true)
    }

    @Test("while the store is closed, after the end, and when the queue is full, records are refused at once")
    func refused() throws {
        let fixture = try EngineFixture()
        let rig = fixture.rig
        let record = StoreRecord.inboxPut(try RecordSample.inbox(1, bytes: 1 << 20))
        rig.store.state.update { $0.isBlocked = true }
        var last = rig.engine.keep([.cursorPut(name: "r", sequence: 1)], commitsSoon: true)
        for _ in 0..<1_000 where rig.store.state.current.blockedCommits == 0 { usleep(1_000) }
        var taken = 0
        while case let ticket = rig.engine.keep([record]), ticket != .refused, taken < 1_000 {
            taken += 1
            last = ticket
        }
        #expect((60...70).contains(taken), "\(taken)")
        #expect(rig.engine.gate.outcome(of: .refused) == .rejected)
        rig.store.state.update { $0.isBlocked = false }
        #expect(rig.engine.commit(last, patience: .seconds(20)) == .committed)
        #expect(rig.engine.keep([]) == CommitTicket(sequence: 0, epoch: 0))

        rig.store.state.update { state in
            state.faults = [.beforeAnything]
            state.failingOpens = 1_000_000
        }
        let lost = rig.engine.keep([.inboxRemove(id: 1)], commitsSoon: true)
        #expect(rig.engine.gate.wait(for: lost, patience: .seconds(10)) == .rejected)
        #expect(rig.engine.keep([.inboxRemove(id: 1)], commitsSoon: true) == .refused)
        #expect(rig.engine.keep([]) == .refused)
        rig.store.state.update { $0.failingOpens = 0 }
        try rig.awaitCondition("open") { $0 == .open }
        try Self.keep(rig, [.inboxRemove(id: 1)])
        #expect(rig.engine.inboxLoad.isEmpty)
        rig.engine.stop()
        #expect(rig.engine.keep([.inboxRemove(id: 1)], commitsSoon: true) == .refused)
    }

    @Test("ids rise, also across restarts and when the clock goes back or is nonsense")
    func ids() throws {
        let directory = try TemporaryDirectory(isInMemory: true)
        var newest: Int64 = 0
        for now in [1_700_000_000_000, 1_600_000_000_000, -5, 1_800_000_000_000, 0, Int64.max, 1_700_000_000_000] {
            let clock = ManualClock(now: now)
            let rig = try EngineRig(store: try SQLiteStore(directory: directory.path, durability: .os), clock: clock)
            for _ in 0..<3 {
                let id = rig.engine.makeRecordID()
                #expect(id > newest)
                #expect(id < 1 << 53)
                newest = id
                clock.setNow(now &- 1_000)
            }
            // Also when the last of them is removed again.
            try Self.keep(rig, [.inboxPut(try RecordSample.inbox(newest)), .inboxRemove(id: newest)])
            rig.engine.stop()
        }
    }

    @Test("of too many dead letters the oldest go, with the letter that is too much")
    func retentionByBytes() throws {
        var settings = EngineRig.settings()
        let size = Int64(try RecordSample.letter(1, bytes: 1_000).byteCount)
        settings.deadLetters = DeadLetterRetention(bytes: size * 5, age: .seconds(1_000_000_000))
        let fixture = try EngineFixture(settings: settings)
        let rig = fixture.rig
        for id in Int64(1)...8 { try Self.keep(rig, [.deadLetterPut(try RecordSample.letter(id, bytes: 1_000))]) }
        #expect(try rig.engine.deadLetters(DeadLetterQuery()).map(\.id) == [8, 7, 6, 5, 4])
        #expect(rig.engine.deadLetterLoad[try ConnectionID("plant")]?.bytes == size * 5)
        // One that is larger than a quarter of the bound is not kept, and what came with it is.
        try Self.keep(
            rig, [.deadLetterPut(try RecordSample.letter(9, bytes: 2_000)), .cursorPut(name: "r", sequence: 1)])
        try Self.keep(rig, [.deadLetterPut(try RecordSample.letter(10, bytes: 2_000))])
        #expect(try rig.engine.deadLetters(DeadLetterQuery()).map(\.id) == [8, 7, 6, 5, 4])
        #expect(try rig.engine.cursors() == ["r": 1])
        #expect(rig.engine.metrics.snapshot.deadLettersExpired == 5)
        let inner = rig.store.inner.records
        #expect(inner.loads == (try StoredRecords.loads(inner)))
    }

    @Test("dead letters that are too old go by themselves, the others stay")
    func retentionByAge() throws {
        let clock = ManualClock()
        var settings = EngineRig.settings()
        settings.deadLetters = DeadLetterRetention(bytes: 64 << 20, age: .seconds(100))
        let directory = try TemporaryDirectory(isInMemory: true)
        let rig = try EngineRig(
            store: try SQLiteStore(directory: directory.path, durability: .os), clock: clock, settings: settings)
        defer { rig.engine.stop() }
        let start = clock.now.milliseconds
        // More than one transaction removes.
        try Self.keep(rig, try (1...600).map { .deadLetterPut(try RecordSample.letter($0, diedAt: start)) })
        try Self.keep(rig, [.deadLetterPut(try RecordSample.letter(601, "yard", diedAt: start + 60_000))])
        clock.advance(by: .seconds(90))
        rig.engine.commitSoon()
        usleep(50_000)
        #expect(rig.engine.deadLetterLoad.count == 2)
        clock.advance(by: .seconds(20))
        for _ in 0..<1_000 where rig.engine.metrics.snapshot.deadLettersExpired < 600 {
            rig.engine.commitSoon()
            usleep(5_000)
        }
        #expect(try rig.engine.deadLetters(DeadLetterQuery()).map(\.id) == [601])
        #expect(rig.engine.metrics.snapshot.deadLettersExpired == 600)
        #expect(rig.engine.deadLetterLoad.keys.map(\.text) == ["yard"])
    }

    @Test("headers of events are kept from the moment they are asked for")
    func headers() throws {
        let fixture = try EngineFixture()
        let rig = fixture.rig
        try fixture.make("n:t")
        rig.engine.keepsEventHeaders = true
        for (value, origin) in [("2", "plant"), ("3", nil)] {
            let outcome = try rig.send(
                .modify, "n:t", "/attributes/a", value,
                headers: ["correlation-id": "c\(value)", "x": "ü\"", "timeout": "3"],
                origin: try origin.map { try ConnectionID($0) })
            try rig.awaitCommit(outcome.ticket)
        }
        try Self.keep(rig, [.cursorPut(name: "r", sequence: 1)])
        rig.engine.keepsEventHeaders = false
        try rig.run(.modify, "n:t", "/attributes/a", "4", headers: ["correlation-id": "c4"])
        let events = fixture.published(3)
        #expect(events.count == 3)
        let records = try rig.engine.journal(after: 0, limit: 10).filter {
            if case .thing = $0.content { true } else { false }
        }
        #expect(records.map { $0.headers?.correlationID } == [nil, "c2", "c3", nil])
        #expect(records.map { $0.origin?.text } == [nil, "plant", nil, nil])
        #expect(records[1].headers?["x"] == .string("ü\""))
        #expect(records[1].headers?[.originator] == .string("test:owner"))
        #expect(records[1].headers?[.contentType] == .string("application/json"))
    }
}
