import Testing
import TwinspanJSON
import TwinspanProtocol

@Suite("Policy signals as envelopes")
struct PolicySignalTests {
    static let paths: [(ThingEvent.Action, String, String)] = [
        (.created, "/entries/l/resources/thing:/features/f", "/entries/l/resources/features/f"),
        (.modified, "/entries/l/resources/message:/a:b/c", "/entries/l/resources/a:b/c"),
        (.created, "/entries/l/resources/thing:/", "/entries/l/resources"),
        (.deleted, "/entries/l/resources/thing:/features/f", "/entries/l/resources/thing:/features/f"),
        (.created, "/entries/l/subjects/https://idp/x:sub", "/entries/l/subjects/https://idp/x:sub"),
        (.modified, "/entries/l/resources", "/entries/l/resources"), (.created, "/entries/l", "/entries/l"),
        (.modified, "/", "/"),
    ]

    @Test("events of created and modified resources leave the type out of their path", arguments: paths)
    func wirePath(action: ThingEvent.Action, path: String, wire: String) throws {
        let event = PolicyEvent(
            policyID: try PolicyID("n:p"), action: action, path: try JSONPointer(policyPath: path),
            value: action == .deleted ? nil : .emptyObject, revision: 4, timestamp: Timestamp(milliseconds: 0))
        let envelope = event.envelope(headers: DittoHeaders())
        #expect(envelope.path.description == wire)
        #expect(envelope.topic.text.hasPrefix("n/p/policies/events/"))
        guard case .policyEvent(let signal) = try Signal(try Envelope.parse(envelope.bytes)) else {
            Issue.record("no event")
            return
        }
        #expect(signal.revision == 4)
        #expect(signal.envelope == envelope)
    }

    @Test("an answer keeps correlation id and custom headers, and drops what only asks")
    func answer() throws {
        let text = """
            {"topic":"n/p/policies/commands/modify","path":"/entries/l","value":{},
            "headers":{"correlation-id":"c","X":"v","if-match":"*","allow-policy-lockout":true}}
            """
        let command = try PolicyCommand(try Envelope.parse(Array(text.utf8)))
        let answer = command.envelope(
            of: PolicyResponse(
                status: 201, value: .emptyObject, revision: 7, etag: "\"hash:1\"", action: .modify))
        let expected = """
            {"topic":"n/p/policies/commands/modify","headers":{"correlation-id":"c","X":"v","response-required":false,
            "content-type":"application/json","etag":"\\"hash:1\\"","entity-revision":7},"path":"/entries/l",
            "value":{},"status":201}
            """
        #expect(try JSONValue.parse(answer.bytes) == JSONValue.parse(expected))
        let created = command.envelope(of: PolicyResponse(status: 201, revision: 1, etag: nil, action: .create))
        #expect(created.topic.text == "n/p/policies/commands/create")
    }

    @Test("answers to questions stand in the order of the questions")
    func checkPermissions() throws {
        let question = #"{"resource":"policy:/","entityId":"n:p","hasPermissions":["EXECUTE"]}"#
        let payload = try JSONText(validating: Array(#"{"b":\#(question),"a":\#(question)}"#.utf8))
        let check = try CheckPermissions(payload: payload)
        #expect(check.payload(of: [true, false]).text == #"{"b":true,"a":false}"#)
        #expect(check.envelope(of: [true, false]).status == 200)
    }

    @Test("questions may stand in a wrapper, and what is no object is no question (policies-search.md F)")
    func wrappedQuestions() throws {
        let question = #"{"resource":"policy:/","entityId":"n:p","hasPermissions":["READ"]}"#
        let rows = [
            (#"{"a":\#(question)}"#, ["a"]),
            (#"{"permissionChecks":{"a":\#(question),"b":\#(question)}}"#, ["a", "b"]),
            (#"{"permissionChecks":\#(question)}"#, ["permissionChecks"]), (#"{"permissionChecks":{}}"#, []),
            (#"{"a":1,"b":\#(question),"c":null,"d":[]}"#, ["b"]), ("{}", []),
            (#"{"permissionChecks":{"resource":\#(question)}}"#, ["resource"]),
        ]
        for (payload, names) in rows {
            let check = try CheckPermissions(payload: try JSONText(validating: Array(payload.utf8)))
            #expect(check.questions.map(\.name) == names, "\(payload)")
        }
    }

    @Test("several subjects that change at once are one event (§6.3)")
    func severalSubjects() throws {
        let rows = [
            (#"{"a":{"i:1":{"type":"t"},"i:2":{"type":"t"}},"b":{"i:1":{"type":"t"}}}"#, "modified", nil),
            (#"{"a":{"i:1":null,"i:2":null},"b":{"i:1":null}}"#, "deleted", #"{"a":["i:1","i:2"],"b":["i:1"]}"#),
        ]
        for (stored, action, value) in rows {
            let event = PolicyEvent(
                policyID: try PolicyID("n:p"), action: .merged, value: try JSONText(validating: Array(stored.utf8)),
                revision: 7, timestamp: Timestamp(milliseconds: 0))
            let envelope = event.envelope(headers: DittoHeaders())
            #expect(envelope.topic.text == "n/p/policies/events/\(action)")
            #expect(envelope.path.isRoot && envelope.value?.text == value ?? stored && envelope.revision == 7)
        }
    }

    @Test("several things are answered in one array")
    func retrieveThings() throws {
        let command = RetrieveThings(namespace: "n", thingIDs: [try ThingID("n:a")])
        let answer = command.envelope(of: JSONText(uncheckedBytes: Array("[{},{}]".utf8)))
        #expect(answer.topic.text == "n/_/things/twin/commands/retrieve")
        #expect(answer.value?.text == "[{},{}]")
        #expect(answer.status == 200)
    }

    @Test("the documented path of an import is the same resource, and comes back in answers as it was written")
    func importAlias() throws {
        let written = try PolicyPath(try JSONPointer(policyPath: "/import/ns:policy"))
        let usual = try PolicyPath(try JSONPointer(policyPath: "/imports/ns:policy"))
        #expect(written == usual && written.path.description == "/imports/ns:policy")
        let command = PolicyCommand(policyID: try PolicyID("n:p"), action: .delete, resource: written)
        let answer = command.envelope(of: PolicyResponse(status: 204, revision: 2, etag: nil, action: .delete))
        #expect(answer.path.description == "/import/ns:policy")
    }
}
