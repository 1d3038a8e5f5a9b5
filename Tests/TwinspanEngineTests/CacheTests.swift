import Synchronization
import Testing
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanEngine

/// The bounded cache, alone and under many threads.
@Suite("Cache")
struct CacheTests {
    private static func state(_ revision: Int64, bytes: Int) -> ThingState {
        ThingState(
            policyID: nil, revision: revision, created: Timestamp(milliseconds: 0),
            modified: Timestamp(milliseconds: 0),
            text: JSONText(.string(String(repeating: "x", count: bytes - 2))))
    }

    @Test("entries go when there is no room, but never one that is not committed")
    func eviction() throws {
        var cache = EntityCache<ThingID, ThingState>(byteCapacity: 10_000)
        for number in 0..<100 {
            cache.insert(try ThingID("n:\(number)"), Self.state(1, bytes: 500), sequence: Int64(number), committed: 49)
        }
        #expect(cache.evictions > 0)
        for number in 50..<100 {
            #expect(cache.slot(of: try ThingID("n:\(number)")) != nil, "\(number) is not committed")
        }
        cache.insert(try ThingID("n:last"), Self.state(1, bytes: 500), sequence: 0, committed: 1_000)
        #expect(cache.bytes <= 10_000)
        #expect(cache.slot(of: try ThingID("n:last")) != nil, "what was just put in is what is wanted")
    }

    @Test("what is put in stays, even when pinned entries take all the room")
    func newest() throws {
        var cache = EntityCache<ThingID, ThingState>(byteCapacity: 1_000)
        for number in 0..<10 {
            cache.insert(try ThingID("n:\(number)"), Self.state(1, bytes: 500), sequence: 5, committed: 0)
        }
        cache.insert(try ThingID("n:new"), Self.state(1, bytes: 500), sequence: 0, committed: 0)
        #expect(cache.slot(of: try ThingID("n:new")) != nil)
        #expect(cache.count == 11)
    }

    @Test("bytes follow every change of size")
    func accounting() throws {
        var random = SeededRandom(7)
        var cache = EntityCache<ThingID, ThingState>(byteCapacity: 20_000)
        var evictions: UInt64 = 0
        for step in 0..<5_000 {
            let id = try ThingID("n:\(Int.random(in: 0..<60, using: &random))")
            let size = Int.random(in: 2...2_000, using: &random)
            if let slot = cache.slot(of: id) {
                cache.update(slot: slot, to: Self.state(1, bytes: size), sequence: Int64(step))
            } else {
                cache.insert(id, Self.state(1, bytes: size), sequence: 0, committed: Int64(step))
            }
            if step % 500 == 499 { cache.removeAll { $0.id.text.hasSuffix("7") } }
            #expect(cache.evictions >= evictions)
            evictions = cache.evictions
        }
        cache.removeAll { _ in true }
        #expect((cache.bytes, cache.count) == (0, 0))
    }

    @Test("with pinned states far beyond the budget every command is still answered")
    func pinnedBeyondBudget() throws {
        let fixture = try EngineFixture(settings: EngineRig.settings(cacheBytes: 0, shards: 1))
        let rig = fixture.rig
        try rig.policy(.create, "n:policy", Sample.policy())
        let filling = String(repeating: "x", count: 1_000)
        for number in 0..<120 {
            _ = try rig.send(
                .create, "n:t\(number)", "/", #"{"policyId":"n:policy","attributes":{"v":0,"x":"\#(filling)"}}"#
            ).result.get()
        }
        try rig.run(.modify, "n:t0", "/attributes/v", "1")
        rig.store.state.update { $0.isBlocked = true }
        for number in 0..<100 {
            #expect(try rig.send(.modify, "n:t\(number)", "/attributes/v", "7").result.get().status == 204)
        }
        for number in 0..<120 {
            let read = try rig.send(.retrieve, "n:t\(number)", "/attributes/v")
            #expect(try read.result.get().value?.value == (number < 100 ? 7 : 0))
        }
        rig.store.state.update { $0.isBlocked = false }
        #expect(try rig.run(.retrieve, "n:t5", "/attributes/v").value?.value == 7)
    }

    /// What a thread has done to a thing.
    private struct Done: Sendable {
        var value: Int64
        var revision: Int64
    }

    @Test("eight threads over more things than fit: the last value of each is readable, revisions have no gap")
    func threads() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("cache seed \(seed)")
        let fixture = try EngineFixture(settings: EngineRig.settings(cacheBytes: 0, shards: 1))
        let rig = fixture.rig
        try rig.policy(.create, "n:policy", Sample.policy())
        let filling = String(repeating: "x", count: 800)
        for number in 0..<300 {
            _ = try rig.send(
                .create, "n:t\(number)", "/", #"{"policyId":"n:policy","attributes":{"v":0,"x":"\#(filling)"}}"#
            ).result.get()
        }
        let newest = Mutex<[Int: Done]>([:])
        let failures = Mutex<[String]>([])
        let threads = (0..<8).map { thread in
            WorkerThread(name: "cache \(thread)") {
                var random = SeededRandom(seed &+ UInt64(thread))
                for round in 0..<2_000 {
                    let number = Int.random(in: 0..<300, using: &random)
                    let value = Int64(thread * 10_000 + round)
                    do {
                        let outcome = try rig.send(.modify, "n:t\(number)", "/attributes/v", "\(value)")
                        let response = try outcome.result.get()
                        newest.withLock { newest in
                            if newest[number]?.revision ?? 0 < response.revision {
                                newest[number] = Done(value: value, revision: response.revision)
                            }
                        }
                        if round % 16 == 15 { try rig.awaitCommit(outcome.ticket) }
                    } catch {
                        failures.withLock { $0.append("\(error)") }
                    }
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(failures.withLock { $0 } == [])
        for (number, done) in newest.withLock({ $0 }) {
            let seen = try rig.run(.retrieve, "n:t\(number)", "/attributes/v")
            #expect((seen.value?.value.int64, seen.revision) == (done.value, done.revision), "n:t\(number)")
        }
        try expectGapless(rig.store.inner)
        let evictions = rig.engine.shards[0].content.withLock { $0.cache.evictions }
        #expect(evictions > 1_000, "the cache was not small enough for the test")
    }
}
