// The MQTT side of the shared adapter suite: a Mosquitto of its own and a client that shares no code with the adapter.
import Glibc
import TwinspanConnections
import TwinspanExpressions
import TwinspanJSON
import TwinspanMQTT
import TwinspanProtocol
import TwinspanTestSupport

/// Runs the shared scenarios against Mosquitto.
final class MQTTHarness: AdapterHarness {
    /// How the adapter gets in; the test's own messages always go a plain way.
    enum Entrance { case plain, tls, mutualTLS, password }

    let broker: BrokerProcess
    let adapter: any BrokerAdapter
    let impossibleAddress = "not/a/+/topic"
    private let type: ConnectionType
    private let entrance: Entrance
    private let plainPort: Int?
    private let client: TestCertificate.Pair?

    init(
        _ type: ConnectionType = .mqtt, _ entrance: Entrance = .plain, timing: MQTTBrokerClient.Timing = .short
    ) throws {
        self.type = type
        self.entrance = entrance
        var settings = BrokerProcess.Settings.persistent
        var plainPort: Int?
        switch entrance {
        case .plain: break
        case .password: settings.users = ["twins": "pa/ss word@1"]
        case .tls, .mutualTLS:
            let port = try LoopbackPort.free()
            plainPort = port
            settings.tlsHost = "localhost"
            settings.requiresClientCertificate = entrance == .mutualTLS
            settings.lines = ["listener \(port) 127.0.0.1"]
        }
        self.plainPort = plainPort
        broker = try BrokerProcess(settings)
        client = entrance == .mutualTLS ? try broker.certificate?.client("twins") : nil
        adapter = MQTTBrokerClient(timing: timing)
        try awaitPlainPort()
    }

    func connection(id: String, reading address: String?, host: String?, port: Int?) throws -> Connection {
        var connection = try mqttConnection(
            id: id, host: host ?? "127.0.0.1", port: port ?? broker.port, reading: address, type: type)
        switch entrance {
        case .plain: break
        case .password:
            connection.uri.user = "twins"
            connection.uri.password = Secret("pa/ss word@1")
        case .tls, .mutualTLS:
            connection.uri.scheme = "ssl"
            connection.uri.host = host ?? "localhost"
            connection.trustedCertificates = broker.certificate?.authority
            connection.credentials = client?.credentials
        }
        return connection
    }

    private func rawClient(_ id: String) throws -> RawMQTTClient {
        try RawMQTTClient(
            port: plainPort ?? broker.port, clientID: id, user: entrance == .password ? "twins" : nil,
            password: entrance == .password ? "pa/ss word@1" : nil)
    }

    func address(_ name: String) -> String { "suite/\(name)" }

    func send(_ payloads: [String], to address: String) throws {
        let client = try rawClient("suite-sender")
        try client.publish(payloads.map { Array($0.utf8) }, to: address)
        try client.disconnect()
    }

    func collector(of address: String) throws -> any MessageCollector {
        let client = try rawClient("suite-collector")
        try client.subscribe(address)
        return MQTTCollector(client: client)
    }

    func stopBroker() { broker.stop() }
    func killBroker() { broker.kill() }
    func startBroker() throws {
        try broker.start()
        try awaitPlainPort()
    }

    /// The broker opens its second port a moment after the first.
    private func awaitPlainPort() throws {
        guard let plainPort else { return }
        for _ in 0..<500 where !LoopbackPort.answers(plainPort) { usleep(10_000) }
    }
}

private struct MQTTCollector: MessageCollector {
    let client: RawMQTTClient
    func next() throws -> String { String(decoding: try client.receive().payload, as: UTF8.self) }
}

extension TestCertificate.Pair {
    /// The credentials of a connection that shows this certificate.
    var credentials: JSONObject {
        ["type": .string("client-cert"), "cert": .string(certificate), "key": .string(key)]
    }
}

extension BrokerProcess.Settings {
    /// Sessions survive a restart.
    static var persistent: BrokerProcess.Settings {
        var settings = BrokerProcess.Settings()
        settings.isPersistent = true
        return settings
    }
}

extension MQTTBrokerClient.Timing {
    /// Short enough for tests, long enough for a busy machine.
    static var short: MQTTBrokerClient.Timing {
        var timing = MQTTBrokerClient.Timing()
        timing.dial = .seconds(5)
        return timing
    }
}

/// A connection with one source that reads `address` at `qos`, or none.
func mqttConnection(
    id: String, host: String = "127.0.0.1", port: Int, reading address: String?, qos: Int = 1, user: String? = nil,
    password: String? = nil, settings: [String: String] = [:], type: ConnectionType = .mqtt
) throws -> Connection {
    Connection(
        id: try ConnectionID(id), type: type, isOpen: true,
        uri: ConnectionURI(
            scheme: "tcp", user: user, password: password.map { Secret($0) }, host: host, port: port),
        sources: address.map { [Source(addresses: [$0], qos: qos, authorizationContext: [])] } ?? [], targets: [],
        specificConfig: settings)
}
