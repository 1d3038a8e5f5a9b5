import Testing
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol

@Suite("mapper ImplicitThingCreation")
struct ImplicitThingCreationMapperTests {
    private static let minimal: JSONObject = ["thing": ["thingId": "org.plant:{{ header:device_id }}"]]

    @Test("a create command is made of the template")
    func created() throws {
        let options = try object(
            """
            {"thing": {"thingId": "org.plant:{{ header:device_id }}", "policyId": "org.plant:p", "attributes":
              {"by": "{{ request:subjectId }}", "at": "{{ time:now }}", "n": 1,
               "list": ["{{ header:device_id }}", null],
               "{{ header:device_id }}": {"static": "text"}}},
             "commandHeaders": {"x": "{{ header:device_id }}", "absent": "{{ header:absent }}", "if-none-match": "no"},
             "allowPolicyLockout": false}
            """)
        let mapped = try MappingRig("ImplicitThingCreation", options: options).inbound("", ["device_id": "d1"])
        let expected = """
            {"topic": "org.plant/d1/things/twin/commands/create",
             "headers": {"if-none-match": "no", "allow-policy-lockout": false, "x": "d1"}, "path": "/",
             "value": {"thingId": "org.plant:d1", "policyId": "org.plant:p", "attributes":
              {"by": "integration:test", "at": "2030-01-01T12:00:00Z", "n": 1, "list": ["d1", null],
               "d1": {"static": "text"}}}}
            """
        #expect(mapped == [.signals([try JSONValue.parse(expected)])])
    }

    @Test("the template may be text, and has its headers by default")
    func templateAsText() throws {
        let options: JSONObject = ["thing": .string(#"{"thingId":"org.plant:{{ header:device_id }}"}"#)]
        let mapped = try MappingRig("ImplicitThingCreation", options: options).inbound("", ["device_id": "d1"])
        let expected =
            #"{"topic":"org.plant/d1/things/twin/commands/create","#
            + #""headers":{"if-none-match":"*","allow-policy-lockout":true},"path":"/","#
            + #""value":{"thingId":"org.plant:d1"}}"#
        #expect(mapped == [.signals([try JSONValue.parse(expected)])])
    }

    @Test("a placeholder without value is an error, and so is an id without form")
    func unresolved() throws {
        let rig = try MappingRig("ImplicitThingCreation", options: Self.minimal)
        #expect(try rig.inbound("") == [.failed(code: "placeholder:unresolved", status: 400)])
        #expect(try rig.inbound("", ["device_id": "a/b"]) == [.failed(code: "things:id.invalid", status: 400)])
    }

    @Test("outbound errors are thrown and all else is left out")
    func outbound() throws {
        let rig = try MappingRig("ImplicitThingCreation", options: Self.minimal)
        let error = try rig.outboundError(
            #"{"topic":"a/b/things/twin/errors","path":"/","status":412,"#
                + #""value":{"status":412,"error":"things:precondition.failed","message":"m","description":"d"}}"#)
        #expect(error?.code == "things:precondition.failed")
        #expect(error?.status == 412)
        #expect(error?.message == "m")
        #expect(error?.description == "d")
        for envelope in [
            #"{"topic":"a/b/things/twin/commands/create","path":"/","status":201,"value":{}}"#,
            #"{"topic":"a/b/things/twin/events/created","path":"/","value":{}}"#,
        ] {
            #expect(try rig.outbound(envelope)[0].get().isEmpty)
        }
    }

    @Test(
        "options are read strictly",
        arguments: [
            ("thing", "{}"), ("thing", #"{"thing":"{"}"#), ("thing", #"{"thing":[]}"#), ("thing", #"{"thing":{}}"#),
            ("thing", #"{"thing":{"thingId":1}}"#), ("thing", #"{"thing":{"thingId":"noColon"}}"#),
            ("thing", #"{"thing":{"thingId":"a:b","policyId":"noColon"}}"#),
            ("thing", #"{"thing":{"thingId":"a:{{ thing:id }}"}}"#),
            ("thing", #"{"thing":{"thingId":"a:b","attributes":{"x":["{{ feature:id }}"]}}}"#),
            ("thing", #"{"thing":{"thingId":"a:b","attributes":{"{{ header:a":1}}}"#),
            ("commandHeaders", #"{"thing":{"thingId":"a:b"},"commandHeaders":"x"}"#),
            ("commandHeaders", #"{"thing":{"thingId":"a:b"},"commandHeaders":{"x":"{{ topic:full }}"}}"#),
            ("allowPolicyLockout", #"{"thing":{"thingId":"a:b"},"allowPolicyLockout":"maybe"}"#),
        ])
    func options(_ option: String, _ options: String) throws {
        let error = try #require(definitionError("ImplicitThingCreation", try object(options)))
        #expect(error.code == "connectivity:message.mapper.config.invalid")
        #expect(error.status == 400)
        #expect(error.message.contains("'\(option)'"))
    }
}
