import Testing
import TwinspanJSON
import TwinspanProtocol

@Suite("Envelope")
struct EnvelopeTests {
    static let legal = [
        #"{"topic":"n/t/things/twin/commands/modify","headers":{},"path":"/attributes/a","value":1}"#,
        #"{"topic":"/t/things/twin/commands/retrieve","headers":{},"path":"/","fields":"attributes/a(b,c)"}"#,
        #"{"topic":"n/t/things/twin/events/modified","headers":{"a":"b","C-D":{"e":[1,2]}},"path":"/","#
            + #""value":{},"revision":9007199254740993,"timestamp":"2024-01-06T14:23:42.123Z"}"#,
        #"{"topic":"n/t/things/twin/errors","headers":{"correlation-id":"ü \" \\ "},"path":"/","#
            + #""value":{"status":404},"status":404}"#,
        #"{"topic":"n/t/things/twin/commands/merge","headers":{},"path":"/features/~0f/properties/x","value":null}"#,
        #"{"topic":"n/t/things/twin/events/created","headers":{},"path":"/","value":{"n":1.10,"#
            + #""big":123456789012345678901},"extra":{"attributes":{"x":1}}}"#,
        #"{"topic":"n/t/things/live/messages/a/b//c","headers":{},"path":"/inbox/messages/x","value":"text"}"#,
        #"{"topic":"n/t/things/twin/acks/my:label","headers":{"correlation-id":"1"},"path":"/","status":200}"#,
        #"{"topic":"_/_/things/twin/search/subscribe","headers":{},"path":"/","value":{"filter":"eq(thingId,"#
            + #"\"a:b\")"}}"#,
        #"{"topic":"n/p/policies/commands/modify","headers":{},"path":"/entries/l/subjects/a:b","value":{"type":"x"}}"#,
        #"{"topic":"n/p/policies/announcements/subjectDeletion","headers":{},"path":"/","value":{}}"#,
        #"{"topic":"n/t/things/twin/events/merged","headers":{},"path":"/","value":{"a":null},"revision":2,"#
            + #""metadata":{"m":{}}}"#,
    ]

    @Test("our own envelopes are written back equal", arguments: legal)
    func roundTrip(text: String) throws {
        let envelope = try Envelope.parse(Array(text.utf8))
        #expect(try JSONValue.parse(envelope.bytes) == JSONValue.parse(text))
        #expect(try Envelope.parse(envelope.bytes) == envelope)
    }

    @Test("missing headers are empty headers, null and unknown members are left out")
    func lenient() throws {
        let text = #" { "path":"", "unknown":[1], "topic":"n/t/things/twin/commands/delete", "headers":null } "#
        let envelope = try Envelope.parse(Array(text.utf8))
        #expect(envelope.path.isRoot)
        #expect(envelope.headers.entries.isEmpty)
        #expect(envelope.value == nil)
        #expect(
            String(decoding: envelope.bytes, as: UTF8.self)
                == #"{"topic":"n/t/things/twin/commands/delete","headers":{},"path":"/"}"#)
    }

    @Test("a JSON null as value is a value, an absent one is none")
    func nullValue() throws {
        let base = #"{"topic":"n/t/things/twin/commands/merge","path":"/attributes""#
        #expect(try Envelope.parse(Array((base + #","value":null}"#).utf8)).value?.isNull == true)
        #expect(try Envelope.parse(Array((base + "}").utf8)).value == nil)
    }

    @Test("a status that HTTP does not know counts as absent", arguments: [0, 99, 600, 100_000, -404])
    func unknownStatus(status: Int) throws {
        let text = #"{"topic":"n/t/things/twin/commands/modify","path":"/","value":{},"status":\#(status)}"#
        #expect(try Envelope.parse(Array(text.utf8)).status == nil)
    }

