import Glibc
import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

/// Every kind of signal through the one door (spec/protocol.md §4.1, §6.1, §7, §8).
@Suite("Signals through the one door")
struct SignalServiceTests {
    private static func text(
        _ topic: String, _ path: String = "/", _ value: String? = nil, headers: String = "", status: Int? = nil,
        fields: String? = nil
    ) -> String {
        SignalRig.text(topic, path, value, headers: headers, status: status, fields: fields)
    }

    // MARK: Twin

    struct Change: Sendable, CustomTestStringConvertible {
        let action: String
        let path: String
        let value: String?
        let status: Int
        /// The action of the answer's topic.
        let answered: String
        let event: String
        var thing = "n/t"
        var testDescription: String { "\(action) \(path) of \(thing)" }
    }

    private static let new = "n/new"

    static let changes: [Change] = [
        Change(
            action: "create", path: "/", value: "{}", status: 201, answered: "create", event: "created", thing: new),
        Change(
            action: "modify", path: "/", value: "{}", status: 201, answered: "create", event: "created", thing: new),
        Change(
            action: "merge", path: "/", value: #"{"attributes":{}}"#, status: 201, answered: "create", event: "created",
            thing: new),
        Change(action: "modify", path: "/", value: "{}", status: 204, answered: "modify", event: "modified"),
        Change(action: "modify", path: "/attributes/a", value: "2", status: 204, answered: "modify", event: "modified"),
        Change(action: "modify", path: "/attributes/z", value: "2", status: 201, answered: "modify", event: "created"),
        Change(
            action: "merge", path: "/attributes", value: #"{"z":1}"#, status: 204, answered: "merge", event: "merged"),
        Change(action: "delete", path: "/features/f", value: nil, status: 204, answered: "delete", event: "deleted"),
        Change(action: "delete", path: "/", value: nil, status: 204, answered: "delete", event: "deleted"),
    ]

    @Test("a thing command is answered and told as an event, both with its headers", arguments: changes)
    func change(row: Change) throws {
        let rig = try SignalRig()
        let headers = row.action == "merge" ? SignalRig.mergeType : ""
        let topic = "\(row.thing)/things/twin/commands/"
        let answer = try rig.answer(Self.text(topic + row.action, row.path, row.value, headers: headers))
        #expect(answer.status == row.status)
        #expect(answer.topic.text == topic + row.answered)
        #expect(answer.path.description == row.path)
        #expect((answer.value == nil) == (row.status == 204))
        #expect(answer.headers.correlationID == "c")
        #expect(answer.headers["x-own"] == "kept")
        #expect(answer.headers[.responseRequired]?.bool == false)
        let event = try #require(rig.events(1).first { $0.topic.text.hasPrefix(row.thing) })
        #expect(event.topic.text == "\(row.thing)/things/twin/events/\(row.event)")
        #expect(event.path.description == row.path)
        #expect(event.headers.correlationID == "c")
        #expect(event.headers["x-own"] == "kept")
        #expect(event.revision != nil && event.timestamp != nil)
    }

    @Test("retrieves of one and of several things are answered with what may be read")
    func retrieve() throws {
        let rig = try SignalRig()
        let one = try rig.answer(Self.text("n/t/things/twin/commands/retrieve", "/attributes", fields: "o(x)"))
        #expect(one.status == 200)
        #expect(try one.value?.value == json(#"{"o":{"x":1}}"#))
        let ids = #"{"thingIds":["n:empty","n:none","n:t"]}"#
        for topic in ["_/_/things/twin/commands/retrieve", "n/_/things/twin/commands/retrieve"] {
            let several = try rig.answer(Self.text(topic, "/", ids, fields: "thingId"))
            #expect(several.status == 200)
            #expect(several.topic.text == topic)
            #expect(try several.value?.value == json(#"[{"thingId":"n:empty"},{"thingId":"n:t"}]"#))
            #expect(several.headers["x-own"] == "kept")
        }
        let limited = try rig.answer(Self.text("_/_/things/twin/commands/retrieve", "/", ids), as: LiveFixture.limited)
        // Whoever may read a part of a thing may read its id.
        #expect(
            try limited.value?.value
                == json(#"[{"thingId":"n:empty"},{"thingId":"n:t","attributes":{"a":1}}]"#))
        // A retrieve that nobody wants answered is dropped.
        #expect(
            try rig.serve(
                Self.text("n/t/things/twin/commands/retrieve", headers: #""response-required":false"#)
            ).isSilent)
    }

    @Test("policy commands are answered on topics without a channel")
    func policies() throws {
        let rig = try SignalRig()
        let rows: [(action: String, path: String, value: String?, status: Int)] = [
            ("modify", "/entries/plain", "{}", 204), ("modify", "/entries/new", "{}", 201),
            ("delete", "/entries/new", nil, 204), ("retrieve", "/entries/plain", nil, 200),
            ("retrieve", "/entries/e/subjects/https://iss.org/x:s/1", nil, 200), ("delete", "/", nil, 204),
        ]
        for row in rows {
            let answer = try rig.answer(Self.text("n/p/policies/commands/\(row.action)", row.path, row.value))
            #expect(answer.status == row.status, "\(row.action) \(row.path)")
            #expect(answer.topic.text == "n/p/policies/commands/\(row.action)")
            #expect(answer.path.description == row.path)
            #expect((answer.headers.correlationID, answer.headers["x-own"]) == ("c", "kept"))
        }
        let created = try rig.answer(Self.text("n/q/policies/commands/modify", "/", PolicySample.owned))
        #expect((created.status, created.topic.text) == (201, "n/q/policies/commands/create"))
    }

    @Test("nothing is answered before it is committed, neither changes nor what was read of them")
    func commits() throws {
        let rig = try SignalRig()
        rig.rig.store.state.update { $0.isBlocked = true }
        let waiting = [
            try rig.serve(Self.text("n/t/things/twin/commands/modify", "/attributes/a", "2")),
            try rig.serve(Self.text("n/t/things/twin/commands/retrieve", "/attributes/a")),
            try rig.serve(Self.text("n/t/things/twin/commands/retrieve", "/attributes/none")),
            try rig.serve(Self.text("_/_/things/twin/commands/retrieve", "/", #"{"thingIds":["n:t"]}"#)),
            try rig.serve(Self.text("n/p/policies/commands/modify", "/entries/new", "{}")),
            try rig.serve(Self.text("n/p/policies/commands/retrieve", "/entries/new")),
            try rig.serve(Self.text("n/p/policies/commands/retrieve", "/entries/none")),
        ]
        usleep(20_000)
        #expect(waiting.allSatisfy { $0.current.isEmpty })
        #expect(rig.base.fixture.events.take().isEmpty)
        rig.rig.store.state.update { $0.isBlocked = false }
        #expect(try waiting.map { try $0.only().status } == [204, 200, 404, 200, 201, 200, 404])
        #expect(rig.events(1).count == 1)
    }

    @Test("what was not committed is answered with 503, by the code of its entity")
    func lostCommits() throws {
        let rig = try SignalRig()
        rig.rig.store.state.update { $0.isBlocked = true }
        let waiting = [
            try rig.serve(Self.text("n/t/things/twin/commands/modify", "/attributes/a", "2")),
            try rig.serve(Self.text("_/_/things/twin/commands/retrieve", "/", #"{"thingIds":["n:t"]}"#)),
            try rig.serve(Self.text("n/p/policies/commands/modify", "/entries/new", "{}")),
            try rig.serve(Self.text("n/p/policies/commands/retrieve", "/entries/new")),
        ]
        rig.rig.store.state.update { state in
            state.faults = [.beforeAnything]
            state.isBlocked = false
        }
        let answers = try waiting.map { try $0.only() }
        #expect(answers.map(\.status) == [503, 503, 503, 503])
        #expect(
            answers.map(\.errorCode) == [
                "things:thing.unavailable", "things:thing.unavailable", "policies:policy.unavailable",
                "policies:policy.unavailable",
            ])
    }

    static let unanswered: [String] = [
        text("n/t/things/twin/commands/modify", "/attributes/a", "2", headers: no),
        text("n/t/things/twin/commands/modify", "/attributes/a", "2", headers: #""timeout":"0""#),
        text("n/none/things/twin/commands/modify", "/attributes/a", "2", headers: no),
        text("n/t/things/twin/commands/modify", "/definition", "1", headers: no),
        text("n/t/things/twin/commands/modify", "/nowhere", "2", headers: no),
        text("n/t/things/twin/commands/retrieve", headers: no),
        text("_/_/things/twin/commands/retrieve", "/", #"{"thingIds":["n:t"]}"#, headers: no),
        text("n/p/policies/commands/modify", "/entries/new", "{}", headers: no),
        text("n/p/policies/commands/retrieve", "/entries/none", headers: no),
        text("n/t/things/live/messages/ask", "/inbox/messages/ask", "1", headers: no),
        text("n/none/things/live/messages/ask", "/inbox/messages/ask", "1", headers: no),
        text("n/t/things/live/commands/retrieve", headers: no),
        text("n/t/things/live/commands/delete", headers: no),
        text("n/t/things/live/events/modified", "/attributes/a", "2", headers: no),
        text("n/t/things/twin/acks/my:label", headers: no, status: 200),
        text("n/t/things/twin/search/subscribe", headers: no),
        text("n/t/things/twin/commands/migrate", "/", #"{"thingDefinitionUrl":"https://a"}"#, headers: no),
    ]
    private static let no = #""response-required":false"#

    @Test("whoever wants no answer gets none, not even for an error", arguments: unanswered)
    func silent(text: String) throws {
        let rig = try SignalRig()
        #expect(try rig.serve(text).isSilent)
    }

    // MARK: What is not served

    @Test(
        "signals that are understood but not served are refused as unsupported",
        arguments: [
            text("_/_/things/twin/search/subscribe", "/", "{}"),
            text("_/_/things/twin/search/request", "/", #"{"subscriptionId":"s","demand":1}"#),
            text("_/_/things/twin/search/cancel", "/", #"{"subscriptionId":"s"}"#),
            text("n/t/things/twin/streaming/subscribeForPersistedEvents", "/", "{}"),
            text("n/p/policies/streaming/subscribeForPersistedEvents", "/", "{}"),
            text("n/t/things/twin/commands/migrate", "/", #"{"thingDefinitionUrl":"https://a.example/b"}"#),
            text("_/_/things/live/commands/retrieve", "/", #"{"thingIds":["n:t"]}"#),
        ])
    func unsupported(text: String) throws {
        let rig = try SignalRig()
        let asked = try Envelope.parse(Array(text.utf8))
        let answer = try rig.answer(text)
        #expect((answer.errorCode, answer.status) == ("signal.unsupported", 400))
        #expect((answer.topic.namespace, answer.topic.name) == (asked.topic.namespace, asked.topic.name))
        #expect(answer.headers.correlationID == "c")
    }

    @Test(
        "what only the server sends is refused",
        arguments: [
            text("n/t/things/twin/commands/modify", "/attributes/a", status: 204),
            text("n/t/things/twin/events/modified", "/attributes/a", "1"),
            text("n/t/things/twin/errors", "/", #"{"status":400,"error":"a:b"}"#, status: 400),
            text("n/t/things/twin/acks", "/", "{}", status: 200),
            text("_/_/things/twin/commands/retrieve", "/", "[]", status: 200),
            text("_/_/things/twin/search/created", "/", #"{"subscriptionId":"s"}"#),
            text("n/t/things/twin/streaming/complete", "/", #"{"subscriptionId":"s"}"#),
            text("n/p/policies/commands/modify", "/entries/e", status: 204),
            text("n/p/policies/errors", "/", #"{"status":400,"error":"a:b"}"#, status: 400),
            text("_/_/policies/commands/checkPermissions", "/", "{}", status: 200),
            text(
                "n/p/policies/announcements/subjectDeletion", "/",
                #"{"deleteAt":"2030-01-01T00:00:00Z","subjectIds":["a:b"]}"#),
            text("_/c/connections/announcements/opened", "/", #"{"openedAt":"2030-01-01T00:00:00Z"}"#),
        ])
    func serverOnly(text: String) throws {
        let rig = try SignalRig()
        let answer = try rig.answer(text)
        #expect((answer.errorCode, answer.status) == ("protocoladapter:unknown.topicpath", 400))
    }

    // MARK: Live

    @Test("messages reach their subscribers, and the first answer its sender")
    func messages() throws {
        let rig = try SignalRig()
        let device = try rig.base.subscribe()
        let path = "/features/f/inbox/messages/a/b"
        let asked = try rig.serve(
            Self.text("n/t/things/live/messages/a/b", path, #""hi""#, headers: #""content-type":"text/plain""#))
        let delivered = try #require(SignalRig.deliveries(1, of: device).first)
        #expect((delivered.topic.text, delivered.path.description) == ("n/t/things/live/messages/a/b", path))
        #expect(delivered.headers["ditto-message-subject"] == "a/b")
        #expect(delivered.headers["x-own"] == "kept")
        #expect(asked.current.isEmpty)
        for (status, value) in [(418, #""tea""#), (200, #""late""#)] {
            let response = Self.text(
                "n/t/things/live/messages/a/b", path, value, headers: #""content-type":"text/plain""#, status: status)
            #expect(try rig.serve(response, as: LiveFixture.device, from: "device").isSilent)
        }
        let answer = try asked.only()
        #expect((answer.status, answer.value?.value) == (418, "tea"))
        #expect((answer.topic.text, answer.path.description) == ("n/t/things/live/messages/a/b", path))
        #expect((answer.headers.correlationID, answer.headers["content-type"]) == ("c", "text/plain"))
    }

    @Test("live commands reach the device, and its answer or its error the sender; nothing is stored")
    func liveCommands() throws {
        let rig = try SignalRig()
        let device = try rig.base.subscribe()
        let topic = "n/t/things/live/commands/modify"
        let asked = try rig.serve(Self.text(topic, "/attributes/a", "9"))
        let delivered = try #require(SignalRig.deliveries(1, of: device).first)
        #expect((delivered.topic.text, delivered.value?.value) == (topic, 9))
        #expect(
            try rig.serve(Self.text(topic, "/attributes/a", status: 204), as: LiveFixture.device, from: "device")
                .isSilent)
        #expect(try asked.only().status == 204)
        #expect(try asked.only().topic.text == topic)
        let failed = try rig.serve(Self.text("n/t/things/live/commands/retrieve", "/attributes"))
        _ = SignalRig.deliveries(1, of: device)
        let error = #"{"status":507,"error":"my:full","message":"m"}"#
        #expect(
            try rig.serve(
                Self.text("n/t/things/live/errors", "/", error, status: 507), as: LiveFixture.device, from: "device"
            ).isSilent)
        #expect(try (failed.only().status, failed.only().errorCode) == (507, "my:full"))
        #expect(try failed.only().topic.text == "n/t/things/live/errors")
        #expect(try rig.base.fixture.thing("n:t")?.value(at: JSONPointer(segments: ["attributes", "a"])) == 1)
        #expect(rig.base.fixture.events.take().isEmpty)
    }

    @Test("live events reach all but their sender, and nobody answers them")
    func liveEvents() throws {
        let rig = try SignalRig()
        let others = try rig.base.subscribe()
        let sender = try rig.base.subscribe(session: "session")
        let told = try rig.serve(Self.text("n/t/things/live/events/modified", "/attributes/a", "7"))
        let delivered = try #require(SignalRig.deliveries(1, of: others).first)
        #expect((delivered.topic.text, delivered.value?.value) == ("n/t/things/live/events/modified", 7))
        #expect(told.isSilent)
        #expect(sender.take().isEmpty)
    }

    // MARK: Acknowledgements and time

    @Test("acknowledgements that were asked for are gathered into one answer")
    func acknowledgements() throws {
        let rig = try SignalRig()
        _ = try rig.base.subscribe(session: "device", acks: ["my:a", "my:b"])
        let asked = try rig.serve(
            Self.text(
                "n/t/things/twin/commands/modify", "/attributes/a", "2",
                headers: #""requested-acks":["twin-persisted","my:a","my:b"]"#))
        let event = try #require(rig.events(1).first)
        #expect(try event.headers["requested-acks"] == json(#"["my:a","my:b"]"#))
        for (label, status) in [("my:a", 200), ("my:b", 503), ("my:b", 200)] {
            let ack = Self.text("n/t/things/twin/acks/\(label)", "/", #"{"l":1}"#, status: status)
            #expect(try rig.serve(ack, as: LiveFixture.device, from: "device").isSilent)
        }
        let answer = try asked.only()
        #expect((answer.topic.text, answer.status) == ("n/t/things/twin/acks", 424))
        #expect((answer.path.description, answer.headers.correlationID) == ("/", "c"))
        let all = try #require(answer.value?.value.object)
        #expect(all.members.map(\.key) == ["twin-persisted", "my:a", "my:b"])
        #expect(all.members.map { $0.value.object?["status"]?.int64 } == [204, 200, 503])
    }

    @Test("an acknowledgement that was not declared is refused in the words that clients compare")
    func undeclared() throws {
        let rig = try SignalRig()
        let answer = try rig.answer(Self.text("n/t/things/twin/acks/my:label", status: 200), from: "device")
        #expect((answer.topic.text, answer.status) == ("n/t/things/twin/errors", 400))
        let wanted = """
            {"status":400,"error":"acknowledgement:label.not.declared",\
            "message":"Cannot send acknowledgement with label <my:label>, which is not declared.",\
            "description":"Each connection may only send acknowledgements whose label matches one declared \
            for the connection."}
            """
        #expect(try answer.value?.value == json(wanted))
    }

    @Test("what nobody answers in time is answered with 408, and later answers with nothing")
    func timeouts() throws {
        let rig = try SignalRig()
        let topic = "n/t/things/live/messages/ask"
        let message = try rig.serve(Self.text(topic, "/inbox/messages/ask", "1", headers: #""timeout":"5s""#))
        let command = try rig.serve(Self.text("n/t/things/live/commands/retrieve", headers: #""timeout":"5s""#))
        let acks = try rig.serve(
            Self.text(
                "n/t/things/twin/commands/modify", "/attributes/a", "2",
                headers: #""timeout":"5s","requested-acks":["twin-persisted","my:a"]"#))
        #expect(rig.events(1).count == 1)
        rig.base.pass(.milliseconds(4_999))
        #expect(message.current.isEmpty && command.current.isEmpty && acks.current.isEmpty)
        rig.base.pass(.milliseconds(1))
        for replies in [message, command] {
            let answer = try replies.only()
            #expect((answer.errorCode, answer.status) == ("command.timeout", 408))
            #expect((answer.topic.text, answer.headers.correlationID) == ("n/t/things/live/errors", "c"))
        }
        let answer = try acks.only()
        #expect((answer.topic.text, answer.status) == ("n/t/things/twin/acks", 424))
        let late = Self.text(topic, "/inbox/messages/ask", "1", status: 200)
        #expect(try rig.serve(late, as: LiveFixture.device, from: "device").isSilent)
        #expect(message.current.count == 1)
    }

    @Test("an error keeps the topic's entity and channel, the correlation id and custom headers")
    func errors() throws {
        let rig = try SignalRig()
        let rows: [(text: String, topic: String, code: String)] = [
            (Self.text("n/x/things/twin/commands/retrieve"), "n/x/things/twin/errors", "things:thing.notfound"),
            (Self.text("n/x/things/live/commands/retrieve"), "n/x/things/live/errors", "things:thing.notfound"),
            (
                Self.text("n/t/things/twin/commands/modify", "/a//b", "1"), "n/t/things/twin/errors",
                "json.pointer.invalid"
            ),
            (Self.text("n/x/policies/commands/retrieve"), "n/x/policies/errors", "policies:policy.notfound"),
            (
                Self.text("n/x/things/fly/commands/retrieve"), "unknown/unknown/things/twin/errors",
                "protocoladapter:unknown.topicpath"
            ),
        ]
        for row in rows {
            let answer = try rig.answer(row.text)
            #expect((answer.topic.text, answer.errorCode) == (row.topic, row.code))
            #expect(answer.path.isRoot)
            #expect((answer.headers.correlationID, answer.headers["x-own"]) == ("c", "kept"))
            #expect(answer.headers["content-type"] == "application/json")
        }
        let bare = try rig.answer("{")
        #expect((bare.errorCode, bare.topic.text) == ("json.invalid", "unknown/unknown/things/twin/errors"))
    }
}
