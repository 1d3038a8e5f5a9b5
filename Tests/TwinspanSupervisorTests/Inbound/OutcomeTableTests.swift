import Testing
import TwinspanConnections
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanEngine
@testable import TwinspanSupervisor

/// What is published and when a message is settled, by what its signal asks for (spec/connectivity.md §6.2, §6.8).
@Suite("Outcomes of sources")
struct OutcomeTableTests {
    enum Settled: Sendable { case atOnce, afterAcks, dead }

    struct Row: Sendable, CustomTestStringConvertible {
        /// Without the correlation id.
        let headers: String
        let settled: Settled
        /// Topic criterion of what is published in the end, with its status; nil for nothing.
        let published: String?
        var testDescription: String { "{\(headers)}" }
    }

    static let twin: [Row] = [
        Row(headers: "", settled: .atOnce, published: "commands 201"),
        Row(headers: #""response-required":false"#, settled: .atOnce, published: nil),
        Row(headers: #""requested-acks":[]"#, settled: .atOnce, published: "commands 201"),
        Row(headers: #""response-required":false,"requested-acks":[]"#, settled: .atOnce, published: nil),
        Row(headers: #""requested-acks":["twin-persisted"]"#, settled: .atOnce, published: "commands 201"),
        Row(headers: #""requested-acks":["live-response"]"#, settled: .atOnce, published: "commands 201"),
        Row(headers: #""requested-acks":["dev:x"]"#, settled: .afterAcks, published: "acks 200"),
        Row(headers: #""requested-acks":["dev:x","twin-persisted"]"#, settled: .afterAcks, published: "acks 200"),
        Row(
            headers: #""requested-acks":["dev:x"],"response-required":false"#, settled: .afterAcks, published: nil),
        Row(headers: #""timeout":0"#, settled: .atOnce, published: nil),
        Row(headers: #""timeout":0,"requested-acks":[]"#, settled: .atOnce, published: nil),
        Row(headers: #""timeout":0,"response-required":false"#, settled: .atOnce, published: nil),
        Row(headers: #""timeout":0,"response-required":true"#, settled: .dead, published: "errors 400"),
        Row(headers: #""timeout":0,"requested-acks":["dev:x"]"#, settled: .dead, published: nil),
        Row(headers: #""requested-acks":["no label"]"#, settled: .dead, published: "errors 422"),
    ]

    @Test("changes of a twin", arguments: twin)
    func changes(_ row: Row) throws {
        let separator = row.headers.isEmpty ? "" : ","
        let headers = #"{"correlation-id":"c"\#(separator)\#(row.headers)}"#
        try check(row, command("modify", "t", "/attributes/a", "1", headers: headers), answer: nil)
    }

    static let messageRows: [Row] = [
        Row(headers: "", settled: .afterAcks, published: "messages 204"),
        Row(headers: #""response-required":false"#, settled: .atOnce, published: nil),
        // The answer is published when it comes; the message does not wait for it.
        Row(headers: #""requested-acks":[]"#, settled: .atOnce, published: "messages 204"),
        Row(headers: #""requested-acks":["live-response"]"#, settled: .afterAcks, published: "messages 204"),
        Row(headers: #""requested-acks":["dev:x"]"#, settled: .afterAcks, published: "acks 200"),
        Row(
            headers: #""requested-acks":["dev:x"],"response-required":false"#, settled: .afterAcks, published: nil),
        Row(
            headers: #""requested-acks":["live-response"],"response-required":false"#, settled: .atOnce,
            published: nil),
        Row(headers: #""timeout":0"#, settled: .atOnce, published: nil),
        Row(headers: #""timeout":0,"requested-acks":["dev:x"]"#, settled: .dead, published: nil),
    ]

    @Test("messages", arguments: messageRows)
    func messages(_ row: Row) throws {
        let separator = row.headers.isEmpty ? "" : ","
        let topic = "n/t/things/live/messages/ask"
        try check(
            row,
            envelope(
                topic, "/inbox/messages/ask", #","value":1"#,
                headers: #"{"correlation-id":"c"\#(separator)\#(row.headers)}"#),
            answer: envelope(topic, "/inbox/messages/ask", #","status":204"#))
    }

    /// Takes the message in, looks whether it waits, answers and acknowledges it, and looks at what is published.
    private func check(_ row: Row, _ payload: String, answer: String?) throws {
        let rig = try PipelineRig()
        try rig.rig.run(.create, "n:t", "/", "{}")
        let device = try ConnectionID("dev")
        try rig.rig.engine.live.declareAcks([try AckLabel("dev:x")], by: device)
        let side = try rig.side([source()])
        #expect(rig.settle(side, batch([("in/x", payload)])) == .committed)
        #expect(rig.counts["acknowledged"] == 1)
        #expect(try rig.inbox().count == (row.settled == .afterAcks ? 1 : 0))
        #expect(try rig.deadLetters().count == (row.settled == .dead ? 1 : 0))
        assertBalanced(rig)
        if let answer {
            let message = try Message(Envelope.parse(Array(answer.utf8)))
            _ = try rig.rig.engine.live.answer(message, from: LiveResponder(device, kind: .session))
        }
        let label = try AckLabel("dev:x")
        var headers = DittoHeaders()
        headers.correlationID = "c"
        for channel in [TopicPath.Channel.twin, .live] {
            _ = try rig.rig.engine.live.answer(
                Acknowledgement(
                    label: label, thingID: try ThingID("n:t"), channel: channel, status: 200, headers: headers),
                from: device)
        }
        try rig.await("the message left the inbox") { try rig.inbox().isEmpty }
        let published = try rig.sent().map { message -> String in
            let envelope = try Envelope.parse(message.payload)
            return "\(envelope.topic.criterion.word) \(envelope.status ?? 0)"
        }
        #expect(published == [row.published].compactMap { $0 })
        #expect(rig.counters.waiting == 0)
        #expect(try rig.deadLetters().count == (row.settled == .dead ? 1 : 0))
        assertBalanced(rig)
    }

    @Test("what a source asks for waits as what the signal asks for does")
    func askedBySource() throws {
        let rig = try PipelineRig()
        try rig.rig.run(.create, "n:t", "/", "{}")
        let side = try rig.side([source(acks: ["dev:x"], ackFilter: "fn:filter(header:mqtt.qos,'ne','0')")])
        rig.settle(side, batch([("in/x", command("modify", "t", "/attributes/a", "1"))]))
        #expect(try rig.inbox().count == 1)
        let queries = batch([("in/x", command("retrieve", "t", "/attributes/a"))])
        rig.settle(side, queries)
        #expect(try rig.inbox().count == 1)
        assertBalanced(rig)
    }

    @Test("negative acknowledgements are for those who expect them", arguments: [true, false])
    func nacks(isExpected: Bool) throws {
        let rig = try PipelineRig()
        try rig.rig.run(.create, "n:t", "/", "{}")
        let device = try ConnectionID("dev")
        let label = try AckLabel("dev:x")
        try rig.rig.engine.live.declareAcks([label], by: device)
        let side = try rig.side([source(types: isExpected ? [.nack] : [.response, .error], acks: ["dev:x"])])
        rig.settle(side, batch([("in/x", command("modify", "t", "/attributes/a", "1"))]))
        var headers = DittoHeaders()
        headers.correlationID = "c"
        _ = try rig.rig.engine.live.answer(
            Acknowledgement(
                label: label, thingID: try ThingID("n:t"), channel: .twin, status: 409, headers: headers),
            from: device)
        #expect(rig.sent().count == (isExpected ? 1 : 0))
        // It can never succeed.
        try rig.await("dead") { try rig.deadLetters().count == 1 && rig.inbox().isEmpty }
        #expect(try rig.deadLetters().first?.error.code == "acknowledgement:failed")
        #expect(rig.counts["died"] == 1)
        assertBalanced(rig)
    }
}
