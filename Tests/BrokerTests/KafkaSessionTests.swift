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
            try sendToEach("a")
            try inlet.awaitCount(200)
            try awaitPlaces(50)
            let other = TestInlet()
            let second = try reader("other", "in", other, settings: ["groupId": "g"])
            try second.awaitOpen(within: 20)
            try sendToEach("b")
            let isDone = inlet.state.wait(20) { $0.received.count + other.state.current.received.count >= 400 }
            #expect(isDone)
            try awaitPlaces(100)
            try first.stop()
            try second.stop()
            let all = inlet.payloads + other.payloads
            let repeated = Dictionary(grouping: all, by: { $0 }).filter { $0.value.count > 1 }.keys.sorted()
            #expect(all.count == 400 && repeated.isEmpty, "\(all.count) \(repeated.prefix(9))")
            #expect(other.payloads.count == 100 && other.payloads.allSatisfy { $0.hasPrefix("b") })
            #expect(first.observer.state.current.warnings.isEmpty)
        }

        // The test cluster refuses every commit from the moment on in which a member has asked to join; a broker takes
        // them until the members have joined anew. So what was read in the last second is read twice here.
        @Test("what a group could not be told when it took partitions away is read again, and that is told")
        func lateCommit() throws {
            try cluster.makeTopic("in", partitions: 4)
            let first = try reader("shared", "in", inlet, settings: ["groupId": "g"])
            try first.awaitOpen()
            try cluster.fail(.offsetCommit, times: 100, code: 27)
            try sendToEach("a")
            try inlet.awaitCount(200)
            let other = TestInlet()
            let second = try reader("other", "in", other, settings: ["groupId": "g"])
            let isTold = first.observer.state.wait(20) { $0.warnings.map(\.reason) == ["commit-too-late"] }
            #expect(isTold, "\(first.observer.state.current.warnings)")
            try second.awaitOpen(within: 20)
            try cluster.recover(.offsetCommit)
            try sendToEach("b")
            let isDone = inlet.state.wait(20) {
                Set($0.received.map(\.payload) + other.state.current.received.map(\.payload)).count == 400
            }
            #expect(isDone, "\(inlet.payloads.count) + \(other.payloads.count)")
            try awaitPlaces(100)
            try first.stop()
            try second.stop()
            #expect(inlet.payloads.count == Set(inlet.payloads).count, "our own store knows better than the group")
        }

        /// Sends 50 messages to each of four partitions.
        private func sendToEach(_ word: String) throws {
            for partition in 0..<4 {
                try cluster.send(
                    (0..<50).map { KafkaProcess.Record("\(word)\(partition)-\($0)") }, to: "in", partition: partition)
            }
        }

        /// Waits until the group knows that the four partitions are read up to `offset`.
        private func awaitPlaces(_ offset: Int64) throws {
            let limit = Date(timeIntervalSinceNow: 10)
            while true {
                let places = try cluster.committed(group: "g", topic: "in", partitions: 4)
                if places.allSatisfy({ $0 == offset }) { return }
                try require(Date() < limit, "the group is at \(places)")
                usleep(50_000)
            }
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

        // After a refused right the library refuses the topic's messages by itself, until it has asked the cluster
        // again about a second later.
        @Test(
            "what the cluster refuses for good is refused, and once it allows it the next message is sent",
            arguments: [(10, "too-large"), (29, "not-authorised")])
        func refused(code: Int, reason: String) throws {
            try cluster.makeTopic("out")
            let queue = OutboundQueue(capacity: 100, byteCapacity: 1 << 20)
            let outcomes = TestOutcomes()
            let session = SessionThread(
                adapter.publisher(for: try connection("pub"), queue: queue, outcomes: outcomes))
            try session.awaitOpen()
            try cluster.fail(.produce, code: code)
            var offered = 0
            let limit = Date(timeIntervalSinceNow: 10)
            while outcomes.state.current.confirmed.isEmpty {
                try require(Date() < limit, "nothing is confirmed any more")
                if offered > 1 { usleep(100_000) }
                #expect(
                    queue.offer(OutboundMessage(address: "out", payload: [1], qos: 0, target: 0, queuedAt: 0)))
                offered += 1
                let isAnswered = outcomes.state.wait(10) { $0.confirmed.count + $0.refused.count == offered }
                try require(isAnswered, "message \(offered) is left without an answer")
            }
            let refused = outcomes.state.current.refused
            #expect(refused.count == offered - 1 && !refused.isEmpty)
            #expect(refused.allSatisfy { $0.refusal.status == 400 && $0.refusal.reason == reason }, "\(refused)")
            if code == 10 { #expect(refused.count == 1) }
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

        @Test("opening and closing leaves no memory, thread or descriptor behind")
        func leaks() throws {
            try cluster.makeTopic("in")
            var allowance = LeakWatch.Allowance()
            allowance.kilobytes = 4096
            let publishing = try LeakWatch.run(cycles: 400, allowance: allowance) { _ in
                let queue = OutboundQueue(capacity: 10, byteCapacity: 1000)
                let outcomes = TestOutcomes()
                let session = SessionThread(
                    adapter.publisher(for: try connection("leak"), queue: queue, outcomes: outcomes))
                try session.awaitOpen()
                _ = queue.offer(OutboundMessage(address: "in", payload: [1], qos: 0, target: 0, queuedAt: 0))
                try require(outcomes.state.wait(10) { $0.confirmed.count == 1 }, "not confirmed")
                try session.stop()
            }
            print("400 producers: \(publishing.before), then \(publishing.after)")
            // Each waits for its group for three seconds, so twelve of them join at a time.
            let reading = try LeakWatch.run(cycles: 5, allowance: allowance) { cycle in
                let sessions = try (0..<12).map { try reader("leak-\(cycle)-\($0)", "in", TestInlet()) }
                for session in sessions { try session.awaitOpen(within: 20) }
                for session in sessions { try session.stop() }
            }
            print("60 consumers: \(reading.before), then \(reading.after)")
        }
    }
}
