// Settings of AMQP 1.0 connections: what is read, and what the lint says.
import Testing
import TwinspanConnections
import TwinspanExpressions
import TwinspanProtocol

@testable import TwinspanAMQP10

@Suite("AMQP 1.0 settings")
struct AMQP10FieldsTests {
    private func connection(
        scheme: String = "amqp", host: String = "localhost", user: String? = nil, addresses: [String] = ["a"],
        settings: [String: String] = [:], clientCount: Int = 1
    ) throws -> Connection {
        Connection(
            id: try ConnectionID("plant"), type: .amqp10, isOpen: true,
            uri: ConnectionURI(
                scheme: scheme, user: user, password: user.map { Secret($0) }, host: host, port: 5672),
            sources: [Source(addresses: addresses, authorizationContext: [])], targets: [], specificConfig: settings,
            clientCount: clientCount)
    }

    @Test("defaults and keys of Qpid JMS")
    func read() throws {
        let plain = AMQP10Fields(try connection())
        #expect(plain.containerID == "plant" && plain.hostName == "localhost" && plain.mechanism == "ANONYMOUS")
        #expect(plain.idleMilliseconds == 30_000 && plain.maximumFrameSize == 65_536 && plain.prefetch == nil)
        let set = AMQP10Fields(
            try connection(
                user: "u",
                settings: [
                    "jms.clientID": "c", "amqp.vhost": "vhost:v", "amqp.idleTimeout": "-1", "amqp.maxFrameSize": "4096",
                    "jms.sendTimeout": "1500", "jms.connectTimeout": "2000", "jms.requestTimeout": "300",
                    "jms.prefetchPolicy.all": "7", "transport.tcpNoDelay": "true",
                ]))
        #expect(set.containerID == "c" && set.hostName == "vhost:v" && set.mechanism == "PLAIN")
        #expect(set.idleMilliseconds == 0 && set.maximumFrameSize == 4096 && set.prefetch == 7)
        #expect(set.sendTimeout == .milliseconds(1500) && set.connectTimeout == .seconds(2))
        #expect(set.requestTimeout == .milliseconds(300))
        #expect(AMQP10Fields(try connection(clientCount: 2)).containerID.hasPrefix("plant_"))
    }

    @Test("what does not work is reported at its place")
    func diagnose() throws {
        let rows: [(connection: Connection, path: String?, isWarning: Bool)] = [
            (try connection(), nil, false),
            (try connection(scheme: "tcp"), "/uri", false),
            (try connection(host: "far", user: "u"), "/uri", true),
            (try connection(addresses: [""]), "/sources/0/addresses/0", false),
            (try connection(addresses: ["a", "queue://"]), "/sources/0/addresses/1", false),
            (try connection(addresses: ["a\0b"]), "/sources/0/addresses/0", false),
            (try connection(addresses: [String(repeating: "a", count: 5000)]), "/sources/0/addresses/0", false),
            (try connection(addresses: ["/exchange/x/y"]), "/sources/0/addresses/0", true),
            (try connection(settings: ["amqp.idleTimeout": "soon"]), "/specificConfig/amqp.idleTimeout", false),
            (try connection(settings: ["amqp.maxFrameSize": "1"]), "/specificConfig/amqp.maxFrameSize", false),
            (try connection(settings: ["jms.sendTimeout": "1s"]), "/specificConfig/jms.sendTimeout", false),
            (
                try connection(settings: ["jms.prefetchPolicy.all": "0"]), "/specificConfig/jms.prefetchPolicy.all",
                false
            ),
            (try connection(settings: ["jms.clientID": ""]), "/specificConfig/jms.clientID", false),
            (try connection(settings: ["amqp.vhost": ""]), "/specificConfig/amqp.vhost", false),
            (
                try connection(settings: ["amqp.saslMechanisms": "SCRAM-SHA-256"]),
                "/specificConfig/amqp.saslMechanisms",
                false
            ),
            (try connection(settings: ["amqp.saslMechanisms": "PLAIN"]), "/specificConfig/amqp.saslMechanisms", false),
            (try connection(user: "u", settings: ["amqp.saslMechanisms": "PLAIN"]), nil, false),
            (try connection(settings: ["jms.anything": "x", "amqp.other": "y"]), nil, false),
        ]
        for row in rows {
            let problems = AMQP10Fields.diagnose(row.connection)
            #expect(problems.map(\.path) == (row.path.map { [$0] } ?? []), "\(problems)")
            #expect(problems.allSatisfy { $0.isWarning == row.isWarning }, "\(problems)")
        }
    }

    @Test("addresses lose their kind and keep their name")
    func addresses() {
        let rows: [(text: String, name: String, capability: String?, queue: String?)] = [
            ("queue://a/b", "a/b", "queue", "/amq/queue/a/b"), ("topic://t", "t", "topic", "/amq/queue/t"),
            ("plain", "plain", nil, "/amq/queue/plain"), ("/queue/q", "/queue/q", nil, "/amq/queue/q"),
            ("/amq/queue/q", "/amq/queue/q", nil, "/amq/queue/q"), ("/exchange/x", "/exchange/x", nil, nil),
        ]
        for row in rows {
            let address = AMQP10Address(row.text)
            #expect(address.name == row.name && address.capability == row.capability, "\(row)")
            #expect(address.rabbitMQQueue?.name == row.queue, "\(row)")
        }
    }
}
