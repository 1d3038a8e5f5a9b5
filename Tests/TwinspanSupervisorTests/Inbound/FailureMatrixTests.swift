import Testing
import TwinspanConnections
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanEngine
@testable import TwinspanSupervisor

/// The failure matrix of spec/connectivity.md §3.1.1.
@Suite("Failure matrix of sources")
struct FailureMatrixTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let name: String
        let source: @Sendable () throws -> Source
        var payload = command("modify", "t", "/attributes/a", "1")
        var headers: [(name: String, value: String)] = []
        /// Category and type of the one failure in the log; nil when there is none.
        let log: String?
        /// Code, status and topic of the answer; nil when there is none.
        let answer: (code: String, status: Int64, topic: String)?
        /// Stage of the dead letter; nil when there is none.
        let dead: String?
        var outcome = "dead"
        var testDescription: String { name }
    }

    static let owner: @Sendable () throws -> Source = { try source() }
    static let thing = "n/t/things/twin/errors"
    static let unknown = "unknown/unknown/things/twin/errors"
    static let big = #"{"correlation-id":"c","big":"\#(String(repeating: "x", count: 6_000))"}"#
    static let ack = envelope("n/t/things/twin/acks/foreign:label", "/", #","status":200"#)

    static let rows: [Row] = [
        Row(
            name: "A: the enforcement input has no value",
            source: { try source(input: "{{ header:device }}", filters: ["{{ thing:id }}"]) },
            headers: [("device_id", "n:dev"), ("Correlation-ID", "c")], log: "source/consumed",
            answer: ("placeholder:unresolved", 400, "n/dev/things/twin/errors"), dead: "input"),
        Row(
            name: "A: the payload is too large", source: owner, payload: String(repeating: "x", count: 300_000),
            headers: [("device_id", "no id")], log: "source/consumed",
            answer: ("connectivity:message.mapping.failed", 400, unknown), dead: "message"),
        Row(
            name: "B: the mapper makes nothing of it", source: owner,
            headers: [("content-type", "application/vnd.eclipse-hono-empty-notification")], log: nil, answer: nil,
            dead: nil, outcome: "empty"),
        Row(
            name: "C: no JSON", source: owner, payload: "nope", log: "source/mapped",
            answer: ("json.invalid", 400, unknown), dead: "mapping"),
        Row(
            name: "C: no JSON, of a device that is named", source: owner, payload: "nope",
            headers: [("device_id", "n:dev")], log: "source/mapped",
            answer: ("json.invalid", 400, "n/dev/things/twin/errors"), dead: "mapping"),
        Row(
            name: "C: the path has no meaning", source: owner, payload: command("modify", "t", "/nothing", "1"),
            log: "source/mapped", answer: ("protocoladapter:unknown.path", 400, thing), dead: "signal"),
        Row(
            name: "D: a subject has no value", source: { try source(subjects: ["device:{{ header:device }}"]) },
            log: "source/mapped", answer: ("placeholder:unresolved", 400, thing), dead: "authorization"),
        Row(
            name: "E: the enforcement does not match",
            source: { try source(input: "{{ source:address }}", filters: ["in/{{ thing:name }}"]) },
            log: "source/enforced", answer: ("connectivity:connection.id.enforcement.failed", 400, thing),
            dead: "enforcement"),
        Row(
            name: "E: the enforcement does not match a policy",
            source: { try source(input: "{{ source:address }}", filters: ["in/{{ policy:name }}"]) },
            payload: envelope("n/p/policies/commands/create", "/", #","value":{"entries":{}}"#),
            log: "source/enforced",
            answer: ("connectivity:connection.id.enforcement.failed", 400, "n/p/policies/errors"),
            dead: "enforcement"),
        Row(
            name: "E: no filter has a value",
            source: { try source(input: "{{ source:address }}", filters: ["in/{{ policy:name }}"]) },
            log: "source/enforced", answer: ("placeholder:unresolved", 400, thing), dead: "enforcement"),
        Row(
            name: "E: without filters nothing matches",
            source: { try source(input: "{{ source:address }}") }, log: "source/enforced",
            answer: ("connectivity:connection.id.enforcement.failed", 400, thing), dead: "enforcement"),
        Row(
            name: "E: a signal of no entity",
            source: { try source(input: "{{ source:address }}", filters: ["in/x"]) },
            payload: envelope("_/_/things/twin/commands/retrieve", "/", #","value":{"thingIds":["n:t"]}"#),
            log: "source/enforced",
            answer: ("connectivity:connection.id.enforcement.failed", 400, "_/_/things/twin/errors"),
            dead: "enforcement"),
        Row(
            name: "F: the headers are too large", source: owner,
            payload: command("modify", "t", "/attributes/a", "1", headers: big), log: "source/mapped",
            answer: ("headers.too.large", 431, thing), dead: "headers"),
        Row(
            name: "G: no time to wait for acknowledgements", source: owner,
            payload: command(
                "modify", "t", "/attributes/a", "1",
                headers: #"{"correlation-id":"c","timeout":"0","requested-acks":["twin-persisted"],"#
                    + #""response-required":true}"#),
            log: "source/mapped", answer: ("header.invalid", 400, thing), dead: "signal"),
        Row(
            name: "G: no time to wait for what the source asks for", source: { try source(acks: ["x:y"]) },
            payload: command(
                "modify", "t", "/attributes/a", "1", headers: #"{"correlation-id":"c","timeout":0}"#),
            log: "source/mapped", answer: nil, dead: "signal"),
        Row(
            name: "H: the thing does not exist", source: owner,
            payload: command("modify", "none", "/attributes/a", "1"), log: "response/dispatched",
            answer: ("things:thing.notfound", 404, "n/none/things/twin/errors"), dead: "command"),
        Row(
            name: "H: the policy does not exist", source: owner,
            payload: envelope("n/none/policies/commands/delete", "/"), log: "response/dispatched",
            answer: ("policies:policy.notfound", 404, "n/none/policies/errors"), dead: "command"),
        Row(
            name: "H: a message to nobody", source: owner,
            payload: envelope("n/none/things/live/messages/ask", "/inbox/messages/ask"), log: "response/dispatched",
            answer: ("things:thing.notfound", 404, "n/none/things/live/errors"), dead: "command"),
        Row(
            name: "H: a query that is answered is no dead letter", source: owner,
            payload: command("retrieve", "none", "/"), log: "response/dispatched",
            answer: ("things:thing.notfound", 404, "n/none/things/twin/errors"), dead: nil, outcome: "effective"),
        Row(
            name: "H: a query that nobody answers is one", source: { try source(replyTo: nil) },
            payload: command("retrieve", "none", "/"), log: "response/dispatched", answer: nil, dead: "command"),
        Row(
            name: "H: a precondition that is not met is no dead letter", source: owner,
            payload: command(
                "modify", "t", "/attributes/a", "1", headers: #"{"correlation-id":"c","if-match":"\"rev:9\""}"#),
            log: "response/dispatched", answer: ("things:precondition.failed", 412, thing), dead: nil,
            outcome: "effective"),
        Row(
            name: "I: a label that was not declared", source: owner, payload: ack, log: "source/mapped",
            answer: ("acknowledgement:label.not.declared", 400, thing), dead: nil, outcome: "effective"),
    ]

    @Test("settled, logged, answered, kept and counted as the specification has it", arguments: rows)
    func failure(_ row: Row) throws {
        let rig = try PipelineRig()
        try rig.rig.run(.create, "n:t", "/", "{}")
        let side = try rig.side([row.source()], payloadBytesMax: 250_000)
        #expect(rig.settle(side, batch([("in/x", row.payload)], headers: row.headers)) == .committed)
        let failures = rig.recorder.retrieveLogs().entries.filter(\.isFailure)
        #expect(failures.map { "\($0.category.rawValue)/\($0.stage.rawValue)" } == [row.log].compactMap { $0 })
        let answers = try rig.sent().map { try JSONValue.parse($0.payload) }
        #expect(answers.count == (row.answer == nil ? 0 : 1), "\(answers)")
        if let wanted = row.answer, let answer = answers.first {
            #expect(answer.object?["topic"]?.string == wanted.topic)
            #expect(answer.object?["status"]?.int64 == wanted.status)
            #expect(answer.value(at: JSONPointer(segments: ["value", "error"]))?.string == wanted.code)
            #expect(failures.first?.message.contains(":") == true)
        }
        let letters = try rig.deadLetters()
        #expect(letters.map(\.stage) == [row.dead].compactMap { $0 })
        if let letter = letters.first {
            #expect(letter.message.payload == Array(row.payload.utf8))
            #expect(letter.message.headers.map(\.name) == row.headers.map(\.name))
            #expect((letter.message.address, letter.message.qos, letter.attempts) == ("in/x", 1, 1))
        }
        #expect(rig.counts[row.outcome] == 1, "\(rig.counts)")
        #expect(try rig.inbox().isEmpty)
        assertBalanced(rig)
    }

    @Test("the headers of an unreadable message come from its transport and the header mapping")
    func bestEffort() throws {
        let rig = try PipelineRig()
        let side = try rig.side([source(mapping: [("where", "{{ header:mqtt.topic }}")])])
        let headers = [(name: "Correlation-ID", value: "mine"), (name: "reply-to", value: "r")]
        rig.settle(side, batch([("in/x", "nope")], headers: headers))
        let answer = try JSONValue.parse(try #require(rig.sent().first).payload)
        let sent = try #require(answer.object?["headers"]?.object)
        #expect((sent["correlation-id"]?.string, sent["where"]?.string) == ("mine", "in/x"))
        #expect(rig.recorder.retrieveLogs().entries.first { $0.isFailure }?.correlationID == "mine")
        #expect(try rig.deadLetters().first?.correlationID == "mine")
        let silent = try PipelineRig()
        let other = try silent.side([source()])
        silent.settle(other, batch([("in/x", "nope")], headers: [("response-required", "false")]))
        #expect(silent.sent().isEmpty)
        #expect(silent.counts["dead"] == 1)
    }

    /// A live command and its answer, the words in the log, and what the requester gets in the end.
    static let invalidAnswers: [(action: String, path: String, rest: String, headers: String, log: [String])] = [
        (
            "modify", "/attributes/a", #","status":418"#, "{}",
            ["HttpStatus [code=418, category=CLIENT_ERROR] is invalid. ModifyAttributeResponse only allows"]
        ),
        (
            "retrieve", "/", #","status":200,"value":{}"#, "{}",
            ["things.responses:retrieveThing", "things.commands:modifyAttribute"]
        ),
        (
            "retrieve", "/attributes/a", #","status":200,"value":1"#, #"{"response-required":true}"#,
            ["things.responses:retrieveAttribute", "things.commands:modifyAttribute"]
        ),
    ]

    @Test("J: an invalid live response is told of and ignored", arguments: invalidAnswers)
    func invalidLiveResponse(
        _ row: (action: String, path: String, rest: String, headers: String, log: [String])
    ) throws {
        let rig = try PipelineRig()
        try rig.rig.run(.create, "n:t", "/", "{}")
        let side = try rig.side([source()])
        let answered = Watched<SignalAnswer?>(nil)
        let live = try EngineRig.command(
            .modify, "n:t", "/attributes/a", "1", headers: ["correlation-id": "live-1", "timeout": "5s"])
        var command = live
        command.channel = .live
        rig.rig.engine.request(command, as: EngineRig.owner) { answer in answered.update { $0 = answer } }
        var headers = try #require(try JSONValue.parse(row.headers).object)
        headers["correlation-id"] = "live-1"
        let response = envelope(
            "n/t/things/live/commands/\(row.action)", row.path, row.rest, headers: JSONValue.object(headers).text)
        #expect(rig.settle(side, batch([("in/x", response)])) == .committed)
        let entry = try #require(rig.recorder.retrieveLogs().entries.first { $0.isFailure })
        #expect((entry.category, entry.stage) == (.response, .dropped))
        #expect((entry.correlationID, entry.entityType, entry.entityID) == ("live-1", "thing", "n:t"))
        #expect(entry.message.hasPrefix("Live response is invalid: "))
        for text in row.log { #expect(entry.message.contains(text), "\(entry.message)") }
        let asksBack = row.headers.contains("true")
        #expect(answered.current?.status == (asksBack ? 422 : nil))
        rig.advance(.seconds(6), side)
        #expect(answered.current?.status == (asksBack ? 422 : 408))
        #expect(rig.counts["dropped/unfit-answer"] == 1)
        #expect(try rig.deadLetters().isEmpty)
        assertBalanced(rig)
    }
}
