import Glibc
import Testing
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

/// How one error comes about.
struct ErrorCodeRow: Sendable, CustomTestStringConvertible {
    let code: String
    let status: Int
    var limits = TwinLimits()
    /// Gives the error envelope.
    let trigger: @Sendable (SignalRig) throws -> Envelope

    var testDescription: String { "\(code) \(status)" }

    /// One envelope, answered with the error.
    init(
        _ code: String, _ status: Int, _ text: String, as subject: String = "test:owner",
        limits: TwinLimits = TwinLimits(), after setup: @escaping @Sendable (SignalRig) throws -> Void = { _ in }
    ) {
        self.init(code, status, limits: limits) { rig in
            try setup(rig)
            return try rig.answer(text, as: AuthorizationContext([subject]))
        }
    }

    init(
        _ code: String, _ status: Int, limits: TwinLimits = TwinLimits(),
        trigger: @escaping @Sendable (SignalRig) throws -> Envelope
    ) {
        (self.code, self.status, self.limits, self.trigger) = (code, status, limits, trigger)
    }
}

/// The table of `ErrorCodeTests`.
enum ErrorCodeRows {
    static let all = things + creations + policies + live + general

    private static func thing(
        _ action: String, _ path: String = "/", _ value: String? = nil, of id: String = "n/t", headers: String = "",
        channel: String = "twin", fields: String? = nil
    ) -> String {
        let type = action == "merge" && headers.isEmpty ? SignalRig.mergeType : headers
        return SignalRig.text(
            "\(id)/things/\(channel)/commands/\(action)", path, value, headers: type, fields: fields)
    }

    private static func policy(
        _ action: String, _ path: String = "/", _ value: String? = nil, of id: String = "n/p", headers: String = ""
    ) -> String {
        SignalRig.text("\(id)/policies/commands/\(action)", path, value, headers: headers)
    }

    // MARK: Things

