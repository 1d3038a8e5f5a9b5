import Glibc
import Synchronization
import Testing
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol
import TwinspanSQLite
import TwinspanTestSupport

@testable import TwinspanEngine

/// What is compiled from several policies: when it holds, what answers by it depend on, and that it is forgotten with
/// what it was made from.
@Suite("Policies compiled from several")
struct PolicyShelfTests {
    static let importing = WrittenPolicy.text(imports: #"{"n:a":{"transitiveImports":["n:b"]}}"#)

    /// `n:t` under `n:p`, which imports `n:a`, which imports `n:b`, which grants READ to `test:b`.
    static func chain(_ rig: EngineRig) throws {
        try rig.policy(.create, "n:b", ResolvedAccessTests.base)
        try rig.policy(.create, "n:a", WrittenPolicy.text(imports: #"{"n:b":{}}"#))
        try rig.policy(.create, "n:p", importing)
        try rig.makeThing()
    }

    private static func send(_ rig: EngineRig, _ id: String, _ path: String, _ value: String?) throws -> CommitTicket {
        let command = PolicyCommand(
            policyID: try PolicyID(id), action: value == nil ? .delete : .modify,
            resource: try PolicyPath(try JSONPointer(policyPath: path)),
            value: try value.map { JSONText(try JSONValue.parse($0)) })
        let outcome = rig.engine.execute(command, as: EngineRig.owner)
        rig.engine.commitSoon()
        _ = try outcome.result.get()
        return outcome.ticket
    }

    @Test("an answer waits for the uncommitted change of a policy that is imported by an imported one")
    func tickets() throws {
        let fixture = try EngineFixture()
        let rig = fixture.rig
        try Self.chain(rig)
        try rig.policy(.create, "n:own", WrittenPolicy.text([("viewer", ResolvedAccessTests.viewer)]))
        try rig.makeThing("n:free", under: "n:own")
        rig.store.state.update { $0.isBlocked = true }
        let change = try Self.send(rig, "n:b", "/entries/viewer/resources/thing:/", nil)
        let reader = AuthorizationContext(["test:b"])
        let outcomes = [
            try rig.send(.retrieve, "n:t", as: reader), try rig.send(.retrieve, "n:t"),
            try rig.send(.create, "n:new", "/", #"{"policyId":"n:p"}"#, as: reader),
        ]
        #expect(outcomes.map(\.isSuccess) == [false, true, false])
        let view = rig.engine.execute(
            PolicyCommand(policyID: try PolicyID("n:p"), action: .retrieve), as: EngineRig.owner)
        let resolved = rig.engine.resolvedPolicy(try PolicyID("n:p"))
        let message = rig.engine.facts(about: try ThingID("n:t"))
        for ticket in outcomes.map(\.ticket) + [view.ticket, resolved.ticket, message.ticket] {
            #expect(ticket.sequence >= change.sequence)
            #expect(rig.engine.gate.outcome(of: ticket) == .pending)
        }
        let free = try rig.send(.retrieve, "n:free", as: reader)
        #expect(rig.engine.gate.outcome(of: free.ticket) == .committed)
        rig.store.state.update { $0.isBlocked = false }
        for outcome in outcomes { try rig.awaitCommit(outcome.ticket) }
    }

    @Test("after a failed commit nothing is judged by what was not committed", arguments: FaultyStore.Fault.allCases)
    func failedCommit(fault: FaultyStore.Fault) throws {
        let fixture = try EngineFixture()
        let rig = fixture.rig
        try Self.chain(rig)
        #expect(try rig.mayRead())
        rig.store.state.update { state in
            state.isBlocked = true
            state.faults = [fault]
        }
        let lost = [
            try Self.send(rig, "n:b", "/entries/viewer", nil),
            try Self.send(rig, "n:a", "/entries/new", WrittenPolicy.entry(["test:c"], ["thing:/": "R"])),
        ]
        // Compiled from what will never have been.
        for (subject, isGranted) in [("test:b", false), ("test:c", true)] {
            #expect(try rig.send(.retrieve, "n:t", as: AuthorizationContext([subject])).isSuccess == isGranted)
        }
        rig.store.state.update { $0.isBlocked = false }
        for ticket in lost { #expect(rig.engine.gate.wait(for: ticket, patience: .seconds(20)) == .rejected) }
        try rig.awaitCondition("open") { $0 == .open }
        #expect(try rig.mayRead())
        #expect(try rig.mayRead(as: "test:c") == false)
        // The same revisions again, with another content.
        try rig.policy(
            .modify, "n:b", WrittenPolicy.entry(["test:d"], ["thing:/": "R"]), at: "/entries/viewer")
        #expect(try [rig.mayRead(), rig.mayRead(as: "test:c"), rig.mayRead(as: "test:d")] == [false, false, true])
    }

    @Test("a restart reads what a policy builds on, with or without rows", arguments: [true, false])
    func restart(writesRows: Bool) throws {
        let directory = try TemporaryDirectory(isInMemory: true)
        let inner = try SQLiteStore(directory: directory.path, durability: .os)
        let first = try EngineRig(store: FaultyStore(inner))
        try Self.chain(first)
        if !writesRows { first.store.state.update { $0.isDead = true } }
        first.engine.stop()
        let second = try EngineRig(store: FaultyStore(inner))
        defer { second.engine.stop() }
        let command = try EngineRig.command(.retrieve, "n:t")
        let reader = AuthorizationContext(["test:b"])
        #expect(second.engine.executeIfLoaded(command, as: reader) == nil)
        #expect(try second.mayRead())
        #expect(second.engine.executeIfLoaded(command, as: reader)?.isSuccess == true)
        let resolved = try second.engine.resolvedPolicy(try PolicyID("n:p")).result.get()
        #expect(resolved?.entries.map(\.entry.label) == ["owner", "imported-n:a-imported-n:b-viewer"])
        #expect(try second.engine.resolvedPolicy(try PolicyID("n:none")).result.get() == nil)
        #expect(try second.engine.policyID(ofThing: try ThingID("n:t")).result.get() == PolicyID("n:p"))
        #expect(try second.engine.policyID(ofThing: try ThingID("n:none")).result.get() == nil)
    }

    @Test("with a cache that holds nearly nothing every policy is still judged by what it builds on")
    func eviction() throws {
        let fixture = try EngineFixture(settings: EngineRig.settings(cacheBytes: 0, shards: 1))
        let rig = fixture.rig
        let filling = String(repeating: "x", count: 200)
        let large = WrittenPolicy.entry(["test:\(filling)"], ["thing:/attributes/\(filling)": "R"])
        for number in 0..<40 {
            try rig.policy(
                .create, "n:b\(number)", WrittenPolicy.text([("viewer", ResolvedAccessTests.viewer), ("x", large)]))
        }
        for number in 0..<300 {
            let imports = (0..<3).map { #""n:b\#((number + $0 * 7) % 40)":{}"# }.joined(separator: ",")
            try rig.policy(.create, "n:p\(number)", WrittenPolicy.text([("x", large)], imports: "{\(imports)}"))
            try rig.makeThing("n:t\(number)", under: "n:p\(number)")
        }
        var random = SeededRandom(11)
        var granting = Set(0..<40)
        for _ in 0..<600 {
            let base = Int.random(in: 0..<40, using: &random)
            if granting.remove(base) != nil {
                try rig.policy(.delete, "n:b\(base)", at: "/entries/viewer")
            } else {
                granting.insert(base)
                try rig.policy(.modify, "n:b\(base)", ResolvedAccessTests.viewer, at: "/entries/viewer")
            }
            let number = Int.random(in: 0..<300, using: &random)
            let expected = (0..<3).contains { granting.contains((number + $0 * 7) % 40) }
            #expect(try rig.mayRead("n:t\(number)") == expected)
        }
        let (evictions, bytes) = rig.engine.policies.content.withLock { ($0.cache.evictions, $0.cache.bytes) }
        #expect(evictions > 300, "the cache was not small enough for the test")
        #expect(bytes < 2 << 20)
    }

    @Test("policies that do not fit the cache together are judged all the same")
    func larger() throws {
        let fixture = try EngineFixture(settings: EngineRig.settings(cacheBytes: 0, shards: 1))
        let rig = fixture.rig
        let entries = (0..<400).map {
            ("e\($0)", WrittenPolicy.entry(["u:\($0)"], ["thing:/attributes/attribute\($0)": "R"]))
        }
        let large = WrittenPolicy.text(entries + [("viewer", ResolvedAccessTests.viewer)])
        for number in 0..<10 { try rig.policy(.create, "n:b\(number)", large) }
        let imports = (0..<10).map { #""n:b\#($0)":{}"# }.joined(separator: ",")
        for id in ["n:p", "n:q"] {
            try rig.policy(.create, id, WrittenPolicy.text(imports: "{\(imports)}"))
            try rig.makeThing("\(id)t", under: id)
        }
        for _ in 0..<2 {
            #expect(try rig.mayRead("n:pt"))
            #expect(try rig.mayRead("n:qt"))
        }
    }

    @Test("policies that import each other in a ring are judged, changed and shown")
    func rings() throws {
        let fixture = try EngineFixture()
        let rig = fixture.rig
        for number in 0..<10 { try rig.policy(.create, "n:r\(number)", WrittenPolicy.text()) }
        let all = (0..<10).map { #""n:r\#($0)""# }
        for number in 0..<10 {
            let others = all.filter { $0 != all[number] }.joined(separator: ",")
            try rig.policy(
                .modify, "n:r\(number)", #"{\#(all[(number + 1) % 10]):{"transitiveImports":[\#(others)]}}"#,
                at: "/imports")
        }
        try rig.makeThing(under: "n:r0")
        #expect(try rig.mayRead() == false)
        try rig.policy(.modify, "n:r9", ResolvedAccessTests.viewer, at: "/entries/viewer")
        #expect(try rig.mayRead())
        let view = try rig.policy(.retrieve, "n:r0", headers: ["policy-view": "resolved"])
        #expect(view.value?.value.object?["entries"]?.object?.count == 2)
        try rig.policy(.delete, "n:r5")
        #expect(try rig.mayRead() == false)
    }

    @Test("a mark that two policies share makes no wrong answer, and no work for the compiler")
    func sharedMarks() throws {
        let fixture = try EngineFixture()
        let rig = fixture.rig
        try Self.chain(rig)
        #expect(try rig.mayRead())
        func form() throws -> PolicyForm {
            let id = try PolicyID("n:p")
            return try #require(
                rig.engine.policies.content.withLock { content in
                    content.cache.slot(of: id).flatMap { content.cache[$0].state.form }
                })
        }
        let before = try form()
        // A policy with the mark of `n:b` that has nothing to do with it.
        let mark = PolicyCache.bucket(of: try PolicyID("n:b"))
        var number = 0
        while PolicyCache.bucket(of: try PolicyID("n:x\(number)")) != mark { number += 1 }
        try rig.policy(.create, "n:x\(number)", WrittenPolicy.text())
        #expect(try rig.mayRead())
        let after = try form()
        #expect(after.enforcer === before.enforcer && after.stamp > before.stamp)
        try rig.policy(.modify, "n:b", #"{"type":"u"}"#, at: "/entries/viewer/subjects/test:b")
        #expect(try rig.mayRead())
        #expect(try form().enforcer !== before.enforcer)
    }

    @Test("commands and changes of what they are judged by, from eight threads at once, come to an end")
    func concurrency() throws {
        var settings = EngineRig.settings()
        settings.access.namespaceRoots = try #require(
            NamespaceRoots([(pattern: "n", policies: [try PolicyID("r:root")])]))
        let fixture = try EngineFixture(settings: settings)
        let rig = fixture.rig
        try rig.policy(.create, "r:root", WrittenPolicy.text())
        for number in 0..<4 { try rig.policy(.create, "n:b\(number)", WrittenPolicy.text()) }
        for number in 0..<16 {
            let imports = #"{"n:b\#(number % 4)":{},"n:b\#((number + 1) % 4)":{"transitiveImports":["n:b0"]}}"#
            try rig.policy(.create, "n:p\(number)", WrittenPolicy.text(imports: imports))
            try rig.makeThing("n:t\(number)", under: "n:p\(number)")
        }
        let failures = Mutex<[String]>([])
        let rounds = 300
        let threads = (0..<8).map { thread in
            WorkerThread(name: "shelf \(thread)") {
                var random = SeededRandom(UInt64(thread))
                for round in 0..<rounds {
                    do {
                        if thread < 4 {
                            let id = thread == 3 ? "r:root" : "n:b\(Int.random(in: 0..<4, using: &random))"
                            let isGranted = Bool.random(using: &random)
                            _ = try Self.send(
                                rig, id, "/entries/viewer",
                                isGranted ? ResolvedAccessTests.viewer : WrittenPolicy.entry([]))
                        } else {
                            let number = Int.random(in: 0..<16, using: &random)
                            _ = try rig.send(
                                .retrieve, "n:t\(number)", as: AuthorizationContext(["test:b"]))
                            let written = try rig.send(.modify, "n:t\(number)", "/attributes/a", "\(round)")
                            guard written.isSuccess else { throw ScenarioFailure("the owner may not write") }
                        }
                    } catch {
                        failures.withLock { $0.append("\(error)") }
                    }
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(failures.withLock { $0 } == [])
        // What was left is what counts.
        for id in ["r:root", "n:b0", "n:b1", "n:b2", "n:b3"] {
            try rig.policy(.modify, id, WrittenPolicy.entry([]), at: "/entries/viewer")
        }
        for number in 0..<16 { #expect(try rig.mayRead("n:t\(number)") == false) }
        try rig.policy(.modify, "n:b0", ResolvedAccessTests.viewer, at: "/entries/viewer")
        for number in 0..<16 { #expect(try rig.mayRead("n:t\(number)") == [0, 3].contains(number % 4)) }
    }

    @Test("a change of a policy that thousands build on counts for each of them")
    func manyDependents() throws {
        let count = 2_000
        let root = try PolicyID("r:root")
        let shelf = PolicyShelf(
            byteCapacity: 1 << 30, roots: try #require(NamespaceRoots([(pattern: "n", policies: [root])])),
            gate: CommitGate())
        func state(_ id: PolicyID, _ revision: Int64, _ entries: [(String, String)]) throws -> PolicyState {
            let time = Timestamp(milliseconds: 0)
            let text = JSONText(try json(WrittenPolicy.text(entries)))
            return try PolicyState(id: id, revision: revision, created: time, modified: time, text: text)
        }
        let ids = try (0..<count).map { try PolicyID("n:p\($0)") }
        let loaded = [(root, try state(root, 1, []))] + (try ids.map { ($0, try state($0, 1, [])) })
        shelf.content.withLock { $0.cache.insert(loaded, wanted: [], committed: 0) }
        let reader = AuthorizationContext(["test:b"])
        func readable() -> Int {
            ids.count { id in
                guard case .known(let enforcer?, _) = shelf.loaded(id) else { return false }
                return enforcer.isAllowed(.read, .thing, .root, subjects: reader, namespace: "n")
            }
        }
        #expect(readable() == 0)
        let after = try state(root, 2, [("viewer", ResolvedAccessTests.viewer)])
        shelf.content.withLock { content in
            guard let slot = content.cache.slot(of: root) else { return }
            content.cache.update(slot: slot, to: after, sequence: 7)
        }
        #expect(readable() == count)
        guard case .known(_, let sequence) = shelf.loaded(ids[0]) else { throw ScenarioFailure("nothing is known") }
        #expect(sequence == 7)
    }
}
