// MQTT through a real OpenSSH server, with and without TLS inside.
import Foundation
import Testing
import TwinspanConnections
import TwinspanJSON
import TwinspanMQTT
import TwinspanTestSupport

extension BrokerTests {
    @Suite(
        "MQTT through an SSH tunnel", .serialized,
        .disabled(
            if: (BrokerProcess.unavailableReason ?? SSHServer.unavailableReason) != nil,
            "\(BrokerProcess.unavailableReason ?? SSHServer.unavailableReason ?? "")"))
    struct MQTTTunnelTests {
        private let adapter = MQTTBrokerClient(timing: .short)

        private func connection(_ broker: BrokerProcess, by server: SSHServer) throws -> Connection {
            var connection = try mqttConnection(id: "tunnelled", host: "localhost", port: broker.port, reading: "t/#")
            connection.sshTunnel = [
                "enabled": true, "validateHost": true, "uri": .string("ssh://localhost:\(server.port)"),
                "knownHosts": .array([.string(try server.fingerprint())]),
                "credentials": .object([
                    "type": "public-key", "username": .string(server.user), "publicKey": "",
                    "privateKey": .string(server.pkcs8Key),
                ]),
            ]
            return connection
        }

        @Test("messages arrive, the certificate's name is the broker's, and a dead tunnel ends the session")
        func traffic() throws {
            var settings = BrokerProcess.Settings()
            settings.tlsHost = "localhost"
            let broker = try BrokerProcess(settings)
            let server = try SSHServer()
            var connection = try connection(broker, by: server)
            connection.uri.scheme = "ssl"
            connection.trustedCertificates = broker.certificate?.authority
            let inlet = TestInlet()
            let queue = OutboundQueue(capacity: 5000, byteCapacity: 1 << 24)
            let outcomes = TestOutcomes()
            let consumer = SessionThread(adapter.consumer(for: connection, inlet: inlet))
            let publisher = SessionThread(adapter.publisher(for: connection, queue: queue, outcomes: outcomes))
            try consumer.awaitOpen()
            try publisher.awaitOpen()
            for number in 0..<2000 {
                let message = OutboundMessage(
                    address: "t/x", payload: Array("\(number)".utf8), qos: 1, target: 0, queuedAt: 0)
                #expect(queue.offer(message))
            }
            try inlet.awaitCount(2000)
            #expect(inlet.payloads == (0..<2000).map { "\($0)" })
            try publisher.stop()
            server.kill()
            let failure = try consumer.failure()
            #expect(failure.reaction == .retryNow || failure.reaction == .backOff, "\(failure)")
            #expect(consumer.observer.state.wait(5) { $0.places[.tunnel]?.reason == "ssh-lost" })
            try server.start()
            let again = SessionThread(adapter.consumer(for: connection, inlet: inlet))
            try again.awaitOpen()
            try again.stop()
        }

        @Test("a hundred tunnels, and fifty that are refused, leave no memory, thread or descriptor behind")
        func cycles() throws {
            let broker = try BrokerProcess()
            // Else the server turns strangers away who come too often.
            let server = try SSHServer(lines: ["MaxStartups 1000"])
            let connection = try connection(broker, by: server)
            var foreign = connection
            foreign.sshTunnel?["knownHosts"] = .array([.string(try SSHServer().fingerprint())])
            let consumer = adapter.consumer(for: connection, inlet: TestInlet())
            let refused = adapter.consumer(for: foreign, inlet: TestInlet())
            let readings = try LeakWatch.run(cycles: 150) { number in
                guard number % 3 != 2 else {
                    let failure = try SessionThread(refused).failure()
                    try require(failure.reason == "ssh-host-key", "\(failure)")
                    return
                }
                let thread = SessionThread(consumer)
                try thread.awaitOpen()
                try thread.stop()
            }
            print("MQTT through SSH, 150 openings: \(readings.before), then \(readings.after)")
        }

        @Test("a wrong fingerprint is misconfigured at the connect step")
        func stranger() throws {
            let broker = try BrokerProcess()
            let server = try SSHServer()
            let other = try SSHServer()
            var connection = try connection(broker, by: server)
            connection.sshTunnel?["knownHosts"] = .array([.string(try other.fingerprint())])
            let failure = try SessionThread(adapter.consumer(for: connection, inlet: TestInlet())).failure()
            #expect(failure.reason == "ssh-host-key" && failure.step == .connect && failure.reaction == .misconfigured)
        }
    }
}
