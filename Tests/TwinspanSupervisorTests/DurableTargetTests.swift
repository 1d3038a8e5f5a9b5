import Foundation
import Testing
import TwinspanConnections
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanEngine
@testable import TwinspanSupervisor

@Suite("Durable targets")
struct DurableTargetTests {
    @Test("a new target begins at the journal's end and then gets every event once, with its headers")
    func begins() throws {
        let rig = try PipelineRig()
        try rig.create()
        try rig.count(1...3)
        let bench = try DurableRig(
            rig, [target("out/{{ header:correlation-id }}", topics: [topic()]).durable()])
        #expect(rig.rig.engine.keepsEventHeaders)
        let outcome = try rig.rig.send(.modify, "n:t", "/attributes/a", "4", headers: ["correlation-id": "c4"])
        try rig.rig.awaitCommit(outcome.ticket)
        let sent = try bench.confirm(1)
        #expect(sent[0].address == "out/c4")
        #expect(try numbers(sent) == [4])
        #expect(try sent[0].member("/headers/correlation-id") == "c4")
        #expect(try sent[0].member("/headers/ditto-originator") == "test:owner")
        #expect(try sent[0].member("/revision") == 5)
        #expect(sent[0].qos == 1)
        try bench.awaitMoment("the place") { try bench.cursor() == outcome.ticket.sequence }
        #expect(rig.counts == ["offered": 1, "published": 1])
        bench.stop()
        #expect(!rig.rig.engine.keepsEventHeaders)
    }

    @Test("while the broker is away events wait in the journal, and nothing is dropped; then they follow in order")
    func outage() throws {
        let rig = try PipelineRig(queueCapacity: 10)
        try rig.create()
        let bench = try DurableRig(rig, [target(topics: [topic()]).durable()], isConnected: false)
        try rig.count(1...1_500)
        rig.rig.clock.advance(by: .seconds(90))
        try bench.awaitMoment("the backlog", advancing: .zero) {
            bench.targets[0].behind.events >= 1_500 && bench.targets[0].behind.ageSeconds >= 90
        }
        #expect(rig.sent().isEmpty)
        bench.connect(true)
        // More than the queue has room for: as many as the window admits.
        var seen = try rig.awaitSent(DurableTarget.Pace.windowCount)
        usleepMilliseconds(50)
        #expect(rig.sent().isEmpty)
        // The broker goes away again with all of them unconfirmed: the session gives them back, in order.
        rig.queue.giveBack(seen)
        seen = try bench.confirm(1_000) + bench.confirm(500)
        #expect(try numbers(seen) == Array(1...1_500))
        try bench.awaitMoment("the end") { bench.targets[0].behind.events == 0 }
        #expect(rig.counts == ["offered": 1_500, "published": 1_500])
    }

    @Test("two restarts, one of them a crash: nothing is missing, in order, again only from the kept place")
    func restarts() throws {
        let directory = try TemporaryDirectory(isInMemory: true)
        let clock = ManualClock()
        let out = try target(topics: [topic()]).durable()
        var seen: [Int] = []
        // The first run ends in order, with 60 of 100 confirmed.
        let first = try DurableRig(try PipelineRig(directory: directory, clock: clock), [out])
        try first.pipeline.create()
        try first.pipeline.count(1...100)
        _ = try first.confirm(1)
        seen += try numbers(try first.confirm(60))
        first.stop()

        // The second keeps its place after 10 and crashes when 20 more are confirmed.
        let crashed = try TemporaryDirectory(isInMemory: true)
        let second = try DurableRig(
            try PipelineRig(directory: directory, reopening: first.pipeline.rig.store, clock: clock), [out])
        let place = try #require(try second.cursor())
        let again = try numbers(try second.confirm(10))
        #expect(again == Array(61...70))
        try second.awaitMoment("the place") { try second.cursor() ?? 0 >= place + 10 }
        seen += again
        seen += try numbers(try second.confirm(20))
        try second.pipeline.count(101...150)
        try FileManager.default.removeItem(atPath: crashed.path)
        try FileManager.default.copyItem(atPath: directory.path, toPath: crashed.path)
        second.abandon()

        let third = try DurableRig(try PipelineRig(directory: crashed, clock: clock), [out])
        var last = try numbers(try third.confirm(60))
        while last.last != 150 { last += try numbers(try third.confirm(1)) }
        // Not the first ten, whose place was kept, and all that was not confirmed.
        let begin = try #require(last.first)
        #expect((71...91).contains(begin))
        #expect(last == Array(begin...150))
        expectInOrder(seen + last, 1...150)
        third.stop()
        #expect(third.targets[0].behind.events <= 2)
    }

