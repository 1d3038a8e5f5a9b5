import Testing
import TwinspanEngine
import TwinspanJSON

@testable import TwinspanHTTP

private let json = [("Content-Type", "application/json")]
private let policies = "/api/2/policies"
private let policy = policies + "/org.example:p"
private let entry = policy + "/entries/e"

/// The owner `ditto` may do everything; `guest` reads one entry, and writes another, which he cannot read.
private let document = """
    {"policyId":"org.example:p","imports":{"org.example:base":{"entries":["L"]}},"entries":{\
    "owner":{"subjects":{"nginx:ditto":{"type":"user"}},"resources":{"policy:/":{"grant":["READ","WRITE"],"revoke":[]},\
    "thing:/":{"grant":["READ","WRITE"],"revoke":[]}},"importable":"implicit"},\
    "e":{"subjects":{"a:b":{"type":"x"},"https://iss.org/x:s/1":{"type":"x"}},"resources":{},"importable":"implicit"},\
    "guest":{"subjects":{"nginx:guest":{"type":"user"}},\
    "resources":{"policy:/entries/e":{"grant":["READ"],"revoke":[]},\
    "policy:/entries/e/subjects":{"grant":["WRITE"],"revoke":[]}},"importable":"implicit"}}}
    """

@Suite("Routes of policies")
struct PolicyRouteTests {
    private static let base = """
        {"entries":{"L":{"subjects":{"nginx:ditto":{"type":"user"}},"resources":{"policy:/":{"grant":["READ","WRITE"]},\
        "thing:/":{"grant":["READ"]}},"importable":"explicit"},"I":{"subjects":{"nginx:ditto":{"type":"user"}},\
        "resources":{"message:/":{"grant":["READ"]}},"importable":"implicit"}}}
        """
    private static func made(_ path: String) -> [(String, String)] { [("location", "http://twin.example" + path)] }

