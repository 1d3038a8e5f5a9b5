// All kinds of broker side by side: the tests' end of each, and the connection files that lead the service to it.
import Foundation
import Testing
import TwinspanTestSupport

/// A type of connection, by its name in connection files.
enum BrokerKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case mqtt
    case mqtt5 = "mqtt-5"
    case amqp091 = "amqp-091"
    case amqp10 = "amqp-10"
    case kafka
    case httpPush = "http-push"

    /// Those that can be read from.
    static let sources: [BrokerKind] = [.mqtt, .mqtt5, .amqp091, .amqp10, .kafka]

    var testDescription: String { rawValue }

    /// Why not all of them can be started here; nil if they can.
    static var unavailableReason: String? {
        BrokerProcess.unavailableReason ?? RabbitMQProcess.unavailableReason ?? KafkaProcess.unavailableReason
    }
}

/// A device's message on its way to a source.
struct SourceMessage: Sendable {
    var device: String
    var text: String
    /// Goes as the header `device-origin`, where the broker has headers.
    var origin: String?
}

/// The brokers of one test. They are used by one thread, except that one other may send.
final class BrokerYard: @unchecked Sendable {
    // Unchecked: the clients belong to the thread that sends; the rest is immutable.
    /// Part of all addresses, for RabbitMQ is shared by tests.
    let name: String
    let mosquitto: BrokerProcess
    let rabbit: RabbitMQProcess
    let cluster: KafkaProcess
    private var mqttClients: [BrokerKind: RawMQTTClient] = [:]
    private var amqpClient: RawAMQP091Client?

    /// Starts what is not there yet, and makes queues and topics of the sources.
    init(_ name: String, mosquitto: BrokerProcess) throws {
        self.name = RabbitMQProcess.unique(name)
        self.mosquitto = mosquitto
        // The tests are serial, so one that stops RabbitMQ harms no other, once it runs again.
        rabbit = try RabbitMQProcess.shared("end to end")
        if !LoopbackPort.answers(rabbit.port) { try rabbit.start() }
        cluster = try KafkaProcess()
        for kind in [BrokerKind.amqp091, .amqp10] { try rabbit.declareQueue(inlet(kind)) }
        try cluster.makeTopic(inlet(.kafka), partitions: 4)
    }

    deinit {
        // Queues that are left behind end with the broker.
        for kind in [BrokerKind.amqp091, .amqp10] { try? rabbit.deleteQueue(inlet(kind)) }
    }

    /// The queue or topic a source reads; for MQTT its first level.
    func inlet(_ kind: BrokerKind) -> String { "\(name)-\(kind.rawValue)" }

    // MARK: Sending

    /// Sends messages in order and returns when the broker has confirmed them. After a failure some may have arrived.
    func send(_ messages: [SourceMessage], to kind: BrokerKind) throws {
        switch kind {
        case .mqtt, .mqtt5:
            let client =
                try mqttClients[kind]
                ?? RawMQTTClient(
                    port: mosquitto.port, clientID: "gateway-\(kind)", isV5: kind == .mqtt5)
            mqttClients[kind] = client
            for message in messages {
                try client.publish(
                    [Array(message.text.utf8)], to: "\(inlet(kind))/\(message.device)",
                    properties: kind == .mqtt5 ? message.origin.map { [.user("device-origin", $0)] } ?? [] : [])
            }
        case .amqp091, .amqp10:
            do {
                let client = try amqpClient ?? rabbit.client()
                amqpClient = client
                try client.publish(
                    messages.map { message in
                        RawAMQP091Client.Message(
                            Array(message.text.utf8),
                            headers: message.origin.map { Self.header($0, kind) } ?? [])
                    }, key: inlet(kind))
            } catch {
                amqpClient = nil
                throw error
            }
        case .kafka:
            try cluster.send(
                messages.map { message in
                    KafkaProcess.Record(
                        message.text, key: message.device,
                        headers: message.origin.map { [("device-origin", $0)] } ?? [])
                }, to: inlet(.kafka))
        case .httpPush: throw ScenarioFailure("nothing is read from \(kind)")
        }
    }

    /// RabbitMQ hands headers of AMQP 0.9.1 on over AMQP 1.0 only if they are a section of application properties.
    private static func header(_ origin: String, _ kind: BrokerKind) -> [(name: String, value: AMQP091Value)] {
        guard kind == .amqp10 else { return [("device-origin", .text(origin))] }
        var texts: [UInt8] = []
        for text in ["device-origin", origin] { texts += [0xA1, UInt8(text.utf8.count)] + Array(text.utf8) }
        return [("x-amqp-1.0-app-properties", .bytes([0x00, 0x53, 0x74, 0xC1, UInt8(texts.count + 1), 2] + texts))]
    }

    // MARK: Connection files

