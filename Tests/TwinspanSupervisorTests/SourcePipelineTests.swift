import Foundation
import Testing
import TwinspanConnections
import TwinspanEngine
import TwinspanExpressions
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanSupervisor

@Suite("SourcePipeline")
struct SourcePipelineTests {
    private static func source(
        subjects: [String] = ["test:owner"], input: String? = nil, filters: [String] = [],
        mapping: [(String, String)] = [], replyTo: String? = "replies/{{ thing:id }}",
        types: Set<ReplyTarget.ResponseType> = [.response, .error]
    ) throws -> Source {
        Source(
            addresses: ["in/#"], authorizationContext: try subjects.map { try template($0, .sourceAuthorization) },
            enforcement: try input.map { input in
                Enforcement(
                    input: try template(input, input.contains("header") ? .enforcementInput : .mqttEnforcementInput),
                    filters: try filters.map { try template($0, .enforcementFilter) })
            },
            headerMapping: try mapping.map { HeaderMapping(name: $0.0, template: try template($0.1, .headerMapping)) },
            replyTarget: try replyTo.map {
                ReplyTarget(address: try template($0, .address), expectedResponseTypes: types)
            })
    }

    private func settle(_ inlet: SourcePipeline, _ batch: MessageBatch) -> Settlement {
        let ticket = inlet.accept(batch)
        let settlement = inlet.settlement(of: ticket, patience: .seconds(20))
        inlet.settled(batch, as: settlement)
        return settlement
    }

    private func answers(_ rig: PipelineRig) throws -> [JSONValue] {
        try rig.sent().map { try JSONValue.parse($0.payload) }
    }

