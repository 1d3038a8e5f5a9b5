// What only MQTT does, against a real Mosquitto: credentials, session takeover, QoS, left-over subscriptions,
// keep-alive while a batch is held.
import Foundation
import Testing
import TwinspanConnections
import TwinspanMQTT
import TwinspanTestSupport

extension BrokerTests {
    @Suite(
        "MQTT sessions with Mosquitto", .serialized,
        .disabled(if: BrokerProcess.unavailableReason != nil, "\(BrokerProcess.unavailableReason ?? "")"))
    struct MQTTSessionTests {
        private let adapter = MQTTBrokerClient(timing: .short)

        @Test("the right password opens, a wrong one and none at all are misconfigured")
        func credentials() throws {
            var settings = BrokerProcess.Settings()
            settings.users = ["device": "right"]
            let broker = try BrokerProcess(settings)
            let rows: [(user: String?, password: String?, reason: String?)] = [
                ("device", "right", nil), ("device", "wrong", "not-authorised"), ("nobody", "right", "not-authorised"),
                (nil, nil, "not-authorised"),
            ]
            for row in rows {
                let connection = try mqttConnection(
                    id: "credentials", port: broker.port, reading: "a", user: row.user, password: row.password)
                let session = SessionThread(adapter.consumer(for: connection, inlet: TestInlet()))
                guard let reason = row.reason else {
                    try session.awaitOpen()
                    try session.stop()
                    continue
                }
                let failure = try session.failure()
                #expect(failure.reason == reason && failure.step == .authenticate, "\(row)")
                #expect(failure.reaction == .misconfigured && failure.hint?.contains("uri") == true, "\(row)")
                #expect(
                    !failure.message.contains("right") && !failure.message.contains("wrong"), "a secret in \(failure)")
            }
        }

        @Test("a second client with the same id is recognised after the third early end")
        func takeover() throws {
            let broker = try BrokerProcess()
            let connection = try mqttConnection(id: "twin", port: broker.port, reading: "a")
            let session = adapter.consumer(for: connection, inlet: TestInlet())
            var failures: [BrokerFailure] = []
            for _ in 0..<3 {
                let thread = SessionThread(session)
                try thread.awaitOpen()
                let rival = try RawMQTTClient(port: broker.port, clientID: "twin")
                failures.append(try thread.failure())
                try rival.disconnect()
            }
            #expect(failures.map(\.reason) == ["connection-lost", "connection-lost", "taken-over"])
            #expect(failures[0].reaction == .retryNow && failures[2].reaction == .backOff)
            #expect(failures[2].message.contains("'twin'"))
        }

        @Test("QoS of a message and its retain flag are handed on; a source of QoS 2 reads with QoS 1 and says so once")
        func qos() throws {
            let broker = try BrokerProcess()
            let retained = try RawMQTTClient(port: broker.port, clientID: "sender")
            try retained.publish([Array("old".utf8)], to: "t/0", isRetained: true)
            let inlet = TestInlet()
            let session = adapter.consumer(
                for: try mqttConnection(id: "qos", port: broker.port, reading: "t/+", qos: 2), inlet: inlet)
            let thread = SessionThread(session)
            try thread.awaitOpen()
            try inlet.awaitCount(1)
            try retained.publish([Array("zero".utf8)], to: "t/1", qos: 0)
            try retained.publish([Array("one".utf8)], to: "t/2", qos: 1)
            try inlet.awaitCount(3)
            try thread.stop()
            let received = inlet.state.current.received
            #expect(received.map(\.payload) == ["old", "zero", "one"])
            #expect(received.map(\.qos) == [1, 0, 1])
            #expect(received.map(\.isRetained) == [true, false, false])
            #expect(thread.observer.state.current.warnings.map(\.reason) == ["qos-2"])
            let again = SessionThread(session)
            try again.awaitOpen()
            try again.stop()
            #expect(again.observer.state.current.warnings.isEmpty)
        }

        @Test("each message goes to every source whose filter admits it")
        func sources() throws {
            let broker = try BrokerProcess()
            var connection = try mqttConnection(id: "sources", port: broker.port, reading: "a/+")
            connection.sources.append(Source(addresses: ["b", "a/1", "a/#"], qos: 0, authorizationContext: []))
            let inlet = TestInlet()
            let thread = SessionThread(adapter.consumer(for: connection, inlet: inlet))
            try thread.awaitOpen()
            let sender = try RawMQTTClient(port: broker.port, clientID: "sender")
            for topic in ["a/1", "b", "a/x/y"] { try sender.publish([[]], to: topic) }
            try inlet.awaitCount(4)
            try thread.stop()
            let pairs = inlet.state.current.received.map { "\($0.address) \($0.source)" }
            // Whether the broker sends `a/1` once or once per subscription is its choice.
            #expect(Set(pairs) == ["a/1 0", "a/1 1", "b 1", "a/x/y 1"])
        }

        @Test("messages of a left-over subscription are acknowledged, dropped and reported once")
        func leftOverSubscription() throws {
            let broker = try BrokerProcess()
            for filter in ["old/#", "new/#"] {
                let thread = SessionThread(
                    adapter.consumer(
                        for: try mqttConnection(id: "left", port: broker.port, reading: filter), inlet: TestInlet()))
                try thread.awaitOpen()
                try thread.stop()
            }
            let inlet = TestInlet()
            let connection = try mqttConnection(id: "left", port: broker.port, reading: "new/#")
            let thread = SessionThread(adapter.consumer(for: connection, inlet: inlet))
            try thread.awaitOpen()
            let sender = try RawMQTTClient(port: broker.port, clientID: "sender")
            // More than the broker's window: they only flow on if they are acknowledged.
            try sender.publish(Array(repeating: [1], count: 60), to: "old/x")
            try sender.publish([Array("new".utf8)], to: "new/x")
            try inlet.awaitCount(1)
            try thread.stop()
            #expect(inlet.payloads == ["new"])
            #expect(thread.observer.state.current.warnings.map(\.reason) == ["unmatched-topic"])
        }

