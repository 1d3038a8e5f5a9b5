import Testing
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanEngine

@Suite("Messages")
struct LiveMessageTests {
    @Test("a message reaches who may read it, and its first answer reaches the sender")
    func answered() throws {
        let live = try LiveFixture()
        let device = try live.subscribe()
        let answers = try live.send(
            try LiveFixture.message(headers: [
                "correlation-id": "c", "content-type": "application/json", "custom": "x", "if-match": "*",
                "requested-acks": ["live-response"],
            ]))
        let delivery = try #require(device.take().first)
        let envelope = delivery.envelope
        #expect(envelope.topic.text == "n/t/things/live/messages/ask")
        #expect(envelope.path.description == "/inbox/messages/ask")
        #expect(envelope.value?.text == #"{"q":1}"#)
        let headers = Dictionary(uniqueKeysWithValues: envelope.headers.entries.map { ($0.name, $0.value) })
        #expect(
            headers == [
                "correlation-id": "c", "content-type": "application/json", "custom": "x", "response-required": true,
                "ditto-message-direction": "TO", "ditto-message-subject": "ask", "ditto-message-thing-id": "n:t",
                "ditto-originator": "test:owner",
            ])
        #expect(answers.current.isEmpty)
        let fates = try [200, 500].map { status in
            try live.live.answer(
                try LiveFixture.message("ask", String(status), status: status), from: try live.responder())
        }
        #expect(fates == [.counted, .unknown])
        guard case .message(let answer) = try answers.only() else { throw Unexpected() }
        #expect(answer.status == 200)
        #expect(answer.value?.text == "200")
        #expect(answer.headers.correlationID == "c")
        #expect(answer.headers[.responseRequired] == false)
        #expect(live.live.load.pending == 0)
    }

    @Test("messages of features and from things say so")
    func featureAndDirection() throws {
        let live = try LiveFixture()
        let device = try live.subscribe()
        _ = try live.send(try LiveFixture.message("a/b", feature: "f", direction: .outbox))
        let envelope = try #require(device.take().first).envelope
        #expect(envelope.topic.text == "n/t/things/live/messages/a/b")
        #expect(envelope.headers[.messageDirection] == "FROM")
        #expect(envelope.headers[.messageFeatureID] == "f")
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        let message: Message
        let sender: [String]
        let code: String
        let status: Int

        var testDescription: String { "\(sender) \(message.subject) \(code)" }
    }

    static let refusals: [Refusal] = {
        func row(
            _ subject: String, id: String = "n:t", as sender: String = "test:owner", headers: [String: JSONValue] = [:],
            value: String = "1", _ code: String, _ status: Int
        ) -> Refusal? {
            guard let message = try? LiveFixture.message(subject, value, id: id, headers: headers) else { return nil }
            return Refusal(message: message, sender: [sender], code: code, status: status)
        }
        let large = "\"" + String(repeating: "a", count: 200) + "\""
        return [
            row("ask", id: "n:none", "things:thing.notfound", 404),
            row("claim", id: "n:none", as: "test:stranger", "things:thing.notfound", 404),
            row("ask", as: "test:stranger", "messages:send.notallowed", 403),
            row("ask", as: "test:device", "messages:send.notallowed", 403),
            row("other", as: "test:writer", "messages:send.notallowed", 403),
            row("claim/more", as: "test:stranger", "messages:send.notallowed", 403),
            row("ask", headers: ["condition": "eq(attributes/a,2)"], "things:condition.failed", 412),
            row("ask", headers: ["condition": "eq(attributes/a"], "things:condition.invalid", 400),
            row(
                "ask", as: "test:writer", headers: ["condition": "eq(attributes/a,1)"], "things:condition.failed",
                412),
            row("ask", headers: ["timeout": "never"], "timeout.invalid", 400),
            row("ask", headers: ["timeout": "0", "response-required": true], "header.invalid", 400),
            row("ask", value: large, "messages:payload.toolarge", 413),
            row("ask", headers: ["content-type": "text/plain"], value: large, "messages:payload.toolarge", 413),
            row("ask", headers: ["content-type": "image/png"], value: large, "messages:payload.toolarge", 413),
        ].compactMap { $0 }
    }()

    @Test("what must not be sent is refused at once and reaches nobody", arguments: refusals)
    func refused(row: Refusal) throws {
        let live = try LiveFixture(limits: TwinLimits(messageBytes: 100))
        let device = try live.subscribe()
        let answers = try live.send(row.message, as: AuthorizationContext(row.sender))
        try answers.expectError(row.code, row.status)
        #expect(device.take().isEmpty)
        #expect(live.live.load.pending == 0)
    }

    @Test("the size is that of the payload, not of its text in the envelope")
    func size() throws {
        let rows: [(String, String, Int)] = [
            ("application/json", "\"" + String(repeating: "a", count: 98) + "\"", 100),
            ("text/plain", "\"" + String(repeating: "\\n", count: 100) + "\"", 100),
            ("application/octet-stream", "\"" + String(repeating: "AAAA", count: 33) + "AA==\"", 100),
        ]
        for (type, value, _) in rows {
            let message = try LiveFixture.message("ask", value, headers: ["content-type": .string(type)])
            #expect(throws: Never.self) { try message.checkSize(100) }
            #expect(throws: TwinspanError.self) { try message.checkSize(99) }
            #expect(throws: Never.self) { try message.checkSize(0) }
        }
    }

    @Test("delivery asks for READ on the message itself, once per subscriber, never to the sender's own session")
    func delivery() throws {
        let live = try LiveFixture()
        let admitted = try live.subscribe([.messages, .messages], session: "a")
        let refused = [
            try live.subscribe(as: LiveFixture.stranger, session: "b"),
            try live.subscribe(as: LiveFixture.limited, session: "c"),
            try live.subscribe(session: "d", namespaces: ["other"]),
            try live.subscribe([.liveCommands, .liveEvents], session: "e"),
            try live.subscribe(session: "sender"),
            try live.subscribe(session: "f", admits: { $0.thingID.name == "u" }),
        ]
        let gone = try live.subscribe(session: "g")
        live.live.remove(gone)
        _ = try live.send(try LiveFixture.message(), origin: "sender")
        #expect(admitted.take().count == 1)
        #expect((refused + [gone]).allSatisfy { $0.take().isEmpty })
    }

    @Test("a claim needs no permission to be sent")
    func claim() throws {
        let live = try LiveFixture()
        let device = try live.subscribe()
        let answers = try live.send(
            try LiveFixture.message("claim", headers: ["correlation-id": "c", "timeout": "600s"]),
            as: LiveFixture.stranger)
        #expect(device.take().count == 1)
        live.pass(.seconds(59))
        #expect(answers.current.isEmpty)
        live.pass(.seconds(1))
        try answers.expectError("command.timeout", 408)
    }

    @Test("without an answer there is a 408, also when nobody has subscribed", arguments: [true, false])
    func timeout(hasSubscriber: Bool) throws {
        let live = try LiveFixture()
        if hasSubscriber { _ = try live.subscribe() }
        let answers = try live.send(try LiveFixture.message(headers: ["correlation-id": "c", "timeout": "5s"]))
        live.pass(.milliseconds(4_999))
        #expect(answers.current.isEmpty)
        live.pass(.milliseconds(1))
        let error = try answers.expectError("command.timeout", 408)
        #expect(error?.description?.contains("Nobody") == true)
        let late = try LiveFixture.message(status: 200)
        #expect(try live.live.answer(late, from: try live.responder()) == .unknown)
    }

    @Test("whoever wants no answer is told at once that the message is on its way")
    func fireAndForget() throws {
        for headers: [String: JSONValue] in [["timeout": "0"], ["response-required": false]] {
            let live = try LiveFixture()
            let device = try live.subscribe()
            let answers = try live.send(try LiveFixture.message(headers: headers))
            #expect(try answers.only() == .accepted)
            let delivered = try #require(device.take().first).envelope.headers
            #expect(delivered[.responseRequired] == false)
            #expect(delivered.correlationID?.isEmpty == false)
        }
    }

    @Test("a correlation id in use is made unique for the receiver, not for the sender")
    func clash() throws {
        let live = try LiveFixture()
        let device = try live.subscribe()
        let all = try (0..<12).map { _ in try live.send(try LiveFixture.message()) }
        let ids = device.take().compactMap { $0.envelope.headers.correlationID }
        #expect(ids.prefix(3) == ["c", "c#0", "c#1"])
        #expect(Set(ids).count == 12)
        for (index, id) in ids.enumerated().reversed() {
            let answer = try LiveFixture.message(
                "ask", "\(index)", headers: ["correlation-id": .string(id)], status: 200)
            #expect(try live.live.answer(answer, from: try live.responder()) == .counted)
        }
        for (index, answers) in all.enumerated() {
            guard case .message(let message) = try answers.only() else { throw Unexpected() }
            #expect(message.value?.text == "\(index)")
            #expect(message.headers.correlationID == "c")
        }
        // An answer may have a suffix of its own.
        let last = try live.send(try LiveFixture.message())
        let answer = try LiveFixture.message(headers: ["correlation-id": "c#7"], status: 200)
        #expect(try live.live.answer(answer, from: try live.responder()) == .counted)
        #expect(try last.only().status == 200)
    }

    @Test("a full inbox refuses the newest, counts it, and holds up nobody")
    func overflow() throws {
        let live = try LiveFixture()
        let device = try live.subscribe(acks: ["my:a"], capacity: 2)
        for number in 0..<4 {
            _ = try live.send(try LiveFixture.message("ask", "\(number)", headers: ["requested-acks": ["my:a"]]))
        }
        #expect(device.load.waiting == 2)
        #expect(device.load.overflowed == 2)
        #expect(device.take().map { $0.envelope.value?.text } == ["0", "1"])
        // What was lost is not acknowledged.
        #expect(live.live.load.pending == 4)
    }

    @Test("acknowledgements are gathered with the answer; labels of those who do not get it are weak")
    func acknowledged() throws {
        let live = try LiveFixture()
        let device = try live.subscribe(acks: ["my:a"])
        _ = try live.subscribe(as: LiveFixture.stranger, session: "blind", acks: ["my:blind"])
        _ = try live.subscribe([.liveEvents], session: "other", acks: ["my:other", "my:unasked"])
        let answers = try live.send(
            try LiveFixture.message(headers: [
                "correlation-id": "c", "requested-acks": ["live-response", "my:a", "my:blind", "my:other"],
            ]))
        let delivered = try #require(device.take().first).envelope.headers
        #expect(delivered[.requestedAcks] == ["my:a", "my:blind", "my:other"])
        let session = try LiveFixture.session("device")
        #expect(try live.live.answer(try LiveFixture.ack("my:a", 201, payload: "7"), from: session) == .counted)
        #expect(try live.live.answer(try LiveFixture.ack("my:a", 500), from: session) == .duplicate)
        #expect(answers.current.isEmpty)
        let response = try LiveFixture.message("ask", #""yes""#, status: 203)
        #expect(try live.live.answer(response, from: try live.responder()) == .counted)
        guard case .acknowledgements(let all) = try answers.only() else { throw Unexpected() }
        #expect(all.status == 200)
        #expect(all.channel == .live)
        #expect(all.acknowledgements.map(\.label.text) == ["live-response", "my:a", "my:blind", "my:other"])
        #expect(all.acknowledgements.map(\.status) == [203, 201, 200, 200])
        #expect(all.acknowledgements.map(\.isWeak) == [false, false, true, true])
        #expect(all.acknowledgements[0].payload?.text == #""yes""#)
        #expect(all.acknowledgements[2].payload?.isString == true)
        #expect(try live.live.answer(try LiveFixture.ack("my:a"), from: session) == .unknown)
    }

    @Test("what fits is serialised once for all who may see everything")
    func serialisation() throws {
        let live = try LiveFixture()
        let all = try (0..<3).map { try live.subscribe(session: "s\($0)") }
        _ = try live.send(try LiveFixture.message())
        let signals = all.compactMap { $0.take().first }
        #expect(signals.allSatisfy { $0.signal === signals[0].signal })
        #expect(signals.allSatisfy { $0.bytes == signals[0].envelope.bytes })
    }
}
