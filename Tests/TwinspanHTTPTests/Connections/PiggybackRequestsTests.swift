import Testing
import TwinspanJSON
import TwinspanProtocol

@testable import TwinspanHTTP

@Suite("Piggyback commands of connections")
struct PiggybackRequestsTests {
    private static let shard = "/system/sharding/connection"
    private static let ids = "/user/connectivityRoot/connectionIdsRetrieval"

    private static func ask(
        _ command: String, at selection: String = shard, headers: String = #"{"aggregate":false}"#,
        path: String = "/devops/piggyback/connectivity"
    ) -> Ask {
        ops(
            "POST", path,
            body: #"{"targetActorSelection":"\#(selection)","headers":\#(headers),"piggybackCommand":\#(command)}"#)
    }

    private static func command(_ name: String, _ rest: String = #""connectionId":"a""#) -> String {
        #"{"type":"connectivity.commands:\#(name)",\#(rest)}"#
    }

    private func withRegistry(_ body: (Door, FakeRegistry) async throws -> Void) async throws {
        let registry = FakeRegistry()
        try registry.add("a", tags: ["red"])
        try registry.add("b", tags: ["red", "blue"])
        try await withDoor(.memory, registry: registry) { try await body($0, registry) }
    }

    struct Row: Sendable, CustomTestStringConvertible {
        var name: String
        var rest: String
        var status: Int64
        var keys: [String]
        var call: String?
        var testDescription: String { name }
    }

    private static let connection = #""connection":{"id":"c","connectionStatus":"open"}"#
    private static let known = #""connection":{"id":"a","connectionStatus":"open"}"#
    private static let one = #""connectionId":"a""#

    static let rows: [Row] = [
        Row(name: "createConnection", rest: connection, status: 201, keys: ["connection"], call: "create c"),
        Row(name: "modifyConnection", rest: known, status: 204, keys: [], call: "modify a"),
        Row(name: "testConnection", rest: connection, status: 200, keys: ["testResult"], call: "test"),
        Row(name: "testConnection", rest: known, status: 409, keys: ["testResult"], call: nil),
        Row(name: "retrieveConnection", rest: one, status: 200, keys: ["connection"], call: nil),
        Row(name: "deleteConnection", rest: one, status: 204, keys: [], call: "delete a"),
        Row(name: "openConnection", rest: one, status: 200, keys: [], call: "open a"),
        Row(name: "closeConnection", rest: one, status: 200, keys: [], call: "close a"),
        Row(name: "retrieveConnectionStatus", rest: one, status: 200, keys: [], call: nil),
        Row(name: "retrieveConnectionMetrics", rest: one, status: 200, keys: [], call: nil),
        Row(name: "resetConnectionMetrics", rest: one, status: 200, keys: [], call: "resetMetrics a"),
        Row(name: "enableConnectionLogs", rest: one, status: 200, keys: [], call: "enableLogs a"),
        Row(name: "retrieveConnectionLogs", rest: one, status: 200, keys: ["connectionLogs"], call: nil),
        Row(name: "resetConnectionLogs", rest: one, status: 200, keys: [], call: "resetLogs a"),
    ]

    @Test("each command is answered with the type, the status and the members of its response", arguments: rows)
    func responses(_ row: Row) async throws {
        try await withRegistry { door, registry in
            let answer = try await door(Self.ask(Self.command(row.name, row.rest)))
            #expect(answer.status == 200)
            let response = try #require(answer.json?.object)
            #expect(response["type"]?.string == "connectivity.responses:\(row.name)")
            #expect(response["status"]?.int64 == row.status)
            #expect(response["connectionId"]?.string != nil)
            for key in row.keys { #expect(response[key] != nil, "\(key)") }
            #expect(registry.calls == (row.call.map { [$0] } ?? []))
        }
    }

    @Test("ids are told as a whole and by tag, tags by id")
    func lists() async throws {
        try await withRegistry { door, _ in
            let all = try await door(
                Self.ask(#"{"type":"connectivity.commands:retrieveAllConnectionIds"}"#, at: Self.ids))
            #expect(all.json?.object?["connectionIds"] == ["a", "b"])
            let tagged = #"{"type":"connectivity.sudo.commands:sudoRetrieveConnectionIdsByTag","tag":"blue"}"#
            let blue = try await door(Self.ask(tagged, at: Self.ids)).json?.object
            #expect(blue?["type"]?.string == "connectivity.sudo.responses:sudoRetrieveConnectionIdsByTag")
            #expect(blue?["connectionIds"] == ["b"])
            let asked = #"{"type":"connectivity.sudo.commands:sudoRetrieveConnectionTags","connectionId":"b"}"#
            #expect(try await door(Self.ask(asked)).json?.object?["tags"] == ["red", "blue"])
        }
    }

    @Test("without aggregate false the response is nested", arguments: ["{}", #"{"aggregate":true}"#])
    func aggregated(_ headers: String) async throws {
        try await withRegistry { door, _ in
            for path in ["/devops/piggyback/connectivity", "/devops/piggyback", "/devops/piggyback/connectivity/1"] {
                let answer = try await door(
                    Self.ask(Self.command("retrieveConnection"), headers: headers, path: path))
                let inner = answer.json?.object?["?"]?.object?["?"]?.object
                #expect(inner?["type"]?.string == "connectivity.responses:retrieveConnection")
            }
        }
    }

    @Test("a sudo modify may change the type")
    func sudo() async throws {
        try await withRegistry { door, registry in
            let headers = #"{"aggregate":false,"ditto-sudo":true}"#
            _ = try await door(Self.ask(Self.command("modifyConnection", Self.known), headers: headers))
            #expect(registry.calls == ["modify as sudo a"])
        }
    }

    @Test("a create without an id gets one")
    func createWithoutID() async throws {
        try await withRegistry { door, _ in
            let answer = try await door(
                Self.ask(Self.command("createConnection", #""connection":{"connectionStatus":"open"}"#)))
            #expect(answer.json?.object?["connectionId"]?.string?.count == 36)
        }
    }

    @Test(
        "the error of a command is an object in the place of its response",
        arguments: [
            (
                #"{"type":"connectivity.commands:openConnection","connectionId":"x"}"#, 404,
                "connectivity:connection.notfound"
            ),
            (
                #"{"type":"connectivity.commands:deleteConnection","connectionId":"x"}"#, 404,
                "connectivity:connection.notfound"
            ),
            (#"{"type":"connectivity.commands:openConnection"}"#, 400, "json.field.missing"),
            (
                #"{"type":"connectivity.commands:openConnection","connectionId":"a b"}"#, 400,
                "connectivity:connection.id.invalid"
            ),
            (#"{"type":"connectivity.commands:createConnection"}"#, 400, "json.field.missing"),
            (
                #"{"type":"connectivity.commands:createConnection","connection":{"id":"a"}}"#, 409,
                "connectivity:connection.conflict"
            ),
            (#"{"type":"connectivity.commands:modifyConnection","connection":{}}"#, 400, "json.field.missing"),
            (
                #"{"type":"connectivity.commands:modifyConnection","connection":{"id":"x"}}"#, 404,
                "connectivity:connection.notfound"
            ),
            (
                #"{"type":"connectivity.commands:retrieveResolvedHonoConnection","connectionId":"a"}"#, 400,
                "connectivity:command.invalid"
            ),
        ])
    func errors(_ command: String, _ status: Int64, _ code: String) async throws {
        try await withRegistry { door, _ in
            let answer = try await door(Self.ask(command))
            let response = try #require(answer.json?.object)
            #expect(answer.status == 200 && response["status"]?.int64 == status)
            #expect(response["type"]?.string == "connectivity.responses:errorResponse")
            #expect(response["payload"]?.object?["error"]?.string == code)
        }
    }

    @Test(
        "an envelope that leads nowhere is refused",
        arguments: [
            (ask(command("openConnection"), at: "/user/elsewhere"), "signal.unsupported"),
            (ask(command("retrieveAllConnectionIds")), "signal.unsupported"),
            (ask(#"{"type":"connectivity.commands:unknown"}"#), "json.type.notparsable"),
            (
                ask(#"{"type":"connectivity.commands:sudoRetrieveConnectionTags","connectionId":"a"}"#),
                "json.type.notparsable"
            ),
            (ask(#"{"type":"things.commands:retrieveThing"}"#), "json.type.notparsable"),
            (ask(#"{}"#), "json.field.missing"),
            (ask(command("openConnection"), path: "/devops/piggyback/things"), "signal.unsupported"),
            (ops("POST", "/devops/piggyback", body: "{}"), "json.field.missing"),
            (ops("POST", "/devops/piggyback", body: "no"), "json.invalid"),
            (ops("POST", "/devops/piggyback", body: #"{"targetActorSelection":"/x"}"#), "json.field.missing"),
            (ops("POST", "/devops/piggyback?timeout=90s", body: "{}"), "gateway:timeout.invalid"),
        ])
    func envelopes(_ ask: Ask, _ code: String) async throws {
        try await withRegistry { door, registry in
            let answer = try await door(ask)
            #expect(answer.status == 400, "\(answer.text)")
            #expect(answer.code?.hasSuffix(code) == true, "\(answer.text)")
            #expect(registry.calls.isEmpty)
        }
    }
}
