// The MQTT side of the shared adapter suite: a Mosquitto of its own and a client that shares no code with the adapter.
import TwinspanConnections
import TwinspanExpressions
import TwinspanMQTT
import TwinspanProtocol
import TwinspanTestSupport

/// Runs the shared scenarios against Mosquitto.
final class MQTTHarness: AdapterHarness {
    let broker: BrokerProcess
    let adapter: any BrokerAdapter
    let impossibleAddress = "not/a/+/topic"

    init(_ settings: BrokerProcess.Settings = .persistent, timing: MQTTBrokerClient.Timing = .short) throws {
        broker = try BrokerProcess(settings)
        adapter = MQTTBrokerClient(timing: timing)
    }

    func connection(id: String, reading address: String?, host: String?, port: Int?) throws -> Connection {
        try mqttConnection(id: id, host: host ?? "127.0.0.1", port: port ?? broker.port, reading: address)
    }

    func address(_ name: String) -> String { "suite/\(name)" }

    func send(_ payloads: [String], to address: String) throws {
        let client = try RawMQTTClient(port: broker.port, clientID: "suite-sender")
        try client.publish(payloads.map { Array($0.utf8) }, to: address)
        try client.disconnect()
    }

    func collector(of address: String) throws -> any MessageCollector {
        let client = try RawMQTTClient(port: broker.port, clientID: "suite-collector")
        try client.subscribe(address)
        return MQTTCollector(client: client)
    }

    func stopBroker() { broker.stop() }
    func killBroker() { broker.kill() }
    func startBroker() throws { try broker.start() }
}

private struct MQTTCollector: MessageCollector {
    let client: RawMQTTClient
    func next() throws -> String { String(decoding: try client.receive().payload, as: UTF8.self) }
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
    password: String? = nil, settings: [String: String] = [:]
) throws -> Connection {
    Connection(
        id: try ConnectionID(id), type: .mqtt, isOpen: true,
        uri: ConnectionURI(
            scheme: "tcp", user: user, password: password.map { Secret($0) }, host: host, port: port),
        sources: address.map { [Source(addresses: [$0], qos: qos, authorizationContext: [])] } ?? [], targets: [],
        specificConfig: settings)
}
