import Testing
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol

@Suite("mapper CloudEvents")
struct CloudEventsMapperTests {
    private static let command =
        #"{"topic":"a/b/things/twin/commands/modify","headers":{"x":"y"},"path":"/attributes/a","value":1}"#
    private static let mapped =
        #"{"topic":"a/b/things/twin/commands/modify","headers":{"x":"y","correlation-id":"e-1"},"#
        + #""path":"/attributes/a","value":1}"#
    private static let binaryHeaders = [
        "content-type": "application/vnd.eclipse.ditto+json", "ce-id": "e-1", "ce-type": "t", "ce-source": "/s",
        "ce-specversion": "1.0",
    ]
    private static let structuredHeaders = ["content-type": "application/cloudevents+json"]
    private static let attributes = #""specversion":"1.0","id":"e-1","type":"t","source":"/s""#

    @Test("the body of a binary event is the message, its id the correlation id")
    func binary() throws {
        let rig = try MappingRig("CloudEvents")
        #expect(try rig.inbound(Self.command, Self.binaryHeaders) == [.signals([try JSONValue.parse(Self.mapped)])])
    }

    @Test("a binary event needs its headers", arguments: ["ce-id", "ce-type", "ce-source", "ce-specversion"])
    func binaryWithout(_ header: String) throws {
        var headers = Self.binaryHeaders
        headers[header] = nil
        try Self.expectNoEvent(Self.command, headers)
        headers[header] = ""
        try Self.expectNoEvent(Self.command, headers)
    }

    @Test(
        "the data of a structured event is the message",
        arguments: [
            #""data":\#(command)"#, #""data_base64":"\#(Base64.encode(Array(command.utf8)))""#,
            #""data":null,"data_base64":"\#(Base64.encode(Array(command.utf8)))""#,
            #""data":\#(JSONValue.string(command).text)"#,
        ])
    func structured(_ content: String) throws {
        let rig = try MappingRig("CloudEvents")
        let payload = "{\(Self.attributes),\(content)}"
        #expect(try rig.inbound(payload, Self.structuredHeaders) == [.signals([try JSONValue.parse(Self.mapped)])])
    }

    @Test(
        "a structured event needs its attributes",
        arguments: [
            "{", "[]", "{}", #"{"specversion":"1.0","id":"e","type":"t","data":{}}"#,
            #"{"specversion":"1.0","id":"","type":"t","source":"s","data":{}}"#,
            #"{"specversion":1.0,"id":"e","type":"t","source":"s","data":{}}"#,
        ])
    func noEvent(_ payload: String) throws {
        try Self.expectNoEvent(payload, Self.structuredHeaders)
    }

    private static func expectNoEvent(_ payload: String, _ headers: [String: String]) throws {
        let (mapped, error) = try MappingRig("CloudEvents").failures(Array(payload.utf8), headers)[0]
        #expect(mapped == .failed(code: "connectivity:message.mapping.failed", status: 400))
        #expect(error?.message == "This is not a CloudEvent")
    }

    @Test(
        "a structured event needs data that can be read",
        arguments: [
            ("", "connectivity:message.mapping.failed"), (#","data":null"#, "connectivity:message.mapping.failed"),
            (#","data_base64":"?""#, "connectivity:message.mapping.failed"),
            (#","data_base64":1"#, "connectivity:message.mapping.failed"), (#","data":"{""#, "json.invalid"),
            (#","data":{}"#, "json.field.missing"), (#","data":[]"#, "json.invalid"),
        ])
    func badData(_ content: String, _ code: String) throws {
        let payload = "{\(Self.attributes)\(content)}"
        #expect(
            try MappingRig("CloudEvents").inbound(payload, Self.structuredHeaders) == [.failed(code: code, status: 400)]
        )
    }

    @Test("an event without body fails", arguments: [binaryHeaders, structuredHeaders])
    func empty(_ headers: [String: String]) throws {
        #expect(
            try MappingRig("CloudEvents").inbound("", headers)
                == [.failed(code: "connectivity:message.mapping.failed", status: 400)])
    }

    @Test(
        "other content types are left out",
        arguments: [
            nil, "application/json", "application/cloudevents+json; charset=utf-8", "APPLICATION/CLOUDEVENTS+JSON",
        ])
    func otherTypes(_ contentType: String?) throws {
        var headers = Self.binaryHeaders
        headers["content-type"] = contentType
        #expect(try MappingRig("CloudEvents").inbound(Self.command, headers) == [.dropped])
    }

    @Test("outbound a structured event is made")
    func outbound() throws {
        let event =
            #"{"topic":"a/b/things/twin/events/modified","headers":{"correlation-id":"c"},"path":"/attributes/x","#
            + #""value":"é\n","timestamp":"2030-01-01T00:00:00Z"}"#
        let message = try MappingRig("CloudEvents").message(event)
        #expect(message.header("content-type") == "application/cloudevents+json")
        let expected =
            #"{"specversion":"1.0","id":"c","source":"https://github.com/eclipse-ditto/ditto","#
            + #""type":"org.eclipse.ditto.outbound:things/twin/events/modified","#
            + #""datacontenttype":"application/vnd.eclipse.ditto+json","time":"2030-01-01T00:00:00Z","#
            + #""subject":"a:b","data":\#(event)}"#
        #expect(try message.json == (try JSONValue.parse(expected)))
    }

    @Test("a signal without correlation id gets an id of its own")
    func outboundID() throws {
        let event = #"{"topic":"a/b/policies/announcements/x","path":"/","value":{}}"#
        let rig = try MappingRig("CloudEvents")
        let ids = try (0..<2).map { _ in try rig.message(event).json?.object?["id"]?.string ?? "" }
        #expect(
            ids.allSatisfy {
                $0.wholeMatch(of: /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/) != nil
            })
        #expect(ids[0] != ids[1])
        #expect(try rig.message(event).json?.object?["time"] == "2030-01-01T12:00:00Z")
    }
}
