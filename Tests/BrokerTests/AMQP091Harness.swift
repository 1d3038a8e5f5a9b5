// The AMQP 0.9.1 side of the shared adapter suite: a RabbitMQ and a client that shares no code with the adapter.
import Foundation
import TwinspanAMQP091
import TwinspanConnections
import TwinspanExpressions
import TwinspanProtocol
import TwinspanTestSupport

/// Runs the shared scenarios against RabbitMQ.
final class AMQP091Harness: AdapterHarness {
    let broker: RabbitMQProcess
    let adapter: any BrokerAdapter
    let impossibleAddress = "neither-exchange-nor-key"
    /// RabbitMQ says that it is being stopped.
    let reactionToStop = BrokerFailure.Reaction.backOff

    init(timing: AMQP091BrokerClient.Timing = .short) throws {
        // The suite is serial, so its tests may stop a broker they share.
        broker = try RabbitMQProcess.shared("brokers")
        adapter = AMQP091BrokerClient(timing: timing)
    }

    func connection(id: String, reading address: String?, host: String?, port: Int?) throws -> Connection {
        try amqp091Connection(
            id: id, host: host ?? "127.0.0.1", port: port ?? broker.port, reading: address.map { [$0] } ?? [])
    }

    /// Outbound the key of the default exchange, which leads to the queue without the slash; inbound the name of a
    /// queue with it.
    // A queue that cannot be declared shows as missing.
    func address(_ name: String) -> String {
        let queue = RabbitMQProcess.unique(name)
        try? broker.declareQueue(queue)
        try? broker.declareQueue("/" + queue)
        return "/" + queue
    }

    func send(_ payloads: [String], to address: String) throws {
        try broker.publish(payloads.map { .init(Array($0.utf8)) }, key: address)
    }

    func collector(of address: String) throws -> any MessageCollector {
        let queue = String(address.dropFirst())
        let client = try broker.client()
        try client.purge(queue)
        return AMQP091Collector(client: client, queue: queue)
    }

    func stopBroker() { broker.stop() }
    func killBroker() { broker.kill() }
    func startBroker() throws { try broker.start() }
}

private struct AMQP091Collector: MessageCollector {
    let client: RawAMQP091Client
    let queue: String

    func next() throws -> String {
        let limit = Date(timeIntervalSinceNow: 5)
        while Date() < limit {
            if let message = try client.get(queue) { return String(decoding: message.body, as: UTF8.self) }
            usleep(1000)
        }
        throw ScenarioFailure("no message came to \(queue)")
    }
}

extension AMQP091BrokerClient.Timing {
    /// Short enough for tests, long enough for a busy machine.
    static var short: AMQP091BrokerClient.Timing {
        var timing = AMQP091BrokerClient.Timing()
        timing.dial = .seconds(5)
        timing.shortestPause = .milliseconds(50)
        timing.longestPause = .milliseconds(200)
        return timing
    }
}

/// A connection with one source that reads `queues`, or none, and a target per address.
func amqp091Connection(
    id: String, scheme: String = "amqp", host: String = "127.0.0.1", port: Int, path: String = "",
    reading queues: [String] = [], targets: [String] = [], user: String? = nil, password: String? = nil,
    authority: String? = nil, settings: [String: String] = [:]
) throws -> Connection {
    Connection(
        id: try ConnectionID(id), type: .amqp091, isOpen: true,
        uri: ConnectionURI(
            scheme: scheme, user: user, password: password.map { Secret($0) }, host: host, port: port, path: path),
        sources: queues.isEmpty ? [] : [Source(addresses: queues, authorizationContext: [])],
        targets: try targets.map {
            Target(address: try PlaceholderTemplate.parse($0, scope: .address), topics: [], authorizationContext: [])
        }, trustedCertificates: authority, specificConfig: settings)
}
