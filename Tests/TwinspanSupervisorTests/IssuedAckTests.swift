import Testing
import TwinspanConnections
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanEngine
@testable import TwinspanSupervisor

@Suite("Acknowledgements that connections issue")
struct IssuedAckTests {
    private static func thing(_ rig: PipelineRig) throws {
        try rig.rig.run(.create, "n:t", "/", #"{"attributes":{"a":1,"s":"x"}}"#)
    }

    @Test("a confirmed message acknowledges its event; others see only labels they can answer")
    func confirmed() throws {
        let rig = try PipelineRig()
        try Self.thing(rig)
        let connection = try rig.connection(
            sources: [source(declaredAcks: ["c1:device"])],
            targets: [target("one", topics: [topic()], label: "c1:ack"), target("two", topics: [topic()])])
        try rig.withWayOut(connection) { wayOut in
            let answers = try rig.request(
                .modify, "/attributes/a", "2", asking: ["twin-persisted", "c1:ack", "c1:device", "other:x"])
            let sent = try rig.awaitSent(2)
            #expect(try sent[0].member("/headers/requested-acks") == ["c1:device"])
            #expect(try sent[1].member("/headers/requested-acks") == ["c1:ack", "c1:device", "other:x"])
            #expect(sent[0].receipt != nil && sent[1].receipt == nil)
            for message in sent { wayOut.outcomes.confirmed(message) }
            rig.rig.clock.advance(by: .seconds(61))
            rig.rig.engine.live.expireDue()
            let all = try answers.acknowledgements()
            #expect(all.summary == ["twin-persisted 204", "c1:ack 200", "c1:device 408", "other:x 408"])
            let own = try #require(all.acknowledgements.first { $0.label.text == "c1:ack" })
            #expect(own.headers[.connectionID] == "c1")
            #expect(own.headers.correlationID == "c")
            #expect(own.payload == nil)
        }
        #expect(rig.counts == ["offered": 2, "published": 2])
    }

    @Test(
        "a message that the broker refuses is a failed acknowledgement",
        arguments: [("invalid-topic", 400), ("too-large", 400), ("qos-not-supported", 400), ("broker", 503)])
    func refused(reason: String, status: Int) throws {
        let rig = try PipelineRig()
        try Self.thing(rig)
        let connection = try rig.connection(targets: [target(topics: [topic()], label: "c1:ack")])
        try rig.withWayOut(connection) { wayOut in
            let answers = try rig.request(.modify, "/attributes/a", "2", asking: ["c1:ack"])
            wayOut.outcomes.refused(
                try rig.awaitSent(1)[0], PublishRefusal(reason: reason, detail: "why", status: status))
            let all = try answers.acknowledgements()
            #expect(all.status == status)
            let payload = all.acknowledgements.first?.payload?.value.object
            #expect(payload?["error"] == "connectivity:message.sending.failed")
            #expect(payload?["status"] == nil)
        }
        #expect(rig.counts == ["offered": 1, "dropped/\(reason)": 1])
    }

    @Test("a full queue is a failed acknowledgement that says so", arguments: [true, false])
    func full(isConnected: Bool) throws {
        let rig = try PipelineRig(queueCapacity: 1)
        try Self.thing(rig)
        let connection = try rig.connection(targets: [target(topics: [topic()], label: "c1:ack")])
        try rig.withWayOut(connection, isConnected: isConnected) { _ in
            try rig.rig.run(.modify, "n:t", "/attributes/a", "2")
            let all = try rig.request(.modify, "/attributes/a", "3", asking: ["c1:ack"]).acknowledgements()
            #expect(all.summary == ["c1:ack 503"])
            let message = all.acknowledgements.first?.payload?.value.object?["message"]?.string
            #expect(message?.contains("dropped") == true)
        }
        rig.checkBalance()
    }

    @Test("all messages of a signal have to be confirmed", arguments: [(false, "c1:ack 200"), (true, "c1:ack 503")])
    func several(fails: Bool, expected: String) throws {
        let rig = try PipelineRig()
        try Self.thing(rig)
        let connection = try rig.connection(targets: [target(topics: [topic()], payload: ["Twice"], label: "c1:ack")])
        try rig.withWayOut(connection, mappers: .forTests) { wayOut in
            let answers = try rig.request(.modify, "/attributes/a", "2", asking: ["c1:ack"])
            let sent = try rig.awaitSent(2)
            if fails {
                wayOut.outcomes.refused(sent[0], PublishRefusal(reason: "broker", detail: "why"))
            } else {
                wayOut.outcomes.confirmed(sent[0])
            }
            #expect(answers.current.isEmpty)
            wayOut.outcomes.confirmed(sent[1])
            #expect(try answers.acknowledgements().summary == [expected])
        }
        #expect(rig.counts == ["offered": 1, fails ? "dropped/broker" : "published": 1])
    }

    @Test("a setting that means nothing is a failed acknowledgement, so are extra fields that cannot be read")
    func failures() throws {
        let rig = try PipelineRig()
        try Self.thing(rig)
        let connection = try rig.connection(
            targets: [target(topics: [topic()], headers: [("mqtt.qos", "7")], label: "c1:ack")])
        try rig.withWayOut(connection) { _ in
            let all = try rig.request(.modify, "/attributes/a", "2", asking: ["c1:ack"]).acknowledgements()
            #expect(all.summary == ["c1:ack 400"])
        }
        let blind = try PipelineRig()
        let policy = """
            {"entries":{"o":{"subjects":{"test:owner":{"type":"t"}},"resources":{
            "policy:/":{"grant":["READ","WRITE"],"revoke":[]},"thing:/":{"grant":["READ","WRITE"],"revoke":[]},
            "message:/":{"grant":["READ","WRITE"],"revoke":[]}}},
            "p":{"subjects":{"test:part":{"type":"t"}},"resources":{"message:/":{"grant":["READ"],"revoke":[]}}}}}
            """
        try blind.rig.policy(.create, "n:p", policy)
        try blind.rig.run(.create, "n:t", "/", #"{"policyId":"n:p"}"#)
        let live = try blind.connection(
            targets: [
                target(topics: [topic(.liveMessages, extra: "attributes")], subjects: ["test:part"], label: "c1:ack")
            ])
        try blind.withWayOut(live) { _ in
            let all = try blind.message(asking: ["c1:ack"], response: false).acknowledgements()
            #expect(all.summary == ["c1:ack 404"])
            let error = all.acknowledgements.first?.payload?.value.object?["error"]
            #expect(error == "signal.enrichment.failed")
        }
    }

    @Test("a confirmed message is the live response where the target issues that")
    func liveResponse() throws {
        let rig = try PipelineRig()
        try Self.thing(rig)
        let connection = try rig.connection(
            targets: [target(topics: [topic(.liveMessages), topic(.liveEvents)], label: "live-response")])
        try rig.withWayOut(connection) { wayOut in
            let answers = try rig.message()
            wayOut.outcomes.confirmed(try rig.awaitSent(1)[0])
            #expect(try answers.acknowledgements().summary == ["live-response 200"])
            let quiet = try rig.message(response: false)
            #expect(try rig.awaitSent(1)[0].receipt == nil)
            #expect(try quiet.answer() == .accepted)
        }
        #expect(rig.counts["offered"] == 2)
    }

    /// Where a label is acknowledged weakly. Every row asks for both labels of the connection.
    struct WeakRow: Sendable, CustomTestStringConvertible {
        var name: String
        /// Of the target that issues `c1:ack`.
        var topics: [String]
        var subjects = ["test:owner"]
        var payload: [String] = []
        var hasOtherTarget = false
        var isLive = false
        var address = "out"
        var origin: String?
        var expected: [String]
        var testDescription: String { name }
    }

    static let both = ["c1:ack 200 weak", "c1:device 200 weak"]
    static let weak = [
        WeakRow(name: "not subscribed", topics: [], expected: both),
        WeakRow(name: "subscribed to something else", topics: ["live"], expected: both),
        WeakRow(name: "filtered", topics: ["eq(attributes/a,9)"], expected: both),
        WeakRow(name: "filtered after enrichment", topics: ["eq(attributes/s,'y')|attributes/s"], expected: both),
        WeakRow(name: "other namespace", topics: ["@m"], expected: both),
        WeakRow(name: "denied", topics: [""], subjects: ["test:stranger"], expected: both),
        WeakRow(name: "left out by the mapper", topics: [""], payload: ["Nothing"], expected: both),
        WeakRow(name: "the mapper fails", topics: [""], payload: ["Failing"], expected: both),
        WeakRow(name: "no address", topics: [""], address: "{{ header:none }}", expected: both),
        WeakRow(name: "from the connection itself", topics: [""], origin: "c1", expected: both),
        WeakRow(
            name: "another target publishes", topics: [], hasOtherTarget: true,
            expected: ["c1:ack 200 weak", "c1:device 408"]),
        WeakRow(
            name: "another target publishes, its own is filtered", topics: ["eq(attributes/a,9)"],
            hasOtherTarget: true, expected: ["c1:ack 200 weak", "c1:device 408"]),
        WeakRow(name: "published", topics: [""], expected: ["c1:ack 200", "c1:device 408"]),
        WeakRow(name: "live: not subscribed", topics: [], isLive: true, expected: both),
        WeakRow(name: "live: subscribed to events", topics: [""], isLive: true, expected: both),
        WeakRow(name: "live: filtered", topics: ["live eq(topic:subject,'no')"], isLive: true, expected: both),
        WeakRow(
            name: "live: filtered after enrichment", topics: ["live eq(attributes/s,'y')|attributes/s"], isLive: true,
            expected: both),
        WeakRow(name: "live: denied", topics: ["live"], subjects: ["test:stranger"], isLive: true, expected: both),
        WeakRow(name: "live: left out", topics: ["live"], payload: ["Nothing"], isLive: true, expected: both),
        WeakRow(name: "live: its own", topics: ["live"], isLive: true, origin: "c1", expected: both),
        WeakRow(
            name: "live: another target publishes", topics: [], hasOtherTarget: true, isLive: true,
            expected: ["c1:ack 200 weak", "c1:device 408"]),
        WeakRow(name: "live: published", topics: ["live"], isLive: true, expected: ["c1:ack 200", "c1:device 408"]),
    ]

    /// `live`, `@namespace`, filter, and extra fields behind `|`.
    private static func topicOf(_ text: String) throws -> TargetTopic {
        var rest = text[...]
        var kind = TargetTopic.Kind.twinEvents
        if rest.hasPrefix("live") {
            kind = .liveMessages
            rest = rest.dropFirst(4).drop { $0 == " " }
        }
        if rest.hasPrefix("@") { return try topic(kind, namespaces: [String(rest.dropFirst())]) }
        let parts = rest.split(separator: "|").map(String.init)
        return try topic(kind, filter: parts.first, extra: parts.count > 1 ? parts[1] : nil)
    }

    @Test("labels of a connection are acknowledged weakly when nothing is published that could", arguments: weak)
    func weakly(row: WeakRow) throws {
        let rig = try PipelineRig()
        try Self.thing(rig)
        var targets = [
            try target(
                row.address, topics: row.topics.map(Self.topicOf), subjects: row.subjects, payload: row.payload,
                label: "c1:ack")
        ]
        if row.hasOtherTarget { targets.append(try target("other", topics: [topic(), topic(.liveMessages)])) }
        let connection = try rig.connection(sources: [source(declaredAcks: ["c1:device"])], targets: targets)
        try rig.withWayOut(connection, mappers: .forTests) { wayOut in
            let asked = ["c1:ack", "c1:device"]
            let answers =
                row.isLive
                ? try rig.message(asking: asked, response: false, origin: row.origin)
                : try rig.request(.modify, "/attributes/a", "2", asking: asked, origin: row.origin)
            if row.expected != Self.both {
                wayOut.outcomes.confirmed(try rig.awaitSent(1)[0])
                // The device behind the source stays silent.
                usleepMilliseconds(50)
                rig.rig.clock.advance(by: .seconds(61))
                rig.rig.engine.live.expireDue()
            }
            let all = try answers.acknowledgements()
            #expect(all.summary == row.expected)
        }
        rig.checkBalance()
    }

    @Test("a connection without targets acknowledges weakly for the devices behind its sources")
    func sourcesOnly() throws {
        let rig = try PipelineRig()
        try Self.thing(rig)
        try rig.withWayOut(rig.connection(sources: [source(declaredAcks: ["c1:device"])])) { _ in
            let event = try rig.request(.modify, "/attributes/a", "2", asking: ["c1:device"])
            #expect(try event.acknowledgements().summary == ["c1:device 200 weak"])
            let message = try rig.message(asking: ["c1:device"], response: false)
            #expect(try message.acknowledgements().summary == ["c1:device 200 weak"])
        }
        #expect(rig.counts.isEmpty)
    }

    @Test("labels that another session has are refused until it gives them back")
    func clash() throws {
        let rig = try PipelineRig()
        try Self.thing(rig)
        let other = try ConnectionID("other")
        let label = try AckLabel("c1:ack")
        try rig.rig.engine.live.declareAcks([label], by: other)
        let connection = try rig.connection(targets: [target(topics: [topic()], label: "c1:ack")])
        try rig.withWayOut(connection) { wayOut in
            #expect(!wayOut.claims.isHeld)
            #expect(wayOut.claims.problem?.code == "acknowledgement:label.not.unique")
            let answers = try rig.request(.modify, "/attributes/a", "2", asking: ["c1:ack"])
            wayOut.outcomes.confirmed(try rig.awaitSent(1)[0])
            usleepMilliseconds(20)
            #expect(answers.current.isEmpty)
            rig.rig.engine.live.releaseAcks(of: other)
            wayOut.pipeline.wake()
            usleepMilliseconds(20)
            #expect(!wayOut.claims.isHeld, "it is too early for another attempt")
            rig.rig.clock.advance(by: .seconds(10))
            wayOut.pipeline.wake()
            for _ in 0..<400 where !wayOut.claims.isHeld { usleepMilliseconds(5) }
            #expect(wayOut.claims.isHeld && wayOut.claims.problem == nil)
            let again = try rig.request(.modify, "/attributes/a", "3", asking: ["c1:ack"])
            wayOut.outcomes.confirmed(try rig.awaitSent(1)[0])
            #expect(try again.acknowledgements().summary == ["c1:ack 200"])
        }
        // Given back with the end of the connection.
        try rig.rig.engine.live.declareAcks([label], by: other)
    }
}