    @Test("a target catches up at its rate, with a tenth of a second to spare")
    func paced() throws {
        let rig = try PipelineRig()
        try rig.create()
        let bench = try DurableRig(rig, [target(topics: [topic()]).durable(rate: 100)])
        try rig.count(1...100)
        var seen = try rig.awaitSent(11)
        usleepMilliseconds(150)
        seen += rig.sent()
        #expect(seen.count == 11)
        for second in 1...3 {
            rig.rig.clock.advance(by: .milliseconds(100))
            seen += try rig.awaitSent(10)
            usleepMilliseconds(100)
            #expect(rig.sent().isEmpty, "after \(second) steps")
        }
        #expect(try numbers(seen) == Array(1...41))
        bench.abandon()
    }

    @Test("what retention removed before it was read is counted and told once; the target goes on behind it")
    func gap() throws {
        let directory = try TemporaryDirectory(isInMemory: true)
        let clock = ManualClock()
        let settings = EngineRig.settings(retention: JournalRetention(bytes: 4_000, age: .seconds(1_000_000_000)))
        func start(_ store: FaultyStore? = nil) throws -> PipelineRig {
            try PipelineRig(directory: directory, reopening: store, clock: clock, settings: settings)
        }
        let out = try target(topics: [topic()]).durable()
        var rig = try start()
        try rig.create()
        var bench = try DurableRig(rig, [out], isConnected: false)
        try rig.count(1...400)
        bench.stop()
        rig = try start(rig.rig.store)
        let place = try #require(try rig.rig.engine.cursors()["c1/d"])
        for _ in 0..<400 where rig.rig.engine.firstSequence <= place + 1 {
            clock.advance(by: .seconds(1))
            rig.rig.engine.commitSoon()
            usleepMilliseconds(10)
        }
        let first = rig.rig.engine.firstSequence
        #expect(first > place + 1)
        bench = try DurableRig(rig, [out])
        let missed = first - 1 - place
        try bench.awaitMoment("the gap", advancing: .zero) { bench.targets[0].behind.missed == missed }
        // The first event has sequence 4: behind a policy, its thing, and the place.
        let left = try numbers(try bench.confirm(403 - Int(missed) - Int(place)))
        #expect(left == Array((401 - left.count)...400))
        #expect(rig.counts["dropped/journal-retention"] == missed)
        #expect(rig.counts["published"] == Int64(left.count))
        let logs = bench.wayOut.recorder.retrieveLogs().entries.filter { $0.message.contains("too far behind") }
        #expect(logs.count == 1)
        bench.stop()
    }

    @Test("each durable target of a connection has a place of its own")
    func independent() throws {
        let rig = try PipelineRig()
        try rig.create()
        let bench = try DurableRig(
            rig,
            [target("one", topics: [topic()]).durable("one"), target("two", topics: [topic()]).durable("two")])
        try rig.count(1...20)
        let sent = try rig.awaitSent(40)
        for message in sent where message.address == "one" { bench.wayOut.outcomes.confirmed(message) }
        let begin = try #require(try bench.cursor("c1/two"))
        try bench.awaitMoment("the place of the first") { try bench.cursor("c1/one") == begin + 21 }
        #expect(try bench.cursor("c1/two") == begin)
        #expect(bench.targets.map { $0.behind.target } == ["one", "two"])
        #expect(bench.targets[1].behind.events >= 20)
        bench.abandon()
    }

