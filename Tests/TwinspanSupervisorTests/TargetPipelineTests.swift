import Testing
import TwinspanConnections
import TwinspanEngine
import TwinspanExpressions
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanSupervisor

@Suite("TargetPipeline")
struct TargetPipelineTests {
    private static func target(
        _ address: String = "out/{{ thing:name }}", subjects: [String] = ["test:owner"], namespaces: [String] = [],
        filter: String? = nil, kind: TargetTopic.Kind = .twinEvents, mapping: [(String, String)] = []
    ) throws -> Target {
        let topic = TargetTopic(
            kind: kind, namespaces: namespaces,
            filter: try filter.map { try RQLFilter.parse($0, placeholders: .connection) })
        return Target(
            address: try template(address, .address), topics: [topic], qos: 1, authorizationContext: subjects,
            headerMapping: try mapping.map { HeaderMapping(name: $0.0, template: try template($0.1, .headerMapping)) })
    }

    private static func thing(_ rig: PipelineRig, _ id: String = "n:t") throws {
        try rig.rig.run(.create, id, "/", #"{"attributes":{"a":1,"b":{"c":1}}}"#)
    }

    @Test("an event goes out as an envelope, in order, with the policy's full view")
    func full() throws {
        let rig = try PipelineRig()
        try rig.withTargets([Self.target()]) {
            try Self.thing(rig)
            for value in 0..<50 {
                try rig.rig.run(
                    .modify, "n:t", "/attributes/a", "\(value)", headers: ["correlation-id": "c", "if-match": "*"])
            }
            try rig.rig.run(.delete, "n:t", "/attributes/b")
        }
        let sent = rig.sent()
        #expect(sent.count == 52)
        #expect(sent.allSatisfy { $0.address == "out/t" && $0.qos == 1 && $0.target == 0 && !$0.isRetained })
        let envelopes = try sent.map { try JSONValue.parse($0.payload) }
        #expect(envelopes.compactMap { $0.object?["revision"]?.int64 } == Array(1...52))
        let expected = """
            {"topic":"n/t/things/twin/events/modified","headers":{"correlation-id":"c","response-required":false,
            "ditto-originator":"test:owner","content-type":"application/json"},"path":"/attributes/a","value":49,
            "revision":51,"timestamp":"2023-11-14T22:13:20Z"}
            """
        #expect(try envelopes[50] == JSONValue.parse(expected))
        let deleted = """
            {"topic":"n/t/things/twin/events/deleted",
            "headers":{"response-required":false,"ditto-originator":"test:owner"},
            "path":"/attributes/b","revision":52,"timestamp":"2023-11-14T22:13:20Z"}
            """
        #expect(try envelopes[51] == JSONValue.parse(deleted))
        #expect(rig.counts == ["offered": 52])
    }

    @Test(
        "filters and namespaces decide before anything else",
        arguments: [
            (["n"], nil, 2), (["m"], nil, 0), (["m", "n"], nil, 2), ([], "gt(attributes/a,5)", 1),
            ([], "eq(thingId,'n:t')", 2),
            ([], "like(resource:path,'/attributes/*')", 1), (["n"], "eq(topic:action,'created')", 1),
            (["m"], "gt(attributes/a,5)", 0),
        ] as [([String], String?, Int)])
    func filters(namespaces: [String], filter: String?, count: Int) throws {
        let rig = try PipelineRig()
        // The second target wants everything, so that the subscription does not narrow for the first.
        try rig.withTargets([Self.target(namespaces: namespaces, filter: filter), Self.target("all")]) {
            try Self.thing(rig)
            try rig.rig.run(.modify, "n:t", "/attributes/a", "7")
        }
        let sent = rig.sent()
        #expect(sent.filter { $0.target == 0 }.count == count)
        #expect(sent.filter { $0.target == 1 }.count == 2)
        #expect(rig.counts["filtered", default: 0] == Int64(2 - count))
        #expect(rig.counts["offered"] == 4)
    }

    @Test("who may not read gets nothing, who may read a part gets the part")
    func views() throws {
        let rig = try PipelineRig()
        let policy = """
            {"entries":{"o":{"subjects":{"test:owner":{"type":"t"}},
            "resources":{
            "policy:/":{"grant":["READ","WRITE"],"revoke":[]},
            "thing:/":{"grant":["READ","WRITE"],"revoke":[]}}},"p":{"subjects":{"test:part":{"type":"t"}},
            "resources":{"thing:/attributes/b":{"grant":["READ"],"revoke":[]}}}}}
            """
        try rig.rig.policy(.create, "n:p", policy)
        try rig.withTargets([
            Self.target("part", subjects: ["test:part"]), Self.target("none", subjects: ["test:stranger"]),
        ]) {
            try rig.rig.run(.create, "n:t", "/", #"{"policyId":"n:p","attributes":{"a":1,"b":{"c":1}}}"#)
            try rig.rig.run(.modify, "n:t", "/attributes/a", "2")
            try rig.rig.run(.modify, "n:t", "/attributes/b/c", "2")
        }
        let sent = rig.sent()
        #expect(sent.map(\.address) == ["part", "part"])
        let first = try JSONValue.parse(sent[0].payload).object?["value"]
        #expect(first == (try JSONValue.parse(#"{"thingId":"n:t","attributes":{"b":{"c":1}}}"#)))
        #expect(rig.counts["denied/no-read-permission"] == 4)
        #expect(rig.counts["offered"] == 6)
    }

    @Test("nothing comes back to the connection it came from")
    func origin() throws {
        let rig = try PipelineRig()
        try rig.withTargets([Self.target()]) {
            try Self.thing(rig)
            let own = try rig.rig.send(.modify, "n:t", "/attributes/a", "2", origin: try ConnectionID("c1"))
            try rig.rig.awaitCommit(own.ticket)
            let other = try rig.rig.send(.modify, "n:t", "/attributes/a", "3", origin: try ConnectionID("c2"))
            try rig.rig.awaitCommit(other.ticket)
        }
        #expect(rig.sent().count == 2)
        #expect(rig.counts == ["offered": 2])
    }

    @Test("an address without a value is counted")
    func unresolved() throws {
        let rig = try PipelineRig()
        try rig.withTargets([Self.target("out/{{ header:absent }}")]) { try Self.thing(rig) }
        #expect(rig.sent().isEmpty)
        #expect(rig.counts == ["offered": 1, "dropped/address-unresolved": 1])
    }

    @Test("header mapping sets topic, qos and retain of MQTT")
    func delivery() throws {
        let rig = try PipelineRig()
        let mapping = [("mqtt.topic", "mapped/{{ thing:id }}"), ("mqtt.qos", "2"), ("mqtt.retain", "true")]
        try rig.withTargets([Self.target(mapping: mapping)]) { try Self.thing(rig) }
        let sent = try #require(rig.sent().first)
        #expect((sent.address, sent.qos, sent.isRetained) == ("mapped/n:t", 2, true))
    }

    @Test(
        "a full queue drops the newest and says whether the broker was there",
        arguments: [
            (true, "dropped/queue-full"), (false, "dropped/broker-away"),
        ])
    func full(isConnected: Bool, counter: String) throws {
        let rig = try PipelineRig(queueCapacity: 3)
        try rig.withTargets([Self.target()], isConnected: isConnected) {
            try Self.thing(rig)
            for value in 0..<9 { try rig.rig.run(.modify, "n:t", "/attributes/a", "\(value)") }
        }
        #expect(rig.counts == ["offered": 10, counter: 7])
        let revisions = try rig.sent().compactMap { try JSONValue.parse($0.payload).object?["revision"]?.int64 }
        #expect(revisions == [1, 2, 3])
    }

    @Test(
        "topics of signals that are not served yet get nothing",
        arguments: TargetTopic.Kind.allCases.filter { $0 != .twinEvents })
    func otherTopics(kind: TargetTopic.Kind) throws {
        let rig = try PipelineRig()
        try rig.withTargets([Self.target(kind: kind)]) { try Self.thing(rig) }
        #expect(rig.sent().isEmpty)
        #expect(rig.counts.isEmpty)
    }

    @Test("events of policies are not for targets")
    func policies() throws {
        let rig = try PipelineRig()
        try rig.withTargets([Self.target()]) {
            try Self.thing(rig)
            try rig.rig.policy(.delete, "n:t")
        }
        #expect(rig.sent().count == 1)
    }
}
