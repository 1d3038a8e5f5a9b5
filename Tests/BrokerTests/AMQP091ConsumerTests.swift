// What only AMQP 0.9.1 consumers do, against a real RabbitMQ: logins, headers, missing and deleted queues, heartbeats
// while a batch is held, a frozen broker.
import Foundation
import Testing
import TwinspanAMQP091
import TwinspanConnections
import TwinspanTestSupport

extension BrokerTests {
    @Suite(
        "AMQP 0.9.1 consumers with RabbitMQ", .serialized,
        .disabled(if: RabbitMQProcess.unavailableReason != nil, "\(RabbitMQProcess.unavailableReason ?? "")"))
    struct AMQP091ConsumerTests {
        private let adapter = AMQP091BrokerClient(timing: .short)

        private func broker() throws -> RabbitMQProcess { try RabbitMQProcess.shared("brokers") }

        @Test("a wrong password, an unknown user and a wrong virtual host are misconfigured and show no secret")
        func logins() throws {
            let rows: [(user: String?, password: String?, path: String, reason: String?)] = [
                (nil, nil, "", nil), ("guest", "guest", "/%2F", nil), ("guest", "wrong", "", "bad-credentials"),
                ("nobody", "guest", "", "bad-credentials"), ("guest", "guest", "/none", "not-authorised"),
            ]
            for row in rows {
                let connection = try amqp091Connection(
                    id: "login", port: try broker().port, path: row.path, user: row.user, password: row.password)
                let session = SessionThread(adapter.consumer(for: connection, inlet: TestInlet()))
                guard let reason = row.reason else {
                    try session.awaitOpen()
                    try session.stop()
                    continue
                }
                let failure = try session.failure()
                #expect(failure.reason == reason && failure.step == .authenticate, "\(failure)")
                #expect(failure.reaction == .misconfigured && failure.hint?.contains("uri") == true, "\(failure)")
                #expect(!failure.message.contains("wrong"), "a secret in \(failure)")
            }
        }

