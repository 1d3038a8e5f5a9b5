import Testing

@testable import TwinspanHTTP

private let json = [("Content-Type", "application/json")]
private let check = "/api/2/checkPermissions"
private let who = "/api/2/whoami"

/// `/whoami` and `/checkPermissions` (spec/http.md §7.1, §7.2; spec/policies-search.md F).
@Suite("Questions about the caller over HTTP")
struct AccessRequestsTests {
    private static func question(
        _ resource: String, _ entity: String = "n:t", _ permissions: String = #"["READ"]"#
    ) -> String {
        #"{"resource":"\#(resource)","entityId":"\#(entity)","hasPermissions":\#(permissions)}"#
    }

    static let rows: [Row] = [
        Row("GET", who, gives: 200, body: #"{"defaultSubject":"nginx:ditto","subjects":["nginx:ditto"]}"#),
        Row(
            "GET", who + "/", user: "guest:guest", gives: 200,
            body: #"{"defaultSubject":"nginx:guest","subjects":["nginx:guest"]}"#),
        Row("GET", who, user: nil, gives: 401, "gateway:authentication.failed"),
        Row("GET", who, user: "devops:ops", gives: 401),
        Row("GET", who + "/more", gives: 404), Row("GET", "/api/2/whoamI", gives: 404),
        Row("POST", who, json, send: "{}", gives: 405, with: [("allow", "GET")]),
        Row("GET", check, gives: 405, with: [("allow", "POST")]),
        Row("POST", check, json, send: "{}", user: nil, gives: 401),
        Row("POST", check, json, send: "{}", gives: 200, body: "{}"),
        Row("POST", check + "/", send: "{}", gives: 200, body: "{}"),
        Row("POST", check + "/x", json, send: "{}", gives: 404),
        Row(
            "POST", check, json,
            send: """
                {"b":\(question("thing:/")),"a":\(question("thing:/", "n:none")),\
                "c":\(question("policy:/", "n:t", #"["READ","WRITE"]"#)),\
                "d":\(question("message:/", "n:t", #"["EXECUTE"]"#))}
                """, gives: 200, body: #"{"b":true,"a":false,"c":true,"d":false}"#,
            with: [("content-type", "application/json")]),
        Row(
            "POST", check, json, send: #"{"permissionChecks":{"a":\#(question("thing:/")),"n":1}}"#,
            user: "guest:guest", gives: 200, body: #"{"a":false}"#),
        Row("POST", check, [("Content-Type", "text/plain")], send: "{}", gives: 415, "mediatype.unsupported"),
        Row("POST", check, json, send: "{", gives: 400, "json.invalid"),
        Row("POST", check, json, send: "[]", gives: 400, "json.invalid"),
        Row("POST", check, json, send: #"{"a":{}}"#, gives: 400, "json.field.missing"),
        Row("POST", check, json, send: #"{"a":\#(question("x:/"))}"#, gives: 400, "json.format.invalid"),
        Row("POST", check, json, send: #"{"a":\#(question("thing"))}"#, gives: 400, "json.format.invalid"),
        Row("POST", check, json, send: #"{"a":\#(question("thing:/", "t"))}"#, gives: 400, "things:id.invalid"),
        Row("POST", check, json, send: #"{"a":\#(question("message:/", "t"))}"#, gives: 400, "things:id.invalid"),
        Row("POST", check, json, send: #"{"a":\#(question("policy:/", "t"))}"#, gives: 400, "policies:id.invalid"),
        Row("POST", check, json, send: #"{"a":\#(question("thing:/", "n:t", "[]"))}"#, gives: 400, "json.invalid"),
        Row(
            "POST", check, json, send: #"{"a":\#(question("thing:/")),"b":\#(question("thing:/", "n:t", "[]"))}"#,
            gives: 400, "json.invalid"),
    ]

    @Test("a caller learns who he is and what he may", arguments: Way.allCases)
    func answers(way: Way) async throws {
        try await withDoor(way) { door in
            #expect(try await door(Ask("PUT", "/api/2/things/n:t", json, body: "{}")).status == 201)
            for row in Self.rows { try await row.check(door) }
            // In the order of the request.
            let names = ["z", "a", "m"].map { #""\#($0)":\#(Self.question("thing:/"))"# }
            let answer = try await door(Ask("POST", check, json, body: "{\(names.joined(separator: ","))}"))
            #expect(answer.text == #"{"z":true,"a":true,"m":true}"#)
        }
    }
}
