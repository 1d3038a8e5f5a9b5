import Testing
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanEngine

@Suite("Choice of the channel")
struct LiveSmartChannelTests {
    private static func retrieve(
        _ condition: String?, path: String = "/attributes", strategy: String? = nil, id: String = "n:t",
        channel: TopicPath.Channel = .twin, more: [String: JSONValue] = [:]
    ) throws -> ThingCommand {
        var headers = more
        headers["correlation-id"] = "c"
        headers["timeout"] = "5s"
        if let condition { headers["live-channel-condition"] = .string(condition) }
        if let strategy { headers["live-channel-timeout-strategy"] = .string(strategy) }
        return try LiveFixture.command(.retrieve, path, id: id, headers: headers, channel: channel)
    }

    private func expectTwin(_ answers: Answers, matched: JSONValue?) throws {
        guard case .twin(let response, let added) = try answers.only() else { throw Unexpected() }
        #expect(response.status == 200)
        #expect(response.value?.value.object?["a"]?.int64 == 1)
        #expect(added[.channel] == "twin")
        #expect(added[.liveChannelConditionMatched] == matched)
    }

    @Test("a condition that does not hold is answered by the twin")
    func unmatched() throws {
        let live = try LiveFixture()
        let device = try live.subscribe()
        let answers = try live.request(try Self.retrieve("eq(attributes/a,2)"))
        try expectTwin(answers, matched: false)
        #expect(device.take().isEmpty)
    }

    @Test("a condition that holds is answered by the device")
    func matched() throws {
        let live = try LiveFixture()
        let device = try live.subscribe()
        let answers = try live.request(try Self.retrieve("eq(attributes/a,1)", strategy: "use-twin"))
        let envelope = try #require(device.take().first).envelope
        #expect(envelope.topic.text == "n/t/things/live/commands/retrieve")
        #expect(envelope.headers[.liveChannelCondition] == nil)
        #expect(
            try live.live.answer(try LiveFixture.response(.retrieve, 200, #"{"a":9}"#), from: try live.responder())
                == .counted)
        guard case .live(let answer) = try answers.only() else { throw Unexpected() }
        #expect(answer.value?.text == #"{"a":9}"#)
        #expect(answer.headers[.channel] == "live")
        #expect(answer.headers[.liveChannelConditionMatched] == true)
    }

    @Test("a resource that only the device has is retrieved from it")
    func onlyOnDevice() throws {
        let live = try LiveFixture()
        let answers = try live.request(try Self.retrieve("exists(attributes/a)", path: "/attributes/none"))
        #expect(live.live.load.pending == 1)
        let response = try LiveFixture.response(.retrieve, "/attributes/none", 200, "3")
        #expect(try live.live.answer(response, from: try live.responder()) == .counted)
        #expect(try answers.only().status == 200)
    }

    @Test("the strategy decides what becomes of a retrieve that no device answers")
    func strategies() throws {
        for (condition, channel) in [("exists(attributes/a)", TopicPath.Channel.twin), (nil, .live)] {
            for (strategy, isTwin) in [(nil, false), ("fail", false), ("use-twin", true), ("USE-TWIN", true)] {
                let live = try LiveFixture()
                let answers = try live.request(
                    try Self.retrieve(condition, strategy: strategy, channel: channel))
                live.pass(.milliseconds(4_999))
                #expect(answers.current.isEmpty)
                live.pass(.milliseconds(1))
                if isTwin {
                    try expectTwin(answers, matched: condition == nil ? .none : .some(true))
                } else {
                    try answers.expectError("command.timeout", 408)
                }
            }
        }
    }

    static let refusals: [(condition: String, path: String, id: String, sender: String, code: String, status: Int)] = [
        ("eq(attributes/o/x,1)", "/attributes/a", "n:t", "test:limited", "things:condition.failed", 412),
        ("eq(features/f/properties/p,1)", "/attributes/a", "n:t", "test:limited", "things:condition.failed", 412),
        ("exists(attributes/a)", "/features", "n:t", "test:limited", "things:features.notfound", 404),
        ("eq(attributes/a", "/attributes/a", "n:t", "test:owner", "things:condition.invalid", 400),
        ("exists(attributes/a)", "/", "n:none", "test:owner", "things:thing.notfound", 404),
        ("exists(attributes/b)", "/attributes/none", "n:t", "test:owner", "things:attribute.notfound", 404),
    ]

    @Test("refusals", arguments: refusals)
    func refused(
        row: (condition: String, path: String, id: String, sender: String, code: String, status: Int)
    ) throws {
        let live = try LiveFixture()
        let device = try live.subscribe()
        let answers = try live.request(
            try Self.retrieve(row.condition, path: row.path, id: row.id), as: AuthorizationContext([row.sender]))
        try answers.expectError(row.code, row.status)
        #expect(device.take().isEmpty)
    }

    @Test("preconditions of the twin hold for both channels")
    func preconditions() throws {
        let live = try LiveFixture()
        let device = try live.subscribe()
        for more: [String: JSONValue] in [["if-match": "\"rev:99\""], ["condition": "eq(attributes/a,2)"]] {
            let answers = try live.request(try Self.retrieve("exists(attributes/a)", more: more))
            #expect(try answers.only().status == 412)
        }
        #expect(device.take().isEmpty)
    }

    @Test(
        "a condition on anything but a retrieve is refused",
        arguments: [ThingCommand.Action.create, .modify, .merge, .delete])
    func notRetrieve(action: ThingCommand.Action) throws {
        for channel in [TopicPath.Channel.twin, .live] {
            let live = try LiveFixture()
            let answers = try live.request(
                try LiveFixture.command(
                    action, "/", "{}", headers: ["live-channel-condition": "exists(attributes/a)"], channel: channel))
            try answers.expectError("things:live.channelcondition.notallowed", 405)
        }
    }
}
