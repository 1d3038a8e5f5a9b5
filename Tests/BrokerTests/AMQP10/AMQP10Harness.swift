// The AMQP 1.0 side of the shared adapter suite: a RabbitMQ with its plugin for AMQP 1.0, and AMQP 0.9.1 around the
// adapter. It takes seconds to start, so all scenarios share one, with addresses of their own.
import Glibc
import TwinspanAMQP10
import TwinspanConnections
import TwinspanExpressions
import TwinspanProtocol
import TwinspanTestSupport

/// Runs the shared scenarios against RabbitMQ.
final class AMQP10Harness: AdapterHarness {
    let broker: RabbitMQProcess
    let adapter: any BrokerAdapter
    /// A kind without a name.
    let impossibleAddress = "queue://"
    /// RabbitMQ confirms as its disk goes.
    let confirmsInOrder = false
    private let prefix = RabbitMQProcess.unique("amqp10")

    /// The broker that these tests stop and kill.
    private static let mortal = Result { try RabbitMQProcess() }

    init(timing: AMQP10BrokerClient.Timing = .short) throws {
        broker = try Self.mortal.get()
        // An earlier scenario may have ended between killing it and starting it again.
        if !LoopbackPort.answers(broker.port) { try broker.start() }
        adapter = AMQP10BrokerClient(timing: timing)
    }

    func connection(id: String, reading address: String?, host: String?, port: Int?) throws -> Connection {
        try amqp10Connection(
            id: id, host: host ?? "127.0.0.1", port: port ?? broker.port, reading: address.map { [$0] } ?? [],
            user: "guest", password: "guest")
    }

    func address(_ name: String) -> String {
        // One that cannot be declared is reported by the session.
        try? broker.declareQueue("\(prefix)-\(name)")
        return "/amq/queue/\(prefix)-\(name)"
    }

    func send(_ payloads: [String], to address: String) throws {
        try broker.publish(
            payloads.map { RawAMQP091Client.Message(Array($0.utf8)) }, key: Self.queue(of: address))
    }

    func collector(of address: String) throws -> any MessageCollector {
        let client = try broker.client()
        let queue = Self.queue(of: address)
        // What was there before is not collected.
        try client.purge(queue)
        return AMQP10Collector(client: client, queue: queue)
    }

    func stopBroker() { broker.stop() }
    func killBroker() { broker.kill() }
    func startBroker() throws { try broker.start() }

    private static func queue(of address: String) -> String { String(address.dropFirst("/amq/queue/".count)) }
}

private struct AMQP10Collector: MessageCollector {
    let client: RawAMQP091Client
    let queue: String

    func next() throws -> String {
        for _ in 0..<5000 {
            if let message = try client.get(queue) { return Self.text(message.body) }
            usleep(2000)
        }
        throw ScenarioFailure("no message came")
    }

    /// RabbitMQ hands a value section on as it stands, a string with its length of one byte or of four before it.
    private static func text(_ body: [UInt8]) -> String {
        guard body.starts(with: [0x00, 0x53, 0x77]), body.count > 3 else {
            return String(decoding: body, as: UTF8.self)
        }
        let start = [0xA1: 5, 0xB1: 8][body[3]] ?? body.count
        return String(decoding: body[min(start, body.count)...], as: UTF8.self)
    }
}

extension AMQP10BrokerClient.Timing {
    /// Short enough for tests, long enough for a busy machine.
    static var short: AMQP10BrokerClient.Timing {
        var timing = AMQP10BrokerClient.Timing()
        timing.dial = .seconds(5)
        timing.relink = (.milliseconds(200), .seconds(2))
        timing.resend = .milliseconds(100)
        return timing
    }
}

/// A connection with one source that reads the addresses, or none, and a target per address.
func amqp10Connection(
    id: String, scheme: String = "amqp", host: String = "127.0.0.1", port: Int, reading addresses: [String] = [],
    sending targets: [String] = [], user: String? = nil, password: String? = nil, settings: [String: String] = [:],
    trusting authority: String? = nil, consumerCount: Int = 1
) throws -> Connection {
    Connection(
        id: try ConnectionID(id), type: .amqp10, isOpen: true,
        uri: ConnectionURI(
            scheme: scheme, user: user, password: password.map { Secret($0) }, host: host, port: port),
        sources: addresses.isEmpty
            ? [] : [Source(addresses: addresses, consumerCount: consumerCount, authorizationContext: [])],
        targets: try targets.map {
            Target(
                address: try PlaceholderTemplate.parse($0, scope: .address), topics: [TargetTopic(kind: .twinEvents)],
                authorizationContext: [])
        },
        trustedCertificates: authority, specificConfig: settings)
}
