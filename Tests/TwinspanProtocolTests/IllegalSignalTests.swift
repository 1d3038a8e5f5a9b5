import Testing
import TwinspanJSON
import TwinspanProtocol

@Suite("Envelopes that are no signal")
struct IllegalSignalTests {
    /// Topic, path, the rest of the envelope, code and status.
    typealias Row = (topic: String, path: String, rest: String, code: String, status: Int)

    static let topicPath = "protocoladapter:unknown.topicpath"
    static let unknownPath = "protocoladapter:unknown.path"
    static let correlated = #","headers":{"correlation-id":"c"}"#

    static let things: [Row] = [
        ("n/t/things/live/commands/create", "/", #","value":{}"#, "things:thing.notcreatable", 405),
        ("n/t/things/live/commands/create", "/", "", "things:thing.notcreatable", 405),
        ("n/t/things/twin/commands/create", "/", "", "json.invalid", 400),
        ("n/t/things/twin/commands/create", "/features", #","value":{}"#, topicPath, 400),
        ("n/t/things/twin/commands/modify", "/", "", "json.invalid", 400),
        ("n/t/things/live/commands/modify", "/attributes", "", "json.invalid", 400),
        ("n/t/things/twin/commands/modify", "/thing", #","value":1"#, unknownPath, 400),
        ("n/t/things/twin/commands/modify", "/policyId/x", #","value":1"#, unknownPath, 400),
        ("n/t/things/twin/commands/modify", "/features/f/definition/x", #","value":1"#, unknownPath, 400),
        ("n/t/things/twin/commands/modify", "/attributes/\\u0001", #","value":1"#, "json.key.invalid", 400),
        ("n/t/things/twin/commands/modify", "/attributes//a", #","value":1"#, "json.pointer.invalid", 400),
        ("n/t/things/twin/commands/merge", "/", #","value":{}"#, "mediatype.unsupported", 415),
        (
            "n/t/things/live/commands/merge", "/", #","value":{},"headers":{"content-type":"application/json"}"#,
            "mediatype.unsupported", 415
        ),
        (
            "n/t/things/twin/commands/merge", "/", #","headers":{"content-type":"application/merge-patch+json"}"#,
            "json.invalid", 400
        ),
        ("n/t/things/twin/commands/delete", "/policyId", "", topicPath, 400),
        ("n/t/things/live/commands/delete", "/policyId", "", topicPath, 400),
        ("n/t/things/twin/commands/checkPermissions", "/", #","value":{}"#, topicPath, 400),
        ("1n/t/things/twin/commands/retrieve", "/", "", "things:id.invalid", 400),
        ("_/t/things/twin/commands/retrieve", "/", "", "things:id.invalid", 400),
        ("n/é/things/twin/commands/retrieve", "/", "", "things:id.invalid", 400),
        ("_/_/things/twin/commands/modify", "/", #","value":{}"#, topicPath, 400),
        ("n/_/things/twin/commands/delete", "/", "", topicPath, 400),
        ("_/_/things/twin/commands/retrieve", "/", "", "json.invalid", 400),
        ("_/_/things/twin/commands/retrieve", "/", #","value":[]"#, "json.invalid", 400),
        ("_/_/things/twin/commands/retrieve", "/", #","value":{}"#, "json.field.missing", 400),
        ("_/_/things/twin/commands/retrieve", "/", #","value":{"thingIds":"a:b"}"#, "json.invalid", 400),
        ("_/_/things/twin/commands/retrieve", "/", #","value":{"thingIds":[1]}"#, "json.invalid", 400),
        ("_/_/things/twin/commands/retrieve", "/", #","value":{"thingIds":[]}"#, "things:things.ids.missing", 400),
        ("_/_/things/twin/commands/retrieve", "/", #","value":{"thingIds":["x"]}"#, "things:id.invalid", 400),
        ("n/_/things/twin/commands/retrieve", "/", #","value":{"thingIds":["m:x"]}"#, "things:id.invalid", 400),
        ("1/_/things/twin/commands/retrieve", "/", #","value":{"thingIds":["m:x"]}"#, "things:id.invalid", 400),
        (
            "_/_/things/twin/commands/retrieve", "/attributes", #","value":{"thingIds":["m:x"]}"#, unknownPath, 400
        ),
        ("n/t/things/twin/commands/migrate", "/", "", "json.invalid", 400),
        ("n/t/things/twin/commands/migrate", "/", #","value":{}"#, "json.field.missing", 400),
        ("n/t/things/twin/commands/migrate", "/", #","value":{"thingDefinitionUrl":1}"#, "json.invalid", 400),
        (
            "n/t/things/twin/commands/migrate", "/a", #","value":{"thingDefinitionUrl":"http://x/"}"#, unknownPath, 400
        ),
        (
            "n/t/things/twin/commands/migrate", "/",
            #","value":{"thingDefinitionUrl":"http://x/","patchConditions":{"a":1}}"#, "json.invalid", 400
        ),
        ("n/t/things/live/commands/migrate", "/", #","value":{}"#, topicPath, 400),
        ("n/t/things/twin/events/modified", "/attributes", "", "json.invalid", 400),
        ("n/t/things/live/events/created", "/", "", "json.invalid", 400),
        ("n/t/things/live/events/migrated", "/", #","value":{}"#, topicPath, 400),
        ("n/t/things/live/events/modified", "/nothing", #","value":{}"#, unknownPath, 400),
        ("n/t/things/twin/events/modified", "/", #","value":{},"timestamp":"yesterday""#, "json.invalid", 400),
        (
            "n/t/things/twin/events/modified", "/", #","value":{},"timestamp":"2024-02-30T00:00:00Z""#, "json.invalid",
            400
        ),
        ("n/t/things/twin/errors", "/", "", "json.invalid", 400),
        ("n/t/things/twin/errors", "/", #","value":{"error":"a"}"#, "json.field.missing", 400),
        ("n/t/things/twin/errors", "/", #","value":{"status":404}"#, "json.field.missing", 400),
        ("n/t/things/live/errors", "/a", #","status":404,"value":{"error":"a"}"#, unknownPath, 400),
        ("n/t/things/twin/announcements/x", "/", #","value":{}"#, topicPath, 400),
    ]

    static let live: [Row] = [
        ("n/t/things/twin/messages/a", "/inbox/messages/a", "", topicPath, 400),
        ("n/t/things/live/messages", "/inbox/messages/a", "", topicPath, 400),
        ("n/t/things/live/messages/", "/inbox/messages/a", "", topicPath, 400),
        ("n/t/things/live/messages/a", "/inbox/messages/b", "", "protocoladapter:invalid.path", 400),
        ("n/t/things/live/messages/a", "/inbox/messages/a/b", "", "protocoladapter:invalid.path", 400),
        ("n/t/things/live/messages/a", "/inbox/messages/", "", "protocoladapter:invalid.path", 400),
        ("n/t/things/live/messages/a", "/inbox/messages", "", "protocoladapter:invalid.path", 400),
        ("n/t/things/live/messages/a", "/", "", "protocoladapter:invalid.path", 400),
        ("n/t/things/live/messages/a", "/mailbox/messages/a", "", "protocoladapter:invalid.path", 400),
        ("n/t/things/live/messages/a", "/inbox/message/a", "", "protocoladapter:invalid.path", 400),
        ("n/t/things/live/messages/a", "/attributes/x", "", "protocoladapter:invalid.path", 400),
        ("n/t/things/live/messages/a", "/features/inbox/messages/a", "", "protocoladapter:invalid.path", 400),
        ("n/t/things/live/messages/a", "/features/f/x/inbox/messages/a", "", "protocoladapter:invalid.path", 400),
        ("n/t/things/live/messages/a", "/features/\\u007f/inbox/messages/a", "", "json.key.invalid", 400),
        ("n/t/things/live/messages/a b", "/inbox/messages/a b", "", "messages:subject.invalid", 400),
        ("n/t/things/live/messages/a?b", "/inbox/messages/a?b", "", "messages:subject.invalid", 400),
        ("n/t/things/live/messages/a#b", "/inbox/messages/a#b", "", "messages:subject.invalid", 400),
        ("n/t/things/live/messages/a%2", "/inbox/messages/a%2", "", "messages:subject.invalid", 400),
        ("n/t/things/live/messages/é", "/inbox/messages/é", "", "messages:subject.invalid", 400),
        (
            "n/t/things/live/messages/\(String(repeating: "a", count: 257))",
            "/inbox/messages/\(String(repeating: "a", count: 257))", "", "messages:subject.invalid", 400
        ),
        ("1/t/things/live/messages/a", "/inbox/messages/a", "", "things:id.invalid", 400),
        (
            "n/t/things/live/messages/a", "/inbox/messages/a", #","headers":{"timeout":"soon"}"#, "timeout.invalid", 400
        ),
        ("n/t/things/twin/acks/abc", "/", correlated, "json.field.missing", 400),
        ("n/t/things/twin/acks/abc", "/", #","status":700"# + correlated, "json.field.missing", 400),
        ("n/t/things/twin/acks/abc", "/", #","status":200"#, "acknowledgement:correlation-id.missing", 400),
        (
            "n/t/things/twin/acks/abc", "/", #","status":200,"headers":{"correlation-id":""}"#,
            "acknowledgement:correlation-id.missing", 400
        ),
        ("n/t/things/twin/acks/ab", "/", #","status":200"# + correlated, "acknowledgement:label.invalid", 400),
        ("n/t/things/twin/acks/a.c", "/", #","status":200"# + correlated, "acknowledgement:label.invalid", 400),
        ("n/t/things/twin/acks/abc/def", "/", #","status":200"# + correlated, "acknowledgement:label.invalid", 400),
        ("n/t/things/twin/acks/", "/", #","status":200"# + correlated, "acknowledgement:label.invalid", 400),
        (
            "n/t/things/twin/acks/\(String(repeating: "a", count: 166))", "/", #","status":200"# + correlated,
            "acknowledgement:label.invalid", 400
        ),
        ("n/t/things/twin/acks/abc", "/attributes", #","status":200"# + correlated, unknownPath, 400),
        ("1/t/things/twin/acks/abc", "/", #","status":200"# + correlated, "things:id.invalid", 400),
        ("n/t/things/twin/acks", "/", #","value":{}"#, "json.field.missing", 400),
        ("n/t/things/twin/acks", "/", #","status":200"#, "json.invalid", 400),
        ("n/t/things/twin/acks", "/", #","status":200,"value":[]"#, "json.invalid", 400),
        ("n/t/things/twin/acks", "/", #","status":200,"value":{"abc":1}"#, "json.invalid", 400),
        ("n/t/things/twin/acks", "/", #","status":200,"value":{"abc":{}}"#, "json.field.missing", 400),
        ("n/t/things/twin/acks", "/", #","status":200,"value":{"abc":{"status":1}}"#, "json.invalid", 400),
        (
            "n/t/things/twin/acks", "/", #","status":200,"value":{"a":{"status":200}}"#,
            "acknowledgement:label.invalid", 400
        ),
    ]

    static let policies: [Row] = [
        ("n/p/policies/commands/merge", "/", #","value":{}"#, topicPath, 400),
        ("n/p/policies/commands/migrate", "/", #","value":{}"#, topicPath, 400),
        ("n/p/policies/commands/merge", "/", #","status":204"#, topicPath, 400),
        ("n/p/policies/commands/create", "/", "", "json.invalid", 400),
        ("n/p/policies/commands/create", "/entries/l", #","value":{}"#, topicPath, 400),
        ("n/p/policies/commands/modify", "/entries", "", "json.invalid", 400),
        ("n/p/policies/commands/modify", "/attributes", #","value":1"#, unknownPath, 400),
        ("n/p/policies/commands/modify", "/entries/l/x", #","value":1"#, unknownPath, 400),
        ("n/p/policies/commands/retrieve", "/entries/l/importable/x", "", unknownPath, 400),
        ("n/p/policies/commands/retrieve", "/imports/a:b/x", "", unknownPath, 400),
        ("n/p/policies/commands/retrieve", "/entries//subjects", "", "json.pointer.invalid", 400),
        ("n/p/policies/commands/delete", "/entries", "", topicPath, 400),
        ("n/p/policies/commands/delete", "/entries/l/subjects", "", topicPath, 400),
        ("n/p/policies/commands/delete", "/entries/l/resources", "", topicPath, 400),
        ("n/p/policies/commands/delete", "/entries/l/namespaces", "", topicPath, 400),
        ("n/p/policies/commands/delete", "/entries/l/importable", "", topicPath, 400),
        ("n/p/policies/commands/delete", "/imports/a:b/entries", "", topicPath, 400),
        ("n/p/policies/commands/delete", "/imports/a:b/transitiveImports", "", topicPath, 400),
        ("1/p/policies/commands/retrieve", "/", "", "policies:id.invalid", 400),
        ("_/_/policies/commands/retrieve", "/", "", "policies:id.invalid", 400),
        (
            "n/p/policies/commands/retrieve", "/", #","headers":{"policy-view":"mine"}"#, "policies:view.invalid", 400
        ),
        ("n/p/policies/events/merged", "/", #","value":{}"#, topicPath, 400),
        ("n/p/policies/events/modified", "/", "", "json.invalid", 400),
        ("n/p/policies/commands/checkPermissions", "/", #","value":{}"#, topicPath, 400),
        ("_/_/policies/commands/checkPermissions", "/entries", #","value":{}"#, unknownPath, 400),
        ("_/_/policies/commands/checkPermissions", "/", "", "json.invalid", 400),
        ("_/_/policies/commands/checkPermissions", "/", #","value":[]"#, "json.invalid", 400),
        (
            "_/_/policies/commands/checkPermissions", "/", #","value":{"permissionChecks":{"q":{}}}"#,
            "json.field.missing", 400
        ),
        ("_/_/policies/commands/checkPermissions", "/", #","value":{"q":{}}"#, "json.field.missing", 400),
        (
            "_/_/policies/commands/checkPermissions", "/",
            #","value":{"q":{"resource":"x:/","entityId":"n:t","hasPermissions":[]}}"#, "json.format.invalid", 400
        ),
        (
            "_/_/policies/commands/checkPermissions", "/",
            #","value":{"q":{"resource":"thing:/","entityId":"t","hasPermissions":[]}}"#, "things:id.invalid", 400
        ),
        (
            "_/_/policies/commands/checkPermissions", "/",
            #","value":{"q":{"resource":"policy:/","entityId":"t","hasPermissions":[]}}"#, "policies:id.invalid", 400
        ),
        (
            "_/_/policies/commands/checkPermissions", "/",
            #","value":{"q":{"resource":"thing:/a//b","entityId":"n:t","hasPermissions":[]}}"#,
            "json.pointer.invalid", 400
        ),
        (
            "_/_/policies/commands/checkPermissions", "/",
            #","value":{"q":{"resource":"thing:/","entityId":"n:t","hasPermissions":["read"]}}"#, "json.invalid", 400
        ),
        (
            "_/_/policies/commands/checkPermissions", "/",
            #","value":{"q":{"resource":"thing:/","entityId":"n:t","hasPermissions":[]}}"#, "json.invalid", 400
        ),
        ("n/p/policies/announcements/other", "/", #","value":{}"#, topicPath, 400),
        ("n/p/policies/announcements/subjectDeletion", "/", #","value":{}"#, "json.field.missing", 400),
        (
            "n/p/policies/announcements/subjectDeletion", "/", #","value":{"deleteAt":"x","subjectIds":[]}"#,
            "json.invalid", 400
        ),
        ("_/c/connections/announcements/opened", "/", #","value":{}"#, "json.field.missing", 400),
        ("n/c/connections/announcements/opened", "/", #","value":{}"#, topicPath, 400),
        (
            "_/c d/connections/announcements/opened", "/", #","value":{}"#, "connectivity:connection.id.invalid", 400
        ),
        ("_/c/connections/announcements/other", "/", #","value":{}"#, topicPath, 400),
        ("_/c/connections/commands/retrieve", "/", "", topicPath, 400),
        ("_/c/connections/events/created", "/", #","value":{}"#, topicPath, 400),
        ("_/c/connections/errors", "/", #","status":404,"value":{"error":"a"}"#, topicPath, 400),
    ]

    static let streams: [Row] = [
        ("_/_/things/live/search/subscribe", "/", #","value":{}"#, topicPath, 400),
        ("n/t/things/twin/search/subscribe", "/", #","value":{}"#, topicPath, 400),
        ("_/_/things/twin/search/subscribe", "/x", #","value":{}"#, unknownPath, 400),
        ("_/_/things/twin/search/subscribe", "/", #","value":[]"#, "json.invalid", 400),
        ("_/_/things/twin/search/subscribe", "/", #","value":{"filter":1}"#, "json.invalid", 400),
        ("_/_/things/twin/search/subscribe", "/", #","value":{"namespaces":"n"}"#, "json.invalid", 400),
        ("_/_/things/twin/search/request", "/", "", "json.invalid", 400),
        ("_/_/things/twin/search/request", "/", #","value":{"demand":1}"#, "json.field.missing", 400),
        ("_/_/things/twin/search/request", "/", #","value":{"subscriptionId":"1"}"#, "json.field.missing", 400),
        (
            "_/_/things/twin/search/request", "/", #","value":{"subscriptionId":"1","demand":1.5}"#, "json.invalid", 400
        ),
        ("_/_/things/twin/search/cancel", "/", #","value":{"subscriptionId":1}"#, "json.invalid", 400),
        ("_/_/things/twin/search/next", "/", #","value":{"subscriptionId":"1"}"#, "json.field.missing", 400),
        ("_/_/things/twin/search/find", "/", #","value":{}"#, topicPath, 400),
        ("_/_/things/search/subscribe", "/", #","value":{}"#, topicPath, 400),
        ("n/t/things/live/streaming/request", "/", #","value":{}"#, topicPath, 400),
        ("_/c/connections/streaming/request", "/", #","value":{}"#, topicPath, 400),
        ("n/t/things/twin/streaming/subscribeForPersistedEvents", "/", "", "json.invalid", 400),
        (
            "n/t/things/twin/streaming/subscribeForPersistedEvents", "/", #","value":{"fromHistoricalRevision":"1"}"#,
            "json.invalid", 400
        ),
        (
            "n/t/things/twin/streaming/subscribeForPersistedEvents", "/", #","value":{"toHistoricalTimestamp":"1"}"#,
            "json.invalid", 400
        ),
        (
            "1/t/things/twin/streaming/request", "/", #","value":{"subscriptionId":"1","demand":1}"#,
            "things:id.invalid", 400
        ),
        (
            "1/p/policies/streaming/request", "/", #","value":{"subscriptionId":"1","demand":1}"#,
            "policies:id.invalid", 400
        ),
    ]

    @Test("a message that means nothing is refused with code and status", arguments: things + live + policies + streams)
    func refused(row: Row) {
        let text = #"{"topic":"\#(row.topic)","path":"\#(row.path)"\#(row.rest)}"#
        let error = Self.failure(of: text)
        #expect(error?.code == row.code, "\(text): \(String(describing: error))")
        #expect(error?.status == row.status, "\(text)")
    }

    static func failure(of text: String) -> TwinspanError? {
        do throws(EnvelopeFailure) {
            let envelope = try Envelope.parse(Array(text.utf8))
            do throws(TwinspanError) {
                _ = try Signal(envelope)
                return nil
            } catch {
                return error
            }
        } catch {
            return error.error
        }
    }

    @Test("clients compare two texts")
    func literal() {
        let merge =
            #"{"topic":"n/t/things/twin/commands/merge","path":"/","value":{},"headers":{"content-type":"#
            + #""application/json"}}"#
        #expect(
            Self.failure(of: merge)?.message == "The Media-Type <application/json> is not supported for this resource.")
        let slashes = #"{"topic":"n/t/things/twin/commands/retrieve","path":"/features/f/properties//x"}"#
        #expect(Self.failure(of: slashes)?.description == "Consecutive slashes in JSON pointers are not supported.")
    }
}
