import Testing
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol

@Suite("mapper ConnectionStatus")
struct ConnectionStatusMapperTests {
    private static let options: JSONObject = ["thingId": "org.plant:{{ header:device_id }}"]

    @Test(
        "readiness is kept in a feature",
        arguments: [
            ("60", "2030-01-01T12:01:00Z"), ("-1", "9999-12-31T23:59:59Z"), ("1", "2030-01-01T12:00:01Z"),
        ])
    func ready(_ ttd: String, _ until: String) throws {
        let mapped = try MappingRig("ConnectionStatus", options: Self.options).inbound(
            "", ["device_id": "d1", "creation-time": "1893499200000", "ttd": ttd])
        let expected =
            #"{"topic":"org.plant/d1/things/twin/commands/modify","#
            + #""headers":{"response-required":false,"requested-acks":[]},"path":"/features/ConnectionStatus","#
            + #""value":{"definition":["org.eclipse.ditto:ConnectionStatus:1.0.0"],"properties":{"status":"#
            + #"{"readySince":"2030-01-01T12:00:00Z","readyUntil":"\#(until)"}}}}"#
        #expect(mapped == [.signals([try JSONValue.parse(expected)])])
    }

    @Test("a device that leaves has its end set only")
    func leaving() throws {
        let options: JSONObject = ["thingId": "org.plant:d1", "featureId": "{{ header:feature }}"]
        let mapped = try MappingRig("ConnectionStatus", options: options).inbound(
            "", ["feature": "f", "creation-time": "1893499200000", "ttd": "0"])
        let expected =
            #"{"topic":"org.plant/d1/things/twin/commands/modify","#
            + #""headers":{"response-required":false,"requested-acks":[]},"#
            + #""path":"/features/f/properties/status/readyUntil","value":"2030-01-01T12:00:00Z"}"#
        #expect(mapped == [.signals([try JSONValue.parse(expected)])])
    }

    @Test(
        "a message that does not say what is needed is left out",
        arguments: [
            [:], ["ttd": "1"], ["creation-time": "1"], ["creation-time": "1", "ttd": "-2"],
            ["creation-time": "-1", "ttd": "1"], ["creation-time": "x", "ttd": "1"],
            ["creation-time": "1", "ttd": "1.5"], ["creation-time": "1", "ttd": "9223372036854775807"],
            ["creation-time": "9223372036854775807", "ttd": "1"],
        ])
    func leftOut(_ headers: [String: String]) throws {
        let rig = try MappingRig("ConnectionStatus", options: Self.options)
        #expect(try rig.inbound("", headers.merging(["device_id": "d1"]) { $1 }) == [.dropped])
    }

    @Test("an id without value or form is left out", arguments: [[:], ["device_id": "a/b"], ["device_id": ""]])
    func badID(_ headers: [String: String]) throws {
        let rig = try MappingRig("ConnectionStatus", options: Self.options)
        #expect(try rig.inbound("", headers.merging(["creation-time": "1", "ttd": "1"]) { $1 }) == [.dropped])
    }

    @Test("outbound it makes nothing")
    func outbound() throws {
        let rig = try MappingRig("ConnectionStatus", options: Self.options)
        #expect(try rig.outbound(#"{"topic":"a/b/things/twin/errors","path":"/","status":400}"#)[0].get().isEmpty)
    }

    @Test(
        "options are read strictly",
        arguments: [
            ("thingId", "{}"), ("thingId", #"{"thingId":""}"#), ("thingId", #"{"thingId":"noColon"}"#),
            ("thingId", #"{"thingId":{}}"#), ("thingId", #"{"thingId":"{{ thing:id }}"}"#),
            ("thingId", #"{"thingId":"a:{{ header:x"}"#),
            ("featureId", #"{"thingId":"a:b","featureId":"a/b"}"#),
            ("featureId", #"{"thingId":"a:b","featureId":"{{ time:now }}"}"#),
        ])
    func options(_ option: String, _ options: String) throws {
        let error = try #require(definitionError("ConnectionStatus", try object(options)))
        #expect(error.code == "connectivity:message.mapper.config.invalid")
        #expect(error.status == 400)
        #expect(error.message.contains("'\(option)'"))
    }
}
