// Every scenario of the shared suite against every adapter.
import Testing
import TwinspanTestSupport

extension BrokerTests {
    @Suite("shared adapter suite", .serialized)
    struct AdapterSuiteTests {
        @Test(
            "MQTT 3.1.1 with Mosquitto",
            .disabled(if: BrokerProcess.unavailableReason != nil, "\(BrokerProcess.unavailableReason ?? "")"),
            arguments: AdapterScenario.all)
        func mqtt(_ scenario: AdapterScenario) throws {
            let harness = try MQTTHarness()
            do {
                try scenario.run(harness)
            } catch {
                Issue.record(error, "\(harness.broker.log.suffix(2000))")
            }
        }

        @Test(
            "AMQP 1.0 with RabbitMQ",
            .disabled(if: RabbitMQProcess.unavailableReason != nil, "\(RabbitMQProcess.unavailableReason ?? "")"),
            arguments: AdapterScenario.all)
        func amqp10(_ scenario: AdapterScenario) throws {
            let harness = try AMQP10Harness()
            do {
                try scenario.run(harness)
            } catch {
                Issue.record(error, "\(harness.broker.log.suffix(2000))")
            }
        }
    }
}
