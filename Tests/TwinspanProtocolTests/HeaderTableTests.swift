import Testing
import TwinspanJSON
import TwinspanProtocol

@Suite("Headers of the specification")
struct HeaderTableTests {
    /// spec/protocol.md §5.1: name, In, Out.
    static let known: [(String, Bool, Bool)] = [
        ("correlation-id", true, true), ("response-required", true, true), ("requested-acks", true, true),
        ("declared-acks", true, false), ("timeout", true, true), ("content-type", true, true), ("accept", true, false),
        ("authorization", true, false), ("reply-to", true, true), ("channel", true, true),
        ("live-channel-condition", true, false), ("live-channel-timeout-strategy", true, false),
        ("live-channel-condition-matched", false, true), ("condition", true, false),
        ("merge-thing-patch-conditions", true, false), ("if-match", true, false), ("if-none-match", true, false),
        ("if-equal", true, false), ("etag", false, true), ("entity-revision", false, true), ("location", true, true),
        ("put-metadata", true, false), ("get-metadata", true, false), ("delete-metadata", true, false),
        ("ditto-metadata", false, true), ("allow-policy-lockout", true, false), ("policy-view", true, false),
        ("at-historical-revision", true, false), ("at-historical-timestamp", true, false),
        ("historical-headers", false, true), ("dry-run", true, true), ("version", true, true),
        ("ditto-originator", false, true), ("ditto-weak-ack", false, true), ("ditto-connection-id", false, true),
        ("www-authenticate", false, true), ("traceparent", true, true), ("tracestate", true, true),
        ("divert-response-to-connection", true, false), ("divert-expected-response-types", true, false),
        ("diverted-response-from-connection", true, true), ("ditto-message-direction", false, true),
        ("ditto-message-subject", false, true), ("ditto-message-thing-id", false, true),
        ("ditto-message-feature-id", false, true), ("timestamp", true, true), ("status", true, true),
    ]

    static let neverPass = [
        "ditto-auth-context", "ditto-dry-run", "ditto-read-subjects", "ditto-read-revoked-subjects", "ditto-origin",
        "ditto-reply-target", "ditto-expected-response-types", "ditto-inbound-payload-mapper", "ditto-entity-id",
        "ditto-event-journal-tags", "ditto-sudo", "ditto-retrieve-deleted", "ditto-ackgregator-address",
        "ditto-pre-defined-extra-fields", "ditto-pre-defined-extra-fields-read-grant",
        "ditto-pre-defined-extra-fields-object", "ditto-partial-access-paths", "ditto-policy-view-fields-selector",
        "raw-request-uri", "cache-control", "connection", "timeout-access", "accept-encoding", "x-forwarded-scheme",
        "read-subjects", "subject", "raw-request-url",
    ]

    @Test("the table is the whole of the known headers")
    func complete() {
        #expect(Set(Self.known.map(\.0)) == Set(KnownHeader.allCases.map(\.rawValue)))
    }

    @Test("a known header passes in and out as the table says, in any case", arguments: known)
    func passage(name: String, isIn: Bool, isOut: Bool) {
        for written in [name, name.uppercased()] {
            var headers = DittoHeaders()
            headers.append(written, .string("x"))
            #expect(headers.acceptedFromOutside().entries.isEmpty == !isIn)
            #expect(headers.deliveredToOutside().entries.isEmpty == !isOut)
        }
    }

    @Test("internal and blocked headers pass in neither direction", arguments: neverPass)
    func blocked(name: String) {
        for written in [name, name.uppercased()] {
            var headers = DittoHeaders()
            headers.append(written, .string("x"))
            #expect(headers.acceptedFromOutside().entries.isEmpty)
            #expect(headers.deliveredToOutside().entries.isEmpty)
        }
    }

