import Synchronization
import Testing
import TwinspanConnections
import TwinspanJSON
import TwinspanProtocol

@testable import TwinspanHTTP

/// A request of the devops user.
func ops(_ method: String, _ path: String, _ headers: [(String, String)] = [], body: String? = nil) -> Ask {
    Ask(method, path, headers, body: body, user: "devops:ops")
}

@Suite("Requests on connections")
struct ConnectionRequestsTests {
    private static let json = [("Content-Type", "application/json")]
    private static let text = [("Content-Type", "text/plain")]
    private static let document = #"{"connectionType":"mqtt","connectionStatus":"closed","uri":"tcp://h:1"}"#
    private static let root = "/api/2/connections"

    private func withConnections(
        _ body: (Door, FakeRegistry) async throws -> Void, _ ids: [String] = ["a", "b"]
    ) async throws {
        let registry = FakeRegistry()
        for id in ids { try registry.add(id, tags: ["t-\(id)"]) }
        try await withDoor(.memory, registry: registry) { try await body($0, registry) }
    }

    struct Row: Sendable, CustomTestStringConvertible {
        var ask: Ask
        var status: Int
        var code: String?
        init(_ ask: Ask, _ status: Int, _ code: String? = nil) {
            self.ask = ask
            self.status = status
            self.code = code
        }
        var testDescription: String { "\(ask.method) \(ask.path) → \(status) \(code ?? "")" }
    }

    private static func command(_ name: String, at id: String = "a", _ headers: [(String, String)] = text) -> Ask {
        ops("POST", "\(root)/\(id)/command", headers, body: name)
    }

