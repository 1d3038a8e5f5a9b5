// A permission that is taken away counts from the next event behind the commit of the policy, for whoever gets events
// and answers (spec/policies-search.md A.4), while things change all the time.
import Glibc
import Synchronization
import Testing
import TwinspanConnections
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanEngine
@testable import TwinspanSupervisor

@Suite("Revocation under load")
struct RevocationTests {
    /// `test:r` may read the attributes or nothing; `test:e` may read `a`, and `s` or not.
    private static func policy(isGranted: Bool) -> String {
        let all = #"{"grant":["READ","WRITE"],"revoke":[]}"#
        let read = #"{"grant":["READ"],"revoke":[]}"#
        let none = #"{"grant":[],"revoke":[]}"#
        let given = isGranted ? read : none
        return #"""
            {"entries":{"o":{"subjects":{"test:owner":{"type":"t"}},
            "resources":{"policy:/":\#(all),"thing:/":\#(all),"message:/":\#(all)}},
            "r":{"subjects":{"test:r":{"type":"t"}},
            "resources":{"thing:/attributes":\#(given),"message:/":\#(given)}},
            "e":{"subjects":{"test:e":{"type":"t"}},
            "resources":{"thing:/attributes/a":\#(read),"thing:/attributes/s":\#(given)}}}}
            """#
    }

    /// How far the policy is: 0 granted, 1 being revoked, 2 revoked, 3 being granted, and so on.
    private final class Phase: Sendable {
        private let number = Atomic<Int>(0)
        private let isOver = Atomic<Bool>(false)

        var now: Int { number.load(ordering: .sequentiallyConsistent) }
        func advance() { number.add(1, ordering: .sequentiallyConsistent) }
        func end() { isOver.store(true, ordering: .sequentiallyConsistent) }
        var hasEnded: Bool { isOver.load(ordering: .sequentiallyConsistent) }

        /// Whether the permission was away all the time while the body ran.
        func isRevoked(during body: () throws -> Void) rethrows -> Bool {
            let before = now
            try body()
            return before % 4 == 2 && before == now
        }
    }

    /// What others do all the time, until the phase ends, and what they have seen.
    private final class Load: Sendable {
        let phase = Phase()
        /// Values of live events that were sent while the permission was away.
        let forbidden = Watched<Set<Int>>([])
        let misses = Watched<[String]>([])
        let writes = Watched(0)
        private let threads = Mutex<[WorkerThread]>([])

        init(_ rig: PipelineRig) {
            let engine = rig.rig
            let revoked = AuthorizationContext(["test:r"])
            for writer in 0..<2 {
                keep("writer\(writer)") { [writes] number in
                    try engine.run(.modify, "n:t", "/attributes/a", "\(number)")
                    writes.update { $0 += 1 }
                    usleep(500)
                }
            }
            keep("sender") { [phase, forbidden] number in
                let event = LiveEvent(
                    thingID: try ThingID("n:t"), action: .modified, path: try JSONPointer(parsing: "/attributes/live"),
                    value: JSONText(.number(JSONNumber(Int64(number)))))
                let isForbidden = phase.isRevoked { engine.engine.send(event, as: EngineRig.owner) { _ in } }
                if isForbidden { forbidden.update { _ = $0.insert(number) } }
                usleep(500)
            }
            keep("requester") { [phase, misses] _ in
                var outcome: Outcome<ThingResponse>?
                let isForbidden = try phase.isRevoked {
                    outcome = try engine.send(.retrieve, "n:t", "/attributes", as: revoked)
                }
                if isForbidden, case .success? = outcome?.result {
                    misses.update { $0.append("a retrieve was answered") }
                }
                usleep(500)
            }
        }

        private func keep(_ name: String, _ body: @escaping @Sendable (Int) throws -> Void) {
            let thread = WorkerThread(name: name) { [phase, misses] in
                var number = 1
                while !phase.hasEnded {
                    do { try body(number) } catch { misses.update { $0.append("\(name): \(error)") } }
                    number += 1
                }
            }
            threads.withLock { $0.append(thread) }
        }

        /// Waits until so many changes more were made.
        func pass(_ count: Int) throws {
            let end = writes.current + count
            try require(writes.wait(30) { $0 >= end }, "the writers do not get on: \(misses.current.prefix(3))")
        }

        func stop() {
            phase.end()
            let all = threads.withLock { threads in
                defer { threads = [] }
                return threads
            }
            for thread in all { thread.join() }
        }
    }

    @Test("nobody gets anything made behind the commit that took his permission away")
    func revocation() throws {
        let rig = try PipelineRig(queueCapacity: 100_000, queueBytes: 64 << 20)
        try rig.rig.policy(.create, "n:p", Self.policy(isGranted: true))
        try rig.rig.run(.create, "n:t", "/", #"{"policyId":"n:p","attributes":{"a":0,"s":"secret"}}"#)
        let reader = LiveSubscription(
            topics: [LiveTopic(.liveEvents)], subjects: AuthorizationContext(["test:r"]),
            session: try ConnectionID("session"), capacity: 100_000, byteCapacity: 64 << 20, wake: {},
            onOverflow: { _ in })
        rig.rig.engine.live.subscribe(reader)
        let durable = try DurableRig(rig, [target("durable", topics: [topic()], subjects: ["test:r"]).durable()])
        defer { durable.stop() }
        let load = Load(rig)
        defer { load.stop() }
        try rig.withTargets([
            target("plain", topics: [topic()], subjects: ["test:r"]),
            target("rich", topics: [topic(extra: "attributes/s")], subjects: ["test:e"]),
            target("live", topics: [topic(.liveEvents)], subjects: ["test:r"]),
        ]) {
            for round in 0..<5 {
                try load.pass(30)
                load.phase.advance()
                try rig.rig.policy(.modify, "n:p", Self.policy(isGranted: round % 2 == 1))
                load.phase.advance()
            }
            try load.pass(60)
            load.stop()
        }
        #expect(load.misses.current.isEmpty, "\(load.misses.current.prefix(3))")
        try check(rig, load.forbidden.current, reader)
    }

    /// Compares what was sent with the journal: behind which change of the policy each event stands.
    private func check(_ rig: PipelineRig, _ forbidden: Set<Int>, _ reader: LiveSubscription) throws {
        var isGranted = true
        var grantedAt: [Int64: Bool] = [:]
        var lastPolicy: Int64 = 0
        var revisions: [Int64: Int64] = [:]
        for record in try rig.rig.engine.journal(after: 0, limit: .max) {
            switch record.content {
            case .policy(let event):
                isGranted = event.revision % 2 == 1
                lastPolicy = record.sequence
            case .thing(let event):
                grantedAt[event.revision] = isGranted
                revisions[event.revision] = record.sequence
            }
        }
        #expect(!isGranted)
        var counts: [String: Int] = [:]
        for message in rig.sent() {
            counts[message.address, default: 0] += 1
            if message.address == "live" {
                let value = try #require(try message.member("/value")?.int64)
                #expect(!forbidden.contains(Int(value)))
                continue
            }
            let revision = try #require(try message.member("/revision")?.int64)
            switch message.address {
            case "plain": #expect(grantedAt[revision] == true, "revision \(revision)")
            case "rich":
                let extra = try message.member("/extra/attributes/s")
                #expect((extra != nil) == grantedAt[revision], "revision \(revision)")
            default: #expect(try #require(revisions[revision]) < lastPolicy, "revision \(revision)")
            }
        }
        for address in ["plain", "rich", "live", "durable"] { #expect(counts[address, default: 0] > 10, "\(address)") }
        #expect(!forbidden.isEmpty)
        let values = try reader.take().map { try #require($0.signal.value?.value.int64) }
        #expect(!values.isEmpty)
        #expect(values.allSatisfy { !forbidden.contains(Int($0)) })
    }
}
