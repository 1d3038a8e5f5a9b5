// What MQTT 5 adds, against a real Mosquitto: headers in both directions, the life of a session, refusals with reasons,
// shared subscriptions.
import Foundation
import Testing
import TwinspanConnections
import TwinspanMQTT
import TwinspanTestSupport

extension BrokerTests {
    @Suite(
        "MQTT 5 sessions with Mosquitto", .serialized,
        .disabled(if: BrokerProcess.unavailableReason != nil, "\(BrokerProcess.unavailableReason ?? "")"))
    struct MQTT5SessionTests {
        private let adapter = MQTTBrokerClient(timing: .short)

        @Test("properties come in as headers, and none of them can pretend to be another")
        func inboundProperties() throws {
            let broker = try BrokerProcess()
            let inlet = TestInlet()
            let thread = SessionThread(
                adapter.consumer(for: try connection(broker, id: "in", reading: "in/#"), inlet: inlet))
            try thread.awaitOpen()
            let sender = try RawMQTTClient(port: broker.port, clientID: "sender", isV5: true)
            try sender.publish(
                [Array("all".utf8)], to: "in/1",
                properties: [
                    .number8(1, 1), .number32(2, 3600), .text(3, "application/json"), .text(8, "answers/here"),
                    .bytes(9, Array("c-1".utf8)), .user("device_id", "demo:lamp"), .user("twice", "a"),
                    .user("twice", "b"), .user("empty", ""), .user("Mqtt.Topic", "in/other"), .user("mqtt.qos", "0"),
                    .user("Correlation-ID", "forged"), .user("reply-to", "forged"), .user("content-type", "forged"),
                    .user("mqtt.message-expiry-interval", "1"), .user("ä", "ö"),
                ])
            try sender.publish([Array("none".utf8)], to: "in/2", qos: 0)
            try sender.publish([[0xFF]], to: "in/3", properties: [.bytes(9, [0xFF, 0x41])])
            try inlet.awaitCount(3)
            try thread.stop()
            let received = inlet.state.current.received
            #expect(
                received[0].headers == [
                    "mqtt.message-expiry-interval": "3600", "content-type": "application/json",
                    "reply-to": "answers/here", "correlation-id": "c-1", "device_id": "demo:lamp", "twice": "b",
                    "empty": "", "ä": "ö",
                ])
            #expect(received.map(\.qos) == [1, 0, 1] && received[1].headers.isEmpty)
            #expect(received[2].headers == ["correlation-id": "\u{FFFD}A"])
        }