    static let refused: [Row] = [
        Row(Ask("GET", root, user: nil), 401),
        Row(Ask("GET", root, user: "devops:wrong"), 401),
        Row(Ask("GET", root), 401),
        Row(Ask("GET", "\(root)/nowhere/at/all"), 401),
        Row(Ask("POST", "/devops/piggyback", user: "guest:guest"), 401),
        Row(Ask("GET", "/devops/twinspan/status"), 401),
        Row(ops("GET", "\(root)/c"), 404, "connectivity:connection.notfound"),
        Row(ops("GET", "\(root)/c/status"), 404, "connectivity:connection.notfound"),
        Row(ops("GET", "\(root)/c/metrics"), 404, "connectivity:connection.notfound"),
        Row(ops("GET", "\(root)/c/logs"), 404, "connectivity:connection.notfound"),
        Row(ops("DELETE", "\(root)/c"), 404, "connectivity:connection.notfound"),
        Row(command("connectivity.commands:openConnection", at: "c"), 404, "connectivity:connection.notfound"),
        Row(ops("GET", "\(root)/a%20b"), 400, "connectivity:connection.id.invalid"),
        Row(ops("GET", "\(root)/a/status/"), 404, "gateway:route.notfound"),
        Row(ops("GET", "\(root)/a/nothing"), 404, "gateway:route.notfound"),
        Row(ops("GET", "\(root)//"), 404, "gateway:route.notfound"),
        Row(ops("PATCH", "\(root)/a", json, body: "{}"), 405, "gateway:method.notallowed"),
        Row(ops("HEAD", root), 405),
        Row(ops("PUT", root, json, body: "{}"), 405, "gateway:method.notallowed"),
        Row(ops("GET", "\(root)/a/command"), 405, "gateway:method.notallowed"),
        Row(ops("POST", "\(root)/a/status"), 405, "gateway:method.notallowed"),
        Row(ops("POST", root, [("Content-Type", "text/plain")], body: document), 415, "mediatype.unsupported"),
        Row(ops("PUT", "\(root)/a", [("Content-Type", "text/html")], body: document), 415, "mediatype.unsupported"),
        Row(command("connectivity.commands:openConnection", json), 415, "mediatype.unsupported"),
        Row(command("openConnection"), 400, "connectivity:command.invalid"),
        Row(command(""), 400, "connectivity:command.invalid"),
        Row(command("connectivity.commands:createConnection"), 400, "connectivity:command.invalid"),
        Row(ops("POST", root, json, body: "{"), 400, "json.invalid"),
        Row(ops("POST", root, json, body: "[]"), 400, "json.invalid"),
        Row(ops("POST", root, json, body: #"{"id":"x"}"#), 400, "connectivity:id.notsettable"),
        Row(
            ops("PUT", "\(root)/a", json, body: #"{"id":"b","connectionStatus":"open"}"#), 400,
            "connectivity:id.notsettable"),
        Row(ops("PUT", "\(root)/a", json, body: #"{"connectionType":"mqtt"}"#), 400, "json.field.missing"),
        Row(ops("GET", "\(root)?fields=a("), 400, "json.fieldselector.invalid"),
        Row(ops("GET", "\(root)?ids-only=maybe"), 400, "header.invalid"),
        Row(ops("GET", "\(root)/a?at-historical-revision=1"), 404, "connectivity:connection.history.notfound"),
        Row(
            ops("GET", "\(root)/a", [("at-historical-timestamp", "2024-01-01T00:00:00Z")]), 404,
            "connectivity:connection.history.notfound"),
        Row(ops("GET", "\(root)/a", [("If-None-Match", "\"rev:1\"")]), 304),
        Row(ops("GET", "\(root)/a", [("If-Match", "\"rev:2\"")]), 412, "connectivity:precondition.failed"),
        Row(ops("DELETE", "\(root)/a", [("If-Match", "\"rev:2\"")]), 412, "connectivity:precondition.failed"),
        Row(
            ops("PUT", "\(root)/c", json + [("If-Match", "*")], body: document), 412,
            "connectivity:precondition.failed"),
        Row(
            ops("PUT", "\(root)/a", json + [("If-None-Match", "*")], body: document), 412,
            "connectivity:precondition.failed"),
        Row(ops("GET", "\(root)/a", [("If-Match", "nonsense")]), 400, "header.invalid"),
        Row(ops("GET", "\(root)/a", [("X-A", String(repeating: "x", count: 6_000))]), 431, "headers.too.large"),
        Row(
            ops("POST", "\(root)?dry-run=true", json + [("dry-run", "false")], body: "{}"), 400,
            "gateway:duplicate.header.field"),
        Row(
            command("connectivity.commands:openConnection", at: "a", text + [("timeout", "90s")]), 400,
            "gateway:timeout.invalid"),
    ]

    @Test("what is wrong is refused with its code", arguments: refused)
    func refusals(_ row: Row) async throws {
        try await withConnections { door, registry in
            let answer = try await door(row.ask)
            #expect(answer.status == row.status, "\(answer.text)")
            if let code = row.code { #expect(answer.code == code) }
            #expect(registry.calls.filter { !$0.hasPrefix("create") && !$0.hasPrefix("test") }.isEmpty)
        }
    }

    @Test("whoever is not the devops user is asked for that one, in a short text")
    func realm() async throws {
        try await withConnections { door, _ in
            let answer = try await door(Ask("GET", Self.root))
            #expect(answer["www-authenticate"] == "Basic realm=\"DITTO-DEVOPS\"")
            #expect(answer["content-type"] == "text/plain; charset=UTF-8")
        }
    }

    @Test("a connection made by POST gets an id and a place, and no status means unknown")
    func post() async throws {
        try await withConnections { door, registry in
            let answer = try await door(ops("POST", Self.root, Self.json, body: #"{"uri":"tcp://u:p@h:1"}"#))
            #expect(answer.status == 201)
            let id = try #require(answer.json?.object?["id"]?.string)
            #expect(answer["location"] == "http://twin.example\(Self.root)/\(id)")
            #expect(answer["etag"] == "\"rev:1\"")
            #expect(answer.json?.object?["connectionStatus"]?.string == "unknown")
            #expect(answer.json?.object?["uri"]?.string == "tcp://u:p@h:1")
            #expect(registry.calls == ["create \(id)"])
            let quiet = try await door(
                ops("POST", "\(Self.root)?response-required=false", Self.json, body: Self.document))
            #expect(quiet.status == 202 && quiet.body.isEmpty && quiet["location"] == nil)
        }
    }

    @Test("PUT makes what is not there with 201, and changes what is there with 204")
    func put() async throws {
        try await withConnections { door, registry in
            let made = try await door(ops("PUT", "\(Self.root)/c", Self.json, body: Self.document))
            #expect(made.status == 201 && made["location"] == "http://twin.example\(Self.root)/c")
            let changed = try await door(
                ops("PUT", "\(Self.root)/c", Self.json + [("If-Match", "\"rev:1\"")], body: Self.document))
            #expect(changed.status == 204 && changed.body.isEmpty && changed["etag"] == "\"rev:2\"")
            let same = try await door(
                ops("PUT", "\(Self.root)/c/", Self.json, body: #"{"id":"c","connectionStatus":"open"}"#))
            #expect(same.status == 204)
            #expect(registry.calls == ["create c", "modify c", "modify c"])
        }
    }

    @Test(
        "errors of the broker go to the caller of a change",
        arguments: [
            ConnectivityErrorTable.failed, ConnectivityErrorTable.unauthorized, ConnectivityErrorTable.unavailable,
            ConnectivityErrorTable.signalIllegal, ConnectivityErrorTable.conflict,
        ])
    func brokerErrors(_ row: ErrorRow) async throws {
        try await withConnections { door, registry in
            for ask in [
                ops("PUT", "\(Self.root)/a", Self.json, body: Self.document),
                ops("POST", "\(Self.root)?dry-run=true", Self.json, body: Self.document),
                Self.command("connectivity.commands:openConnection"),
                Self.command("connectivity.commands:closeConnection"),
            ] {
                registry.fail(row.error())
                let answer = try await door(ask)
                #expect(answer.status == row.status && answer.code == row.code, "\(ask.path)")
                #expect(answer["content-type"] == "application/json")
            }
        }
    }

    @Test("one connection is given with its tag, and with the fields that are asked for")
    func retrieve() async throws {
        try await withConnections { door, _ in
            let whole = try await door(ops("GET", "\(Self.root)/a"))
            #expect(whole.status == 200 && whole["etag"] == "\"rev:1\"")
            #expect(whole.json?.object?["uri"]?.string == "tcp://u:secret@localhost:1883")
            #expect(whole.json?.object?["_revision"] == nil && whole.json?.object?["__lifecycle"] == nil)
            let path = "\(Self.root)/a?fields=_revision,_created,_modified,__lifecycle,connectionStatus"
            #expect(
                try await door(ops("GET", path)).json == [
                    "_revision": 1, "_created": .string(FakeRegistry.time.iso8601),
                    "_modified": .string(FakeRegistry.time.iso8601), "__lifecycle": "ACTIVE",
                    "connectionStatus": "closed",
                ])
            #expect(try await door(ops("GET", "\(Self.root)/a?fields=")).text == "{}")
        }
    }

    @Test("all connections are listed whole, by fields, or by their ids")
    func list() async throws {
        try await withConnections { door, _ in
            let all = try await door(ops("GET", "\(Self.root)/"))
            #expect(all.json?.array?.compactMap { $0.object?["id"]?.string } == ["a", "b"])
            #expect(try await door(ops("GET", "\(Self.root)?ids-only=true")).text == #"["a","b"]"#)
            #expect(try await door(ops("GET", "\(Self.root)?fields=id")).text == #"["a","b"]"#)
            #expect(
                try await door(ops("GET", "\(Self.root)?fields=id,tags")).text
                    == #"[{"id":"a","tags":["t-a"]},{"id":"b","tags":["t-b"]}]"#)
        }
    }

    @Test("more than a hundred connections are listed by their ids only")
    func amount() async throws {
        try await withConnections(
            { door, _ in
                let all = try await door(ops("GET", Self.root))
                #expect(all.status == 400 && all.code == "connectivity:connections.amount.illegal")
                let fields = try await door(ops("GET", "\(Self.root)?fields=id,tags"))
                #expect(fields.status == 400)
                #expect(try await door(ops("GET", "\(Self.root)?ids-only=true")).json?.array?.count == 101)
                #expect(try await door(ops("GET", "\(Self.root)?fields=id")).json?.array?.count == 101)
            }, (0..<101).map { "c\($0)" })
    }

    @Test(
        "each command reaches the connection",
        arguments: [
            ("openConnection", "open"), ("closeConnection", "close"), ("resetConnectionMetrics", "resetMetrics"),
            ("enableConnectionLogs", "enableLogs"), ("resetConnectionLogs", "resetLogs"),
        ])
    func commands(_ name: String, _ call: String) async throws {
        try await withConnections { door, registry in
            let answer = try await door(
                ops(
                    "POST", "\(Self.root)/a/command", [("Content-Type", "text/plain; charset=utf-8")],
                    body: "connectivity.commands:\(name)\n"))
            #expect(answer.status == 200 && answer.body.isEmpty)
            #expect(registry.calls == ["\(call) a"])
        }
    }

    @Test("status, metrics and logs are what the registry says", arguments: ["status", "metrics", "logs"])
    func reports(_ name: String) async throws {
        try await withConnections { door, _ in
            let answer = try await door(ops("GET", "\(Self.root)/a/\(name)"))
            #expect(answer.status == 200 && answer.json?.object?["connectionId"]?.string == "a")
        }
    }

    @Test("DELETE removes")
    func delete() async throws {
        try await withConnections { door, registry in
            let answer = try await door(ops("DELETE", "\(Self.root)/a"))
            #expect(answer.status == 204 && answer["etag"] == nil && registry.calls == ["delete a"])
            #expect(try await door(ops("GET", "\(Self.root)/a")).status == 404)
        }
    }

    @Test("a dry run replaces the id wherever it stands, and answers without a body")
    func dryRun() async throws {
        try await withConnections { door, registry in
            let body = #"{"id":"mine","connectionStatus":"open","targets":[{"address":"x/mine/y"}]}"#
            let answer = try await door(ops("POST", "\(Self.root)?dry-run=true", Self.json, body: body))
            #expect(answer.status == 200 && answer.body.isEmpty)
            let tested = try #require(registry.state.withLock { $0.tested })
            #expect(tested.id.text.hasSuffix("-dry-run") && tested.id.text.count == 44)
            #expect(tested.document["id"]?.string == tested.id.text)
            let target = tested.document["targets"]?.array?.first?.object?["address"]?.string
            #expect(target == "x/\(tested.id)/y")
            let header = ops("POST", Self.root, Self.json + [("dry-run", "true")], body: Self.document)
            #expect(try await door(header).status == 200)
            #expect(registry.calls == ["test", "test"])
        }
    }

    @Test("a door without a registry says so")
    func noRegistry() async throws {
        try await withDoor(.memory) { door in
            let answer = try await door(ops("GET", Self.root))
            #expect(answer.status == 503 && answer.code == "gateway:service.unavailable")
        }
    }

    @Test("the same over a socket")
    func socket() async throws {
        let registry = FakeRegistry()
        try registry.add("a")
        try await withDoor(.socket, registry: registry) { door in
            let found = try await door(ops("GET", "\(Self.root)/a"))
            #expect(found.status == 200)
            #expect(try await door(Ask("GET", Self.root)).status == 401)
            #expect(try await door(Self.command("connectivity.commands:closeConnection")).status == 200)
        }
    }
}
