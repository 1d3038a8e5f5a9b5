import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

/// The tables of retrieve and delete (spec/protocol.md §6.2).
@Suite("Retrieve and delete")
struct ThingRetrieveTests {
    /// Path, word of the code when it is missing from a thing that has a bare feature `e`, value in the sample.
    static let rows: [(String, String, String)] = [
        ("/definition", "definition", #""a:b:1""#),
        ("/attributes", "attributes", #"{"a":1,"o":{"x":1,"y":{"z":2}},"n":null}"#),
        ("/attributes/o/y", "attribute", #"{"z":2}"#), ("/attributes/n", "attribute", "null"),
        (
            "/features/f", "feature",
            #"{"definition":["a:b:1"],"properties":{"p":1,"o":{"q":1}},"desiredProperties":{"d":1}}"#
        ),
        ("/features/f/definition", "feature.definition", #"["a:b:1"]"#),
        ("/features/f/properties", "feature.properties", #"{"p":1,"o":{"q":1}}"#),
        ("/features/f/properties/o/q", "feature.property", "1"),
        ("/features/f/desiredProperties", "feature.desiredProperties", #"{"d":1}"#),
        ("/features/f/desiredProperties/d", "feature.desiredProperty", "1"),
    ]

    @Test("a part is retrieved, and gone after its deletion", arguments: rows)
    func parts(path: String, word: String, value: String) throws {
        let fixture = try EngineFixture()
        try fixture.make("n:t")
        let retrieved = try fixture.rig.run(.retrieve, "n:t", path)
        #expect((retrieved.status, retrieved.revision, retrieved.action) == (200, 1, .retrieve))
        #expect(retrieved.value?.value == (try json(value)))
        let deleted = try fixture.rig.run(.delete, "n:t", path)
        #expect((deleted.status, deleted.revision, deleted.etag) == (204, 2, nil))
        #expect(deleted.value == nil)
        let event = try #require(fixture.published(1).first)
        #expect((event.action, event.path.description, event.revision) == (.deleted, path, 2))
        #expect(event.value == nil)
        for action in [ThingCommand.Action.retrieve, .delete] {
            expectError("things:\(word).notfound", 404) { try fixture.rig.run(action, "n:t", path) }
        }
        #expect(fixture.published(1, within: 20).isEmpty)
    }

    @Test(
        "what is below a feature that is not there says that the feature is missing",
        arguments: [
            "definition", "properties", "properties/p", "desiredProperties", "desiredProperties/d/e",
        ])
    func missingFeature(rest: String) throws {
        let fixture = try EngineFixture()
        try fixture.make("n:t", "{}")
        for action in [ThingCommand.Action.retrieve, .delete] {
            expectError("things:feature.notfound", 404) { try fixture.rig.run(action, "n:t", "/features/x/\(rest)") }
        }
    }

    @Test(
        "parts that were never set are not found; empty ones are", arguments: ["attributes", "features", "definition"])
    func absentAndEmpty(name: String) throws {
        let fixture = try EngineFixture()
        try fixture.make("n:t", "{}")
        expectError("things:\(name).notfound", 404) { try fixture.rig.run(.retrieve, "n:t", "/\(name)") }
        guard name != "definition" else { return }
        try fixture.rig.run(.modify, "n:t", "/\(name)", "{}")
        #expect(try fixture.rig.run(.retrieve, "n:t", "/\(name)").value?.value == json("{}"))
    }

    @Test("array elements have no path")
    func arrays() throws {
        let fixture = try EngineFixture()
        try fixture.make("n:t", #"{"attributes":{"l":[1,2]}}"#)
        expectError("things:attribute.notfound", 404) { try fixture.rig.run(.retrieve, "n:t", "/attributes/l/0") }
    }

    @Test("a deleted thing is gone, keeps counting, and its policy stays")
    func deletion() throws {
        let fixture = try EngineFixture()
        try fixture.make("n:t")
        #expect(try fixture.rig.run(.delete, "n:t").revision == 2)
        expectError("things:thing.notfound", 404) { try fixture.rig.run(.retrieve, "n:t") }
        expectError("things:thing.notfound", 404) { try fixture.rig.run(.delete, "n:t") }
        #expect(try fixture.rig.policy(.retrieve, "n:t").status == 200)
        // Its policy is still there, so another one cannot be made for it.
        expectError("things:thing.notcreatable", 400) { try fixture.rig.run(.create, "n:t", "/", "{}") }
        let again = try fixture.rig.run(.create, "n:t", "/", #"{"policyId":"n:t"}"#)
        #expect((again.status, again.revision) == (201, 3))
        #expect(fixture.published(2).map(\.revision) == [2, 3])
        let seen = try fixture.rig.run(.retrieve, "n:t", fields: "_revision,_created,attributes")
        #expect(seen.value?.value == (try json(#"{"_revision":3,"_created":"2023-11-14T22:13:20Z"}"#)))
    }

    @Test(
        "fields select, special fields only when they are named",
        arguments: [
            ("/", "thingId", #"{"thingId":"n:t"}"#), ("/", "_revision", #"{"_revision":2}"#),
            (
                "/", "_namespace,_modified,_created",
                #"{"_namespace":"n","_modified":"2023-11-14T22:13:25Z","_created":"2023-11-14T22:13:20Z"}"#
            ),
            ("/", "attributes(a,o/x)", #"{"attributes":{"a":2,"o":{"x":1}}}"#), ("/", "nothing", "{}"),
            ("/", "features/*/properties/p", #"{"features":{"f":{"properties":{"p":1}}}}"#),
            ("/attributes", "a,o/y", #"{"a":2,"o":{"y":{"z":2}}}"#), ("/attributes", "_revision", "{}"),
            ("/features/f", "properties/p", #"{"properties":{"p":1}}"#),
            ("/", "__lifecycle", #"{"__lifecycle":"ACTIVE"}"#), ("/", "_context,_deleted", "{}"),
            ("/", "_metadata", "{}"), ("/", "/thingId,/attributes/a", #"{"thingId":"n:t","attributes":{"a":2}}"#),
            ("/features", "*/properties/p,e", #"{"f":{"properties":{"p":1}},"e":{}}"#),
            ("/features", "f(properties(p),definition)", #"{"f":{"definition":["a:b:1"],"properties":{"p":1}}}"#),
            ("/features/f/properties", "*/q", "{}"), ("/features/f/properties", "o/q", #"{"o":{"q":1}}"#),
            ("/features/f/properties", "properties/p", "{}"), ("/attributes/a", "x", "2"),
            ("/attributes", "attributes", "{}"),
        ])
    func fields(path: String, fields: String, expected: String) throws {
        let fixture = try EngineFixture()
        try fixture.make("n:t")
        fixture.rig.clock.advance(by: .seconds(5))
        try fixture.rig.run(.modify, "n:t", "/attributes/a", "2")
        #expect(try fixture.rig.run(.retrieve, "n:t", path, fields: fields).value?.value == json(expected))
    }

    @Test("without fields no special field is shown")
    func plain() throws {
        let fixture = try EngineFixture()
        try fixture.make("n:t", #"{"attributes":{"a":1}}"#)
        #expect(try fixture.thing("n:t") == json(#"{"thingId":"n:t","policyId":"n:t","attributes":{"a":1}}"#))
    }

    @Test("the policy is inlined in the part that may be read, and only when it is selected")
    func policy() throws {
        let fixture = try EngineFixture()
        try fixture.rig.policy(
            .create, "n:policy",
            Sample.policy([
                ("test:blind", ["thing:/": "R"]), ("test:part", ["thing:/": "R", "policy:/entries/E0": "R"]),
            ]))
        try fixture.make("n:t", Sample.guarded)
        let whole = try #require(try fixture.rig.policy(.retrieve, "n:policy").value?.value)
        let seen = try fixture.rig.run(.retrieve, "n:t", fields: "_policy")
        #expect(seen.value?.value == .object(["_policy": whole]))
        let part = try fixture.rig.run(
            .retrieve, "n:t", fields: "policyId,_policy/entries/E0/subjects", as: AuthorizationContext(["test:part"]))
        #expect(
            part.value?.value
                == (try json(
                    #"{"policyId":"n:policy","_policy":{"entries":{"E0":{"subjects":{"test:owner":{"type":"test"}}}}}}"#
                )))
        let blind = try fixture.rig.run(
            .retrieve, "n:t", fields: "thingId,_policy", as: AuthorizationContext(["test:blind"]))
        #expect(blind.value?.value == (try json(#"{"thingId":"n:t"}"#)))
        // Below the root there is no policy to select.
        try fixture.rig.run(.modify, "n:t", "/attributes/_policy", "1")
        let own = try fixture.rig.run(.retrieve, "n:t", "/attributes", fields: "_policy")
        #expect(own.value?.value == (try json(#"{"_policy":1}"#)))
    }

    @Test("several things come in the order of the request, without those that are absent or hidden")
    func several() throws {
        let fixture = try EngineFixture()
        for id in ["n:a", "n:b", "m:c"] { try fixture.make(id, #"{"attributes":{"id":"\#(id)"}}"#) }
        try fixture.rig.run(.create, "n:hidden", "/", "{}", as: AuthorizationContext(["test:other"]))
        let ids = try ["n:b", "n:none", "n:a", "n:hidden", "n:b", "m:c"].map { try ThingID($0) }
        var command = RetrieveThings(thingIDs: ids, fields: try JSONFieldSelector(parsing: "thingId"))
        let engine = fixture.rig.engine
        let outcome = engine.execute(command, as: EngineRig.owner)
        let expected = try json(#"[{"thingId":"n:b"},{"thingId":"n:a"},{"thingId":"n:b"},{"thingId":"m:c"}]"#)
        #expect(try outcome.result.get().value == expected)
        #expect(try #require(engine.executeIfLoaded(command, as: EngineRig.owner)).result.get().value == expected)
        command.fields = nil
        command.thingIDs = [ids[5]]
        #expect(
            try engine.execute(command, as: EngineRig.owner).result.get().value
                == json(#"[{"thingId":"m:c","policyId":"m:c","attributes":{"id":"m:c"}}]"#))
        command.thingIDs = [ids[1]]
        #expect(try engine.execute(command, as: EngineRig.owner).result.get().text == "[]")
        command.thingIDs = [ids[0], try ThingID("n:cold")]
        #expect(engine.executeIfLoaded(command, as: EngineRig.owner) == nil)
    }

    @Test("several things: without ids, or with ids of another namespace, it is refused")
    func severalRefused() throws {
        let fixture = try EngineFixture()
        let engine = fixture.rig.engine
        let ids = try ["n:a", "m:b"].map { try ThingID($0) }
        for (command, code) in [
            (RetrieveThings(thingIDs: []), "things:things.ids.missing"),
            (RetrieveThings(namespace: "n", thingIDs: ids), "things:id.invalid"),
            (RetrieveThings(namespace: "", thingIDs: ids), "things:id.invalid"),
        ] {
            do {
                let array = try engine.execute(command, as: EngineRig.owner).result.get()
                Issue.record("answered with \(array.text)")
            } catch {
                #expect((error.code, error.status) == (code, 400))
            }
        }
        let all = RetrieveThings(namespace: "n", thingIDs: [ids[0]])
        #expect(try engine.execute(all, as: EngineRig.owner).result.get().text == "[]")
    }

    @Test("several things depend on the newest change of any of them")
    func severalTicket() throws {
        let fixture = try EngineFixture()
        for id in ["n:a", "n:b"] { try fixture.make(id, "{}") }
        let ids = try ["n:a", "n:b"].map { try ThingID($0) }
        fixture.rig.store.state.update { $0.isBlocked = true }
        let changed = try fixture.rig.send(.modify, "n:a", "/attributes/a", "1")
        let outcome = fixture.rig.engine.execute(RetrieveThings(thingIDs: ids), as: EngineRig.owner)
        #expect(outcome.ticket == changed.ticket)
        fixture.rig.store.state.update { $0.isBlocked = false }
        try fixture.rig.awaitCommit(outcome.ticket)
    }

    /// Path, fields, and what `test:part` sees, who may read `/attributes/o` without `/attributes/o/y`.
    static let views: [(String, String?, String?)] = [
        ("/", nil, #"{"thingId":"n:t","attributes":{"o":{"x":1}}}"#),
        ("/", "_revision,attributes", #"{"_revision":1,"attributes":{"o":{"x":1}}}"#),
        ("/", "policyId,definition", "{}"), ("/attributes", nil, #"{"o":{"x":1}}"#),
        ("/attributes/o", nil, #"{"x":1}"#), ("/attributes/o/x", nil, "1"), ("/attributes/o", "y", "{}"),
        ("/attributes/o/y", nil, nil), ("/attributes/o/y/z", nil, nil), ("/attributes/a", nil, nil),
        ("/policyId", nil, nil), ("/features", nil, nil),
        ("/features/f", nil, nil), ("/features/f/properties/p", nil, nil), ("/definition", nil, nil),
    ]

    @Test("a partial reader sees his part, and of the rest not even that it is there", arguments: views)
    func view(path: String, fields: String?, expected: String?) throws {
        let fixture = try EngineFixture()
        try fixture.rig.policy(
            .create, "n:policy",
            Sample.policy([("test:part", ["thing:/attributes/o": "R", "thing:/attributes/o/y": "-R"])]))
        try fixture.make("n:t", Sample.guarded)
        let context = AuthorizationContext(["test:part"])
        if let expected {
            let response = try fixture.rig.run(.retrieve, "n:t", path, fields: fields, as: context)
            #expect(response.value?.value == (try json(expected)))
        } else {
            let resource = try ThingResource(try JSONPointer(parsing: path))
            let missing = TwinspanError.notFound(resource, of: try ThingID("n:t"))
            expectError(missing.code, 404) {
                try fixture.rig.run(.retrieve, "n:t", path, fields: fields, as: context)
            }
        }
        expectError("things:thing.notfound", 404) {
            try fixture.rig.run(.retrieve, "n:t", as: AuthorizationContext(["test:stranger"]))
        }
        expectError("things:thing.notfound", 404) {
            try fixture.rig.run(.retrieve, "n:t", as: AuthorizationContext([]))
        }
    }
}
