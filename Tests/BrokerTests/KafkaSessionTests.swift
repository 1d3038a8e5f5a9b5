// What is particular to Kafka: places, headers, keys, groups and the errors of the cluster.
import Foundation
import Testing
import TwinspanConnections
import TwinspanKafka
import TwinspanTestSupport

extension BrokerTests {
    @Suite(
        "Kafka sessions with the mock cluster", .serialized,
        .disabled(if: KafkaProcess.unavailableReason != nil, "\(KafkaProcess.unavailableReason ?? "")"))
    struct KafkaSessionTests {
        private let cluster: KafkaProcess
        private let adapter = KafkaBrokerClient(timing: .short)
        private let inlet = TestInlet()

        init() throws { cluster = try KafkaProcess() }

        private func connection(
            _ id: String, reading topics: [String] = [], settings: [String: String] = [:]
        ) throws -> Connection {
            try kafkaConnection(
                id: id, servers: cluster.bootstrapServers, reading: topics, target: topics.isEmpty ? "out" : nil,
                settings: settings)
        }

        private func reader(
            _ id: String, _ topic: String, _ inlet: TestInlet, settings: [String: String] = [:]
        ) throws -> SessionThread {
            SessionThread(
                adapter.consumer(
                    for: try connection(id, reading: [topic], settings: settings), inlet: inlet))
        }

        @Test("headers, key, time and tombstones arrive, and what is too old does not")
        func headers() throws {
            try cluster.makeTopic("in")
            let session = try reader("headers", "in", inlet)
            try session.awaitOpen()
            try cluster.send(
                [
                    KafkaProcess.Record("a", key: "k", headers: [("x", "1"), ("x", "2"), ("correlation-id", "c")]),
                    KafkaProcess.Record("old", headers: [("ttl", "1000"), ("creation-time", "1000")]),
                    KafkaProcess.Record("odd", headers: [("ttl", "soon"), ("creation-time", "1000")]),
                    KafkaProcess.Record(nil, key: "gone"),
                ], to: "in")
            try inlet.awaitCount(3)
            let received = inlet.state.current.received
            #expect(inlet.payloads == ["a", "odd", ""] && received.allSatisfy { $0.address == "in" })
            #expect(received[0].headers["x"] == "2" && received[0].headers["correlation-id"] == "c")
            #expect(received[0].headers["kafka.topic"] == "in" && received[0].headers["kafka.key"] == "k")
            #expect(Int64(received[0].headers["kafka.timestamp"] ?? "") ?? 0 > 1_600_000_000_000)
            #expect(received[1].headers["kafka.key"] == nil)
            #expect(received[1].headers["correlation-id"]?.count == 36)
            #expect(inlet.state.wait(5) { $0.dropped == 1 })
            try session.stop()
            #expect(try cluster.committed(group: "headers", topic: "in") == [4])
            #expect(inlet.state.current.positions.map(\.offset) == [4])
        }

        @Test("a run begins at the furthest of our own and the group's place")
        func places() throws {
            try cluster.makeTopic("in")
            try cluster.send((0..<10).map { KafkaProcess.Record("m\($0)") }, to: "in")
            inlet.state.update {
                $0.positions = [LogPosition(reader: "places", topic: "in", partition: 0, offset: 6)]
            }
            let first = try reader("places", "in", inlet)
            try inlet.awaitCount(4)
            try first.stop()
            #expect(inlet.payloads == ["m6", "m7", "m8", "m9"])
            #expect(try cluster.committed(group: "places", topic: "in") == [10])

            let behind = TestInlet()
            behind.state.update {
                $0.positions = [LogPosition(reader: "places", topic: "in", partition: 0, offset: 2)]
            }
            let second = try reader("places", "in", behind)
            try second.awaitOpen()
            try cluster.send([KafkaProcess.Record("new")], to: "in")
            try behind.awaitCount(1)
            try second.stop()
            #expect(behind.payloads == ["new"], "another instance has read the rest")
        }

