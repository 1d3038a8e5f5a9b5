// TLS against a real Mosquitto with certificates made for the test.
import Foundation
import Testing
import TwinspanConnections
import TwinspanJSON
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

        @Test("a trusted certificate opens; what is wrong with another one is named by the running session")
        func verification() throws {
            let broker = try tlsBroker()
            var old = BrokerProcess.Settings()
            old.tlsHost = "localhost"
            old.isCertificateExpired = true
            let expired = try BrokerProcess(old)
            let trusted = broker.certificate?.authority
            let other = expired.certificate?.authority
            let rows: [(broker: BrokerProcess, host: String, authority: String?, validates: Bool, reason: String?)] = [
                (broker, "localhost", trusted, true, nil), (broker, "127.0.0.1", nil, false, nil),
                (broker, "localhost", other, true, "certificate-untrusted"),
                (broker, "localhost", nil, true, "certificate-untrusted"),
                (broker, "127.0.0.1", trusted, true, "certificate-host"),
                (expired, "localhost", other, true, "certificate-expired"),
                (expired, "localhost", other, false, nil),
            ]
            for row in rows {
                for type in [ConnectionType.mqtt, .mqtt5] {
                    var connection = try connection(row.broker, reading: "a", type: type)
                    connection.uri.host = row.host
                    connection.trustedCertificates = row.authority
                    connection.validatesCertificates = row.validates
                    let session = SessionThread(adapter.consumer(for: connection, inlet: TestInlet()))
                    guard let reason = row.reason else {
                        try session.awaitOpen()
                        try session.stop()
                        #expect(session.observer.state.current.steps == SessionStep.allCases, "\(row)")
                        continue
                    }
                    let failure = try session.failure()
                    #expect(failure.reason == reason && failure.step == .tls, "\(row): \(failure)")
                    #expect(failure.reaction == .misconfigured && failure.hint != nil, "\(failure)")
                }
            }
        }

        @Test("a broker that wants a client certificate gets it, and says so when it is missing or not the right one")
        func clientCertificates() throws {
            var settings = BrokerProcess.Settings()
            settings.tlsHost = "localhost"
            settings.requiresClientCertificate = true
            let broker = try BrokerProcess(settings)
            let certificate = try #require(broker.certificate)
            let other = try tlsBroker()
            let foreign = try #require(try other.certificate?.client("stranger"))
            let rows: [(pair: TestCertificate.Pair?, reason: String?)] = [
                (try certificate.client("twins"), nil), (nil, "certificate-client"), (foreign, "certificate-client"),
                (try certificate.client("late", validity: .expired), "certificate-client"),
            ]
            for (pair, reason) in rows {
                for type in [ConnectionType.mqtt, .mqtt5] {
                    var connection = try connection(broker, reading: "a", type: type)
                    connection.trustedCertificates = certificate.authority
                    connection.credentials = pair?.credentials
                    let session = SessionThread(adapter.consumer(for: connection, inlet: TestInlet()))
                    guard let reason else {
                        try session.awaitOpen()
                        try session.stop()
                        continue
                    }
                    let failure = try session.failure()
                    #expect(failure.reason == reason && failure.reaction == .misconfigured, "\(failure)")
                    #expect(failure.hint?.contains("credentials") == true, "\(failure)")
                }
            }
        }

        @Test("certificate and key that cannot be read are misconfigured and named by their field, without the key")
        func badMaterial() throws {
            let broker = try tlsBroker()
            let pair = try #require(try broker.certificate?.client("twins"))
            for (certificate, key, field) in [
                ("none", pair.key, "/credentials/cert"), (pair.certificate, "s3cret", "/credentials/key"),
            ] {
                var connection = try connection(broker, reading: "a", type: .mqtt5)
                connection.credentials = [
                    "type": .string("client-cert"), "cert": .string(certificate), "key": .string(key),
                ]
                let failure = try SessionThread(adapter.consumer(for: connection, inlet: TestInlet())).failure()
                #expect(failure.reason == "invalid-setting" && failure.reaction == .misconfigured, "\(failure)")
                #expect(failure.message.contains(field) && !"\(failure)".contains("s3cret"), "\(failure)")
            }
        }

        @Test("many packets in one TLS record are all read at once")
        func packedRecords() throws {
            let folder = try TemporaryDirectory()
            let certificate = try TestCertificate(host: "localhost", directory: folder.path)
            let acknowledged = Watched(0)
            let server = try PipedTLSServer(certificate.server) { type, body in
                switch type & 0xF0 {
                case 0x10: return [0x20, 3, 0, 0, 0]
                case 0x80:
                    let messages = (1...200).flatMap { number in
                        RawMQTTClient.packet(0x32, [0, 1, 0x61, 0, UInt8(number), 0] + Array("m\(number)".utf8))
                    }
                    return [0x90, 4, body[0], body[1], 0, 1] + messages
                case 0x40:
                    acknowledged.update { $0 += 1 }
                    return []
                default: return []
                }
            }
            var connection = try mqttConnection(
                id: "packed", host: "localhost", port: server.port, reading: "a", type: .mqtt5)
            connection.uri.scheme = "ssl"
            connection.trustedCertificates = certificate.authority
            let inlet = TestInlet()
            let thread = SessionThread(adapter.consumer(for: connection, inlet: inlet))
            try inlet.awaitCount(200, within: 5)
            #expect(acknowledged.wait(5) { $0 == 200 })
            try thread.stop()
            #expect(inlet.payloads == (1...200).map { "m\($0)" })
            withExtendedLifetime(folder) {}
        }

        @Test("what is dialled may be another address than the name in the certificate")
        func otherAddress() throws {
            // The certificate is for `localhost` alone, which is dialled as 127.0.0.1.
            let broker = try tlsBroker()
            let observer = TestObserver()
            var connection = try connection(broker, reading: "a", type: .mqtt5)
            connection.trustedCertificates = broker.certificate?.authority
            #expect(adapter.probe(connection, timeout: .seconds(5), observer: observer) == .stopped)
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

        private func connection(
            _ broker: BrokerProcess, reading filter: String, type: ConnectionType = .mqtt
        ) throws -> Connection {
            var connection = try mqttConnection(
                id: "tls", host: "localhost", port: broker.port, reading: filter, type: type)
            connection.uri.scheme = "ssl"
            return connection
        }
    }
}
