// Every scenario of the shared suite against every adapter.
import Testing
import TwinspanConnections
import TwinspanTestSupport

extension BrokerTests {
    @Suite("shared adapter suite", .serialized)
    struct AdapterSuiteTests {
        @Test(
            "MQTT 3.1.1 with Mosquitto",
            .disabled(if: BrokerProcess.unavailableReason != nil, "\(BrokerProcess.unavailableReason ?? "")"),
            arguments: AdapterScenario.all)
        func mqtt(_ scenario: AdapterScenario) throws { try run(scenario, MQTTHarness()) }

        @Test(
            "MQTT 5 with Mosquitto",
            .disabled(if: BrokerProcess.unavailableReason != nil, "\(BrokerProcess.unavailableReason ?? "")"),
            arguments: AdapterScenario.all)
        func mqtt5(_ scenario: AdapterScenario) throws { try run(scenario, MQTTHarness(.mqtt5)) }

        /// Only the way in differs, so these scenarios are those in which the session connects again.
        private static let reconnecting = AdapterScenario.all.filter { scenario in
            [
                "a session opens", "a session can be run again", "messages arrive in order", "what is not committed",
                "the backlog of a restarted", "queued messages are sent", "a publisher gives back",
            ].contains { scenario.description.hasPrefix($0) }
        }

        @Test(
            "MQTT with Mosquitto behind TLS, mutual TLS or a password",
            .disabled(
                if: (BrokerProcess.unavailableReason ?? TestCertificate.unavailableReason) != nil,
                "\(BrokerProcess.unavailableReason ?? TestCertificate.unavailableReason ?? "")"),
            arguments: reconnecting, [MQTTHarness.Entrance.tls, .mutualTLS, .password])
        func mqttEntrances(_ scenario: AdapterScenario, _ entrance: MQTTHarness.Entrance) throws {
            #expect(AdapterSuiteTests.reconnecting.count == 7)
            try run(scenario, MQTTHarness(entrance == .password ? .mqtt : .mqtt5, entrance))
        }

        private func run(_ scenario: AdapterScenario, _ harness: MQTTHarness) throws {
            do {
                try scenario.run(harness)
            } catch {
                Issue.record(error, "\(harness.broker.log.suffix(2000))")
            }
        }

        @Test(
            "AMQP 0.9.1 with RabbitMQ",
            .disabled(if: RabbitMQProcess.unavailableReason != nil, "\(RabbitMQProcess.unavailableReason ?? "")"),
            arguments: AdapterScenario.all)
        func amqp091(_ scenario: AdapterScenario) throws {
            let harness = try AMQP091Harness()
            do {
                try scenario.run(harness)
            } catch {
                Issue.record(error, "\(harness.broker.log.suffix(2000))")
            }
        }

        @Test(
            "Kafka with the mock cluster",
            .disabled(if: KafkaProcess.unavailableReason != nil, "\(KafkaProcess.unavailableReason ?? "")"),
            arguments: AdapterScenario.all)
        func kafka(_ scenario: AdapterScenario) throws {
            try scenario.run(try KafkaHarness())
        }
    }
}
