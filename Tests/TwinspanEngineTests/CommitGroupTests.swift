import Glibc
import Synchronization
import Testing
import TwinspanJSON
import TwinspanProtocol
import TwinspanSQLite
import TwinspanTestSupport

@testable import TwinspanEngine

@Suite("Changes that are committed together")
struct CommitGroupTests {
    private static func place(_ offset: Int64) throws -> StoredPosition {
        StoredPosition(
            connection: try ConnectionID("plant"), reader: "g0\u{0}'", topic: "t", partition: 0, offset: offset)
    }

    private static func stored(_ rig: EngineRig) throws -> [Int64] {
        try rig.store.inner.records.positions(of: try ConnectionID("plant"), reader: "g0\u{0}'").map(\.offset)
    }

    /// Sends a change from another thread, as everybody else's.
    private static func elsewhere(_ rig: EngineRig, _ thing: String, _ value: Int) -> CommitTicket? {
        let ticket = Watched<CommitTicket?>(nil)
        let thread = WorkerThread(name: "elsewhere") {
            let outcome = try? rig.send(.modify, thing, "/attributes/a", "\(value)")
            ticket.update { $0 = outcome?.ticket }
        }
        thread.join()
        return ticket.current
    }

    @Test("nothing of a group is committed before its end, what came before it is, and what came behind it follows")
    func held() throws {
        let fixture = try EngineFixture()
        let (rig, engine) = (fixture.rig, fixture.rig.engine)
        try fixture.make("n:t")
        try fixture.make("n:u")
        let group = try #require(engine.openGroup())
        // A group without changes holds up nobody.
        let before = try #require(Self.elsewhere(rig, "n:u", 1))
        try rig.awaitCommit(before)
        let change = try rig.send(.modify, "n:t", "/attributes/a", "2")
        let behind = try #require(Self.elsewhere(rig, "n:u", 3))
        // Whoever leads a round, as a session does, takes nothing of it.
        #expect(engine.commit(change.ticket, patience: .milliseconds(30)) == .pending)
        #expect(engine.commit(behind, patience: .milliseconds(30)) == .pending)
        #expect(engine.gate.committed == before.sequence)
        #expect(try Self.stored(rig).isEmpty)
        let end = engine.close(group, keeping: [.positionPut(try Self.place(5))])
        #expect(end.sequence == behind.sequence + 1)
        // Nobody leads it here: the committer was told.
        #expect(engine.gate.wait(for: end, patience: .seconds(20)) == .committed)
        #expect(try Self.stored(rig) == [5])
        #expect(fixture.published(3).map(\.thingID.text) == ["n:u", "n:t", "n:u"])
    }