    @Test("a command is committed, then answered where the source says")
    func accepted() throws {
        let rig = try PipelineRig()
        let inlet = try rig.inlet(Self.source())
        #expect(settle(inlet, batch([("in/x", command("create", "t", "/", "{}"))])) == .committed)
        #expect(settle(inlet, batch([("in/x", command("modify", "t", "/attributes/a", "1"))])) == .committed)
        let sent = rig.sent()
        #expect(sent.map(\.address) == ["replies/n:t", "replies/n:t"])
        let second = try JSONValue.parse(sent[1].payload)
        #expect(second.object?["status"] == 201)
        #expect(second.value(at: JSONPointer(segments: ["headers", "correlation-id"]))?.string == "c")
        #expect(
            rig.counts == [
                "received": 2, "mapped": 2, "committed": 2, "acknowledged": 2, "effective": 2, "replied": 2,
            ])
        #expect(try rig.rig.run(.retrieve, "n:t", "/attributes/a").value?.value == 1)
    }

    @Test("the answer waits for the commit, and a rejected commit swallows it")
    func answerAfterCommit() throws {
        let rig = try PipelineRig()
        let inlet = try rig.inlet(Self.source())
        try rig.rig.run(.create, "n:t", "/", "{}")
        rig.rig.store.state.update { state in
            state.isBlocked = true
            state.faults = [.beforeAnything]
        }
        let messages = batch([
            ("in/x", command("modify", "t", "/attributes/a", "1")),
            ("in/x", command("retrieve", "t", "/attributes/none")),
        ])
        let ticket = inlet.accept(messages)
        #expect(rig.sent().isEmpty)
        rig.rig.store.state.update { $0.isBlocked = false }
        #expect(inlet.settlement(of: ticket, patience: .seconds(20)) == .rejected)
        inlet.settled(messages, as: .rejected)
        #expect(rig.sent().isEmpty)
        #expect(rig.counts["retried/store"] == 2)
        #expect(rig.counts["committed"] == nil)
        #expect(rig.counts["acknowledged"] == nil)
        try rig.rig.awaitCondition("open") { $0 == .open }
        #expect(settle(inlet, messages) == .committed)
        #expect(rig.sent().count == 2)
    }

    @Test("while the store is closed the whole batch goes back to the broker")
    func closed() throws {
        let rig = try PipelineRig()
        let inlet = try rig.inlet(Self.source())
        rig.rig.store.state.update { state in
            state.faults = [.beforeAnything]
            state.failingOpens = 1_000_000
        }
        _ = try rig.rig.send(.create, "n:t", "/", "{}")
        try rig.rig.awaitCondition("closed") { if case .closed = $0 { true } else { false } }
        #expect(settle(inlet, batch([("in/x", command("create", "u", "/", "{}")), ("in/x", "not json")])) == .rejected)
        #expect(rig.counts["retried/store"] == 2)
        rig.rig.store.state.update { $0.failingOpens = 0 }
        try rig.rig.awaitCondition("open") { $0 == .open }
        #expect(settle(inlet, batch([("in/x", command("create", "u", "/", "{}"))])) == .committed)
    }

    @Test("a batch whose first half was rejected is not acknowledged because of its second half")
    func commitFailsInsideBatch() throws {
        let fresh = try PipelineRig()
        try fresh.rig.run(.create, "n:a", "/", "{}")
        let inlet = try fresh.inlet(Self.source())
        let engine = fresh.rig
        fresh.rig.store.state.update { $0.faults = [.beforeAnything] }
        fresh.rig.store.onRead { id in
            guard id.text == "n:b" else { return }
            // The commit of the first message fails, and the store is open again, before the second is judged.
            engine.engine.commitSoon()
            try? engine.awaitCondition("failed once") { _ in engine.engine.metrics.snapshot.failedCommits > 0 }
            try? engine.awaitCondition("open") { $0 == .open }
        }
        let messages = batch([
            ("in/x", command("modify", "a", "/attributes/v", "1")),
            ("in/x", command("modify", "b", "/", #"{"policyId":"n:a"}"#)),
        ])
        #expect(settle(inlet, messages) == .rejected)
        fresh.rig.store.onRead(nil)
        #expect(settle(inlet, messages) == .committed)
        #expect(try fresh.rig.run(.retrieve, "n:a", "/attributes/v").value?.value == 1)
    }

    /// Payload, the counter that counts it, and the code of the answer.
    static let refused: [(String, String, String)] = [
        ("", "dropped/connectivity:message.mapping.failed", "connectivity:message.mapping.failed"),
        ("not json", "dropped/json.invalid", "json.invalid"),
        ("{}", "dropped/json.field.missing", "json.field.missing"),
        (
            #"{"topic":"x","path":"/"}"#, "dropped/protocoladapter:unknown.topicpath",
            "protocoladapter:unknown.topicpath"
        ),
        (
            command("modify", "t", "/nothing", "1"), "dropped/protocoladapter:unknown.path",
            "protocoladapter:unknown.path"
        ),
        (command("modify", "t", "/a//b", "1"), "dropped/json.pointer.invalid", "json.pointer.invalid"),
        (command("modify", "\u{7F}", "/attributes/a", "1"), "dropped/things:id.invalid", "things:id.invalid"),
        (command("modify", "missing", "/attributes/a", "1"), "dropped/things:thing.notfound", "things:thing.notfound"),
        (command("merge", "t", "/attributes/a", "1"), "dropped/mediatype.unsupported", "mediatype.unsupported"),
        (command("modify", "t", "/attributes/a"), "dropped/json.invalid", "json.invalid"),
        (command("modify", "t", "/attributes", "[]"), "dropped/json.invalid", "json.invalid"),
        (
            command("modify", "t", "/attributes/a", "1", headers: #"{"if-match":"\"rev:9\""}"#),
            "dropped/things:precondition.failed", "things:precondition.failed"
        ),
        (
            command("modify", "t", "/attributes/a", "1", headers: #"{"condition":"eq(attributes/a,7)"}"#),
            "dropped/things:condition.failed", "things:condition.failed"
        ),
        (
            command("modify", "t", "/attributes/a", "1", headers: #"{"timeout":"soon"}"#), "dropped/timeout.invalid",
            "timeout.invalid"
        ),
        (
            command(
                "modify", "t", "/attributes/a", "1", headers: #"{"big":"\#(String(repeating: "x", count: 6_000))"}"#),
            "dropped/headers.too.large", "headers.too.large"
        ),
        (
            command("modify", "t", "/attributes/a", "\"" + String(repeating: "x", count: 110_000) + "\""),
            "dropped/things:thing.toolarge", "things:thing.toolarge"
        ),
        (
            command("modify", "t", "/attributes/a", "\"" + String(repeating: "x", count: 300_000) + "\""),
            "dropped/connectivity:message.mapping.failed", "connectivity:message.mapping.failed"
        ),
        (
            command("modify", "t", "/attributes/a", String(repeating: "[", count: 300)), "dropped/json.invalid",
            "json.invalid"
        ),
        (
            command("modify", "foreign", "/attributes/a", "1"), "denied/things:attribute.notmodifiable",
            "things:attribute.notmodifiable"
        ),
        (command("delete", "foreign", "/"), "denied/things:thing.notdeletable", "things:thing.notdeletable"),
    ]

    @Test("a message that can never succeed is settled, counted once with its reason, and answered", arguments: refused)
    func refusals(payload: String, counter: String, code: String) throws {
        let rig = try PipelineRig()
        let inlet = try rig.inlet(Self.source(replyTo: "replies"), payloadBytesMax: 250_000)
        try rig.rig.run(.create, "n:t", "/", "{}")
        try rig.rig.run(.create, "n:foreign", "/", "{}", as: AuthorizationContext(["test:other"]))
        #expect(settle(inlet, batch([("in/x", payload)])) == .committed)
        var counts = rig.counts
        #expect(counts.removeValue(forKey: counter) == 1, "\(rig.counts)")
        let isUnmet = code.hasSuffix(".failed") && code.hasPrefix("things:")
        #expect((counts.removeValue(forKey: "mapped") ?? 0) + (counts.removeValue(forKey: "unmapped") ?? 0) == 1)
        #expect(counts == ["received": 1, "acknowledged": 1, "replied": 1, isUnmet ? "effective" : "dead": 1])
        assertBalanced(rig)
        let answer = try #require(try answers(rig).first)
        #expect(answer.value(at: JSONPointer(segments: ["value", "error"]))?.string == code)
        #expect(answer.object?["topic"]?.string?.hasSuffix("/errors") == true)
    }

    @Test("one bad message holds up none of its batch")
    func mixed() throws {
        let rig = try PipelineRig()
        let inlet = try rig.inlet(Self.source(replyTo: nil))
        let messages = batch([
            ("in/x", command("create", "a", "/", "{}")), ("in/x", "?"), ("in/x", command("create", "b", "/", "{}")),
            ("in/x", command("create", "a", "/", "{}")), ("in/x", command("retrieve", "a", "/")),
        ])
        #expect(settle(inlet, messages) == .committed)
        #expect(
            rig.counts == [
                "received": 5, "mapped": 4, "committed": 2, "unchanged": 1, "acknowledged": 5,
                "unmapped": 1, "effective": 3, "dead": 2, "dropped/json.invalid": 1,
                "dropped/things:thing.conflict": 1,
            ])
        assertBalanced(rig)
    }

    static let wishes: [(String, Set<ReplyTarget.ResponseType>, Int)] = [
        (#"{"response-required":false}"#, [.response, .error], 0), (#"{"timeout":"0"}"#, [.response, .error], 0),
        ("{}", [.response], 1), ("{}", [.error], 1), ("{}", [.nack], 0),
    ]

    @Test("nobody is answered who does not want it", arguments: wishes)
    func quiet(headers: String, types: Set<ReplyTarget.ResponseType>, count: Int) throws {
        let rig = try PipelineRig()
        let inlet = try rig.inlet(Self.source(replyTo: "r", types: types))
        let messages = batch([
            ("in/x", command("create", "a", "/", "{}", headers: headers)),
            ("in/x", command("modify", "none", "/attributes/a", "1", headers: headers)),
        ])
        #expect(settle(inlet, messages) == .committed)
        #expect(rig.sent().count == count)
    }

    @Test(
        "enforcement admits only the ids that belong to the address",
        arguments: [
            ("in/n/t", "t", nil), ("in/n/t", "u", "connectivity:connection.id.enforcement.failed"),
            ("in/n/T", "t", "connectivity:connection.id.enforcement.failed"),
            ("in/n/", "t", "connectivity:connection.id.enforcement.failed"),
            ("", "t", "connectivity:connection.id.enforcement.failed"),
        ] as [(String, String, String?)])
    func enforcement(address: String, thing: String, code: String?) throws {
        let rig = try PipelineRig()
        let inlet = try rig.inlet(
            Self.source(
                input: "{{ source:address }}",
                filters: ["other/{{ thing:name }}", "in/{{ thing:namespace }}/{{ thing:name }}"], replyTo: nil))
        #expect(settle(inlet, batch([(address, command("create", thing, "/", "{}"))])) == .committed)
        if let code {
            #expect(rig.counts["denied/\(code)"] == 1, "\(rig.counts)")
            #expect(rig.counts["committed"] == nil)
        } else {
            #expect(rig.counts["committed"] == 1)
        }
    }

    @Test("an enforcement input without a value is refused before anything is mapped")
    func enforcementInput() throws {
        let rig = try PipelineRig()
        let inlet = try rig.inlet(
            Self.source(input: "{{ header:device_id }}", filters: ["{{ thing:id }}"], replyTo: nil))
        #expect(settle(inlet, batch([("in", command("create", "t", "/", "{}"))])) == .committed)
        #expect(
            rig.counts == [
                "received": 1, "acknowledged": 1, "dead": 1, "unmapped": 1, "denied/placeholder:unresolved": 1,
            ])
        let other = try PipelineRig()
        let inlet2 = try other.inlet(
            Self.source(input: "{{ header:device_id }}", filters: ["{{ thing:id }}"], replyTo: nil))
        #expect(
            settle(inlet2, batch([("in", command("create", "t", "/", "{}"))], headers: [("Device_ID", "n:t")]))
                == .committed)
        #expect(other.counts["committed"] == 1)
    }

    @Test("subjects may come from the message; without a value nothing is done")
    func subjects() throws {
        let rig = try PipelineRig()
        let inlet = try rig.inlet(Self.source(subjects: ["device:{{ header:device }}"], replyTo: nil))
        #expect(
            settle(inlet, batch([("in", command("create", "t", "/", "{}"))], headers: [("device", "d7")])) == .committed
        )
        #expect(try rig.rig.run(.retrieve, "n:t", as: AuthorizationContext(["device:d7"])).status == 200)
        #expect(settle(inlet, batch([("in", command("create", "u", "/", "{}"))])) == .committed)
        #expect(rig.counts["denied/placeholder:unresolved"] == 1)
    }

    @Test("mapped headers give way to those in the message; blocked and answer-only ones are not mapped")
    func headerMapping() throws {
        let rig = try PipelineRig()
        let inlet = try rig.inlet(
            Self.source(mapping: [
                ("own", "from-{{ header:mqtt.topic }}"), ("correlation-id", "mapped"), ("etag", "x"),
                ("ditto-sudo", "true"),
                ("qos", "{{ header:mqtt.qos }}"), ("none", "{{ header:absent }}"),
            ]))
        let inside = command("create", "a", "/", "{}", headers: #"{"Own":"inside","ditto-auth-context":"x"}"#)
        #expect(
            settle(inlet, batch([("in/1", inside), ("in/2", command("create", "b", "/", "{}", headers: "{}"))]))
                == .committed)
        let headers = try answers(rig).map { try #require($0.object?["headers"]?.object) }
        #expect(headers[0]["Own"]?.string == "inside")
        #expect(headers[0]["own"] == nil)
        #expect(headers[0]["correlation-id"]?.string == "mapped")
        #expect(headers[0]["qos"]?.string == "1")
        #expect(headers[1]["own"]?.string == "from-in/2")
        for name in ["ditto-sudo", "none", "ditto-auth-context"] { #expect(headers.allSatisfy { $0[name] == nil }) }
        #expect(headers.allSatisfy { $0["etag"]?.string == "\"rev:1\"" })
    }

    @Test("a signal without a correlation id gets one, each its own")
    func correlationIDs() throws {
        let rig = try PipelineRig()
        let inlet = try rig.inlet(Self.source())
        let messages = batch((0..<20).map { ("in", command("create", "t\($0)", "/", "{}", headers: "{}")) })
        #expect(settle(inlet, messages) == .committed)
        let ids = try answers(rig).compactMap {
            $0.value(at: JSONPointer(segments: ["headers", "correlation-id"]))?.string
        }
        #expect(Set(ids).count == 20)
        #expect(ids.allSatisfy { UUID(uuidString: $0) != nil })
    }

    @Test("an answer whose address has no value, or for which there is no room, is counted")
    func lostAnswers() throws {
        let rig = try PipelineRig(queueCapacity: 1)
        let inlet = try rig.inlet(Self.source(replyTo: "{{ header:reply-to }}"))
        let target = #"{"reply-to":"r"}"#
        let messages = batch([
            ("in", command("create", "a", "/", "{}", headers: "{}")),
            ("in", command("create", "b", "/", "{}", headers: target)),
            ("in", command("create", "c", "/", "{}", headers: target)),
        ])
        #expect(settle(inlet, messages) == .committed)
        let counts = rig.counts
        #expect(counts["dropped/reply-address-unresolved"] == 1)
        #expect(counts["replied"] == 1)
        #expect(counts["dropped/reply-queue-full"] == 1)
    }

    /// An envelope of any topic.
    private static func envelope(_ topic: String, _ path: String, _ rest: String = "") -> String {
        #"{"topic":"\#(topic)","headers":{"correlation-id":"c"},"path":"\#(path)"\#(rest)}"#
    }

    @Test("commands on policies and on several things are carried out and answered")
    func otherCommands() throws {
        let rig = try PipelineRig()
        let inlet = try rig.inlet(Self.source(replyTo: "replies"))
        #expect(settle(inlet, batch([("in/x", command("create", "t", "/", "{}"))])) == .committed)
        let subject = Self.envelope(
            "n/t/policies/commands/modify", "/entries/DEFAULT/subjects/https://idp/x:y", #","value":{"type":"t"}"#)
        let several = Self.envelope(
            "_/_/things/twin/commands/retrieve", "/", #","value":{"thingIds":["n:t","n:none"]}"#)
        #expect(settle(inlet, batch([("in/x", subject), ("in/x", several)])) == .committed)
        // Answers are queued behind the commit, maybe a moment after somebody else was told of it.
        let answers = try rig.awaitSent(3).map { try JSONValue.parse($0.payload) }
        #expect(answers.map { $0.object?["status"] } == [201, 201, 200])
        #expect(answers[1].object?["path"] == "/entries/DEFAULT/subjects/https://idp/x:y")
        #expect(answers[2].object?["value"]?.array?.count == 1)
        #expect(rig.counts["served"] == 2)
    }

    @Test("a message reaches its subscriber, the answer its sender; who answers late is counted")
    func messages() throws {
        let rig = try PipelineRig()
        let inlet = try rig.inlet(Self.source(replyTo: "replies"))
        #expect(settle(inlet, batch([("in/x", command("create", "t", "/", "{}"))])) == .committed)
        let device = LiveSubscription(
            topics: [LiveTopic(.messages)], subjects: EngineRig.owner, session: try ConnectionID("device"),
            declaredAcks: [], capacity: 10, byteCapacity: 1 << 20, wake: {}, onOverflow: { _ in })
        try rig.rig.engine.live.add(device)
        let ask = Self.envelope("n/t/things/live/messages/ask", "/inbox/messages/ask", #","value":1"#)
        #expect(settle(inlet, batch([("in/x", ask)])) == .committed)
        let delivery = try #require(device.take().first)
        #expect(delivery.envelope.topic.text == "n/t/things/live/messages/ask")
        var answer = delivery.envelope
        answer.status = 204
        answer.value = nil
        let fate = try rig.rig.engine.live.answer(
            try Message(answer), from: LiveResponder(try ConnectionID("device"), kind: .session))
        #expect(fate == .counted)
        #expect(try answers(rig).map { $0.object?["status"] } == [201, 204])

        let late = Self.envelope("n/t/things/live/messages/ask", "/inbox/messages/ask", #","status":200"#)
        #expect(settle(inlet, batch([("in/x", late)])) == .committed)
        #expect(rig.counts["dropped/nobody-waits"] == 1)
    }

    @Test("what only the server sends, and what is not served yet, is refused with its code")
    func refusedTopics() throws {
        let rig = try PipelineRig()
        let inlet = try rig.inlet(Self.source(replyTo: "replies"))
        let event = Self.envelope("n/t/things/twin/events/modified", "/attributes/a", #","value":1"#)
        let search = Self.envelope("_/_/things/twin/search/subscribe", "/", #","value":{}"#)
        #expect(settle(inlet, batch([("in/x", event), ("in/x", search)])) == .committed)
        let codes = try answers(rig).map { $0.value(at: JSONPointer(segments: ["value", "error"]))?.string }
        #expect(codes == ["protocoladapter:unknown.topicpath", "signal.unsupported"])
    }

    @Test("a closed store takes messages and policy commands no more than twin commands")
    func closedForAll() throws {
        let rig = try PipelineRig()
        let inlet = try rig.inlet(Self.source(replyTo: "replies"))
        rig.rig.engine.stop()
        for text in [
            Self.envelope("n/t/policies/commands/retrieve", "/"),
            Self.envelope("n/t/things/live/messages/ask", "/inbox/messages/ask"),
            command("modify", "t", "/attributes/a", "1", headers: #"{"requested-acks":["twin-persisted","x:y"]}"#),
        ] {
            let messages = batch([("in/x", text)])
            #expect(inlet.settlement(of: inlet.accept(messages), patience: .seconds(5)) == .rejected, "\(text)")
            #expect(rig.sent().isEmpty)
        }
    }

    @Test("whoever taps sees every stage of every message; otherwise only a few of the last are put into words")
    func tapped() throws {
        let rig = try PipelineRig()
        let inlet = try rig.inlet(
            Self.source(input: "{{ source:address }}", filters: ["in/{{ thing:name }}"], replyTo: nil))
        let many = batch((0..<50).map { ("in/t\($0)", command("create", "t\($0)", "/", #"{"attributes":{"n":1}}"#)) })
        let tap = try #require(rig.recorder.tap(TapFilter()))
        #expect(settle(inlet, many) == .committed)
        let lines = String(decoding: tap.take() ?? [], as: UTF8.self).split(separator: "\n")
        tap.close()
        for stage in ["consumed", "mapped", "enforced", "acknowledged"] {
            #expect(lines.count { $0.contains("\"\(stage)\"") } == 50, "\(stage)")
        }
        let mapped = try #require(lines.first { $0.contains("\"mapped\"") })
        for text in ["Ditto", "test:owner", "n/t0/things/twin/commands/create", "attributes"] {
            #expect(mapped.contains(text), "\(mapped)")
        }
        rig.recorder.resetLogs()
        rig.recorder.enableLogs()
        rig.rig.clock.advance(by: .seconds(1))
        #expect(settle(inlet, many) == .committed)
        let logged = rig.recorder.retrieveLogs().entries.filter { !$0.isFailure && $0.stage == .consumed }
        #expect((1...ConnectionRecorder.ringCapacity).contains(logged.count))
        assertBalanced(rig)
    }

    @Test("successes are told of up to a ring's length at once, and twenty a second")
    func budget() {
        var budget = SuccessBudget()
        #expect(budget.take(400, at: 1_000_000_000) == 10)
        #expect(budget.take(400, at: 1_000_000_000) == 0)
        #expect(budget.take(400, at: 1_150_000_000) == 3)
        #expect(budget.take(1, at: 1_199_000_000) == 0)
        #expect(budget.take(1, at: 1_200_000_000) == 1)
        #expect(budget.take(400, at: 9_000_000_000) == 10)
    }
}
