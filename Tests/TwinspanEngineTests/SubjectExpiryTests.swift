import Glibc
import Synchronization
import Testing
import TwinspanJSON
import TwinspanProtocol
import TwinspanSQLite
import TwinspanTestSupport

@testable import TwinspanEngine

/// spec/policies-search.md A.9.2, first sentence, and criterion "gone on time, also when the process was down".
@Suite("Expiry of subjects")
struct SubjectExpiryTests {
    private static let hour = SubjectFixture.hour
    private static let eleven = SubjectFixture.eleven

    /// The policy events in the journal: action, path and revision.
    private static func journal(_ fixture: SubjectFixture, of id: String = "n:p") throws -> [String] {
        try fixture.rig.store.inner.journal(after: 0, limit: 100_000).compactMap { record in
            guard case .policy(let event) = record.content, event.policyID.text == id else { return nil }
            return "\(event.revision) \(event.action) \(event.path)"
        }
    }

    @Test("a subject is gone at its expiry, as a change like any other, and nothing happens before")
    func removed() throws {
        let fixture = try SubjectFixture()
        try fixture.make()
        fixture.clock.setNow(Self.eleven - 1)
        fixture.settle()
        #expect(try fixture.guests() == ["test:guest"])
        fixture.clock.setNow(Self.eleven)
        try fixture.tend(until: "the guest is gone") { try fixture.guests().isEmpty }
        #expect(
            try Self.journal(fixture) == ["1 created /", "2 deleted /entries/guests/subjects/test:guest"])
        let policy = try fixture.rig.policy(.retrieve, "n:p", fields: "_revision,_modified")
        #expect(policy.value?.value == ["_revision": 2, "_modified": .string(SubjectFixture.iso(Self.eleven))])
        #expect(fixture.engine.metrics.snapshot.expiredSubjects == 1)
        #expect(fixture.engine.metrics.snapshot.announcementsPublished == 0)
        fixture.settle()
        #expect(try Self.journal(fixture).count == 2)
    }

    @Test("whoever is gone may do nothing any more, and an expired subject is no permanent owner")
    func access() throws {
        let fixture = try SubjectFixture()
        try fixture.make()
        try fixture.rig.run(.create, "n:t", "/", #"{"policyId":"n:p","attributes":{"a":1}}"#)
        #expect(try fixture.rig.run(.retrieve, "n:t", as: SubjectFixture.guest).status == 200)
        fixture.clock.setNow(Self.eleven)
        try fixture.tend(until: "the guest is gone") { try fixture.guests().isEmpty }
        expectError("things:thing.notfound", 404) { try fixture.rig.run(.retrieve, "n:t", as: SubjectFixture.guest) }
    }

    @Test("several leave in one commit, from all entries, those with slashes too; others stay")
    func several() throws {
        let fixture = try SubjectFixture()
        let guest = SubjectFixture.guest()
        let ids = (0..<20).map { "test:\($0)" } + ["https://iss.org/x:s//1/"]
        try fixture.rig.policy(
            .create, "n:p",
            SubjectFixture.policy(
                Dictionary(uniqueKeysWithValues: ids.map { ($0, guest) }),
                others: [
                    "test:1": guest, "test:later": SubjectFixture.guest(expiry: Self.eleven + Self.hour),
                    "test:ever": #"{"type":"t"}"#,
                ]))
        let commits = fixture.rig.store.state.current.commits
        fixture.clock.setNow(Self.eleven)
        try fixture.tend(until: "all are gone") { try fixture.guests().isEmpty }
        fixture.settle()
        #expect(fixture.rig.store.state.current.commits == commits + 1)
        #expect(try fixture.guests(entry: "others").sorted() == ["test:ever", "test:later"])
        #expect(try Self.journal(fixture).count == 23)
        #expect(fixture.engine.metrics.snapshot.expiredSubjects == 22)
        let again = try fixture.restarted()
        #expect(try again.guests(entry: "others").sorted() == ["test:ever", "test:later"])
    }

    @Test("hundreds of one policy leave in parts")
    func hundreds() throws {
        let fixture = try SubjectFixture()
        try fixture.rig.policy(
            .create, "n:p",
            SubjectFixture.policy(
                Dictionary(uniqueKeysWithValues: (0..<200).map { ("test:\($0)", SubjectFixture.guest()) })))
        fixture.clock.setNow(Self.eleven)
        try fixture.tend(until: "all are gone") { try fixture.guests().isEmpty }
        #expect(fixture.engine.metrics.snapshot.expiredSubjects == 200)
    }

    @Test("a clock that jumps forwards lets subjects expire at once, one that jumps back postpones it")
    func jumps() throws {
        let fixture = try SubjectFixture()
        let late = Self.eleven + 1_000 * Self.hour
        try fixture.rig.policy(
            .create, "n:p",
            SubjectFixture.policy([
                "test:a": SubjectFixture.guest(), "test:b": SubjectFixture.guest(expiry: late),
            ]))
        // The watch has begun before the clock jumps; what it does not know then it finds in the store a little later.
        fixture.settle()
        fixture.clock.setNow(Self.eleven - 500 * Self.hour)
        fixture.settle()
        #expect(try fixture.guests().count == 2)
        fixture.clock.setNow(Self.eleven)
        try fixture.tend(until: "the first is gone") { try fixture.guests() == ["test:b"] }
        fixture.clock.setNow(Self.eleven - Self.hour)
        fixture.settle()
        // Weeks at once: beyond everything that is known in memory, before or behind the writing of its row.
        fixture.clock.setNow(late)
        for _ in 0..<1_000 {
            fixture.clock.advance(by: .seconds(11))
            fixture.engine.tendSubjects()
            if try fixture.guests().isEmpty { break }
            usleep(10_000)
        }
        #expect(try fixture.guests().isEmpty)
    }

    @Test("who expired while the process was down is gone after the start", arguments: [true, false])
    func down(isKilled: Bool) throws {
        let first = try SubjectFixture()
        try first.make()
        try first.rig.policy(
            .create, "n:q", SubjectFixture.policy(["test:later": SubjectFixture.guest(expiry: Self.eleven + Self.hour)])
        )
        first.clock.setNow(Self.eleven - 1)
        let second = try first.restarted(killed: isKilled)
        first.clock.setNow(Self.eleven)
        try second.tend(until: "the guest is gone") { try second.guests().isEmpty }
        #expect(try second.guests(of: "n:q") == ["test:later"])
        first.clock.setNow(Self.eleven + Self.hour)
        try second.tend(until: "the other is gone") { try second.guests(of: "n:q").isEmpty }
    }

    @Test("a commit that fails is tried again", arguments: FaultyStore.Fault.allCases)
    func failingCommit(fault: FaultyStore.Fault) throws {
        let fixture = try SubjectFixture()
        try fixture.make()
        fixture.rig.store.state.update { $0.faults = [fault] }
        fixture.clock.setNow(Self.eleven)
        for _ in 0..<2_000 {
            fixture.engine.tendSubjects()
            fixture.clock.advance(by: .milliseconds(100))
            if fixture.engine.metrics.snapshot.expiredSubjects == 1 { break }
            usleep(5_000)
        }
        #expect(try fixture.guests().isEmpty)
        #expect(fixture.engine.metrics.snapshot.failedCommits == 1)
        #expect(
            try Self.journal(fixture) == ["1 created /", "2 deleted /entries/guests/subjects/test:guest"])
    }

    @Test("expiries are rounded up to the operator's granularity, also of a policy that comes with a thing (A.9.1)")
    func granularity() throws {
        let fixture = try SubjectFixture(granularity: .seconds(2))
        let start = fixture.clock.now.milliseconds
        let guest = SubjectFixture.guest(#"{"beforeExpiry":"61s"}"#, expiry: start + 3_001)
        try fixture.rig.policy(.create, "n:p", SubjectFixture.policy(["test:guest": guest]))
        let policy = SubjectFixture.policy(["test:guest": guest])
        try fixture.rig.run(.create, "n:t", "/", #"{"_policy":\#(policy)}"#)
        for id in ["n:p", "n:t"] {
            let stored = try fixture.rig.policy(.retrieve, id, at: "/entries/guests/subjects/test:guest").value?.value
            #expect(stored?.object?["expiry"]?.string == SubjectFixture.iso(start + 4_000))
            #expect(stored?.object?["announcement"]?.object?["beforeExpiry"] == "120s")
        }
        fixture.clock.advance(by: .seconds(4))
        fixture.clock.advance(by: .seconds(10))
        try fixture.tend(until: "both are gone") {
            try fixture.guests(of: "n:p").isEmpty && fixture.guests(of: "n:t").isEmpty
        }
    }

    @Test("an expiry that is moved counts as moved")
    func moved() throws {
        let fixture = try SubjectFixture()
        try fixture.make()
        fixture.settle()
        try fixture.rig.policy(
            .modify, "n:p", SubjectFixture.guest(expiry: Self.eleven + Self.hour),
            at: "/entries/guests/subjects/test:guest")
        fixture.clock.setNow(Self.eleven)
        fixture.settle()
        #expect(try fixture.guests() == ["test:guest"])
        fixture.clock.setNow(Self.eleven + Self.hour)
        try fixture.tend(until: "the guest is gone") { try fixture.guests().isEmpty }
    }

    @Test("ten thousand policies with expiries: a start looks at none that is not due, and holds none of them")
    func many() throws {
        let first = try SubjectFixture()
        let far = Self.eleven + 48 * Self.hour
        for number in 0..<10_000 {
            let expiry = number % 100 == 0 ? Self.eleven : far
            let command = PolicyCommand(
                policyID: try PolicyID("n:p\(number)"), action: .create, resource: try PolicyPath(.root),
                value: JSONText(
                    try json(SubjectFixture.policy(["test:guest": SubjectFixture.guest(expiry: expiry)]))),
                headers: DittoHeaders())
            let outcome = first.engine.execute(command, as: EngineRig.owner)
            if number % 1_000 == 999 {
                #expect(first.engine.commit(outcome.ticket, patience: .seconds(30)) == .committed)
            }
        }
        first.rig.engine.stop()
        let clock = ContinuousClock()
        let began = clock.now
        let second = try SubjectFixture(directory: first.directory, store: first.rig.store, clock: first.clock)
        let duration = clock.now - began
        print("start with 10,000 expiries: \(duration)")
        second.engine.tendSubjects()
        second.engine.subjectWatch.turn.withLock { turn in
            #expect(turn.schedule.count == 100, "only what is due within the hour")
            #expect(turn.courses.isEmpty)
        }
        #expect(second.engine.policies.content.withLock { $0.cache.count } == 0, "nothing was loaded")
        first.clock.setNow(Self.eleven)
        try second.tend(until: "a hundred are gone", within: 60) {
            second.engine.metrics.snapshot.expiredSubjects >= 100
        }
        second.settle()
        #expect(second.engine.metrics.snapshot.expiredSubjects == 100)
        first.clock.setNow(far)
        try second.tend(until: "all are gone", within: 120) {
            second.engine.metrics.snapshot.expiredSubjects >= 10_000
        }
        #expect(second.engine.subjectWatch.turn.withLock { $0.schedule.count } == 0)
    }
}
