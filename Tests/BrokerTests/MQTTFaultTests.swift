// What no real broker does on request, played by a scripted server.
import Testing
import TwinspanConnections
import TwinspanMQTT
import TwinspanTestSupport

extension BrokerTests {
    @Suite("MQTT sessions with a faulty server", .serialized)
    struct MQTTFaultTests {
        private let adapter = MQTTBrokerClient(timing: .short)
        private static let accepted: [UInt8] = [0x20, 2, 0, 0]

        @Test(
            "each code of CONNACK has its reason and reaction",
            arguments: [
                (1, "protocol-version", BrokerFailure.Reaction.misconfigured),
                (2, "id-rejected", .misconfigured), (3, "server-unavailable", .backOff),
                (4, "bad-credentials", .misconfigured), (5, "not-authorised", .misconfigured),
                (77, "connect-refused", .backOff),
            ] as [(UInt8, String, BrokerFailure.Reaction)])
        func refusals(code: UInt8, reason: String, reaction: BrokerFailure.Reaction) throws {
            let server = try ScriptedServer { _, _ in .last([0x20, 2, 0, code]) }
            let failure = try consumer(server).failure()
            #expect(failure.reason == reason && failure.reaction == reaction && failure.step == .authenticate)
        }

        @Test("a refused filter names the filter and its source")
        func refusedFilter() throws {
            let server = try ScriptedServer { type, body in
                switch type & 0xF0 {
                case 0x10: .bytes(MQTTFaultTests.accepted)
                case 0x80: .bytes([0x90, 4, body[0], body[1], 1, 0x80])
                default: .silence
                }
            }
            var connection = try mqttConnection(id: "refused", port: server.port, reading: "open")
            connection.sources[0].addresses.append("closed/#")
            let thread = SessionThread(adapter.consumer(for: connection, inlet: TestInlet()))
            let failure = try thread.failure()
            #expect(failure.reason == "subscription-refused" && failure.reaction == .misconfigured)
            #expect(failure.step == .subscribe && failure.sourceIndex == 0 && failure.message.contains("'closed/#'"))
            #expect(thread.observer.state.current.openings == 0)
        }

        @Test("a server that does not answer SUBSCRIBE ends the attempt at the deadline, and a stop ends it sooner")
        func silentSubscribe() throws {
            let server = try ScriptedServer { type, _ in
                type & 0xF0 == 0x10 ? .bytes(MQTTFaultTests.accepted) : .silence
            }
            let failure = try consumer(server).failure()
            #expect(failure.reason == "timeout" && failure.step == .subscribe)
            let thread = try consumer(server)
            try thread.awaitStep(.subscribe)
            #expect(try thread.stop(grace: .milliseconds(300)) == .stopped)
        }

        @Test("a server that hangs up after CONNECT is told from a lost connection")
        func hangUp() throws {
            let server = try ScriptedServer { _, _ in .last([]) }
            let failure = try consumer(server).failure()
            #expect(failure.step == .authenticate && failure.reaction == .backOff)
            #expect(failure.message.contains("without answering CONNECT"))
        }

        @Test(
            "bytes that are not MQTT end the session with back-off",
            arguments: [Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8), [0x90, 3, 0, 1, 0], [0x20, 0], [0, 0, 0, 0]])
        func garbage(_ bytes: [UInt8]) throws {
            let server = try ScriptedServer { _, _ in .last(bytes) }
            let failure = try consumer(server).failure()
            #expect(failure.reaction == .backOff, "\(failure)")
        }

        @Test("TLS towards a server that speaks none fails at the TLS step")
        func noTLS() throws {
            let server = try ScriptedServer { _, _ in .last([0x20, 2, 0, 0]) }
            var connection = try mqttConnection(id: "tls", host: "localhost", port: server.port, reading: "a")
            connection.uri.scheme = "ssl"
            let failure = try SessionThread(adapter.consumer(for: connection, inlet: TestInlet())).failure()
            #expect(failure.step == .tls, "\(failure)")
        }

        @Test("a certificate that is none is misconfigured")
        func badCertificate() throws {
            let server = try ScriptedServer { _, _ in .silence }
            var connection = try mqttConnection(id: "tls", host: "localhost", port: server.port, reading: "a")
            connection.uri.scheme = "ssl"
            connection.trustedCertificates = "no certificate"
            let failure = try SessionThread(adapter.consumer(for: connection, inlet: TestInlet())).failure()
            #expect(failure.reaction == .misconfigured, "\(failure)")
        }

        @Test("a five-megabyte message that comes in small pieces is read whole")
        func largeMessage() throws {
            let payload = [UInt8](repeating: 0x61, count: 5 << 20)
            let message = RawMQTTClient.packet(0x32, [0, 1, 0x61, 0, 9] + payload)
            let server = try ScriptedServer { type, body in
                switch type & 0xF0 {
                case 0x10: .bytes(MQTTFaultTests.accepted)
                case 0x80: .bytes([0x90, 3, body[0], body[1], 1] + message)
                default: .silence
                }
            }
            let inlet = TestInlet()
            let connection = try mqttConnection(id: "large", port: server.port, reading: "a")
            let thread = SessionThread(adapter.consumer(for: connection, inlet: inlet))
            try inlet.awaitCount(1)
            try thread.stop()
            #expect(inlet.payloads.first?.utf8.count == payload.count)
        }

        @Test("a publisher whose broker never confirms stops within its grace and gives everything back in order")
        func silentPublish() throws {
            let server = try ScriptedServer { type, _ in
                type & 0xF0 == 0x10 ? .bytes(MQTTFaultTests.accepted) : .silence
            }
            let queue = OutboundQueue(capacity: 1000, byteCapacity: 1 << 20)
            let outcomes = TestOutcomes()
            for number in 0..<300 {
                let message = OutboundMessage(
                    address: "a", payload: Array("\(number)".utf8), qos: 1, target: 0, queuedAt: 0)
                #expect(queue.offer(message))
            }
            let connection = try mqttConnection(id: "fault", port: server.port, reading: nil)
            let thread = SessionThread(adapter.publisher(for: connection, queue: queue, outcomes: outcomes))
            try thread.awaitOpen()
            #expect(try thread.stop(grace: .milliseconds(300)) == .stopped)
            var left: [OutboundMessage] = []
            queue.take(upTo: 1000, into: &left)
            #expect(left.map { String(decoding: $0.payload, as: UTF8.self) } == (0..<300).map { "\($0)" })
            #expect(outcomes.state.current.confirmed.isEmpty && queue.load.bytes == 0)
        }

        private func consumer(_ server: ScriptedServer) throws -> SessionThread {
            let connection = try mqttConnection(id: "fault", port: server.port, reading: "a")
            return SessionThread(adapter.consumer(for: connection, inlet: TestInlet()))
        }
    }
}
