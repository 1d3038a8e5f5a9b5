// What only shows over time: nothing is left behind by a thousand connections, and a peer that has fallen silent is
// noticed within the keep-alive.
import Foundation
import Testing
import TwinspanConnections
import TwinspanMQTT
import TwinspanTestSupport

extension BrokerTests {
    @Suite(
        "MQTT over time", .serialized,
        .disabled(if: BrokerProcess.unavailableReason != nil, "\(BrokerProcess.unavailableReason ?? "")"))
    struct MQTTEnduranceTests {
        private let adapter = MQTTBrokerClient(timing: .short)

        @Test("a thousand openings and closings leave no memory, thread or descriptor behind")
        func plainCycles() throws { try cycle(try MQTTHarness(.mqtt5), times: 1000) }

        @Test(
            "two hundred openings and closings over mutual TLS leave no memory, thread or descriptor behind",
            .disabled(if: TestCertificate.unavailableReason != nil, "\(TestCertificate.unavailableReason ?? "")"))
        func encryptedCycles() throws { try cycle(try MQTTHarness(.mqtt5, .mutualTLS), times: 200) }

        private func cycle(_ harness: MQTTHarness, times: Int) throws {
            let consumer = harness.adapter.consumer(
                for: try harness.connection(id: "cycles", reading: "a", host: nil, port: nil), inlet: TestInlet())
            let publisher = harness.adapter.publisher(
                for: try harness.connection(id: "cycles", reading: nil, host: nil, port: nil),
                queue: OutboundQueue(capacity: 1, byteCapacity: 1), outcomes: TestOutcomes())
            let readings = try LeakWatch.run(cycles: times) { number in
                let thread = SessionThread(number % 2 == 0 ? consumer : publisher)
                try thread.awaitOpen()
                try thread.stop()
            }
            print("\(times) cycles: \(readings.before), then \(readings.after)")
        }

        @Test(
            "a frozen broker and a path that swallows everything are noticed within the keep-alive, and it goes on",
            arguments: [ConnectionType.mqtt, .mqtt5], [true, false])
        func silence(_ type: ConnectionType, isFrozen: Bool) throws {
            let broker = try BrokerProcess(.persistent)
            let relay = try LoopbackRelay(to: broker.port)
            let connection = try mqttConnection(
                id: "silent", port: relay.port, reading: "a", settings: ["keepAlive": "5s"], type: type)
            let inlet = TestInlet()
            let queue = OutboundQueue(capacity: 10, byteCapacity: 1000)
            let outcomes = TestOutcomes()
            let consumer = adapter.consumer(for: connection, inlet: inlet)
            let publisher = adapter.publisher(for: connection, queue: queue, outcomes: outcomes)
            let threads = [SessionThread(consumer), SessionThread(publisher)]
            for thread in threads { try thread.awaitOpen() }
            if isFrozen { broker.pause() } else { relay.swallow() }
            let message = OutboundMessage(address: "a", payload: Array("kept".utf8), qos: 1, target: 0, queuedAt: 0)
            #expect(queue.offer(message))
            let start = Date()
            for thread in threads {
                // Twice the keep-alive, and a moment for a busy machine.
                let failure = try thread.failure(within: 15)
                #expect(failure.reason == "keep-alive" && failure.reaction == .retryNow, "\(failure)")
            }
            #expect(Date().timeIntervalSince(start) < 13)
            #expect(queue.load.messages == 1 && outcomes.state.current.confirmed.isEmpty)
            if isFrozen { broker.resume() } else { relay.forward() }
            let again = [SessionThread(consumer), SessionThread(publisher)]
            try inlet.awaitCount(1)
            #expect(outcomes.state.wait(5) { $0.confirmed == ["kept"] })
            for thread in again { try thread.stop() }
        }
    }
}
