// The field rules of policies one by one, valid and invalid: spec/policies-search.md A.1.1.
import Testing
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

/// A value of a field, and how it is written back or why it is refused.
struct FieldRule: Sendable, CustomTestStringConvertible {
    /// Where in the policy the value stands: the members around it, `@` for the value.
    let place: String
    let value: String
    /// The value as written back, nil when it is not written; or the code of the refusal.
    let outcome: Outcome

    enum Outcome: Sendable, Equatable {
        case kept(String?)
        case refused(String)
    }

    var testDescription: String { "A.1.1: \(place) @ = \(value)" }

    static func kept(_ place: String, _ value: String, as written: String? = nil) -> FieldRule {
        FieldRule(place: place, value: value, outcome: .kept(written ?? value))
    }

    static func dropped(_ place: String, _ value: String) -> FieldRule {
        FieldRule(place: place, value: value, outcome: .kept(nil))
    }

    static func refused(_ place: String, _ value: String, _ code: String) -> FieldRule {
        FieldRule(place: place, value: value, outcome: .refused(code))
    }

    /// The policy with the value, and the way to the value. A slash within a key is written `~1`.
    var document: (JSONValue, JSONPointer) {
        get throws {
            let path = JSONPointer(
                segments: place.split(separator: "/").map { key in
                    key.split(separator: "~1", omittingEmptySubsequences: false).joined(separator: "/")
                })
            var document: JSONValue = [
                "imports": ["a:b": [:]],
                "entries": ["L": ["subjects": ["u:s": ["type": "t"]], "resources": [:]], "M": [:]],
            ]
            document.set(try JSONValue.parse(value), at: path)
            return (document, path)
        }
    }
}

@Suite("Policy field rules")
struct PolicyModelRuleTests {
    static let subject = "/entries/L/subjects/u:s"
    static let announcement = "/entries/L/subjects/u:s/announcement"
    static let announcementCode = "policies:subjectannouncement.invalid"
    static let label = String(repeating: "l", count: 256)

