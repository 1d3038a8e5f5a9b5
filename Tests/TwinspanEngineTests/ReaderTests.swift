import Foundation
import Testing
import TwinspanProtocol
import TwinspanSQLite
import TwinspanTestSupport

@testable import TwinspanEngine

/// Readers of the journal and what retention owes them.
@Suite("Readers of the journal")
struct ReaderTests {
    /// A rig that can be started again.
    private final class Fixture {
        let directory: TemporaryDirectory
        private(set) var rig: EngineRig
        let clock: ManualClock
        private let settings: EngineSettings
        var engine: TwinEngine { rig.engine }

        init(bytes: Int64, orphanedReaderAge: Duration = .seconds(7 * 86_400)) throws {
            directory = try TemporaryDirectory(isInMemory: true)
            clock = ManualClock()
            var settings = EngineRig.settings(
                retention: JournalRetention(bytes: bytes, age: .seconds(1_000_000_000)))
            settings.orphanedReaderAge = orphanedReaderAge
            self.settings = settings
            rig = try EngineRig(
                store: try SQLiteStore(directory: directory.path, durability: .os), clock: clock, settings: settings)
        }

        func keep(_ records: StoreRecord...) throws {
            try rig.awaitCommit(rig.engine.keep(records, commitsSoon: true))
        }

        /// Changes with a value of a thousand bytes, with records in between.
        func fill(_ count: Int) throws {
            for number in 0..<count {
                let value = "\"" + String(repeating: "v", count: 1_000) + "\""
                try rig.run(.modify, "n:t", "/attributes/v", value)
                if number % 3 == 0 { try keep(.connectionRemove(try ConnectionID("none"))) }
            }
        }

        /// Ends the engine and starts another, which also brings all rows to the disk.
        func restart() throws {
            engine.stop()
            rig = try EngineRig(store: rig.store, clock: clock, settings: settings)
        }

        /// Lets retention do what it does.
        func settle(until isDone: () throws -> Bool) throws {
            try restart()
            for _ in 0..<300 {
                clock.advance(by: .seconds(1))
                rig.engine.commitSoon()
                usleep(10_000)
                if try isDone() { return }
            }
        }
    }

    @Test("the journal is kept from the oldest cursor on, up to twice its size; then the reader sees the gap")
    func holdsBack() throws {
        let fixture = try Fixture(bytes: 20_000)
        defer { fixture.engine.stop() }
        try fixture.rig.run(.create, "n:t", "/", "{}")
        #expect(fixture.engine.firstSequence == 1)
        try fixture.fill(5)
        let cursor = fixture.engine.gate.committed
        try fixture.keep(.cursorPut(name: "slow", sequence: cursor), .cursorPut(name: "fast", sequence: cursor + 1_000))
        try fixture.fill(25)
        try fixture.settle { fixture.engine.firstSequence > cursor }
        // Everything before the cursor went, and nothing behind it.
        #expect(fixture.engine.firstSequence <= cursor + 1)
        #expect(fixture.engine.firstSequence > 1)
        #expect(try fixture.engine.journal(after: cursor, limit: 1_000).count == 25)

        try fixture.fill(40)
        try fixture.settle { fixture.engine.firstSequence > cursor + 1 }
        #expect(fixture.engine.firstSequence > cursor + 1)
        let kept = try fixture.engine.journal(after: 0, limit: 1_000)
        #expect((36...40).contains(kept.count), "\(kept.count)")
        #expect(try #require(kept.first).sequence >= fixture.engine.firstSequence)

        // When the reader has caught up or is gone, the journal has its own size again.
        try fixture.keep(.cursorPut(name: "slow", sequence: fixture.engine.gate.committed), .cursorRemove(name: "fast"))
        try fixture.settle { (try fixture.engine.journal(after: 0, limit: 1_000)).count <= 20 }
        #expect((15...20).contains(try fixture.engine.journal(after: 0, limit: 1_000).count))
    }

    @Test("a cursor that nobody claims is forgotten after its time, one that is claimed stays")
    func orphans() throws {
        let fixture = try Fixture(bytes: 1 << 30, orphanedReaderAge: .seconds(3_600))
        try fixture.keep(
            .cursorPut(name: "claimed", sequence: 1), .cursorPut(name: "left", sequence: 1),
            .cursorPut(name: "released", sequence: 1))
        fixture.engine.claimReader("claimed")
        fixture.engine.claimReader("released")
        fixture.engine.claimReader("never put")
        func passes(_ seconds: Int) throws {
            for _ in 0..<(seconds / 700 + 1) {
                fixture.clock.advance(by: .seconds(700))
                fixture.engine.commitSoon()
                usleep(30_000)
            }
        }
        try passes(2_000)
        #expect(try fixture.engine.cursors().count == 3)
        fixture.engine.releaseReader("released")
        try passes(1_500)
        #expect(try fixture.engine.cursors().keys.sorted() == ["claimed", "released"])
        try passes(3_600)
        #expect(try fixture.engine.cursors() == ["claimed": 1])
        #expect(fixture.engine.metrics.snapshot.readersForgotten == 2)

        // After a long rest of the process nothing is forgotten before somebody could claim it.
        fixture.clock.advance(by: .seconds(1_000_000))
        try fixture.restart()
        fixture.engine.commitSoon()
        usleep(50_000)
        #expect(try fixture.engine.cursors() == ["claimed": 1])
        fixture.engine.stop()
    }

    @Test("the present of a thing: its state and the policy it has or had, as committed; closed, it says so")
    func presence() throws {
        let fixture = try Fixture(bytes: 1 << 30)
        func presence(_ id: String) throws -> ThingPresence {
            try fixture.engine.presence(of: try ThingID(id), patience: .seconds(5))
        }
        try fixture.rig.run(.create, "n:t", "/", "{}")
        #expect(try presence("n:t").state.revision == 1)
        #expect(try presence("n:t").enforcer != nil)
        #expect(try presence("n:none").state.revision == 0)
        #expect(try presence("n:none").enforcer == nil)
        // Also what only the store knows.
        try fixture.restart()
        try fixture.rig.run(.delete, "n:t")
        try fixture.restart()
        #expect(try presence("n:t").state.revision == 2)
        #expect(try presence("n:t").state.text == nil)
        #expect(try presence("n:t").enforcer != nil)
        try fixture.rig.policy(.delete, "n:t")
        #expect(try presence("n:t").enforcer == nil)
        fixture.rig.store.state.update { $0.isDead = true }
        _ = try fixture.rig.send(.create, "n:u", "/", "{}")
        try fixture.rig.awaitCondition("closed") { if case .closed = $0 { true } else { false } }
        let error = #expect(throws: TwinspanError.self) { try presence("n:t") }
        #expect(error?.code == "things:thing.unavailable")
        #expect(error?.status == 503)
        fixture.rig.store.state.update { $0.isDead = false }
        try fixture.rig.awaitCondition("open") { $0 == .open }
        fixture.engine.stop()
    }
}
