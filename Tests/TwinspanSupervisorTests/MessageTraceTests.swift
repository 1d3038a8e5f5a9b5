import Testing
import TwinspanConnections
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanSupervisor

@Suite("MessageTrace")
struct MessageTraceTests {
    /// A clock that stands still.
    private struct StillClock: EngineClock {
        var now: Timestamp { Timestamp(milliseconds: 0) }
        var monotonic: UInt64 { 0 }
    }

    private static let yaml = """
        id: plant
        connectionType: mqtt
        uri: tcp://127.0.0.1:1883
        sources:
          - addresses: ["plant/#"]
            qos: 1
            authorizationContext: ["integration:{{ header:mqtt.qos }}"]
            enforcement: { input: "{{ source:address }}", filters: ["plant/{{ thing:name }}"] }
            headerMapping: { where: "{{ header:mqtt.topic }}" }
            replyTarget: { address: "answers/{{ thing:name }}" }
        """

    private func trace(_ payload: String, address: String = "plant/pump") throws -> MessageTrace {
        let loaded = ConnectionFiles.read(Array(Self.yaml.utf8), named: "test")
        let connection = try #require(loaded.connections.first, "\(loaded.diagnostics)")
        return try MessageTrace(
            payload: Array(payload.utf8), address: address, qos: 1, connection: connection, sourceIndex: 0,
            clock: StillClock())
    }

    private static func message(_ topic: String, headers: String = "{}") -> String {
        #"{"topic":"\#(topic)","headers":\#(headers),"path":"/attributes/rpm","value":7}"#
    }

    private static let modify = "org.plant/pump/things/twin/commands/modify"

    @Test("a message that is taken shows every step and its command")
    func taken() throws {
        let trace = try trace(Self.message(Self.modify))
        #expect(trace.isSuccess)
        #expect(trace.steps.map(\.kind) == [.message, .mapped, .authorised, .headers, .enforced])
        #expect(trace.steps[0].text == "plant/pump, \(Self.message(Self.modify).utf8.count) bytes, qos 1")
        #expect(trace.steps[1].details == ["\(Self.modify)  /attributes/rpm = 7"])
        #expect(trace.steps[2].text == "as integration:1")
        #expect(trace.steps[3].text.contains("where plant/pump"))
        #expect(trace.steps[4].text == "'plant/pump' matches plant/{{ thing:name }}")
        #expect(trace.commands == ["modify org.plant:pump"])
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        let payload: String
        var address = "plant/pump"
        let step: MessageTrace.StepKind
        let code: String
        var isAnswered = true
        var testDescription: String { "\(step) \(code) \(payload.prefix(40))" }
    }

    private static let refusals = [
        Refusal(payload: "", step: .mapped, code: "connectivity:message.mapping.failed", isAnswered: true),
        Refusal(payload: "{nope", step: .mapped, code: "json.invalid"),
        Refusal(
            payload: message("org.plant/pump/things/twin/commands/fly"), step: .mapped,
            code: "protocoladapter:unknown.topicpath"
        ),
        Refusal(
            payload: message(modify), address: "plant/other", step: .enforced,
            code: "connectivity:connection.id.enforcement.failed"),
        Refusal(
            payload: message("org.plant/pump/things/twin/commands/create"), step: .command,
            code: "protocoladapter:unknown.topicpath"),
        Refusal(
            payload: message(modify, headers: #"{"response-required":false}"#), address: "plant/other",
            step: .enforced, code: "connectivity:connection.id.enforcement.failed", isAnswered: false),
    ]

    @Test("a message that is refused shows where, why, and the answer it would get", arguments: refusals)
    func refused(_ refusal: Refusal) throws {
        let trace = try trace(refusal.payload, address: refusal.address)
        let last = try #require(trace.steps.last)
        #expect(!trace.isSuccess)
        #expect(trace.commands.isEmpty)
        #expect(last.kind == refusal.step)
        #expect(last.failure?.code == refusal.code)
        #expect(last.answer?.status == last.failure?.status)
        #expect(last.isAnswered == refusal.isAnswered)
    }
}

/// `twinspan map` says what the pipeline would do.
@Suite("MessageTrace and pipeline")
struct MessageTraceAgreementTests {
    static let payloads: [String] = [
        command("create", "u", "/", "{}"), command("modify", "t", "/attributes/a", "1"),
        command("retrieve", "t", "/"), command("modify", "other", "/attributes/a", "1"),
        command("modify", "t", "/nothing", "1"), command("merge", "t", "/attributes/a", "1"),
        command("modify", "t", "/attributes/a"), "", "nope", "{}", "[]",
        command("modify", "t", "/attributes/a", "1", headers: #"{"timeout":"soon"}"#),
        command("modify", "t", "/attributes/a", "1", headers: #"{"requested-acks":["no label"]}"#),
        command("modify", "t", "/attributes/a", "1", headers: #"{"requested-acks":["a:b"],"timeout":0}"#),
        command(
            "modify", "t", "/attributes/a", "1", headers: #"{"big":"\#(String(repeating: "x", count: 6_000))"}"#),
        envelope("n/t/things/live/messages/ask", "/inbox/messages/ask", #","value":1"#),
        envelope("n/t/policies/commands/retrieve", "/"), envelope("n/t/things/twin/events/modified", "/attributes/a"),
    ]

    @Test("both refuse the same messages with the same errors", arguments: payloads)
    func agree(_ payload: String) throws {
        let rig = try PipelineRig()
        try rig.rig.run(.create, "n:t", "/", "{}")
        let source = try source(
            input: "{{ source:address }}", filters: ["in/{{ entity:name }}"],
            mapping: [("where", "{{ header:mqtt.topic }}")], acks: [], ackFilter: "fn:filter(header:mqtt.qos,'eq','1')")
        let side = try rig.side([source])
        let address = payload.contains("n/u/") ? "in/u" : "in/t"
        let trace = try MessageTrace(
            payload: Array(payload.utf8), address: address, qos: 1, connection: try rig.connection(sources: [source]),
            sourceIndex: 0, clock: rig.rig.clock)
        #expect(rig.settle(side, batch([(address, payload)])) == .committed)
        let failure = trace.steps.compactMap(\.failure).first
        let letter = try rig.deadLetters().first
        #expect(letter?.error == failure)
        let answer = trace.steps.compactMap(\.answer).first
        #expect(trace.isSuccess == (letter == nil))
        guard let answer, trace.steps.last?.isAnswered == true else { return }
        let sent = try Envelope.parse(try #require(rig.sent().first).payload)
        #expect((sent.topic, sent.status, sent.value) == (answer.topic, answer.status, answer.value))
    }
}