    /// One life, row after row: each route of http §4 and A.1.2 with each of its methods.
    static let life: [Row] = [
        // The whole policy.
        Row("GET", policy, gives: 404, "policies:policy.notfound"),
        Row("DELETE", policy, gives: 404, "policies:policy.notfound"),
        Row("GET", policy + "/entries", gives: 404, "policies:policy.notfound"),
        Row("PUT", entry, json, send: #"{"subjects":{},"resources":{}}"#, gives: 404, "policies:policy.notfound"),
        Row("PUT", policies + "/org.example:base", json, send: base, gives: 201),
        Row(
            "PUT", policy, json, send: document, gives: 201, body: document,
            with: made(policy) + [
                ("etag", "\"rev:1\""), ("entity-revision", "1"), ("content-type", "application/json"),
            ]),
        Row("GET", policy, gives: 200, body: document, with: [("etag", "\"rev:1\""), ("entity-revision", "1")]),
        Row("GET", policy + "/", gives: 200, body: document),
        Row("GET", policies + "/org.example%3Ap", gives: 200, body: document),
        Row("PUT", policy, json, send: document, gives: 204, body: "", with: [("etag", "\"rev:2\"")]),
        Row("PUT", policy, json + [("if-equal", "skip")], send: document, gives: 412, "policies:precondition.failed"),
        Row(
            "GET", policy + "?fields=policyId,_revision", gives: 200,
            body: #"{"policyId":"org.example:p","_revision":2}"#),
        Row(
            "GET", policy + "?fields=entries/e/importable", gives: 200,
            body: #"{"entries":{"e":{"importable":"implicit"}}}"#),
        Row("GET", policy + "?policy-view=original", gives: 200, body: document),
        Row("GET", policy + "?policy-view=%20Resolved", gives: 200),
        Row("GET", policy, [("policy-view", "RESOLVED")], gives: 200),
        Row("GET", policy + "?policy-view=half", gives: 400, "policies:view.invalid"),
        Row("GET", policy + "?policy-view=original", [("policy-view", "resolved")], gives: 400),
        // Entries.
        Row("GET", policy + "/entries/", gives: 200),
        Row(
            "PUT", policy + "/entries/new", json, send: #"{"subjects":{},"resources":{}}"#, gives: 201,
            body: #"{"subjects":{},"resources":{},"importable":"implicit"}"#, with: made(policy + "/entries/new")),
        Row("PUT", policy + "/entries/new/", json, send: #"{"subjects":{},"resources":{}}"#, gives: 204, body: ""),
        Row(
            "GET", policy + "/entries/new", gives: 200, body: #"{"subjects":{},"resources":{},"importable":"implicit"}"#
        ),
        Row("PUT", policy + "/entries/with%20blank", json, send: #"{"subjects":{},"resources":{}}"#, gives: 201),
        Row("GET", policy + "/entries/with%20blank/", gives: 200),
        Row("DELETE", policy + "/entries/with%20blank", gives: 204, body: ""),
        Row("DELETE", policy + "/entries/new/", gives: 204, body: ""),
        Row("DELETE", policy + "/entries/new", gives: 404, "policies:entry.notfound"),
        Row("GET", policy + "/entries/new", gives: 404, "policies:entry.notfound"),
        Row("GET", policy + "/entries/new/subjects", gives: 404, "policies:entry.notfound"),
        // Subjects: the rest of the path is the id, slashes included.
        Row(
            "GET", entry + "/subjects", gives: 200,
            body: #"{"a:b":{"type":"x"},"https://iss.org/x:s/1":{"type":"x"}}"#),
        Row("GET", entry + "/subjects/", gives: 200),
        Row("GET", entry + "/subjects/a:b", gives: 200, body: #"{"type":"x"}"#),
        Row("GET", entry + "/subjects/a%3Ab", gives: 200, body: #"{"type":"x"}"#),
        Row("GET", entry + "/subjects/https://iss.org/x:s/1", gives: 200, body: #"{"type":"x"}"#),
        Row("GET", entry + "/subjects/https:%2F%2Fiss.org%2Fx:s%2F1", gives: 200, body: #"{"type":"x"}"#),
        Row(
            "PUT", entry + "/subjects/c:d/e", json, send: #"{"type":"y"}"#, gives: 201, body: #"{"type":"y"}"#,
            with: made(entry + "/subjects/c:d/e")),
        Row("PUT", entry + "/subjects/c:d%2Fe", json, send: #"{"type":"z"}"#, gives: 204, body: ""),
        Row("GET", entry + "/subjects/c:d/e", gives: 200, body: #"{"type":"z"}"#),
        Row("DELETE", entry + "/subjects/c:d/e", gives: 204, body: ""),
        Row("DELETE", entry + "/subjects/c:d/e", gives: 404, "policies:subject.notfound"),
        Row("GET", entry + "/subjects/c:d/e", gives: 404, "policies:subject.notfound"),
        Row("PUT", entry + "/subjects", json, send: #"{"a:b":{"type":"x"}}"#, gives: 204, body: ""),
        Row("GET", entry + "/subjects/https://iss.org/x:s/1", gives: 404, "policies:subject.notfound"),
        // Resources: the key of a root ends with a slash.
        Row(
            "PUT", entry + "/resources/thing:/", json, send: #"{"grant":["READ"],"revoke":[]}"#, gives: 201,
            body: #"{"grant":["READ"],"revoke":[]}"#, with: made(entry + "/resources/thing:/")),
        Row("PUT", entry + "/resources/thing:%2F", json, send: #"{"grant":["READ"]}"#, gives: 204, body: ""),
        Row("GET", entry + "/resources/thing:/", gives: 200, body: #"{"grant":["READ"],"revoke":[]}"#),
        Row("GET", entry + "/resources/thing:%2f", gives: 200),
        Row("PUT", entry + "/resources/thing:/features/f%20x", json, send: #"{"revoke":["WRITE"]}"#, gives: 201),
        Row(
            "GET", entry + "/resources/thing:%2Ffeatures%2Ff%20x", gives: 200, body: #"{"grant":[],"revoke":["WRITE"]}"#
        ),
        Row(
            "GET", entry + "/resources", gives: 200,
            body: #"{"thing:/":{"grant":["READ"],"revoke":[]},"thing:/features/f x":{"grant":[],"revoke":["WRITE"]}}"#),
        Row("DELETE", entry + "/resources/thing:/features/f%20x", gives: 204, body: ""),
        Row("GET", entry + "/resources/thing:/features/f%20x", gives: 404, "policies:resource.notfound"),
        Row("DELETE", entry + "/resources/thing:/features", gives: 404, "policies:resource.notfound"),
        Row("PUT", entry + "/resources/", json, send: "{}", gives: 204, body: ""),
        Row("GET", entry + "/resources", gives: 200, body: "{}"),
        // Importable: quoted or raw.
        Row("GET", entry + "/importable", gives: 200, body: #""implicit""#),
        Row("PUT", entry + "/importable", json, send: #""explicit""#, gives: 204, body: ""),
        Row("PUT", entry + "/importable/", json, send: "never", gives: 204),
        Row("GET", entry + "/importable", gives: 200, body: #""never""#),
        Row("PUT", entry + "/importable", json, send: "often", gives: 400, "policies:entry.invalid"),
        Row("PUT", entry + "/importable", json, send: "7", gives: 400, "policies:entry.invalid"),
        Row("PUT", entry + "/importable", json, send: "", gives: 400, "json.invalid"),
        // A.1.2: namespaces that were never set are not there, set to nothing they are.
        Row("GET", entry + "/namespaces", gives: 404, "policies:entry.notfound"),
        Row("PUT", entry + "/namespaces", json, send: #"["com.acme","com.acme.*","com.acme"]"#, gives: 204, body: ""),
        Row("GET", entry + "/namespaces/", gives: 200, body: #"["com.acme","com.acme.*"]"#),
        Row("PUT", entry + "/namespaces", json, send: "[]", gives: 204),
        Row("GET", entry + "/namespaces", gives: 200, body: "[]"),
        Row("PUT", entry + "/namespaces", json, send: #"["*"]"#, gives: 400, "policies:entry.invalid"),
        // A.1.2: allowed additions read the same absent and empty; deleting returns to absent.
        Row("GET", entry + "/allowedAdditions", gives: 200, body: "[]"),
        Row("PUT", entry + "/allowedAdditions", json, send: "[]", gives: 204, body: ""),
        Row("GET", entry + "/allowedAdditions", gives: 200, body: "[]"),
        Row("PUT", entry + "/allowedAdditions/", json, send: #"["subjects"]"#, gives: 204),
        Row("GET", entry + "/allowedAdditions", gives: 200, body: #"["subjects"]"#),
        Row("PUT", entry + "/allowedAdditions", json, send: #"["friends"]"#, gives: 400, "policies:entry.invalid"),
        Row("DELETE", entry + "/allowedAdditions", gives: 204, body: ""),
        Row("GET", entry + "/allowedAdditions", gives: 200, body: "[]"),
        Row(
            "GET", entry, gives: 200,
            body: #"{"subjects":{"a:b":{"type":"x"}},"resources":{},"namespaces":[],"importable":"never"}"#),
        // A.1.2: references; an empty list clears them.
        Row("GET", entry + "/references", gives: 200, body: "[]"),
        Row(
            "PUT", entry + "/references", json, send: #"[{"import":"org.example:base","entry":"L"},{"entry":"guest"}]"#,
            gives: 201, with: made(entry + "/references")),
        Row(
            "PUT", entry + "/references", json, send: #"[{"import":"org.example:base","entry":"L"}]"#, gives: 204,
            body: ""),
        Row("GET", entry + "/references/", gives: 200, body: #"[{"import":"org.example:base","entry":"L"}]"#),
        Row("PUT", entry + "/references", json, send: #"[{"entry":"none"}]"#, gives: 400, "policies:entry.invalid"),
        Row(
            "PUT", entry + "/references", json, send: #"[{"import":"x:y","entry":"L"}]"#, gives: 400,
            "policies:import.invalid"),
        // A.5: an import that a reference uses stays.
        Row("DELETE", policy + "/imports/org.example:base", gives: 409, "policies:import.referenceconflict"),
        Row("DELETE", policy + "/imports", gives: 409, "policies:import.referenceconflict"),
        Row(
            "PUT", policy + "/imports/org.example:base/entries", json, send: "[]", gives: 409,
            "policies:import.referenceconflict"),
        Row("PUT", entry + "/references", json, send: "[]", gives: 204, body: ""),
        Row("GET", entry + "/references", gives: 200, body: "[]"),
        Row("PUT", entry + "/references", json, send: #"[{"entry":"guest"}]"#, gives: 201),
        // A.6: an entry that a reference uses stays.
        Row("DELETE", policy + "/entries/guest", gives: 409, "policies:entry.referenceconflict"),
        Row(
            "PUT", policy + "/entries/guest/importable", json, send: "never", gives: 409,
            "policies:entry.referenceconflict"),
        Row("DELETE", entry + "/references", gives: 204, body: ""),
        Row("GET", entry + "/references", gives: 200, body: "[]"),
        // Imports.
        Row("GET", policy + "/imports", gives: 200, body: #"{"org.example:base":{"entries":["L"]}}"#),
        Row("GET", policy + "/imports/org.example:base", gives: 200, body: #"{"entries":["L"]}"#),
        Row("GET", policy + "/imports/org.example%3Abase/", gives: 200),
        Row("GET", policy + "/imports/org.example:none", gives: 404, "policies:import.notfound"),
        Row("GET", policy + "/imports/org.example:none/entries", gives: 404, "policies:import.notfound"),
        Row("GET", policy + "/imports/org.example:base/entries", gives: 200, body: #"["L"]"#),
        Row("PUT", policy + "/imports/org.example:base/entries/", json, send: "[]", gives: 204, body: ""),
        Row("GET", policy + "/imports/org.example:base/transitiveImports", gives: 200, body: "[]"),
        Row(
            "PUT", policy + "/imports/org.example:base/transitiveImports", json, send: #"["org.example:q"]"#,
            gives: 204, body: ""),
        Row("GET", policy + "/imports/org.example:base/transitiveImports/", gives: 200, body: #"["org.example:q"]"#),
        Row(
            "PUT", policy + "/imports/org.example:base/transitiveImports", json, send: "[7]", gives: 400,
            "policies:import.invalid"),
        Row(
            "PUT", policy + "/imports/org.example:base/transitiveImports", json, send: #"["org.example:p"]"#,
            gives: 400, "policies:import.invalid"),
        Row("PUT", policy + "/imports/org.example:p", json, send: "{}", gives: 400, "policies:import.invalid"),
        Row("PUT", policy + "/imports/org.example:base", json, send: "[]", gives: 400, "json.invalid"),
        Row("DELETE", policy + "/imports/org.example:base", gives: 204, body: ""),
        Row("DELETE", policy + "/imports/org.example:base", gives: 404, "policies:import.notfound"),
        Row("GET", policy + "/imports", gives: 200, body: "{}"),
        Row(
            "PUT", policy + "/imports/org.example:base", json, send: "{}", gives: 201, body: "{}",
            with: made(policy + "/imports/org.example:base")),
        Row("PUT", policy + "/imports/org.example:base", json, send: #"{"entries":["L"]}"#, gives: 204, body: ""),
        Row("PUT", policy + "/imports/", json, send: "{}", gives: 204, body: ""),
        Row("PUT", policy + "/imports", json, send: #"{"org.example:base":{}}"#, gives: 204),
        Row("DELETE", policy + "/imports/", gives: 204, body: ""),
        Row("GET", policy + "/imports", gives: 404, "policies:imports.notfound"),
        // Without an import somebody must stay the owner (A.9.3).
        Row("DELETE", policy + "/entries/owner", gives: 403, "policies:entry.modificationinvalid"),
        Row(
            "PUT", policy + "/entries/owner/resources", json, send: "{}", gives: 403,
            "policies:entry.modificationinvalid"),
        Row("DELETE", policy + "/entries/owner/subjects/nginx:ditto", gives: 403, "policies:entry.modificationinvalid"),
        Row("DELETE", policy + "/entries/owner/resources/policy:/", gives: 403, "policies:entry.modificationinvalid"),
        Row("PUT", policy + "/entries", json, send: "{}", gives: 403, "policies:policy.modificationinvalid"),
        Row("PUT", policy, json, send: #"{"entries":{}}"#, gives: 403, "policies:policy.modificationinvalid"),
        // What the writer wants to hear.
        Row("PUT", entry + "/importable?response-required=false", json, send: "implicit", gives: 202, body: ""),
        Row("PUT", entry + "/importable?timeout=0", json, send: "implicit", gives: 202, body: ""),
        // What others may do (A.3.2): read is hidden, write is refused.
        Row("GET", policy, user: "guest:guest", gives: 200),
        Row("GET", entry, user: "guest:guest", gives: 200),
        Row("GET", policy + "/entries/owner", user: "guest:guest", gives: 404, "policies:entry.notfound"),
        Row("GET", policy + "/entries/owner/subjects", user: "guest:guest", gives: 404, "policies:subjects.notfound"),
        Row(
            "GET", policy + "/entries/owner/resources/policy:/", user: "guest:guest", gives: 404,
            "policies:resource.notfound"),
        Row("GET", policy + "/imports", user: "guest:guest", gives: 404, "policies:imports.notfound"),
        Row("PUT", entry + "/subjects/g:g", json, send: #"{"type":"g"}"#, user: "guest:guest", gives: 201),
        Row("DELETE", entry + "/subjects/g:g", user: "guest:guest", gives: 204),
        Row(
            "PUT", entry, json, send: #"{"subjects":{},"resources":{}}"#, user: "guest:guest", gives: 403,
            "policies:entry.notmodifiable"),
        Row(
            "PUT", entry + "/resources", json, send: "{}", user: "guest:guest", gives: 403,
            "policies:resources.notmodifiable"),
        Row(
            "PUT", entry + "/resources/thing:/", json, send: "{}", user: "guest:guest", gives: 403,
            "policies:resource.notmodifiable"),
        Row(
            "PUT", entry + "/importable", json, send: "never", user: "guest:guest", gives: 403,
            "policies:entry.notmodifiable"),
        Row(
            "PUT", policy + "/imports", json, send: "{}", user: "guest:guest", gives: 403,
            "policies:imports.notmodifiable"),
        Row(
            "PUT", policy + "/imports/x:y", json, send: "{}", user: "guest:guest", gives: 403,
            "policies:import.notmodifiable"),
        Row(
            "PUT", policy + "/entries", json, send: "{}", user: "guest:guest", gives: 403,
            "policies:policy.notmodifiable"),
        Row("PUT", policy, json, send: document, user: "guest:guest", gives: 403, "policies:policy.notmodifiable"),
        Row("DELETE", policy, user: "guest:guest", gives: 403, "policies:policy.notmodifiable"),
        Row("DELETE", policy, gives: 204, body: ""),
        Row("GET", policy, gives: 404, "policies:policy.notfound"),
    ]

    @Test("a policy and its parts live as the specification says", arguments: Way.allCases)
    func lives(_ way: Way) async throws {
        try await withDoor(way) { door in
            for row in Self.life { try await row.check(door) }
        }
    }

    /// What is wrong with a request in itself, or with what it addresses. The policy exists.
    static let wrong: [Row] = [
        // Paths (§1.4).
        Row("GET", policies + "//", gives: 404, "gateway:route.notfound"),
        Row("GET", policies + "//org.example:p", gives: 404, "gateway:route.notfound"),
        Row("GET", policy + "//", gives: 404, "gateway:route.notfound"),
        Row("GET", policy + "/unknown", gives: 404, "gateway:route.notfound"),
        Row("GET", policy + "/policyId", gives: 404, "gateway:route.notfound"),
        Row("GET", policy + "/entries//", gives: 404, "gateway:route.notfound"),
        Row("GET", policy + "/entries//subjects", gives: 404, "gateway:route.notfound"),
        Row("GET", entry + "/unknown", gives: 404, "gateway:route.notfound"),
        Row("GET", entry + "/importable/x", gives: 404, "gateway:route.notfound"),
        Row("GET", entry + "/references/0", gives: 404, "gateway:route.notfound"),
        Row("GET", policy + "/imports//", gives: 404, "gateway:route.notfound"),
        Row("GET", policy + "/imports/x:y/unknown", gives: 404, "gateway:route.notfound"),
        Row("GET", policy + "/imports/x:y/entries/L", gives: 404, "gateway:route.notfound"),
        Row("GET", policy + "/import/x:y", gives: 404, "gateway:route.notfound"),
        Row("GET", policies + "/no-namespace", gives: 400, "policies:id.invalid"),
        Row("GET", policies + "/no-namespace/entries", gives: 400, "policies:id.invalid"),
        Row("GET", policy + "/entries/%zz", gives: 400, "gateway:uri.invalid"),
        // Labels and keys (A.1.1).
        Row("GET", policy + "/entries/importedX", gives: 400, "policies:label.invalid"),
        Row("PUT", policy + "/entries/nsimported-x", json, send: "{}", gives: 400, "policies:label.invalid"),
        Row("GET", policy + "/entries/a%2Fb", gives: 400, "policies:entry.invalid"),
        Row("GET", policy + "/entries/a%01b", gives: 400, "policies:entry.invalid"),
        Row("GET", entry + "/subjects/ditto", gives: 400, "policies:subjectid.invalid"),
        Row("GET", entry + "/subjects//", gives: 400, "policies:subjectid.invalid"),
        Row("GET", entry + "/resources/thing", gives: 400, "json.invalid"),
        Row("GET", entry + "/resources/thing://", gives: 400, "json.pointer.invalid"),
        Row("GET", policy + "/imports/base", gives: 400, "policies:id.invalid"),
        // Methods (§1.5, §4).
        Row("GET", policies, gives: 405, "gateway:method.notallowed", with: [("allow", "POST")]),
        Row("PUT", policies + "/", json, send: "{}", gives: 405, with: [("allow", "POST")]),
        Row("DELETE", policies, gives: 405, with: [("allow", "POST")]),
        Row("POST", policy, json, send: "{}", gives: 405, with: [("allow", "GET, PUT, DELETE")]),
        Row("PATCH", policy, json, send: "{}", gives: 405, with: [("allow", "GET, PUT, DELETE")]),
        Row("DELETE", policy + "/entries", gives: 405, with: [("allow", "GET, PUT")]),
        Row("PATCH", entry, json, send: "{}", gives: 405, with: [("allow", "GET, PUT, DELETE")]),
        Row("DELETE", entry + "/subjects", gives: 405, with: [("allow", "GET, PUT")]),
        Row("POST", entry + "/subjects/a:b", gives: 405, with: [("allow", "GET, PUT, DELETE")]),
        Row("DELETE", entry + "/resources/", gives: 405, with: [("allow", "GET, PUT")]),
        Row("POST", entry + "/resources/thing:/", gives: 405, with: [("allow", "GET, PUT, DELETE")]),
        Row("DELETE", entry + "/importable", gives: 405, with: [("allow", "GET, PUT")]),
        Row("DELETE", entry + "/namespaces", gives: 405, with: [("allow", "GET, PUT")]),
        Row("POST", entry + "/allowedAdditions", gives: 405, with: [("allow", "GET, PUT, DELETE")]),
        Row("POST", entry + "/references", gives: 405, with: [("allow", "GET, PUT, DELETE")]),
        Row("POST", policy + "/imports", gives: 405, with: [("allow", "GET, PUT, DELETE")]),
        Row("PATCH", policy + "/imports/x:y", gives: 405, with: [("allow", "GET, PUT, DELETE")]),
        Row("DELETE", policy + "/imports/x:y/entries", gives: 405, with: [("allow", "GET, PUT")]),
        Row("DELETE", policy + "/imports/x:y/transitiveImports", gives: 405, with: [("allow", "GET, PUT")]),
        Row("GET", policy + "/actions/activateTokenIntegration", gives: 405, with: [("allow", "POST")]),
        // Who asks comes first (§1.1).
        Row("GET", entry, user: nil, gives: 401, "gateway:authentication.failed"),
        Row("POST", policy + "/actions/activateTokenIntegration", user: nil, gives: 401),
        Row("GET", policy + "/unknown", user: nil, gives: 401),
        // Bodies and media types (§1.7).
        Row("PUT", policy, [("Content-Type", "text/plain")], send: document, gives: 415, "mediatype.unsupported"),
        Row("PUT", entry + "/importable", [("Content-Type", "text/plain")], send: "never", gives: 415),
        Row("POST", policies, [("Content-Type", "text/plain")], send: document, gives: 415, "mediatype.unsupported"),
        Row("PUT", policy, json, send: "{", gives: 400, "json.invalid"),
        Row("PUT", policy, json, send: "[]", gives: 400, "json.invalid"),
        Row("PUT", policy, json, send: "{}", gives: 400, "json.field.missing"),
        Row("PUT", policy, json, send: #"{"policyId":"a:b","entries":{}}"#, gives: 400, "policies:id.notsettable"),
        Row("PUT", policy + "/entries", json, send: "[]", gives: 400, "json.invalid"),
        Row("PUT", policy + "/entries", json, send: #"{"importedX":{}}"#, gives: 400, "policies:label.invalid"),
        Row("PUT", entry, json, send: "7", gives: 400, "json.invalid"),
        Row("PUT", entry + "/subjects", json, send: #"{"x":{"type":"t"}}"#, gives: 400, "policies:subjectid.invalid"),
        Row("PUT", entry + "/subjects/a:c", json, send: "{}", gives: 400, "json.field.missing"),
        Row(
            "PUT", entry + "/subjects/a:c", json, send: #"{"type":"t","expiry":"soon"}"#, gives: 400,
            "policies:subjectexpiry.invalid"),
        Row(
            "PUT", entry + "/subjects/a:c", json, send: #"{"type":"t","expiry":"2020-01-01T00:00:00Z"}"#, gives: 400,
            "policies:subjectexpiry.invalid"),
        Row(
            "PUT", entry + "/subjects/a:c", json, send: #"{"type":"t","announcement":{"beforeExpiry":"1y"}}"#,
            gives: 400, "policies:subjectannouncement.invalid"),
        Row("PUT", entry + "/resources", json, send: #"{"thing":{}}"#, gives: 400, "json.invalid"),
        Row(
            "PUT", entry + "/resources/thing:/a", json, send: #"{"grant":["FLY"]}"#, gives: 400,
            "policies:entry.invalid"),
        Row("PUT", entry + "/references", json, send: "{}", gives: 400, "json.invalid"),
        Row("PUT", entry + "/references", json, send: "[{}]", gives: 400, "json.field.missing"),
        Row("PUT", entry + "/references", json, send: #"[{"entry":"e"}]"#, gives: 400, "policies:entry.invalid"),
        Row("PUT", policy + "/imports", json, send: "[]", gives: 400, "json.invalid"),
        Row("PUT", policy + "/imports", json, send: #"{"x":{}}"#, gives: 400, "policies:id.invalid"),
        Row("PUT", policy + "/imports/x:y/entries", json, send: "[]", gives: 404, "policies:import.notfound"),
        // Header fields.
        Row("GET", policy + "?timeout=61s", gives: 400, "gateway:timeout.invalid"),
        Row("GET", policy + "?fields=a(b", gives: 400, "json.fieldselector.invalid"),
        Row("PUT", policy + "?allow-policy-lockout=perhaps", json, send: document, gives: 400, "header.invalid"),
        Row("GET", policy, [("If-Match", "invalid")], gives: 400, "header.invalid"),
        Row("GET", policy, [("at-historical-revision", "1")], gives: 400, "signal.unsupported"),
        // Actions need a token (A.8).
        Row("POST", policy + "/actions/activateTokenIntegration", gives: 400, "policies:action.failed"),
        Row("POST", policy + "/actions/deactivateTokenIntegration/", gives: 400, "policies:action.failed"),
        Row(
            "POST", entry + "/actions/activateTokenIntegration", json, send: "{}", gives: 400,
            "policies:action.failed"),
        Row("POST", entry + "/actions/deactivateTokenIntegration", gives: 400, "policies:action.failed"),
        Row("POST", policies + "/none/actions/activateTokenIntegration", gives: 400, "policies:id.invalid"),
        Row("POST", policy + "/actions/makeTea", gives: 404, "gateway:route.notfound"),
        Row("POST", entry + "/actions", gives: 404, "gateway:route.notfound"),
        // POST (§4).
        Row("POST", policies, json, send: document, gives: 400, "policies:id.notsettable"),
        Row("POST", policies, json, send: "{}", gives: 400, "json.field.missing"),
        Row("POST", policies, json, send: #"{"entries":{}}"#, gives: 403, "policies:policy.modificationinvalid"),
        Row("POST", policies + "?namespace=1x", json, send: "{}", gives: 400, "policies:id.invalid"),
        // A policy that its creator could not change (A.3.2).
        Row("PUT", policies + "/a:own", json, send: foreign, gives: 403, "policies:policy.notcreatable"),
        Row("POST", policies, json, send: foreign, gives: 403, "policies:policy.notcreatable"),
        Row("PUT", policy, json, send: foreign, gives: 403, "policies:policy.modificationinvalid"),
        Row("PUT", policies + "/a:own?allow-policy-lockout=true", json, send: foreign, gives: 201),
        Row("PUT", policies + "/a:own2", json + [("allow-policy-lockout", "true")], send: foreign, gives: 201),
        // Too large (§2.5 of the protocol).
        Row(
            "PUT", entry + "/subjects/a:c", json, send: #"{"type":"\#(String(repeating: "x", count: 103_000))"}"#,
            gives: 413, "policies:policy.toolarge"),
    ]

    private static let foreign = """
        {"entries":{"o":{"subjects":{"nginx:other":{"type":"user"}},"resources":{"policy:/":{"grant":["WRITE"]}}}}}
        """

    @Test("what is wrong with a request has its status and code", arguments: Way.allCases)
    func refused(_ way: Way) async throws {
        try await withDoor(way) { door in
            try await Row("PUT", policies + "/org.example:base", json, send: Self.base, gives: 201).check(door)
            try await Row("PUT", policy, json, send: document, gives: 201).check(door)
            for row in Self.wrong { try await row.check(door) }
            try await Row("GET", policy, gives: 200, body: document, with: [("etag", "\"rev:1\"")]).check(door)
        }
    }

    /// Each kind of resource that has a tag, with a value to write to it (§2.7, §17 no. 19).
    static let tagged: [(path: String, value: String)] = [
        (policy, document), (policy + "/entries", #"{"owner":\#(owner)}"#), (policy + "/entries/owner", owner),
        (entry + "/subjects", #"{"a:b":{"type":"n"}}"#), (entry + "/subjects/a:b", #"{"type":"m"}"#),
        (entry + "/resources", #"{"thing:/":{"grant":["READ"],"revoke":[]}}"#), (entry + "/importable", #""explicit""#),
        (entry + "/allowedAdditions", #"["subjects"]"#), (entry + "/references", #"[{"entry":"owner"}]"#),
        (policy + "/imports", #"{"org.example:base":{}}"#),
        (policy + "/imports/org.example:base", #"{"entries":[]}"#),
        (policy + "/imports/org.example:base/entries", "[]"),
    ]
    private static let owner = """
        {"subjects":{"nginx:ditto":{"type":"user"}},"resources":{"policy:/":{"grant":["READ","WRITE"],"revoke":[]}},\
        "importable":"implicit"}
        """

    @Test("every resource has a tag, and conditions on it hold or fail", arguments: Way.allCases)
    func tags(_ way: Way) async throws {
        for (path, value) in Self.tagged {
            try await withDoor(way) { door in
                try await Row("PUT", policies + "/org.example:base", json, send: Self.base, gives: 201).check(door)
                try await Row("PUT", policy, json, send: document, gives: 201).check(door)
                let tag = try #require(try await door(Ask("GET", path))["etag"])
                let rows: [Row] = [
                    Row("GET", path, [("If-None-Match", tag)], gives: 304, body: "", with: [("etag", tag)]),
                    Row("GET", path, [("If-None-Match", "\"other\"")], gives: 200, with: [("etag", tag)]),
                    Row("GET", path, [("If-Match", tag)], gives: 200),
                    Row("GET", path, [("If-Match", "\"other\"")], gives: 412, "policies:precondition.failed"),
                    Row(
                        "PUT", path, json + [("If-Match", "\"other\"")], send: value, gives: 412,
                        with: [("etag", tag)]),
                    Row("PUT", path, json + [("If-None-Match", "*")], send: value, gives: 412),
                ]
                for row in rows { try await row.check(door) }
                // Clients look for the header's name in the text (§18).
                let refused = try await door(Ask("PUT", path, json + [("If-Match", "\"other\"")], body: value))
                #expect(refused.text.contains("if-match"), "\(path): \(refused.text)")
                let written = try await door(Ask("PUT", path, json + [("If-Match", tag)], body: value))
                #expect(written.status == 204 || written.status == 201, "\(path): \(written.text)")
                let next = try await door(Ask("GET", path))
                #expect(next["etag"] == written["etag"], "\(path)")
                #expect(path == policy || next["etag"] != tag, "\(path)")
            }
        }
    }

    @Test("the tag tells absent allowed additions from empty ones, and a delete returns to the former (A.1.2)")
    func additions() async throws {
        try await withDoor(.memory) { door in
            try await Row("PUT", policies + "/org.example:base", json, send: Self.base, gives: 201).check(door)
            try await Row("PUT", policy, json, send: document, gives: 201).check(door)
            let path = entry + "/allowedAdditions"
            let absent = try await door(Ask("GET", path))
            _ = try await door(Ask("PUT", path, json, body: "[]"))
            let empty = try await door(Ask("GET", path))
            _ = try await door(Ask("DELETE", path))
            let again = try await door(Ask("GET", path))
            #expect(absent.text == "[]" && empty.text == "[]" && again.text == "[]")
            #expect(absent["etag"] != nil && absent["etag"] != empty["etag"] && absent["etag"] == again["etag"])
        }
    }

    @Test("the resolved view has no tag, ignores conditions and takes fields (A.1.3)", arguments: Way.allCases)
    func view(_ way: Way) async throws {
        try await withDoor(way) { door in
            try await Row("PUT", policies + "/org.example:base", json, send: Self.base, gives: 201).check(door)
            try await Row("PUT", policy, json, send: document, gives: 201).check(door)
            let path = policy + "?policy-view=resolved"
            let answer = try await door(Ask("GET", path))
            #expect(answer.status == 200 && answer["etag"] == nil)
            #expect(answer.json?.object?["policyId"] == "org.example:p")
            try await Row("GET", path, [("If-None-Match", "*")], gives: 200).check(door)
            try await Row("GET", path, [("If-Match", "\"other\"")], gives: 200).check(door)
            try await Row("GET", path + "&fields=policyId", gives: 200, body: #"{"policyId":"org.example:p"}"#).check(
                door)
            try await Row("GET", policies + "/a:none?policy-view=resolved", gives: 404, "policies:policy.notfound")
                .check(door)
            // Parts have one view only.
            let part = try await door(Ask("GET", policy + "/imports?policy-view=resolved"))
            #expect(part.status == 200 && part["etag"] != nil)
        }
    }

    @Test("POST makes a policy under an id of ours, and says where it is", arguments: Way.allCases)
    func post(_ way: Way) async throws {
        try await withDoor(way) { door in
            for (query, namespace) in [("", "org.eclipse.ditto"), ("/?namespace=com.acme", "com.acme")] {
                let answer = try await door(Ask("POST", policies + query, json, body: Self.base))
                #expect(answer.status == 201 && answer["etag"] == "\"rev:1\"", "\(answer.text)")
                let id = try #require(answer.json?.object?["policyId"]?.string)
                #expect(id.hasPrefix(namespace + ":"))
                #expect(answer["location"]?.hasSuffix("/api/2/policies/\(id)") == true)
                try await Row("GET", policies + "/" + id, gives: 200).check(door)
            }
        }
    }
}
