import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

/// Entity tags, conditions and if-equal (spec/protocol.md §10).
@Suite("Conditional requests")
struct ConditionalRequestTests {
    /// if-match, if-none-match, whether a modify of the thing at revision 1 is done, and the code if not.
    static let tags: [(String?, String?, String?)] = [
        ("*", nil, nil), ("\"rev:1\"", nil, nil), (" \"rev:9\" ,\"rev:1\" ", nil, nil), ("\"a,b\",\"rev:1\"", nil, nil),
        ("\"\",\"rev:1\"", nil, nil), ("\"rev:2\"", nil, "things:precondition.failed"),
        ("W/\"rev:1\"", nil, "things:precondition.failed"), ("\"REV:1\"", nil, "things:precondition.failed"),
        (nil, "*", "things:precondition.failed"), (nil, "\"rev:1\"", "things:precondition.failed"),
        (nil, "\"rev:2\"", nil), (nil, "W/\"rev:1\"", nil), (nil, "\"x\",\"rev:1\"", "things:precondition.failed"),
        ("\"rev:1\"", "\"rev:2\"", nil), ("\"rev:1\"", "\"rev:1\"", "things:precondition.failed"),
        ("rev:1", nil, "header.invalid"), ("\"rev:1", nil, "header.invalid"), ("\"", nil, "header.invalid"),
        ("", nil, "header.invalid"), ("\"a*b\"", nil, "header.invalid"), ("\"a\"b\"", nil, "header.invalid"),
        ("*,\"rev:1\"", nil, "header.invalid"), ("\"rev:1\",", nil, "header.invalid"), (",", nil, "header.invalid"),
        ("w/\"rev:1\"", nil, "header.invalid"), (nil, "rev:1", "header.invalid"),
        (nil, "\"a\" \"b\"", "header.invalid"),
    ]

    private static func headers(_ match: String?, _ noneMatch: String?) -> [String: String] {
        var headers: [String: String] = [:]
        headers["if-match"] = match
        headers["if-none-match"] = noneMatch
        return headers
    }

    @Test("tags decide whether a change is made", arguments: tags)
    func modify(match: String?, noneMatch: String?, code: String?) throws {
        let fixture = try EngineFixture()
        try fixture.make("n:t")
        let headers = Self.headers(match, noneMatch)
        for action in [ThingCommand.Action.modify, .merge, .delete] {
            let value = action == .delete ? nil : #"{"attributes":{"a":5}}"#
            if let code {
                expectError(code, code == "header.invalid" ? 400 : 412, "\(action)") {
                    try fixture.rig.run(action, "n:t", "/", value, headers: headers)
                }
            } else if action == .modify {
                #expect(try fixture.rig.run(action, "n:t", "/", value, headers: headers).status == 204)
            }
        }
    }

    @Test("a retrieve whose tag is known is answered with 304")
    func retrieve() throws {
        let fixture = try EngineFixture()
        try fixture.make("n:t")
        expectError("things:precondition.notmodified", 304) {
            try fixture.rig.run(.retrieve, "n:t", headers: ["if-none-match": "\"rev:1\""])
        }
        expectError("things:precondition.failed", 412) {
            try fixture.rig.run(.retrieve, "n:t", headers: ["if-match": "\"rev:7\""])
        }
        let tag = try #require(try fixture.rig.run(.retrieve, "n:t", "/attributes/a").etag)
        expectError("things:precondition.notmodified", 304) {
            try fixture.rig.run(.retrieve, "n:t", "/attributes/a", headers: ["if-none-match": tag])
        }
    }

