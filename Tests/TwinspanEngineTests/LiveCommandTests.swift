import Testing
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanEngine

@Suite("Live commands and events")
struct LiveCommandTests {
    @Test("a live command reaches the device, changes nothing, and its answer reaches the requester")
    func answered() throws {
        let live = try LiveFixture()
        let device = try live.subscribe()
        let before = try live.fixture.thing("n:t")
        let answers = try live.request(try LiveFixture.command(.modify, "/attributes/a", "5"))
        let envelope = try #require(device.take().first).envelope
        #expect(envelope.topic.text == "n/t/things/live/commands/modify")
        #expect(envelope.path.description == "/attributes/a")
        #expect(envelope.headers[.responseRequired] == true)
        let response = try LiveFixture.response(.modify, "/attributes/a", 204)
        #expect(try live.live.answer(response, from: try live.responder()) == .counted)
        #expect(try live.live.answer(response, from: try live.responder()) == .unknown)
        guard case .live(let answer) = try answers.only() else { throw Unexpected() }
        #expect(answer.status == 204)
        #expect(answer.headers.correlationID == "c")
        #expect(try live.fixture.thing("n:t") == before)
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        let action: ThingCommand.Action
        let path: String
        var value: String?
        var id = "n:t"
        var sender = "test:owner"
        var headers: [String: JSONValue] = [:]
        let code: String
        let status: Int

        var testDescription: String { "\(sender) \(action) \(path) \(code)" }
    }

    static let refusals: [Refusal] = [
        Refusal(action: .create, path: "/", value: "{}", code: "things:thing.notcreatable", status: 405),
        Refusal(action: .retrieve, path: "/", id: "n:none", code: "things:thing.notfound", status: 404),
        Refusal(action: .modify, path: "/", value: "{}", id: "n:none", code: "things:thing.notfound", status: 404),
        Refusal(
            action: .retrieve, path: "/attributes/a", sender: "test:stranger", code: "things:attribute.notfound",
            status: 404),
        Refusal(
            action: .retrieve, path: "/features", sender: "test:limited", code: "things:features.notfound",
            status: 404),
        Refusal(
            action: .modify, path: "/features/f/properties/p", value: "1", sender: "test:writer",
            code: "things:feature.property.notmodifiable", status: 403),
        Refusal(
            action: .modify, path: "/attributes/a", value: "1", sender: "test:device",
            code: "things:attribute.notmodifiable", status: 403),
        Refusal(
            action: .merge, path: "/", value: #"{"attributes":{"a":1},"features":{}}"#, sender: "test:writer",
            code: "things:thing.notmodifiable", status: 403),
        Refusal(
            action: .merge, path: "/", value: #"{"{{ /a/ }}":null}"#, sender: "test:writer",
            code: "things:thing.notmodifiable", status: 403),
        Refusal(
            action: .delete, path: "/", sender: "test:writer", code: "things:thing.notdeletable", status: 403),
        Refusal(
            action: .delete, path: "/features/f", sender: "test:writer", code: "things:feature.notmodifiable",
            status: 403),
        Refusal(
            action: .modify, path: "/attributes/a", value: "1", headers: ["condition": "gt(attributes/a,1)"],
            code: "things:condition.failed", status: 412),
        Refusal(
            action: .modify, path: "/attributes/a", value: "1", sender: "test:writer",
            headers: ["condition": "eq(attributes/a,1)"], code: "things:condition.failed", status: 412),
        Refusal(
            action: .retrieve, path: "/", headers: ["condition": "no"], code: "things:condition.invalid", status: 400),
        Refusal(
            action: .modify, path: "/attributes/a", value: "1",
            headers: ["live-channel-condition": "exists(attributes/a)"],
            code: "things:live.channelcondition.notallowed", status: 405),
        Refusal(
            action: .retrieve, path: "/", headers: ["live-channel-timeout-strategy": "pray"], code: "header.invalid",
            status: 400),
        Refusal(action: .retrieve, path: "/", headers: ["timeout": "x"], code: "timeout.invalid", status: 400),
    ]