        @Test("headers go out as properties; what cannot be sent is refused with its name, and the next one is sent")
        func outboundProperties() throws {
            let broker = try BrokerProcess()
            let watcher = try RawMQTTClient(port: broker.port, clientID: "watcher", isV5: true)
            try watcher.subscribe("out/#")
            let outcomes = TestOutcomes()
            let queue = OutboundQueue(capacity: 100, byteCapacity: 1 << 20)
            let offer = { (topic: String, headers: [(name: String, value: String)]) in
                let message = OutboundMessage(
                    address: topic, payload: Array("x".utf8), qos: 1, headers: headers, target: 0, queuedAt: 0)
                #expect(queue.offer(message))
            }
            offer(
                "out/1",
                [
                    ("correlation-id", "c-2"), ("reply-to", "answers"), ("content-type", "text/plain"),
                    ("mqtt.message-expiry-interval", "60"), ("mqtt.topic", "mapped"), ("mqtt.qos", "9"),
                    ("mqtt.retain", "TRUE"), ("mqtt.other", "o"), ("blank", " \t"), ("device", "ä"),
                ])
            offer("out/2", [("mqtt.message-expiry-interval", "soon")])
            offer("out/3", [("reply-to", "a/+")])
            offer("out/4", [("bad", "line\nbreak")])
            offer("out/5", [("long", String(repeating: "x", count: 65_536))])
            offer("out/6", [("mqtt.message-expiry-interval", "0")])
            let thread = SessionThread(
                adapter.publisher(
                    for: try connection(broker, id: "out", reading: nil), queue: queue, outcomes: outcomes))
            let first = try watcher.receive()
            let second = try watcher.receive()
            #expect(outcomes.state.wait(5) { $0.confirmed.count == 2 })
            try thread.stop()
            #expect(
                first.properties.map(\.encoded).sorted { $0.lexicographicallyPrecedes($1) }
                    == ([
                        .number32(2, 60), .text(3, "text/plain"), .text(8, "answers"), .bytes(9, Array("c-2".utf8)),
                        .user("mqtt.topic", "out/1"), .user("mqtt.qos", "1"), .user("mqtt.retain", "false"),
                        .user("mqtt.other", "o"), .user("device", "ä"),
                    ] as [RawMQTTProperty]).map(\.encoded).sorted { $0.lexicographicallyPrecedes($1) })
            #expect(second.topic == "out/6" && second.properties.isEmpty)
            let refused = outcomes.state.current.refused
            #expect(refused.map(\.address) == ["out/2", "out/3", "out/4", "out/5"])
            #expect(refused.allSatisfy { $0.refusal.reason == "invalid-header" && $0.refusal.status == 400 })
            #expect(refused[2].refusal.detail.contains("'bad'") && !refused[2].refusal.detail.contains("break"))
        }

        @Test("a session outlives the broker's restart, and one with cleanSession is not taken up again")
        func sessionExpiry() throws {
            for (isClean, expected) in [("false", ["while away"]), ("true", [])] {
                let broker = try BrokerProcess(.persistent)
                var connection = try connection(broker, id: "stay", reading: "a")
                connection.specificConfig["cleanSession"] = isClean
                let first = SessionThread(adapter.consumer(for: connection, inlet: TestInlet()))
                try first.awaitOpen()
                try first.stop()
                let sender = try RawMQTTClient(port: broker.port, clientID: "sender")
                try sender.publish([Array("while away".utf8)], to: "a")
                broker.stop()
                try broker.start()
                let inlet = TestInlet()
                let second = SessionThread(adapter.consumer(for: connection, inlet: inlet))
                try second.awaitOpen()
                try RawMQTTClient(port: broker.port, clientID: "sender").publish([Array("now".utf8)], to: "a")
                try inlet.awaitCount(expected.count + 1)
                try second.stop()
                #expect(inlet.payloads == expected + ["now"], "cleanSession \(isClean)")
            }
        }

        @Test("with any receive maximum everything arrives", arguments: ["1", "7", "65535"])
        func receiveMaximum(_ limit: String) throws {
            let broker = try BrokerProcess()
            var connection = try connection(broker, id: "window", reading: "a")
            connection.specificConfig["receiveMaximum"] = limit
            let inlet = TestInlet()
            let thread = SessionThread(adapter.consumer(for: connection, inlet: inlet))
            try thread.awaitOpen()
            let sender = try RawMQTTClient(port: broker.port, clientID: "sender")
            try sender.publish((0..<300).map { Array("\($0)".utf8) }, to: "a")
            try inlet.awaitCount(300)
            try thread.stop()
            #expect(inlet.payloads == (0..<300).map { "\($0)" } && inlet.state.current.acknowledged == 300)
        }

        @Test("two consumers of a shared subscription share the messages", arguments: [ConnectionType.mqtt, .mqtt5])
        func shared(_ type: ConnectionType) throws {
            let broker = try BrokerProcess()
            let inlets = [TestInlet(), TestInlet()]
            let threads = try inlets.enumerated().map { index, inlet in
                let connection = try mqttConnection(
                    id: "share-\(index)", port: broker.port, reading: "$share/group/tasks/+", type: type)
                return SessionThread(adapter.consumer(for: connection, inlet: inlet))
            }
            for thread in threads { try thread.awaitOpen() }
            let sender = try RawMQTTClient(port: broker.port, clientID: "sender")
            for number in 0..<100 { try sender.publish([Array("\(number)".utf8)], to: "tasks/\(number)") }
            let limit = Date(timeIntervalSinceNow: 10)
            while inlets.map(\.payloads.count).reduce(0, +) < 100, Date() < limit { usleep(10_000) }
            for thread in threads { try thread.stop() }
            #expect(inlets.flatMap(\.payloads).sorted() == (0..<100).map { "\($0)" }.sorted())
            #expect(inlets.allSatisfy { !$0.payloads.isEmpty })
            for thread in threads { #expect(thread.observer.state.current.warnings.isEmpty) }
        }

        @Test("a topic the broker forbids is refused with its reason, and the next message is sent")
        func forbiddenTopic() throws {
            let folder = try TemporaryDirectory()
            let list = folder.path + "/acl"
            try "topic readwrite open/#\n".write(toFile: list, atomically: true, encoding: .utf8)
            var settings = BrokerProcess.Settings()
            // Mosquitto 2.0.11 takes 0, which is no limit, for an exceeded one and hangs up after a refusal.
            settings.lines = ["acl_file \(list)", "max_queued_messages 1000"]
            let broker = try BrokerProcess(settings)
            let queue = OutboundQueue(capacity: 100, byteCapacity: 1 << 20)
            let outcomes = TestOutcomes()
            for (topic, qos) in [("closed/1", 1), ("closed/2", 2), ("open/1", 1), ("open/2", 2)] as [(String, UInt8)] {
                let message = OutboundMessage(
                    address: topic, payload: Array(topic.utf8), qos: qos, target: 0, queuedAt: 0)
                #expect(queue.offer(message))
            }
            let thread = SessionThread(
                adapter.publisher(
                    for: try connection(broker, id: "acl", reading: nil), queue: queue, outcomes: outcomes))
            let isDone = outcomes.state.wait(10) { $0.confirmed.count == 2 && $0.refused.count == 2 }
            #expect(isDone, "\(broker.log)")
            try thread.stop()
            withExtendedLifetime(folder) {}
            let state = outcomes.state.current
            // Nobody has subscribed to the open ones, which is no failure.
            #expect(Set(state.confirmed) == ["open/1", "open/2"])
            #expect(Set(state.refused.map(\.address)) == ["closed/1", "closed/2"])
            #expect(state.refused.allSatisfy { $0.refusal.reason == "not-authorised" && $0.refusal.status == 503 })
        }

        @Test("wrong passwords are misconfigured, with the broker's reason and without the password")
        func credentials() throws {
            var settings = BrokerProcess.Settings()
            settings.users = ["device": "right"]
            let broker = try BrokerProcess(settings)
            for (user, password) in [("device", "wrong"), ("nobody", "right"), (nil, nil)] as [(String?, String?)] {
                let connection = try mqttConnection(
                    id: "credentials", port: broker.port, reading: "a", user: user, password: password, type: .mqtt5)
                let failure = try SessionThread(adapter.consumer(for: connection, inlet: TestInlet())).failure()
                #expect(failure.reason == "not-authorised" && failure.step == .authenticate, "\(failure)")
                #expect(failure.reaction == .misconfigured && failure.hint?.contains("uri") == true, "\(failure)")
                #expect(!failure.message.contains("right") && !failure.message.contains("wrong"), "\(failure)")
            }
        }

        private func connection(_ broker: BrokerProcess, id: String, reading filter: String?) throws -> Connection {
            try mqttConnection(id: id, port: broker.port, reading: filter, type: .mqtt5)
        }
    }
}
