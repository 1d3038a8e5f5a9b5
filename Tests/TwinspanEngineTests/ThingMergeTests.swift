import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

/// The table of merge (spec/protocol.md §3.2, §6.2).
@Suite("Merge of a thing")
struct ThingMergeTests {
    static let start = #"{"attributes":{"a":1,"o":{"x":1,"y":{"z":2}}},"features":{"f":{"properties":{"p":1}}}}"#

    /// Path, patch, and the path that is compared afterwards with its value; nil when it must be gone.
    static let rows: [(String, String, String, String?)] = [
        ("/attributes/a", "2", "/attributes", #"{"a":2,"o":{"x":1,"y":{"z":2}}}"#),
        ("/attributes/a", "null", "/attributes", #"{"o":{"x":1,"y":{"z":2}}}"#),
        ("/attributes/nope", "null", "/attributes", #"{"a":1,"o":{"x":1,"y":{"z":2}}}"#),
        ("/attributes/a", #"{"b":1,"c":null}"#, "/attributes/a", #"{"b":1}"#),
        ("/attributes/o", #"{"x":null,"w":{"v":null}}"#, "/attributes/o", #"{"y":{"z":2},"w":{}}"#),
        ("/attributes/o", "[1,null]", "/attributes/o", "[1,null]"),
        ("/attributes/o/y/z", "null", "/attributes/o", #"{"x":1,"y":{}}"#),
        ("/attributes/new/deep/er", "1", "/attributes/new", #"{"deep":{"er":1}}"#),
        ("/attributes", "null", "/attributes", nil),
        ("/attributes", #"{"a":null,"b":2}"#, "/attributes", #"{"o":{"x":1,"y":{"z":2}},"b":2}"#),
        ("/attributes", #"{"{{~[ao]~}}":null,"b":2}"#, "/attributes", #"{"b":2}"#),
        ("/attributes", #"{"{{~o~}}":null,"o":{"n":1}}"#, "/attributes", #"{"a":1,"o":{"n":1}}"#),
        ("/features", "null", "/features", nil),
        ("/features/f", "null", "/features", "{}"),
        ("/features/g/properties/p", "5", "/features/g", #"{"properties":{"p":5}}"#),
        ("/features/f/properties", #"{"q":{"r":null}}"#, "/features/f/properties", #"{"p":1,"q":{}}"#),
        ("/features/f/definition", #"["a:b:1"]"#, "/features/f/definition", #"["a:b:1"]"#),
        ("/features/f/desiredProperties/d", "1", "/features/f", #"{"properties":{"p":1},"desiredProperties":{"d":1}}"#),
        ("/definition", #""a:b:1""#, "/definition", #""a:b:1""#),
        ("/definition", "null", "/definition", nil),
        (
            "/", #"{"attributes":{"a":null},"definition":"x:y:1"}"#, "/",
            #"{"thingId":"n:t","policyId":"n:t","definition":"x:y:1","attributes":{"o":{"x":1,"y":{"z":2}}},"#
                + #""features":{"f":{"properties":{"p":1}}}}"#
        ),
        (
            "/", #"{"thingId":"n:t","features":null}"#, "/",
            #"{"thingId":"n:t","policyId":"n:t","attributes":{"a":1,"o":{"x":1,"y":{"z":2}}}}"#
        ),
    ]

    @Test("a patch is applied and is the value of the event", arguments: rows)
    func applied(path: String, patch: String, seen: String, expected: String?) throws {
        let fixture = try EngineFixture()
        try fixture.make("n:t", Self.start)
        let response = try fixture.rig.run(.merge, "n:t", path, patch)
        #expect((response.status, response.revision) == (204, 2))
        #expect(response.value == nil)
        let event = try #require(fixture.published(1).first)
        #expect(event.action == .merged)
        #expect(event.path.description == path)
        #expect(event.value?.value == (try json(patch)))
        if let expected {
            #expect(try fixture.rig.run(.retrieve, "n:t", seen).value?.value == json(expected))
        } else {
            #expect(throws: TwinspanError.self) { try fixture.rig.run(.retrieve, "n:t", seen) }
        }
    }

    static let refused: [(String, String, String, Int)] = [
        ("/", "{}", "things:merge.invalid", 400), ("/", "null", "things:merge.invalid", 400),
        ("/", "[]", "things:merge.invalid", 400), ("/", "1", "things:merge.invalid", 400),
        ("/", #"{"thingId":null}"#, "things:id.notdeletable", 400),
        ("/", #"{"thingId":"n:other"}"#, "things:id.notsettable", 400),
        ("/", #"{"policyId":null}"#, "things:policyId.notdeletable", 400),
        ("/policyId", "null", "things:policyId.notdeletable", 400),
        ("/attributes", #"{"{{~(~}}":null}"#, "things:merge.invalid", 400),
    ]

    @Test("a patch that cannot be applied changes nothing", arguments: refused)
    func illegal(path: String, patch: String, code: String, status: Int) throws {
        let fixture = try EngineFixture()
        try fixture.make("n:t", Self.start)
        let before = try fixture.thing("n:t")
        expectError(code, status) { try fixture.rig.run(.merge, "n:t", path, patch) }
        #expect(try fixture.thing("n:t") == before)
        #expect(fixture.published(1, within: 20).isEmpty)
    }

    @Test(
        "a patch whose result would be no thing is refused",
        arguments: [
            ("/", #"{"attributes":[]}"#), ("/", #"{"attributes":{"a/b":1}}"#), ("/", #"{"features":{"f":1}}"#),
            ("/", #"{"definition":"a"}"#), ("/", #"{"policyId":"x"}"#), ("/", #"{"{{~policyId~}}":null}"#),
            ("/", #"{"{{~thingId~}}":null}"#), ("/", #"{"{{~.*~}}":null}"#),
            ("/", #"{"{{~thing.*~}}":null,"attributes":{}}"#),
            ("/attributes", "1"), ("/attributes/a", #"{"\u0001":1}"#), ("/features", "[]"), ("/features/f", "1"),
            ("/features/f", #"{"properties":1}"#), ("/features/f/properties", "1"), ("/features/f/definition", "[]"),
            ("/features/f/definition", "{}"), ("/definition", "1"), ("/policyId", "1"), ("/policyId", #""x""#),
        ])
    func invalidResult(path: String, patch: String) throws {
        let fixture = try EngineFixture()
        try fixture.make("n:t", Self.start)
        let before = try fixture.thing("n:t")
        do {
            try fixture.rig.run(.merge, "n:t", path, patch)
            Issue.record("it was taken: \(try fixture.thing("n:t")?.text ?? "gone")")
        } catch let error as TwinspanError {
            #expect(error.status == 400)
        }
        #expect(try fixture.thing("n:t") == before)
    }

    @Test(
        "members that a client may not write are left out of the thing and of the event",
        arguments: [
            #"{"_revision":99,"_policy":{},"attributes":{"a":2}}"#, #"{"unknown":{"x":1},"attributes":{"a":2}}"#,
            #"{"_metadata":{"x":1},"__lifecycle":"DELETED","attributes":{"a":2}}"#,
        ])
    func foreignMembers(patch: String) throws {
        let fixture = try EngineFixture()
        try fixture.make("n:t", #"{"attributes":{"a":1}}"#)
        try fixture.rig.run(.merge, "n:t", "/", patch)
        #expect(try fixture.thing("n:t") == json(#"{"thingId":"n:t","policyId":"n:t","attributes":{"a":2}}"#))
        #expect(try fixture.published(1).first?.value?.value == json(#"{"attributes":{"a":2}}"#))
    }

    @Test("a merge at the root of a thing that is not there creates it, without the nulls")
    func creates() throws {
        let fixture = try EngineFixture()
        let response = try fixture.rig.run(
            .merge, "n:t", "/", #"{"definition":null,"attributes":{"a":1,"b":null},"features":{"f":null}}"#)
        #expect((response.status, response.action, response.revision) == (201, .create, 1))
        let expected = try json(#"{"thingId":"n:t","policyId":"n:t","attributes":{"a":1},"features":{}}"#)
        #expect(response.value?.value == expected)
        let event = try #require(fixture.published(1).first)
        #expect(event.action == .created)
        #expect(event.value?.value == expected)
    }

    @Test("an empty merge does not create", arguments: ["{}", "null", "[]", "1", #"{"attributes":7}"#])
    func createsNothing(patch: String) throws {
        let fixture = try EngineFixture()
        #expect(throws: TwinspanError.self) { try fixture.rig.run(.merge, "n:t", "/", patch) }
        expectError("things:thing.notfound", 404) { try fixture.rig.run(.retrieve, "n:t") }
    }

    @Test(
        "partial WRITE is enough when it covers every leaf of the patch",
        arguments: [
            ("/", #"{"attributes":{"a":2}}"#, true), ("/", #"{"attributes":{"a":null}}"#, true),
            ("/", #"{"attributes":{"a":{"deep":1}}}"#, true), ("/attributes", #"{"a":2}"#, true),
            ("/attributes/a", "3", true), ("/", #"{"attributes":{"a":2,"o":{"x":2}}}"#, false),
            ("/", #"{"attributes":null}"#, false), ("/", #"{"attributes":{}}"#, false),
            ("/attributes", #"{"{{~a~}}":null}"#, false), ("/attributes", "null", false), ("/attributes/o", "1", false),
            ("/", #"{"policyId":"n:policy","attributes":{"a":2}}"#, false), ("/features/f", "null", false),
            ("/attributes/a", #"{"secret":1}"#, false), ("/attributes/a", #"{"open":1}"#, true),
        ])
    func partial(path: String, patch: String, isAllowed: Bool) throws {
        let fixture = try EngineFixture()
        try fixture.rig.policy(
            .create, "n:policy",
            Sample.policy([("test:part", ["thing:/attributes/a": "W", "thing:/attributes/a/secret": "-W"])]))
        try fixture.make("n:t", #"{"policyId":"n:policy","# + Self.start.dropFirst())
        let context = AuthorizationContext(["test:part"])
        // A revoke below the leaf forbids to replace the leaf as a whole.
        let replacesSecret = patch == "3" || (isAllowed && !patch.contains("open") && !patch.contains("deep"))
        if isAllowed, !replacesSecret {
            #expect(try fixture.rig.run(.merge, "n:t", path, patch, as: context).status == 204)
        } else {
            expectError("things:thing.notmodifiable", 403) {
                try fixture.rig.run(.merge, "n:t", path, patch, as: context)
            }
        }
    }
}
