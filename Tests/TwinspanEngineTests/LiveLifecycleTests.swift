import Glibc
import Synchronization
import Testing
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanEngine

@Suite("Waiting for answers")
struct LiveLifecycleTests {
    @Test("what is waited for is bounded")
    func bounded() throws {
        let live = try LiveFixture(limits: TwinLimits(pendingRequests: 3))
        let answers = try (0..<3).map { _ in try live.send(try LiveFixture.message()) }
        try live.send(try LiveFixture.message()).expectError("too.many.requests", 429)
        try live.request(try LiveFixture.command(.delete, "/", channel: .twin)).expectError("too.many.requests", 429)
        #expect(try live.fixture.thing("n:t") != nil)
        #expect(try live.live.answer(try LiveFixture.message(status: 200), from: try live.responder()) == .counted)
        #expect(try answers[0].only().status == 200)
        #expect(try live.request(try LiveFixture.command(.retrieve, channel: .twin)).only().status == 200)
    }

    @Test("the end answers everybody who waits, and whoever comes later")
    func stopped() throws {
        let live = try LiveFixture()
        let waiting = [
            try live.send(try LiveFixture.message()), try live.request(try LiveFixture.command(.retrieve)),
            try live.request(
                try LiveFixture.command(
                    .modify, "/attributes/a", "2", headers: ["requested-acks": ["my:a"]], channel: .twin)),
        ]
        live.engine.stop()
        for answers in waiting { try answers.expectError("things:thing.unavailable", 503) }
        try live.send(try LiveFixture.message()).expectError("things:thing.unavailable", 503)
    }

    @Test("deadlines are kept without anybody's help")
    func timer() throws {
        let live = try LiveFixture()
        // The first deadline is far, the second must not wait for it.
        let late = try live.send(try LiveFixture.message())
        let soon = try live.send(try LiveFixture.message(headers: ["timeout": "20ms"]))
        live.rig.clock.advance(by: .milliseconds(20))
        try soon.expectError("command.timeout", 408)
        #expect(late.current.isEmpty)
    }

    @Test("answered requests leave nothing behind in the queue of deadlines")
    func forgotten() throws {
        var table = PendingTable()
        let message = try LiveFixture.message()
        let terms = try LiveTerms(message.headers, for: .liveRequest)
        for number in 0..<10_000 {
            let place = table.insert(
                PendingRequest(
                    .message(message), of: message.thingID, terms: terms, correlationID: "c", deadline: UInt64(number),
                    requester: { _ in }))
            #expect(place.correlationID == "c")
            #expect(table.remove(place.number) != nil)
        }
        #expect(table.count == 0)
        #expect(table.takeDue(.max).isEmpty)
        #expect(table.firstDeadline == nil)
    }

    @Test("nothing goes on before what it was judged by is committed")
    func order() throws {
        let live = try LiveFixture()
        let device = try live.subscribe()
        let session = try LiveFixture.session("device")
        try live.live.declareAcks([try AckLabel("my:a")], by: session)
        live.rig.store.state.update { $0.isBlocked = true }
        let change = try live.request(
            try LiveFixture.command(
                .modify, "/attributes/a", "2", headers: ["correlation-id": "t", "requested-acks": ["my:a"]],
                channel: .twin))
        // Whoever guesses the correlation id acknowledges early, and is not in the way of the commit.
        #expect(try live.live.answer(try LiveFixture.ack("my:a", correlationID: "t"), from: session) == .counted)
        let dependent = [
            try live.request(try LiveFixture.command(.retrieve, "/attributes/a", channel: .twin)),
            try live.request(try LiveFixture.command(.retrieve, "/attributes/none", channel: .twin)),
            try live.request(try LiveFixture.command(.retrieve, "/"), as: LiveFixture.stranger),
            try live.request(
                try LiveFixture.command(
                    .retrieve, "/attributes", headers: ["live-channel-condition": "eq(attributes/a,1)"], channel: .twin)
            ),
            try live.send(try LiveFixture.message(headers: ["condition": "eq(attributes/a,1)"])),
            try live.send(try LiveFixture.message(headers: ["response-required": false])),
        ]
        let message = try live.send(try LiveFixture.message(headers: ["condition": "eq(attributes/a,2)"]))
        usleep(20_000)
        #expect(([change, message] + dependent).allSatisfy { $0.current.isEmpty })
        #expect(device.take().isEmpty)
        live.rig.store.state.update { $0.isBlocked = false }
        let statuses = try ([change] + dependent).map { try $0.only().status }
        #expect(statuses == [200, 200, 404, 404, 200, 412, 202])
        for _ in 0..<1_000 where device.load.waiting < 2 { usleep(1_000) }
        #expect(device.take().count == 2)
        #expect(message.current.isEmpty)
    }

    @Test("what waits for a commit that does not come is answered in time, and not sent later")
    func commitTimeout() throws {
        let live = try LiveFixture()
        let device = try live.subscribe()
        live.rig.store.state.update { $0.isBlocked = true }
        let change = try live.request(
            try LiveFixture.command(.modify, "/attributes/a", "2", headers: ["timeout": "1s"], channel: .twin))
        let message = try live.send(try LiveFixture.message(headers: ["timeout": "0"]))
        live.pass(.seconds(1))
        let error = try change.expectError("command.timeout", 408)
        #expect(error?.description?.contains("committed") == true)
        #expect(message.current.isEmpty)
        live.pass(.seconds(2))
        #expect(message.wait(5) { !$0.isEmpty })
        live.rig.store.state.update { $0.isBlocked = false }
        live.fixture.forgetEvents(1)
        #expect(device.take().isEmpty)
        #expect(change.current.count == 1)
    }

    @Test("a failed commit is told to those who depend on it")
    func failedCommit() throws {
        let live = try LiveFixture()
        live.rig.store.state.update { $0.isBlocked = true }
        let change = try live.request(
            try LiveFixture.command(
                .modify, "/attributes/a", "2", headers: ["requested-acks": ["my:a"]], channel: .twin))
        let message = try live.send(try LiveFixture.message())
        live.rig.store.state.update { state in
            state.faults = [.beforeAnything]
            state.isBlocked = false
        }
        try change.expectError("things:thing.unavailable", 503)
        try message.expectError("things:thing.unavailable", 503)
    }
}