    @Test("what must not be sent is refused and reaches nobody", arguments: refusals)
    func refused(row: Refusal) throws {
        let live = try LiveFixture()
        let device = try live.subscribe()
        let command = try LiveFixture.command(row.action, row.path, row.value, id: row.id, headers: row.headers)
        let answers = try live.request(command, as: AuthorizationContext([row.sender]))
        try answers.expectError(row.code, row.status)
        #expect(device.take().isEmpty)
        #expect(live.live.load.pending == 0)
    }

    @Test("partial WRITE suffices for a merge whose leaves may all be written")
    func partialMerge() throws {
        let live = try LiveFixture()
        let device = try live.subscribe()
        let command = try LiveFixture.command(.merge, "/", #"{"attributes":{"a":1,"{{ /x/ }}":null}}"#)
        _ = try live.request(command, as: AuthorizationContext(["test:writer"]))
        #expect(device.take().count == 1)
    }

    @Test("commands with a value go to those who may read all of it, others to those who may read the path")
    func delivery() throws {
        let live = try LiveFixture()
        let limited = try live.subscribe(as: LiveFixture.limited, session: "limited")
        let rows: [(ThingCommand.Action, String, String?, Bool)] = [
            (.modify, "/attributes", #"{"a":1,"b":2}"#, false), (.modify, "/attributes", #"{"a":1}"#, true),
            (.modify, "/attributes/a", "1", true), (.modify, "/attributes/b", "1", false),
            (.retrieve, "/attributes/a", nil, true), (.retrieve, "/attributes", nil, false),
            (.delete, "/attributes/a", nil, true), (.delete, "/features", nil, false),
        ]
        for (action, path, value, isDelivered) in rows {
            _ = try live.request(try LiveFixture.command(action, path, value))
            #expect(limited.take().count == (isDelivered ? 1 : 0), "\(action) \(path)")
        }
    }

    @Test("live events are delivered in their readable part, and answered to nobody")
    func events() throws {
        let live = try LiveFixture()
        let (device, limited) = (
            try live.subscribe(), try live.subscribe(as: LiveFixture.limited, session: "limited", acks: ["my:l"])
        )
        func event(_ path: String, _ value: String?, _ headers: [String: JSONValue] = [:]) throws -> LiveEvent {
            LiveEvent(
                thingID: try ThingID("n:t"), action: value == nil ? .deleted : .modified,
                path: try JSONPointer(parsing: path), value: try value.map { JSONText(try json($0)) },
                headers: LiveFixture.headers(headers), revision: 5)
        }
        let sent = try live.send(try event("/attributes", #"{"a":1,"b":2}"#))
        #expect(try sent.only() == .accepted)
        let envelope = try #require(device.take().first).envelope
        #expect(envelope.topic.text == "n/t/things/live/events/modified")
        #expect(envelope.revision == 5)
        #expect(envelope.headers[.responseRequired] == false)
        let part = try #require(limited.take().first)
        #expect(part.envelope.value?.text == #"{"a":1}"#)
        #expect(part.bytes == part.envelope.bytes)
        // Withheld: acknowledged weakly.
        let weak = try live.send(try event("/features", nil, ["requested-acks": ["my:l", "live-response"]]))
        guard case .acknowledgements(let all) = try weak.only() else { throw Unexpected() }
        #expect(all.acknowledgements.map(\.isWeak) == [true])
        #expect(limited.take().isEmpty)
        let refused = try live.send(try event("/features/f", "{}"), as: AuthorizationContext(["test:writer"]))
        try refused.expectError("things:event.notallowed", 403)
        let unknown = try live.send(
            LiveEvent(thingID: try ThingID("n:none"), action: .deleted, path: .root))
        try unknown.expectError("things:thing.notfound", 404)
    }

    // MARK: Answers

    struct Answer: Sendable, CustomTestStringConvertible {
        let command: (ThingCommand.Action, String)
        let response: (ThingCommand.Action, String, Int)
        var isError = false
        let isAccepted: Bool

        var testDescription: String { "\(command) \(response)" }
    }

    static let answers: [Answer] = [
        Answer(command: (.modify, "/attributes/a"), response: (.modify, "/attributes/a", 204), isAccepted: true),
        Answer(command: (.modify, "/attributes/a"), response: (.modify, "/attributes/a", 201), isAccepted: true),
        Answer(command: (.modify, "/attributes/a"), response: (.create, "/attributes/a", 201), isAccepted: true),
        Answer(command: (.modify, "/attributes/a"), response: (.create, "/attributes/a", 204), isAccepted: false),
        Answer(command: (.modify, "/attributes/a"), response: (.modify, "/attributes/a", 206), isAccepted: false),
        Answer(command: (.modify, "/attributes/a"), response: (.modify, "/attributes/b", 204), isAccepted: false),
        Answer(command: (.modify, "/attributes/a"), response: (.merge, "/attributes/a", 204), isAccepted: false),
        Answer(command: (.modify, "/attributes/a"), response: (.retrieve, "/attributes/a", 200), isAccepted: false),
        Answer(
            command: (.modify, "/attributes/a"), response: (.retrieve, "/", 418), isError: true, isAccepted: true),
        Answer(command: (.merge, "/attributes/a"), response: (.merge, "/attributes/a", 204), isAccepted: true),
        Answer(command: (.merge, "/attributes/a"), response: (.merge, "/attributes/a", 200), isAccepted: false),
        Answer(command: (.delete, "/attributes/a"), response: (.delete, "/attributes/a", 204), isAccepted: true),
        Answer(command: (.delete, "/attributes/a"), response: (.delete, "/attributes/a", 200), isAccepted: false),
        Answer(command: (.delete, "/attributes/a"), response: (.create, "/attributes/a", 201), isAccepted: false),
        Answer(command: (.retrieve, "/attributes/a"), response: (.retrieve, "/attributes/a", 200), isAccepted: true),
        Answer(command: (.retrieve, "/attributes/a"), response: (.retrieve, "/attributes/a", 204), isAccepted: false),
        Answer(command: (.retrieve, "/attributes/a"), response: (.retrieve, "/attributes", 200), isAccepted: false),
        Answer(command: (.retrieve, "/attributes/a"), response: (.retrieve, "/attributes/a", 404), isAccepted: false),
    ]

    @Test("an answer is accepted if its path, its action and its status fit", arguments: answers)
    func acceptance(row: Answer) throws {
        let live = try LiveFixture()
        let value = row.command.0 == .modify || row.command.0 == .merge ? "1" : nil
        let answers = try live.request(try LiveFixture.command(row.command.0, row.command.1, value))
        let response = try LiveFixture.response(
            row.response.0, row.response.1, row.response.2, isError: row.isError)
        let fate = try live.live.answer(response, from: try live.responder())
        if row.isAccepted {
            #expect(fate == .counted)
            #expect(try answers.only().status == row.response.2)
            return
        }
        guard case .invalid(let error) = fate else { throw Unexpected() }
        #expect(error.code == "protocoladapter:illegal.adaptable")
        #expect(error.status == 422)
        #expect(answers.current.isEmpty)
        live.pass(.seconds(60))
        let timeout = try answers.expectError("command.timeout", 408)
        #expect(timeout?.description?.contains(error.message) == true)
    }

    @Test("an answer that does not fit and wants a response itself is answered on its session")
    func invalidOnSession() throws {
        let live = try LiveFixture()
        let answers = try live.request(try LiveFixture.command(.modify, "/attributes/a", "1"))
        let headers: [String: JSONValue] = ["correlation-id": "c", "response-required": true]
        let wrong = try LiveFixture.response(.modify, "/attributes/a", 206, headers: headers)
        let error = expectRefusal("protocoladapter:illegal.adaptable", 422) {
            _ = try live.live.answer(wrong, from: try live.responder())
        }
        #expect(error?.message == "HttpStatus [code=206, category=SUCCESS] is invalid.")
        #expect(answers.current.isEmpty)
        // A better answer is still welcome.
        let right = try LiveFixture.response(.modify, "/attributes/a", 204)
        #expect(try live.live.answer(right, from: try live.responder()) == .counted)
        #expect(try answers.only().status == 204)
    }

    @Test("from a connection it is the requester who is told")
    func invalidFromConnection() throws {
        let live = try LiveFixture()
        let answers = try live.request(try LiveFixture.command(.modify, "/attributes/a", "1"))
        let headers: [String: JSONValue] = ["correlation-id": "c", "response-required": true]
        let wrong = try LiveFixture.response(.modify, "/attributes/a", 500, headers: headers)
        _ = try live.live.answer(wrong, from: try live.responder("device", .connection))
        let error = try answers.expectError("protocoladapter:illegal.adaptable", 422)
        #expect(error?.message == "HttpStatus [code=500, category=SERVER_ERROR] is invalid.")
    }

    @Test("answers go to the request of their thing and kind alone")
    func correlation() throws {
        let live = try LiveFixture()
        try live.fixture.make("n:u", Sample.guarded)
        let command = try live.request(try LiveFixture.command(.retrieve, "/attributes"))
        let message = try live.send(try LiveFixture.message(id: "n:u"))
        let responder = try live.responder()
        let strangers: [LiveResponse] = [
            try LiveFixture.response(.retrieve, 200, "{}", headers: [:]),
            try LiveFixture.response(.retrieve, 200, "{}", headers: ["correlation-id": "d"]),
            try LiveFixture.response(.retrieve, 200, "{}", headers: ["correlation-id": "cc"]),
            try LiveFixture.response(.retrieve, 200, "{}", id: "n:v"),
        ]
        for stranger in strangers { #expect(try live.live.answer(stranger, from: responder) == .unknown) }
        guard
            case .invalid = try live.live.answer(
                try LiveFixture.response(.retrieve, 200, "{}", id: "n:u"), from: responder),
            case .invalid = try live.live.answer(try LiveFixture.message(status: 200), from: responder),
            case .invalid = try live.live.answer(
                try LiveFixture.message("other", id: "n:u", status: 200), from: responder)
        else { throw Unexpected() }
        #expect(command.current.isEmpty)
        #expect(message.current.isEmpty)
        // An error answers a message, too.
        let error = try LiveFixture.response(.retrieve, "/", 503, "{}", id: "n:u", isError: true)
        #expect(try live.live.answer(error, from: responder) == .counted)
        #expect(try message.only().status == 503)
    }

    @Test("what a device returns is cut to what the requester may read")
    func readable() throws {
        let live = try LiveFixture()
        let answers = try live.request(try LiveFixture.command(.retrieve, "/attributes"), as: LiveFixture.limited)
        let response = try LiveFixture.response(.retrieve, 200, #"{"a":1,"secret":2}"#)
        #expect(try live.live.answer(response, from: try live.responder()) == .counted)
        guard case .live(let answer) = try answers.only() else { throw Unexpected() }
        #expect(answer.value?.text == #"{"a":1}"#)
    }

    @Test("the same holds for the payload of an aggregate")
    func readableAggregate() throws {
        let live = try LiveFixture()
        _ = try live.subscribe([.messages], session: "other", acks: ["my:a"])
        let command = try LiveFixture.command(
            .retrieve, headers: ["correlation-id": "c", "requested-acks": ["live-response", "my:a"]])
        let answers = try live.request(command, as: LiveFixture.limited)
        let response = try LiveFixture.response(.retrieve, 200, #"{"a":1,"secret":2}"#)
        #expect(try live.live.answer(response, from: try live.responder()) == .counted)
        guard case .acknowledgements(let all) = try answers.only() else { throw Unexpected() }
        #expect(all.acknowledgements[0].payload?.text == #"{"a":1}"#)
        #expect(all.acknowledgements[1].isWeak)
    }
}

extension LiveFixture {
    static func response(
        _ action: ThingCommand.Action, _ status: Int, _ value: String?, id: String = "n:t",
        headers: [String: JSONValue] = ["correlation-id": "c"]
    ) throws -> LiveResponse {
        try response(action, "/attributes", status, value, id: id, headers: headers)
    }
}
