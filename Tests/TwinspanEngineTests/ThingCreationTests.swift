import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

/// Making things, and the policies that come with them (spec/protocol.md §2.1, policies-search.md A.3.2).
@Suite("Creation of a thing")
struct ThingCreationTests {
    @Test(
        "create, modify and merge make a thing; all are answered as create",
        arguments: [
            ThingCommand.Action.create, .modify, .merge,
        ])
    func makes(action: ThingCommand.Action) throws {
        let fixture = try EngineFixture()
        let response = try fixture.rig.run(
            action, "n:t", "/", #"{"features":{"f":{}},"thingId":"n:t","_revision":7,"x":1,"attributes":{"a":1}}"#)
        let expected = try json(#"{"thingId":"n:t","policyId":"n:t","attributes":{"a":1},"features":{"f":{}}}"#)
        #expect((response.status, response.action, response.revision, response.etag) == (201, .create, 1, "\"rev:1\""))
        #expect(response.value?.value == expected)
        let event = try #require(fixture.published(1).first)
        #expect((event.action, event.path.isRoot, event.revision) == (.created, true, 1))
        #expect(event.value?.value == expected)
    }

    @Test("a thing that is there is a conflict, whoever asks")
    func conflict() throws {
        let fixture = try EngineFixture()
        try fixture.make("n:t")
        expectError("things:thing.conflict", 409) { try fixture.rig.run(.create, "n:t", "/", "{}") }
    }

    @Test("without a policy one is made for the first subject")
    func generated() throws {
        let fixture = try EngineFixture()
        try fixture.rig.run(.create, "n:t", "/", "{}", as: AuthorizationContext(["test:first", "test:second"]))
        let policy = try fixture.rig.policy(.retrieve, "n:t", as: AuthorizationContext(["test:first"]))
        let entry = try #require(policy.value?.value.value(at: JSONPointer(segments: ["entries", "DEFAULT"]))?.object)
        #expect(entry["subjects"]?.object.map { Array($0.keys) } == ["test:first"])
        for resource in ["thing:/", "policy:/", "message:/"] {
            let grant = entry["resources"]?.object?[resource]?.object?["grant"]?.array?.compactMap(\.string)
            #expect(grant.map { Set($0) } == ["READ", "WRITE"])
        }
        expectError("things:thing.notfound", 404) {
            try fixture.rig.run(.retrieve, "n:t", as: AuthorizationContext(["test:second"]))
        }
        expectError("things:thing.notmodifiable", 403) {
            try fixture.rig.run(.create, "n:u", "/", "{}", as: AuthorizationContext([]))
        }
    }

    static let policies: [(String, String, Int)] = [
        // The named policy: missing, unreadable, without WRITE.
        (#"{"policyId":"n:missing"}"#, "policies:policy.notfound", 404),
        (#"{"policyId":"n:hidden"}"#, "policies:policy.notfound", 404),
        (#"{"policyId":"n:readable"}"#, "things:thing.notmodifiable", 403),
        (#"{"policyId":"x"}"#, "policies:id.invalid", 400), (#"{"policyId":7}"#, "json.invalid", 400),
        // Inline: exists already, no owner, malformed, a creator who would lock himself out.
        (#"{"policyId":"n:hidden","_policy":\#(Sample.policy())}"#, "things:thing.notcreatable", 400),
        (#"{"_policy":{"entries":{}}}"#, "things:policy.invalid", 400),
        (#"{"_policy":{}}"#, "things:policy.invalid", 400), (#"{"_policy":[]}"#, "things:policy.invalid", 400),
        (#"{"_policy":"n:p"}"#, "things:policy.invalid", 400), (#"{"_policy":null}"#, "things:policy.invalid", 400),
        (#"{"_policy":{"policyId":"x","entries":{}}}"#, "policies:id.invalid", 400),
        (
            #"{"_policy":{"entries":{"E":{"subjects":{"test:x":{"type":"t"}},"#
                + #""resources":{"thing:/":{"grant":["READ"],"revoke":[]}}}}}}"#,
            "things:policy.invalid", 400
        ),
        (
            #"{"_policy":{"entries":{"E":{"subjects":{"test:x":{"type":"t"}},"#
                + #""resources":{"policy:/":{"grant":["WRITE"],"revoke":[]}}}}}}"#,
            "things:thing.notcreatable", 403
        ),
        (
            #"{"_policy":{"entries":{"E":{"subjects":{"test:owner":{"type":"t"}},"#
                + #""resources":{"policy:/":{"grant":["WRITE"],"revoke":[]}}}}}}"#,
            "things:thing.notmodifiable", 403
        ),
        // A copy: of nothing, of what is not readable, under an id that is taken.
        (#"{"_copyPolicyFrom":"n:missing"}"#, "policies:policy.notfound", 404),
        (#"{"_copyPolicyFrom":"n:hidden"}"#, "policies:policy.notfound", 404),
        (#"{"_copyPolicyFrom":7}"#, "json.invalid", 400), (#"{"_copyPolicyFrom":"x"}"#, "policies:id.invalid", 400),
        (#"{"policyId":"n:open","_copyPolicyFrom":"n:open"}"#, "things:thing.notcreatable", 400),
        (#"{"_policy":\#(Sample.policy()),"_copyPolicyFrom":"n:open"}"#, "things:policy.conflicting", 400),
        // The thing itself.
        (#"{"thingId":"n:other"}"#, "things:id.notsettable", 400), (#"{"thingId":null}"#, "things:id.notsettable", 400),
        (#"{"attributes":1}"#, "json.invalid", 400), (#"{"attributes":{"a/b":1}}"#, "json.key.invalid", 400),
        (#"{"features":{"":{}}}"#, "json.key.invalid", 400),
        (#"{"definition":"x"}"#, "things:definition.identifier.invalid", 400),
        ("[]", "json.invalid", 400), ("null", "json.invalid", 400), ("\"x\"", "json.invalid", 400),
    ]

    @Test("a creation that is refused leaves neither thing nor policy", arguments: policies)
    func refused(value: String, code: String, status: Int) throws {
        let fixture = try EngineFixture()
        let other = AuthorizationContext(["test:other"])
        try fixture.rig.policy(.create, "n:open", Sample.policy())
        let hidden = Sample.policy().replacing("test:owner", with: "test:other")
        try fixture.rig.policy(.create, "n:hidden", hidden, as: other)
        let readable = Sample.policy([("test:owner", ["policy:/": "R"])]).replacing(
            #""E0":{"subjects":{"test:owner""#, with: #""E0":{"subjects":{"test:other""#)
        try fixture.rig.policy(.create, "n:readable", readable, as: other)
        expectError(code, status) { try fixture.rig.run(.create, "n:t", "/", value) }
        expectError("things:thing.notfound", 404) { try fixture.rig.run(.retrieve, "n:t") }
        #expect(throws: TwinspanError.self) { try fixture.rig.policy(.retrieve, "n:t") }
        #expect(fixture.published(1, within: 20).isEmpty)
        // Nothing is in the way of a second attempt.
        #expect(try fixture.rig.run(.create, "n:t", "/", "{}").revision == 1)
    }

    @Test(
        "an inline policy has the id of the thing's policyId, else its own, else the thing's",
        arguments: [
            (#"{"policyId":"n:a","_policy":{"policyId":"n:b","#, "n:a"), (#"{"_policy":{"policyId":"n:b","#, "n:b"),
            (#"{"_policy":{"#, "n:t"),
        ])
    func inline(start: String, id: String) throws {
        let fixture = try EngineFixture()
        try fixture.rig.run(.create, "n:t", "/", start + Sample.policy().dropFirst() + "}")
        #expect(try fixture.thing("n:t") == json(#"{"thingId":"n:t","policyId":"\#(id)"}"#))
        let policy = try fixture.rig.policy(.retrieve, id)
        #expect(policy.value?.value.object?["policyId"]?.string == id)
        #expect(policy.revision == 1)
    }

    @Test("who says so may lock himself out of the policy")
    func lockout() throws {
        let fixture = try EngineFixture()
        let value =
            #"{"_policy":{"entries":{"E":{"subjects":{"test:x":{"type":"t"}},"#
            + #""resources":{"policy:/":{"grant":["WRITE"],"revoke":[]}}},"#
            + #""F":{"subjects":{"test:owner":{"type":"t"}},"resources":{"thing:/":{"grant":["READ","WRITE"],"#
            + #""revoke":[]}}}}}}"#
        expectError("things:thing.notcreatable", 403) { try fixture.rig.run(.create, "n:t", "/", value) }
        #expect(
            try fixture.rig.run(.create, "n:t", "/", value, headers: ["allow-policy-lockout": "true"]).status == 201)
    }

    @Test("a copied policy is a policy of its own")
    func copy() throws {
        let fixture = try EngineFixture()
        try fixture.rig.policy(.create, "n:open", Sample.policy([("test:b", ["thing:/": "R"])]))
        try fixture.rig.run(.create, "n:t", "/", #"{"_copyPolicyFrom":"n:open","attributes":{"a":1}}"#)
        let reader = AuthorizationContext(["test:b"])
        #expect(try fixture.rig.run(.retrieve, "n:t", "/attributes/a", as: reader).value?.value == 1)
        try fixture.rig.policy(.modify, "n:open", Sample.policy())
        #expect(try fixture.rig.run(.retrieve, "n:t", "/attributes/a", as: reader).value?.value == 1)
        #expect(try fixture.rig.policy(.retrieve, "n:t").value?.value.object?["policyId"]?.string == "n:t")
    }

    @Test("a policy can be copied from the policy of a thing")
    func copyFromThing() throws {
        let fixture = try EngineFixture()
        try fixture.rig.policy(.create, "n:policy", Sample.policy([("test:b", ["thing:/": "R"])]))
        try fixture.make("n:source", Sample.guarded)
        for (number, reference) in [
            "{{ ref:things/n:source/policyId }}", "{{ref:things/n:source/policyId}}",
            " {{  ref:things/n:source/policyId/ }} ",
        ].enumerated() {
            let id = "n:t\(number)"
            try fixture.rig.run(.create, id, "/", #"{"_copyPolicyFrom":"\#(reference)","attributes":{"a":1}}"#)
            #expect(try fixture.thing(id)?.object?["policyId"]?.string == id)
            let reader = AuthorizationContext(["test:b"])
            #expect(try fixture.rig.run(.retrieve, id, "/attributes/a", as: reader).value?.value == 1)
        }
        // Under a given id, by a modify, and through a field that is not the policyId.
        try fixture.rig.run(
            .modify, "n:u", "/", #"{"policyId":"n:own","_copyPolicyFrom":"{{ ref:things/n:source/policyId }}"}"#)
        #expect(try fixture.rig.policy(.retrieve, "n:own").status == 200)
        try fixture.rig.run(.modify, "n:source", "/attributes/a", #""n:policy""#)
        try fixture.rig.run(.merge, "n:v", "/", #"{"_copyPolicyFrom":"{{ ref:things/n:source/attributes/a }}"}"#)
        #expect(try fixture.thing("n:v")?.object?["policyId"]?.string == "n:v")
    }

    @Test(
        "a reference that leads nowhere makes nothing",
        arguments: [
            ("{{ ref:things/n:none/policyId }}", "things:thing.notfound", 404),
            ("{{ ref:things/n:t/policyId }}", "things:thing.notfound", 404),
            ("{{ ref:things/n:hidden/policyId }}", "things:thing.notfound", 404),
            ("{{ ref:things/n:source/nope }}", "placeholder:placeholder.reference.unknownfield", 400),
            ("{{ ref:things/n:source/attributes/o }}", "placeholder:placeholder.reference.unknownfield", 400),
            ("{{ ref:things/n:source/ }}", "placeholder:placeholder.reference.unknownfield", 400),
            ("{{ ref:things/n:source }}", "placeholder:placeholder.reference.unknownfield", 400),
            ("{{ ref:things/n:source//policyId }}", "placeholder:placeholder.reference.unknownfield", 400),
            ("{{ ref:policies/n:policy/policyId }}", "placeholder:placeholder.reference.notsupported", 400),
            ("{{ ref:things }}", "placeholder:placeholder.reference.notsupported", 400),
            ("{{ ref: }}", "placeholder:placeholder.reference.notsupported", 400),
            ("{{ ref:things/x/policyId }}", "things:id.invalid", 400),
            ("{{ ref:things/n:source/definition }}", "policies:policy.notfound", 404),
            ("{{ ref:things/n:source/attributes/s }}", "policies:id.invalid", 400),
            ("{{ thing:id }}", "policies:id.invalid", 400),
            ("{{ ref:things/n:source/policyId", "policies:id.invalid", 400),
        ])
    func badReference(reference: String, code: String, status: Int) throws {
        let fixture = try EngineFixture()
        let other = AuthorizationContext(["test:other"])
        try fixture.make("n:source", #"{"definition":"a:b:1","attributes":{"o":{},"s":"text"}}"#)
        try fixture.rig.run(.create, "n:hidden", "/", "{}", as: other)
        fixture.forgetEvents(1)
        expectError(code, status) {
            try fixture.rig.run(.create, "n:t", "/", #"{"_copyPolicyFrom":"\#(reference)"}"#)
        }
        expectError("things:thing.notfound", 404) { try fixture.rig.run(.retrieve, "n:t") }
        #expect(fixture.published(1, within: 20).isEmpty)
    }

    @Test("a reference is followed only as far as memory reaches where reading is forbidden")
    func referenceInMemory() throws {
        let fixture = try EngineFixture()
        try fixture.make("n:source")
        let create = try EngineRig.command(
            .create, "n:t", "/", #"{"_copyPolicyFrom":"{{ ref:things/n:source/policyId }}"}"#)
        #expect(fixture.rig.engine.executeIfLoaded(create, as: EngineRig.owner) == nil)
        expectError("things:thing.notfound", 404) { try fixture.rig.run(.retrieve, "n:t") }
        expectError("things:thing.notfound", 404) { try fixture.rig.run(.retrieve, "n:none") }
        #expect(throws: TwinspanError.self) { try fixture.rig.policy(.retrieve, "n:t") }
        let outcome = try #require(fixture.rig.engine.executeIfLoaded(create, as: EngineRig.owner))
        #expect(try outcome.result.get().status == 201)
        let missing = try EngineRig.command(
            .create, "n:u", "/", #"{"_copyPolicyFrom":"{{ ref:things/n:none/policyId }}"}"#)
        expectError("things:thing.notfound", 404) { try fixture.rig.run(.retrieve, "n:u") }
        let refused = try #require(fixture.rig.engine.executeIfLoaded(missing, as: EngineRig.owner))
        expectError("things:thing.notfound", 404) { try refused.result.get() }
    }

    @Test("a policy that comes with a thing that is there is ignored, but not both kinds of it")
    func policyOfExisting() throws {
        let fixture = try EngineFixture()
        try fixture.make("n:t")
        for value in [
            #"{"_policy":{"entries":{}},"attributes":{"a":3}}"#, #"{"_policy":7,"attributes":{"a":3}}"#,
            #"{"_copyPolicyFrom":"n:none","attributes":{"a":3}}"#,
            #"{"_copyPolicyFrom":"{{ ref:things/n:none/policyId }}","attributes":{"a":3}}"#,
        ] {
            for action in [ThingCommand.Action.modify, .merge] {
                #expect(try fixture.rig.run(action, "n:t", "/", value).status == 204)
            }
        }
        for action in [ThingCommand.Action.modify, .merge, .create] {
            for id in ["n:t", "n:new"] {
                expectError("things:policy.conflicting", 400) {
                    try fixture.rig.run(action, id, "/", #"{"_policy":{},"_copyPolicyFrom":"n:t"}"#)
                }
            }
        }
        #expect(try fixture.rig.policy(.retrieve, "n:t").revision == 1)
    }

    @Test("a thing whose policy is deleted is forbidden to change and not found to read, until the policy is back")
    func lostPolicy() throws {
        let fixture = try EngineFixture()
        try fixture.make("n:t")
        try fixture.rig.policy(.delete, "n:t")
        for path in ["/", "/attributes/a"] {
            for action in [ThingCommand.Action.modify, .merge, .delete] {
                do {
                    try fixture.rig.run(action, "n:t", path, #"{"attributes":{}}"#)
                    Issue.record("\(action) was taken")
                } catch let error as TwinspanError {
                    #expect((error.code, error.status) == ("things:thing.notmodifiable", 403))
                    #expect(error.description?.contains("n:t") == true)
                }
            }
            expectError("things:thing.notfound", 404) { try fixture.rig.run(.retrieve, "n:t", path) }
        }
        let back = try fixture.rig.policy(.create, "n:t", Sample.policy())
        #expect(back.revision == 3)
        #expect(try fixture.rig.run(.modify, "n:t", "/attributes/a", "2").status == 204)
    }
}
