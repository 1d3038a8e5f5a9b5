import Testing
import TwinspanConnections
import TwinspanEngine
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanSupervisor

@Suite("Answers")
struct AnswerTests {
    /// Answers to a create, or to a retrieve of what is not there, through a connection with these settings.
    private static func publisher(_ rig: PipelineRig, _ connection: Connection, _ board: DiversionBoard) throws
        -> ReplyPublisher
    {
        let clock = rig.rig.clock
        return ReplyPublisher(
            connection: connection, queue: rig.queue, engine: rig.rig.engine, clock: clock, counters: rig.counters,
            recorder: ConnectionRecorder(connection: connection, now: { clock.now }),
            mappers: try ReplyMappers(connection, registry: .forTests), diversions: board)
    }

    private static func answer(
        _ type: ReplyTarget.ResponseType = .response, mapper: String? = nil, headers: [String: JSONValue] = [:],
        source: Int = 0
    ) throws -> Answer {
        var command = DittoHeaders()
        command.correlationID = "c"
        for (name, value) in headers { command.append(name, value) }
        let text =
            #"{"topic":"n/t/things/twin/commands/create","headers":{"correlation-id":"c"},"path":"/","status":201}"#
        let envelope = try Envelope.parse(Array(text.utf8))
        return Answer(envelope: envelope, type: type, source: source, mapper: mapper, commandHeaders: command)
    }

    @Test(
        "only expected kinds of answers are published",
        arguments: [
            ([.response, .error], .response, 1), ([.response, .error], .error, 1), ([.response, .error], .nack, 0),
            ([.nack], .nack, 1), ([.nack], .response, 0), ([], .error, 0),
        ] as [(Set<ReplyTarget.ResponseType>, ReplyTarget.ResponseType, Int)])
    func types(expected: Set<ReplyTarget.ResponseType>, type: ReplyTarget.ResponseType, count: Int) throws {
        let rig = try PipelineRig()
        let connection = try rig.connection(sources: [source(types: expected)])
        try Self.publisher(rig, connection, DiversionBoard()).publish(Self.answer(type), after: nil)
        #expect(rig.sent().count == count)
        #expect(rig.counts == (count == 0 ? [:] : ["replied": 1]))
    }

    @Test("a reply target that is turned off publishes nothing, nor does none")
    func disabled() throws {
        let rig = try PipelineRig()
        for source in [try source(isReplyEnabled: false), try source(replyTo: nil)] {
            try Self.publisher(rig, rig.connection(sources: [source]), DiversionBoard()).publish(
                Self.answer(), after: nil)
        }
        #expect(rig.sent().isEmpty)
        #expect(rig.counts.isEmpty)
    }

    @Test(
        "an answer goes through the mapper of its command",
        arguments: [
            (["Ditto", "Twice"], "Twice", 2, "replied", 2), (["Twice", "Ditto"], "Ditto", 1, "replied", 1),
            (["Twice"], nil, 2, "replied", 2), (["Twice"], "Unknown", 2, "replied", 2), ([], "Ditto", 1, "replied", 1),
            (["Nothing"], nil, 0, "dropped/reply-mapper", 1), (["Failing"], "Failing", 0, "dropped/reply-mapping", 1),
            (["Slow"], "Slow", 1, "replied", 1),
        ] as [([String], String?, Int, String, Int64)])
    func mappers(names: [String], mapper: String?, count: Int, counter: String, value: Int64) throws {
        let rig = try PipelineRig()
        let connection = try rig.connection(sources: [source(payload: names)])
        try Self.publisher(rig, connection, DiversionBoard()).publish(Self.answer(mapper: mapper), after: nil)
        #expect(rig.sent().count == count)
        #expect(rig.counts == [counter: value])
    }

