import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

/// The table of modify (spec/protocol.md §6.2).
@Suite("Modify of a thing")
struct ThingModifyTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let path: String
        let value: String
        let status: Int
        var testDescription: String { "\(path) := \(value) → \(status)" }
        init(_ path: String, _ value: String, _ status: Int) {
            self.path = path
            self.value = value
            self.status = status
        }
    }

    static let rows: [Row] = [
        Row("/policyId", #""n:other""#, 204), Row("/definition", #""c:d:2""#, 204),
        Row("/definition", #""https://example.org/model.json""#, 204), Row("/definition", "null", 204),
        Row("/attributes", #"{"q":[]}"#, 204), Row("/attributes", "{}", 204), Row("/attributes", "null", 204),
        Row("/attributes/a", "2", 204), Row("/attributes/a", "null", 204), Row("/attributes/n", "1", 204),
        Row("/attributes/new", "1.10", 201), Row("/attributes/o/x", #"{"k":{}}"#, 204),
        Row("/attributes/o/new/deep", "[1,{\"a/b\":2}]", 201), Row("/attributes/a/deep", "true", 201),
        Row("/features", "{}", 204), Row("/features", #"{"f":{},"日本":null}"#, 204), Row("/features/f", "{}", 204),
        Row("/features/f", "null", 204), Row("/features/g", #"{"properties":{}}"#, 201),
        Row("/features/f/definition", #"["x:y:1","https://example.org/m"]"#, 204),
        Row("/features/e/definition", #"["x:y:1"]"#, 201), Row("/features/f/properties", "{}", 204),
        Row("/features/e/properties", #"{"a":{"b":{}}}"#, 201), Row("/features/f/properties/p", "\"x\"", 204),
        Row("/features/f/properties/new", "null", 201), Row("/features/f/properties/o/q/r", "1", 201),
        Row("/features/e/properties/new", "1", 201), Row("/features/f/desiredProperties", "{}", 204),
        Row("/features/e/desiredProperties", "{}", 201), Row("/features/f/desiredProperties/d", "2", 204),
        Row("/features/f/desiredProperties/new/deep", "2", 201), Row("/features/e/desiredProperties/d", "2", 201),
    ]

    @Test("a part is modified or created, with its event", arguments: rows)
    func parts(row: Row) throws {
        let fixture = try EngineFixture()
        try fixture.make("n:t")
        let response = try fixture.rig.run(.modify, "n:t", row.path, row.value)
        let event = try #require(fixture.published(1).first)
        let value = try json(row.value)
        #expect(response.status == row.status)
        #expect(response.value?.value == (row.status == 201 ? .some(value) : .none))
        #expect(response.revision == 2)
        #expect(response.etag?.hasPrefix("\"hash:") == true)
        #expect(event.action == (row.status == 201 ? .created : .modified))
        #expect(event.path.description == row.path)
        #expect(event.value?.value == value)
        #expect(event.revision == 2)
        guard row.path != "/policyId" else { return }
        let retrieved = try fixture.rig.run(.retrieve, "n:t", row.path)
        #expect(retrieved.value?.value == value)
        #expect(retrieved.etag == response.etag)
    }

    @Test("the whole thing is replaced; the policy stays when the value leaves it out")
    func whole() throws {
        let fixture = try EngineFixture()
        try fixture.make("n:t")
        let response = try fixture.rig.run(
            .modify, "n:t", "/", #"{"thingId":"n:t","attributes":{"z":1},"_revision":99,"unknown":1}"#)
        #expect((response.status, response.etag) == (204, "\"rev:2\""))
        let expected = try json(#"{"thingId":"n:t","policyId":"n:t","attributes":{"z":1}}"#)
        #expect(try fixture.thing("n:t") == expected)
        let event = try #require(fixture.published(1).first)
        #expect(event.action == .modified)
        #expect(event.path.isRoot)
        #expect(event.value?.value == expected)
    }

    @Test("the policy can be changed with the whole thing, and then decides")
    func changePolicy() throws {
        let fixture = try EngineFixture()
        try fixture.make("n:t")
        try fixture.rig.policy(.create, "n:policy", Sample.policy([("test:b", ["thing:/attributes": "R"])]))
        try fixture.rig.run(.modify, "n:t", "/", #"{"policyId":"n:policy","attributes":{"z":1}}"#)
        let other = AuthorizationContext(["test:b"])
        #expect(try fixture.rig.run(.retrieve, "n:t", "/attributes/z", as: other).value?.value == 1)
        try fixture.rig.run(.modify, "n:t", "/policyId", #""n:t""#)
        expectError("things:attribute.notfound", 404) {
            try fixture.rig.run(.retrieve, "n:t", "/attributes/z", as: other)
        }
    }

    static let refused: [(String, String, String, Int)] = [
        ("/", "[]", "json.invalid", 400), ("/", "null", "json.invalid", 400), ("/", "1", "json.invalid", 400),
        ("/", #"{"thingId":"n:other"}"#, "things:id.notsettable", 400),
        ("/", #"{"thingId":7}"#, "things:id.notsettable", 400),
        ("/", #"{"policyId":7}"#, "json.invalid", 400), ("/", #"{"policyId":"x"}"#, "policies:id.invalid", 400),
        ("/", #"{"attributes":[]}"#, "json.invalid", 400), ("/", #"{"features":"x"}"#, "json.invalid", 400),
        ("/", #"{"attributes":{"a/b":1}}"#, "json.key.invalid", 400),
        ("/", #"{"attributes":{"a":{"b":{"":1}}}}"#, "json.key.invalid", 400),
        ("/", #"{"features":{"a/b":{}}}"#, "json.key.invalid", 400),
        ("/", #"{"features":{"f":{"properties":{"a/b":1}}}}"#, "json.key.invalid", 400),
        ("/", #"{"features":{"f":{"desiredProperties":{"\u007f":1}}}}"#, "json.key.invalid", 400),
        ("/", #"{"features":{"f":7}}"#, "json.invalid", 400),
        ("/", #"{"definition":7}"#, "json.invalid", 400),
        ("/", #"{"definition":"a:b"}"#, "things:definition.identifier.invalid", 400),
        ("/", #"{"_policy":{},"_copyPolicyFrom":"n:t"}"#, "things:policy.conflicting", 400),
        ("/policyId", "null", "json.invalid", 400), ("/policyId", "7", "json.invalid", 400),
        ("/policyId", #""x""#, "policies:id.invalid", 400),
        ("/definition", "{}", "json.invalid", 400),
        ("/definition", #""""#, "things:definition.identifier.invalid", 400),
        ("/definition", #""a:b:c:d""#, "things:definition.identifier.invalid", 400),
        ("/definition", #""a::c""#, "things:definition.identifier.invalid", 400),
        ("/definition", #""a:b:c d""#, "things:definition.identifier.invalid", 400),
        ("/definition", #""ftp://x/y""#, "things:definition.identifier.invalid", 400),
        ("/definition", #""http://""#, "things:definition.identifier.invalid", 400),
        ("/definition", #""https:///x""#, "things:definition.identifier.invalid", 400),
        ("/attributes", "[]", "json.invalid", 400), ("/attributes", "1", "json.invalid", 400),
        ("/attributes", #"{"a":{"b/c":1}}"#, "json.key.invalid", 400),
        ("/attributes/a", #"{"b\n":1}"#, "json.key.invalid", 400),
        ("/features", "[]", "json.invalid", 400), ("/features", #"{"f":[]}"#, "json.invalid", 400),
        ("/features/f", "[]", "json.invalid", 400), ("/features/f", #"{"definition":"a:b:1"}"#, "json.invalid", 400),
        ("/features/f", #"{"definition":[]}"#, "things:feature.definition.empty", 400),
        ("/features/f", #"{"properties":[]}"#, "json.invalid", 400),
        ("/features/f/definition", "[]", "things:feature.definition.empty", 400),
        ("/features/f/definition", "{}", "json.invalid", 400),
        ("/features/f/definition", "[7]", "things:definition.identifier.invalid", 400),
        ("/features/f/definition", #"["a:b"]"#, "things:definition.identifier.invalid", 400),
        ("/features/f/properties", "[]", "json.invalid", 400),
        ("/features/f/properties/p", #"{"ü":1}"#, "json.key.invalid", 400),
        ("/features/f/desiredProperties", "7", "json.invalid", 400),
        ("/features/x/definition", #"["a:b:1"]"#, "things:feature.notfound", 404),
        ("/features/x/properties", "{}", "things:feature.notfound", 404),
        ("/features/x/properties/p", "1", "things:feature.notfound", 404),
        ("/features/x/desiredProperties", "{}", "things:feature.notfound", 404),
        ("/features/x/desiredProperties/d", "1", "things:feature.notfound", 404),
    ]

    @Test("illegal values change nothing", arguments: refused)
    func illegal(path: String, value: String, code: String, status: Int) throws {
        let fixture = try EngineFixture()
        try fixture.make("n:t")
        let before = try fixture.thing("n:t")
        expectError(code, status) { try fixture.rig.run(.modify, "n:t", path, value) }
        #expect(try fixture.thing("n:t") == before)
        #expect(try fixture.rig.run(.retrieve, "n:t").revision == 1)
        #expect(fixture.published(1, within: 20).isEmpty)
    }

    @Test("a thing that is not there is not found, whatever the part", arguments: rows)
    func absent(row: Row) throws {
        let fixture = try EngineFixture()
        for action in [ThingCommand.Action.modify, .merge, .delete, .retrieve] {
            expectError("things:thing.notfound", 404) { try fixture.rig.run(action, "n:t", row.path, row.value) }
        }
    }

    /// Path, word of the code, and a value that is legal there: what is not is told before anything else.
    static let owned: [(String, String, String)] = [
        ("/", "thing", "{}"), ("/policyId", "policyId", #""n:other""#), ("/definition", "definition", #""a:b:2""#),
        ("/attributes", "attributes", #"{"a":2}"#), ("/attributes/a", "attribute", "1"),
        ("/features", "features", #"{"f":{}}"#), ("/features/f", "feature", #"{"properties":{"p":2}}"#),
        ("/features/f/definition", "feature.definition", #"["a:b:2"]"#),
        ("/features/f/properties", "feature.properties", #"{"p":2}"#),
        ("/features/f/properties/p", "feature.property", "1"),
        ("/features/f/desiredProperties", "feature.desiredProperties", #"{"d":2}"#),
        ("/features/f/desiredProperties/d", "feature.desiredProperty", "1"),
    ]

    @Test("without WRITE it is forbidden, with or without READ", arguments: owned)
    func forbidden(path: String, word: String, value: String) throws {
        let fixture = try EngineFixture()
        let policy = Sample.policy([
            ("test:reader", ["thing:/": "R"]),
            ("test:hole", ["thing:/": "RW", "thing:\(path == "/" ? "/attributes" : path)": "-W"]),
        ])
        try fixture.rig.policy(.create, "n:policy", policy)
        try fixture.make("n:t", Sample.guarded)
        for subject in ["test:reader", "test:stranger", "test:hole"] {
            let context = AuthorizationContext([subject])
            expectError("things:\(word).notmodifiable", 403, "\(subject)") {
                try fixture.rig.run(.modify, "n:t", path, value, as: context)
            }
            expectError("things:thing.notmodifiable", 403, "\(subject)") {
                try fixture.rig.run(.merge, "n:t", path, path == "/" ? #"{"attributes":{"a":2}}"# : "1", as: context)
            }
            guard path != "/policyId" else { continue }
            expectError(path == "/" ? "things:thing.notdeletable" : "things:\(word).notmodifiable", 403, "\(subject)") {
                try fixture.rig.run(.delete, "n:t", path, as: context)
            }
        }
        #expect(try fixture.rig.run(.retrieve, "n:t").revision == 1)
        #expect(fixture.published(1, within: 20).isEmpty)
    }

    @Test("a change over the size limit is refused, at the limit it is taken")
    func size() throws {
        let fixture = try EngineFixture(settings: EngineRig.settings(limits: TwinLimits(thingBytes: 200)))
        try fixture.make("n:t", #"{"attributes":{"a":""}}"#)
        let bytes = try #require(try fixture.thing("n:t")).bytes.count
        let fits = String(repeating: "x", count: 200 - bytes)
        try fixture.rig.run(.modify, "n:t", "/attributes/a", "\"\(fits)\"")
        for (action, path, value) in [
            (ThingCommand.Action.modify, "/attributes/a", "\"\(fits)x\""),
            (.modify, "/", #"{"attributes":{"a":"\#(fits)x"}}"#), (.merge, "/attributes", #"{"a":"\#(fits)x"}"#),
            (.modify, "/features/g", "{}"),
        ] {
            expectError("things:thing.toolarge", 413) { try fixture.rig.run(action, "n:t", path, value) }
        }
        expectError("things:thing.toolarge", 413) {
            try fixture.rig.run(.create, "n:u", "/", #"{"attributes":{"a":"\#(fits)x"}}"#)
        }
        // A creation that is refused leaves no policy behind.
        try fixture.rig.run(.create, "n:u", "/", "{}")
        #expect(try fixture.rig.run(.retrieve, "n:t").revision == 2)
    }
}