    static let subjects: [FieldRule] = [
        .kept("/entries/L/subjects/issuer:sub:ject", #"{"type":"t"}"#),
        .kept("/entries/L/subjects/https:~1~1idp.example~1x:sub~1ject", #"{"type":"t"}"#),
        .kept("/entries/L/subjects/{{ jwt:sub }}", #"{"type":"t"}"#),
        .kept("/entries/L/subjects/integration:{{ jwt:aud }}", #"{"type":"t"}"#),
        .kept("/entries/L/subjects/${request.subjectId}", #"{"type":"t"}"#),
        .refused("/entries/L/subjects/https:~1~1idp.example", #"{"type":"t"}"#, "policies:subjectid.invalid"),
        .kept("/entries/L/subjects/{{ jwt:sub", #"{"type":"t"}"#),
        .refused("/entries/L/subjects/}}{{", #"{"type":"t"}"#, "policies:subjectid.invalid"),
        .refused("/entries/L/subjects/{{ jwt:sub }}\u{7}", #"{"type":"t"}"#, "policies:subjectid.invalid"),
        .kept(subject, #"{"type":"added via action"}"#),
        .refused(subject, #"{"expiry":"2031-01-01T00:00:00Z"}"#, "json.field.missing"),
        .kept("\(subject)/expiry", #""2031-01-01T00:00:00+01:00""#),
        .refused("\(subject)/expiry", #""2031-01-01""#, "policies:subjectexpiry.invalid"),
        .refused("\(subject)/expiry", #""""#, "policies:subjectexpiry.invalid"),
        .refused("\(subject)/expiry", "{}", "policies:subjectexpiry.invalid"),
    ]

    static let announcements: [FieldRule] = [
        .kept(announcement, "{}", as: #"{"whenDeleted":false}"#),
        .kept("\(announcement)/whenDeleted", "true"),
        .refused("\(announcement)/whenDeleted", "null", "json.invalid"),
        .refused("\(announcement)/whenDeleted", "1", "json.invalid"),
        .kept("\(announcement)/requestedAcks", "{}", as: #"{"labels":[]}"#),
        .kept("\(announcement)/requestedAcks/labels", #"["my:ack",1,null]"#, as: #"["my:ack"]"#),
        .kept("\(announcement)/requestedAcks/labels", #"["{{ connection:id }}:ack"]"#),
        .refused("\(announcement)/requestedAcks/labels", #"["a b"]"#, "acknowledgement:label.invalid"),
        .refused("\(announcement)/requestedAcks/labels", #"["{{ connection:id }}:"]"#, "acknowledgement:label.invalid"),
        .refused("\(announcement)/requestedAcks/labels", #""my:ack""#, "json.invalid"),
        .refused("\(announcement)/requestedAcks/timeout", "5", announcementCode),
        .refused("\(announcement)/requestedAcks/timeout", #""1h30m""#, announcementCode),
        .refused(announcement, "null", "json.invalid"),
    ]

    /// Each unit, and whether it is accepted ahead of an expiry.
    static let units: [(String, Bool)] = [
        ("", true), ("s", true), ("m", true), ("h", true), ("ms", false), ("d", false), ("w", false), ("mo", false),
        ("y", false),
    ]

    static let durations: [FieldRule] = units.flatMap { (unit: String, isLead: Bool) -> [FieldRule] in
        let value = "\"15\(unit)\""
        let lead = "\(announcement)/beforeExpiry"
        return [
            isLead ? .kept(lead, value) : .refused(lead, value, announcementCode),
            .kept("\(announcement)/randomizationInterval", value),
            .kept("\(announcement)/requestedAcks/timeout", value),
        ]
    }

    static let malformedDurations: [FieldRule] = [
        "-5s", "5.5s", "1e3s", "+", "++5s", "0x5s", "1234567890123456s", "", "15M", "15min", "15 s", "15sec", "15µs",
    ].map { (text: String) -> FieldRule in
        .refused("\(announcement)/beforeExpiry", "\"\(text)\"", announcementCode)
    }

    static let rules: [FieldRule] =
        [subjects, announcements, durations, malformedDurations, resources, entries, imports].flatMap(\.self)

    static let resources: [FieldRule] = [
        .kept("/entries/L/resources/thing:~1", #"{"grant":["READ","WRITE","EXECUTE"],"revoke":[]}"#),
        .kept(
            "/entries/L/resources/thing:~1a~1b", #"{"revoke":["READ","READ"]}"#,
            as: #"{"grant":[],"revoke":["READ"]}"#),
        .kept("/entries/L/resources/other.type:~1x:y", "{}", as: #"{"grant":[],"revoke":[]}"#),
        .refused("/entries/L/resources/thing:~1a~1~1b", "{}", "json.pointer.invalid"),
        .refused("/entries/L/resources/thing", "{}", "json.invalid"),
        .refused("/entries/L/resources/thing:~1", "null", "json.invalid"),
        .refused("/entries/L/resources/thing:~1", #"{"grant":["Read"]}"#, "policies:entry.invalid"),
        .refused("/entries/L/resources/thing:~1", #"{"revoke":[null]}"#, "json.invalid"),
    ]

    static let entries: [FieldRule] = [
        .kept("/entries/\(label)", #"{"subjects":{},"resources":{},"importable":"implicit"}"#),
        .kept("/entries/Imported", "{}", as: #"{"subjects":{},"resources":{},"importable":"implicit"}"#),
        .refused("/entries/\(label)l", "{}", "policies:entry.invalid"),
        .refused("/entries/importedX", "{}", "policies:label.invalid"),
        .refused("/entries/nsimportedX", "{}", "policies:label.invalid"),
        .refused("/entries/a~1b", "{}", "policies:entry.invalid"),
        .kept("/entries/L/namespaces", "[]"),
        .kept("/entries/L/namespaces", #"["c","a.b.*","c","a.b","a.b.*"]"#, as: #"["c","a.b.*","a.b"]"#),
        .refused("/entries/L/namespaces", "null", "policies:entry.invalid"),
        .refused("/entries/L/namespaces", "{}", "policies:entry.invalid"),
        .refused("/entries/L/namespaces", #"["a",""]"#, "policies:entry.invalid"),
        .refused("/entries/L/namespaces", #"["a?"]"#, "policies:entry.invalid"),
        .kept("/entries/L/importable", #""explicit""#),
        .kept("/entries/L/importable", #""never""#),
        .refused("/entries/L/importable", #""Never""#, "policies:entry.invalid"),
        .refused("/entries/L/importable", #""""#, "policies:entry.invalid"),
        .kept("/entries/L/allowedAdditions", "[]"),
        .kept(
            "/entries/L/allowedAdditions", #"["namespaces","subjects","subjects","resources"]"#,
            as: #"["namespaces","subjects","resources"]"#),
        .refused("/entries/L/allowedAdditions", "null", "policies:entry.invalid"),
        .refused("/entries/L/allowedAdditions", "{}", "policies:entry.invalid"),
        .refused("/entries/L/allowedAdditions", #"["Subjects"]"#, "policies:entry.invalid"),
        .dropped("/entries/L/references", "[]"),
        .dropped("/entries/L/_metadata", "{}"),
        .kept("/entries/L/references", #"[{"entry":"M"}]"#),
        .kept("/entries/L/references", #"[{"import":"a:b","entry":"X"},{"import":"a:b","entry":"Y"}]"#),
        .refused("/entries/L/references", "null", "json.invalid"),
        .refused("/entries/L/references", "[null]", "json.invalid"),
        .refused("/entries/L/references", #"[{"entry":null}]"#, "json.invalid"),
        .refused("/entries/L/references", #"[{"entry":""}]"#, "policies:entry.invalid"),
        .refused("/entries/L/references", #"[{"import":"a:b","entry":""}]"#, "policies:entry.invalid"),
        .refused("/entries/L/references", #"[{"import":null,"entry":"M"}]"#, "json.invalid"),
        .refused("/entries/L/references", #"[{"import":7,"entry":"M"}]"#, "json.invalid"),
        .refused("/entries/L/references", #"[{"import":"","entry":"M"}]"#, "json.invalid"),
        .refused("/entries/L/references", #"[{"import":"c:d","entry":"M"}]"#, "policies:import.invalid"),
        .refused("/entries/L/references", #"[{"entry":"M"},{"entry":"M"}]"#, "policies:entry.invalid"),
    ]

    static let imports: [FieldRule] = [
        .kept("/imports", "{}"),
        .kept("/imports/c:d", "{}"),
        .kept("/imports/c:d", #"{"other":1}"#, as: #"{"entries":[]}"#),
        .kept("/imports/c:d/entries", #"["X",1,null,"X"]"#, as: #"["X","X"]"#),
        .refused("/imports/c:d/entries", "null", "json.invalid"),
        .refused("/imports/c:d/entries", "{}", "json.invalid"),
        .kept("/imports/c:d/transitiveImports", #"["e:f"]"#),
        .dropped("/imports/c:d/transitiveImports", "[]"),
        .refused("/imports/c:d/transitiveImports", "null", "json.invalid"),
        .refused("/imports/c:d/transitiveImports", "[null]", "policies:import.invalid"),
        .refused("/imports/c:d/transitiveImports", #"["acme:p"]"#, "policies:import.invalid"),
        .refused("/imports/acme:p", "{}", "policies:import.invalid"),
        .refused("/imports/c:d", "1", "json.invalid"),
        .refused("/imports/c", "{}", "policies:id.invalid"),
        .kept("/imports", "{\((0..<10).map { "\"i:p\($0)\":{}" }.joined(separator: ","))}"),
        .refused(
            "/imports", "{\((0..<11).map { "\"i:p\($0)\":{}" }.joined(separator: ","))}", "policies:imports.toolarge"),
    ]

    @Test("a field is kept in Ditto's form or refused with its code", arguments: rules)
    func field(_ rule: FieldRule) throws {
        let (document, path) = try rule.document
        let id = try PolicyID(Sample.policyID)
        do {
            let policy = try Policy.parse(document, id: id)
            #expect(rule.outcome == .kept(policy.json.value(at: path)?.text))
            #expect(try Policy.parse(policy.json, id: nil) == policy)
        } catch let error {
            #expect(rule.outcome == .refused(error.code))
            #expect(error.status == 400)
            #expect(!error.message.isEmpty)
        }
    }

    @Test("A.1.1: the size limit is that of the JSON as written back, and reached exactly")
    func size() throws {
        let id = try PolicyID(Sample.policyID)
        let document = try JSONValue.parse(
            #"{"entries":{"L":{}},"ignored":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}"#)
        let size = try Policy.parse(document, id: id).json.bytes.count
        _ = try Policy.parse(document, id: id, limits: PolicyLimits(sizeBytes: size, imports: 10))
        let error = #expect(throws: TwinspanError.self) {
            try Policy.parse(document, id: id, limits: PolicyLimits(sizeBytes: size - 1, imports: 10))
        }
        #expect(error?.code == "policies:policy.toolarge")
        #expect(error?.status == 413)
    }

    @Test("A.9.3: local references count for the owner of a policy")
    func ownerByReference() throws {
        let world = { (entries: String) in
            try Policy.parse(try JSONValue.parse("{\"entries\":{\(entries)}}"), id: try PolicyID("acme:p"))
        }
        let role = #""role":{"resources":{"policy:/":{"grant":["WRITE"]}}}"#
        let admin = #""admin":{"subjects":{"u:a":{"type":""}},"references":[{"entry":"role"}]}"#
        #expect(try world("\(role),\(admin)").hasPermanentOwner)
        #expect(try !world(role).hasPermanentOwner)
        let closed = #""role":{"resources":{"policy:/":{"grant":["WRITE"]}},"allowedAdditions":["resources"]}"#
        #expect(try !world("\(closed),\(admin)").hasPermanentOwner)
        let revoked = #""no":{"resources":{"policy:/":{"revoke":["WRITE"]}}}"#
        let deprived = #""b":{"subjects":{"u:a":{"type":""}},"references":[{"entry":"no"}]}"#
        #expect(try !world("\(role),\(admin),\(revoked),\(deprived)").hasPermanentOwner)
    }
}
