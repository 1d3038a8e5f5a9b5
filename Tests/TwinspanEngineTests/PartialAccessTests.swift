// Partial access in the engine (spec/policies-search.md A.4): views that are shared, and what tells nothing of the
// rest.
import Glibc
import Synchronization
import Testing
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanEngine

@Suite("Partial access")
struct PartialAccessTests {
    private static let rules: [(subject: String, resources: [String: String])] = [
        ("test:all", ["thing:/": "R"]),
        ("test:a", ["thing:/attributes/a": "R"]),
        ("test:hole", ["thing:/": "R", "thing:/attributes/o/x": "-R"]),
        ("test:o", ["thing:/attributes/o/y": "R"]),
        ("test:blind", ["thing:/attributes/a": "W", "thing:/attributes/o": "W"]),
        ("test:deep", ["thing:/attributes/o": "RW", "thing:/attributes/o/x": "-R"]),
    ]

    private static func fixture(settings: EngineSettings = EngineRig.settings()) throws -> EngineFixture {
        let fixture = try EngineFixture(settings: settings)
        try fixture.rig.policy(.create, "n:policy", Sample.policy(rules))
        try fixture.make("n:t", Sample.guarded)
        return fixture
    }

    private static func change(_ fixture: EngineFixture, _ body: (EngineRig) throws -> Void) throws -> (
        TwinChange, ThingEvent
    ) {
        try body(fixture.rig)
        for _ in 0..<1_000 {
            if let change = fixture.events.take().first, case .thing(let event, _) = change.content {
                return (change, event)
            }
            usleep(5_000)
        }
        throw ScenarioFailure("there is no event")
    }

    private static func reader(_ name: String) -> AuthorizationContext { AuthorizationContext(["test:\(name)"]) }

