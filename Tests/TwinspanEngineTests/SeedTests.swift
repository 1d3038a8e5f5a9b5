import Testing
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanEngine

@Suite("Seeds")
struct SeedTests {
    private static let now = Timestamp(milliseconds: 1_700_000_000_000)

    private static func policy(
        _ id: String, imports: [String] = [], note: String = "t", always: Bool = false
    ) throws -> PolicySeed {
        let list = imports.map { #""\#($0)":{}"# }.joined(separator: ",")
        let json = """
            {"policyId":"\(id)","imports":{\(list)},"entries":{"owner":{"subjects":{"test:owner":{"type":"\(note)"}},\
            "resources":{"policy:/":{"grant":["READ","WRITE"]},"thing:/":{"grant":["READ","WRITE"]}}}}}
            """
        let (seed, problems) = PolicySeed.read(try JSONValue.parse(json), isAlwaysApplied: always, now: now)
        #expect(problems == [])
        return try #require(seed)
    }

    private static func thing(
        _ id: String, policy: String, _ members: String = "", always: Bool = false
    ) throws -> ThingSeed {
        let json = #"{"thingId":"\#(id)","policyId":"\#(policy)"\#(members)}"#
        let (seed, problems) = ThingSeed.read(try JSONValue.parse(json), isAlwaysApplied: always)
        #expect(problems == [])
        return try #require(seed)
    }

    private static func counts(_ made: Int, _ changed: Int, _ leftAlone: Int) -> SeedReport.Counts {
        var counts = SeedReport.Counts()
        (counts.made, counts.changed, counts.leftAlone) = (made, changed, leftAlone)
        return counts
    }

    @Test("what is missing is made, durable and told to subscribers; nobody is its originator")
    func made() throws {
        let fixture = try EngineFixture()
        let subscription = fixture.rig.subscribe()
        let report = fixture.rig.engine.apply(
            [try Self.policy("n:p")], [try Self.thing("n:t", policy: "n:p", #","attributes":{"a":1}"#)])
        #expect(report.isComplete)
        #expect(report.policies == Self.counts(1, 0, 0) && report.things == Self.counts(1, 0, 0))
        #expect(try fixture.rig.run(.retrieve, "n:t", "/attributes/a").value?.value == 1)
        #expect(try fixture.rig.policy(.retrieve, "n:p").revision == 1)
        let changes = subscription.take()
        #expect(changes.count == 1)
        let change = try #require(changes.first)
        #expect(change.originator == nil && change.origin == nil && change.enforcer != nil)
        guard case .thing(let event, _) = change.content else { return #expect(Bool(false)) }
        #expect(event.action == .created && event.revision == 1 && event.path.isRoot)
        let committed = try fixture.rig.store.inner.journal(after: 0, limit: .max)
        #expect(committed.count == 2)
    }

    @Test("what is there stays, whatever the seed says, and no revision is made")
    func leftAlone() throws {
        let fixture = try EngineFixture()
        let engine = fixture.rig.engine
        let things = [try Self.thing("n:t", policy: "n:p")]
        #expect(engine.apply([try Self.policy("n:p")], things).isComplete)
        try fixture.rig.run(.modify, "n:t", "/attributes", #"{"changed":true}"#)
        let report = engine.apply([try Self.policy("n:p", note: "other")], things)
        #expect(report.policies == Self.counts(0, 0, 1) && report.things == Self.counts(0, 0, 1))
        #expect(try fixture.rig.run(.retrieve, "n:t", "/attributes/changed").value?.value == true)
        #expect(try fixture.rig.policy(.retrieve, "n:p").revision == 1)
    }

    @Test("'always' replaces what differs, and makes no revision when nothing does")
    func always() throws {
        let fixture = try EngineFixture()
        let engine = fixture.rig.engine
        let policies = [try Self.policy("n:p", note: "new", always: true)]
        let things = [
            try Self.thing("n:t", policy: "n:p", #","attributes":{"a":1},"_metadata":{"m":1}"#, always: true)
        ]
        #expect(engine.apply(policies, things).isComplete)
        let same = engine.apply(policies, things)
        #expect(same.policies == Self.counts(0, 0, 1) && same.things == Self.counts(0, 0, 1))
        try fixture.rig.run(.modify, "n:t", "/attributes", #"{"changed":true}"#)
        try fixture.rig.policy(.modify, "n:p", #"{"type":"old"}"#, at: "/entries/owner/subjects/test:owner")
        let report = engine.apply(policies, things)
        #expect(report.policies == Self.counts(0, 1, 0) && report.things == Self.counts(0, 1, 0))
        #expect(try fixture.rig.run(.retrieve, "n:t", "/attributes").value?.value == ["a": 1])
        #expect(try fixture.rig.run(.retrieve, "n:t").revision == 3)
        let type = try fixture.rig.policy(.retrieve, "n:p", at: "/entries/owner/subjects/test:owner").value?.value
        #expect(type == ["type": "new"])
    }

    @Test("what was deleted at run time is missing, and its revisions go on")
    func deleted() throws {
        let fixture = try EngineFixture()
        let engine = fixture.rig.engine
        let things = [try Self.thing("n:t", policy: "n:p")]
        #expect(engine.apply([try Self.policy("n:p")], things).isComplete)
        try fixture.rig.run(.delete, "n:t")
        let report = engine.apply([], things)
        #expect(report.things == Self.counts(1, 0, 0) && report.isComplete)
        #expect(try fixture.rig.run(.retrieve, "n:t").revision == 3)
    }

    @Test("imported policies come first, also in a circle and in any order of the files (A.5)")
    func order() throws {
        let chain = [
            try Self.policy("n:a", imports: ["n:b", "n:elsewhere"]), try Self.policy("n:b", imports: ["n:c"]),
            try Self.policy("n:c"), try Self.policy("n:d", imports: ["n:c", "n:a"]),
        ]
        #expect(TwinEngine.importedFirst(chain) == [2, 1, 0, 3])
        let circle = [try Self.policy("n:a", imports: ["n:b"]), try Self.policy("n:b", imports: ["n:a"])]
        #expect(TwinEngine.importedFirst(circle) == [1, 0])
        let fixture = try EngineFixture()
        let report = fixture.rig.engine.apply(circle, [])
        #expect(report.isComplete && report.policies == Self.counts(2, 0, 0))
        let long = try (0..<5_000).map { try Self.policy("n:p\($0)", imports: ["n:p\($0 + 1)"]) }
        #expect(TwinEngine.importedFirst(long) == (0..<5_000).reversed())
    }

    @Test("what refers to a policy that is nowhere is refused at its place, and then nothing is written")
    func refused() throws {
        let fixture = try EngineFixture()
        try fixture.rig.policy(.create, "n:stored", PolicySample.owned)
        let report = fixture.rig.engine.apply(
            [try Self.policy("n:p", imports: ["n:stored"]), try Self.policy("n:q", imports: ["n:none"])],
            [
                try Self.thing("n:t", policy: "n:p"), try Self.thing("n:u", policy: "n:stored"),
                try Self.thing("n:v", policy: "n:none"),
            ])
        #expect(report.refusals.map(\.seed) == [.policy(1), .thing(2)])
        #expect(report.refusals.map(\.problem.path) == [["imports", "n:none"], ["policyId"]])
        #expect(report.refusals.allSatisfy { $0.problem.message.contains("policies:policy.notfound") })
        #expect(report.policies == Self.counts(0, 0, 0) && !report.isComplete)
        expectError("things:thing.notfound", 404) { try fixture.rig.run(.retrieve, "n:t") }
    }

    @Test("a seed that stays alone may refer to what is gone")
    func goneAway() throws {
        let fixture = try EngineFixture()
        let engine = fixture.rig.engine
        let things = [try Self.thing("n:t", policy: "n:p")]
        #expect(engine.apply([try Self.policy("n:p")], things).isComplete)
        try fixture.rig.policy(.delete, "n:p")
        #expect(engine.apply([], things).isComplete)
    }

    @Test("a store that refuses is told, and what was not committed is not there")
    func storeFails() throws {
        let fixture = try EngineFixture()
        fixture.rig.store.state.update { $0.isDead = true }
        defer { fixture.rig.store.state.update { $0.isDead = false } }
        let report = fixture.rig.engine.apply([try Self.policy("n:p")], [])
        #expect(report.failure?.status == 503 && !report.isComplete)
    }

    @Test("thousands of seeds are made, and left alone after that")
    func many() throws {
        let fixture = try EngineFixture()
        let things = try (0..<3_000).map { try Self.thing("n:t\($0)", policy: "n:p", #","attributes":{"n":\#($0)}"#) }
        let report = fixture.rig.engine.apply([try Self.policy("n:p")], things)
        #expect(report.isComplete && report.things == Self.counts(3_000, 0, 0))
        #expect(fixture.rig.engine.apply([], things).things == Self.counts(0, 0, 3_000))
    }
}
