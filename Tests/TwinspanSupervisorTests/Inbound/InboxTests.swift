import Testing
import TwinspanConnections
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanEngine
@testable import TwinspanSupervisor

@Suite("Inbox")
struct InboxTests {
    private static let asking = command(
        "modify", "t", "/attributes/a", "1", headers: #"{"correlation-id":"c","requested-acks":["dev:x"]}"#)

    private func rig(directory: TemporaryDirectory? = nil, clock: ManualClock = ManualClock()) throws -> PipelineRig {
        let rig = try PipelineRig(directory: directory, clock: clock)
        if directory == nil { try rig.rig.run(.create, "n:t", "/", "{}") }
        try rig.rig.engine.live.declareAcks([try AckLabel("dev:x")], by: try ConnectionID("dev"))
        return rig
    }

    private func acknowledge(_ rig: PipelineRig, _ status: Int = 200) throws -> AnswerFate {
        var headers = DittoHeaders()
        headers.correlationID = "c"
        return try rig.rig.engine.live.answer(
            Acknowledgement(
                label: try AckLabel("dev:x"), thingID: try ThingID("n:t"), channel: .twin, status: status,
                headers: headers), from: try ConnectionID("dev"))
    }

    @Test("a message that waits is settled with its batch, and goes when it is acknowledged")
    func waits() throws {
        let rig = try rig()
        let side = try rig.side([source()])
        #expect(rig.settle(side, batch([("in/x", Self.asking)], headers: [("a", "b")])) == .committed)
        let kept = try #require(try rig.inbox().first)
        #expect((kept.attempts, kept.nextAttemptAt) == (1, nil))
        #expect((kept.message.payload, kept.message.address) == (Array(Self.asking.utf8), "in/x"))
        #expect(kept.message.headers.map(\.value) == ["b"])
        #expect((rig.counters.waiting, side.inbox.load.messages) == (1, 1))
        assertBalanced(rig)
        #expect(try acknowledge(rig) == .counted)
        try rig.await("gone") { try rig.inbox().isEmpty && side.inbox.load.bytes == 0 }
        #expect(rig.counters.waiting == 0)
        #expect((rig.counts["served"], rig.counts["effective"]) == (1, 1))
        assertBalanced(rig)
        side.inbox.stop()
    }

    @Test("one that is acknowledged before its batch is settled leaves nothing")
    func early() throws {
        let rig = try rig()
        let side = try rig.side([source()])
        let messages = batch([("in/x", Self.asking)])
        let ticket = side.pipeline.accept(messages)
        _ = try acknowledge(rig)
        #expect(side.pipeline.settlement(of: ticket, patience: .seconds(20)) == .committed)
        side.pipeline.settled(messages, as: .committed)
        try rig.await("gone") { try rig.inbox().isEmpty && side.inbox.load.messages == 0 }
        assertBalanced(rig)
    }

    @Test("a message that waits, or has died, is remembered as bytes when its transport has said so")
    func binary() throws {
        let rig = try rig()
        let side = try rig.side([source()])
        for isBinary in [true, false] {
            let messages = MessageBatch()
            for text in [Self.asking, "not json"] {
                Array("in/x".utf8).withUnsafeBytes { address in
                    Array(text.utf8).withUnsafeBytes { payload in
                        messages.append(
                            address: address, payload: payload, source: 0, qos: 1, isRetained: false,
                            isBinary: isBinary)
                    }
                }
            }
            #expect(rig.settle(side, messages) == .committed)
            #expect(try rig.inbox().last?.message.isBinary == isBinary)
            #expect(try rig.deadLetters().first?.message.isBinary == isBinary)
            _ = try acknowledge(rig)
            try rig.await("the end") { try rig.inbox().isEmpty }
        }
    }

    @Test("one that fails runs again after longer and longer waits, then it is a dead letter")
    func exhausted() throws {
        let rig = try rig()
        let settings = InboxSettings(attempts: 4)
        let side = try rig.side([source()], settings: settings)
        rig.settle(side, batch([("in/x", Self.asking)]))
        for attempt in 1...4 {
            try rig.await("attempt \(attempt)") { rig.counters.waiting == 1 }
            #expect(try acknowledge(rig, 503) == .counted)
            guard attempt < 4 else { break }
            try rig.await("deferred") {
                let kept = try rig.inbox()
                return kept.first?.attempts == attempt && kept.first?.nextAttemptAt != nil
            }
            let kept = try #require(try rig.inbox().first)
            let wait = (kept.nextAttemptAt?.milliseconds ?? 0) - rig.rig.clock.now.milliseconds
            let wanted = Int64(1_000) << Int64(attempt - 1)
            #expect((wanted * 8 / 10...wanted * 12 / 10).contains(wait))
            #expect(kept.lastError?.contains("503") == true)
            rig.advance(.seconds(60), side)
        }
        try rig.await("dead") { try rig.deadLetters().count == 1 && rig.inbox().isEmpty }
        let letter = try #require(try rig.deadLetters().first)
        #expect((letter.stage, letter.attempts, letter.correlationID) == ("redelivery", 4, "c"))
        #expect(letter.error.status == 503)
        #expect(letter.message.payload == Array(Self.asking.utf8))
        #expect((rig.counts["rerun"], rig.counts["died"], rig.counts["effective"]) == (3, 1, 1))
        #expect(rig.counts["redelivered/acknowledgement:failed"] == 4)
        try rig.await("no bytes") { side.inbox.load.bytes == 0 }
        assertBalanced(rig)
        side.inbox.stop()
    }

    @Test("one that is too old is not tried again")
    func tooOld() throws {
        let rig = try rig()
        let side = try rig.side([source()], settings: InboxSettings(age: .seconds(30)))
        rig.settle(side, batch([("in/x", Self.asking)]))
        rig.rig.clock.advance(by: .seconds(31))
        #expect(try acknowledge(rig, 500) == .counted)
        try rig.await("dead") { try rig.deadLetters().count == 1 }
        #expect(try rig.deadLetters().first?.attempts == 1)
        side.inbox.stop()
    }

    @Test("a missing acknowledgement is a failure too, and the next attempt may succeed")
    func timeout() throws {
        let rig = try rig()
        let side = try rig.side([source(types: [.response, .nack])])
        rig.settle(side, batch([("in/x", Self.asking)]))
        rig.advance(.seconds(61), side)
        try rig.await("deferred") { try rig.inbox().first?.nextAttemptAt != nil }
        rig.advance(.seconds(2), side)
        try rig.await("again") { rig.counters.waiting == 1 }
        #expect(try acknowledge(rig) == .counted)
        try rig.await("gone") { try rig.inbox().isEmpty }
        #expect(rig.counts["redelivered/acknowledgement:request.timeout"] == 1)
        // The nack of the first attempt, the acknowledgements of the second.
        #expect(try rig.sent().map { try Envelope.parse($0.payload).status } == [408, 200])
        #expect(try rig.rig.run(.retrieve, "n:t").revision == 3)
        assertBalanced(rig)
        side.inbox.stop()
    }

    /// A rig whose process ends while two messages are in its inbox: one that waits and one that has failed once.
    private func leaveTwo(_ clock: ManualClock) throws -> TemporaryDirectory {
        let rig = try rig(clock: clock)
        let side = try rig.side([source()])
        rig.settle(side, batch([("in/1", Self.asking)]))
        rig.settle(side, batch([("in/2", Self.asking)]))
        _ = try acknowledge(rig, 503)
        try rig.await("deferred") { try rig.inbox().contains { $0.nextAttemptAt != nil } }
        side.inbox.stop()
        rig.rig.engine.stop()
        return rig.directory
    }

    @Test("what waits when the process ends runs again afterwards")
    func restart() throws {
        let clock = ManualClock()
        let second = try rig(directory: try leaveTwo(clock), clock: clock)
        #expect(try second.inbox().count == 2)
        let next = try second.side([source()])
        next.inbox.start()
        // The one that waited runs at once, the other when its time has come.
        try second.await("the first") { second.counters.waiting == 1 }
        #expect(try acknowledge(second) == .counted)
        try second.await("one left") { try second.inbox().count == 1 }
        second.advance(.seconds(5), next)
        try second.await("the second") { second.counters.waiting == 1 }
        try second.await("the second attempt is kept") { try second.inbox().first?.attempts == 2 }
        #expect(try acknowledge(second) == .counted)
        try second.await("none left") { try second.inbox().isEmpty }
        #expect(second.counts["rerun"] == 2)
        assertBalanced(second)
        next.inbox.stop()
    }

    @Test("a full inbox gives batches back until a fifth is free")
    func full() throws {
        let rig = try rig()
        let message = batch([("in/x", Self.asking)])
        let side = try rig.side([source()], settings: InboxSettings(bytes: 600))
        rig.settle(side, message)
        #expect(!side.inbox.isFull)
        var taken = 1
        while !side.inbox.isFull, taken < 10 {
            #expect(rig.settle(side, message) == .committed)
            taken += 1
        }
        #expect((2...4).contains(taken))
        #expect(rig.settle(side, message) == .rejected)
        #expect(rig.counts["retried/inbox-full"] == 1)
        assertBalanced(rig)
        for left in (0..<taken).reversed() {
            // Correlation ids of requests that wait are made unique: the plain one is that of the oldest.
            var headers = DittoHeaders()
            let number = taken - 1 - left
            headers.correlationID = number == 0 ? "c" : "c#\(number - 1)"
            _ = try rig.rig.engine.live.answer(
                Acknowledgement(
                    label: try AckLabel("dev:x"), thingID: try ThingID("n:t"), channel: .twin, status: 200,
                    headers: headers), from: try ConnectionID("dev"))
        }
        try rig.await("empty") { try rig.inbox().isEmpty && !side.inbox.isFull }
        #expect(rig.settle(side, message) == .committed)
        assertBalanced(rig)
    }

    @Test("a batch whose commit fails leaves nothing in the inbox")
    func rejected() throws {
        let rig = try rig()
        let side = try rig.side([source()])
        let messages = batch([("in/x", Self.asking), ("in/x", "nope")])
        rig.rig.store.state.update { $0.faults = [.beforeAnything] }
        #expect(rig.settle(side, messages) == .rejected)
        try rig.rig.awaitCondition("open") { $0 == .open }
        #expect(try rig.inbox().isEmpty)
        #expect(try rig.deadLetters().isEmpty)
        try rig.await("forgotten") { side.inbox.load.bytes == 0 }
        try rig.await("told") { rig.counters.waiting == 0 }
        assertBalanced(rig)
        #expect(rig.settle(side, messages) == .committed)
        #expect(try (rig.inbox().count, rig.deadLetters().count) == (1, 1))
        assertBalanced(rig)
    }

    @Test("a dead letter runs again when somebody wants it, and is a message of the inbox from then on")
    func retry() throws {
        let rig = try rig()
        let side = try rig.side([source()])
        rig.settle(side, batch([("in/x", command("modify", "u", "/attributes/a", "1"))]))
        let letter = try #require(try rig.deadLetters().first)
        try rig.rig.run(.create, "n:u", "/", "{}")
        try rig.rig.awaitCommit(side.inbox.retry(letter))
        try rig.await("done") { try rig.inbox().isEmpty && rig.counts["committed"] == 1 }
        #expect(try rig.deadLetters().isEmpty)
        #expect(try rig.rig.run(.retrieve, "n:u", "/attributes/a").value?.value == 1)
        assertBalanced(rig)
        // One that fails again is a dead letter again.
        rig.settle(side, batch([("in/x", "nope")]))
        let broken = try #require(try rig.deadLetters().first)
        try rig.rig.awaitCommit(side.inbox.retry(broken))
        try rig.await("dead again") { try rig.deadLetters().first.map { $0.id != broken.id } ?? false }
        #expect(try rig.deadLetters().count == 1)
        assertBalanced(rig)
        side.inbox.stop()
    }

    /// A rig whose process ends while a message of its second source waits.
    private func leaveOneOfSecondSource(_ clock: ManualClock) throws -> TemporaryDirectory {
        let rig = try rig(clock: clock)
        let side = try rig.side([source(), source()])
        let messages = MessageBatch()
        Array("in/x".utf8).withUnsafeBytes { address in
            Array(Self.asking.utf8).withUnsafeBytes { payload in
                messages.append(address: address, payload: payload, source: 1, qos: 1, isRetained: false)
            }
        }
        rig.settle(side, messages)
        side.inbox.stop()
        rig.rig.engine.stop()
        return rig.directory
    }

    @Test("a message of a source that is gone dies")
    func sourceGone() throws {
        let clock = ManualClock()
        let second = try rig(directory: try leaveOneOfSecondSource(clock), clock: clock)
        let next = try second.side([source()])
        next.inbox.start()
        try second.await("dead") { try second.deadLetters().count == 1 && second.inbox().isEmpty }
        next.inbox.stop()
    }

    @Test("an attempt whose commit fails is none")
    func failedCommit() throws {
        let rig = try rig()
        let side = try rig.side([source()])
        rig.settle(side, batch([("in/x", Self.asking)]))
        _ = try acknowledge(rig, 503)
        try rig.await("deferred") { try rig.inbox().first?.nextAttemptAt != nil }
        rig.rig.store.state.update { $0.faults = [.beforeAnything] }
        rig.advance(.seconds(2), side)
        try rig.await("interrupted") { rig.rig.engine.metrics.snapshot.failedCommits == 1 && rig.counters.waiting == 0 }
        try rig.rig.awaitCondition("open") { $0 == .open }
        rig.advance(.seconds(2), side)
        try rig.await("again") { rig.counters.waiting == 1 }
        try rig.await("kept") { try rig.inbox().first?.attempts == 2 }
        #expect(try acknowledge(rig) == .counted)
        try rig.await("gone") { try rig.inbox().isEmpty }
        #expect(try rig.deadLetters().isEmpty)
        assertBalanced(rig)
        side.inbox.stop()
    }

    /// Makes of a line of commands as many signals.
    private struct LineMapper: PayloadMapper {
        let name = "Lines"

        func inbound(
            _ message: InboundMessage, _ scene: MappingScene, scratch: inout [UInt8]
        ) throws(MappingFailure) -> MappedSignals {
            var envelopes: [Envelope] = []
            for line in String(decoding: message.payload, as: UTF8.self).split(separator: "\n") {
                envelopes.append(try Envelope.parse(Array(line.utf8)))
            }
            return .many(envelopes)
        }

        func outbound(_ signal: OutboundSignal, _ scene: MappingScene) -> [MappedMessage] { [] }
    }

    private static let lines = MapperRegistry(
        engines: MapperRegistry.builtIn.engines + [MapperEngine(name: "Lines") { _ in .mapper(LineMapper()) }])

    private static let good = command("modify", "t", "/attributes/b", "1")
    private static let bad = command("modify", "none", "/attributes/b", "1")

    /// Payload lines, the status of the acknowledgement, and whether the message has died, waits for another attempt,
    /// or is done.
    static let mixtures: [([String], Int?, String)] = [
        ([good, good], nil, "done"), ([good, bad], nil, "dead"), ([bad, good], nil, "dead"), ([], nil, "done"),
        ([good, asking], 200, "done"), ([asking, bad], 200, "dead"), ([bad, asking], 503, "again"),
        ([good, asking], 404, "dead"), ([good, "nope"], nil, "dead"),
    ]

    @Test("a message of several signals ends when the last has, as the worst of them", arguments: mixtures)
    func several(_ lines: [String], _ status: Int?, _ end: String) throws {
        let rig = try rig()
        var lineSource = try source()
        lineSource.payloadMapping = ["Lines"]
        let side = try rig.side([lineSource], mappers: Self.lines)
        #expect(rig.settle(side, batch([("in/x", lines.joined(separator: "\n"))])) == .committed)
        assertBalanced(rig)
        if let status {
            #expect(try rig.inbox().count == 1)
            #expect(try acknowledge(rig, status) == .counted)
        }
        try rig.await(end) {
            let left = try rig.inbox()
            let isDead = try rig.deadLetters().count == 1
            return switch end {
            case "dead": left.isEmpty && isDead
            case "again": left.first?.nextAttemptAt != nil && !isDead
            default: left.isEmpty && !isDead
            }
        }
        #expect(rig.counts["received"] == 1)
        assertBalanced(rig)
        side.inbox.stop()
    }
}
