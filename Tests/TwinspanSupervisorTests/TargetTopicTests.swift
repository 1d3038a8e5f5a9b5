import Testing
import TwinspanConnections
import TwinspanEngine
import TwinspanExpressions
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanSupervisor

/// A modification of `/attributes/a` to 5 of a thing with `{"a":1,"b":{"c":7},"s":"x"}`, and what comes of the topics.
struct TopicRow: Sendable, CustomTestStringConvertible {
    var name: String
    var topics: [(filter: String?, extra: String?)]
    /// The extra fields of the event; nil when none is delivered.
    var extra: String?
    var isDelivered = true
    var testDescription: String { name }
}

@Suite("Topics of targets")
struct TargetTopicTests {
    static let rows = [
        TopicRow(name: "one topic", topics: [(nil, nil)]),
        TopicRow(name: "two topics, delivered once", topics: [(nil, nil), (nil, nil)]),
        TopicRow(name: "extra", topics: [(nil, "attributes/b")], extra: #"{"attributes":{"b":{"c":7}}}"#),
        TopicRow(
            name: "extra shows the state after the event", topics: [(nil, "attributes/a")],
            extra: #"{"attributes":{"a":5}}"#),
        TopicRow(name: "extra that is not there", topics: [(nil, "attributes/none")]),
        TopicRow(
            name: "special fields", topics: [(nil, "thingId,_revision,_namespace")],
            extra: #"{"thingId":"n:t","_namespace":"n","_revision":2}"#),
        TopicRow(
            name: "wildcard", topics: [(nil, "features/*/properties/p")],
            extra: #"{"features":{"f":{"properties":{"p":1}},"g":{"properties":{"p":2}}}}"#),
        TopicRow(
            name: "topics with extra fields first", topics: [(nil, nil), (nil, "attributes/s")],
            extra: #"{"attributes":{"s":"x"}}"#),
        TopicRow(
            name: "then lexically", topics: [(nil, "attributes/s"), (nil, "attributes/b")],
            extra: #"{"attributes":{"b":{"c":7}}}"#),
        TopicRow(
            name: "only the winner's fields",
            topics: [("eq(attributes/s,'y')", "attributes/s"), (nil, "attributes/b")],
            extra: #"{"attributes":{"b":{"c":7}}}"#),
        TopicRow(
            name: "the first does not match, one without fields does",
            topics: [("eq(attributes/s,'y')", "attributes/s"), ("eq(attributes/a,5)", nil)]),
        TopicRow(
            name: "filter on an extra field", topics: [("eq(attributes/s,'x')", "attributes/s")],
            extra: #"{"attributes":{"s":"x"}}"#),
        TopicRow(
            name: "filter on a part of an extra field", topics: [("eq(attributes/b/c,7)", "attributes/b")],
            extra: #"{"attributes":{"b":{"c":7}}}"#),
        TopicRow(
            name: "filter on event and extra field",
            topics: [("and(gt(attributes/a,4),eq(attributes/s,'x'))", "attributes/s")],
            extra: #"{"attributes":{"s":"x"}}"#),
        TopicRow(
            name: "filter with wildcard field", topics: [("gt(features/f/properties/p,0)", "features/*/properties/p")],
            extra: #"{"features":{"f":{"properties":{"p":1}},"g":{"properties":{"p":2}}}}"#),
        TopicRow(
            name: "placeholder in extra fields", topics: [(nil, "attributes/{{ header:want }}")],
            extra: #"{"attributes":{"s":"x"}}"#),
        TopicRow(
            name: "an entry without a value is left out", topics: [(nil, "attributes/{{ header:none }},attributes/s")],
            extra: #"{"attributes":{"s":"x"}}"#),
        TopicRow(name: "no entry has a value", topics: [(nil, "attributes/{{ header:none }}")]),
        // What goes nowhere.
        TopicRow(name: "no topic", topics: [], isDelivered: false),
        TopicRow(name: "the field is not in the event", topics: [("eq(attributes/s,'x')", nil)], isDelivered: false),
        TopicRow(
            name: "the extra field differs", topics: [("eq(attributes/s,'y')", "attributes/s")], isDelivered: false),
        TopicRow(
            name: "the event differs, whatever the extra field",
            topics: [("and(eq(attributes/a,4),eq(attributes/s,'x'))", "attributes/s")], isDelivered: false),
        TopicRow(
            name: "the field is another topic's", topics: [("eq(attributes/s,'x')", "attributes/b")],
            isDelivered: false),
        TopicRow(
            name: "nothing matches", topics: [("eq(attributes/a,4)", nil), ("eq(attributes/s,'y')", "attributes/s")],
            isDelivered: false),
        TopicRow(
            name: "not of an unknown field", topics: [("not(eq(attributes/s,'x'))", "attributes/s")],
            isDelivered: false),
        TopicRow(
            name: "the old state", topics: [("eq(attributes/a,1)", "attributes/a")], isDelivered: false),
    ]

    private static let thing = """
        {"attributes":{"a":1,"b":{"c":7},"s":"x"},
        "features":{"f":{"properties":{"p":1}},"g":{"properties":{"p":2,"q":3}},"h":{}}}
        """

    @Test("the first topic that admits an event adds its extra fields", arguments: rows)
    func topics(row: TopicRow) throws {
        let rig = try PipelineRig()
        try rig.rig.run(.create, "n:t", "/", Self.thing)
        let topics = try row.topics.map { try topic(filter: $0.filter, extra: $0.extra) }
        try rig.withTargets([target(topics: topics)]) {
            try rig.rig.run(.modify, "n:t", "/attributes/a", "5", headers: ["want": "s"])
        }
        let sent = rig.sent()
        #expect(sent.count == (row.isDelivered ? 1 : 0))
        let expected = try row.extra.map { try JSONValue.parse($0) }
        #expect(try sent.first?.member("/extra") == expected)
        #expect(rig.counts["filtered", default: 0] == (row.isDelivered || row.topics.isEmpty ? 0 : 1))
        rig.checkBalance(waiting: sent)
    }

    @Test("extra fields are cut to what the target may read, the filter sees the same")
    func partialExtra() throws {
        let rig = try PipelineRig()
        try rig.rig.policy(.create, "n:p", Self.partialPolicy)
        try rig.rig.run(.create, "n:t", "/", #"{"policyId":"n:p","attributes":{"a":1,"b":{"c":1},"s":2}}"#)
        let all = "attributes"
        try rig.withTargets([
            target("part", topics: [topic(extra: all)], subjects: ["test:part"]),
            target("hidden", topics: [topic(filter: "eq(attributes/s,2)", extra: all)], subjects: ["test:part"]),
            target("none", topics: [topic(extra: all)], subjects: ["test:stranger"]),
            target("all", topics: [topic(filter: "eq(attributes/s,2)", extra: all)]),
        ]) {
            try rig.rig.run(.modify, "n:t", "/attributes/b/c", "2")
        }
        let sent = rig.sent()
        #expect(sent.map(\.address) == ["part", "all"])
        #expect(try sent[0].member("/extra") == JSONValue.parse(#"{"attributes":{"b":{"c":2}}}"#))
        #expect(try sent[1].member("/extra/attributes/s") == 2)
        #expect(rig.counts["denied/no-read-permission"] == 1)
        rig.checkBalance(waiting: sent)
    }

    private static let partialPolicy = """
        {"entries":{"o":{"subjects":{"test:owner":{"type":"t"}},
        "resources":{"policy:/":{"grant":["READ","WRITE"],"revoke":[]},
        "thing:/":{"grant":["READ","WRITE"],"revoke":[]},"message:/":{"grant":["READ","WRITE"],"revoke":[]}}},
        "p":{"subjects":{"test:part":{"type":"t"}},
        "resources":{"thing:/attributes/b":{"grant":["READ"],"revoke":[]},
        "message:/":{"grant":["READ"],"revoke":[]}}}}}
        """

    @Test("a deleted thing is known as it was last")
    func deleted() throws {
        let rig = try PipelineRig()
        try rig.rig.run(.create, "n:t", "/", Self.thing)
        try rig.withTargets([target(topics: [topic(filter: "eq(attributes/s,'x')", extra: "attributes/s")])]) {
            try rig.rig.run(.delete, "n:t")
        }
        let sent = rig.sent()
        #expect(try sent.map { try $0.member("/extra/attributes/s") } == ["x"])
        #expect(try sent.first?.member("/value") == nil)
    }

    @Test(
        "placeholders of the thing see event and extra fields",
        arguments: [
            ("out/{{ thing-json:attributes/a }}", nil, "out/5"),
            ("out/{{ thing-json:attributes/s }}", "attributes/s", "out/x"),
            ("out/{{ thing-json:attributes/a }}/{{ thing-json:attributes/b/c }}", "attributes/b", "out/5/7"),
            ("out/{{ thing-json:attributes/s }}", nil, nil),
            ("out/{{ thing-json:attributes/s }}", "attributes/b", nil),
        ] as [(String, String?, String?)])
    func thingJSON(address: String, extra: String?, expected: String?) throws {
        let rig = try PipelineRig()
        try rig.rig.run(.create, "n:t", "/", Self.thing)
        try rig.withTargets([target(address, topics: [topic(extra: extra)])]) {
            try rig.rig.run(.modify, "n:t", "/attributes/a", "5")
        }
        let sent = rig.sent()
        #expect(sent.map(\.address) == (expected.map { [$0] } ?? []))
        #expect(rig.counts["dropped/address-unresolved", default: 0] == (expected == nil ? 1 : 0))
        rig.checkBalance(waiting: sent)
    }

    @Test(
        "mapped headers go on top of those of the mapper",
        arguments: [
            (ConnectionType.mqtt, [("mqtt.qos", "0")], "out", 0, false, ["content-type", "correlation-id"]),
            (.mqtt, [("mqtt.retain", " TRUE ")], "out", 1, true, ["content-type", "correlation-id"]),
            (.mqtt, [("mqtt.topic", "m/{{ thing:name }}")], "m/t", 1, false, ["content-type", "correlation-id"]),
            (
                .mqtt5, [("mqtt.topic", "m"), ("x", "{{ thing:id }}")], "m", 1, false,
                [
                    "content-type", "correlation-id", "mqtt.topic", "x",
                ]
            ),
            (
                .kafka, [("mqtt.topic", "m"), ("x", "{{ header:none }}")], "out", 1, false,
                [
                    "content-type", "correlation-id", "mqtt.topic",
                ]
            ),
            (.mqtt5, [("content-type", "text/plain")], "out", 1, false, ["content-type", "correlation-id"]),
        ] as [(ConnectionType, [(String, String)], String, UInt8, Bool, [String])])
    func headers(
        type: ConnectionType, mapping: [(String, String)], address: String, qos: UInt8, isRetained: Bool,
        names: [String]
    ) throws {
        let rig = try PipelineRig()
        var connection = try rig.connection(targets: [target(topics: [topic()], headers: mapping)])
        connection.type = type
        try rig.withWayOut(connection) { _ in
            try rig.rig.run(.create, "n:t", "/", "{}", headers: ["correlation-id": "c"])
        }
        let sent = try #require(rig.sent().first)
        #expect((sent.address, sent.qos, sent.isRetained) == (address, qos, isRetained))
        #expect(sent.headers.map(\.name) == names)
        let contentType = mapping.first { $0.0 == "content-type" }?.1 ?? "application/vnd.eclipse.ditto+json"
        #expect(sent.headers.first { $0.name == "content-type" }?.value == contentType)
    }

    @Test(
        "a setting that means nothing to the broker ends the message",
        arguments: [
            ("mqtt.qos", "3"), ("mqtt.qos", "-1"), ("mqtt.qos", "high"), ("mqtt.retain", "yes"), ("mqtt.retain", ""),
        ])
    func illegalHeaders(name: String, value: String) throws {
        let rig = try PipelineRig()
        try rig.withTargets([target(topics: [topic()], headers: [(name, value)])]) {
            try rig.rig.run(.create, "n:t", "/", "{}")
        }
        #expect(rig.counts == ["offered": 1, "dropped/illegal-header": 1])
    }

    @Test(
        "several messages of one event are one pair; a mapper that makes nothing, or fails, is counted",
        arguments: [
            (["Twice"], 2, [:]), (["Ditto", "Twice"], 3, [:]), (["Nothing"], 0, ["dropped/mapper": 1]),
            (["Failing"], 0, ["dropped/mapping": 1]), (["Failing", "Ditto"], 1, [:]), (["Topic"], 1, [:]),
        ] as [([String], Int, [String: Int64])])
    func mappers(names: [String], count: Int, drops: [String: Int64]) throws {
        let rig = try PipelineRig()
        var ended: WayOut?
        let connection = try rig.connection(targets: [target(topics: [topic()], payload: names)])
        try rig.withWayOut(connection, mappers: .forTests) { wayOut in
            ended = wayOut
            try rig.rig.run(.create, "n:t", "/", "{}")
        }
        let sent = rig.sent()
        #expect(sent.count == count)
        rig.checkBalance(waiting: sent)
        if names == ["Topic"] { #expect(sent.map { "\($0.address) \($0.qos)" } == ["mapper 0"]) }
        for message in sent { ended?.outcomes.confirmed(message) }
        #expect(rig.counts == drops.merging(["offered": 1, "published": count > 0 ? 1 : 0]) { $1 }.filter { $1 != 0 })
        rig.checkBalance()
    }

    @Test("of two messages of one event the queue takes one: the pair is dropped, once")
    func halfQueued() throws {
        let rig = try PipelineRig(queueCapacity: 1)
        var ended: WayOut?
        let connection = try rig.connection(targets: [target(topics: [topic()], payload: ["Twice"])])
        try rig.withWayOut(connection, mappers: .forTests) { wayOut in
            ended = wayOut
            try rig.rig.run(.create, "n:t", "/", "{}")
        }
        for message in rig.sent() { ended?.outcomes.confirmed(message) }
        #expect(rig.counts == ["offered": 1, "dropped/queue-full": 1])
    }

    @Test("a slow mapper runs on the connection's own thread", arguments: [("Slow", true), ("Ditto", false)])
    func slow(mapper: String, isOwn: Bool) throws {
        let rig = try PipelineRig()
        let connection = try rig.connection(targets: [target(topics: [topic()], payload: [mapper, "Slow"].suffix(1))])
        try rig.withWayOut(connection, mappers: .forTests) { _ in
            for value in 0..<20 {
                try rig.rig.run(value == 0 ? .create : .modify, "n:t", value == 0 ? "/" : "/attributes/a", "{}")
            }
        }
        let threads = Set(rig.sent().compactMap { $0.headers.first { $0.name == "thread" }?.value })
        #expect(threads == ["targets"])
    }
}