        @Test("a batch held for longer than the broker's patience keeps its connection and its acknowledgements")
        func longHold() throws {
            let broker = try BrokerProcess()
            let inlet = TestInlet(.hold)
            let connection = try mqttConnection(
                id: "hold", port: broker.port, reading: "a", settings: ["keepAlive": "5s"])
            let session = adapter.consumer(for: connection, inlet: inlet)
            let thread = SessionThread(session)
            try thread.awaitOpen()
            let sender = try RawMQTTClient(port: broker.port, clientID: "sender")
            try sender.publish([[1]], to: "a")
            try inlet.awaitCount(1)
            // The broker gives up after 1.5 × 5 s of silence.
            Thread.sleep(forTimeInterval: 9)
            inlet.state.update { $0.mode = .commit }
            try sender.publish([[2]], to: "a")
            try inlet.awaitCount(2)
            try thread.stop()
            #expect(inlet.state.current.acknowledged == 2 && inlet.state.current.givenBack == 0)
            let second = TestInlet()
            let next = SessionThread(adapter.consumer(for: connection, inlet: second))
            try next.awaitOpen()
            try next.stop()
            #expect(second.payloads.isEmpty)
        }

        @Test("a last will is sent when the session vanishes and not when it says goodbye")
        func lastWill() throws {
            let broker = try BrokerProcess()
            let watcher = try RawMQTTClient(port: broker.port, clientID: "watcher")
            try watcher.subscribe("will/#")
            let connection = try mqttConnection(
                id: "will", port: broker.port, reading: "a",
                settings: ["lastWillTopic": "will/x", "lastWillMessage": "gone", "lastWillQos": "1"])
            let inlet = TestInlet()
            let session = adapter.consumer(for: connection, inlet: inlet)
            let polite = SessionThread(session)
            try polite.awaitOpen()
            try polite.stop()
            inlet.state.update { $0.mode = .reject }
            let rude = SessionThread(session)
            try rude.awaitOpen()
            try watcher.publish([Array("first".utf8)], to: "will/y")
            try watcher.publish([[]], to: "a")
            _ = try rude.failure()
            #expect(try watcher.receive().topic == "will/y")
            let will = try watcher.receive()
            #expect(will.topic == "will/x" && will.payload == Array("gone".utf8))
        }

        @Test("an empty client id connects with an id of the broker's choice")
        func emptyClientID() throws {
            let broker = try BrokerProcess()
            let connection = try mqttConnection(
                id: "empty", port: broker.port, reading: "a", settings: ["clientId": "", "cleanSession": "true"])
            for session in [
                adapter.consumer(for: connection, inlet: TestInlet()),
                adapter.publisher(
                    for: connection, queue: OutboundQueue(capacity: 1, byteCapacity: 1), outcomes: TestOutcomes()),
            ] {
                let thread = SessionThread(session)
                try thread.awaitOpen()
                try thread.stop()
            }
        }

        @Test("QoS 2 is published exactly once and confirmed")
        func publishQoS2() throws {
            let broker = try BrokerProcess()
            let queue = OutboundQueue(capacity: 100, byteCapacity: 1 << 20)
            let outcomes = TestOutcomes()
            let watcher = try RawMQTTClient(port: broker.port, clientID: "watcher")
            try watcher.subscribe("q/#")
            let thread = SessionThread(
                adapter.publisher(
                    for: try mqttConnection(id: "two", port: broker.port, reading: nil), queue: queue,
                    outcomes: outcomes))
            try thread.awaitOpen()
            for index in 0..<60 {
                let message = OutboundMessage(
                    address: "q/\(index)", payload: [UInt8(index)], qos: UInt8(index % 3), target: 0, queuedAt: 0)
                #expect(queue.offer(message))
            }
            #expect(outcomes.state.wait(5) { $0.confirmed.count == 60 })
            try thread.stop()
            var seen = Set<String>()
            for _ in 0..<60 { seen.insert(try watcher.receive().topic) }
            #expect(seen.count == 60)
        }

        @Test("two hundred openings and closings leave no descriptor behind")
        func descriptors() throws {
            let broker = try BrokerProcess()
            let consumer = adapter.consumer(
                for: try mqttConnection(id: "cycles", port: broker.port, reading: "a"), inlet: TestInlet())
            let publisher = adapter.publisher(
                for: try mqttConnection(id: "cycles", port: broker.port, reading: nil),
                queue: OutboundQueue(capacity: 1, byteCapacity: 1), outcomes: TestOutcomes())
            var counts: [Int] = []
            for round in 0..<200 {
                let thread = SessionThread(round % 2 == 0 ? consumer : publisher)
                try thread.awaitOpen()
                try thread.stop()
                if round % 50 == 49 {
                    counts.append(try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count)
                }
            }
            // Fewer is fine: what an earlier test has left to a thread of its own may close meanwhile.
            #expect(zip(counts, counts.dropFirst()).allSatisfy { $0 >= $1 }, "open descriptors: \(counts)")
        }
    }
}
