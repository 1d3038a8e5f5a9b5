import Testing
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol

@Suite("outgoing scripts")
struct OutgoingScriptTests {
    /// A message as `name:value|… = payload`, binary ones in decimal numbers.
    struct Row: Sendable, CustomTestStringConvertible {
        let result: String
        let headers: [String]
        let payload: [UInt8]
        var testDescription: String { result }

        init(_ result: String, _ headers: [String], _ payload: [UInt8]) {
            (self.result, self.headers, self.payload) = (result, headers, payload)
        }

        init(_ result: String, _ headers: [String], _ payload: String) {
            self.init(result, headers, Array(payload.utf8))
        }
    }

    static let rows = [
        Row("{ textPayload: 'a' }", [], "a"),
        Row("{ textPayload: '' }", [], ""),
        Row("{ textPayload: 42 }", [], "42"),
        Row("{ textPayload: 'żó\\u0000🙂\\n2 1' }", [], "żó\u{0}🙂\n2 1"),
        Row("{ textPayload: 'a', contentType: 'text/plain' }", ["content-type:text/plain"], "a"),
        Row(
            "{ headers: { 'Content-Type': 'b', X: 1 }, textPayload: 'a', contentType: 'c' }",
            ["x:1", "content-type:c"], "a"),
        Row(
            "{ headers: { a: 1.5, b: true, c: ['x', 1], d: { e: 1 }, f: null, g: 'ż🙂', h: '' }, textPayload: 'p' }",
            ["a:1.5", "b:true", #"c:["x",1]"#, #"d:{"e":1}"#, "g:ż🙂", "h:"], "p"),
        Row("{ headers: null, textPayload: 'a', bytePayload: null }", [], "a"),
        Row("{ textPayload: 'a', bytePayload: [1, 255, -1, 256] }", [], [1, 255, 255, 0]),
        Row("{ bytePayload: [] }", [], [UInt8]()),
        Row("{ bytePayload: new ArrayBuffer(2) }", [], [0, 0]),
        Row("{ bytePayload: new Uint8Array([1, 2, 3, 4]).subarray(1, 3) }", [], [2, 3]),
        Row("{ bytePayload: new Uint16Array([258]) }", [], [2, 1]),
        Row("{ bytePayload: new DataView(new Uint8Array([7, 8]).buffer, 1) }", [], [8]),
        Row("{ bytePayload: Ditto.stringToArrayBuffer('hé') }", [], [0x68, 0xE9]),
        Row("Ditto.buildExternalMsg({ a: 'b' }, 'text', null, 'x/y')", ["a:b", "content-type:x/y"], "text"),
        Row("[null, { textPayload: 'only' }]", [], "only"),
    ]

    @Test("what a script returns is sent", arguments: rows)
    func sends(_ row: Row) throws {
        let rig = try ScriptRig(outgoing: "function mapFromDittoProtocolMsg() { return \(row.result); }")
        let messages = try rig.outbound(IncomingScriptTests.event)
        #expect(messages.map { $0.headers.map { "\($0.name):\($0.value)" } } == [row.headers])
        #expect(messages.map(\.payload) == [row.payload])
    }

    @Test("several messages, texts and bytes mixed, come in their order")
    func several() throws {
        let rig = try ScriptRig(
            outgoing: """
                function mapFromDittoProtocolMsg() {
                  return [{ textPayload: 'one' }, { bytePayload: [2] }, { headers: { n: 3 }, textPayload: 'three' },
                    { bytePayload: [4, 4] }];
                }
                """)
        let messages = try rig.outbound(IncomingScriptTests.event)
        #expect(messages.map(\.payload) == [Array("one".utf8), [2], Array("three".utf8), [4, 4]])
        #expect(messages.map(\.headers.count) == [0, 0, 1, 0])
        #expect(messages.map(\.isBinary) == [false, true, false, true])
    }

    @Test("null, undefined and an empty array send nothing", arguments: ["null", "undefined", "[]", "[null]"])
    func nothing(_ result: String) throws {
        let rig = try ScriptRig(outgoing: "function mapFromDittoProtocolMsg() { return \(result); }")
        #expect(try rig.outbound(IncomingScriptTests.event).isEmpty)
    }

    @Test(
        "the topic is taken apart",
        arguments: [
            ("n/t/things/twin/events/modified", #"["n","t","things","twin","events","modified"]"#),
            ("n/t/things/live/messages/a/b", #"["n","t","things","live","messages","a"]"#),
            ("n/t/things/twin/errors", #"["n","t","things","twin","errors",null]"#),
            ("n/p/policies/commands/modify", #"["n","p","policies","none","commands","modify"]"#),
            ("_/_/connections/announcements/opened", #"["_","_","connections","none","announcements","opened"]"#),
        ])
    func topics(_ row: (topic: String, parts: String)) throws {
        let rig = try ScriptRig(
            outgoing: """
                function mapFromDittoProtocolMsg(namespace, name, group, channel, criterion, action) {
                  return { textPayload: JSON.stringify([namespace, name, group, channel, criterion, action]) };
                }
                """)
        let message = try rig.outbound(#"{"topic":"\#(row.topic)","headers":{},"path":"/"}"#).first
        #expect(message?.payload == Array(row.parts.utf8))
    }

    @Test("the other arguments are members of the message, and the wrapper sees all of it")
    func members() throws {
        let envelope =
            #"{"topic":"n/t/things/twin/events/modified","headers":{"h":"1"},"path":"/p","#
            + #""value":{"v":1},"extra":{"e":2},"status":200,"revision":7,"timestamp":"2030-01-01T00:00:00Z"}"#
        let arguments = try ScriptRig(
            outgoing: """
                function mapFromDittoProtocolMsg(a, b, c, d, e, f, path, headers, value, status, extra) {
                  return { textPayload: JSON.stringify([path, headers, value, status, extra]) };
                }
                """)
        #expect(
            try arguments.outbound(envelope).first?.payload == Array(#"["/p",{"h":"1"},{"v":1},200,{"e":2}]"#.utf8))
        let wrapper = try ScriptRig(
            outgoing: """
                function mapFromDittoProtocolMsgWrapper(m) {
                  return { textPayload: m.revision + ' ' + m.timestamp };
                }
                """)
        #expect(try wrapper.outbound(envelope).first?.payload == Array("7 2030-01-01T00:00:00Z".utf8))
    }

    @Test(
        "a script without the function sends the protocol's text",
        arguments: [
            "n/t/things/twin/events/modified", "n/t/things/twin/errors", "n/p/policies/commands/modify",
        ])
    func defaults(_ topic: String) throws {
        let rig = try ScriptRig(outgoing: "// nothing")
        let envelope = #"{"topic":"\#(topic)","path":"/attributes/a","headers":{"h":"1"},"value":1}"#
        let message = try #require(try rig.outbound(envelope).first)
        #expect(String(decoding: message.payload, as: UTF8.self) == envelope)
        #expect(
            message.headers.map { "\($0.name):\($0.value)" } == [
                "h:1", "content-type:application/vnd.eclipse.ditto+json",
            ])
    }

    @Test("a helper joins a topic as it is told")
    func helper() throws {
        let rig = try ScriptRig(
            outgoing: """
                function mapFromDittoProtocolMsg() {
                  const topics = [['things', 'twin', 'errors', undefined], ['policies', 'none', 'commands', 'modify']];
                  return topics.map(t => ({ textPayload: Ditto.buildDittoProtocolMsg('n', 'x', ...t).topic }));
                }
                """)
        #expect(
            try rig.outbound(IncomingScriptTests.event).map { String(decoding: $0.payload, as: UTF8.self) } == [
                "n/x/things/twin/errors/undefined", "n/x/policies/commands/modify",
            ])
    }
}
