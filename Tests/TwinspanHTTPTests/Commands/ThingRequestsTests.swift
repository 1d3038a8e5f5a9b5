import Testing
import TwinspanEngine
import TwinspanJSON

@testable import TwinspanHTTP

/// One request and what must come back.
struct Row: Sendable {
    var ask: Ask
    var status: Int
    /// The code of an error.
    var code: String?
    /// The body as JSON; nil means that it is not looked at, and empty that there must be none.
    var body: String?
    /// Header fields that must be there with these values.
    var headers: [(String, String)] = []

    init(
        _ method: String, _ path: String, _ headers: [(String, String)] = [], send body: String? = nil,
        user: String? = "ditto:secret", gives status: Int, _ code: String? = nil, body expected: String? = nil,
        with fields: [(String, String)] = []
    ) {
        ask = Ask(method, path, headers, body: body, user: user)
        self.status = status
        self.code = code
        self.body = expected
        self.headers = fields
    }

    func check(_ door: Door) async throws {
        let answer = try await door(ask)
        let name: Comment = "\(ask.method) \(ask.path) \(ask.headers) → \(answer.status) \(answer.text.prefix(300))"
        #expect(answer.status == status, name)
        if status >= 400 {
            #expect(answer.json?.object?["status"]?.int64 == Int64(status), name)
            #expect(answer["content-type"] == "application/json", name)
            #expect(answer.json?.object?["message"]?.string?.isEmpty == false, name)
        }
        if ask.path.hasPrefix("/api/2"), status != 202 { #expect(answer["correlation-id"] != nil, name) }
        if let code { #expect(answer.code == code, name) }
        if let body {
            if body.isEmpty {
                #expect(answer.body.isEmpty, name)
            } else {
                #expect(answer.json == (try JSONValue.parse(body)), name)
            }
        }
        for (field, value) in headers { #expect(answer[field] == value, name) }
    }
}

private let json = [("Content-Type", "application/json")]
private let patch = [("Content-Type", "application/merge-patch+json")]
private let thing = "/api/2/things/org.example:pump"
private let policy = """
    {"entries":{"owner":{"subjects":{"nginx:ditto":{"type":"user"}},"resources":{"thing:/":{"grant":["READ","WRITE"],\
    "revoke":[]},"policy:/":{"grant":["READ","WRITE"],"revoke":[]}}},\
    "guest":{"subjects":{"nginx:guest":{"type":"user"}},
        "resources":{"thing:/attributes/public":{"grant":["READ"],"revoke":[]}}}}}
    """

@Suite("Requests on things")
struct ThingRequestsTests {
    static let lifeCycle: [Row] = [
        Row("PUT", thing, json + [("If-Match", "*")], send: "{}", gives: 412, "things:precondition.failed"),
        Row("GET", thing, gives: 404, "things:thing.notfound"),
        Row("PUT", thing + "/attributes", json, send: "{}", gives: 404, "things:thing.notfound"),
        Row("PATCH", thing + "/attributes", patch, send: #"{"a":1}"#, gives: 404, "things:thing.notfound"),
        Row("DELETE", thing, gives: 404, "things:thing.notfound"),
        Row(
            "PUT", thing, json, send: #"{"attributes":{"a":1},"_revision":7}"#, gives: 201,
            body: #"{"thingId":"org.example:pump","policyId":"org.example:pump","attributes":{"a":1}}"#,
            with: [
                ("location", "http://twin.example" + thing), ("etag", "\"rev:1\""), ("entity-revision", "1"),
                ("content-type", "application/json"),
            ]),
        Row(
            "GET", thing, [("Referrer", "x"), ("X-Own", "y"), ("x-correlation-id", "c-1"), ("correlation-id", "c-2")],
            gives: 200, body: #"{"thingId":"org.example:pump","policyId":"org.example:pump","attributes":{"a":1}}"#,
            with: [("etag", "\"rev:1\""), ("correlation-id", "c-1"), ("content-type", "application/json")]),
        Row("GET", thing + "/", gives: 200),
        Row("GET", "/api/2/things/org.example%3Apump", gives: 200),
        Row("GET", thing + "?correlation-id=q-1", gives: 200, with: [("correlation-id", "q-1")]),
        Row("PUT", thing, json, send: #"{"attributes":{"a":2}}"#, gives: 204, body: "", with: [("etag", "\"rev:2\"")]),
        Row("GET", thing + "?fields=_revision,attributes", gives: 200, body: #"{"attributes":{"a":2},"_revision":2}"#),
        Row(
            "GET", thing + "?fields=_revision&fields=thingId", gives: 200,
            body: #"{"thingId":"org.example:pump","_revision":2}"#),
        Row("GET", thing + "?fields=", gives: 200, body: "{}"),
        Row("PATCH", thing, patch, send: #"{"attributes":{"b":true,"a":null}}"#, gives: 204, body: ""),
        Row(
            "PATCH", thing, [("Content-Type", "application/merge-patch+json; charset=utf-8")],
            send: #"{"attributes":{"c":1}}"#, gives: 204),
        Row("GET", thing + "/attributes", gives: 200, body: #"{"b":true,"c":1}"#),
        Row(
            "PUT", thing + "/attributes/place", json, send: #""cellar""#, gives: 201, body: #""cellar""#,
            with: [("location", "http://twin.example" + thing + "/attributes/place")]),
        Row("PUT", thing + "/attributes/place", send: #""roof""#, gives: 204),
        Row(
            "PUT", thing + "/attributes/place", [("Content-Type", "application/octet-stream")], send: "null", gives: 204
        ),
        Row("GET", thing + "/attributes/place", gives: 200, body: "null"),
        Row("PUT", thing + "/attributes/deep/er/value", json, send: "1", gives: 201),
        Row("GET", thing + "/attributes/deep", gives: 200, body: #"{"er":{"value":1}}"#),
        Row("PUT", thing + "/attributes/with%20blank%C5%82", json, send: "1", gives: 201),
        Row("DELETE", thing + "/attributes/deep", gives: 204, body: ""),
        Row("DELETE", thing + "/attributes/deep", gives: 404, "things:attribute.notfound"),
        Row("PUT", thing + "/features/lamp", json, send: #"{"properties":{"on":true}}"#, gives: 201),
        Row("PUT", thing + "/features/l%C3%A4%2520mp", json, send: "{}", gives: 400, "json.key.invalid"),
        Row(
            "PUT", thing + "/features/50%25", json, send: "{}", gives: 201,
            with: [("location", "http://twin.example" + thing + "/features/50%25")]),
        Row("GET", thing + "/features/lamp/properties/on", gives: 200, body: "true"),
        Row("PUT", thing + "/features/lamp/properties/on", json, send: "false", gives: 204),
        Row("PUT", thing + "/features/lamp/desiredProperties/on", json, send: "true", gives: 201),
        Row("GET", thing + "/features/lamp/desiredProperties/", gives: 200, body: #"{"on":true}"#),
        Row("PUT", thing + "/features/lamp/definition", json, send: #"["a:b:1"]"#, gives: 201),
        Row("PUT", thing + "/features/none/properties/on", json, send: "1", gives: 404, "things:feature.notfound"),
        Row("PATCH", thing + "/features/new/properties", patch, send: #"{"x":1}"#, gives: 204),
        Row("GET", thing + "/features?fields=*/properties/on", gives: 200),
        Row("DELETE", thing + "/features/lamp/", gives: 204),
        Row("PUT", thing + "/definition", json, send: #""a:b:1""#, gives: 201),
        Row("GET", thing + "/definition/", gives: 200, body: #""a:b:1""#),
        Row("PUT", thing + "/definition/", json, send: #""a:b:1""#, gives: 404, "gateway:route.notfound"),
        Row("GET", thing + "/policyId", gives: 200, body: #""org.example:pump""#),
        Row("PUT", thing + "/policyId", json, send: "org.example:pump", gives: 204),
        Row("GET", thing + "/policyId/", gives: 404, "gateway:route.notfound"),
        Row(
            "DELETE", thing + "/policyId", gives: 405, "gateway:method.notallowed", with: [("allow", "GET, PUT, PATCH")]
        ),
        Row("PATCH", thing + "/policyId", patch, send: "null", gives: 400, "things:policyId.notdeletable"),
        Row("PUT", thing + "/attributes?response-required=false", json, send: #"{"a":1}"#, gives: 202, body: ""),
        Row("PUT", thing + "/attributes?timeout=0", json, send: #"{"a":1}"#, gives: 202, body: ""),
        Row("PUT", thing + "/attributes", json + [("requested-acks", "[\"twin-persisted\"]")], send: "{}", gives: 204),
        Row(
            "GET", "/api/2/things?ids=org.example:pump,org.example:none&fields=thingId", gives: 200,
            body: #"[{"thingId":"org.example:pump"}]"#),
        Row("DELETE", thing, gives: 204, body: ""),
        Row("GET", thing, gives: 404, "things:thing.notfound"),
        Row("PUT", thing, json, send: "{}", gives: 400, "things:thing.notcreatable"),
        Row("PUT", thing, json, send: #"{"policyId":"org.example:pump"}"#, gives: 201),
    ]

    @Test("a thing lives as the specification says", arguments: Way.allCases)
    func lives(_ way: Way) async throws {
        try await withDoor(way) { door in
            for row in Self.lifeCycle { try await row.check(door) }
        }
    }

    static let wrong: [Row] = [
        // Paths.
        Row("GET", "/api/2/things//", gives: 404, "gateway:route.notfound"),
        Row("PUT", "/api/2/things//org.example:pump", json, send: "{}", gives: 404, "gateway:route.notfound"),
        Row("DELETE", "/api/2/things/org.example:pump//", gives: 404),
        Row("GET", "/api//2/things/org.example:pump", gives: 404),
        Row("GET", thing + "/attributes//", gives: 400, "json.pointer.invalid"),
        Row("POST", thing + "/attributes//", gives: 405, "gateway:method.notallowed"),
        Row("PUT", thing + "/attributes/a//b", json, send: "1", gives: 400, "json.pointer.invalid"),
        Row("PUT", thing + "/attributes/a/", json, send: "1", gives: 400, "json.pointer.invalid"),
        Row("PUT", thing + "/attributes/a%2F%2Fb", json, send: "1", gives: 400, "json.pointer.invalid"),
        Row("GET", thing + "/features//", gives: 404, "gateway:route.notfound"),
        Row("GET", thing + "/features//lamp", gives: 404, "gateway:route.notfound"),
        Row("GET", thing + "/features/lamp/colour", gives: 404, "gateway:route.notfound"),
        Row("GET", thing + "/unknown", gives: 404, "gateway:route.notfound"),
        Row("GET", "/api/2/nothing", gives: 404, "gateway:route.notfound"),
        Row("GET", "/api/3/things", user: nil, gives: 404, "api.version.notsupported"),
        Row("GET", "/api/two/things", user: nil, gives: 404, "gateway:route.notfound"),
        Row("GET", "/favicon.ico", user: nil, gives: 404, "gateway:route.notfound"),
        Row("GET", "/api/2/things/no-namespace", gives: 400, "things:id.invalid"),
        Row("GET", "/api/2/things/a%2Gb", gives: 400, "gateway:uri.invalid"),
        Row("GET", "/api/2/things/a:%FF", gives: 400, "gateway:uri.invalid"),
        Row("GET", "/api/2/things/a:" + String(repeating: "x", count: 300), gives: 400, "things:id.invalid"),
        Row("GET", "/api/2/things/a:" + String(repeating: "x", count: 9000), gives: 414, "gateway:uri.toolong"),
        Row("GET", thing + "?fields=a(b", gives: 400, "json.fieldselector.invalid"),
        Row("GET", thing + "?fields=%zz", gives: 400, "gateway:uri.invalid"),
        Row("GET", "/api/2/things?ids=", gives: 400, "things:id.invalid"),
        Row("GET", "/api/2/things", gives: 400, "things:things.ids.missing"),
        // Methods.
        Row("POST", thing, gives: 405, "gateway:method.notallowed", with: [("allow", "GET, PUT, PATCH, DELETE")]),
        Row("PATCH", "/api/2/things", gives: 405, with: [("allow", "GET, POST")]),
        Row("OPTIONS", thing, gives: 405),
        // Authentication comes before everything else.
        Row(
            "GET", thing, user: nil, gives: 401, "gateway:authentication.failed",
            with: [("www-authenticate", "Basic realm=\"Twinspan\"")]),
        Row("GET", "/api/2/no/such/path", user: nil, gives: 401, "gateway:authentication.failed"),
        Row("PATCH", thing, [("correlation-id", "x"), ("Correlation-Id", "y")], user: nil, gives: 401),
        Row("GET", thing, user: "ditto:wrong", gives: 401, "gateway:authentication.failed"),
        Row("GET", thing, user: "nobody:secret", gives: 401, "gateway:authentication.failed"),
        Row("GET", thing, user: "devops:ops", gives: 401, "gateway:authentication.failed"),
        Row("GET", thing, [("Authorization", "Bearer abc")], user: nil, gives: 401),
        Row("GET", thing, [("Authorization", "Basic ???")], user: nil, gives: 401),
        // Header fields.
        Row("GET", thing, [("Accept", "a/b"), ("accept", "c/d")], gives: 400, "gateway:duplicate.header.field"),
        Row("GET", thing, [("x-correlation-id", String(repeating: "c", count: 6000))], gives: 431, "headers.too.large"),
        Row("GET", thing, (0..<70).map { ("x-\($0)", "1") }, gives: 431, "headers.too.large"),
        Row("GET", thing + "?timeout=5", [("timeout", "6")], gives: 400, "gateway:duplicate.header.field"),
        Row("GET", thing, [("timeout", "61s")], gives: 400, "gateway:timeout.invalid"),
        Row("GET", thing, [("timeout", "-1")], gives: 400, "header.invalid"),
        Row("GET", thing, [("timeout", "soon")], gives: 400, "header.invalid"),
        Row("GET", thing + "?timeout=0&response-required=true", gives: 400, "header.invalid"),
        Row("GET", thing, [("response-required", "maybe")], gives: 400, "header.invalid"),
        Row("GET", thing, [("correlation-id", "")], gives: 400, "header.invalid"),
        Row("GET", thing, [("If-Match", "invalid")], gives: 400, "header.invalid"),
        Row("GET", thing, [("channel", "radio")], gives: 400, "header.invalid"),
        Row("GET", thing + "?channel=live", gives: 400, "signal.unsupported"),
        Row("GET", thing, [("at-historical-revision", "1")], gives: 400, "signal.unsupported"),
        Row("PUT", thing, json + [("requested-acks", "custom-ack")], send: "{}", gives: 400, "signal.unsupported"),
        // Media types.
        Row("PUT", thing, [("Content-Type", "text/plain")], send: "{}", gives: 415, "mediatype.unsupported"),
        Row("PATCH", thing, json, send: "{}", gives: 415, "mediatype.unsupported"),
        Row("PATCH", thing, send: "{}", gives: 415, "mediatype.unsupported"),
        Row("POST", "/api/2/things", [("Content-Type", "text/json")], send: "{}", gives: 415, "mediatype.unsupported"),
        // Bodies.
        Row("PUT", thing, json, send: "{", gives: 400, "json.invalid"),
        Row("PUT", thing, json, send: "", gives: 400, "json.invalid"),
        Row("PUT", thing, json, gives: 400, "json.invalid"),
        Row("PUT", thing, json, send: "[]", gives: 400, "json.invalid"),
        Row("PUT", thing, json, send: #"{"a":1,"a":2}"#, gives: 400, "json.invalid"),
        Row(
            "PUT", thing + "/attributes", json, send: String(repeating: "[", count: 100_000), gives: 400, "json.invalid"
        ),
        Row("PUT", thing, json, send: #"{"thingId":"org.example:other"}"#, gives: 400, "things:id.notsettable"),
        Row("PUT", thing, json, send: #"{"attributes":5}"#, gives: 400, "json.invalid"),
        Row("PATCH", thing, patch, send: "null", gives: 400, "things:merge.invalid"),
        Row("PATCH", thing, patch, send: "{}", gives: 400, "things:merge.invalid"),
        Row("PATCH", thing, patch, send: #"{"thingId":null}"#, gives: 400, "things:id.notdeletable"),
        Row("PATCH", thing + "/attributes", patch, send: "5", gives: 400, "json.invalid"),
        Row("POST", "/api/2/things", json, send: #"{"thingId":"a:b"}"#, gives: 400, "things:id.notsettable"),
        Row("POST", "/api/2/things?namespace=1x", json, send: "{}", gives: 400, "things:id.invalid"),
        Row(
            "PUT", thing + "/attributes/big", json, send: "\"" + String(repeating: "x", count: 110_000) + "\"",
            gives: 413, "things:thing.toolarge"),
        Row(
            "PUT", thing + "/attributes/big", json, send: "\"" + String(repeating: "x", count: 1 << 20) + "\"",
            gives: 413, "gateway:body.toolarge", with: [("connection", "close")]),
        Row(
            "PUT", thing + "/attributes/big", json, send: "\"" + String(repeating: "x", count: 10 << 20) + "\"",
            gives: 413, "gateway:body.toolarge"),
        // Preconditions and conditions.
        Row("GET", thing, [("If-None-Match", "\"rev:1\"")], gives: 304, body: "", with: [("etag", "\"rev:1\"")]),
        Row(
            "GET", thing, [("If-Match", "\"rev:9\"")], gives: 412, "things:precondition.failed",
            with: [("etag", "\"rev:1\"")]),
        Row("PUT", thing, json + [("If-Match", "\"rev:9\"")], send: "{}", gives: 412, "things:precondition.failed"),
        Row("PUT", thing, json + [("If-None-Match", "*")], send: "{}", gives: 412, "things:precondition.failed"),
        Row("DELETE", thing + "/attributes/none", gives: 404, "things:attribute.notfound"),
        Row("PUT", thing + "?condition=eq(attributes/a,5)", json, send: "{}", gives: 412, "things:condition.failed"),
        Row("PUT", thing + "?condition=eq(", json, send: "{}", gives: 400, "things:condition.invalid"),
        Row("PUT", thing, json + [("if-equal", "never")], send: "{}", gives: 400, "header.invalid"),
        // Permissions: the guest reads one attribute.
        Row(
            "PUT", thing + "/attributes/public", json, send: "1", user: "guest:guest", gives: 403,
            "things:attribute.notmodifiable"),
        Row("DELETE", thing, user: "guest:guest", gives: 403, "things:thing.notdeletable"),
        Row("GET", thing + "/attributes/secret", user: "guest:guest", gives: 404, "things:attribute.notfound"),
        Row(
            "GET", thing, user: "guest:guest", gives: 200,
            body: #"{"thingId":"org.example:pump","attributes":{"public":1}}"#),
        Row(
            "PUT", "/api/2/policies/org.example:pump", json, send: policy, user: "guest:guest", gives: 403,
            "policies:policy.notmodifiable"),
    ]

    @Test("what is wrong is answered with its status and code, and changes nothing", arguments: Way.allCases)
    func refuses(_ way: Way) async throws {
        try await withDoor(way) { door in
            let made = #"{"attributes":{"public":1,"secret":2},"_policy":\#(policy)}"#
            try await Row("PUT", thing, json, send: made, gives: 201).check(door)
            for row in Self.wrong {
                try await row.check(door)
                // Rows that fail a login on purpose must not use up the attempts of the next one.
                door.clock.advance(seconds: 10)
            }
            try await Row(
                "GET", thing + "?fields=attributes,_revision", gives: 200,
                body: #"{"attributes":{"public":1,"secret":2},"_revision":1}"#
            ).check(door)
        }
    }

    @Test("bytes that are no UTF-8 are refused", arguments: Way.allCases)
    func invalidUTF8(_ way: Way) async throws {
        try await withDoor(way) { door in
            var ask = Ask("PUT", thing, json)
            ask.body = [0x22, 0xFF, 0x22]
            let answer = try await door(ask)
            #expect(answer.status == 400)
            #expect(answer.code == "json.invalid")
            #expect(answer.text.contains("invalid UTF-8 at offset 1"))
        }
    }

    @Test("a thing created by POST gets an id, and is found where Location says", arguments: Way.allCases)
    func post(_ way: Way) async throws {
        try await withDoor(way) { door in
            let answer = try await door(Ask("POST", "/api/2/things?namespace=org.example", json, body: "{}"))
            #expect(answer.status == 201)
            let id = try #require(answer.json?.object?["thingId"]?.string)
            #expect(id.hasPrefix("org.example:"))
            #expect(answer["location"] == "http://twin.example/api/2/things/\(id)")
            #expect(try await door(Ask("GET", "/api/2/things/\(id)")).status == 200)
            let second = try await door(Ask("POST", "/api/2/things/", json, body: "{}"))
            #expect(second["location"]?.hasPrefix("http://twin.example/api/2/things/org.eclipse.ditto:") == true)
        }
    }

    @Test("HEAD is refused without a body", arguments: Way.allCases)
    func head(_ way: Way) async throws {
        try await withDoor(way) { door in
            let answer = try await door(Ask("HEAD", thing))
            #expect(answer.status == 405)
            #expect(answer.body.isEmpty)
        }
    }

    @Test("a thing that is not in memory is loaded from the store", arguments: Way.allCases)
    func cold(_ way: Way) async throws {
        try await withDoor(way) { door in
            for number in 0..<200 {
                let big = "\"" + String(repeating: "x", count: 90_000) + "\""
                let row = Row(
                    "PUT", "/api/2/things/a:t\(number)", json,
                    send: #"{"policyId":"a:p","attributes":{"n":\#(number),"big":\#(big)}}"#, gives: 201)
                if number == 0 {
                    try await Row("PUT", "/api/2/policies/a:p", json, send: policy, gives: 201).check(door)
                }
                try await row.check(door)
            }
            for number in [0, 1, 199] {
                try await Row("GET", "/api/2/things/a:t\(number)/attributes/n", gives: 200, body: "\(number)").check(
                    door)
            }
        }
    }
}

@Suite("Requests on policies")
struct PolicyRequestsTests {
    static let path = "/api/2/policies/org.example:p"

    static let rows: [Row] = [
        Row("GET", path, gives: 404, "policies:policy.notfound"),
        Row("DELETE", path, gives: 404, "policies:policy.notfound"),
        Row(
            "PUT", path, json, send: policy, gives: 201,
            with: [("etag", "\"rev:1\""), ("location", "http://twin.example" + path)]),
        Row("GET", path, gives: 200, with: [("etag", "\"rev:1\""), ("content-type", "application/json")]),
        Row("GET", path + "/", gives: 200),
        Row("GET", path + "?fields=_revision", gives: 200, body: #"{"_revision":1}"#),
        Row("PUT", path, json, send: policy, gives: 204, body: "", with: [("etag", "\"rev:2\"")]),
        Row(
            "PUT", path, json + [("If-Match", "\"rev:1\"")], send: policy, gives: 412, "policies:precondition.failed",
            with: [("etag", "\"rev:2\"")]),
        Row("GET", path, [("If-None-Match", "\"rev:2\"")], gives: 304, body: ""),
        Row("PUT", path, json, send: "{", gives: 400, "json.invalid"),
        Row("PUT", path, json, send: #"{"policyId":"a:b","entries":{}}"#, gives: 400, "policies:id.notsettable"),
        Row("PUT", path, json, send: #"{"entries":{}}"#, gives: 403),
        Row("PUT", path, [("Content-Type", "text/plain")], send: policy, gives: 415, "mediatype.unsupported"),
        Row("PATCH", path, patch, send: "{}", gives: 405, with: [("allow", "GET, PUT, DELETE")]),
        Row("GET", path + "/entries", gives: 200),
        Row("GET", path + "/parts", gives: 404, "gateway:route.notfound"),
        Row("GET", "/api/2/policies//", gives: 404, "gateway:route.notfound"),
        Row("GET", "/api/2/policies/nonamespace", gives: 400, "policies:id.invalid"),
        Row("GET", path, user: "guest:guest", gives: 404, "policies:policy.notfound"),
        Row("GET", path, user: nil, gives: 401, "gateway:authentication.failed"),
        Row("PUT", path + "?response-required=false", json, send: policy, gives: 202, body: ""),
        Row("DELETE", path, gives: 204, body: ""),
        Row("GET", path, gives: 404, "policies:policy.notfound"),
    ]

    @Test("a policy lives as the specification says", arguments: Way.allCases)
    func lives(_ way: Way) async throws {
        try await withDoor(way) { door in
            for row in Self.rows { try await row.check(door) }
        }
    }
}