        @Test("a place behind the end of a topic means that it was made anew: it is read from its start")
        func recreated() throws {
            try cluster.makeTopic("in")
            try cluster.send((0..<3).map { KafkaProcess.Record("m\($0)") }, to: "in")
            inlet.state.update {
                $0.positions = [LogPosition(reader: "anew", topic: "in", partition: 0, offset: 500)]
            }
            let session = try reader("anew", "in", inlet)
            try inlet.awaitCount(3)
            #expect(session.observer.state.current.warnings.map(\.reason) == ["topic-recreated"])
            try session.stop()
            #expect(inlet.payloads == ["m0", "m1", "m2"])
        }

        @Test("without a place reading begins where consumerOffsetReset says")
        func reset() throws {
            try cluster.makeTopic("in")
            try cluster.send([KafkaProcess.Record("before")], to: "in")
            let session = try reader("earliest", "in", inlet, settings: ["consumerOffsetReset": "earliest"])
            try inlet.awaitCount(1)
            try session.stop()
            let latest = TestInlet()
            let other = try reader("latest", "in", latest)
            try other.awaitOpen()
            try other.stop()
            try cluster.send([KafkaProcess.Record("meanwhile")], to: "in")
            let next = try reader("latest", "in", latest)
            try latest.awaitCount(1)
            try next.stop()
            #expect(latest.payloads == ["meanwhile"], "what came while it was down is not lost")
        }

        @Test("a second member takes over partitions, and nothing is read twice")
        func rebalance() throws {
            try cluster.makeTopic("in", partitions: 4)
            let first = try reader("shared", "in", inlet, settings: ["groupId": "g"])
            try first.awaitOpen()
            for partition in 0..<4 {
                try cluster.send(
                    (0..<50).map { KafkaProcess.Record("a\(partition)-\($0)") }, to: "in", partition: partition)
            }
            let other = TestInlet()
            let second = try reader("other", "in", other, settings: ["groupId": "g"])
            try second.awaitOpen(within: 20)
            try inlet.awaitCount(200)
            for partition in 0..<4 {
                try cluster.send(
                    (0..<50).map { KafkaProcess.Record("b\(partition)-\($0)") }, to: "in", partition: partition)
            }
            let isDone = inlet.state.wait(20) { $0.received.count + other.state.current.received.count >= 400 }
            #expect(isDone)
            try first.stop()
            try second.stop()
            let all = inlet.payloads + other.payloads
            let warnings = [first, second].map { $0.observer.state.current.warnings.map(\.message) }
            let repeated = Dictionary(grouping: all, by: { $0 }).filter { $0.value.count > 1 }.keys.sorted()
            #expect(all.count == 400 && repeated.isEmpty, "\(all.count) \(repeated.prefix(9)) \(warnings)")
            #expect(!other.payloads.isEmpty)
            #expect(try cluster.committed(group: "g", topic: "in", partitions: 4).allSatisfy { $0 == 100 })
        }