    @Test("what is filtered, denied, its own echo or of no address is counted or passed, and the place moves on")
    func passed() throws {
        let rig = try PipelineRig()
        try rig.create()
        let bench = try DurableRig(
            rig,
            [
                target("o/{{ header:room }}", topics: [topic(namespaces: ["n"], filter: "gt(attributes/a,10)")])
                    .durable("d"),
                target("x", topics: [topic(namespaces: ["n"])], subjects: ["test:nobody"]).durable("e"),
            ])
        // The place moves to events; a sequence behind the last one may belong to a place that was kept meanwhile.
        var last: Int64 = 0
        func set(_ value: Int, _ headers: [String: String] = [:], thing: String = "n:t", origin: String? = nil) throws {
            let origin = try origin.map { try ConnectionID($0) }
            let outcome = try rig.rig.send(
                .modify, thing, "/attributes/a", "\(value)", headers: headers, origin: origin)
            try rig.rig.awaitCommit(outcome.ticket)
            last = outcome.ticket.sequence
        }
        try set(1)
        try set(11, ["room": "r"], origin: "c1")
        try set(12)
        try rig.create("m:t")
        try set(13, ["room": "r"])
        let sent = try bench.confirm(1)
        #expect(sent[0].address == "o/r")
        #expect(try numbers(sent) == [13])
        try bench.awaitMoment("the places") {
            try bench.cursor("c1/d") ?? 0 >= last && bench.cursor("c1/e") ?? 0 >= last
        }
        #expect(
            rig.counts == [
                "offered": 6, "filtered": 1, "published": 1, "denied/no-read-permission": 3,
                "dropped/address-unresolved": 1,
            ])
    }

    @Test("the policy counts as it is when the event is sent; a deletion goes out while its policy exists")
    func presentPolicy() throws {
        let rig = try PipelineRig()
        let all =
            #"{"thing:/":{"grant":["READ","WRITE"],"revoke":[]},"policy:/":{"grant":["READ","WRITE"],"revoke":[]}}"#
        func policy(_ reader: String) -> String {
            #"{"entries":{"o":{"subjects":{"test:owner":{"type":"t"}},"resources":\#(all)},"#
                + #""r":{"subjects":{"\#(reader)":{"type":"t"}},"resources":"#
                + #"{"thing:/":{"grant":["READ"],"revoke":[]}}}}}"#
        }
        for name in ["n:p", "n:q"] { try rig.rig.policy(.create, name, policy("test:reader")) }
        let bench = try DurableRig(
            rig, [target(topics: [topic(extra: "attributes/b")], subjects: ["test:reader"]).durable()],
            isConnected: false)
        for (thing, name) in [("n:t", "n:p"), ("n:u", "n:q"), ("n:gone", "n:q")] {
            try rig.rig.run(.create, thing, "/", #"{"policyId":"\#(name)","attributes":{"b":1}}"#)
        }
        try rig.rig.run(.modify, "n:t", "/attributes/b", "2")
        try rig.rig.run(.delete, "n:t")
        try rig.rig.policy(.modify, "n:q", policy("test:other"))
        try rig.rig.run(.delete, "n:gone")
        bench.connect(true)
        // What the reader may still see: all of n:t, with extra fields of a thing that is gone left out.
        let sent = try bench.confirm(3)
        #expect(
            try sent.map { try $0.envelope["topic"]?.string } == [
                "n/t/things/twin/events/created", "n/t/things/twin/events/modified", "n/t/things/twin/events/deleted",
            ])
        #expect(try sent.allSatisfy { try $0.envelope["extra"] == nil })
        try bench.awaitMoment("the end") { bench.targets[0].behind.events == 0 }
        #expect(rig.counts["denied/no-read-permission"] == 3)
        #expect(rig.counts["published"] == 3)
    }

    @Test("when the policy is gone too, nobody may see the event: it is filtered")
    func policyGone() throws {
        let rig = try PipelineRig()
        try rig.create()
        let bench = try DurableRig(rig, [target(topics: [topic()]).durable()], isConnected: false)
        try rig.count(1...2)
        try rig.rig.run(.delete, "n:t")
        try rig.rig.policy(.delete, "n:t")
        bench.connect(true)
        try bench.awaitMoment("the end") { bench.targets[0].behind.events == 0 }
        #expect(rig.counts == ["offered": 3, "filtered": 3])
    }

    @Test("a message that can never be sent is dropped and counted; one refused for the moment comes again, in order")
    func refused() throws {
        let rig = try PipelineRig()
        try rig.create()
        let bench = try DurableRig(rig, [target(topics: [topic()]).durable()])
        try rig.count(1...5)
        let sent = try rig.awaitSent(5)
        bench.wayOut.outcomes.confirmed(sent[0])
        bench.wayOut.outcomes.refused(sent[1], PublishRefusal(reason: "too-large", detail: "why", status: 400))
        bench.wayOut.outcomes.refused(sent[2], PublishRefusal(reason: "quota", detail: "why"))
        bench.wayOut.outcomes.confirmed(sent[3])
        try bench.awaitMoment("more time") { rig.rig.clock.monotonic > 20_000_000_000 }
        // The last one is still under way, so nothing is sent again yet.
        #expect(rig.sent().isEmpty)
        bench.wayOut.outcomes.confirmed(sent[4])
        try bench.awaitMoment("the repetition") { rig.queue.load.messages == 3 }
        #expect(try numbers(try bench.confirm(3)) == [3, 4, 5])
        try bench.awaitMoment("the end") { bench.targets[0].behind.events == 0 }
        #expect(
            rig.counts == [
                "offered": 8, "published": 6, "dropped/too-large": 1, "redelivered/quota": 1,
            ])
    }

    @Test(
        "what an endpoint answers decides whether the message comes again",
        arguments: [
            (200, false), (204, false), (302, false), (400, false), (404, false), (412, false), (408, true),
            (424, true), (429, true), (500, true), (503, true),
        ])
    func answered(status: Int, comesAgain: Bool) throws {
        let rig = try PipelineRig()
        try rig.create()
        let bench = try DurableRig(rig, [target(topics: [topic()]).durable()])
        try rig.count(1...1)
        bench.wayOut.outcomes.answered(try rig.awaitSent(1)[0], with: BrokerAnswer(status: status))
        if comesAgain {
            try bench.awaitMoment("the repetition") { rig.queue.load.messages == 1 }
            _ = try bench.confirm(1)
        }
        try bench.awaitMoment("the end") { bench.targets[0].behind.events == 0 }
        #expect((rig.counts["redelivered/status-\(status / 100)xx"] == 1) == comesAgain)
        #expect((rig.counts["published"] == 1) == (comesAgain || status < 300))
    }

    @Test("the acknowledgement that a durable target issues follows the confirmation, however late; others are weak")
    func acknowledges() throws {
        let rig = try PipelineRig()
        try rig.create()
        let connection = try rig.connection(
            targets: [target(topics: [topic(filter: "gt(attributes/a,1)")], label: "c1:ack").durable()])
        let bench = try DurableRig(rig, connection.targets)
        // The ordinary way out runs beside it, and leaves the label alone.
        let worker = WorkerThread(name: "targets") { [pipeline = bench.wayOut.pipeline] in pipeline.run() }
        while !bench.wayOut.pipeline.isRunning { usleepMilliseconds(1) }
        defer {
            bench.wayOut.pipeline.stop()
            worker.join()
        }
        let answers = try rig.request(.modify, "/attributes/a", "2", asking: ["c1:ack"])
        let sent = try rig.awaitSent(1)
        #expect(answers.current.isEmpty)
        #expect(try sent[0].member("/headers/requested-acks") == nil)
        bench.wayOut.outcomes.confirmed(sent[0])
        #expect(try answers.acknowledgements().summary == ["c1:ack 200"])
        let weak = try rig.request(.modify, "/attributes/a", "1", asking: ["c1:ack"])
        #expect(try weak.acknowledgements().summary == ["c1:ack 200 weak"])
        rig.checkBalance()
    }

    @Test("several messages of one event are over together")
    func several() throws {
        let rig = try PipelineRig()
        try rig.create()
        let bench = try DurableRig(rig, [target(topics: [topic()], payload: ["Twice"]).durable()])
        let place = try #require(try bench.cursor())
        try rig.count(1...2)
        let sent = try rig.awaitSent(4)
        for message in sent.dropLast() { bench.wayOut.outcomes.confirmed(message) }
        try bench.awaitMoment("the first") { try bench.cursor() == place + 2 }
        bench.wayOut.outcomes.confirmed(sent[3])
        try bench.awaitMoment("the second") { try bench.cursor() ?? 0 >= place + 3 }
        #expect(rig.counts == ["offered": 2, "published": 2])
    }

    @Test("live signals of a durable target go the ordinary way, and its twin events only the durable one")
    func ordinaryLive() throws {
        let rig = try PipelineRig()
        try rig.create()
        let connection = try rig.connection(targets: [
            target(topics: [topic(), topic(.liveMessages)]).durable(), target("plain", topics: [topic()]),
        ])
        try rig.withWayOut(connection) { _ in
            _ = try rig.message(response: false)
            #expect(try rig.awaitSent(1)[0].member("/topic")?.string?.contains("live/messages") == true)
            try rig.count(1...2)
            #expect(try rig.awaitSent(2).map(\.address) == ["plain", "plain"])
        }
        #expect(rig.counts["offered"] == 3)
    }

    @Test("headers are kept from the announcement on, over changes, and no longer than somebody needs them")
    func headers() throws {
        let rig = try PipelineRig()
        let readers = DurableReaders(rig.rig.engine)
        let connection = try rig.connection(targets: [target(topics: [topic()]).durable()])
        let live = try rig.connection(targets: [target(topics: [topic(.liveMessages)]).durable()])
        readers.expect([live])
        #expect(!rig.rig.engine.keepsEventHeaders)
        readers.expect([connection])
        #expect(rig.rig.engine.keepsEventHeaders)
        let place = try #require(try rig.rig.engine.cursors()["c1/d"])
        try rig.create()
        readers.claim("c1/d")
        readers.forgetExpected()
        #expect(rig.rig.engine.keepsEventHeaders)
        #expect(readers.place(of: "c1/d") == place)
        readers.hold(connection.id)
        readers.release("c1/d")
        #expect(rig.rig.engine.keepsEventHeaders)
        readers.claim("c1/d")
        readers.letGo(connection.id)
        #expect(rig.rig.engine.keepsEventHeaders)
        readers.release("c1/d")
        #expect(!rig.rig.engine.keepsEventHeaders)
        // Who keeps none holds none.
        readers.hold(connection.id)
        #expect(!rig.rig.engine.keepsEventHeaders)
    }
}
