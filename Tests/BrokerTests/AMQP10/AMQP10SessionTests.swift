// What only AMQP 1.0 does, against a real RabbitMQ: logging in, virtual hosts, queues that are deleted, TLS, brokers
// that freeze; and a thousand openings.
import Foundation
import Testing
import TwinspanAMQP10
import TwinspanConnections
import TwinspanTestSupport

extension BrokerTests {
    @Suite(
        "AMQP 1.0 sessions with RabbitMQ", .serialized,
        .disabled(if: RabbitMQProcess.unavailableReason != nil, "\(RabbitMQProcess.unavailableReason ?? "")"))
    struct AMQP10SessionTests {
        private let adapter = AMQP10BrokerClient(timing: .short)

        /// Lets everybody in anonymously, speaks TLS, and is shared by the tests that leave it alone.
        private static let open = Result {
            var settings = RabbitMQProcess.Settings()
            settings.tlsHost = "localhost"
            settings.lines = ["amqp1_0.default_user = guest"]
            return try RabbitMQProcess(settings)
        }

        private func consumer(_ connection: Connection, _ inlet: TestInlet = TestInlet()) -> SessionThread {
            SessionThread(adapter.consumer(for: connection, inlet: inlet))
        }

        @Test("a wrong password fails although the broker lets the nameless in, who log in by ANONYMOUS")
        func credentials() throws {
            let broker = try Self.open.get()
            try broker.declareQueue("login")
            let rows: [(user: String?, password: String?, reason: String?)] = [
                ("guest", "guest", nil), ("guest", "wrong", "bad-credentials"), ("nobody", "x", "bad-credentials"),
                (nil, nil, nil),
            ]
            for row in rows {
                let thread = consumer(
                    try amqp10Connection(
                        id: "login", port: broker.port, reading: ["/amq/queue/login"], user: row.user,
                        password: row.password))
                guard let reason = row.reason else {
                    try thread.awaitOpen()
                    try thread.stop()
                    continue
                }
                let failure = try thread.failure()
                #expect(failure.reason == reason && failure.step == .authenticate, "\(failure)")
                #expect(failure.reaction == .misconfigured && !failure.message.contains("wrong"), "\(failure)")
            }
        }

        @Test("a virtual host that is not there is refused before the session opens")
        func missingVhost() throws {
            let broker = try Self.open.get()
            let connection = try amqp10Connection(
                id: "vhost", port: broker.port, reading: ["/amq/queue/x"], user: "guest", password: "guest",
                settings: ["amqp.vhost": "vhost:nowhere"])
            let failure = try consumer(connection).failure()
            #expect(failure.reaction == .misconfigured && failure.step == .subscribe, "\(failure)")
        }

        @Test("a deleted queue is noticed, told, and read again once it is back")
        func deletedQueue() throws {
            let broker = try Self.open.get()
            let name = RabbitMQProcess.unique("gone")
            try broker.declareQueue(name)
            var timing = AMQP10BrokerClient.Timing.short
            timing.queueCheck = .milliseconds(300)
            timing.attach = .seconds(1)
            let inlet = TestInlet()
            let connection = try amqp10Connection(
                id: "gone", port: broker.port, reading: ["/amq/queue/\(name)"], user: "guest", password: "guest")
            let session = AMQP10BrokerClient(timing: timing).consumer(for: connection, inlet: inlet)
            let deaf = SessionThread(session)
            try deaf.awaitOpen()
            try broker.deleteQueue(name)
            // RabbitMQ 3.10 says nothing, and answers nothing on that connection any more.
            #expect(try deaf.failure().reaction == .retryNow)
            let thread = SessionThread(session)
            try thread.awaitOpen()
            let place = SessionPlace.source(0, address: "/amq/queue/\(name)")
            try require(thread.observer.state.wait(10) { $0.places[place] != nil }, "not noticed")
            #expect(thread.observer.state.current.places[place]?.reaction == .misconfigured)
            try broker.declareQueue(name)
            try require(thread.observer.state.wait(10) { $0.places.isEmpty }, "not attached again")
            try broker.publish([RawAMQP091Client.Message(Array("back".utf8))], key: name)
            try inlet.awaitCount(1)
            try thread.stop()
        }