    static func headers(_ text: String) throws -> DittoHeaders {
        DittoHeaders(try #require(try JSONValue.parse(text).object))
    }

    static let illegal: [(String, String, Int)] = [
        (#"{"correlation-id":""}"#, "header.invalid", 400),
        (#"{"response-required":"maybe"}"#, "header.invalid", 400),
        (#"{"response-required":0}"#, "header.invalid", 400),
        (#"{"timeout":"-1s"}"#, "timeout.invalid", 400), (#"{"timeout":"1.5s"}"#, "timeout.invalid", 400),
        (#"{"timeout":"1x"}"#, "timeout.invalid", 400), (#"{"timeout":""}"#, "timeout.invalid", 400),
        (#"{"timeout":true}"#, "timeout.invalid", 400), (#"{"timeout":[]}"#, "timeout.invalid", 400),
        (#"{"timeout":"0","response-required":true}"#, "header.invalid", 400),
        (#"{"timeout":"0ms","response-required":"true"}"#, "header.invalid", 400),
        (#"{"timeout":"0s","requested-acks":["abc"]}"#, "header.invalid", 400),
        (#"{"timeout":0,"requested-acks":"abc"}"#, "header.invalid", 400),
        (#"{"requested-acks":1}"#, "header.invalid", 400), (#"{"requested-acks":{}}"#, "header.invalid", 400),
        (#"{"requested-acks":"[1"}"#, "header.invalid", 400),
        (#"{"requested-acks":[1]}"#, "acknowledgement:request.parsing.failed", 422),
        (#"{"requested-acks":["a"]}"#, "acknowledgement:request.parsing.failed", 422),
        (#"{"requested-acks":"abc,a b"}"#, "acknowledgement:request.parsing.failed", 422),
        (#"{"requested-acks":"[\"abc\",null]"}"#, "acknowledgement:request.parsing.failed", 422),
        (#"{"declared-acks":["a"]}"#, "acknowledgement:label.invalid", 400),
        (#"{"declared-acks":[7]}"#, "acknowledgement:label.invalid", 400),
        (#"{"declared-acks":7}"#, "header.invalid", 400),
        (#"{"channel":"both"}"#, "header.invalid", 400), (#"{"channel":1}"#, "header.invalid", 400),
        (#"{"live-channel-timeout-strategy":"retry"}"#, "header.invalid", 400),
        (#"{"dry-run":"perhaps"}"#, "header.invalid", 400),
        (#"{"allow-policy-lockout":1}"#, "header.invalid", 400),
        (#"{"policy-view":"all"}"#, "policies:view.invalid", 400),
        (#"{"at-historical-revision":"x"}"#, "header.invalid", 400),
        (#"{"at-historical-revision":1.5}"#, "header.invalid", 400),
        (#"{"at-historical-timestamp":"2024-01-01"}"#, "header.invalid", 400),
        (#"{"timestamp":5}"#, "header.invalid", 400),
        (#"{"version":1}"#, "unsupported.api.version", 404), (#"{"version":"3"}"#, "unsupported.api.version", 404),
        (#"{"version":"two"}"#, "header.invalid", 400),
        (#"{"divert-response-to-connection":""}"#, "header.invalid", 400),
    ]

    @Test("a header of the wrong form is refused with its code", arguments: illegal)
    func refused(text: String, code: String, status: Int) throws {
        let headers = try Self.headers(text)
        do throws(TwinspanError) {
            try headers.checkValues()
            Issue.record("\(text) was taken")
        } catch {
            #expect((error.code, error.status) == (code, status), "\(text): \(error)")
        }
    }

    @Test(
        "headers of the right form pass",
        arguments: [
            "{}", #"{"timeout":"0"}"#, #"{"timeout":"+10s","response-required":true,"requested-acks":["abc"]}"#,
            #"{"timeout":"0s","response-required":false,"requested-acks":[]}"#, #"{"version":2}"#, #"{"version":"2"}"#,
            #"{"requested-acks":""}"#, #"{"channel":" Live "}"#, #"{"live-channel-timeout-strategy":"USE-TWIN"}"#,
            #"{"dry-run":"TRUE","policy-view":"resolved"}"#, #"{"at-historical-revision":"7"}"#,
            #"{"at-historical-timestamp":"2024-01-01T00:00:00+01:00"}"#, #"{"my-header":{"any":[1]}}"#,
        ])
    func passing(text: String) throws {
        try Self.headers(text).checkValues()
    }

    static let lists: [(String, [String]?)] = [
        ("{}", nil), (#"{"requested-acks":null}"#, nil), (#"{"requested-acks":[]}"#, []),
        (#"{"requested-acks":"[]"}"#, []), (#"{"requested-acks":" "}"#, []),
        (#"{"requested-acks":["abc","twin-persisted"]}"#, ["abc", "twin-persisted"]),
        (#"{"requested-acks":"[\"abc\"]"}"#, ["abc"]), (#"{"requested-acks":"abc, c:def ,"}"#, ["abc", "c:def"]),
    ]

    @Test("requested acks are an array in three forms", arguments: lists)
    func requestedAcks(text: String, labels: [String]?) throws {
        #expect(try Self.headers(text).requestedAcks?.map(\.text) == labels)
    }

    @Test("values are read into their types")
    func values() throws {
        let headers = try Self.headers(
            #"{"timeout":"2m","channel":"LIVE","live-channel-timeout-strategy":"use-twin","dry-run":"true","#
                + #""policy-view":"resolved","at-historical-revision":"5","timestamp":"1970-01-01T00:00:01Z","#
                + #""declared-acks":"abc","allow-policy-lockout":true}"#)
        #expect(try headers.timeoutMilliseconds == 120_000)
        #expect(try headers.channel == .live)
        #expect(try headers.liveChannelTimeoutStrategy == .useTwin)
        #expect(try headers.isDryRun)
        #expect(try headers.policyView == .resolved)
        #expect(try headers.historicalRevision == 5)
        #expect(try headers.timestamp == Timestamp(milliseconds: 1000))
        #expect(try headers.declaredAcks == [AckLabel("abc")])
        #expect(try headers.allowsPolicyLockout)
        let none = DittoHeaders()
        #expect(try none.timeoutMilliseconds == nil)
        #expect(try none.channel == nil)
        #expect(try none.isDryRun == false)
        #expect(try none.policyView == .original)
        #expect(try none.historicalTimestamp == nil)
    }

    @Test("only commands are bound to a version of the schema")
    func version() throws {
        try Self.headers(#"{"version":1}"#).checkValues(isCommand: false)
    }
}
