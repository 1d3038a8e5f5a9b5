// The reason codes of MQTT 5 that no broker gives on request, played by a scripted server.
import Testing
import TwinspanConnections
import TwinspanMQTT
import TwinspanTestSupport

extension BrokerTests {
    @Suite("MQTT 5 sessions with a faulty server", .serialized)
    struct MQTT5FaultTests {
        private let adapter = MQTTBrokerClient(timing: .short)
        private static let accepted: [UInt8] = [0x20, 3, 0, 0, 0]

        @Test(
            "each reason code of CONNACK has its reason and reaction",
            arguments: [
                (128, "connect-refused", .backOff), (132, "protocol-version", .misconfigured),
                (133, "id-rejected", .misconfigured), (134, "bad-credentials", .misconfigured),
                (135, "not-authorised", .misconfigured), (136, "server-unavailable", .backOff),
                (137, "connect-refused", .backOff), (138, "not-authorised", .misconfigured),
                (140, "not-authorised", .misconfigured), (144, "last-will-refused", .misconfigured),
                (149, "last-will-refused", .misconfigured), (151, "connect-refused", .backOff),
                (153, "last-will-refused", .misconfigured), (154, "last-will-refused", .misconfigured),
                (155, "last-will-refused", .misconfigured), (156, "server-moved", .misconfigured),
                (157, "server-moved", .misconfigured), (159, "connect-refused", .backOff),
                (77, "connect-refused", .backOff),
            ] as [(UInt8, String, BrokerFailure.Reaction)])
        func refusals(code: UInt8, reason: String, reaction: BrokerFailure.Reaction) throws {
            let server = try ScriptedServer { _, _ in .last([0x20, 3, 0, code, 0]) }
            let failure = try consumer(server).failure()
            #expect(failure.reason == reason && failure.reaction == reaction && failure.step == .authenticate)
        }

        @Test("the broker's words and its other server are handed on, and nobody is followed")
        func serverMoved() throws {
            let properties = RawMQTTProperty.block([
                .text(31, "closed on Sundays"), .text(28, "other.example.org:1883"),
            ])
            let moved = try ScriptedServer { _, _ in .last(RawMQTTClient.packet(0x20, [0, 157] + properties)) }
            let failure = try consumer(moved).failure()
            #expect(failure.message.contains("'other.example.org:1883'") && failure.hint?.contains("uri") == true)
            let busy = try ScriptedServer { _, _ in .last(RawMQTTClient.packet(0x20, [0, 137] + properties)) }
            #expect(try consumer(busy).failure().message.contains("(closed on Sundays)"))
        }

        @Test("a broker that only speaks MQTT 3.1.1 is named as such")
        func oldBroker() throws {
            let server = try ScriptedServer { _, _ in .last([0x20, 2, 0, 1]) }
            let failure = try consumer(server).failure()
            #expect(failure.reason == "protocol-version" && failure.hint?.contains("connectionType: mqtt") == true)
        }

        @Test(
            "each reason code of SUBACK has its reaction",
            arguments: [
                (128, .misconfigured), (135, .misconfigured), (143, .misconfigured), (158, .misconfigured),
                (161, .misconfigured), (162, .misconfigured), (145, .backOff), (151, .backOff),
            ] as [(UInt8, BrokerFailure.Reaction)])
        func refusedFilter(code: UInt8, reaction: BrokerFailure.Reaction) throws {
            let server = try server(on: 0x80) { .bytes([0x90, 4, $0[0], $0[1], 0, code]) }
            let failure = try consumer(server).failure()
            #expect(
                failure.reason == "subscription-refused" && failure.reaction == reaction && failure.sourceIndex == 0)
            #expect(failure.message.contains("'a'") && failure.message.contains("\(code)"), "\(failure)")
        }

        @Test(
            "each reason code of DISCONNECT has its reason and reaction",
            arguments: [
                (130, "protocol", .backOff), (135, "not-authorised", .misconfigured), (137, "disconnected", .backOff),
                (139, "connection-lost", .retryNow), (141, "keep-alive", .retryNow), (142, "taken-over", .backOff),
                (147, "receive-maximum", .misconfigured), (149, "too-large", .misconfigured),
                (151, "disconnected", .backOff), (152, "disconnected", .backOff), (157, "server-moved", .misconfigured),
            ] as [(UInt8, String, BrokerFailure.Reaction)])
        func disconnects(code: UInt8, reason: String, reaction: BrokerFailure.Reaction) throws {
            for properties in [[], RawMQTTProperty.block([.text(31, "why")])] {
                let server = try server(on: 0x80) {
                    .last([0x90, 4, $0[0], $0[1], 0, 1] + RawMQTTClient.packet(0xE0, [code] + properties))
                }
                let failure = try consumer(server).failure()
                #expect(failure.reason == reason && failure.reaction == reaction, "\(failure)")
            }
        }