        @Test("a queue is declared by its address, and one that is not durable is read as it is")
        func durability() throws {
            let broker = try Self.open.get()
            let name = RabbitMQProcess.unique("declared")
            let connection = try amqp10Connection(
                id: "declared", port: broker.port, reading: ["/queue/\(name)", name], user: "guest", password: "guest")
            let inlet = TestInlet()
            let thread = consumer(connection, inlet)
            try thread.awaitOpen()
            try broker.publish([RawAMQP091Client.Message(Array("1".utf8))], key: name)
            try inlet.awaitCount(1)
            #expect(thread.observer.state.current.places.isEmpty, "\(thread.observer.state.current.places)")
            try thread.stop()
        }

        @Test("TLS is verified against the host of the connection, by name and by address")
        func tls() throws {
            let broker = try Self.open.get()
            let port = try #require(broker.tlsPort)
            let authority = try #require(broker.certificate).authority
            try broker.declareQueue("tls")
            let rows: [(host: String, authority: String?, reason: String?)] = [
                ("localhost", authority, nil), ("127.0.0.1", authority, "certificate-host"),
                ("localhost", nil, "certificate-untrusted"),
            ]
            for row in rows {
                let thread = consumer(
                    try amqp10Connection(
                        id: "tls", scheme: "amqps", host: row.host, port: port, reading: ["/amq/queue/tls"],
                        user: "guest", password: "guest", trusting: row.authority))
                guard let reason = row.reason else {
                    try thread.awaitOpen()
                    #expect(thread.observer.state.current.steps.contains(.tls))
                    try thread.stop()
                    continue
                }
                let failure = try thread.failure()
                #expect(failure.reason == reason && failure.step == .tls, "\(row): \(failure)")
            }
            let plain = try amqp10Connection(
                id: "tls", scheme: "amqps", host: "localhost", port: broker.port, reading: ["x"], trusting: authority)
            let failure = try consumer(plain).failure()
            #expect(failure.reason == "tls" && failure.step == .tls, "\(failure)")
            let secure = try amqp10Connection(id: "tls", host: "localhost", port: port, reading: ["x"])
            #expect(try consumer(secure).failure().reaction != .fatal)
        }

        @Test("ten thousand messages over TLS arrive in order")
        func tlsThroughput() throws {
            let broker = try Self.open.get()
            let name = RabbitMQProcess.unique("bulk")
            try broker.declareQueue(name)
            let payloads = (0..<10_000).map { "\($0)" }
            try broker.publish(payloads.map { RawAMQP091Client.Message(Array($0.utf8)) }, key: name)
            let inlet = TestInlet()
            let thread = consumer(
                try amqp10Connection(
                    id: "bulk", scheme: "amqps", host: "localhost", port: try #require(broker.tlsPort),
                    reading: ["/amq/queue/\(name)"], user: "guest", password: "guest",
                    trusting: broker.certificate?.authority), inlet)
            try inlet.awaitCount(10_000, within: 30)
            try thread.stop()
            #expect(inlet.payloads == payloads)
            #expect(try broker.messageCount(name) == 0)
        }

        @Test("a thousand openings and closings leave nothing behind")
        func cycles() throws {
            let broker = try Self.open.get()
            try broker.declareQueue("cycles")
            func connection(_ isReading: Bool, _ isSecure: Bool) throws -> Connection {
                try amqp10Connection(
                    id: "cycles", scheme: isSecure ? "amqps" : "amqp", host: "localhost",
                    port: isSecure ? broker.tlsPort ?? 0 : broker.port, reading: isReading ? ["/amq/queue/cycles"] : [],
                    sending: isReading ? [] : ["/amq/queue/cycles"], user: "guest", password: "guest",
                    trusting: broker.certificate?.authority)
            }
            let queue = OutboundQueue(capacity: 1, byteCapacity: 1)
            let sessions = [
                adapter.consumer(for: try connection(true, false), inlet: TestInlet()),
                adapter.publisher(for: try connection(false, false), queue: queue, outcomes: TestOutcomes()),
                adapter.consumer(for: try connection(true, true), inlet: TestInlet()),
            ]
            let readings = try LeakWatch.run(cycles: 1000) { number in
                // Every tenth with TLS, whose handshake costs most of the time.
                let thread = SessionThread(sessions[number % 10 == 0 ? 2 : number % 2])
                try thread.awaitOpen()
                try thread.stop()
            }
            print("AMQP 1.0, 1,000 openings: \(readings.before), then \(readings.after)")
        }
    }
}
