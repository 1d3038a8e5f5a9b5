// The Kafka side of the shared adapter suite: the mock cluster in a process of its own. It cannot be ended and started
// again with what it holds, so a dead broker is one that is cut off.
import TwinspanConnections
import TwinspanExpressions
import TwinspanKafka
import TwinspanProtocol
import TwinspanTestSupport

/// Runs the shared scenarios against the mock cluster.
final class KafkaHarness: AdapterHarness {
    let cluster: KafkaProcess
    let adapter: any BrokerAdapter
    let impossibleAddress = "no topic/key"
    let outlivesOutages = true

    init(timing: KafkaBrokerClient.Timing = .short) throws {
        cluster = try KafkaProcess()
        adapter = KafkaBrokerClient(timing: timing)
    }

    func connection(id: String, reading address: String?, host: String?, port: Int?) throws -> Connection {
        if let address, host == nil, port == nil { try? cluster.makeTopic(address) }  // It may be there already.
        return try kafkaConnection(
            id: id, servers: "\(host ?? "127.0.0.1"):\(port ?? cluster.port)", reading: address.map { [$0] } ?? [])
    }

    func address(_ name: String) -> String { "suite.\(name)" }

    func send(_ payloads: [String], to address: String) throws {
        try? cluster.makeTopic(address)  // It may be there already.
        try cluster.send(payloads.map { KafkaProcess.Record($0) }, to: address)
    }

    func collector(of address: String) throws -> any MessageCollector {
        try? cluster.makeTopic(address)  // It may be there already.
        return try cluster.collect(address)
    }

    func stopBroker() throws { try cluster.goDown() }
    func killBroker() throws { try cluster.goDown() }
    func startBroker() throws { try cluster.comeUp() }
}

extension KafkaBrokerClient.Timing {
    /// Short enough for tests, long enough for a busy machine.
    static var short: KafkaBrokerClient.Timing {
        var timing = KafkaBrokerClient.Timing()
        timing.dial = .seconds(5)
        timing.session = .seconds(6)
        return timing
    }
}

/// A connection with one source that reads `topics`, or none; and a target, if `target` says where to.
func kafkaConnection(
    id: String, servers: String, reading topics: [String], target: String? = nil, settings: [String: String] = [:],
    user: String? = nil, scheme: String = "tcp"
) throws -> Connection {
    let first = servers.split(separator: ",")[0].split(separator: ":")
    let targets = try target.map { address in
        [
            Target(
                address: try PlaceholderTemplate.parse(address, scope: .address),
                topics: [TargetTopic(kind: .twinEvents)], authorizationContext: ["a:b"])
        ]
    }
    return Connection(
        id: try ConnectionID(id), type: .kafka, isOpen: true,
        uri: ConnectionURI(
            scheme: scheme, user: user, password: user.map { _ in Secret("secret") }, host: String(first[0]),
            port: Int(first[1]) ?? 0),
        sources: topics.isEmpty ? [] : [Source(addresses: topics, qos: 1, authorizationContext: [])],
        targets: targets ?? [],
        specificConfig: settings.merging(["bootstrapServers": servers]) { given, _ in given })
}