    /// A connection that reads what `send` sends, as `test:gateway`.
    /// - Parameters:
    ///   - port: of a relay; nil leads to the broker.
    ///   - settings: of `specificConfig`.
    ///   - lines: further lines of the source.
    func source(
        _ kind: BrokerKind, id: String = "in", port: Int? = nil, settings: [String: String] = [:], lines: [String] = []
    ) -> String {
        let address: String =
            switch kind {
            case .mqtt, .mqtt5: inlet(kind) + "/#"
            case .amqp10: "/amq/queue/" + inlet(kind)
            default: inlet(kind)
            }
        // MQTT 3.1.1 has no headers, and lets none be asked for.
        let origin = kind == .mqtt ? "mqtt" : "{{ header:device-origin }}"
        let rest = lines.map { "    \($0)\n" }.joined()
        return head(kind, id, port, settings)
            + """
            sources:
              - addresses: ["\(address)"]
                qos: 1
                authorizationContext: ["\(Plant.gateway)"]
                headerMapping: { origin: "\(origin)" }

            """ + rest
    }

    /// A connection that sends all twin events; the Ditto header `origin` goes as `came-from`, and as the last level of
    /// the topic over MQTT 3.1.1.
    func target(_ kind: BrokerKind, address: String, port: Int? = nil, options: String) -> String {
        let mapping =
            kind == .mqtt ? "mqtt.topic: \"\(address)/{{ header:origin }}\"" : "came-from: \"{{ header:origin }}\""
        return head(kind, "out-\(kind.rawValue)", port, [:])
            + """
            targets:
              - address: "\(address)"
                topics: ["_/_/things/twin/events"]
                qos: 1
                authorizationContext: ["\(Plant.gateway)"]
                headerMapping: { \(mapping) }
                twinspan: \(options)

            """
    }

    private func head(_ kind: BrokerKind, _ id: String, _ port: Int?, _ settings: [String: String]) -> String {
        let uri: String =
            switch kind {
            case .mqtt, .mqtt5: "tcp://127.0.0.1:\(port ?? mosquitto.port)"
            case .amqp091, .amqp10: "amqp://guest:guest@127.0.0.1:\(port ?? rabbit.port)"
            case .kafka: "tcp://127.0.0.1:\(port ?? cluster.port)"
            case .httpPush: "http://127.0.0.1:\(port ?? 0)"
            }
        var settings = settings
        if kind == .kafka {
            settings["bootstrapServers"] = cluster.bootstrapServers
            settings["consumerOffsetReset"] = "earliest"
            // The shortest: so long the group waits for one of ours that was killed.
            settings["sessionTimeoutMs"] = "6000"
        }
        let lines = settings.sorted { $0.key < $1.key }.map { "  \($0.key): \"\($0.value)\"\n" }.joined()
        return """
            id: \(id)
            connectionType: \(kind.rawValue)
            connectionStatus: open
            uri: \(uri)

            """ + (lines.isEmpty ? "" : "specificConfig:\n" + lines)
    }
}

extension TwinspanProcess {
    /// Makes `plant:<name>` for each name, under a policy that lets everybody of the test do everything.
    func makeThings(_ names: [String]) throws {
        let client = try http(as: "ditto")
        let subjects = [Plant.gateway, "nginx:ditto", "test:app", "test:device"]
            .map { #""\#($0)":{"type":"test"}"# }.joined(separator: ",")
        let grants = ["thing:/", "policy:/", "message:/"]
            .map { #""\#($0)":{"grant":["READ","WRITE"],"revoke":[]}"# }.joined(separator: ",")
        let policy = try client.request(
            "PUT", "/api/2/policies/plant:shared",
            body: #"{"entries":{"all":{"subjects":{\#(subjects)},"resources":{\#(grants)}}}}"#)
        try require(policy.status == 201, "the policy was not made: \(policy)")
        for name in names {
            let thing = try client.request(
                "PUT", "/api/2/things/plant:\(name)",
                body: #"{"policyId":"plant:shared","features":{"engine":{"properties":{"speed":0}}}}"#)
            try require(thing.status == 201, "\(name) was not made: \(thing)")
        }
    }

    /// Waits until every twin has its last number.
    func waitForTwins(at ledger: Ledger, _ timeout: Double) throws {
        let client = try http(as: "ditto")
        let end = Date(timeIntervalSinceNow: timeout)
        for (name, last) in ledger.last.sorted(by: { $0.key < $1.key }) {
            var answer = "nothing"
            while true {
                // No answer is one of the states it is waiting through.
                if let thing = try? client.get("/api/2/things/plant:\(name)") {
                    if thing.json.speed == last { break }
                    answer = thing.text
                }
                try require(isRunning, "the process ended with \(exitCode ?? -1): \(log.suffix(2000))")
                try require(
                    Date() < end,
                    "\(name) should be at \(last) after \(timeout) s, and is \(answer); "
                        + "\((try? Balance(self))?.summary("in") ?? ""); log: \(log.suffix(2000))")
                usleep(20_000)
            }
        }
    }
}