    static let illegal: [(String, String)] = [
        ("", "json.invalid"), ("not json", "json.invalid"), ("[]", "json.invalid"), ("\"x\"", "json.invalid"),
        ("null", "json.invalid"), ("{", "json.invalid"), ("{} {}", "json.invalid"),
        (
            #"{"topic":"n/t/things/twin/commands/modify","topic":"n/t/things/twin/commands/delete","path":"/"}"#,
            "json.invalid"
        ),
        ("{}", "json.field.missing"),
        (#"{"path":"/"}"#, "json.field.missing"),
        (#"{"topic":"n/t/things/twin/commands/modify"}"#, "json.field.missing"),
        (#"{"topic":5,"path":"/"}"#, "json.invalid"),
        (#"{"topic":null,"path":"/"}"#, "json.invalid"),
        (#"{"topic":"n/t/things/twin/commands/modify","path":7}"#, "json.invalid"),
        (#"{"topic":"n/t/things/twin/commands/modify","path":"/a//b"}"#, "json.pointer.invalid"),
        (#"{"topic":"n/t/things/twin/commands/modify","path":"/","headers":[]}"#, "json.invalid"),
        (#"{"topic":"n/t/things/twin/commands/modify","path":"/","headers":"x"}"#, "json.invalid"),
        (#"{"topic":"n/t/things/twin/commands/modify","path":"/","status":"200"}"#, "json.invalid"),
        (#"{"topic":"n/t/things/twin/commands/modify","path":"/","status":2.5}"#, "json.invalid"),
        (#"{"topic":"n/t/things/twin/events/modified","path":"/","revision":"1"}"#, "json.invalid"),
        (#"{"topic":"n/t/things/twin/events/modified","path":"/","timestamp":1}"#, "json.invalid"),
        (#"{"topic":"n/t/things/twin/commands/retrieve","path":"/","fields":1}"#, "json.invalid"),
        (#"{"topic":"n/t/things/twin/commands/retrieve","path":"/","fields":"a(b"}"#, "json.fieldselector.invalid"),
        (#"{"topic":"n/t/things/twin/commands/retrieve","path":"/","fields":""}"#, "json.fieldselector.invalid"),
        (#"{"topic":"","path":"/"}"#, "protocoladapter:unknown.topicpath"),
        (#"{"topic":"n/t/things/commands/modify","path":"/"}"#, "protocoladapter:unknown.topicpath"),
    ]

    @Test("a message that is no envelope is answered with the right code", arguments: illegal)
    func rejected(text: String, code: String) {
        #expect(throws: EnvelopeFailure.self) { try Envelope.parse(Array(text.utf8)) }
        do throws(EnvelopeFailure) {
            _ = try Envelope.parse(Array(text.utf8))
        } catch {
            #expect(error.error.code == code, "\(error.error)")
            #expect(error.error.status == 400)
        }
    }

    @Test("bad bytes are refused: invalid UTF-8, too deep, too long")
    func badBytes() {
        let frame = (
            Array(#"{"topic":"n/t/things/twin/commands/modify","path":"/attributes/a","value":"#.utf8), Array("}".utf8)
        )
        let values: [[UInt8]] = [
            [0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], Array(repeating: 0x5B, count: 300), [0x22, 0x0A, 0x22],
            Array(repeating: 0x5B, count: 250) + Array(repeating: 0x5D, count: 250), Array(#""\ud800""#.utf8),
        ]
        for value in values {
            #expect(throws: EnvelopeFailure.self) { try Envelope.parse(frame.0 + value + frame.1) }
        }
    }

    @Test("what was understood before a failure travels with it")
    func context() {
        let text = #"{"topic":"n/t/things/twin/commands/modify","headers":{"correlation-id":"c1"},"path":"/a//b"}"#
        do throws(EnvelopeFailure) {
            _ = try Envelope.parse(Array(text.utf8))
            Issue.record("the path was taken")
        } catch {
            #expect(error.headers.correlationID == "c1")
            #expect(error.topic?.entityID == "n:t")
        }
    }

    @Test("a bad topic still gives the correlation id")
    func contextOfBadTopic() {
        let text = #"{"headers":{"correlation-id":"c1"},"topic":"n/t/nothing","path":"/"}"#
        do throws(EnvelopeFailure) {
            _ = try Envelope.parse(Array(text.utf8))
            Issue.record("the topic was taken")
        } catch {
            #expect(error.headers.correlationID == "c1")
            #expect(error.topic == nil)
        }
    }

    @Test(
        "an event's bytes are those of its envelope",
        arguments: [
            ("/", "o/中", 0), ("/attributes/a~0b", "n/x", 1),
            ("/features/f \"q\"/properties/ü\\", "n/x", 1_700_000_000_123),
            ("/attributes/plain", "n/x", -1),
        ])
    func eventBytes(path: String, thing: String, time: Int64) throws {
        let parts = thing.split(separator: "/")
        let event = ThingEvent(
            thingID: try ThingID("\(parts[0]):\(parts[1])x"), action: .merged, path: try JSONPointer(parsing: path),
            value: try JSONText(validating: Array(#"{"a":null}"#.utf8), limits: .standard), revision: 9,
            timestamp: Timestamp(milliseconds: time))
        var headers = DittoHeaders()
        headers.append("x-ö", .string("line\n\"quoted\" \\ and some more text"))
        headers.append("correlation-id", .string(""))
        headers.append("number", .number(JSONNumber(1.5)))
        #expect(event.envelopeBytes(headers: headers) == event.envelope(headers: headers).bytes)
        let parsed = try Envelope.parse(event.envelopeBytes(headers: headers))
        #expect(parsed.path == event.path && parsed.headers == headers)
    }
}
