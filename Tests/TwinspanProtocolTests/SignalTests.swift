import Testing
import TwinspanJSON
import TwinspanProtocol

@Suite("Signal")
struct SignalTests {
    static func signal(_ topic: String, _ path: String, _ rest: String) throws -> Signal {
        try Signal(try Envelope.parse(Array(#"{"topic":"\#(topic)","path":"\#(path)"\#(rest)}"#.utf8)))
    }

    static let ids = #","value":{"thingIds":["n:a","n:b"]}"#
    static let question =
        #"{"resource":"thing:/features/f","entityId":"n:t","hasPermissions":["READ","WRITE"]}"#

    /// Topic, path, the rest of the envelope, and the name of the case.
    static let legal: [(String, String, String, String)] = [
        ("n/t/things/twin/commands/modify", "/attributes/a", #","value":1"#, "thingCommand"),
        ("/t/things/twin/commands/retrieve", "/", #","fields":"attributes""#, "thingCommand"),
        ("n/t/things/live/commands/modify", "/attributes/a", #","value":null"#, "thingCommand"),
        ("n/t/things/live/commands/delete", "/", "", "thingCommand"),
        ("n/t/things/live/commands/modify", "/attributes/a", #","status":204"#, "thingResponse"),
        ("n/t/things/twin/commands/retrieve", "/policyId", #","status":200,"value":"a:b""#, "thingResponse"),
        ("n/t/things/twin/events/modified", "/features/f", #","value":{},"revision":3"#, "thingEvent"),
        ("n/t/things/twin/events/migrated", "/", #","value":{}"#, "thingEvent"),
        ("n/t/things/live/events/deleted", "/", "", "thingEvent"),
        (
            "n/t/things/live/events/merged", "/", #","value":{"attributes":null},"extra":{"a":1},"metadata":{}"#,
            "thingEvent"
        ),
        ("_/_/things/twin/commands/retrieve", "/", ids, "retrieveThings"),
        ("n/_/things/live/commands/retrieve", "/", ids + #","fields":"attributes/a""#, "retrieveThings"),
        ("n/_/things/twin/commands/retrieve", "/", #","status":200,"value":[]"#, "retrieveThingsResponse"),
        (
            "n/t/things/twin/commands/migrate", "/",
            #","value":{"thingDefinitionUrl":"http://a/","migrationPayload":{"a":1},"patchConditions":"#
                + #"{"thing:/features/x":"exists(thingId)"},"initializeMissingPropertiesFromDefaults":true}"#,
            "migrate"
        ),
        ("n/t/things/twin/commands/migrate", "/", #","status":202,"value":{}"#, "migrateResponse"),
        ("n/p/policies/commands/modify", "/entries/l/subjects/https://idp/x:sub", #","value":{}"#, "policyCommand"),
        ("n/p/policies/commands/delete", "/entries/l/resources/thing:/a/b", "", "policyCommand"),
        ("n/p/policies/commands/retrieve", "/imports/a:b/transitiveImports", "", "policyCommand"),
        ("n/p/policies/commands/modify", "/entries/l/importable", #","status":204"#, "policyResponse"),
        ("n/p/policies/events/created", "/entries/l/resources/a/b", #","value":{},"revision":1"#, "policyEvent"),
        ("n/p/policies/events/deleted", "/", #","value":{"l":["a:b"]}"#, "policyEvent"),
        ("_/_/policies/commands/checkPermissions", "/", #","value":{"q":\#(question)}"#, "checkPermissions"),
        (
            "_/_/policies/commands/checkPermissions", "/", #","status":200,"value":{"q":true}"#,
            "checkPermissionsResponse"
        ),
        ("n/t/things/live/messages/a", "/inbox/messages/a", #","value":"x""#, "message"),
        ("n/t/things/live/messages/a/b//c/", "/outbox/messages/a/b//c/", "", "message"),
        ("n/t/things/live/messages/a~b", "/features/f~0/inbox/messages/a~0b", #","status":418"#, "message"),
        ("n/t/things/live/messages/claim", "/inbox/messages/claim", "", "message"),
        ("n/t/things/live/messages/a%20b", "/inbox/messages/a%20b", #","value":{"x":1},"extra":{}"#, "message"),
        (
            "n/t/things/twin/acks/my:ack", "/", #","status":400,"value":[1],"headers":{"correlation-id":"c"}"#,
            "acknowledgement"
        ),
        ("n/t/things/live/acks/ack", "/", #","status":200,"headers":{"correlation-id":"c"}"#, "acknowledgement"),
        (
            "n/t/things/twin/acks", "/",
            #","status":424,"headers":{"content-type":"application/json"},"value":{"abc":{"status":200},"#
                + #""def":{"status":408,"payload":null,"headers":{"correlation-id":"c"}}}"#,
            "acknowledgements"
        ),
        (
            "n/t/things/live/errors", "/", #","status":404,"value":{"status":404,"error":"a:b","message":"No.","x":1}"#,
            "error"
        ),
        ("unknown/unknown/policies/errors", "/", #","status":400,"value":{"status":400,"error":"a"}"#, "error"),
        ("_/_/things/search/error", "/", #","status":400,"value":{"status":400,"error":"a"}"#, "error"),
        ("_/_/things/twin/search/subscribe", "/", #","value":{}"#, "search"),
        ("_/_/things/twin/search/request", "/", #","value":{"subscriptionId":"1","demand":-1}"#, "search"),
        ("_/_/things/twin/search/next", "/", #","value":{"subscriptionId":"1","items":[{}]}"#, "search"),
        (
            "n/p/policies/streaming/subscribeForPersistedEvents", "/",
            #","value":{"fromHistoricalRevision":-5,"toHistoricalTimestamp":"2030-01-01T00:00:00Z"}"#, "streaming"
        ),
        ("n/t/things/twin/streaming/failed", "/", #","value":{"subscriptionId":"1","error":{}}"#, "streaming"),
        (
            "n/p/policies/announcements/subjectDeletion", "/",
            #","value":{"deleteAt":"2030-01-01T00:00:00.5Z","subjectIds":[]}"#, "announcement"
        ),
        ("_/c/connections/announcements/opened", "/", #","value":{"openedAt":"2030-01-01T00:00:00Z"}"#, "announcement"),
    ]

    @Test("a legal combination is one signal and comes back equal", arguments: legal)
    func understood(topic: String, path: String, rest: String, name: String) throws {
        let signal = try Self.signal(topic, path, rest)
        #expect(String(describing: signal).hasPrefix(name + "("))
        let text = #"{"topic":"\#(topic)","path":"\#(path)"\#(rest)}"#
        let expected = try JSONValue.parse(text)
        let written = try JSONValue.parse(signal.envelope.bytes)
        // Instants come back in their shortest form.
        guard !text.contains(".5Z") else { return }
        #expect(written == expected, "\(written.text)")
    }

    @Test("what only the server sends is not accepted from outside")
    func direction() throws {
        let fromServer: Set<String> = [
            "n/t/things/twin/commands/retrieve /policyId", "n/t/things/twin/events/modified /features/f",
            "n/t/things/twin/events/migrated /", "n/_/things/twin/commands/retrieve /",
            "n/t/things/twin/commands/migrate / 202", "n/p/policies/commands/modify /entries/l/importable",
            "n/p/policies/events/created /entries/l/resources/a/b", "n/p/policies/events/deleted /",
            "n/t/things/twin/acks /", "unknown/unknown/policies/errors /", "_/_/things/search/error /",
            "_/_/things/twin/search/next /", "n/t/things/twin/streaming/failed /",
            "n/p/policies/announcements/subjectDeletion /", "_/c/connections/announcements/opened /",
            "_/_/policies/commands/checkPermissions / 200",
        ]
        for (topic, path, rest, _) in Self.legal {
            let signal = try Self.signal(topic, path, rest)
            var name = "\(topic) \(path)"
            if rest.contains(#""status":202"#) { name += " 202" }
            if topic.hasSuffix("checkPermissions"), rest.contains(#""status":200"#) { name += " 200" }
            var code: String?
            do throws(TwinspanError) { try signal.checkIsAcceptedFromOutside() } catch { code = error.code }
            #expect((code == "protocoladapter:unknown.topicpath") == fromServer.contains(name), "\(name)")
        }
    }

    @Test("the parts of a message are read")
    func message() throws {
        guard
            case .message(let message) = try Self.signal(
                "n/t/things/live/messages/a/b", "/features/f/outbox/messages/a/b",
                #","headers":{"Content-Type":"text/plain","if-match":"*"},"value":"ü""#)
        else {
            Issue.record("no message")
            return
        }
        #expect(message.featureID == "f")
        #expect(message.direction == .outbox)
        #expect(message.subject == "a/b")
        #expect(message.resourcePath.segments == ["features", "f", "outbox", "messages", "a", "b"])
        #expect(message.payloadByteCount == 2)
        #expect(!message.isClaim)
        let delivered = message.deliveredEnvelope
        #expect(delivered.headers["ditto-message-direction"]?.string == "FROM")
        #expect(delivered.headers["ditto-message-subject"]?.string == "a/b")
        #expect(delivered.headers["ditto-message-thing-id"]?.string == "n:t")
        #expect(delivered.headers["ditto-message-feature-id"]?.string == "f")
        #expect(delivered.headers["if-match"] == nil)
    }

    static let statuses: [(String, Int, Bool)] = [
        ("create", 201, true), ("create", 204, false), ("modify", 201, true), ("modify", 204, true),
        ("modify", 200, false), ("modify", 206, false), ("merge", 204, true), ("merge", 206, false),
        ("retrieve", 200, true), ("retrieve", 204, false), ("retrieve", 404, false), ("delete", 204, true),
        ("delete", 200, false), ("delete", 500, false),
    ]

    @Test("a response has a status that its kind allows", arguments: statuses)
    func status(action: String, status: Int, isLegal: Bool) throws {
        let signal = try Self.signal("n/t/things/live/commands/\(action)", "/", #","status":\#(status)"#)
        guard case .thingResponse(let reply) = signal else {
            Issue.record("no response")
            return
        }
        do throws(TwinspanError) {
            try reply.checkStatus()
            #expect(isLegal)
        } catch {
            #expect(!isLegal)
            #expect((error.code, error.status) == ("protocoladapter:illegal.adaptable", 422))
            if status == 206 {
                #expect(error.message.contains("HttpStatus [code=206, category=SUCCESS] is invalid."))
            }
        }
    }

    @Test("an answer fits a command of the same kind on the same resource only")
    func fits() throws {
        guard case .thingCommand(let command) = try Self.signal("n/t/things/live/commands/retrieve", "/features/f", "")
        else {
            Issue.record("no command")
            return
        }
        let answers = [
            ("n/t/things/live/commands/retrieve", "/features/f", true),
            ("n/t/things/live/commands/delete", "/features/f", false),
            ("n/t/things/live/commands/retrieve", "/features", false),
            ("n/u/things/live/commands/retrieve", "/features/f", false),
        ]
        for (topic, path, isFitting) in answers {
            guard case .thingResponse(let reply) = try Self.signal(topic, path, #","status":200"#) else {
                Issue.record("no response")
                continue
            }
            #expect(reply.answers(command) == isFitting, "\(topic) \(path)")
        }
    }
}
