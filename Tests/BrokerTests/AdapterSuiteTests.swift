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
            "Kafka with the mock cluster",
            .disabled(if: KafkaProcess.unavailableReason != nil, "\(KafkaProcess.unavailableReason ?? "")"),
            arguments: AdapterScenario.all)
        func kafka(_ scenario: AdapterScenario) throws {
            try scenario.run(try KafkaHarness())
        }
    }
}