    @Test("tags are those of the addressed part, not of the thing")
    func parts() throws {
        let fixture = try EngineFixture()
        try fixture.make("n:t")
        let tag = try #require(try fixture.rig.run(.retrieve, "n:t", "/attributes/a").etag)
        try fixture.rig.run(.modify, "n:t", "/attributes/o", "1")
        try fixture.rig.run(.modify, "n:t", "/attributes/a", "2", headers: ["if-match": tag])
        expectError("things:precondition.failed", 412) {
            try fixture.rig.run(.modify, "n:t", "/attributes/a", "3", headers: ["if-match": tag])
        }
        expectError("things:precondition.failed", 412) {
            try fixture.rig.run(.merge, "n:t", "/attributes/a", "3", headers: ["if-none-match": "*"])
        }
        // What is not there matches nothing, not even the star.
        expectError("things:precondition.failed", 412) {
            try fixture.rig.run(.modify, "n:t", "/attributes/new", "3", headers: ["if-match": "*"])
        }
        #expect(
            try fixture.rig.run(.modify, "n:t", "/attributes/new", "3", headers: ["if-none-match": "*"]).status == 201)
        // A delete or retrieve of what is not there says so.
        expectError("things:attribute.notfound", 404) {
            try fixture.rig.run(.delete, "n:t", "/attributes/none", headers: ["if-match": "*"])
        }
        expectError("things:attribute.notfound", 404) {
            try fixture.rig.run(.retrieve, "n:t", "/attributes/none", headers: ["if-match": "*"])
        }
    }

    @Test("a creation asks for tags too")
    func create() throws {
        let fixture = try EngineFixture()
        for action in [ThingCommand.Action.modify, .create] {
            expectError("things:precondition.failed", 412) {
                try fixture.rig.run(action, "n:t", "/", "{}", headers: ["if-match": "*"])
            }
        }
        #expect(try fixture.rig.run(.modify, "n:t", "/", "{}", headers: ["if-none-match": "*"]).status == 201)
        expectError("things:precondition.failed", 412) {
            try fixture.rig.run(.create, "n:t", "/", "{}", headers: ["if-none-match": "*"])
        }
        expectError("things:thing.conflict", 409) { try fixture.rig.run(.create, "n:t", "/", "{}") }
    }

    static let conditions: [(String, String?)] = [
        ("eq(attributes/a,1)", nil), ("and(gt(attributes/a,0),exists(features/f))", nil), ("eq(_revision,1)", nil),
        ("eq(thingId,'n:t')", nil), ("lt(_modified,time:now)", nil), ("not(exists(attributes/nope))", nil),
        ("eq(attributes/a,2)", "things:condition.failed"), ("exists(attributes/nope)", "things:condition.failed"),
        ("gt(_created,time:now)", "things:condition.failed"), ("eq(attributes/a", "things:condition.invalid"),
        ("", "things:condition.invalid"), ("attributes/a=1", "things:condition.invalid"),
        ("eq(a)", "things:condition.invalid"),
    ]

    @Test("what is wrong with a condition is shown with a caret")
    func invalidCondition() throws {
        let fixture = try EngineFixture()
        try fixture.make("n:t")
        let error = #expect(throws: TwinspanError.self) {
            try fixture.rig.run(
                .retrieve, "n:t", "/", nil, headers: ["condition": "eq(attributes/x,{\"a\":\"b\"})"])
        }
        #expect(error?.code == "things:condition.invalid")
        // spec/policies-search.md part H.
        #expect(error?.message.contains("Invalid input '{'") == true)
        let caret = "\neq(attributes/x,{\"a\":\"b\"})\n" + String(repeating: " ", count: 16) + "^\n"
        #expect(error?.description?.contains(caret) == true, "\(error?.description ?? "")")
        let slashes = #expect(throws: TwinspanError.self) {
            try fixture.rig.run(.retrieve, "n:t", "/", nil, headers: ["condition": "eq(attributes//x,1)"])
        }
        #expect(slashes?.status == 400)
        #expect(slashes?.description?.contains("Consecutive slashes in JSON pointers are not supported.") == true)
    }

    @Test("a condition decides over every command", arguments: conditions)
    func condition(text: String, code: String?) throws {
        let fixture = try EngineFixture()
        try fixture.make("n:t")
        for (action, path, value) in [
            (ThingCommand.Action.retrieve, "/", nil), (.retrieve, "/features/f", nil),
            (.modify, "/attributes/a", "1"), (.merge, "/attributes/a", "1"), (.delete, "/attributes/n", nil),
        ] as [(ThingCommand.Action, String, String?)] {
            fixture.rig.clock.advance(by: .seconds(1))
            if let code {
                expectError(code, code.hasSuffix("invalid") ? 400 : 412, "\(action)") {
                    try fixture.rig.run(action, "n:t", path, value, headers: ["condition": text])
                }
            } else if !text.contains("_revision") || action == .retrieve {
                let status = try fixture.rig.run(action, "n:t", path, value, headers: ["condition": text]).status
                #expect(status == (action == .retrieve ? 200 : 204))
            }
        }
    }

    @Test("a condition over a field that may not be read fails, before any other answer")
    func unreadable() throws {
        let fixture = try EngineFixture()
        try fixture.rig.policy(
            .create, "n:policy", Sample.policy([("test:part", ["thing:/": "RW", "thing:/attributes/a": "-R"])]))
        try fixture.make("n:t", Sample.guarded)
        let context = AuthorizationContext(["test:part"])
        for condition in [
            "eq(attributes/a,1)", "not(exists(attributes/a))", "or(eq(attributes/o/x,1),exists(attributes/a))",
        ] {
            for (path, who) in [
                ("/attributes/o", context), ("/features/none/properties/p", context),
                ("/attributes/o", AuthorizationContext(["test:stranger"])),
            ] {
                do {
                    try fixture.rig.run(.modify, "n:t", path, "1", headers: ["condition": condition], as: who)
                    Issue.record("it was taken")
                } catch let error as TwinspanError {
                    #expect((error.code, error.status) == ("things:condition.failed", 412))
                    #expect(error.description?.contains("insufficient permissions") == true)
                }
            }
        }
        #expect(
            try fixture.rig.run(
                .modify, "n:t", "/attributes/o", "1", headers: ["condition": "eq(attributes/o/x,1)"], as: context
            ).status == 204)
    }

    @Test("who may not write learns nothing from a condition that is readable but false")
    func falseButForbidden() throws {
        let fixture = try EngineFixture()
        try fixture.rig.policy(.create, "n:policy", Sample.policy([("test:reader", ["thing:/": "R"])]))
        try fixture.make("n:t", Sample.guarded)
        for (action, code) in [
            (ThingCommand.Action.modify, "things:attribute.notmodifiable"), (.delete, "things:attribute.notmodifiable"),
            (.merge, "things:thing.notmodifiable"),
        ] {
            expectError(code, 403, "\(action)") {
                try fixture.rig.run(
                    action, "n:t", "/attributes/a", "5", headers: ["condition": "eq(attributes/a,7)"],
                    as: AuthorizationContext(["test:reader"]))
            }
        }
    }

    @Test("a condition is decided before tags, and is ignored when a thing is made")
    func order() throws {
        let fixture = try EngineFixture()
        let headers = ["condition": "eq(attributes/a,7)", "if-match": "\"rev:9\""]
        #expect(
            try fixture.rig.run(.modify, "n:u", "/", "{}", headers: ["condition": "eq(attributes/a,7)"]).status == 201)
        try fixture.make("n:t")
        expectError("things:condition.failed", 412) {
            try fixture.rig.run(.modify, "n:t", "/attributes/a", "1", headers: headers)
        }
    }

    /// if-equal, action, path, value, and whether it is refused.
    static let equals: [(String, ThingCommand.Action, String, String, Bool)] = [
        ("update", .modify, "/attributes/a", "1", false), ("UPDATE", .modify, "/attributes/a", "1", false),
        ("skip", .modify, "/attributes/a", "1", true), ("skip", .modify, "/attributes/a", "1.0", true),
        ("skip", .modify, "/attributes/a", "2", false), ("skip", .modify, "/attributes/new", "1", false),
        ("skip", .modify, "/attributes/o", #"{"y":{"z":2},"x":1}"#, true),
        ("skip", .merge, "/attributes/a", "1", true), ("skip", .merge, "/attributes", #"{"a":1}"#, true),
        ("skip", .merge, "/attributes", #"{"a":2}"#, false), ("skip", .merge, "/attributes/none", "null", false),
        ("skip", .merge, "/", #"{"attributes":{"o":{"y":{}}}}"#, true),
        ("skip-minimizing-merge", .modify, "/attributes/a", "1", false),
        ("skip-minimizing-merge", .merge, "/attributes/a", "1", true),
        ("skip-minimizing-merge", .merge, "/attributes/a", "2", false),
    ]

    @Test("if-equal skips changes that change nothing", arguments: equals)
    func ifEqual(rule: String, action: ThingCommand.Action, path: String, value: String, isSkipped: Bool) throws {
        let fixture = try EngineFixture()
        try fixture.make("n:t")
        if isSkipped {
            expectError("things:precondition.failed", 412) {
                try fixture.rig.run(action, "n:t", path, value, headers: ["if-equal": rule])
            }
        } else {
            #expect(try fixture.rig.run(action, "n:t", path, value, headers: ["if-equal": rule]).revision == 2)
        }
        expectError("header.invalid", 400) {
            try fixture.rig.run(action, "n:t", path, value, headers: ["if-equal": "maybe"])
        }
    }

    @Test("a minimised merge has only what differs in its event")
    func minimised() throws {
        let fixture = try EngineFixture()
        try fixture.make("n:t")
        try fixture.rig.run(
            .merge, "n:t", "/attributes", #"{"a":1,"o":{"x":2,"y":{"z":2}},"none":null}"#,
            headers: ["if-equal": "skip-minimizing-merge"])
        let event = try #require(fixture.published(1).first)
        #expect(event.value?.value == (try json(#"{"o":{"x":2}}"#)))
    }

    /// Path, patch, conditions, the value at the path afterwards, and the patch in the event; nil without an event.
    static let patchConditions: [(String, String, String, String, String?)] = [
        ("/attributes", #"{"a":9,"n":8}"#, #"{"a":"eq(attributes/a,1)"}"#, #"{"a":9,"n":8}"#, #"{"a":9,"n":8}"#),
        ("/attributes", #"{"a":9,"n":8}"#, #"{"a":"eq(attributes/a,2)"}"#, #"{"a":1,"n":8}"#, #"{"n":8}"#),
        ("/attributes", #"{"a":9,"n":8}"#, #"{"/a":"eq(attributes/a,2)"}"#, #"{"a":1,"n":8}"#, #"{"n":8}"#),
        (
            "/attributes", #"{"a":9,"n":8}"#, #"{"a":"gt(attributes/a,1)","n":"exists(features/none)"}"#,
            #"{"a":1,"n":null}"#, "{}"
        ),
        (
            "/attributes", #"{"o":{"x":5},"n":8}"#, #"{"o/x":"eq(attributes/o/x,7)"}"#, #"{"a":1,"n":8}"#,
            #"{"o":{},"n":8}"#
        ),
        ("/attributes", #"{"a":9}"#, #"{"nope":"eq(attributes/a,2)"}"#, #"{"a":9,"n":null}"#, #"{"a":9}"#),
        ("/attributes", #"{"a":9}"#, "{}", #"{"a":9,"n":null}"#, #"{"a":9}"#),
        ("/attributes", #"{"a":9}"#, #"{"a":"lt(_modified,time:now)"}"#, #"{"a":1,"n":null}"#, "{}"),
        // Emptied objects stay, also at the root.
        (
            "/", #"{"attributes":{"a":9}}"#, #"{"attributes/a":"eq(attributes/a,2)"}"#, #"{"a":1,"n":null}"#,
            #"{"attributes":{}}"#
        ),
        ("/", #"{"attributes":{"a":9}}"#, #"{"attributes":"eq(attributes/a,2)"}"#, #"{"a":1,"n":null}"#, "{}"),
        // The patch as a whole.
        ("/attributes/a", "9", #"{"/":"eq(attributes/a,1)"}"#, "9", "9"),
        ("/attributes/a", "9", #"{"/":"eq(attributes/a,2)"}"#, "1", nil),
        ("/attributes", #"{"a":9}"#, #"{"":"eq(attributes/a,2)"}"#, #"{"a":1,"n":null}"#, nil),
    ]

    @Test("conditions of a patch decide over its parts", arguments: patchConditions)
    func patchCondition(
        path: String, patch: String, conditions: String, expected: String, published: String?
    ) throws {
        let fixture = try EngineFixture()
        try fixture.make("n:t")
        let headers = ["merge-thing-patch-conditions": conditions]
        let response = try fixture.rig.run(.merge, "n:t", path, patch, headers: headers)
        #expect((response.status, response.revision) == (204, published == nil ? 1 : 2))
        let seen = try fixture.rig.run(
            .retrieve, "n:t", path == "/" ? "/attributes" : path, fields: path == "/attributes/a" ? nil : "a,n")
        #expect(seen.value?.value == (try json(expected)))
        let events = fixture.published(1, within: published == nil ? 20 : 5_000)
        #expect(events.map { $0.value?.value } == (try published.map { [try json($0)] } ?? []))
        // They are not asked of anything but a merge of what is there.
        #expect(try fixture.rig.run(.modify, "n:t", "/attributes/a", "3", headers: headers).status == 204)
        #expect(
            try fixture.rig.run(.merge, "n:new", "/", #"{"attributes":{"a":9}}"#, headers: headers).status == 201)
    }

    @Test(
        "conditions of a patch that cannot be read are refused",
        arguments: [
            ("1", "header.invalid"), ("[]", "header.invalid"), ("{", "header.invalid"), ("", "header.invalid"),
            (#"{"a":1}"#, "header.invalid"), (#"{"a//b":"eq(attributes/a,1)"}"#, "header.invalid"),
            (#"{"a":"eq(attributes/a"}"#, "things:condition.invalid"), (#"{"a":""}"#, "things:condition.invalid"),
            (#"{"a":"eq(nope,1)"}"#, "things:condition.invalid"),
        ])
    func badPatchCondition(conditions: String, code: String) throws {
        let fixture = try EngineFixture()
        try fixture.make("n:t")
        expectError(code, 400) {
            try fixture.rig.run(
                .merge, "n:t", "/attributes", #"{"a":9}"#, headers: ["merge-thing-patch-conditions": conditions])
        }
        #expect(try fixture.rig.run(.retrieve, "n:t").revision == 1)
    }

    @Test("conditions of a patch need READ, and an object does as well as its text")
    func patchConditionAccess() throws {
        let fixture = try EngineFixture()
        try fixture.rig.policy(
            .create, "n:policy",
            Sample.policy([("test:w", ["thing:/": "W", "thing:/attributes/o": "R"])]))
        try fixture.make("n:t", Sample.guarded)
        let context = AuthorizationContext(["test:w"])
        for condition in [
            "eq(attributes/a,1)", "not(exists(attributes/a))", "or(eq(attributes/o/x,1),exists(features/f))",
        ] {
            expectError("things:condition.failed", 412) {
                try fixture.rig.run(
                    .merge, "n:t", "/attributes", #"{"a":9}"#,
                    headers: ["merge-thing-patch-conditions": #"{"a":"\#(condition)"}"#], as: context)
            }
        }
        var command = try EngineRig.command(.merge, "n:t", "/attributes", #"{"a":9}"#)
        command.headers.append("merge-thing-patch-conditions", ["a": "eq(attributes/o/x,1)"])
        #expect(try fixture.rig.engine.execute(command, as: context).result.get().status == 204)
        #expect(try fixture.rig.run(.retrieve, "n:t", "/attributes/a").value?.value == 9)
    }

    @Test("an error of a precondition tells the present tag to those who may read the resource, and only to those")
    func tagOfErrors() throws {
        let fixture = try EngineFixture()
        try fixture.rig.policy(.create, "n:policy", Sample.policy([("test:w", ["thing:/": "W"])]))
        try fixture.make("n:t", Sample.guarded)
        let hash = try fixture.rig.run(.retrieve, "n:t", "/attributes/a").etag
        let rows: [(ThingCommand.Action, String, String?, [String: String], String?)] = [
            (.retrieve, "/", nil, ["if-none-match": "*"], "\"rev:1\""),
            (.retrieve, "/", nil, ["if-match": "\"x\""], "\"rev:1\""),
            (.modify, "/", "{}", ["if-match": "\"x\""], "\"rev:1\""),
            (.create, "/", "{}", ["if-none-match": "*"], "\"rev:1\""),
            (.delete, "/", nil, ["if-match": "\"x\""], "\"rev:1\""),
            (.merge, "/", #"{"attributes":{"a":2}}"#, ["if-match": "\"x\""], "\"rev:1\""),
            (.retrieve, "/attributes/a", nil, ["if-none-match": "*"], hash),
            (.modify, "/attributes/a", "2", ["if-match": "\"x\""], hash),
            (.modify, "/attributes/a", "1", ["if-equal": "skip"], hash),
            (.merge, "/attributes/a", "1", ["if-equal": "skip-minimizing-merge"], hash),
            (.merge, "/attributes/a", "2", ["if-none-match": "*"], hash),
            (.delete, "/attributes/a", nil, ["if-none-match": "*"], hash),
            (.modify, "/attributes/new", "2", ["if-match": "*"], nil),
            (.modify, "/attributes/a", "2", ["condition": "eq(attributes/a,7)"], nil),
        ]
        for (action, path, value, headers, tag) in rows {
            let command = try EngineRig.command(action, "n:t", path, value, headers: headers)
            for (context, expected) in [(EngineRig.owner, tag), (AuthorizationContext(["test:w"]), nil)] {
                do throws(TwinspanError) {
                    _ = try fixture.rig.engine.execute(command, as: context).result.get()
                    Issue.record("\(action) \(path) was taken")
                } catch {
                    #expect(error.etag == expected, "\(action) \(path) \(headers)")
                    let envelope = error.envelope(topic: command.topic(), headers: command.headers)
                    #expect(envelope.headers[.etag]?.string == expected)
                    #expect(envelope.value?.value.object?["etag"] == nil)
                    guard error.code == "things:precondition.failed", headers["if-equal"] == nil else { continue }
                    #expect(headers.keys.allSatisfy { error.message.contains($0) }, "\(error.message)")
                }
            }
        }
    }

    @Test("a retrieve that inlines the policy asks for no tag")
    func inlinedPolicy() throws {
        let fixture = try EngineFixture()
        try fixture.make("n:t")
        for headers in [["if-none-match": "\"rev:1\""], ["if-match": "\"x\""]] {
            #expect(try fixture.rig.run(.retrieve, "n:t", headers: headers, fields: "thingId,_policy").status == 200)
            #expect(throws: TwinspanError.self) {
                try fixture.rig.run(.retrieve, "n:t", headers: headers, fields: "thingId,policyId")
            }
        }
        try fixture.rig.run(.modify, "n:t", "/attributes/_policy", "1")
        expectError("things:precondition.notmodified", 304) {
            try fixture.rig.run(.retrieve, "n:t", "/attributes", headers: ["if-none-match": "*"], fields: "_policy")
        }
    }

    @Test("if-equal has no effect on what is not there, and the whole thing is compared without its special fields")
    func ifEqualWhole() throws {
        let fixture = try EngineFixture()
        for rule in ["skip", "skip-minimizing-merge"] {
            for (action, id) in [(ThingCommand.Action.modify, "n:m-\(rule)"), (.merge, "n:p-\(rule)")] {
                #expect(
                    try fixture.rig.run(
                        action, id, "/", #"{"attributes":{"a":1}}"#, headers: ["if-equal": rule]
                    ).status == 201)
                #expect(
                    try fixture.rig.run(action, id, "/attributes/new", "1", headers: ["if-equal": rule]).revision == 2)
            }
        }
        try fixture.make("n:t", #"{"definition":"a:b:1","attributes":{"a":1,"b":2}}"#)
        let same = #"{"attributes":{"b":2,"a":1.0},"_revision":7,"_metadata":{},"definition":"a:b:1"}"#
        for action in [ThingCommand.Action.modify, .merge] {
            expectError("things:precondition.failed", 412) {
                try fixture.rig.run(action, "n:t", "/", same, headers: ["if-equal": "skip"])
            }
        }
        #expect(
            try fixture.rig.run(.modify, "n:t", "/", same, headers: ["if-equal": "skip-minimizing-merge"]).revision == 2
        )
    }

    @Test(
        "headers that cannot be read are refused before anything else, on every command",
        arguments: [
            (["if-match": "x"], "header.invalid"), (["if-none-match": "x"], "header.invalid"),
            (["if-equal": "x"], "header.invalid"), (["condition": "x"], "things:condition.invalid"),
            (["allow-policy-lockout": "x"], "header.invalid"), (["get-metadata": "("], "header.invalid"),
        ])
    func parsedFirst(headers: [String: String], code: String) throws {
        let fixture = try EngineFixture()
        try fixture.rig.policy(.create, "n:policy", Sample.policy([]))
        try fixture.make("n:t", Sample.guarded)
        for (id, context) in [
            ("n:t", EngineRig.owner), ("n:none", EngineRig.owner), ("n:t", AuthorizationContext(["test:stranger"])),
        ] {
            for (action, value) in [
                (ThingCommand.Action.retrieve, nil), (.modify, "{}"), (.merge, #"{"attributes":{}}"#), (.delete, nil),
                (.create, "{}"),
            ] as [(ThingCommand.Action, String?)] {
                expectError(code, 400, "\(action) \(id)") {
                    try fixture.rig.run(action, id, "/", value, headers: headers, as: context)
                }
            }
        }
    }
}
