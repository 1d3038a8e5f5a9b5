import Testing
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanEngine

@Suite("Acknowledgements of twin commands")
struct AckRequestTests {
    private static func modify(
        _ headers: [String: JSONValue] = [:], _ value: String = "2", id: String = "n:t"
    ) throws -> ThingCommand {
        var all = headers
        if all["correlation-id"] == nil { all["correlation-id"] = "c" }
        return try LiveFixture.command(.modify, "/attributes/a", value, id: id, headers: all, channel: .twin)
    }

    /// The next change that is published.
    private func change(_ live: LiveFixture) throws -> TwinChange {
        var changes: [TwinChange] = []
        for _ in 0..<2_000 where changes.isEmpty {
            changes = live.fixture.events.take()
            if changes.isEmpty { _ = Answers([]).wait(0.005) { _ in false } }
        }
        return try #require(changes.first)
    }

    @Test(
        "whoever asks for at most a built-in label gets the plain response",
        arguments: [
            [:], ["requested-acks": []], ["requested-acks": ["twin-persisted"]],
            ["requested-acks": ["search-persisted"]], ["requested-acks": ["live-response"]],
        ] as [[String: JSONValue]])
    func plain(headers: [String: JSONValue]) throws {
        let live = try LiveFixture()
        let answers = try live.request(try Self.modify(headers))
        guard case .twin(let response, let added) = try answers.only() else { throw Unexpected() }
        #expect(response.status == 204)
        #expect(added == DittoHeaders())
        #expect(try change(live).eventHeaders[.requestedAcks] == nil)
    }

    @Test("a retrieve is answered, whatever acknowledgements it asks for")
    func retrieve() throws {
        let live = try LiveFixture()
        let command = try LiveFixture.command(
            .retrieve, "/attributes/a", headers: ["requested-acks": ["my:a"]], channel: .twin)
        let answers = try live.request(command)
        guard case .twin(let response, _) = try answers.only() else { throw Unexpected() }
        #expect(response.value?.text == "1")
        let dropped = try LiveFixture.command(
            .retrieve, "/attributes/a", headers: ["response-required": false], channel: .twin)
        #expect(try live.request(dropped).only() == .accepted)
    }

    @Test("both built-in labels come with the commit")
    func builtIns() throws {
        let live = try LiveFixture()
        let answers = try live.request(
            try Self.modify(["requested-acks": ["search-persisted", "twin-persisted"]]))
        guard case .acknowledgements(let all) = try answers.only() else { throw Unexpected() }
        #expect(all.acknowledgements.map(\.label) == [.searchPersisted, .twinPersisted])
        #expect(all.acknowledgements.map(\.status) == [204, 204])
        #expect(all.status == 200)
    }

    @Test("custom labels are gathered with the response; the event asks for them alone")
    func custom() throws {
        let live = try LiveFixture()
        let session = try LiveFixture.session("one")
        try live.live.declareAcks([try AckLabel("my:a"), try AckLabel("my:b")], by: session)
        let answers = try live.request(
            try Self.modify(["requested-acks": ["twin-persisted", "my:a", "my:b", "live-response"]]))
        let change = try change(live)
        #expect(change.eventHeaders[.requestedAcks] == ["my:a", "my:b"])
        #expect(change.eventHeaders.correlationID == "c")
        #expect(try live.live.answer(try LiveFixture.ack("my:b", 503, payload: "1"), from: session) == .counted)
        live.live.acknowledgeWeakly(change, labels: [try AckLabel("my:a"), try AckLabel("my:c")], because: "filter")
        guard case .acknowledgements(let all) = try answers.only() else { throw Unexpected() }
        #expect(all.status == 424)
        #expect(all.acknowledgements.map(\.status) == [204, 200, 503])
        #expect(all.acknowledgements.map(\.isWeak) == [false, true, false])
        #expect(all.acknowledgements[0].headers[.etag] != nil)
        #expect(all.acknowledgements[0].headers[.entityRevision] == 2)
        #expect(all.acknowledgements[1].payload?.text == #""filter""#)
        #expect(try live.live.answer(try LiveFixture.ack("my:b"), from: session) == .unknown)
    }

