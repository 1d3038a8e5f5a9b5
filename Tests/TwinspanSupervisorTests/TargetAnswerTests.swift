import Testing
import TwinspanConnections
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanEngine
@testable import TwinspanSupervisor

@Suite("Answers of endpoints")
struct TargetAnswerTests {
    private static let ditto = "application/vnd.eclipse.ditto+json"

    private static func connection(_ rig: PipelineRig, _ topics: [TargetTopic], label: String?) throws -> Connection {
        try rig.rig.run(.create, "n:t", "/", #"{"attributes":{"a":1}}"#)
        var connection = try rig.connection(targets: [target("POST:/x", topics: topics, label: label)])
        connection.type = .httpPush
        return connection
    }

    private static func answer(_ status: Int, _ type: String?, _ body: String) -> BrokerAnswer {
        let headers = [
            (name: "x-endpoint", value: "e"), (name: "correlation-id", value: "another"),
            (name: "ditto-originator", value: "forged"),
        ]
        return BrokerAnswer(
            status: status, headers: headers + (type.map { [(name: "content-type", value: $0)] } ?? []),
            body: Array(body.utf8))
    }

    private static func liveCommand(_ rig: PipelineRig) throws -> Answers {
        var command = try EngineRig.command(.retrieve, "n:t", "/attributes/a", headers: ["correlation-id": "c"])
        command.channel = .live
        let answers = Answers([])
        rig.rig.engine.request(command, as: EngineRig.owner, origin: nil) { answer in
            answers.update { $0.append(answer) }
        }
        rig.rig.engine.commitSoon()
        return answers
    }

    static let labelledRows: [(status: Int, type: String?, body: String, payload: JSONValue?)] = [
        (200, "application/json", #"{"a": 1}"#, ["a": 1]), (204, nil, "", nil),
        (200, "application/json; charset=utf-8", "{", "{"), (201, "text/plain", "done", "done"),
        (200, "application/octet-stream", "hi", "aGk="), (200, nil, "hi", "aGk="), (302, "text/html", "moved", "moved"),
        (404, "application/problem+json", #"{"why":"none"}"#, ["why": "none"]), (503, "text/plain", "later", "later"),
    ]

    @Test("with a label the acknowledgement has status, body and headers of the answer", arguments: labelledRows)
    func labelled(_ row: (status: Int, type: String?, body: String, payload: JSONValue?)) throws {
        let rig = try PipelineRig()
        try rig.withWayOut(try Self.connection(rig, [topic()], label: "c1:ack")) { wayOut in
            let answers = try rig.request(.modify, "/attributes/a", "2", asking: ["c1:ack"])
            let message = try rig.awaitSent(1)[0]
            wayOut.outcomes.answered(message, with: Self.answer(row.status, row.type, row.body))
            let all = try answers.acknowledgements()
            #expect(all.summary == ["c1:ack \(row.status)"])
            let own = try #require(all.acknowledgements.first)
            #expect(own.payload?.value == row.payload)
            #expect(own.headers.correlationID == "c")
            #expect(own.headers["x-endpoint"] == "e")
            #expect(own.headers.text(.contentType) == row.type)
            #expect(own.headers[.originator] == "test:owner")
            #expect(own.headers[.connectionID] == "c1")
        }
        let isSuccess = (200...299).contains(row.status)
        #expect(rig.counts == ["offered": 1, isSuccess ? "published" : "dropped/status-\(row.status / 100)xx": 1])
    }

    @Test("an answer of a broker that has no signals to judge by is an acknowledgement all the same")
    func withoutSignal() throws {
        let rig = try PipelineRig()
        var connection = try Self.connection(rig, [topic()], label: "c1:ack")
        connection.type = .kafka
        try rig.withWayOut(connection) { wayOut in
            let answers = try rig.request(.modify, "/attributes/a", "2", asking: ["c1:ack"])
            let message = try rig.awaitSent(1)[0]
            #expect(message.receipt?.signal == nil)
            wayOut.outcomes.answered(
                message,
                with: BrokerAnswer(
                    status: 200, headers: [("content-type", "application/json")], body: Array(#"{"offset":7}"#.utf8)))
            let own = try #require(try answers.acknowledgements().acknowledgements.first)
            #expect((own.status, own.payload?.text) == (200, #"{"offset":7}"#))
        }
    }

    @Test(
        "of several messages the first failure counts, else the last answer",
        arguments: [([200, 201], 201), ([500, 200], 500), ([200, 404], 404)])
    func several(statuses: [Int], expected: Int) throws {
        let rig = try PipelineRig()
        var connection = try Self.connection(rig, [topic()], label: "c1:ack")
        connection.targets[0].payloadMapping = ["Twice"]
        try rig.withWayOut(connection, mappers: .forTests) { wayOut in
            let answers = try rig.request(.modify, "/attributes/a", "2", asking: ["c1:ack"])
            for (message, status) in zip(try rig.awaitSent(2), statuses) {
                wayOut.outcomes.answered(message, with: Self.answer(status, "text/plain", "\(status)"))
            }
            let own = try #require(try answers.acknowledgements().acknowledgements.first)
            #expect((own.status, own.payload?.value) == (expected, .string("\(expected)")))
        }
    }

    @Test(
        "the answer to a message is its response",
        arguments: [(200, "text/plain", "hi", "hi"), (404, "application/json", "{}", [:]), (204, nil, "", nil)]
            as [(Int, String?, String, JSONValue?)])
    func message(_ row: (status: Int, type: String?, body: String, value: JSONValue?)) throws {
        let rig = try PipelineRig()
        try rig.withWayOut(try Self.connection(rig, [topic(.liveMessages)], label: "live-response")) { wayOut in
            let answers = try rig.message("ask/me")
            wayOut.outcomes.answered(try rig.awaitSent(1)[0], with: Self.answer(row.status, row.type, row.body))
            guard case .message(let response) = try answers.answer() else {
                Issue.record("it is \(answers.current)")
                return
            }
            #expect((response.status, response.subject, response.value?.value) == (row.status, "ask/me", row.value))
            #expect(response.headers.correlationID == "m")
            #expect(response.headers["x-endpoint"] == "e")
        }
    }

    /// Topic, path, rest and correlation id of an answer, and whether it is one to a retrieve of `n:t`'s attribute `a`.
    static let parsedRows: [(text: String, fits: Bool)] = {
        func row(_ topic: String, _ rest: String, id: String = "c", path: String = "/attributes/a") -> String {
            #"{"topic":"\#(topic)","headers":{"correlation-id":"\#(id)"},"path":"\#(path)",\#(rest)}"#
        }
        let retrieve = "n/t/things/live/commands/retrieve"
        return [
            (row(retrieve, #""value":7,"status":200"#), true),
            (row("n/t/things/live/errors", #""value":{"error":"a:b","status":404},"status":404"#, path: "/"), true),
            (row("n/other/things/live/commands/retrieve", #""value":7,"status":200"#), false),
            (row(retrieve, #""value":7,"status":200"#, id: "d"), false),
            (row("n/t/things/live/commands/modify", #""status":204"#), false),
            (row(retrieve, #""value":7"#), false), (row("n/t/things/live/messages/x", #""status":200"#), false),
            ("not json", false), ("", false), (#"{"topic":"x"}"#, false),
        ]
    }()

    @Test("only an envelope that fits answers a live command, with the label and without one", arguments: parsedRows)
    func liveCommands(_ row: (text: String, fits: Bool)) throws {
        for label in ["live-response", nil] {
            let rig = try PipelineRig()
            try rig.withWayOut(try Self.connection(rig, [topic(.liveCommands)], label: label)) { wayOut in
                let answers = try Self.liveCommand(rig)
                let message = try rig.awaitSent(1)[0]
                #expect(message.receipt?.signal != nil)
                wayOut.outcomes.answered(message, with: Self.answer(200, Self.ditto, row.text))
                #expect(answers.current.count == (row.fits ? 1 : 0), "\(row) \(label ?? "no label")")
                #expect(rig.counts == ["offered": 1, "published": 1])
            }
        }
    }

    @Test("what is no envelope answers no live command, and is nobody's business without a label")
    func otherBodies() throws {
        for label in ["live-response", nil] {
            let rig = try PipelineRig()
            try rig.withWayOut(try Self.connection(rig, [topic(.liveCommands)], label: label)) { wayOut in
                let answers = try Self.liveCommand(rig)
                wayOut.outcomes.answered(try rig.awaitSent(1)[0], with: Self.answer(200, "text/html", "<p>"))
                #expect(answers.current.isEmpty)
            }
        }
    }

    @Test("without a label an acknowledgement counts when the connection has declared its label")
    func acknowledgements() throws {
        for (label, expected) in [("c1:other", 202), ("c2:other", 408)] {
            let rig = try PipelineRig()
            var connection = try Self.connection(rig, [topic()], label: nil)
            connection.sources = [try source(declaredAcks: ["c1:other"])]
            try rig.withWayOut(connection) { wayOut in
                let answers = try rig.request(.modify, "/attributes/a", "2", asking: [label])
                let text = #"""
                    {"topic":"n/t/things/twin/acks/\#(label)","headers":{"correlation-id":"c"},"path":"/","status":202}
                    """#
                for message in try rig.awaitSent(1) {
                    wayOut.outcomes.answered(message, with: Self.answer(200, Self.ditto, text))
                }
                rig.rig.clock.advance(by: .seconds(61))
                rig.rig.engine.live.expireDue()
                #expect(try answers.acknowledgements().summary == ["\(label) \(expected)"])
            }
        }
    }
}
