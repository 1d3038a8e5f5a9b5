// TLS against a real Mosquitto with certificates made for the test.
import Foundation
import Testing
import TwinspanConnections
import TwinspanMQTT
import TwinspanTestSupport

extension BrokerTests {
    @Suite(
        "MQTT over TLS with Mosquitto", .serialized,
        .disabled(
            if: (BrokerProcess.unavailableReason ?? TestCertificate.unavailableReason) != nil,
            "\(BrokerProcess.unavailableReason ?? TestCertificate.unavailableReason ?? "")"))
    struct MQTTTLSTests {
        private let adapter = MQTTBrokerClient(timing: .short)

        @Test("a trusted certificate opens; an unknown authority and a wrong name are misconfigured at the TLS step")
        func verification() throws {
            let broker = try tlsBroker()
            let other = try tlsBroker()
            let trusted = broker.certificate?.authority
            let rows: [(host: String, authority: String?, validates: Bool, opens: Bool)] = [
                ("localhost", trusted, true, true), ("localhost", other.certificate?.authority, true, false),
                ("localhost", nil, true, false), ("127.0.0.1", trusted, true, false), ("127.0.0.1", nil, false, true),
            ]
            for row in rows {
                var connection = try connection(broker, reading: "a")
                connection.uri.host = row.host
                connection.trustedCertificates = row.authority
                connection.validatesCertificates = row.validates
                let session = SessionThread(adapter.consumer(for: connection, inlet: TestInlet()))
                guard !row.opens else {
                    try session.awaitOpen()
                    try session.stop()
                    #expect(session.observer.state.current.steps == SessionStep.allCases, "\(row)")
                    continue
                }
                let failure = try session.failure()
                #expect(failure.reason == "tls" && failure.step == .tls, "\(row): \(failure)")
                #expect(failure.reaction == .misconfigured && failure.message.contains("certificate"), "\(failure)")
            }
        }

        @Test("messages in both directions arrive, and a long hold keeps the connection")
        func traffic() throws {
            let broker = try tlsBroker()
            var connection = try connection(broker, reading: "t/#")
            connection.trustedCertificates = broker.certificate?.authority
            connection.specificConfig["keepAlive"] = "5s"
            let inlet = TestInlet(.hold)
            let queue = OutboundQueue(capacity: 5000, byteCapacity: 1 << 24)
            let outcomes = TestOutcomes()
            let consumer = SessionThread(adapter.consumer(for: connection, inlet: inlet))
            let publisher = SessionThread(adapter.publisher(for: connection, queue: queue, outcomes: outcomes))
            try consumer.awaitOpen()
            try publisher.awaitOpen()
            let offer = { (range: Range<Int>) in
                for number in range {
                    let message = OutboundMessage(
                        address: "t/x", payload: Array("\(number)".utf8), qos: 1, target: 0, queuedAt: 0)
                    #expect(queue.offer(message))
                }
            }
            offer(0..<10)
            try inlet.awaitCount(1)
            Thread.sleep(forTimeInterval: 8)
            inlet.state.update { $0.mode = .commit }
            offer(10..<2000)
            try inlet.awaitCount(2000)
            #expect(outcomes.state.wait(5) { $0.confirmed.count == 2000 })
            try publisher.stop()
            try consumer.stop()
            #expect(inlet.payloads == (0..<2000).map { "\($0)" } && inlet.state.current.givenBack == 0)
        }

        private func tlsBroker() throws -> BrokerProcess {
            var settings = BrokerProcess.Settings()
            settings.tlsHost = "localhost"
            return try BrokerProcess(settings)
        }

        private func connection(_ broker: BrokerProcess, reading filter: String) throws -> Connection {
            var connection = try mqttConnection(id: "tls", host: "localhost", port: broker.port, reading: filter)
            connection.uri.scheme = "ssl"
            return connection
        }
    }
}