    @Test("groups that overlap are committed together, whichever ends first")
    func overlapping() throws {
        let fixture = try EngineFixture()
        let (rig, engine) = (fixture.rig, fixture.rig.engine)
        try fixture.make("n:t")
        try fixture.make("n:u")
        let first = try #require(engine.openGroup())
        let change = try rig.send(.modify, "n:t", "/attributes/a", "1")
        let isOpen = Watched(false)
        let mayEnd = Watched(false)
        let other = Watched<CommitTicket?>(nil)
        let thread = WorkerThread(name: "other") {
            guard let group = engine.openGroup() else { return }
            _ = try? rig.send(.modify, "n:u", "/attributes/a", "1")
            isOpen.update { $0 = true }
            _ = mayEnd.wait(20) { $0 }
            let ticket = engine.close(group, keeping: [])
            other.update { $0 = ticket }
        }
        #expect(isOpen.wait(20) { $0 })
        let end = engine.close(first, keeping: [.positionPut(try Self.place(1))])
        // A part of the first would be before the other's begin.
        #expect(engine.commit(change.ticket, patience: .milliseconds(30)) == .pending)
        mayEnd.update { $0 = true }
        thread.join()
        #expect(engine.gate.wait(for: end, patience: .seconds(20)) == .committed)
        try rig.awaitCommit(try #require(other.current))
        #expect(try Self.stored(rig) == [1])
    }

    @Test("a commit that fails while a group is open drops it, and nothing more of it is taken")
    func broken() throws {
        let fixture = try EngineFixture()
        let (rig, engine) = (fixture.rig, fixture.rig.engine)
        try fixture.make("n:t")
        try fixture.make("n:u")
        try rig.awaitCommit(engine.keep([.positionPut(try Self.place(1))], commitsSoon: true))
        for isEmpty in [false, true] {
            rig.store.state.update { $0.isBlocked = true }
            let group = try #require(engine.openGroup())
            let early = try #require(Self.elsewhere(rig, "n:u", 2))
            let change = isEmpty ? nil : try rig.send(.modify, "n:t", "/attributes/a", "2")
            rig.store.state.update { state in
                state.faults = [.beforeAnything]
                state.isBlocked = false
            }
            #expect(engine.gate.wait(for: early, patience: .seconds(20)) == .rejected)
            try rig.awaitCondition("open") { $0 == .open }
            if let change { #expect(engine.gate.outcome(of: change.ticket) == .rejected) }
            // Others go on, the group's thread does not.
            try rig.awaitCommit(try #require(Self.elsewhere(rig, "n:u", 3)))
            let late = try rig.send(.modify, "n:t", "/attributes/a", "9")
            #expect(throws: TwinspanError.self) { try late.result.get() }
            #expect(engine.keep([.inboxRemove(id: 1)]) == .refused)
            #expect(engine.close(group, keeping: [.positionPut(try Self.place(9))]) == .refused)
            #expect(try Self.stored(rig) == [1])
            #expect(try fixture.thing("n:t")?.value(at: JSONPointer(segments: ["attributes", "a"]))?.int64 == 1)
        }
        try rig.run(.modify, "n:t", "/attributes/a", "4")
    }

    @Test("a group that is abandoned leaves nothing behind, and one without changes ends without harm")
    func abandoned() throws {
        let fixture = try EngineFixture()
        let (rig, engine) = (fixture.rig, fixture.rig.engine)
        try fixture.make("n:t")
        let failure = StoreFailure(kind: .other, description: "test")
        engine.abandon(try #require(engine.openGroup()), because: failure)
        #expect(engine.metrics.snapshot.failedCommits == 0)
        let group = try #require(engine.openGroup())
        let change = try rig.send(.modify, "n:t", "/attributes/a", "2")
        engine.abandon(group, because: failure)
        #expect(engine.gate.outcome(of: change.ticket) == .rejected)
        try rig.awaitCondition("open") { $0 == .open }
        #expect(engine.metrics.snapshot.failedCommits == 1)
        #expect(try fixture.thing("n:t")?.value(at: JSONPointer(segments: ["attributes", "a"]))?.int64 == 1)
        try rig.run(.modify, "n:t", "/attributes/a", "3")
    }

    @Test("a full queue opens no group, and fills up for everybody but the group's thread")
    func full() throws {
        let fixture = try EngineFixture()
        let (rig, engine) = (fixture.rig, fixture.rig.engine)
        try fixture.make("n:t")
        rig.store.state.update { $0.isBlocked = true }
        let big = StoreRecord.inboxPut(try RecordSample.inbox(1, bytes: 8 << 20))
        let group = try #require(engine.openGroup())
        var last = engine.keep([big])
        for _ in 0..<20 { last = engine.keep([big]) }
        #expect(last != .refused)
        let other = Watched(0)
        WorkerThread(name: "other") {
            let isKept = engine.keep([.inboxRemove(id: 7)]) != .refused
            let isOpened = engine.openGroup() != nil
            other.update { $0 = isKept || isOpened ? 1 : 2 }
        }.join()
        #expect(other.current == 2)
        let end = engine.close(group, keeping: [.positionPut(try Self.place(3))])
        rig.store.state.update { $0.isBlocked = false }
        #expect(engine.commit(end, patience: .seconds(20)) == .committed)
        #expect(try Self.stored(rig) == [3])
    }

    @Test("the end of the engine waits a moment for an open group, and commits it as a whole or not at all")
    func stops() throws {
        for isClosed in [true, false] {
            let fixture = try EngineFixture()
            let (rig, engine) = (fixture.rig, fixture.rig.engine)
            try fixture.make("n:t")
            let committed = engine.gate.committed
            let group = try #require(engine.openGroup())
            _ = try rig.send(.modify, "n:t", "/attributes/a", "2")
            let stopper = WorkerThread(name: "stopper") { engine.stop() }
            if isClosed {
                let end = engine.close(group, keeping: [.positionPut(try Self.place(3))])
                stopper.join()
                #expect(engine.gate.outcome(of: end) == .committed)
            } else {
                stopper.join()
                #expect(engine.gate.committed == committed)
            }
        }
    }

    @Test("places are read when what was read before is committed or gone; those that nobody claims are forgotten")
    func places() throws {
        let fixture = try EngineFixture()
        let (rig, engine) = (fixture.rig, fixture.rig.engine)
        let id = try ConnectionID("plant")
        rig.store.state.update { $0.isBlocked = true }
        _ = engine.keep([.positionPut(try Self.place(4))], commitsSoon: true)
        #expect(throws: StoreFailure.self) {
            try engine.positions(of: id, reader: "g0\u{0}'", patience: .milliseconds(20))
        }
        rig.store.state.update { $0.isBlocked = false }
        #expect(try engine.positions(of: id, reader: "g0\u{0}'", patience: .seconds(20)).map(\.offset) == [4])
        rig.store.state.update { state in
            state.faults = [.afterCommit]
            state.failingOpens = 3
        }
        _ = engine.keep([.positionPut(try Self.place(5))], commitsSoon: true)
        try rig.awaitCondition("closed") { if case .closed = $0 { true } else { false } }
        // It is on the disk, but was refused.
        #expect(throws: StoreFailure.self) { try engine.positions(of: id, reader: "g0\u{0}'", patience: .seconds(1)) }
        try rig.awaitCondition("open") { $0 == .open }
        #expect(try engine.positions(of: id, reader: "g0\u{0}'", patience: .seconds(20)).map(\.offset) == [4])

        func passes(_ days: Int) throws {
            for _ in 0..<days {
                rig.clock.advance(by: .seconds(86_400))
                engine.commitSoon()
                usleep(30_000)
            }
        }
        engine.claimPositions(of: id)
        try passes(9)
        #expect(try Self.stored(rig) == [4])
        engine.releasePositions(of: id)
        try passes(6)
        #expect(try Self.stored(rig) == [4])
        try passes(3)
        #expect(try Self.stored(rig).isEmpty)
    }
}