        @Test("headers of every type become text, properties go before them, and bytes are told from text")
        func headers() throws {
            let queue = RabbitMQProcess.unique("headers")
            try broker().declareQueue(queue)
            try broker().publish(
                [
                    .init(
                        Array("t".utf8), contentType: "text/plain; charset=utf-8",
                        headers: [
                            ("bool", .bool(true)), ("int8", .int8(-1)), ("uint8", .uint8(255)), ("int16", .int16(-2)),
                            ("uint16", .uint16(65_535)), ("int32", .int32(-3)), ("uint32", .uint32(.max)),
                            ("int64", .int64(.min)), ("float", .float(0.5)), ("double", .double(-1.25)),
                            ("decimal", .decimal(5, scale: 3)), ("text", .text("ä\u{0}b")), ("bytes", .bytes([65])),
                            ("timestamp", .timestamp(86_400)), ("far", .timestamp(.max)),
                            ("array", .array([.text("a\"\n"), .bool(false), .void])),
                            ("table", .table(["in": .int32(1)])), ("void", .void), ("correlation-id", .text("other")),
                            ("message-id", .text("other")), ("device_id", .text("d")),
                        ], correlationID: "c", replyTo: "r", messageID: "m"),
                    .init([0, 255], contentType: "application/octet-stream"), .init([], deliveryMode: nil),
                ], key: queue)
            let inlet = TestInlet()
            let session = SessionThread(
                adapter.consumer(
                    for: try amqp091Connection(id: "headers", port: try broker().port, reading: [queue]), inlet: inlet))
            try inlet.awaitCount(3)
            try session.stop()
            let received = inlet.state.current.received
            let expected = [
                "bool": "true", "int8": "-1", "uint8": "255", "int16": "-2", "uint16": "65535", "int32": "-3",
                "uint32": "4294967295", "int64": "-9223372036854775808", "float": "0.5", "double": "-1.25",
                "decimal": "0.005", "text": "ä\u{0}b", "bytes": "A", "timestamp": "1970-01-02T00:00:00Z",
                "far": "9999-12-31T23:59:59.999Z", "array": #"["a\"\n",false,null]"#, "table": #"{"in":1}"#,
                "correlation-id": "c", "reply-to": "r", "content-type": "text/plain; charset=utf-8", "message-id": "1",
                "device_id": "d",
            ]
            for (name, value) in received[0].headers { #expect(expected[name] == value, "\(name): \(value)") }
            #expect(received[0].headers.count == expected.count)
            #expect(received.map(\.isBinary) == [false, true, false])
            #expect(received[1].headers == ["content-type": "application/octet-stream", "message-id": "2"])
            #expect(received[2].headers == ["message-id": "3"] && received[2].payload == "")
        }

        @Test("queues that are missing are all named, by a session and by a probe")
        func missingQueues() throws {
            let queue = RabbitMQProcess.unique("there")
            try broker().declareQueue(queue)
            let connection = try amqp091Connection(
                id: "missing", port: try broker().port, reading: ["gone-1", queue, "gone-2"])
            let observer = TestObserver()
            for end in [
                SessionEnd.failed(try SessionThread(adapter.consumer(for: connection, inlet: TestInlet())).failure()),
                adapter.probe(connection, timeout: .seconds(10), observer: observer),
            ] {
                guard case .failed(let failure) = end else {
                    Issue.record("no failure")
                    continue
                }
                #expect(failure.message == "The queues [gone-1, gone-2] to connect to are missing.")
                #expect(failure.reaction == .misconfigured && failure.step == .subscribe && failure.sourceIndex == 0)
            }
        }

        @Test("a probe takes every step and leaves the messages where they are")
        func probe() throws {
            let queue = RabbitMQProcess.unique("probe")
            try broker().declareQueue(queue)
            try broker().publish([.init([1])], key: queue)
            let connection = try amqp091Connection(
                id: "probe", port: try broker().port, reading: [queue], targets: ["amq.direct/k"])
            let observer = TestObserver()
            #expect(adapter.probe(connection, timeout: .seconds(10), observer: observer) == .stopped)
            #expect(observer.state.current.steps == [.resolve, .connect, .authenticate, .subscribe])
            #expect(observer.state.current.openings == 1)
            #expect(try broker().messageCount(queue) == 1)
            let lost = try amqp091Connection(id: "probe", port: try broker().port, targets: ["no-such/k"])
            guard case .failed(let failure) = adapter.probe(lost, timeout: .seconds(10), observer: observer) else {
                Issue.record("no failure")
                return
            }
            #expect(failure.reason == "exchange-missing" && failure.message.hasPrefix("Exchange 'no-such' was missing"))
        }

        @Test("a queue that is deleted is reported, the others go on, and it is read again once it is back")
        func deletedQueue() throws {
            let (first, second) = (RabbitMQProcess.unique("first"), RabbitMQProcess.unique("second"))
            for queue in [first, second] { try broker().declareQueue(queue) }
            let inlet = TestInlet()
            let session = SessionThread(
                adapter.consumer(
                    for: try amqp091Connection(id: "deleted", port: try broker().port, reading: [first, second]),
                    inlet: inlet))
            try session.awaitOpen()
            let place = SessionPlace.source(0, address: first)
            for round in 1...2 {
                try broker().deleteQueue(first)
                #expect(session.observer.state.wait(5) { $0.places[place]?.reaction == .misconfigured })
                try broker().publish([.init(Array("second".utf8))], key: second)
                try inlet.awaitCount(2 * round - 1)
                Thread.sleep(forTimeInterval: 0.3)  // It is tried and missed at least once.
                try broker().declareQueue(first)
                try broker().publish([.init(Array("first".utf8))], key: first)
                try inlet.awaitCount(2 * round)
                #expect(session.observer.state.wait(5) { $0.places.isEmpty })
            }
            #expect(inlet.payloads == ["second", "first", "second", "first"])
            try session.stop()
            #expect(inlet.state.current.acknowledged == 4)
        }

        @Test("a batch held for many heartbeats keeps its connection, and what comes meanwhile is the next batch")
        func longHold() throws {
            let queue = RabbitMQProcess.unique("hold")
            try broker().declareQueue(queue)
            let inlet = TestInlet(.hold)
            let session = SessionThread(
                adapter.consumer(
                    for: try amqp091Connection(
                        id: "hold", port: try broker().port, reading: [queue], settings: ["requestedHeartbeat": "1"]),
                    inlet: inlet))
            try session.awaitOpen()
            try broker().publish([.init([1])], key: queue)
            try inlet.awaitCount(1)
            // The broker gives up after 2 s of silence.
            for number in 2...7 {
                Thread.sleep(forTimeInterval: 1)
                try broker().publish([.init([UInt8(number)])], key: queue)
            }
            inlet.state.update { $0.mode = .commit }
            try inlet.awaitCount(7)
            try session.stop()
            #expect(inlet.state.current.acknowledged == 7 && inlet.state.current.givenBack == 0)
            #expect(try broker().messageCount(queue) == 0)
        }

        @Test("no more than the prefetch is on its way while a batch is held")
        func prefetch() throws {
            let queue = RabbitMQProcess.unique("prefetch")
            try broker().declareQueue(queue)
            try broker().publish(Array(repeating: .init([1]), count: 100), key: queue)
            let inlet = TestInlet(.hold)
            let session = SessionThread(
                adapter.consumer(
                    for: try amqp091Connection(
                        id: "prefetch", port: try broker().port, reading: [queue], settings: ["prefetch": "10"]),
                    inlet: inlet))
            try inlet.awaitCount(1)
            Thread.sleep(forTimeInterval: 0.5)
            #expect(try broker().messageCount(queue) == 90)
            inlet.state.update { $0.mode = .commit }
            try inlet.awaitCount(100)
            try session.stop()
        }

        @Test("a frozen broker is noticed by its missing heartbeats, and a stop does not wait for it")
        func frozen() throws {
            let broker = try broker()
            let queue = RabbitMQProcess.unique("frozen")
            try broker.declareQueue(queue)
            let connection = try amqp091Connection(
                id: "frozen", port: broker.port, reading: [queue], settings: ["requestedHeartbeat": "1"])
            let session = adapter.consumer(for: connection, inlet: TestInlet())
            let publisher = adapter.publisher(
                for: connection, queue: OutboundQueue(capacity: 1, byteCapacity: 1), outcomes: TestOutcomes())
            let threads = [SessionThread(session), SessionThread(publisher)]
            for thread in threads { try thread.awaitOpen() }
            broker.pause()
            defer { broker.resume() }
            for thread in threads { #expect(try thread.failure().reason == "keep-alive") }
            broker.resume()
            let again = SessionThread(session)
            try again.awaitOpen()
            broker.pause()
            #expect(try again.stop(grace: .milliseconds(500)) == .stopped)
        }

        @Test("what is no AMQP broker is told from one that is silent", arguments: [true, false])
        func foreign(_ speaks: Bool) throws {
            let server = try LoopbackListener()
            Thread.detachNewThread {
                let socket = server.accept()
                if speaks { _ = write(socket, "HTTP/1.1 400 Bad Request\r\n\r\n", 28) }
                close(socket)
            }
            let connection = try amqp091Connection(id: "foreign", port: server.port, reading: ["q"])
            let failure = try SessionThread(adapter.consumer(for: connection, inlet: TestInlet())).failure()
            #expect(failure.step == .authenticate && failure.reaction == .backOff, "\(failure)")
            #expect(failure.hint?.contains("amqps://") == true, "\(failure)")
        }

        @Test("a thousand openings and closings leave no memory, thread or descriptor behind")
        func leaks() throws {
            let queue = RabbitMQProcess.unique("cycles")
            try broker().declareQueue(queue)
            let connection = try amqp091Connection(
                id: "cycles", port: try broker().port, reading: [queue], targets: ["amq.direct/k"])
            let consumer = adapter.consumer(for: connection, inlet: TestInlet())
            let publisher = adapter.publisher(
                for: connection, queue: OutboundQueue(capacity: 1, byteCapacity: 1), outcomes: TestOutcomes())
            let readings = try LeakWatch.run(cycles: 1000) { round in
                let thread = SessionThread(round % 2 == 0 ? consumer : publisher)
                try thread.awaitOpen()
                try thread.stop()
            }
            print("AMQP 0.9.1, 1,000 openings: \(readings.before), then \(readings.after)")
        }
    }
}
