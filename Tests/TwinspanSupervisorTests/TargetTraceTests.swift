// What `twinspan map --target` and test cases see of the way out: each step with its result.
import Testing
import TwinspanConnections
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol

@testable import TwinspanSupervisor

@Suite("TargetTrace")
struct TargetTraceTests {
    private struct StillClock: EngineClock {
        var now: Timestamp { Timestamp(milliseconds: 0) }
        var monotonic: UInt64 { 0 }
    }

    private static let yaml = """
        id: plant
        connectionType: mqtt
        uri: tcp://127.0.0.1:1883
        mappingDefinitions:
          state: { mappingEngine: Normalized }
        targets:
          - address: "events/{{ thing:name }}/{{ thing-json:attributes/site | fn:default('none') }}"
            topics:
              - _/_/things/twin/events?namespaces=other
              - _/_/things/twin/events?filter=gt(attributes/rpm,5)&extraFields=attributes/site
              - _/_/things/live/messages
            qos: 1
            authorizationContext: [a]
            headerMapping: { where: "{{ resource:path }}", mqtt.retain: "{{ header:keep }}" }
          - address: "{{ header:missing }}"
            topics: [_/_/things/twin/events, _/_/things/live/commands]
            qos: 0
            authorizationContext: [a]
            payloadMapping: [state, Ditto]
        """

    private func trace(_ signal: String, target: Int = 0) throws -> TargetTrace {
        let loaded = ConnectionFiles.read(Array(Self.yaml.utf8), named: "test")
        let connection = try #require(loaded.connections.first, "\(loaded.diagnostics)")
        return try TargetTrace(
            signal: Array(signal.utf8), connection: connection, targetIndex: target, clock: StillClock())
    }

    private static func event(_ value: Int, headers: String = "{}", extra: String = "") -> String {
        #"{"topic":"org/pump/things/twin/events/modified","headers":\#(headers),"path":"/attributes/rpm","#
            + #""value":\#(value)\#(extra),"revision":3,"timestamp":"2026-01-01T00:00:00Z"}"#
    }

    @Test("an event that goes out shows topic, extra fields, mapper, headers and address")
    func sent() throws {
        let extra = #","extra":{"attributes":{"site":"north","secret":1}}"#
        let trace = try trace(Self.event(7, headers: #"{"keep":"true"}"#, extra: extra))
        #expect(trace.isSuccess)
        #expect(trace.steps.map(\.kind) == [.signal, .topic, .enriched, .mapped, .addressed], "\(trace.steps)")
        #expect(trace.steps[1].text.contains("extraFields=attributes/site"))
        // Topics with extra fields are asked first.
        #expect(trace.steps[1].details.isEmpty)
        #expect(trace.steps[2].text == #"{"attributes":{"site":"north"}}"#)
        #expect(trace.steps[3].text == "Ditto → 1 message")
        let message = try #require(trace.messages.first)
        #expect(message.address == "events/pump/north" && message.qos == 1 && message.isRetained)
        #expect(message.headers.contains { $0.name == "where" && $0.value == "/attributes/rpm" })
        let payload = try JSONValue.parse(String(decoding: message.payload, as: UTF8.self))
        #expect(payload.object?["extra"] == ["attributes": ["site": "north"]])
        #expect(payload.object?["revision"] == 3 && trace.messages.count == 1)
    }

    @Test("what stays inside says why, and is no failure")
    func dropped() throws {
        let message = #"{"topic":"org/pump/things/live/commands/retrieve","headers":{},"path":"/"}"#
        let rows: [(signal: String, target: Int, step: MessageTrace.StepKind, words: String)] = [
            (Self.event(3), 0, .topic, "no topic admits it"), (message, 0, .topic, "has no topic"),
            (Self.event(7), 1, .addressed, "{{ header:missing }}"),
        ]
        for row in rows {
            let trace = try trace(row.signal, target: row.target)
            #expect(trace.isSuccess && trace.messages.isEmpty, "\(row) \(trace.steps)")
            let last = trace.steps.last
            #expect(last?.kind == row.step && last?.text.contains(row.words) == true, "\(trace.steps)")
            #expect(last?.text.contains("dropped") == true)
        }
        #expect(try trace(Self.event(3)).steps.last?.details.contains { $0.contains("filter does not match") } == true)
    }

    private static let refusals: [(String, MessageTrace.StepKind, String)] = [
        ("", .signal, "json.invalid"), ("{nope", .signal, "json.invalid"),
        (
            #"{"topic":"org/pump/things/twin/commands/modify","path":"/","value":{}}"#, .signal,
            "protocoladapter:unknown.topicpath"
        ),
        (
            #"{"topic":"_/plant/connections/announcements/opened","path":"/","value":{}}"#, .signal,
            "protocoladapter:unknown.topicpath"
        ),
        (event(7, headers: #"{"keep":"perhaps"}"#), .addressed, "connectivity:message.sending.failed"),
    ]

    @Test("a step that fails is named with its error", arguments: refusals)
    func failed(signal: String, step: MessageTrace.StepKind, code: String) throws {
        let trace = try trace(signal)
        #expect(!trace.isSuccess && trace.messages.isEmpty)
        let last = trace.steps.last
        #expect(last?.kind == step && last?.failure?.code == code, "\(trace.steps)")
        #expect(last?.failure?.status == 400)
    }
}