        @Test("key, partition, headers and the answer of debugEnabled")
        func publishing() throws {
            try cluster.makeTopic("out", partitions: 3)
            let collector = try cluster.collect("out")
            let queue = OutboundQueue(capacity: 100, byteCapacity: 1 << 20)
            let outcomes = TestOutcomes()
            let session = SessionThread(
                adapter.publisher(
                    for: try connection("pub", settings: ["debugEnabled": "true"]), queue: queue, outcomes: outcomes))
            try session.awaitOpen()
            func offer(_ address: String, _ payload: String) throws -> KafkaProcess.Record {
                let message = OutboundMessage(
                    address: address, payload: Array(payload.utf8), qos: 0, headers: [("h", "v")], target: 0,
                    queuedAt: 0)
                #expect(queue.offer(message))
                return try #require(try collector.record())
            }
            let keyed = try offer("out/a/b#c", "1")
            #expect(keyed.keyText == "a/b#c" && keyed.text == "1")
            #expect(keyed.header("h") == "v" && keyed.header("ditto-connection-id") == "pub")
            let placed = try offer("out#2", "")
            #expect(placed.partition == 2 && placed.key == nil && placed.value == [])
            #expect(outcomes.state.wait(5) { $0.answers.count == 2 })
            let answer = try #require(outcomes.state.current.answers.first)
            let body = String(decoding: answer.body, as: UTF8.self)
            #expect(
                answer.status == 200 && body.contains(#""serializedKeySize":5,"serializedValueSize":1,"topic":"out""#))
            try session.stop()
        }

        @Test("what the cluster refuses for good is refused, and the next message is sent", arguments: [10, 29])
        func refused(code: Int) throws {
            try cluster.makeTopic("out")
            let queue = OutboundQueue(capacity: 100, byteCapacity: 1 << 20)
            let outcomes = TestOutcomes()
            let session = SessionThread(
                adapter.publisher(for: try connection("pub"), queue: queue, outcomes: outcomes))
            try session.awaitOpen()
            try cluster.fail(.produce, code: code)
            let message = OutboundMessage(address: "out", payload: [1], qos: 0, target: 0, queuedAt: 0)
            #expect(queue.offer(message))
            #expect(outcomes.state.wait(10) { $0.refused.count == 1 })
            #expect(outcomes.state.current.refused.first?.refusal.status == 400)
            #expect(queue.offer(message))
            #expect(outcomes.state.wait(10) { $0.confirmed.count == 1 })
            try session.stop()
        }

        @Test("a producer that is of no more use is made anew, and nothing is lost")
        func fatal() throws {
            try cluster.makeTopic("out")
            let queue = OutboundQueue(capacity: 10_000, byteCapacity: 1 << 20)
            let outcomes = TestOutcomes()
            let session = SessionThread(
                adapter.publisher(for: try connection("pub"), queue: queue, outcomes: outcomes))
            try session.awaitOpen()
            func offer(_ text: String) {
                _ = queue.offer(
                    OutboundMessage(address: "out", payload: Array(text.utf8), qos: 0, target: 0, queuedAt: 0))
            }
            offer("first")
            #expect(outcomes.state.wait(10) { $0.confirmed.count == 1 })
            try cluster.fail(.produce, code: 45)
            for number in 0..<100 { offer("m\(number)") }
            #expect(outcomes.state.wait(20) { Set($0.confirmed).count == 101 })
            #expect(session.observer.state.current.warnings.map(\.reason).contains("fatal"))
            try session.stop()
        }

        @Test("a stop while the cluster is away stays within its grace")
        func stopDuringOutage() throws {
            try cluster.makeTopic("in")
            let session = try reader("away", "in", inlet)
            try session.awaitOpen()
            try cluster.send([KafkaProcess.Record("m")], to: "in")
            try inlet.awaitCount(1)
            try cluster.goDown()
            #expect(session.observer.state.wait(10) { !$0.places.isEmpty })
            #expect(try session.stop(grace: .seconds(1)) == .stopped)
        }

        @Test("a dry run names its steps; one of a user that the cluster does not know fails at the login")
        func probe() throws {
            try cluster.makeTopic("in")
            let check = ConnectionCheck(
                try connection("probe", reading: ["in"]), adapter: adapter, timeout: .seconds(10))
            #expect(check.isSuccess, "\(check)")
            #expect(check.steps.map(\.step) == [.resolve, .connect, .authenticate, .subscribe])
            let login = try kafkaConnection(
                id: "login", servers: cluster.bootstrapServers, reading: ["in"], user: "nobody")
            let failed = ConnectionCheck(login, adapter: adapter, timeout: .seconds(10))
            #expect(failed.failure?.step == .authenticate && failed.failure?.reason == "bad-credentials", "\(failed)")
        }

        @Test("a hundred sessions leave no memory, thread or descriptor behind")
        func leaks() throws {
            try cluster.makeTopic("in")
            let publisher = adapter.publisher(
                for: try connection("leak"), queue: OutboundQueue(capacity: 1, byteCapacity: 1),
                outcomes: TestOutcomes())
            let consumer = adapter.consumer(for: try connection("leak", reading: ["in"]), inlet: inlet)
            let readings = try LeakWatch.run(cycles: 100) { number in
                // Joining a group takes the mock cluster seconds, so every tenth must do.
                let session = SessionThread(number % 10 == 0 ? consumer : publisher)
                try session.awaitOpen()
                try session.stop()
            }
            print("Kafka, 100 openings: \(readings.before), then \(readings.after)")
        }
    }
}