    @Test("address and headers of an answer come from it, and from its command")
    func addressing() throws {
        let rig = try PipelineRig()
        var connection = try rig.connection(sources: [
            source(
                replyTo: "{{ header:reply-to }}/{{ thing:name }}",
                replyHeaders: [("x", "{{ header:own }}"), ("content-type", "text/plain"), ("gone", "{{ header:no }}")])
        ])
        connection.type = .mqtt5
        let publisher = try Self.publisher(rig, connection, DiversionBoard())
        publisher.publish(try Self.answer(headers: ["reply-to": "r", "own": "1"]), after: nil)
        let sent = try #require(rig.sent().first)
        #expect(sent.address == "r/t")
        #expect(
            sent.headers.map { "\($0.name)=\($0.value)" } == ["content-type=text/plain", "correlation-id=c", "x=1"])
        #expect(sent.target == nil)
        publisher.publish(try Self.answer(), after: nil)
        #expect(rig.sent().isEmpty)
        #expect(rig.counts == ["replied": 1, "dropped/reply-address-unresolved": 1])
    }

    /// Where an answer with `divert-response-to-connection` goes.
    struct Row: Sendable, CustomTestStringConvertible {
        var name: String
        var to = "c2"
        var type = ReplyTarget.ResponseType.response
        var types: String?
        var source: [String: String] = ["is-diversion-source": "true"]
        var target: [String: String] = [
            "is-diversion-target": "true", "authorized-connections-as-sources": "c0, c1",
        ]
        var targetCount = 1
        var sourceIndex = 0
        var headers: [String: JSONValue] = [:]
        /// Addresses of what is sent.
        var sent: [String]
        var counts: [String: Int64]
        var testDescription: String { name }
    }

    static let diverted: [String: Int64] = ["diverted": 1, "offered": 1]
    static let rows = [
        Row(name: "authorized", sent: ["t0/c1"], counts: diverted),
        Row(
            name: "preserved",
            source: ["is-diversion-source": "true", "preserve-normal-response-via-source": "true"],
            sent: ["replies", "t0/c1"], counts: diverted.merging(["replied": 1]) { $1 }),
        Row(name: "an error", type: .error, sent: ["t0/c1"], counts: diverted),
        Row(name: "a nack that is wanted", type: .nack, types: "error, nack", sent: ["t0/c1"], counts: diverted),
        Row(name: "a nack", type: .nack, sent: ["replies"], counts: ["replied": 1]),
        Row(name: "a type that is not wanted", types: "error", sent: ["replies"], counts: ["replied": 1]),
        Row(name: "to itself", to: "c1", sent: ["replies"], counts: ["replied": 1]),
        Row(name: "no id", to: "no id!", sent: ["replies"], counts: ["replied": 1]),
        Row(name: "not a source of diversions", source: [:], sent: ["replies"], counts: ["replied": 1]),
        Row(
            name: "diverted before", headers: ["diverted-response-from-connection": "c9"], sent: ["replies"],
            counts: ["replied": 1]),
        Row(
            name: "not authorized",
            target: ["is-diversion-target": "true", "authorized-connections-as-sources": "c3"], sent: [],
            counts: ["diverted": 1, "offered": 1, "dropped/diversion-not-authorized": 1]),
        Row(
            name: "nobody is authorized", target: ["is-diversion-target": "true"], sent: [],
            counts: ["diverted": 1, "offered": 1, "dropped/diversion-not-authorized": 1]),
        Row(name: "unknown", to: "c9", sent: [], counts: ["dropped/reply-diversion-target-away": 1]),
        Row(
            name: "not a target of diversions", target: [:], sent: [],
            counts: ["dropped/reply-diversion-target-away": 1]),
        Row(
            name: "the target at the place of the source", targetCount: 2, sourceIndex: 1, sent: ["t1/c1"],
            counts: diverted),
        Row(name: "one target for all sources", sourceIndex: 1, sent: ["t0/c1"], counts: diverted),
        Row(
            name: "no target of that place", targetCount: 2, sourceIndex: 2, sent: [],
            counts: ["diverted": 1, "offered": 1, "dropped/diversion-no-target": 1]),
    ]

    @Test("an answer is published by the connection it is diverted to", arguments: rows)
    func diversion(row: Row) throws {
        let rig = try PipelineRig()
        var from = try rig.connection(
            sources: (0..<3).map { _ in try source(types: Set(ReplyTarget.ResponseType.allCases)) })
        from.specificConfig = row.source
        var to = try rig.connection(
            targets: (0..<row.targetCount).map {
                try target("t\($0)/{{ header:diverted-response-from-connection }}", topics: [])
            })
        to.id = try ConnectionID("c2")
        to.specificConfig = row.target
        let board = DiversionBoard()
        var headers = row.headers
        headers["divert-response-to-connection"] = .string(row.to)
        if let types = row.types { headers["divert-expected-response-types"] = .string(types) }
        let answer = try Self.answer(row.type, headers: headers, source: row.sourceIndex)
        try rig.withWayOut(to) { wayOut in
            if to.isDiversionTarget { board.add(wayOut.pipeline, as: to.id) }
            try Self.publisher(rig, from, board).publish(answer, after: nil)
        }
        let sent = rig.sent()
        #expect(sent.map(\.address).sorted() == row.sent)
        #expect(rig.counts == row.counts)
        rig.checkBalance(waiting: sent)
    }

    @Test("a diverted answer waits for its commit, and for its queue")
    func afterCommit() throws {
        let rig = try PipelineRig()
        var from = try rig.connection(sources: [source()])
        from.specificConfig = ["is-diversion-source": "true"]
        var to = try rig.connection(targets: [target("t", topics: [])])
        to.id = try ConnectionID("c2")
        to.specificConfig = ["is-diversion-target": "true", "authorized-connections-as-sources": "c1"]
        let board = DiversionBoard()
        try rig.withWayOut(to, isConnected: false) { wayOut in
            board.add(wayOut.pipeline, as: to.id)
            let publisher = try Self.publisher(rig, from, board)
            let answer = try Self.answer(headers: ["divert-response-to-connection": "c2"])
            rig.rig.store.state.update { $0.isBlocked = true }
            let outcome = try rig.rig.send(.create, "n:t", "/", "{}")
            publisher.publish(answer, after: outcome.ticket)
            usleepMilliseconds(20)
            #expect(rig.queue.load.messages == 0)
            rig.rig.store.state.update { $0.isBlocked = false }
            let sent = try rig.awaitSent(1)
            #expect(sent.map(\.target) == [0])
            #expect(try sent[0].member("/headers/diverted-response-from-connection") == "c1")
            board.remove(to.id)
            publisher.publish(answer, after: nil)
            rig.checkBalance(waiting: sent)
        }
        #expect(rig.counts == ["diverted": 1, "offered": 1, "dropped/reply-diversion-target-away": 1])
    }
}