        @Test(
            "a refused message is given up or tried again, by the reason code of PUBACK",
            arguments: [
                (0, nil), (16, nil), (135, "not-authorised"), (144, "invalid-topic"), (149, "too-large"),
                (153, "payload-format"), (128, nil), (131, nil), (151, nil),
            ] as [(UInt8, String?)])
        func refusedMessages(code: UInt8, reason: String?) throws {
            let refusals = Watched(0)
            let server = try server(on: 0x30) { body in
                // Topic `a`, then the packet id. The second time all is well.
                let isFirst = refusals.update { count in
                    defer { count += 1 }
                    return count == 0
                }
                return .bytes([0x40, 4, body[3], body[4], isFirst ? code : 0, 0])
            }
            let queue = OutboundQueue(capacity: 10, byteCapacity: 1000)
            let outcomes = TestOutcomes()
            for text in ["first", "second"] {
                let message = OutboundMessage(
                    address: "a", payload: Array(text.utf8), qos: 1, target: 0, queuedAt: 0)
                #expect(queue.offer(message))
            }
            let connection = try mqttConnection(id: "fault", port: server.port, reading: nil, type: .mqtt5)
            let thread = SessionThread(adapter.publisher(for: connection, queue: queue, outcomes: outcomes))
            #expect(outcomes.state.wait(10) { $0.confirmed.count + $0.refused.count == 2 })
            try thread.stop()
            let state = outcomes.state.current
            #expect(state.refused.map(\.refusal.reason) == (reason.map { [$0] } ?? []))
            #expect(Set(state.confirmed) == (reason == nil ? ["first", "second"] : ["second"]))
        }

        @Test("a refusal counts even if the server hangs up with it")
        func refusedAndHungUp() throws {
            let server = try server(on: 0x30) { body in .last([0x40, 3, body[3], body[4], 135]) }
            let queue = OutboundQueue(capacity: 10, byteCapacity: 1000)
            let outcomes = TestOutcomes()
            for text in ["first", "second"] {
                let message = OutboundMessage(
                    address: "a", payload: Array(text.utf8), qos: 1, target: 0, queuedAt: 0)
                #expect(queue.offer(message))
            }
            let connection = try mqttConnection(id: "fault", port: server.port, reading: nil, type: .mqtt5)
            let thread = SessionThread(adapter.publisher(for: connection, queue: queue, outcomes: outcomes))
            #expect(try thread.failure().reason == "connection-lost")
            #expect(outcomes.state.current.refused.count == 1 && queue.load.messages == 1)
        }

        @Test("CONNECT says how long the session lives, how much may be under way, and how large a packet may be")
        func connectProperties() throws {
            let rows: [(settings: [String: String], isConsumer: Bool, expiry: UInt32, maximum: UInt16)] = [
                ([:], true, .max, 500), (["cleanSession": "true"], true, 60, 500),
                (["receiveMaximum": "20"], true, .max, 20), ([:], false, 0, 500),
            ]
            for row in rows {
                let seen = Watched<[RawMQTTProperty]>([])
                let server = try ScriptedServer { _, body in
                    // Name, version, flags and keep-alive come first.
                    var rest = body[10...]
                    let properties = RawMQTTProperty.read(&rest) ?? []
                    seen.update { $0 = properties }
                    return .last([0x20, 3, 0, 137, 0])
                }
                let connection = try mqttConnection(
                    id: "fault", port: server.port, reading: "a", settings: row.settings, type: .mqtt5)
                let queue = OutboundQueue(capacity: 1, byteCapacity: 1)
                _ = try SessionThread(
                    row.isConsumer
                        ? adapter.consumer(for: connection, inlet: TestInlet())
                        : adapter.publisher(for: connection, queue: queue, outcomes: TestOutcomes())
                ).failure()
                let properties = seen.current
                #expect(properties.contains(.number32(17, row.expiry)), "\(row): \(properties)")
                #expect(properties.contains(.number16(33, row.maximum)), "\(row): \(properties)")
                #expect(properties.contains(.number32(39, 64 << 20)), "\(row): \(properties)")
            }
        }

        @Test("a keep-alive and a session expiry of the broker's own are noted, and the keep-alive is kept")
        func serverChoices() throws {
            let pings = Watched(0)
            let choices = RawMQTTProperty.block([.number16(19, 2), .number32(17, 30)])
            let server = try ScriptedServer { type, body in
                switch type & 0xF0 {
                case 0x10: return .bytes(RawMQTTClient.packet(0x20, [0, 0] + choices))
                case 0x80: return .bytes([0x90, 4, body[0], body[1], 0, 1])
                case 0xC0:
                    pings.update { $0 += 1 }
                    return .bytes([0xD0, 0])
                default: return .silence
                }
            }
            let thread = try consumer(server)
            try thread.awaitOpen()
            #expect(pings.wait(8) { $0 > 0 }, "no ping within four times the broker's keep-alive")
            try thread.stop()
        }

        private func server(
            on type: UInt8, _ answer: @escaping @Sendable ([UInt8]) -> ScriptedServer.Answer
        ) throws -> ScriptedServer {
            try ScriptedServer { seen, body in
                switch seen & 0xF0 {
                case 0x10: .bytes(MQTT5FaultTests.accepted)
                case type: answer(body)
                default: .silence
                }
            }
        }

        private func consumer(_ server: ScriptedServer) throws -> SessionThread {
            let connection = try mqttConnection(id: "fault", port: server.port, reading: "a", type: .mqtt5)
            return SessionThread(adapter.consumer(for: connection, inlet: TestInlet()))
        }
    }
}
