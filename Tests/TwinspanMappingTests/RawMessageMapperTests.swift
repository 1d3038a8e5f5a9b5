import Testing
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol

@Suite("mapper RawMessage")
struct RawMessageMapperTests {
    private static let base = ["ditto-message-thing-id": "a:b", "ditto-message-subject": "s"]

    struct Row: Sendable, CustomStringConvertible {
        var description: String
        var payload: String
        var headers: [String: String] = [:]
        var expected: String
    }

    static let rows: [Row] = [
        Row(
            description: "without a content type the value is Base64", payload: "hi",
            expected:
                #"{"topic":"a/b/things/live/messages/s","headers":{"content-type":"application/octet-stream"},"#
                + #""path":"/inbox/messages/s","value":"aGk="}"#),
        Row(
            description: "text is text", payload: "hi", headers: ["content-type": "text/plain"],
            expected:
                #"{"topic":"a/b/things/live/messages/s","headers":{"content-type":"text/plain"},"#
                + #""path":"/inbox/messages/s","value":"hi"}"#),
        Row(
            description: "JSON is JSON, from a feature, as an answer", payload: #"{"a": 1}"#,
            headers: [
                "content-type": "application/json", "ditto-message-direction": "FROM", "status": "200",
                "ditto-message-feature-id": "f", "other": "x",
            ],
            expected:
                #"{"topic":"a/b/things/live/messages/s","headers":{"content-type":"application/json"},"#
                + #""path":"/features/f/outbox/messages/s","value":{"a":1},"status":200}"#),
        Row(
            description: "no payload is no value", payload: "", headers: ["content-type": "text/plain"],
            expected:
                #"{"topic":"a/b/things/live/messages/s","headers":{"content-type":"text/plain"},"#
                + #""path":"/inbox/messages/s"}"#),
        Row(
            description: "an envelope is read as one",
            payload: #"{"topic":"a/b/things/twin/commands/retrieve","path":"/"}"#,
            headers: ["content-type": "application/vnd.eclipse.ditto+json; charset=utf-8"],
            expected: #"{"topic":"a/b/things/twin/commands/retrieve","path":"/"}"#),
    ]

    @Test("a payload becomes a live message", arguments: rows)
    func inbound(_ row: Row) throws {
        let headers = Self.base.merging(row.headers) { $1 }
        let mapped = try MappingRig("RawMessage").inbound(row.payload, headers)
        #expect(mapped == [.signals([try JSONValue.parse(row.expected)])])
    }

    @Test(
        "what is missing or not valid fails with its code",
        arguments: [
            (["ditto-message-subject": "s"], "connectivity:message.mapping.failed"),
            (["ditto-message-thing-id": "a:b"], "connectivity:message.mapping.failed"),
            (["ditto-message-thing-id": "ab", "ditto-message-subject": "s"], "things:id.invalid"),
            (
                [
                    "ditto-message-thing-id": "a:b", "ditto-message-subject": "s",
                    "ditto-message-direction": "sideways",
                ], "connectivity:message.mapping.failed"
            ),
            (
                ["ditto-message-thing-id": "a:b", "ditto-message-subject": "s", "status": "ok"],
                "connectivity:message.mapping.failed"
            ),
            (
                ["ditto-message-thing-id": "a:b", "ditto-message-subject": "s", "status": "99"],
                "connectivity:message.mapping.failed"
            ),
            (
                ["ditto-message-thing-id": "a:b", "ditto-message-subject": "s", "content-type": "application/json"],
                "json.invalid"
            ),
        ])
    func invalid(_ headers: [String: String], _ code: String) throws {
        #expect(try MappingRig("RawMessage").inbound("{", headers) == [.failed(code: code, status: 400)])
    }

    @Test("a content type without value is a format error")
    func contentTypeUnresolved() throws {
        let options = try object(#"{"incomingMessageHeaders":{"content-type":"{{ header:kind }}"}}"#)
        let rig = try MappingRig("RawMessage", options: options)
        #expect(try rig.inbound("hi", Self.base) == [.failed(code: "messages:messageformat.invalid", status: 400)])
    }

    @Test("headers may be given by the option")
    func headersOption() throws {
        let options = try object(
            """
            {"incomingMessageHeaders": {"content-type": "text/plain", "ditto-message-subject": "constant",
             "ditto-message-thing-id": "org.plant:{{ header:device }}"}}
            """)
        let mapped = try MappingRig("RawMessage", options: options).inbound("hi", ["device": "d1"])
        let expected =
            #"{"topic":"org.plant/d1/things/live/messages/constant","headers":{"content-type":"text/plain"},"#
            + #""path":"/inbox/messages/constant","value":"hi"}"#
        #expect(mapped == [.signals([try JSONValue.parse(expected)])])
    }

    @Test(
        "outbound the payload stands alone",
        arguments: [
            (#""headers":{"content-type":"text/plain"},"value":"hi""#, "hi", "text/plain"),
            (#""headers":{"content-type":"text/plain"},"value":{"a":1}"#, #"{"a":1}"#, "text/plain"),
            (#""headers":{"content-type":"application/json"},"value":{"a":1}"#, #"{"a":1}"#, "application/json"),
            (#""headers":{"content-type":"image/png"},"value":"aGk=""#, "hi", "image/png"),
            (#""headers":{"content-type":"image/png"}"#, "", "image/png"),
            (#""value":"hi""#, "hi", "text/plain; charset=UTF-8"),
        ])
    func outbound(_ members: String, _ body: String, _ contentType: String) throws {
        let message = try MappingRig("RawMessage").message(
            #"{"topic":"a/b/things/live/messages/s/t","path":"/features/f/outbox/messages/s/t","#
                + #"\#(members),"status":200}"#
        )
        #expect(String(decoding: message.payload, as: UTF8.self) == body)
        #expect(message.isBinary == (contentType == "image/png" && !body.isEmpty))
        #expect(message.header("content-type") == contentType)
        #expect(message.header("ditto-message-thing-id") == "a:b")
        #expect(message.header("ditto-message-subject") == "s/t")
        #expect(message.header("ditto-message-direction") == "FROM")
        #expect(message.header("ditto-message-feature-id") == "f")
        #expect(message.header("status") == "200")
    }

    @Test(
        "everything else goes out as an envelope",
        arguments: [
            #"{"topic":"a/b/things/twin/events/modified","path":"/","value":{}}"#,
            #"{"topic":"a/b/things/live/messages/s","headers":{"content-type":"application/vnd.eclipse.ditto+json"},"#
                + #""path":"/inbox/messages/s","value":{}}"#,
        ])
    func outboundAsDitto(_ envelope: String) throws {
        let message = try MappingRig("RawMessage").message(envelope)
        #expect(message.payload == Array(envelope.utf8))
        #expect(message.header("content-type") == "application/vnd.eclipse.ditto+json")
    }

    @Test("a binary payload that is not Base64 fails")
    func badBase64() throws {
        let error = try MappingRig("RawMessage").outboundError(
            #"{"topic":"a/b/things/live/messages/s","headers":{"content-type":"image/png"},"#
                + #""path":"/inbox/messages/s","value":"?"}"#)
        #expect(error?.code == "messages:messageformat.invalid")
        #expect(error?.status == 400)
    }

    @Test(
        "options are read strictly",
        arguments: [
            ("outgoingContentType", #"{"outgoingContentType":{}}"#),
            ("incomingMessageHeaders", #"{"incomingMessageHeaders":"x"}"#),
            ("incomingMessageHeaders", #"{"incomingMessageHeaders":[]}"#),
            ("incomingMessageHeaders", #"{"incomingMessageHeaders":{"status":{}}}"#),
            ("incomingMessageHeaders", #"{"incomingMessageHeaders":{"status":"{{ header:a"}}"#),
            ("incomingMessageHeaders", #"{"incomingMessageHeaders":{"status":"{{ thing:id }}"}}"#),
            ("incomingMessageHeaders", #"{"incomingMessageHeaders":{"status":"{{ header:a | fn:no() }}"}}"#),
        ])
    func options(_ option: String, _ options: String) throws {
        let error = try #require(definitionError("RawMessage", try object(options)))
        #expect(error.code == "connectivity:message.mapper.config.invalid")
        #expect(error.status == 400)
        #expect(error.message.contains("'\(option)'"))
    }
}
