// AMQP 0.9.1 over TLS against a real RabbitMQ: who is trusted, and how failures are told.
import Foundation
import Testing
import TwinspanAMQP091
import TwinspanConnections
import TwinspanTestSupport

extension BrokerTests {
    @Suite(
        "AMQP 0.9.1 over TLS with RabbitMQ", .serialized,
        .disabled(if: RabbitMQProcess.unavailableReason != nil, "\(RabbitMQProcess.unavailableReason ?? "")"),
        .disabled(if: TestCertificate.unavailableReason != nil, "\(TestCertificate.unavailableReason ?? "")"))
    struct AMQP091TLSTests {
        private let adapter = AMQP091BrokerClient(timing: .short)

        private func broker(isExpired: Bool = false) throws -> RabbitMQProcess {
            var settings = RabbitMQProcess.Settings()
            settings.tlsHost = "localhost"
            settings.isCertificateExpired = isExpired
            return try RabbitMQProcess(settings)
        }

        private func failure(_ connection: Connection) throws -> BrokerFailure {
            try SessionThread(adapter.consumer(for: connection, inlet: TestInlet())).failure()
        }

        @Test("messages go both ways, and a wrong authority, a wrong host and a plain client are told apart")
        func trust() throws {
            let broker = try broker()
            let (port, authority) = (try #require(broker.tlsPort), try #require(broker.certificate?.authority))
            try broker.declareQueue("secure")
            let connection = try amqp091Connection(
                id: "tls", scheme: "amqps", host: "localhost", port: port, reading: ["secure"], authority: authority)
            let (inlet, outcomes) = (TestInlet(), TestOutcomes())
            let queue = OutboundQueue(capacity: 1000, byteCapacity: 1 << 24)
            let consumer = SessionThread(adapter.consumer(for: connection, inlet: inlet))
            let publisher = SessionThread(adapter.publisher(for: connection, queue: queue, outcomes: outcomes))
            for thread in [consumer, publisher] { try thread.awaitOpen() }
            #expect(consumer.observer.state.current.steps.contains(.tls))
            for number in 0..<500 {
                let payload = Array(repeating: UInt8(number % 256), count: number == 250 ? 300_000 : 100)
                let message = OutboundMessage(
                    address: "/secure", payload: payload, qos: 1, target: 0, queuedAt: 0)
                #expect(queue.offer(message))
            }
            try inlet.awaitCount(500)
            #expect(outcomes.state.wait(5) { $0.confirmed.count == 500 })
            for thread in [consumer, publisher] { try thread.stop() }
            #expect(inlet.state.current.acknowledged == 500)
            let observer = TestObserver()
            #expect(adapter.probe(connection, timeout: .seconds(10), observer: observer) == .stopped)
            #expect(observer.state.current.steps == [.resolve, .connect, .tls, .authenticate, .subscribe])

            let stranger = try failure(
                try amqp091Connection(id: "tls", scheme: "amqps", host: "localhost", port: port, reading: ["secure"]))
            #expect(stranger.reason == "certificate-untrusted" && stranger.step == .tls, "\(stranger)")
            let misnamed = try failure(
                try amqp091Connection(
                    id: "tls", scheme: "amqps", host: "127.0.0.1", port: port, reading: ["secure"],
                    authority: authority))
            #expect(misnamed.reason == "certificate-host" && misnamed.reaction == .misconfigured, "\(misnamed)")
            let plain = try failure(
                try amqp091Connection(id: "tls", host: "localhost", port: port, reading: ["secure"]))
            #expect(plain.step == .authenticate && plain.hint?.contains("amqps://") == true, "\(plain)")
            let reversed = try failure(
                try amqp091Connection(
                    id: "tls", scheme: "amqps", host: "localhost", port: broker.port, reading: ["secure"],
                    authority: authority))
            #expect(reversed.step == .tls && reversed.reason == "tls", "\(reversed)")
        }

        @Test("an expired certificate is named")
        func expired() throws {
            let broker = try broker(isExpired: true)
            let failure = try failure(
                try amqp091Connection(
                    id: "tls", scheme: "amqps", host: "localhost", port: try #require(broker.tlsPort),
                    reading: ["secure"], authority: try #require(broker.certificate?.authority)))
            #expect(failure.reason == "certificate-expired", "\(failure)")
        }

        @Test("a server that never answers the handshake ends at the deadline, and a stop ends it sooner")
        func silent() throws {
            let server = try LoopbackListener()
            let connection = try amqp091Connection(id: "tls", scheme: "amqps", port: server.port, reading: ["secure"])
            #expect(try failure(connection).reason == "timeout")
            let session = SessionThread(adapter.consumer(for: connection, inlet: TestInlet()))
            try session.awaitStep(.tls)
            #expect(try session.stop(grace: .milliseconds(200)) == .stopped)
        }

        @Test("two hundred openings and closings leave no memory, thread or descriptor behind")
        func cycles() throws {
            let broker = try broker()
            try broker.declareQueue("cycles")
            let connection = try amqp091Connection(
                id: "cycles", scheme: "amqps", host: "localhost", port: try #require(broker.tlsPort),
                reading: ["cycles"], targets: ["amq.direct/k"], authority: broker.certificate?.authority)
            let consumer = adapter.consumer(for: connection, inlet: TestInlet())
            let publisher = adapter.publisher(
                for: connection, queue: OutboundQueue(capacity: 1, byteCapacity: 1), outcomes: TestOutcomes())
            let readings = try LeakWatch.run(cycles: 200) { number in
                let thread = SessionThread(number % 2 == 0 ? consumer : publisher)
                try thread.awaitOpen()
                try thread.stop()
            }
            print("AMQP 0.9.1 over TLS, 200 openings: \(readings.before), then \(readings.after)")
        }
    }
}
