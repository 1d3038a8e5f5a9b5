import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanSQLite
import TwinspanTestSupport

/// Metadata of things (spec/protocol.md §11).
@Suite("Metadata")
struct MetadataTests {
    static let thing = """
        {"attributes":{"a":1,"o":{"x":1,"y":[1]}},"features":{"f":{"definition":["a:b:1"],\
        "properties":{"p":1,"q":{"r":2}},"desiredProperties":{"p":3}},"g":{"properties":{"p":2}},"h":{}}}
        """

    private static func fixture(_ metadata: String? = nil) throws -> EngineFixture {
        let fixture = try EngineFixture()
        let value = metadata.map { #"{"_metadata":\#($0),"# + thing.dropFirst() } ?? thing
        try fixture.make("n:t", value)
        return fixture
    }

    private static func metadata(_ fixture: EngineFixture) throws -> JSONValue? {
        try fixture.rig.run(.retrieve, "n:t", fields: "_metadata").value?.value.object?["_metadata"]
    }

    /// Action, path, value, the header, and the metadata afterwards.
    static let puts: [(ThingCommand.Action, String, String, String, String)] = [
        // Exact keys, below the resource whether or not there is anything.
        (.modify, "/attributes/a", "2", #"[{"key":"k","value":1}]"#, #"{"attributes":{"a":{"k":1}}}"#),
        (
            .modify, "/attributes/a", "2", #"[{"key":"/k/l","value":{"m":[]}}]"#,
            #"{"attributes":{"a":{"k":{"l":{"m":[]}}}}}"#
        ),
        (.modify, "/attributes/a", "2", "[]", "null"),
        (
            .modify, "/attributes", #"{"a":2}"#, #"[{"key":"a/k","value":1},{"key":"z/k","value":2}]"#,
            #"{"attributes":{"a":{"k":1},"z":{"k":2}}}"#
        ),
        (
            .merge, "/attributes/o", #"{"x":2}"#, #"[{"key":"x/k","value":"v"}]"#,
            #"{"attributes":{"o":{"x":{"k":"v"}}}}"#
        ),
        (
            .merge, "/", #"{"attributes":{"a":2}}"#, #"[{"key":"attributes/a/k","value":1}]"#,
            #"{"attributes":{"a":{"k":1}}}"#
        ),
        // At the leaves of the value.
        (.modify, "/attributes/a", "2", #"[{"key":"*/k","value":1}]"#, #"{"attributes":{"a":{"k":1}}}"#),
        (
            .modify, "/attributes", #"{"a":2,"o":{"x":[{"y":1}],"e":{}}}"#, #"[{"key":"*/k","value":1}]"#,
            #"{"attributes":{"a":{"k":1},"o":{"x":{"k":1}}}}"#
        ),
        (
            .merge, "/", #"{"attributes":{"a":2,"o":null,"{{~z~}}":null}}"#, #"[{"key":"*/k","value":1}]"#,
            #"{"attributes":{"a":{"k":1}}}"#
        ),
        (.merge, "/attributes/a", "null", #"[{"key":"*/k","value":1},{"key":"m","value":1}]"#, "null"),
        (
            .modify, "/", #"{"attributes":{"a":2}}"#, #"[{"key":"*/k","value":1}]"#,
            #"{"thingId":{"k":1},"policyId":{"k":1},"attributes":{"a":{"k":1}}}"#
        ),
        // Wildcards by level.
        (
            .merge, "/", #"{"attributes":{"a":2}}"#, #"[{"key":"features/*/properties/*/k","value":1}]"#,
            #"{"features":{"f":{"properties":{"p":{"k":1},"q":{"k":1}}},"g":{"properties":{"p":{"k":1}}}}}"#
        ),
        (
            .merge, "/", #"{"attributes":{"a":2}}"#, #"[{"key":"/features/*/properties/q/k","value":1}]"#,
            #"{"features":{"f":{"properties":{"q":{"k":1}}}}}"#
        ),
        (
            .merge, "/", #"{"attributes":{"a":2}}"#, #"[{"key":"features/f/desiredProperties/*/k","value":1}]"#,
            #"{"features":{"f":{"desiredProperties":{"p":{"k":1}}}}}"#
        ),
        (
            .merge, "/", #"{"attributes":{"a":2}}"#,
            #"[{"key":"features/*/definition/k","value":1},{"key":"attributes/*/k","value":2}]"#,
            #"{"attributes":{"a":{"k":2},"o":{"k":2}},"features":{"f":{"definition":{"k":1}}}}"#
        ),
        (
            .merge, "/features", #"{"h":{"properties":{"p":1}}}"#,
            #"[{"key":"*/properties/p/k","value":1},{"key":"*/definition/k","value":2},"#
                + #"{"key":"f/properties/*/l","value":3}]"#,
            """
            {"features":{"h":{"properties":{"p":{"k":1}}},"g":{"properties":{"p":{"k":1}}},\
            "f":{"properties":{"p":{"k":1,"l":3},"q":{"l":3}},"definition":{"k":2}}}}
            """
        ),
        (
            .merge, "/features/f", #"{"properties":{"n":1}}"#,
            #"[{"key":"properties/*/k","value":1},{"key":"desiredProperties/*/k","value":2}]"#,
            """
            {"features":{"f":{"properties":{"n":{"k":1},"p":{"k":1},"q":{"k":1}},"desiredProperties":{"p":{"k":2}}}}}
            """
        ),
        (
            .modify, "/features/f/definition", #"["a:b:2"]"#, #"[{"key":"*/k","value":1}]"#,
            #"{"features":{"f":{"definition":{"k":1}}}}"#
        ),
        // What is specific comes last and wins, whatever the order of the header.
        (
            .modify, "/attributes", #"{"a":2,"b":3}"#, #"[{"key":"a/k","value":"own"},{"key":"*/k","value":"all"}]"#,
            #"{"attributes":{"a":{"k":"own"},"b":{"k":"all"}}}"#
        ),
        (
            .modify, "/attributes", #"{"a":2}"#, #"[{"key":"b/k","value":2},{"key":"b","value":1}]"#,
            #"{"attributes":{"b":{"k":2}}}"#
        ),
    ]

    @Test("put-metadata sets what its keys name", arguments: puts)
    func put(action: ThingCommand.Action, path: String, value: String, header: String, expected: String) throws {
        let fixture = try Self.fixture()
        #expect(try fixture.rig.run(action, "n:t", path, value, headers: ["put-metadata": header]).status == 204)
        let wanted = try json(expected)
        #expect(try Self.metadata(fixture) == (wanted.isNull ? .none : .some(wanted)))
        let event = try #require(fixture.published(1).first)
        #expect(event.metadata?.value == (wanted.isNull ? .none : .some(wanted)))
        #expect(event.envelope(headers: DittoHeaders()).metadata == nil)
    }

    /// Path, header, code.
    static let badKeys: [(String, String, String)] = [
        ("/attributes/a", "1", "header.invalid"), ("/attributes/a", "{}", "header.invalid"),
        ("/attributes/a", "text", "header.invalid"), ("/attributes/a", "[1]", "header.invalid"),
        ("/attributes/a", #"[{"value":1}]"#, "header.invalid"), ("/attributes/a", #"[{"key":"k"}]"#, "header.invalid"),
        ("/attributes/a", #"[{"key":7,"value":1}]"#, "header.invalid"),
        ("/attributes/a", #"[{"key":"","value":1}]"#, "header.invalid"),
        ("/attributes/a", #"[{"key":"/","value":1}]"#, "header.invalid"),
        ("/attributes/a", #"[{"key":"a//b","value":1}]"#, "header.invalid"),
        ("/attributes/a", #"[{"key":"*","value":1}]"#, "header.invalid"),
        ("/attributes/a", #"[{"key":"*/*","value":1}]"#, "header.invalid"),
        ("/attributes/a", #"[{"key":"*/a/b","value":1}]"#, "header.invalid"),
        ("/attributes/a", #"[{"key":"a/*","value":1}]"#, "header.invalid"),
        ("/attributes", #"[{"key":"a/*/k","value":1}]"#, "header.invalid"),
        ("/", #"[{"key":"features/*/k","value":1}]"#, "header.invalid"),
        ("/", #"[{"key":"features/*/properties/*","value":1}]"#, "header.invalid"),
        ("/", #"[{"key":"features/*/other/*/k","value":1}]"#, "header.invalid"),
        ("/", #"[{"key":"features/*/properties/*/k/l","value":1}]"#, "header.invalid"),
        ("/", #"[{"key":"features/f/definition/*","value":1}]"#, "header.invalid"),
        ("/", #"[{"key":"attributes/*/k/l","value":1}]"#, "header.invalid"),
        ("/attributes", #"[{"key":"attributes/*/k","value":1}]"#, "header.notsupported"),
        ("/", #"[{"key":"properties/*/k","value":1}]"#, "header.notsupported"),
        ("/features", #"[{"key":"features/*/properties/*/k","value":1}]"#, "header.notsupported"),
        ("/features", #"[{"key":"properties/*/k","value":1}]"#, "header.notsupported"),
        ("/features/f", #"[{"key":"*/properties/*/k","value":1}]"#, "header.notsupported"),
        ("/features/f/properties", #"[{"key":"properties/*/k","value":1}]"#, "header.notsupported"),
        ("/definition", #"[{"key":"*/definition/k","value":1}]"#, "header.notsupported"),
    ]

    @Test("a key of no form, or of another level, changes nothing", arguments: badKeys)
    func badKey(path: String, header: String, code: String) throws {
        let fixture = try Self.fixture()
        let value = try #require(
            try fixture.rig.run(.retrieve, "n:t", "/").value?.value.value(
                at: try JSONPointer(parsing: path == "/definition" ? "/attributes/none" : path)) ?? "a:b:1")
        expectError(code, 400) {
            try fixture.rig.run(.modify, "n:t", path, value.text, headers: ["put-metadata": header])
        }
        #expect(try fixture.rig.run(.retrieve, "n:t").revision == 1)
    }

    @Test("metadata comes inline with a thing that is made, with a header too, but not with both")
    func creation() throws {
        let fixture = try EngineFixture()
        for (number, action) in [ThingCommand.Action.create, .modify, .merge].enumerated() {
            let id = "n:inline\(number)"
            try fixture.rig.run(action, id, "/", #"{"_metadata":{"attributes":{"a":{"k":1}}},"attributes":{"a":1}}"#)
            let seen = try fixture.rig.run(.retrieve, id, fields: "_metadata")
            #expect(seen.value?.value == (try json(#"{"_metadata":{"attributes":{"a":{"k":1}}}}"#)))
            #expect(try fixture.thing(id)?.object?["_metadata"] == nil)
            let headers = ["put-metadata": #"[{"key":"*/k","value":1}]"#]
            try fixture.rig.run(action, "n:header\(number)", "/", #"{"attributes":{"a":1}}"#, headers: headers)
            let put = try fixture.rig.run(.retrieve, "n:header\(number)", fields: "_metadata/attributes")
            #expect(put.value?.value == (try json(#"{"_metadata":{"attributes":{"a":{"k":1}}}}"#)))
            expectError("things:metadata.notmodifiable", 400) {
                try fixture.rig.run(action, "n:t", "/", #"{"_metadata":{},"attributes":{"a":1}}"#, headers: headers)
            }
            for text in ["1", "[]", "\"x\""] {
                expectError("json.invalid", 400) {
                    try fixture.rig.run(action, "n:t", "/", #"{"_metadata":\#(text),"attributes":{"a":1}}"#)
                }
            }
        }
        expectError("things:thing.notfound", 404) { try fixture.rig.run(.retrieve, "n:t") }
    }

    @Test("inline metadata of a thing that is there is ignored, and what it has is kept")
    func kept() throws {
        let fixture = try Self.fixture(#"{"attributes":{"a":{"k":1}}}"#)
        for action in [ThingCommand.Action.modify, .merge] {
            try fixture.rig.run(action, "n:t", "/", #"{"_metadata":{"x":1},"attributes":{"a":2}}"#)
            #expect(try Self.metadata(fixture) == json(#"{"attributes":{"a":{"k":1}}}"#))
        }
        #expect(fixture.published(2).allSatisfy { $0.metadata == nil })
    }

    static let documented = """
        {"attributes":{"a":{"k":1,"l":2},"o":{"x":{"k":3}}},"features":{"f":{"definition":{"k":4},\
        "properties":{"p":{"k":5},"q":{"k":6}}},"g":{"properties":{"p":{"k":7}}}}}
        """

    /// Path, keys, and the header of the answer.
    static let gets: [(String, String, String)] = [
        ("/", "*", documented), ("/", "attributes/a/k", #"{"attributes":{"a":{"k":1}}}"#),
        ("/", "attributes(a(k),o)", #"{"attributes":{"a":{"k":1},"o":{"x":{"k":3}}}}"#),
        ("/", "nope,attributes/z", "{}"),
        ("/", "attributes/*/k", #"{"attributes":{"a":{"k":1}}}"#),
        ("/", "*/l", #"{"attributes":{"a":{"l":2}}}"#),
        ("/", "features/*/definition/k", #"{"features":{"f":{"definition":{"k":4}}}}"#),
        (
            "/", "features/*/properties/p/k",
            #"{"features":{"f":{"properties":{"p":{"k":5}}},"g":{"properties":{"p":{"k":7}}}}}"#
        ),
        ("/attributes", "*", #"{"a":{"k":1,"l":2},"o":{"x":{"k":3}}}"#),
        ("/attributes", "o/x/k", #"{"o":{"x":{"k":3}}}"#),
        ("/attributes/a", "*", #"{"k":1,"l":2}"#), ("/attributes/a", "k", #"{"k":1}"#),
        ("/attributes/a", "*/l", #"{"l":2}"#),
        ("/attributes/a", "z", "{}"),
        ("/features", "f/properties/*/k", #"{"f":{"properties":{"p":{"k":5},"q":{"k":6}}}}"#),
        ("/features/f", "properties/*/k", #"{"properties":{"p":{"k":5},"q":{"k":6}}}"#),
        ("/features/f/properties/p", "*", #"{"k":5}"#), ("/features/h", "*", "{}"), ("/policyId", "*", "{}"),
    ]

    @Test("get-metadata is answered in a header, relative to the resource", arguments: gets)
    func get(path: String, keys: String, expected: String) throws {
        let fixture = try Self.fixture(Self.documented)
        let plain = try fixture.rig.run(.retrieve, "n:t", path)
        let response = try fixture.rig.run(.retrieve, "n:t", path, headers: ["get-metadata": keys])
        #expect(response.metadata?.value == (try json(expected)))
        #expect(response.value == plain.value)
        #expect(plain.metadata == nil)
        let command = try EngineRig.command(.retrieve, "n:t", path, headers: ["get-metadata": keys])
        #expect(command.envelope(of: response).headers[.dittoMetadata] == (try json(expected)))
        #expect(command.envelope(of: plain).headers[.dittoMetadata] == nil)
    }

    @Test("without metadata the answer is an empty object")
    func getNothing() throws {
        let fixture = try Self.fixture()
        #expect(try fixture.rig.run(.retrieve, "n:t", headers: ["get-metadata": "*"]).metadata == .emptyObject)
    }

    @Test("a partial reader sees the metadata of what he may read")
    func view() throws {
        let fixture = try EngineFixture()
        try fixture.rig.policy(.create, "n:policy", Sample.policy([("test:part", ["thing:/attributes/a": "R"])]))
        let value = #"{"policyId":"n:policy","_metadata":\#(Self.documented),"# + Self.thing.dropFirst()
        try fixture.make("n:t", value)
        let context = AuthorizationContext(["test:part"])
        let response = try fixture.rig.run(.retrieve, "n:t", headers: ["get-metadata": "*"], as: context)
        #expect(response.metadata?.value == (try json(#"{"attributes":{"a":{"k":1,"l":2}}}"#)))
        #expect(try fixture.rig.run(.retrieve, "n:t", fields: "_metadata", as: context).value?.text == "{}")
    }

    /// Action, path, value, keys, and what of the metadata is left.
    static let deletions: [(ThingCommand.Action, String, String?, String, String)] = [
        (.modify, "/attributes/a", "2", "k", #"{"attributes":{"a":{"l":2}}}"#),
        (.modify, "/attributes/a", "2", "*", "null"), (.modify, "/attributes/a", "2", "k,l", "null"),
        (.modify, "/attributes/a", "2", "*/k", #"{"attributes":{"a":{"l":2}}}"#),
        (.modify, "/attributes/a", "2", "z", #"{"attributes":{"a":{"k":1,"l":2}}}"#),
        (.merge, "/", #"{"attributes":{"a":2}}"#, "attributes/*/k", #"{"attributes":{"a":{"l":2}}}"#),
        (.merge, "/", #"{"attributes":{"a":2}}"#, "*", "null"), (.merge, "/attributes", #"{"a":2}"#, "a", "null"),
        (.delete, "/attributes/o", nil, "*", #"{"attributes":{"a":{"k":1,"l":2}}}"#),
    ]

    @Test("delete-metadata removes, and parents that become empty with it", arguments: deletions)
    func delete(action: ThingCommand.Action, path: String, value: String?, keys: String, expected: String) throws {
        let fixture = try Self.fixture(#"{"attributes":{"a":{"k":1,"l":2}}}"#)
        #expect(try fixture.rig.run(action, "n:t", path, value, headers: ["delete-metadata": keys]).status == 204)
        let wanted = try json(expected)
        #expect(try Self.metadata(fixture) == (wanted.isNull ? .none : .some(wanted)))
        let event = try #require(fixture.published(1).first)
        if wanted.isNull { #expect(event.metadata == .emptyObject) }
    }

    /// Action, path, value, and what of `documented` is left.
    static let goesWith: [(ThingCommand.Action, String, String?, String)] = [
        (.delete, "/attributes", nil, #"{"features":{"g":{"properties":{"p":{"k":7}}}}}"#),
        (
            .delete, "/attributes/a", nil,
            #"{"attributes":{"o":{"x":{"k":3}}},"features":{"g":{"properties":{"p":{"k":7}}}}}"#
        ),
        (
            .merge, "/attributes/o", "null",
            #"{"attributes":{"a":{"k":1}},"features":{"g":{"properties":{"p":{"k":7}}}}}"#
        ),
        (.merge, "/", #"{"features":{"g":null}}"#, #"{"attributes":{"a":{"k":1},"o":{"x":{"k":3}}}}"#),
        (
            .merge, "/attributes", #"{"{{~[ao]~}}":null}"#, #"{"features":{"g":{"properties":{"p":{"k":7}}}}}"#
        ),
        (
            .merge, "/attributes", #"{"a":7}"#,
            #"{"attributes":{"a":{"k":1},"o":{"x":{"k":3}}},"features":{"g":{"properties":{"p":{"k":7}}}}}"#
        ),
    ]

    @Test("metadata goes with what is deleted", arguments: goesWith)
    func goes(action: ThingCommand.Action, path: String, value: String?, expected: String) throws {
        let fixture = try Self.fixture(
            #"{"attributes":{"a":{"k":1},"o":{"x":{"k":3}}},"features":{"g":{"properties":{"p":{"k":7}}}}}"#)
        try fixture.rig.run(action, "n:t", path, value)
        #expect(try Self.metadata(fixture) == json(expected))
    }

    @Test("metadata goes with its thing, and does not come back with the next of that id")
    func goesWithThing() throws {
        let fixture = try Self.fixture(#"{"attributes":{"a":{"k":1}}}"#)
        try fixture.rig.run(.delete, "n:t")
        try fixture.rig.run(.create, "n:t", "/", #"{"policyId":"n:t"}"#)
        #expect(try Self.metadata(fixture) == nil)
        #expect(fixture.published(2).allSatisfy { $0.metadata == nil })
    }

    @Test("several metadata headers are in conflict, which is told after 404 and 403 and before 412")
    func conflict() throws {
        let fixture = try EngineFixture()
        try fixture.rig.policy(.create, "n:policy", Sample.policy([("test:reader", ["thing:/": "R"])]))
        try fixture.make("n:t", Sample.guarded)
        let put = ["put-metadata": #"[{"key":"k","value":1}]"#]
        for more in [["get-metadata": "k"], ["delete-metadata": "k"], ["get-metadata": "*", "delete-metadata": "*"]] {
            var headers = put.merging(more) { first, _ in first }
            headers["condition"] = "eq(attributes/a,77)"
            headers["if-match"] = "\"x\""
            for (action, path, value) in [
                (ThingCommand.Action.modify, "/attributes/a", "1"), (.merge, "/attributes/a", "1"),
                (.delete, "/attributes/a", nil), (.retrieve, "/attributes/a", nil), (.modify, "/", "{}"),
            ] as [(ThingCommand.Action, String, String?)] {
                do {
                    try fixture.rig.run(action, "n:t", path, value, headers: headers)
                    Issue.record("\(action) was taken")
                } catch let error as TwinspanError {
                    #expect((error.code, error.status) == ("things:metadata.headersconflict", 400))
                    #expect(error.message == "Multiple metadata headers were specified.")
                }
            }
            expectError("things:attribute.notmodifiable", 403) {
                try fixture.rig.run(
                    .modify, "n:t", "/attributes/a", "1", headers: headers, as: AuthorizationContext(["test:reader"]))
            }
            expectError("things:thing.notfound", 404) {
                try fixture.rig.run(.modify, "n:none", "/attributes/a", "1", headers: headers)
            }
            expectError("things:metadata.headersconflict", 400) {
                try fixture.rig.run(.modify, "n:none", "/", "{}", headers: headers)
            }
        }
    }

    @Test(
        "keys of get- and delete-metadata must be of a form too", arguments: ["", "a(", "a//b", "x/*/k", "*/*", "a/*"])
    func badSelector(keys: String) throws {
        let fixture = try Self.fixture()
        expectError("header.invalid", 400) {
            try fixture.rig.run(.retrieve, "n:t", headers: ["get-metadata": keys])
        }
        expectError("header.invalid", 400) {
            try fixture.rig.run(.modify, "n:t", "/attributes/a", "1", headers: ["delete-metadata": keys])
        }
        expectError("header.notsupported", 400) {
            try fixture.rig.run(.retrieve, "n:t", "/attributes", headers: ["get-metadata": "attributes/*/k"])
        }
    }

    @Test("metadata counts to the size of the thing")
    func size() throws {
        let fixture = try EngineFixture(settings: EngineRig.settings(limits: TwinLimits(thingBytes: 200)))
        try fixture.make("n:t", #"{"attributes":{"a":1}}"#)
        let large = String(repeating: "x", count: 150)
        for action in [ThingCommand.Action.modify, .merge] {
            expectError("things:thing.toolarge", 413) {
                try fixture.rig.run(
                    action, "n:t", "/attributes/a", "2",
                    headers: ["put-metadata": #"[{"key":"k","value":"\#(large)"}]"#])
            }
        }
        expectError("things:thing.toolarge", 413) {
            try fixture.rig.run(.create, "n:u", "/", #"{"_metadata":{"k":"\#(large)"}}"#)
        }
        #expect(try Self.metadata(fixture) == nil)
        try fixture.rig.run(
            .modify, "n:t", "/attributes/a", "2",
            headers: ["put-metadata": #"[{"key":"k","value":"\#(large.prefix(80))"}]"#])
        expectError("things:thing.toolarge", 413) {
            try fixture.rig.run(.modify, "n:t", "/attributes/b", "\"\(large.prefix(90))\"")
        }
    }

    @Test("metadata is there after the next start, and conditions can ask for it")
    func durable() throws {
        let directory = try TemporaryDirectory(isInMemory: true)
        let store = try SQLiteStore(directory: directory.path, durability: .os)
        let first = try EngineRig(store: store)
        try first.run(.create, "n:t", "/", #"{"_metadata":{"attributes":{"a":{"k":1}}},"attributes":{"a":1}}"#)
        first.engine.stop()
        let second = try EngineRig(store: store)
        #expect(
            try second.run(.retrieve, "n:t", fields: "_metadata/attributes").value?.value
                == json(#"{"_metadata":{"attributes":{"a":{"k":1}}}}"#))
        #expect(
            try second.run(
                .modify, "n:t", "/attributes/a", "2", headers: ["condition": "eq(_metadata/attributes/a/k,1)"]
            ).status == 204)
        expectError("things:condition.failed", 412) {
            try second.run(.delete, "n:t", headers: ["condition": "eq(_metadata/attributes/a/k,2)"])
        }
        second.engine.stop()
    }

    @Test("special fields of metadata can be selected by feature")
    func wildcardFields() throws {
        let fixture = try Self.fixture(Self.documented)
        let seen = try fixture.rig.run(.retrieve, "n:t", fields: "_metadata/features/*/properties/p")
        #expect(
            seen.value?.value
                == (try json(
                    #"{"_metadata":{"features":{"f":{"properties":{"p":{"k":5}}},"g":{"properties":{"p":{"k":7}}}}}}"#))
        )
    }
}
