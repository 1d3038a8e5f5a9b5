import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

/// Each row of the command tables (spec/protocol.md §6.2) with everything that can become of it. What the values must
/// look like stands in the tests of modify and merge.
@Suite("Commands by resource")
struct ThingCommandTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let path: String
        /// The word of the resource in codes.
        let word: String
        /// A value that differs from that of `Sample.thing`.
        let value: String
        /// The code when it is missing from a thing without attributes and features.
        let missing: String
        var testDescription: String { path }
        init(_ path: String, _ word: String, _ value: String, missing: String? = nil) {
            self.path = path
            self.word = word
            self.value = value
            self.missing = "things:\(missing ?? word).notfound"
        }
    }

    static let rows: [Row] = [
        Row("/definition", "definition", #""a:b:2""#), Row("/attributes", "attributes", #"{"a":2}"#),
        Row("/attributes/a", "attribute", "2"), Row("/attributes/o/x", "attribute", #"{"y":1}"#),
        Row("/features", "features", #"{"f":{}}"#), Row("/features/f", "feature", #"{"properties":{}}"#),
        Row("/features/f/definition", "feature.definition", #"["a:b:2"]"#, missing: "feature"),
        Row("/features/f/properties", "feature.properties", #"{"p":2}"#, missing: "feature"),
        Row("/features/f/properties/o/q", "feature.property", "2", missing: "feature"),
        Row("/features/f/desiredProperties", "feature.desiredProperties", #"{"d":2}"#, missing: "feature"),
        Row("/features/f/desiredProperties/d", "feature.desiredProperty", "2", missing: "feature"),
    ]
    static let all = [Row("/", "thing", #"{"policyId":"n:policy","attributes":{"a":2}}"#), policyID] + rows
    static let policyID = Row("/policyId", "policyId", #""n:policy""#)

    private static func fixture(_ value: String = Sample.guarded) throws -> EngineFixture {
        let fixture = try EngineFixture()
        try fixture.rig.policy(.create, "n:policy", Sample.policy([("test:reader", ["thing:/": "R"])]))
        try fixture.make("n:t", value)
        return fixture
    }

    @Test("modify replaces, merge patches, retrieve gives, delete removes; each change is one event", arguments: all)
    func success(row: Row) throws {
        for action in [ThingCommand.Action.modify, .merge, .retrieve, .delete] {
            if action == .delete, row.path == "/policyId" { continue }
            let fixture = try Self.fixture()
            let value = action == .modify || action == .merge ? row.value : nil
            let response = try fixture.rig.run(action, "n:t", row.path, value)
            #expect(response.action == action)
            guard action != .retrieve else {
                #expect((response.status, response.revision) == (200, 1))
                #expect(response.etag == (row.path == "/" ? "\"rev:1\"" : response.etag))
                #expect(fixture.published(1, within: 20).isEmpty)
                continue
            }
            #expect((response.status, response.revision) == (204, 2), "\(action)")
            #expect(response.value == nil)
            let events = fixture.published(2, within: 40)
            #expect(events.count == 1)
            let event = try #require(events.first)
            let name: ThingEvent.Action = action == .merge ? .merged : action == .delete ? .deleted : .modified
            #expect((event.action, event.path.description, event.revision) == (name, row.path, 2))
            switch action {
            case .delete:
                #expect(event.value == nil)
                #expect(response.etag == nil)
            case .merge: #expect(event.value?.value == (try json(row.value)))
            default:
                if row.path != "/" { #expect(event.value?.value == (try json(row.value))) }
                #expect(try fixture.rig.run(.retrieve, "n:t", row.path).etag == response.etag)
            }
        }
    }

    @Test("modify of what is missing creates it or says what is missing; retrieve and delete say so", arguments: rows)
    func missing(row: Row) throws {
        let bare = #"{"policyId":"n:policy"}"#
        let fixture = try Self.fixture(bare)
        for action in [ThingCommand.Action.retrieve, .delete] {
            expectError(row.missing, 404, "\(action)") { try fixture.rig.run(action, "n:t", row.path) }
        }
        if row.missing == "things:feature.notfound", row.word != "feature" {
            expectError(row.missing, 404) { try fixture.rig.run(.modify, "n:t", row.path, row.value) }
            // Tags are asked before what only this resource needs, but no tag is that of nothing.
            expectError("things:precondition.failed", 412) {
                try fixture.rig.run(.modify, "n:t", row.path, row.value, headers: ["if-match": "*"])
            }
        } else {
            let response = try fixture.rig.run(.modify, "n:t", row.path, row.value)
            #expect((response.status, response.action, response.revision) == (201, .modify, 2))
            #expect(response.value?.value == (try json(row.value)))
            let event = try #require(fixture.published(1).first)
            #expect((event.action, event.path.description) == (.created, row.path))
        }
        // A merge makes the feature too, and is never answered as a creation.
        let other = try Self.fixture(bare)
        #expect(try other.rig.run(.merge, "n:t", row.path, row.value).status == 204)
        #expect(try #require(other.published(1).first).action == .merged)
        #expect(try other.rig.run(.retrieve, "n:t", row.path).value?.value == json(row.value))
    }

    @Test("without WRITE no change, without READ nothing is there", arguments: all)
    func forbidden(row: Row) throws {
        let fixture = try Self.fixture()
        let reader = AuthorizationContext(["test:reader"])
        expectError("things:\(row.word).notmodifiable", 403) {
            try fixture.rig.run(.modify, "n:t", row.path, row.value, as: reader)
        }
        expectError("things:thing.notmodifiable", 403) {
            try fixture.rig.run(.merge, "n:t", row.path, row.value, as: reader)
        }
        if row.path != "/policyId" {
            expectError(row.path == "/" ? "things:thing.notdeletable" : "things:\(row.word).notmodifiable", 403) {
                try fixture.rig.run(.delete, "n:t", row.path, as: reader)
            }
        }
        #expect(try fixture.rig.run(.retrieve, "n:t", row.path, as: reader).status == 200)
        expectError("things:\(row.word).notfound", 404) {
            try fixture.rig.run(.retrieve, "n:t", row.path, as: AuthorizationContext(["test:stranger"]))
        }
        #expect(fixture.published(1, within: 20).isEmpty)
    }

    @Test("every command has its preconditions on the addressed resource", arguments: all)
    func preconditions(row: Row) throws {
        let fixture = try Self.fixture()
        let tag = try #require(try fixture.rig.run(.retrieve, "n:t", row.path).etag)
        #expect(row.path == "/" ? tag == "\"rev:1\"" : tag.hasPrefix("\"hash:"))
        let actions: [ThingCommand.Action] =
            row.path == "/policyId" ? [.modify, .merge, .retrieve] : [.modify, .merge, .retrieve, .delete]
        for action in actions {
            let value = action == .modify || action == .merge ? row.value : nil
            for (headers, code, status) in [
                (["if-match": "\"other\""], "things:precondition.failed", 412),
                (["if-match": "W/\(tag)"], "things:precondition.failed", 412),
                (
                    ["if-none-match": "\"other\",\(tag)"],
                    action == .retrieve ? "things:precondition.notmodified" : "things:precondition.failed",
                    action == .retrieve ? 304 : 412
                ),
                (
                    ["if-none-match": "*"],
                    action == .retrieve ? "things:precondition.notmodified" : "things:precondition.failed",
                    action == .retrieve ? 304 : 412
                ),
                (["condition": "eq(attributes/a,77)"], "things:condition.failed", 412),
                (["condition": "eq(attributes/a"], "things:condition.invalid", 400),
            ] {
                expectError(code, status, "\(action) \(headers)") {
                    try fixture.rig.run(action, "n:t", row.path, value, headers: headers)
                }
            }
        }
        #expect(fixture.published(1, within: 20).isEmpty)
        let headers = ["if-match": tag, "if-none-match": "\"other\"", "condition": "eq(attributes/a,1)"]
        for action in actions {
            let fixture = try Self.fixture()
            let value = action == .modify || action == .merge ? row.value : nil
            #expect(try fixture.rig.run(action, "n:t", row.path, value, headers: headers).status < 300, "\(action)")
        }
    }

    @Test("a thing of a deleted id counts on, also through the next start of its parts")
    func countsOn() throws {
        let fixture = try Self.fixture()
        for round in 0..<3 {
            let base = Int64(round * 3 + 1)
            #expect(try fixture.rig.run(.modify, "n:t", "/attributes/a", "3").revision == base + 1)
            #expect(try fixture.rig.run(.delete, "n:t").revision == base + 2)
            for row in Self.all {
                for action in [ThingCommand.Action.retrieve, .delete, .modify, .merge] where row.path != "/" {
                    expectError("things:thing.notfound", 404) {
                        try fixture.rig.run(action, "n:t", row.path, row.value)
                    }
                }
            }
            #expect(try fixture.rig.run(.modify, "n:t", "/", Sample.guarded).revision == base + 3)
        }
    }
}