    private static let resources: [(word: String, path: String, value: String)] = [
        ("thing", "/", "{}"), ("policyId", "/policyId", #""a:b""#), ("definition", "/definition", #""a:b:1""#),
        ("attributes", "/attributes", "{}"), ("attribute", "/attributes/a", "1"), ("features", "/features", "{}"),
        ("feature", "/features/e", "{}"), ("feature.definition", "/features/e/definition", #"["a:b:1"]"#),
        ("feature.properties", "/features/e/properties", "{}"), ("feature.property", "/features/e/properties/p", "1"),
        ("feature.desiredProperties", "/features/e/desiredProperties", "{}"),
        ("feature.desiredProperty", "/features/e/desiredProperties/p", "1"),
    ]

    private static let things: [ErrorCodeRow] =
        resources.flatMap { row in
            let absent = ["thing": "n/none", "features": "n/empty", "feature": "n/empty", "policyId": "n/t"]
            // A thing always has a policyId; it can only be hidden.
            let reader = row.word == "policyId" ? "test:stranger" : "test:owner"
            return [
                ErrorCodeRow(
                    "things:\(row.word).notfound", 404,
                    thing("retrieve", row.path, of: absent[row.word] ?? "n/bare"), as: reader),
                ErrorCodeRow(
                    "things:\(row.word).notmodifiable", 403, thing("modify", row.path, row.value), as: "test:device"),
            ]
        } + [
            ErrorCodeRow("things:id.invalid", 400, thing("retrieve", of: "1n/t")),
            ErrorCodeRow("things:id.notsettable", 400, thing("modify", "/", #"{"thingId":"a:b"}"#)),
            ErrorCodeRow("things:id.notdeletable", 400, thing("merge", "/", #"{"thingId":null}"#)),
            ErrorCodeRow("things:policyId.notdeletable", 400, thing("merge", "/policyId", "null")),
            ErrorCodeRow("things:definition.identifier.invalid", 400, thing("modify", "/definition", #""a:b""#)),
            ErrorCodeRow("things:feature.definition.empty", 400, thing("modify", "/features/f/definition", "[]")),
            ErrorCodeRow("things:merge.invalid", 400, thing("merge", "/", "{}")),
            ErrorCodeRow("things:thing.notdeletable", 403, thing("delete"), as: "test:device"),
            ErrorCodeRow("things:thing.conflict", 409, thing("create", "/", "{}")),
            ErrorCodeRow(
                "things:thing.toolarge", 413, thing("modify", "/attributes/a", long(2_000)),
                limits: TwinLimits(thingBytes: 2_000)),
            ErrorCodeRow(
                "things:precondition.failed", 412,
                thing("modify", "/attributes/a", "2", headers: #""if-match":"\"hash:0\"""#)),
            ErrorCodeRow(
                "things:precondition.failed", 412, thing("modify", "/attributes/a", "1", headers: #""if-equal":"skip""#)
            ),
            ErrorCodeRow(
                "things:precondition.notmodified", 304, thing("retrieve", headers: #""if-none-match":"*""#)),
            ErrorCodeRow(
                "things:condition.failed", 412,
                thing("modify", "/attributes/a", "2", headers: #""condition":"eq(attributes/a,7)""#)),
            ErrorCodeRow(
                "things:condition.invalid", 400, thing("modify", "/attributes/a", "2", headers: #""condition":"eq(""#)),
            ErrorCodeRow(
                "things:thing.history.notfound", 404, thing("retrieve", "/", headers: #""at-historical-revision":1"#)),
            ErrorCodeRow(
                "things:things.ids.missing", 400, thing("retrieve", "/", #"{"thingIds":[]}"#, of: "_/_")),
            ErrorCodeRow(
                "things:metadata.headersconflict", 400,
                thing(
                    "modify", "/attributes/a", "2",
                    headers: #""put-metadata":[{"key":"k","value":1}],"delete-metadata":"*""#)),
            ErrorCodeRow(
                "things:metadata.notmodifiable", 400,
                thing(
                    "create", "/", #"{"_metadata":{"a":1}}"#, of: "n/new",
                    headers: #""put-metadata":[{"key":"*/k","value":1}]"#)),
            ErrorCodeRow(
                "things:thing.unavailable", 503, thing("modify", "/attributes/a", "3"), after: closeStore),
            ErrorCodeRow(
                "things:thing.toomanymodifyingrequests", 429, thing("modify", "/attributes/a", "3"),
                limits: TwinLimits(thingBytes: 0), after: fillQueue),
        ]

    /// A JSON string of so many characters.
    private static func long(_ count: Int) -> String { #""\#(String(repeating: "x", count: count))""# }

    // MARK: Creations

    private static func owned(by subject: String, type: String = "t", expiry: String? = nil) -> String {
        let expiring = expiry.map { #","u:x":{"type":"t","expiry":"\#($0)"}"# } ?? ""
        return """
            {"entries":{"o":{"subjects":{"\(subject)":{"type":"\(type)"}\(expiring)},"resources":{\
            "policy:/":{"grant":["READ","WRITE"]},"thing:/":{"grant":["READ","WRITE"]}}}}}
            """
    }

    private static func new(_ value: String) -> String { thing("create", "/", value, of: "n/new") }

    private static let creations: [ErrorCodeRow] = [
        ErrorCodeRow("things:policy.invalid", 400, new(#"{"_policy":{"entries":{}}}"#)),
        ErrorCodeRow("things:policy.invalid", 400, new(#"{"_policy":1}"#)),
        ErrorCodeRow("things:policy.conflicting", 400, new(#"{"_policy":{},"_copyPolicyFrom":"n:p"}"#)),
        // The policy that is given exists already, or cannot be made: its status, the code of the thing.
        ErrorCodeRow(
            "things:thing.notcreatable", 400, new(#"{"policyId":"n:p","_policy":\#(owned(by: "test:owner"))}"#)),
        ErrorCodeRow("things:thing.notcreatable", 400, thing("create", "/", "{}", of: "n/owned")),
        ErrorCodeRow("things:thing.notcreatable", 400, new(#"{"policyId":"n:p","_copyPolicyFrom":"n:owned"}"#)),
        ErrorCodeRow(
            "things:thing.notcreatable", 400,
            new(#"{"_policy":\#(owned(by: "test:owner", expiry: "2000-01-01T00:00:00Z"))}"#)),
        ErrorCodeRow("things:thing.notcreatable", 403, new(#"{"_policy":\#(owned(by: "test:b"))}"#)),
        ErrorCodeRow("things:thing.notcreatable", 405, thing("create", "/", "{}", of: "n/new", channel: "live")),
        ErrorCodeRow(
            "things:thing.notcreatable", 413,
            new(#"{"_policy":\#(owned(by: "test:owner", type: String(repeating: "x", count: 4_000)))}"#),
            limits: TwinLimits(policyBytes: 4_000)),
        ErrorCodeRow("policies:policy.notfound", 404, new(#"{"policyId":"n:none"}"#)),
        ErrorCodeRow("policies:policy.notfound", 404, new(#"{"_copyPolicyFrom":"n:none"}"#)),
        ErrorCodeRow(
            "placeholder:placeholder.reference.notsupported", 400,
            new(#"{"_copyPolicyFrom":"{{ ref:policies/n:p/policyId }}"}"#)),
        ErrorCodeRow(
            "placeholder:placeholder.reference.unknownfield", 400,
            new(#"{"_copyPolicyFrom":"{{ ref:things/n:t/none }}"}"#)),
    ]

    // MARK: Policies

    private static let parts: [(word: String, path: String, value: String)] = [
        ("policy", "/", #"{"entries":{}}"#), ("entry", "/entries/plain", "{}"),
        ("subjects", "/entries/e/subjects", "{}"), ("subject", "/entries/e/subjects/test:b", #"{"type":"u"}"#),
        ("resources", "/entries/e/resources", "{}"),
        ("resource", "/entries/e/resources/thing:/attributes/a", "{}"),
        ("imports", "/imports", #"{"n:base":{"entries":["L"]}}"#), ("import", "/imports/n:free", "{}"),
    ]

    private static let policies: [ErrorCodeRow] =
        parts.flatMap { row in
            [
                ErrorCodeRow("policies:\(row.word).notfound", 404, policy("retrieve", row.path), as: "test:stranger"),
                ErrorCodeRow(
                    "policies:\(row.word).notmodifiable", 403, policy("modify", row.path, row.value),
                    as: "test:stranger"
                ),
            ]
        } + [
            ErrorCodeRow("policies:id.invalid", 400, policy("retrieve", of: "1n/p")),
            ErrorCodeRow(
                "policies:id.notsettable", 400, policy("modify", "/", #"{"policyId":"a:b","entries":{}}"#)),
            ErrorCodeRow("policies:policy.conflict", 409, policy("create", "/", PolicySample.rich)),
            ErrorCodeRow(
                "policies:policy.notcreatable", 403, policy("create", "/", owned(by: "test:b"), of: "n/new")),
            ErrorCodeRow(
                "policies:policy.modificationinvalid", 403, policy("modify", "/", #"{"entries":{}}"#, of: "n/owned")),
            ErrorCodeRow(
                "policies:entry.modificationinvalid", 403, policy("delete", "/entries/owner", of: "n/owned")),
            ErrorCodeRow(
                "policies:policy.toolarge", 413,
                policy("modify", "/entries/e/subjects/u:x", #"{"type":\#(long(4_000))}"#),
                limits: TwinLimits(policyBytes: 4_000)),
            ErrorCodeRow(
                "policies:precondition.failed", 412,
                policy("modify", "/entries/plain", "{}", headers: #""if-match":"\"rev:9\"""#)),
            ErrorCodeRow(
                "policies:precondition.notmodified", 304, policy("retrieve", headers: #""if-none-match":"*""#)),
            ErrorCodeRow(
                "policies:policy.history.notfound", 404, policy("retrieve", headers: #""at-historical-revision":1"#)),
            ErrorCodeRow("policies:view.invalid", 400, policy("retrieve", headers: #""policy-view":"full""#)),
            ErrorCodeRow(
                "policies:entry.invalid", 400, policy("modify", "/entries/x", #"{"importable":"maybe"}"#)),
            ErrorCodeRow("policies:entry.referenceconflict", 409, policy("delete", "/entries/t")),
            ErrorCodeRow("policies:label.invalid", 400, policy("modify", "/entries/importedX", "{}")),
            ErrorCodeRow(
                "policies:subjectid.invalid", 400, policy("modify", "/entries/e/subjects/none", #"{"type":"t"}"#)),
            ErrorCodeRow(
                "policies:subjectexpiry.invalid", 400,
                policy("modify", "/entries/e/subjects/u:x", #"{"type":"t","expiry":"2000-01-01T00:00:00Z"}"#)),
            ErrorCodeRow(
                "policies:subjectannouncement.invalid", 400,
                policy("modify", "/entries/e/subjects/u:x", #"{"type":"t","announcement":{"beforeExpiry":"5d"}}"#)),
            ErrorCodeRow("policies:import.invalid", 400, policy("modify", "/imports/n:p", "{}")),
            ErrorCodeRow("policies:import.referenceconflict", 409, policy("delete", "/imports")),
            ErrorCodeRow(
                "policies:imports.toolarge", 400,
                policy("modify", "/imports", "{\((0..<11).map { "\"n:i\($0)\":{}" }.joined(separator: ","))}")),
            ErrorCodeRow(
                "policies:policy.unavailable", 503, policy("modify", "/entries/plain", "{}"), after: closeStore),
            ErrorCodeRow(
                "policies:policy.toomanymodifyingrequests", 429, policy("modify", "/entries/plain", "{}"),
                limits: TwinLimits(thingBytes: 0), after: fillQueue),
        ]

    // MARK: Live channel and acknowledgements

    private static func message(
        _ subject: String = "ask", path: String? = nil, _ value: String = "1", headers: String = "",
        id: String = "n/t", status: Int? = nil
    ) -> String {
        SignalRig.text(
            "\(id)/things/live/messages/\(subject)", path ?? "/inbox/messages/\(subject)", value, headers: headers,
            status: status)
    }

    private static func ack(_ label: String, headers: String = "") -> String {
        SignalRig.text("n/t/things/twin/acks/\(label)", "/", headers: headers, status: 200)
    }

    private static let live: [ErrorCodeRow] = [
        ErrorCodeRow(
            "messages:payload.toolarge", 413, message("ask", long(100)), limits: TwinLimits(messageBytes: 50)),
        ErrorCodeRow("messages:send.notallowed", 403, message(), as: "test:stranger"),
        ErrorCodeRow("messages:subject.invalid", 400, message("a b")),
        ErrorCodeRow("protocoladapter:invalid.path", 400, message(path: "/inbox/messages/other")),
        ErrorCodeRow("protocoladapter:invalid.path", 400, message(path: "/features/inbox/messages/ask")),
        ErrorCodeRow("things:id.invalid", 400, message(id: "1n/t")),
        ErrorCodeRow("json.key.invalid", 400, message(path: "/features/\\u0007/inbox/messages/ask")),
        ErrorCodeRow(
            "things:event.notallowed", 403, SignalRig.text("n/t/things/live/events/modified", "/attributes/a", "1"),
            as: "test:device"),
        ErrorCodeRow(
            "things:live.channelcondition.notallowed", 405,
            thing(
                "modify", "/attributes/a", "2", headers: #""live-channel-condition":"eq(attributes/a,1)""#,
                channel: "live")),
        ErrorCodeRow("acknowledgement:label.invalid", 400, ack("x")),
        ErrorCodeRow("acknowledgement:ditto.acklabel.forbidden", 400, ack("twin-persisted")),
        ErrorCodeRow("acknowledgement:label.not.declared", 400, ack("my:label")),
        ErrorCodeRow("acknowledgement:correlation-id.missing", 400) { rig in
            let text = #"{"topic":"n/t/things/twin/acks/my:a","path":"/","status":200,"headers":{"x-own":"kept"}}"#
            var answer = try rig.answer(text)
            answer.headers.correlationID = "c"
            return answer
        },
        ErrorCodeRow("acknowledgement:label.not.unique", 409) { rig in
            _ = try rig.base.subscribe(session: "first", acks: ["my:a"])
            let refused = #expect(throws: TwinspanError.self) {
                _ = try rig.base.subscribe(session: "second", acks: ["my:a"])
            }
            // A session is refused as a whole; there is no envelope that is answered.
            return try enveloped(try #require(refused).json)
        },
        ErrorCodeRow(
            "acknowledgement:request.parsing.failed", 422,
            thing("modify", "/attributes/a", "2", headers: #""requested-acks":["x"]"#)),
        ErrorCodeRow("acknowledgement:request.timeout", 408) { rig in
            let asked = try rig.serve(
                thing("modify", "/attributes/a", "2", headers: #""requested-acks":["my:a"]"#))
            #expect(rig.events(1).count == 1)
            rig.base.pass(.seconds(60))
            let all = try asked.only()
            #expect((all.topic.text, all.status) == ("n/t/things/twin/acks", 408))
            let missing = try #require(all.value?.value.object?["my:a"]?.object)
            #expect(missing["status"]?.int64 == 408)
            #expect(missing["headers"]?.object?["correlation-id"] == "c")
            return try enveloped(try #require(missing["payload"]))
        },
        ErrorCodeRow("command.timeout", 408) { rig in
            let asked = try rig.serve(message())
            rig.base.pass(.seconds(60))
            return try asked.only()
        },
        ErrorCodeRow("protocoladapter:illegal.adaptable", 422) { rig in
            let device = try rig.base.subscribe()
            _ = try rig.serve(thing("modify", "/attributes/a", "2", channel: "live"))
            #expect(SignalRig.deliveries(1, of: device).count == 1)
            let answer = SignalRig.text(
                "n/t/things/live/commands/modify", "/attributes/a", headers: #""response-required":true"#, status: 206)
            return try rig.answer(answer, as: LiveFixture.device, from: "device")
        },
        ErrorCodeRow("too.many.requests", 429, message(), limits: TwinLimits(pendingRequests: 1)) { rig in
            _ = try rig.serve(message())
        },
    ]

    /// An error object as the envelope that would carry it.
    private static func enveloped(_ error: JSONValue) throws -> Envelope {
        let status = error.object?["status"]?.text ?? "0"
        return try Envelope.parse(
            SignalRig.text("n/t/things/twin/errors", "/", error.text, headers: type, status: Int(status)).utf8.map(
                \.self))
    }

    private static let type = #""content-type":"application/json""#

    // MARK: Envelope, JSON, headers

    private static let general: [ErrorCodeRow] = [
        ErrorCodeRow("protocoladapter:unknown.topicpath", 400, thing("fly")),
        ErrorCodeRow("protocoladapter:unknown.topicpath", 400, thing("delete", "/policyId")),
        ErrorCodeRow("protocoladapter:unknown.path", 400, thing("modify", "/nowhere", "1")),
        ErrorCodeRow("protocoladapter:unknown.path", 400, policy("modify", "/nowhere", "1")),
        ErrorCodeRow("json.invalid", 400, thing("modify", "/attributes")),
        ErrorCodeRow(
            "json.field.missing", 400,
            #"{"topic":"n/t/things/twin/commands/retrieve","headers":{"correlation-id":"c","x-own":"kept"}}"#),
        ErrorCodeRow("json.key.invalid", 400, thing("modify", "/attributes", #"{"a/b":1}"#)),
        ErrorCodeRow("json.pointer.invalid", 400, thing("modify", "/attributes/a//b", "1")),
        ErrorCodeRow("json.fieldselector.invalid", 400, thing("retrieve", fields: "a(b")),
        ErrorCodeRow("header.invalid", 400, thing("modify", "/attributes/a", "2", headers: #""if-equal":"maybe""#)),
        ErrorCodeRow(
            "header.notsupported", 400,
            thing(
                "modify", "/attributes", "{}", headers: #""put-metadata":[{"key":"features/*/definition/k","value":1}]"#
            )),
        ErrorCodeRow("timeout.invalid", 400, thing("retrieve", headers: #""timeout":"soon""#)),
        ErrorCodeRow(
            "mediatype.unsupported", 415,
            thing("merge", "/attributes", "{}", headers: #""content-type":"application/json""#)),
        ErrorCodeRow("unsupported.api.version", 404, thing("retrieve", headers: #""version":3"#)),
        ErrorCodeRow("signal.unsupported", 400, SignalRig.text("_/_/things/twin/search/subscribe", "/", "{}")),
        ErrorCodeRow(
            "connectivity:connection.id.invalid", 400,
            SignalRig.text("_/a b/connections/announcements/opened", "/", #"{"openedAt":"2030-01-01T00:00:00Z"}"#)),
    ]

    // MARK: Faults of the store

    /// The store refuses changes and cannot be opened again; closed when this returns.
    private static let closeStore: @Sendable (SignalRig) throws -> Void = { rig in
        rig.rig.store.state.update { state in
            state.faults = [.beforeAnything]
            state.failingOpens = 1_000_000
        }
        let lost = try rig.rig.send(.modify, "n:t", "/attributes/a", "2")
        #expect(rig.engine.gate.wait(for: lost.ticket, patience: .seconds(10)) == .rejected)
        try rig.rig.awaitCondition("closed") { if case .closed = $0 { true } else { false } }
    }

    /// Commits stand still, and behind the one that is begun the queue is full of large changes.
    private static let fillQueue: @Sendable (SignalRig) throws -> Void = { rig in
        rig.rig.store.state.update { $0.isBlocked = true }
        _ = try rig.rig.send(.modify, "n:t", "/attributes/a", "2")
        #expect(rig.rig.store.state.wait(10) { $0.blockedCommits > 0 })
        var large = try EngineRig.command(.modify, "n:empty", "/attributes/a", "1")
        large.headers[.responseRequired] = .bool(false)
        large.value = JSONText(.string(String(repeating: "x", count: 33 << 20)))
        for _ in 0..<2 { _ = rig.engine.execute(large, as: EngineRig.owner) }
        // What stands in the queue is never to be written: the commit that holds it up fails.
        rig.rig.store.state.update { $0.faults = [.beforeAnything] }
    }
}
