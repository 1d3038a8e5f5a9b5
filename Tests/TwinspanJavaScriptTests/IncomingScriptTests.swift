import Testing
import TwinspanJSON
import TwinspanJavaScript
import TwinspanMapping
import TwinspanProtocol

@Suite("incoming scripts")
struct IncomingScriptTests {
    static let arguments: [(expression: String, payload: String, value: String)] = [
        ("t", "warm", #""warm""#),
        ("t", "", #""""#),
        ("JSON.parse(t).x * 2", #"{"x":21}"#, "42"),
        ("b.byteLength", "grün", "5"),
        ("b instanceof ArrayBuffer", "", "true"),
        ("new Uint8Array(b)[1]", "ab", "98"),
        ("h['device']", "", #""d1""#),
        ("Object.keys(h)", "", #"["content-type","device","__proto__"]"#),
        ("h.__proto__", "", #""p""#),
        ("c", "", #""text/plain""#),
        ("arguments.length", "", "4"),
        ("[...t].length", "🙂é", "2"),
        (#"t.split('\u0000')"#, "a\u{0}b", #"["a","b"]"#),
        ("t + '🙂'", "ż", #""ż🙂""#),
        ("Ditto.arrayBufferToString(b).length", "ż", "2"),
        ("new Uint8Array(Ditto.stringToArrayBuffer('aÿ'))", "", #"{"0":97,"1":255}"#),
        ("typeof WebAssembly + typeof Atomics + typeof console + typeof require", "", nil),
        ("typeof setTimeout + typeof fetch + typeof print + typeof load", "", nil),
    ].map { ($0.0, $0.1, $0.2 ?? #""undefinedundefinedundefinedundefined""#) }

    @Test("a script sees the message", arguments: arguments)
    func sees(_ row: (expression: String, payload: String, value: String)) throws {
        let rig = try ScriptRig(incoming: ScriptRig.sending(row.expression))
        let headers = [
            (name: "content-type", value: "text/plain"), (name: "device", value: "d1"), (name: "device", value: "d2"),
            (name: "__proto__", value: "p"),
        ]
        #expect(try rig.value(of: row.payload, headers: headers)?.text == row.value)
    }

    @Test(
        "bytes that are no UTF-8 come as bytes only",
        arguments: [
            [0xFF], [0xC3], [0xC0, 0x80], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80],
            [0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0xF0, 0x9F, 0x99],
        ] as [[UInt8]])
    func binary(_ payload: [UInt8]) throws {
        let rig = try ScriptRig(incoming: ScriptRig.sending("[typeof t, Array.from(new Uint8Array(b))]"))
        let value = try rig.inbound(payload).first?.value?.value
        #expect(value?.text == #"["undefined",[\#(payload.map(String.init).joined(separator: ","))]]"#)
    }

    @Test("half a surrogate pair from a script stays readable JSON")
    func surrogates() throws {
        let rig = try ScriptRig(outgoing: #"function mapFromDittoProtocolMsg() { return { textPayload: 'a\ud800b' } }"#)
        #expect(try rig.outbound(Self.event).first?.payload == Array("a\u{FFFD}b".utf8))
    }

    @Test(
        "nothing, one message or several come of one",
        arguments: [
            ("null", 0), ("undefined", 0), ("[]", 0), ("[null, undefined]", 0), ("m", 1), ("[m]", 1),
            ("[m, null, m]", 2),
            ("[m, m, m]", 3),
        ])
    func counts(_ row: (result: String, count: Int)) throws {
        let rig = try ScriptRig(
            incoming: """
                function mapToDittoProtocolMsg() {
                  const m = { topic: 'n/t/things/twin/commands/retrieve', path: '/', headers: { a: '1\\n2' } };
                  return \(row.result);
                }
                """)
        #expect(try rig.inbound("x").count == row.count)
    }

    @Test("without a script the payload is Ditto's", arguments: [nil, "", " \n"] as [String?])
    func plain(_ script: String?) throws {
        let rig = try ScriptRig(incoming: script)
        #expect(rig.mapper.isQuick)
        let envelopes = try rig.inbound(#"{"topic":"n/t/things/twin/commands/retrieve","path":"/"}"#)
        #expect(envelopes.first?.topic.text == "n/t/things/twin/commands/retrieve")
        #expect(try rig.outbound(Self.event).first?.payload == Array(Self.event.utf8))
    }

    @Test(
        "a script without the function has the default one",
        arguments: [
            ("application/vnd.eclipse.ditto+json", 1), ("application/octet-stream", 1), ("application/json", 0),
            ("", 0),
        ])
    func defaults(_ row: (contentType: String, count: Int)) throws {
        let rig = try ScriptRig(incoming: "var unrelated = 1;")
        #expect(!rig.mapper.isQuick)
        let envelopes = try rig.inbound(
            #"{"topic":"n/t/things/twin/commands/retrieve","path":"/"}"#,
            headers: [(name: "Content-Type", value: row.contentType)])
        #expect(envelopes.count == row.count)
    }

    @Test("what the transport calls bytes is no text", arguments: [(true, "undefined 2"), (false, "string 2")])
    func binary(isBinary: Bool, expected: String) throws {
        let rig = try ScriptRig(
            incoming: """
                function mapToDittoProtocolMsg(headers, textPayload, bytePayload, contentType) {
                  return Ditto.buildDittoProtocolMsg('n', 't', 'things', 'twin', 'commands', 'modify', '/attributes/a',
                    {}, typeof textPayload + ' ' + bytePayload.byteLength);
                }
                """)
        let envelopes = try rig.inbound(Array("hi".utf8), isBinary: isBinary)
        #expect(envelopes.first?.value?.value == .string(expected))
    }

    @Test("the default drops bytes that are no JSON, and refuses such text")
    func defaultFailures() throws {
        let rig = try ScriptRig(incoming: "// nothing")
        #expect(try rig.inbound("{", headers: [(name: "content-type", value: "application/octet-stream")]).isEmpty)
        let error = ScriptRig.refusal {
            _ = try rig.inbound("{", headers: [(name: "content-type", value: "application/vnd.eclipse.ditto+json")])
        }
        #expect(error?.code == "connectivity:message.mapping.failed" && error?.status == 400)
    }

    @Test(
        "any global may be replaced, in any form",
        arguments: [
            "mapToDittoProtocolMsg = function (h, t) { return m(t) }",
            "const mapToDittoProtocolMsg = (h, t) => m(t)",
            "var mapToDittoProtocolMsg = (h, t) => m(t)",
            "function mapToDittoProtocolMsgWrapper(e) { return m(e.textPayload) }",
            "let mapToDittoProtocolMsgWrapper = e => m(e.textPayload)",
            "JSON.stringify = 1; Array.isArray = 2; const Ditto = {}; mapToDittoProtocolMsg = (h, t) => m(t)",
            "function* unused() {} class Plant { static map(t) { return m(t) } }; "
                + "mapToDittoProtocolMsg = (h, t) => Plant.map(t)",
        ])
    func replaced(_ script: String) throws {
        let message = "function m(t) { return { topic: 'n/t/things/twin/commands/modify', path: '/', value: t } }\n"
        #expect(try ScriptRig(incoming: message + script).value(of: "v")?.text == #""v""#)
    }

    @Test("globals stay from message to message, and mappers have their own")
    func globals() throws {
        let script = "var count = 0;\n" + ScriptRig.sending("++count")
        let (first, second) = (try ScriptRig(incoming: script), try ScriptRig(incoming: script))
        for expected in 1...3 { #expect(try first.value(of: "")?.text == "\(expected)") }
        #expect(try second.value(of: "")?.text == "1")
    }

    @Test("a payload that a script keeps stays as it was")
    func kept() throws {
        let rig = try ScriptRig(
            incoming: "var bytes = [], texts = [];\n"
                + ScriptRig.sending(
                    "(bytes.push(new Uint8Array(b)), texts.push(t.slice(1)), [bytes[0][0], texts[0], bytes.length])"))
        var last: JSONValue?
        for index in 0..<2_000 { last = try rig.value(of: "\(index % 10)" + String(repeating: "x", count: 300)) }
        #expect(last?.text == #"[48,"\#(String(repeating: "x", count: 300))",2000]"#)
    }

    static let event = #"{"topic":"n/t/things/twin/events/modified","headers":{},"path":"/attributes/a","value":1}"#
}