    @Test("a thousand readers with three distinct views cost three views and three envelopes")
    func sharedViews() throws {
        let fixture = try EngineFixture()
        let names = ["a", "hole", "o", "all", "none"]
        var entries: [String] = [
            #""owner":{"subjects":{"test:owner":{"type":"t"}},"resources":{"thing:/":{"grant":["READ","WRITE"],"#
                + #""revoke":[]},"policy:/":{"grant":["READ","WRITE"],"revoke":[]}}}"#
        ]
        let resources = [
            "a": #""thing:/attributes/a":{"grant":["READ"],"revoke":[]}"#,
            "hole":
                #""thing:/":{"grant":["READ"],"revoke":[]},"thing:/attributes/o/x":{"grant":[],"revoke":["READ"]}"#,
            "o": #""thing:/attributes/o/y":{"grant":["READ"],"revoke":[]}"#,
            "all": #""thing:/":{"grant":["READ"],"revoke":[]}"#,
        ]
        for (name, resource) in resources {
            let subjects = (0..<200).map { #""test:\#(name)\#($0)":{"type":"t"}"# }.joined(separator: ",")
            entries.append(#""\#(name)":{"subjects":{\#(subjects)},"resources":{\#(resource)}}"#)
        }
        try fixture.rig.policy(.create, "n:policy", #"{"entries":{\#(entries.joined(separator: ","))}}"#)
        let (change, event) = try Self.change(fixture) { try $0.run(.create, "n:t", "/", Sample.guarded) }
        var texts: [String: Set<[UInt8]>] = [:]
        for number in 0..<200 {
            for name in names {
                switch change.view(of: event, for: Self.reader("\(name)\(number)")) {
                case .full: texts[name, default: []].insert(change.envelopeBytes(of: event))
                case .part(let part): texts[name, default: []].insert(change.envelopeBytes(of: event, part))
                case .none: texts[name, default: []].insert([])
                }
            }
        }
        let made = change.views.withLock { $0.made }
        #expect(made.views == 3)
        #expect(made.envelopes == 3)
        #expect(texts.values.allSatisfy { $0.count == 1 })
        #expect(texts["none"] == [[]])
        let part = try JSONValue.parse(try #require(texts["a"]?.first)).object?["value"]
        #expect(part == ["thingId": "n:t", "attributes": ["a": 1]])
        #expect(texts["all"]?.first == change.envelopeBytes(of: event))
        #expect(Set(texts.values.compactMap(\.first)).count == 5)
    }

    @Test("the parts of a live event are shared as well")
    func sharedLiveViews() throws {
        let live = try LiveFixture()
        let subscriptions = try (0..<20).map {
            try live.subscribe([.liveEvents], as: LiveFixture.limited, session: "limited\($0)")
        }
        let stranger = try live.subscribe([.liveEvents], as: LiveFixture.stranger, session: "stranger")
        let value = JSONText(try JSONValue.parse(#"{"a":1,"o":{"x":2}}"#))
        let path = try JSONPointer(parsing: "/attributes")
        _ = try live.send(LiveEvent(thingID: try ThingID("n:t"), action: .modified, path: path, value: value))
        let got = subscriptions.flatMap { $0.take() }
        #expect(got.count == 20)
        #expect(Set(got.map(\.bytes)).count == 1)
        #expect(got.allSatisfy { $0.envelope.value?.value == ["a": 1] })
        let made = try #require(got.first?.signal.views.withLock { $0.made })
        #expect(made.views == 1 && made.envelopes == 1)
        #expect(stranger.take().isEmpty)
    }

    @Test(
        "with partial events off, only who may read the whole thing gets an event, and all of it",
        arguments: [("all", true), ("a", false), ("hole", false), ("o", false), ("nobody", false)])
    func withoutParts(name: String, isDelivered: Bool) throws {
        var settings = EngineRig.settings()
        settings.access.deliversPartialEvents = false
        let fixture = try Self.fixture(settings: settings)
        for path in ["/attributes/a", "/attributes/o/y"] {
            let (change, event) = try Self.change(fixture) { try $0.run(.modify, "n:t", path, "5") }
            switch change.view(of: event, for: Self.reader(name)) {
            case .full: #expect(isDelivered)
            case .none: #expect(!isDelivered)
            case .part: Issue.record("a part of the event at \(path)")
            }
        }
    }

    @Test("the tag of a part is made of what its reader sees: it does not change with what he does not see")
    func tags() throws {
        let fixture = try Self.fixture()
        func tag(_ name: String) throws -> String? {
            try fixture.rig.run(.retrieve, "n:t", "/attributes/o", as: Self.reader(name)).etag
        }
        let before = (try tag("hole"), try tag("all"))
        #expect(before.0 != before.1)
        try fixture.rig.run(.modify, "n:t", "/attributes/o/x", "77")
        let after = (try tag("hole"), try tag("all"))
        #expect(after.0 == before.0)
        #expect(after.1 != before.1)
        // It still serves its purpose for him.
        expectError("things:precondition.notmodified", 304) {
            var headers: [String: String] = [:]
            headers["if-none-match"] = after.0
            return try fixture.rig.run(
                .retrieve, "n:t", "/attributes/o", headers: headers, as: Self.reader("hole"))
        }
        // The tag of the whole is no way to try what the rest is.
        var guess: [String: String] = [:]
        guess["if-none-match"] = after.1
        _ = try fixture.rig.run(.retrieve, "n:t", "/attributes/o", headers: guess, as: Self.reader("hole"))
        let written = try fixture.rig.run(
            .modify, "n:t", "/attributes/o", #"{"x":1,"y":2}"#, as: Self.reader("deep"))
        var match: [String: String] = [:]
        match["if-match"] = written.etag
        try fixture.rig.run(.modify, "n:t", "/attributes/o/x", "5")
        #expect(
            try fixture.rig.run(
                .modify, "n:t", "/attributes/o", #"{"x":1,"y":3}"#, headers: match, as: Self.reader("deep")
            ).status == 204)
    }

    @Test("who may write but not read cannot try values by their tags")
    func guesses() throws {
        let fixture = try Self.fixture()
        let tag = try #require(try fixture.rig.run(.retrieve, "n:t", "/attributes/a").etag)
        let blind = Self.reader("blind")
        for guess in [tag, "\"hidden\"", "\"x\""] {
            expectError("things:precondition.failed", 412, "\(guess)") {
                try fixture.rig.run(.modify, "n:t", "/attributes/a", "1", headers: ["if-match": guess], as: blind)
            }
        }
        for (name, value, status) in [("if-match", "*", 204), ("if-none-match", tag, 204)] {
            let response = try fixture.rig.run(
                .modify, "n:t", "/attributes/a", "1", headers: [name: value], as: blind)
            #expect(response.status == status)
        }
        expectError("things:precondition.failed", 412) {
            try fixture.rig.run(.modify, "n:t", "/attributes/a", "1", headers: ["if-none-match": "*"], as: blind)
        }
    }

    @Test("a condition on metadata needs READ where the metadata is about")
    func metadataConditions() throws {
        let fixture = try Self.fixture()
        let put = #"[{"key":"k","value":"v"}]"#
        for path in ["/attributes/o/x", "/attributes/o/y"] {
            try fixture.rig.run(.modify, "n:t", path, "1", headers: ["put-metadata": put])
        }
        func retrieve(_ field: String) throws -> ThingResponse {
            try fixture.rig.run(
                .retrieve, "n:t", headers: ["condition": "exists(_metadata/attributes/o/\(field)/k)"],
                as: Self.reader("hole"))
        }
        _ = try retrieve("y")
        expectError("things:condition.failed", 412) { try retrieve("x") }
        let fields = try fixture.rig.run(.retrieve, "n:t", fields: "_metadata", as: Self.reader("hole")).value?.value
        #expect(fields == ["_metadata": ["attributes": ["o": ["y": ["k": "v"]]]]])
    }

    @Test("a change that was judged before a policy changed is judged again")
    func policyChangesInBetween() throws {
        let queue = CommitQueue()
        func change(_ content: TwinChange.Content) -> TwinChange {
            TwinChange(
                content: content, headers: DittoHeaders(), originator: nil, origin: nil, enforcer: nil, madeAt: 0)
        }
        let before = queue.policyChanges
        #expect(queue.append(change(.records([])), judgedAfter: before) == 1)
        let fixture = try Self.fixture()
        let records = try fixture.rig.store.inner.journal(after: 0, limit: 10)
        let event = try #require(
            records.lazy.compactMap { record -> PolicyEvent? in
                if case .policy(let event) = record.content { event } else { nil }
            }.first)
        let state = PolicyState.never
        #expect(queue.append(change(.policy(event, after: state))) == 2)
        #expect(queue.append(change(.records([])), judgedAfter: before) == nil)
        #expect(queue.append(change(.records([])), judgedAfter: queue.policyChanges) == 3)
    }

    @Test("the answer of a device is cut by the policy of the request and by the present one")
    func answers() throws {
        let live = try LiveFixture()
        let device = try live.subscribe()
        func ask(_ path: String) throws -> Answers {
            try live.request(LiveFixture.command(.retrieve, path), as: LiveFixture.limited)
        }
        func answer(_ path: String, _ value: String) throws {
            let id = try #require(device.take().first?.signal.correlationID)
            let response = try LiveFixture.response(
                .retrieve, path, 200, value, headers: ["correlation-id": .string(id)])
            _ = try live.live.answer(response, from: try live.responder())
        }
        let whole = try ask("/")
        try answer("/", #"{"thingId":"n:t","attributes":{"a":1,"s":"secret"},"_metadata":{"attributes":{"s":1}}}"#)
        guard case .live(let first) = try whole.only() else { throw Unexpected() }
        #expect(first.value?.value == ["thingId": "n:t", "attributes": ["a": 1]])

        let (object, scalar) = (try ask("/attributes"), try ask("/attributes/a"))
        let ids = device.take().map(\.signal.correlationID)
        #expect(ids.count == 2)
        try live.rig.policy(.modify, "n:policy", Sample.policy([("test:device", ["thing:/": "R", "message:/": "R"])]))
        for (id, row) in zip(ids, [("/attributes", #"{"a":1}"#), ("/attributes/a", "1")]) {
            let response = try LiveFixture.response(
                .retrieve, row.0, 200, row.1, headers: ["correlation-id": .string(id)])
            _ = try live.live.answer(response, from: try live.responder())
        }
        for (answers, code) in [(object, "things:attributes.notfound"), (scalar, "things:attribute.notfound")] {
            guard case .live(let response) = try answers.only() else { throw Unexpected() }
            #expect(response.isError && response.status == 404)
            #expect(response.value?.value.object?["error"]?.string == code)
        }
    }
}