    @Test("the response of a creation is the payload of its acknowledgement")
    func payload() throws {
        let live = try LiveFixture()
        let command = try LiveFixture.command(
            .modify, "/attributes/new", "7", headers: ["requested-acks": ["twin-persisted", "search-persisted"]],
            channel: .twin)
        guard case .acknowledgements(let all) = try live.request(command).only() else { throw Unexpected() }
        #expect(all.acknowledgements[0].status == 201)
        #expect(all.acknowledgements[0].payload?.text == "7")
    }

    @Test("a label that nobody acknowledges is a 408 in the aggregate")
    func timeout() throws {
        let live = try LiveFixture()
        let answers = try live.request(
            try Self.modify(["requested-acks": ["twin-persisted", "my:a"], "timeout": "2s"]))
        _ = try change(live)
        live.pass(.milliseconds(1_999))
        #expect(answers.current.isEmpty)
        live.pass(.milliseconds(1))
        guard case .acknowledgements(let all) = try answers.only() else { throw Unexpected() }
        #expect(all.status == 424)
        #expect(all.acknowledgements.map(\.status) == [204, 408])
        #expect(all.acknowledgements[1].payload?.value.object?["error"] == "acknowledgement:request.timeout")
        #expect(all.acknowledgements[1].headers.correlationID == "c")
    }

    @Test("a single label that nobody acknowledges makes the whole a 408")
    func singleTimeout() throws {
        let live = try LiveFixture()
        let answers = try live.request(
            try Self.modify(["requested-acks": ["my:a"], "timeout": "2s", "response-required": false]))
        _ = try change(live)
        live.pass(.seconds(2))
        #expect(try answers.only().status == 408)
    }

    @Test("an error ends the waiting at once")
    func errors() throws {
        let live = try LiveFixture()
        let headers: [String: JSONValue] = ["requested-acks": ["twin-persisted", "my:a"]]
        try live.request(try Self.modify(headers, id: "n:none")).expectError("things:thing.notfound", 404)
        try live.request(try Self.modify(headers), as: LiveFixture.device)
            .expectError("things:attribute.notmodifiable", 403)
        try live.request(try Self.modify(["requested-acks": ["my:a"], "condition": "eq(attributes/a,9)"]))
            .expectError("things:condition.failed", 412)
        try live.request(try Self.modify(["requested-acks": ["a"]]))
            .expectError("acknowledgement:request.parsing.failed", 422)
        try live.request(try Self.modify(["timeout": "0", "requested-acks": ["my:a"]]))
            .expectError("header.invalid", 400)
        #expect(live.live.load.pending == 0)
    }

    @Test("whoever wants neither response nor acknowledgements is told when the change is committed")
    func fireAndForget() throws {
        let live = try LiveFixture()
        #expect(try live.request(try Self.modify(["response-required": false])).only() == .accepted)
        #expect(try live.request(try Self.modify(["timeout": "0"])).only() == .accepted)
        try live.request(try Self.modify(["timeout": "0"]), as: LiveFixture.stranger)
            .expectError("things:attribute.notmodifiable", 403)
    }

    @Test("requests with the same correlation id are told apart by their events")
    func clash() throws {
        let live = try LiveFixture()
        let session = try LiveFixture.session("one")
        try live.live.declareAcks([try AckLabel("my:a")], by: session)
        let first = try live.request(try Self.modify(["requested-acks": ["my:a"]]))
        let second = try live.request(try Self.modify(["requested-acks": ["my:a"]], "3"))
        #expect(try change(live).eventHeaders.correlationID == "c")
        let ack = try LiveFixture.ack("my:a", 202, correlationID: "c#0")
        #expect(try live.live.answer(ack, from: session) == .counted)
        guard case .acknowledgements(let all) = try second.only() else { throw Unexpected() }
        #expect(all.headers.correlationID == "c")
        #expect(all.acknowledgements[0].headers.correlationID == "c")
        #expect(first.current.isEmpty)
        #expect(try live.live.answer(try LiveFixture.ack("my:a"), from: session) == .counted)
        #expect(try first.only().status == 200)
    }

    @Test("events ask for custom labels alone, also when nobody waits for them")
    func plainExecution() throws {
        let live = try LiveFixture()
        let outcome = live.engine.execute(
            try Self.modify(["requested-acks": ["twin-persisted", "my:a"]]), as: EngineRig.owner)
        try live.rig.awaitCommit(outcome.ticket)
        #expect(try change(live).eventHeaders[.requestedAcks] == ["my:a"])
    }
}
