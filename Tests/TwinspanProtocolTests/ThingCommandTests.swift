import Testing
import TwinspanJSON
import TwinspanProtocol

@Suite("ThingCommand")
struct ThingCommandTests {
    static func envelope(_ topic: String, _ path: String, _ rest: String) throws -> Envelope {
        try Envelope.parse(Array(#"{"topic":"\#(topic)","path":"\#(path)"\#(rest)}"#.utf8))
    }

    static let patchType = #","headers":{"content-type":"application/merge-patch+json"}"#

    static let illegal: [(String, String, String, String)] = [
        ("n/t/things/twin/commands/modify", "/attributes", "", "json.invalid"),
        ("n/t/things/twin/commands/create", "/", "", "json.invalid"),
        ("n/t/things/twin/commands/create", "/attributes", #","value":{}"#, "protocoladapter:unknown.topicpath"),
        ("n/t/things/twin/commands/merge", "/", patchType, "json.invalid"),
        ("n/t/things/twin/commands/merge", "/", #","value":{}"#, "mediatype.unsupported"),
        (
            "n/t/things/twin/commands/merge", "/", #","value":{},"headers":{"content-type":"application/json"}"#,
            "mediatype.unsupported"
        ),
        ("n/t/things/twin/commands/delete", "/policyId", "", "protocoladapter:unknown.topicpath"),
        ("n/t/things/twin/commands/retrieve", "/thingId", "", "protocoladapter:unknown.path"),
        ("n/t/things/twin/commands/modify", "/features/f/x", #","value":1"#, "protocoladapter:unknown.path"),
        ("n/t/things/twin/commands/migrate", "/", #","value":{}"#, "signal.unsupported"),
        ("n/t/things/live/commands/modify", "/attributes/a", #","value":1"#, "signal.unsupported"),
        ("n/t/things/twin/events/modified", "/attributes/a", #","value":1"#, "signal.unsupported"),
        ("n/t/things/twin/commands/modify", "/attributes/a", #","value":1,"status":204"#, "signal.unsupported"),
        ("n/t/things/twin/acks/x", "/", #","status":200"#, "signal.unsupported"),
        ("n/t/things/twin/search/subscribe", "/", #","value":{}"#, "signal.unsupported"),
        ("n/p/policies/commands/retrieve", "/", "", "signal.unsupported"),
        ("1n/t/things/twin/commands/modify", "/attributes/a", #","value":1"#, "things:id.invalid"),
        ("n/t\u{7F}/things/twin/commands/modify", "/attributes/a", #","value":1"#, "things:id.invalid"),
        ("n/t/things/twin/commands/modify", "/attributes/ü", #","value":1"#, "json.key.invalid"),
        (
            "n/t/things/twin/commands/modify", "/attributes/a", #","value":1,"headers":{"timeout":"soon"}"#,
            "timeout.invalid"
        ),
        (
            "n/t/things/twin/commands/modify", "/attributes/a", #","value":1,"headers":{"timeout":"-1"}"#,
            "timeout.invalid"
        ),
        (
            "n/t/things/twin/commands/modify", "/attributes/a", #","value":1,"headers":{"timeout":"1.5s"}"#,
            "timeout.invalid"
        ),
        (
            "n/t/things/twin/commands/modify", "/attributes/a", #","value":1,"headers":{"response-required":"maybe"}"#,
            "header.invalid"
        ),
        (
            "n/t/things/twin/commands/modify", "/attributes/a", #","value":1,"headers":{"response-required":7}"#,
            "header.invalid"
        ),
        (
            "n/t/things/twin/commands/modify", "/attributes/a", #","value":1,"headers":{"correlation-id":""}"#,
            "header.invalid"
        ),
        (
            "n/t/things/twin/commands/modify", "/attributes/a",
            #","value":1,"headers":{"timeout":"0","response-required":true}"#, "header.invalid"
        ),
    ]

    @Test("a command that means nothing is refused with its code", arguments: illegal)
    func refused(topic: String, path: String, rest: String, code: String) throws {
        let envelope = try Self.envelope(topic, path, rest)
        do throws(TwinspanError) {
            _ = try ThingCommand(envelope)
            Issue.record("\(topic) \(path) \(rest) was taken")
        } catch {
            #expect(error.code == code, "\(error)")
        }
    }

    @Test("a missing media type is said literally, because clients compare it")
    func mediaType() throws {
        let envelope = try Self.envelope("n/t/things/twin/commands/merge", "/", #","value":{}"#)
        #expect(throws: TwinspanError.self) { try ThingCommand(envelope) }
        do throws(TwinspanError) { _ = try ThingCommand(envelope) } catch { #expect(error.status == 415) }
    }

    static let answerRequired: [(String, Bool)] = [
        ("{}", true), (#"{"response-required":true}"#, true), (#"{"response-required":"TRUE"}"#, true),
        (#"{"response-required":false}"#, false), (#"{"response-required":"false"}"#, false),
        (#"{"response-required":null}"#, true), (#"{"timeout":"10s"}"#, true), (#"{"timeout":"0"}"#, false),
        (#"{"timeout":"0s"}"#, false), (#"{"timeout":"0ms"}"#, false), (#"{"timeout":0}"#, false),
        (#"{"timeout":"0m","requested-acks":[]}"#, false), (#"{"requested-acks":[]}"#, true),
    ]

    @Test("an answer is required unless the headers say no", arguments: answerRequired)
    func responseRequired(text: String, isRequired: Bool) throws {
        let headers = DittoHeaders(try #require(try JSONValue.parse(text).object))
        #expect(headers.isResponseRequired == isRequired)
    }

    @Test("the answer keeps correlation id and custom headers, and drops what only asks")
    func answer() throws {
        let envelope = try Self.envelope(
            "n/t/things/twin/commands/modify", "/attributes/a",
            #","value":1,"headers":{"correlation-id":"c","X-Mine":"v","if-match":"*","#
                + #""condition":"exists(thingId)","timeout":"3s"}"#
        )
        let command = try ThingCommand(envelope)
        let answer = command.envelope(
            of: ThingResponse(status: 204, revision: 7, etag: "\"hash:1\"", action: .modify))
        let expected = """
            {"topic":"n/t/things/twin/commands/modify","headers":{"correlation-id":"c","X-Mine":"v","timeout":"3s",
            "response-required":false,"etag":"\\"hash:1\\"","entity-revision":7},"path":"/attributes/a","status":204}
            """
        #expect(try JSONValue.parse(answer.bytes) == JSONValue.parse(expected))
        let created = command.envelope(
            of: ThingResponse(
                status: 201, value: JSONText(JSONValue.number(JSONNumber(1))), revision: 1, etag: nil, action: .create))
        #expect(created.topic.text == "n/t/things/twin/commands/create")
        #expect(created.headers[.contentType]?.string == "application/json")
    }
}
