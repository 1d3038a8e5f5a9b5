import Testing
import TwinspanConnections
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanSupervisor

@Suite("Live signals at targets")
struct LiveTargetTests {
    private static let live: [TargetTopic.Kind] = [.liveMessages, .liveCommands, .liveEvents]

    private static func thing(_ rig: PipelineRig) throws {
        try rig.rig.run(.create, "n:t", "/", #"{"attributes":{"a":1,"s":"x"}}"#)
    }

    private static func envelope(_ topic: String, _ path: String, _ rest: String = "", id: String = "m") -> String {
        #"{"topic":"n/t/things/live/\#(topic)","headers":{"correlation-id":"\#(id)"},"path":"\#(path)"\#(rest)}"#
    }

    @Test("a message goes out, and the answer that comes back through a source reaches the sender")
    func roundTrip() throws {
        let rig = try PipelineRig()
        try Self.thing(rig)
        let inlet = try rig.inlet(source())
        try rig.withWayOut(rig.connection(targets: [target("to/{{ topic:subject }}", topics: [topic(.liveMessages)])]))
        {
            _ in
            let answers = try rig.message("ask")
            let sent = try rig.awaitSent(1)
            #expect(sent[0].address == "to/ask")
            #expect(try sent[0].envelope["topic"]?.string == "n/t/things/live/messages/ask")
            #expect(try sent[0].member("/headers/response-required") == true)
            let response = Self.envelope("messages/ask", "/inbox/messages/ask", #","status":200,"value":{"ok":1}"#)
            let messages = batch([("in/x", response)])
            #expect(inlet.settlement(of: inlet.accept(messages), patience: .seconds(10)) == .committed)
            guard case .message(let answer) = try answers.answer() else { throw ScenarioFailure("no message") }
            #expect(answer.status == 200)
            rig.checkBalance(waiting: sent)
        }
    }

    @Test("live commands and events go out; responses come back")
    func commands() throws {
        let rig = try PipelineRig()
        try Self.thing(rig)
        let inlet = try rig.inlet(source())
        try rig.withWayOut(rig.connection(targets: [target(topics: Self.live.map { try topic($0) })])) { _ in
            var command = try EngineRig.command(.retrieve, "n:t", "/attributes/a", headers: ["correlation-id": "m"])
            command.channel = .live
            let answers = Answers([])
            rig.rig.engine.request(command, as: EngineRig.owner) { answer in answers.update { $0.append(answer) } }
            rig.rig.engine.send(
                LiveEvent(
                    thingID: try ThingID("n:t"), action: .modified,
                    path: try JSONPointer(parsing: "/attributes/a"), value: JSONText(7)), as: EngineRig.owner
            ) { _ in }
            let sent = try rig.awaitSent(2)
            #expect(
                try sent.map { try $0.envelope["topic"]?.string } == [
                    "n/t/things/live/commands/retrieve", "n/t/things/live/events/modified",
                ])
            let response = Self.envelope("commands/retrieve", "/attributes/a", #","status":200,"value":9"#)
            _ = inlet.accept(batch([("in/x", response)]))
            guard case .live(let answer) = try answers.answer() else { throw ScenarioFailure("no response") }
            #expect(answer.value?.value == 9)
            rig.checkBalance(waiting: sent)
        }
    }

    @Test("nothing comes back to the connection it came from, and nothing to a target of another topic")
    func echo() throws {
        let rig = try PipelineRig()
        try Self.thing(rig)
        let targets = try [target("m", topics: [topic(.liveMessages)]), target("e", topics: [topic(.liveEvents)])]
        try rig.withTargets(targets) {
            _ = try rig.message(response: false, origin: "c1")
            _ = try rig.message(response: false, origin: "c2")
            #expect(try rig.awaitSent(1).map(\.address) == ["m"])
        }
        #expect(rig.sent().isEmpty)
        #expect(rig.counts == ["offered": 1])
    }

    @Test(
        "filters of messages see topic, headers and extra fields",
        arguments: [
            (nil, nil, true), ("eq(topic:subject,'ask')", nil, true), ("eq(topic:subject,'tell')", nil, false),
            ("eq(thingId,'n:t')", nil, true), ("eq(attributes/s,'x')", nil, false),
            ("eq(attributes/s,'x')", "attributes/s", true), ("eq(attributes/s,'y')", "attributes/s", false),
            ("eq(header:own,'1')", nil, true), ("eq(header:own,'2')", nil, false), ("exists(attributes/a)", nil, false),
        ] as [(String?, String?, Bool)])
    func filters(filter: String?, extra: String?, isDelivered: Bool) throws {
        let rig = try PipelineRig()
        try Self.thing(rig)
        try rig.withTargets([
            target(topics: [topic(.liveMessages, filter: filter, extra: extra)]),
            target("all", topics: [topic(.liveMessages)]),
        ]) {
            _ = try rig.message(response: false, headers: ["own": "1"])
            let sent = try rig.awaitSent(isDelivered ? 2 : 1)
            #expect(sent.map(\.address) == (isDelivered ? ["out", "all"] : ["all"]))
            if extra != nil, isDelivered { #expect(try sent[0].member("/extra/attributes/s") == "x") }
            #expect(try sent.last?.member("/extra") == nil)
            rig.checkBalance(waiting: sent)
        }
    }

    @Test("who may not read a message does not get it; who may read no field of the thing gets none enriched")
    func views() throws {
        let rig = try PipelineRig()
        let policy = """
            {"entries":{"o":{"subjects":{"test:owner":{"type":"t"}},"resources":{
            "policy:/":{"grant":["READ","WRITE"],"revoke":[]},"thing:/":{"grant":["READ","WRITE"],"revoke":[]},
            "message:/":{"grant":["READ","WRITE"],"revoke":[]}}},
            "p":{"subjects":{"test:part":{"type":"t"}},"resources":{"message:/":{"grant":["READ"],"revoke":[]}}}}}
            """
        try rig.rig.policy(.create, "n:p", policy)
        try rig.rig.run(.create, "n:t", "/", #"{"policyId":"n:p","attributes":{"a":1}}"#)
        try rig.withTargets([
            target("none", topics: [topic(.liveMessages)], subjects: ["test:stranger"]),
            target("blind", topics: [topic(.liveMessages, extra: "attributes")], subjects: ["test:part"]),
            target("plain", topics: [topic(.liveMessages)], subjects: ["test:part"]),
        ]) {
            _ = try rig.message(response: false)
            let sent = try rig.awaitSent(1)
            #expect(sent.map(\.address) == ["plain"])
            rig.checkBalance(waiting: sent)
        }
        #expect(rig.counts == ["offered": 3, "denied/no-read-permission": 1, "dropped/enrichment": 1])
    }

    @Test("signals of one thing keep their order")
    func order() throws {
        let rig = try PipelineRig()
        try Self.thing(rig)
        try rig.withTargets([target(topics: [topic(.liveMessages), topic()])]) {
            for number in 0..<50 { _ = try rig.message("s\(number)", response: false) }
            let topics = try rig.awaitSent(50).map { try $0.envelope["topic"]?.string }
            #expect(topics == (0..<50).map { "n/t/things/live/messages/s\($0)" })
        }
    }
}
