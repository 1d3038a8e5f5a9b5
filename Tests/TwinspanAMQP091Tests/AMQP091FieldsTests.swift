// Settings of an AMQP 0.9.1 connection and what the lint says about them.
import Testing
import TwinspanConnections
import TwinspanExpressions
import TwinspanNetwork
import TwinspanProtocol

@testable import TwinspanAMQP091

@Suite("AMQP 0.9.1 settings")
struct AMQP091FieldsTests {
    private func connection(
        scheme: String = "amqp", user: String? = nil, password: String? = nil, path: String = "",
        queues: [String] = [], targets: [String] = [], settings: [String: String] = [:]
    ) throws -> Connection {
        Connection(
            id: try ConnectionID("c"), type: .amqp091, isOpen: true,
            uri: ConnectionURI(
                scheme: scheme, user: user, password: password.map { Secret($0) }, host: "h", port: 1, path: path),
            sources: queues.isEmpty ? [] : [Source(addresses: queues, consumerCount: 2, authorizationContext: [])],
            targets: try targets.map {
                Target(
                    address: try PlaceholderTemplate.parse($0, scope: .address), topics: [], authorizationContext: [])
            }, specificConfig: settings)
    }

    @Test(
        "the path names the virtual host, percent-encoded",
        arguments: [
            ("", "/"), ("/", "/"), ("/a", "a"), ("/%2F", "/"), ("/a%2fb%20c", "a/b c"), ("/a/b", nil), ("/%2", nil),
            ("/%zz", nil), ("/%ff", nil), ("/%00", nil), ("/" + String(repeating: "x", count: 256), nil),
        ] as [(String, String?)])
    func vhost(_ path: String, _ expected: String?) {
        #expect(AMQP091Fields.vhost(path) == expected)
    }

    @Test(
        "an address is an exchange and a key",
        arguments: [
            ("x/k", "x", "k"), ("/q", "", "q"), ("x/a.b#", "x", "a.b#"), ("x", nil, nil), ("x/", nil, nil),
            ("x/a/b", nil, nil), ("", nil, nil), (String(repeating: "x", count: 256) + "/k", nil, nil),
            ("x/" + String(repeating: "k", count: 256), nil, nil),
        ] as [(String, String?, String?)])
    func route(_ address: String, _ exchange: String?, _ key: String?) {
        let route = AMQP091Fields.route(address)
        #expect(route?.exchange == exchange && route?.key == key)
    }

    @Test("what a connection does not say has a default")
    func defaults() throws {
        let fields = AMQP091Fields(try connection(queues: ["a", "b"], targets: ["x/k", "/q", "{{ thing:id }}/k"]))
        #expect(fields.user == "guest" && fields.password.exposed == "guest" && fields.isGuest && fields.tls == nil)
        #expect(fields.vhost == "/" && fields.heartbeatSeconds == 30 && fields.frameMaximum == 131_072)
        #expect(fields.prefetch == 500 && fields.connectTimeout == nil)
        #expect(fields.subscriptions.map(\.queue) == ["a", "b"] && fields.subscriptions.allSatisfy { $0.weight == 2 })
        #expect(fields.destinations == [.init(target: 0, exchange: "x")])
        let said = AMQP091Fields(
            try connection(
                scheme: "amqps", user: "u", password: "p", path: "/v",
                settings: [
                    "requestedHeartbeat": "7", "requestedFrameMax": "100", "requestedChannelMax": "1",
                    "connectionTimeout": "1500", "handshakeTimeout": "2000", "channelRpcTimeout": "3000",
                    "prefetch": "20",
                ]))
        #expect(said.user == "u" && said.password.exposed == "p" && said.vhost == "v" && said.tls?.serverName == "h")
        #expect(said.heartbeatSeconds == 7 && said.frameMaximum == 4096 && said.channelMaximum == 2)
        #expect(said.connectTimeout == .milliseconds(1500) && said.handshakeTimeout == .seconds(2))
        #expect(said.answerTimeout == .seconds(3) && said.prefetch == 20)
    }

    @Test("every setting that cannot work is named with its place")
    func problems() throws {
        let rows: [(Connection, String, isWarning: Bool)] = [
            (try connection(scheme: "tcp"), "/uri", false), (try connection(path: "/a/b"), "/uri", false),
            (try connection(password: "p"), "/uri", false),
            (try connection(queues: ["a", String(repeating: "x", count: 256)]), "/sources/0/addresses/1", false),
            (try connection(targets: ["x/k", "x"]), "/targets/1/address", false),
            (try connection(targets: ["x/a/b"]), "/targets/0/address", false),
            (try connection(targets: ["x/"]), "/targets/0/address", false),
            (try connection(settings: ["prefetch": "0"]), "/specificConfig/prefetch", false),
            (try connection(settings: ["prefetch": "many"]), "/specificConfig/prefetch", false),
            (try connection(settings: ["requestedHeartbeat": "-1"]), "/specificConfig/requestedHeartbeat", false),
            (try connection(settings: ["requestedHeartbeat": "0"]), "/specificConfig/requestedHeartbeat", true),
            (try connection(settings: ["connectionTimeout": "5s"]), "/specificConfig/connectionTimeout", false),
            (
                try connection(settings: ["channelShouldCheckRpcResponseType": "maybe"]),
                "/specificConfig/channelShouldCheckRpcResponseType", false
            ),
            (
                try connection(settings: ["topologyRecoveryEnabled": "true"]),
                "/specificConfig/topologyRecoveryEnabled", true
            ),
            (try connection(settings: ["shutdownTimeout": "10"]), "/specificConfig/shutdownTimeout", true),
        ]
        for (connection, path, isWarning) in rows {
            let problem = AMQP091Fields.diagnose(connection).first
            #expect(problem?.path == path && problem?.isWarning == isWarning, "\(String(describing: problem))")
            #expect(problem?.hint != nil)
        }
        let sound = try connection(
            scheme: "amqps", user: "u", password: "p", path: "/%2F", queues: ["q"],
            targets: ["x/{{ thing:id }}", "/{{ thing:id }}", "{{ thing:namespace }}/{{ thing:name }}"])
        #expect(AMQP091Fields.diagnose(sound).isEmpty)
    }
}
