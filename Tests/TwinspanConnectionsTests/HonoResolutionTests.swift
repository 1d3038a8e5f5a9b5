// The Kafka connection that a connection of Eclipse Hono stands for.
import Testing
import TwinspanConnections
import TwinspanExpressions
import TwinspanProtocol

@Suite("connections of Hono")
struct HonoResolutionTests {
    private func template(_ text: String) throws -> PlaceholderTemplate {
        try PlaceholderTemplate.parse(text, scope: .headerMapping)
    }

    private func source(_ alias: String, reply: String? = nil, headers: [(String, String)] = []) throws -> Source {
        Source(
            addresses: [alias], qos: 1, authorizationContext: [],
            replyTarget: try reply.map { address in
                ReplyTarget(
                    address: try template(address),
                    headerMapping: try headers.map { HeaderMapping(name: $0.0, template: try template($0.1)) })
            })
    }

    private func target(_ kinds: [TargetTopic.Kind]) throws -> Target {
        Target(
            address: try template("command"), topics: kinds.map { TargetTopic(kind: $0) }, authorizationContext: ["a:b"]
        )
    }

    private func resolved(
        _ sources: [Source], _ targets: [Target] = [], settings: [String: String] = [:]
    ) throws -> Connection {
        var hono = HonoSettings()
        hono.username = "user"
        hono.password = Secret("p:w")
        hono.bootstrapServers = "a:1,b:2"
        return HonoResolution(hono).resolve(
            Connection(
                id: try ConnectionID("my-hono"), type: .hono, isOpen: true,
                uri: ConnectionURI(scheme: "", host: "", port: 9999), sources: sources, targets: targets,
                specificConfig: settings))
    }

    private func texts(_ mappings: [HeaderMapping]) -> [String: String] {
        Dictionary(mappings.map { ($0.name, $0.template.text) }, uniquingKeysWith: { $1 })
    }

    @Test("the cluster comes from the service, the tenant from the connection or its id")
    func cluster() throws {
        let own = try resolved([try source("telemetry")], settings: ["debugEnabled": "true"])
        #expect(own.type == .kafka && own.uri.host == "localhost" && own.uri.port == 9092)
        #expect(own.uri.user == "user" && own.uri.password == Secret("p:w") && !own.validatesCertificates)
        #expect(
            own.specificConfig == ["saslMechanism": "PLAIN", "bootstrapServers": "a:1,b:2", "groupId": "my-hono"])
        #expect(own.sources[0].addresses == ["hono.telemetry.my-hono"])
        let named = try resolved([try source("event")], settings: ["honoTenantId": "t1", "groupId": "g"])
        #expect(named.sources[0].addresses == ["hono.event.t1"] && named.specificConfig["groupId"] == "g")
    }

    @Test("without a user nobody logs in")
    func anonymous() throws {
        var hono = HonoSettings()
        hono.username = ""
        var connection = try resolved([try source("telemetry")])
        connection.type = .hono
        let uri = HonoResolution(hono).resolve(connection).uri
        #expect(uri.user == nil && uri.password == nil)
    }

    @Test("answers of telemetry and events go to the device's commands", arguments: ["telemetry", "event"])
    func replies(alias: String) throws {
        let reply = try #require(try resolved([try source(alias, reply: "command")]).sources[0].replyTarget)
        #expect(reply.address.text == "hono.command.my-hono/{{thing:id}}")
        #expect(
            texts(reply.headerMapping) == [
                "correlation-id": "{{ header:correlation-id }}", "device_id": "{{ thing:id }}",
                "subject": "{{ header:subject | fn:default(topic:action-subject) | fn:default(topic:criterion) }}"
                    + "-response",
            ])
        let given = try resolved([try source(alias, reply: "command", headers: [("subject", "mine")])])
        #expect(texts(given.sources[0].replyTarget?.headerMapping ?? [])["subject"] == "mine")
    }

    @Test("answers to commands are not answered, and carry correlation and status")
    func commandResponses() throws {
        let source = try resolved([try source("command_response", reply: "command")]).sources[0]
        #expect(source.replyTarget == nil && source.addresses == ["hono.command_response.my-hono"])
        #expect(
            texts(source.headerMapping) == [
                "correlation-id": "{{ header:correlation-id }}", "status": "{{ header:status }}",
            ])
    }

    @Test("a target's messages name the device, and say whether they want an answer if they can have one")
    func targets() throws {
        let common = [
            "device_id": "{{ thing:id }}", "correlation-id": "{{ header:correlation-id }}",
            "subject": "{{ header:subject | fn:default(topic:action-subject) }}",
        ]
        let events = try resolved([], [try target([.twinEvents])]).targets[0]
        #expect(events.address.text == "hono.command.my-hono/{{thing:id}}" && texts(events.headerMapping) == common)
        for kind in [TargetTopic.Kind.liveMessages, .liveCommands] {
            let live = try resolved([], [try target([.twinEvents, kind])]).targets[0]
            var expected = common
            expected["response-required"] = "{{ header:response-required }}"
            #expect(texts(live.headerMapping) == expected)
        }
    }

    @Test("connections of other types stay as they are")
    func others() throws {
        var connection = try resolved([try source("telemetry")])
        connection.specificConfig["x"] = "y"
        #expect(HonoResolution(HonoSettings()).resolve(connection).specificConfig == connection.specificConfig)
    }
}
