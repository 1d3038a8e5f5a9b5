// What only AMQP 0.9.1 publishers do, against a real RabbitMQ: properties, refusals, missing exchanges, alarms.
import Foundation
import Testing
import TwinspanAMQP091
import TwinspanConnections
import TwinspanTestSupport

extension BrokerTests {
    @Suite(
        "AMQP 0.9.1 publishers with RabbitMQ", .serialized,
        .disabled(if: RabbitMQProcess.unavailableReason != nil, "\(RabbitMQProcess.unavailableReason ?? "")"))
    struct AMQP091PublisherTests {
        /// A publisher that runs, with what it needs.
        private struct Rig {
            let broker: RabbitMQProcess
            let queue = OutboundQueue(capacity: 100_000, byteCapacity: 1 << 28)
            let outcomes = TestOutcomes()
            let session: any BrokerSession
            let thread: SessionThread

            init(
                targets: [String] = [], settings: [String: String] = [:],
                timing: AMQP091BrokerClient.Timing = .short
            ) throws {
                broker = try RabbitMQProcess.shared("brokers")
                session = AMQP091BrokerClient(timing: timing).publisher(
                    for: try amqp091Connection(id: "out", port: broker.port, targets: targets, settings: settings),
                    queue: queue, outcomes: outcomes)
                thread = SessionThread(session)
                try thread.awaitOpen()
            }

            func send(
                _ payload: [UInt8], to address: String, headers: [(name: String, value: String)] = [],
                isBinary: Bool = false
            ) throws {
                let message = OutboundMessage(
                    address: address, payload: payload, qos: 1, headers: headers, isBinary: isBinary, target: 0,
                    queuedAt: 0)
                try require(queue.offer(message), "the queue is full")
            }

            func send(_ text: String, to address: String) throws { try send(Array(text.utf8), to: address) }

            func awaitEnd(of count: Int) throws {
                let isDone = outcomes.state.wait(15) { $0.confirmed.count + $0.refused.count >= count }
                try require(isDone, "\(outcomes.state.current.confirmed) \(outcomes.state.current.refused)")
            }
        }

        @Test("a message carries its headers twice, survives restarts and has an id of its own")
        func properties() throws {
            let rig = try Rig()
            let queue = RabbitMQProcess.unique("properties")
            try rig.broker.declareQueue(queue)
            let long = String(repeating: "l", count: 300)
            try rig.send(
                Array("{}".utf8), to: "/" + queue,
                headers: [("content-type", "application/json"), ("correlation-id", "c"), ("ä", "ö"), ("empty", "")])
            try rig.send([0, 1], to: "/" + queue, headers: [("correlation-id", long)], isBinary: true)
            try rig.send([], to: "/" + queue)
            try rig.awaitEnd(of: 3)
            let first = try #require(try rig.broker.get(queue))
            #expect(first.contentType == "application/json" && first.correlationID == "c" && first.deliveryMode == 2)
            #expect(first.headers.map(\.name) == ["content-type", "correlation-id", "ä", "empty"])
            #expect(first.header("ä") == "ö" && first.header("empty") == "" && first.header("correlation-id") == "c")
            let second = try #require(try rig.broker.get(queue))
            #expect(second.contentType == "application/octet-stream" && second.correlationID == nil)
            #expect(second.header("correlation-id") == long && second.body == [0, 1])
            let third = try #require(try rig.broker.get(queue))
            #expect(third.body.isEmpty && third.headers.isEmpty && third.contentType == nil)
            #expect(Set([first.messageID, second.messageID, third.messageID]).count == 3)
            try rig.thread.stop()
        }

        @Test("large messages arrive whole between small ones")
        func large() throws {
            let rig = try Rig()
            let queue = RabbitMQProcess.unique("large")
            try rig.broker.declareQueue(queue)
            let sizes = [1, 8191, 8192, 8193, 131_064, 131_072, 6_000_000, 2]
            for size in sizes { try rig.send(Array(repeating: UInt8(size % 251), count: size), to: "/" + queue) }
            try rig.awaitEnd(of: sizes.count)
            let client = try rig.broker.client()
            for size in sizes {
                let message = try #require(try client.get(queue))
                #expect(message.body == Array(repeating: UInt8(size % 251), count: size), "\(size)")
            }
            try rig.thread.stop()
        }

        @Test("what can never be sent, has no queue or is not taken is refused in the words of the binding")
        func refusals() throws {
            let rig = try Rig()
            let (queue, full) = (RabbitMQProcess.unique("good"), RabbitMQProcess.unique("full"))
            try rig.broker.declareQueue(queue)
            try rig.broker.declareQueue(
                full, arguments: [("x-max-length", .int32(1)), ("x-overflow", .text("reject-publish"))])
            let tooLong = [(name: "h", value: String(repeating: "x", count: 200_000))]
            try rig.send("bad", to: "no-slash")
            try rig.send("1", to: "/" + queue)
            try rig.send("bad", to: "/no-such-queue")
            try rig.send(Array("bad".utf8), to: "/" + queue, headers: tooLong)
            try rig.send(Array("bad".utf8), to: "/" + queue, headers: [(String(repeating: "n", count: 256), "")])
            try rig.send("2", to: "/" + queue)
            try rig.send("3", to: "/" + full)
            try rig.awaitEnd(of: 7)
            try rig.send("bad", to: "/" + full)
            try rig.awaitEnd(of: 8)
            try rig.thread.stop()
            let state = rig.outcomes.state.current
            #expect(Set(state.confirmed) == ["1", "2", "3"])
            let refusals = state.refused.map { "\($0.refusal.status) \($0.refusal.reason)" }
            #expect(
                refusals.sorted() == [
                    "400 invalid-topic", "400 too-large", "400 too-large", "503 refused-by-broker", "503 unroutable",
                ])
            let details = state.refused.map(\.refusal.detail)
            #expect(details.contains("Received basic.return from the external broker: 312 NO_ROUTE"))
            #expect(details.contains("Received negative confirm from the external broker."))
        }

        @Test("a missing exchange is told of its target, costs no other message, and is used once it is there")
        func missingExchange() throws {
            let exchange = RabbitMQProcess.unique("x")
            let rig = try Rig(targets: ["\(exchange)/k", "/other"])
            let queue = RabbitMQProcess.unique("q")
            try rig.broker.declareQueue(queue)
            let observer = rig.thread.observer
            #expect(observer.state.wait(5) { $0.places[.target(0)] != nil })
            let failure = try #require(observer.state.current.places[.target(0)])
            #expect(
                failure.reaction == .misconfigured && failure.message.hasPrefix("Exchange '\(exchange)' was missing"))
            for number in 0..<100 {
                try rig.send("good \(number)", to: "/" + queue)
                if number % 10 == 0 { try rig.send("bad", to: "never-declared-\(number)/k") }
            }
            try rig.send("bad", to: "\(exchange)/k")
            try rig.awaitEnd(of: 111)
            #expect(rig.outcomes.state.current.confirmed == (0..<100).map { "good \($0)" })
            #expect(Set(rig.outcomes.state.current.refused.map(\.refusal.reason)) == ["exchange-missing"])
            try rig.broker.declareExchange(exchange)
            try rig.broker.bind(queue: queue, exchange: exchange, key: "k")
            #expect(observer.state.wait(5) { $0.places.isEmpty })
            try rig.send("late", to: "\(exchange)/k")
            try rig.awaitEnd(of: 112)
            #expect(rig.outcomes.state.current.confirmed.last == "late")

            // Deleted under a running publisher: the channel ends, and the others are sent again.
            try rig.broker.deleteExchange(exchange)
            for number in 0..<50 {
                try rig.send("more \(number)", to: "/" + queue)
                if number == 25 { try rig.send("bad", to: "\(exchange)/k") }
            }
            try rig.awaitEnd(of: 163)
            let more = (0..<50).map { "more \($0)" }
            #expect(rig.outcomes.state.current.confirmed.suffix(50) == more[...])
            #expect(observer.state.wait(5) { $0.places[.target(0)]?.reason == "exchange-missing" })
            try rig.broker.declareExchange(exchange)
            #expect(observer.state.wait(5) { $0.places.isEmpty })
            try rig.thread.stop()
            var stored = Set<String>()
            let client = try rig.broker.client()
            while let message = try client.get(queue) { stored.insert(String(decoding: message.body, as: UTF8.self)) }
            #expect(stored == Set((0..<100).map { "good \($0)" } + more + ["late"]))
        }

        @Test("under a memory alarm messages wait, the target says so, consumers go on, and nothing is lost")
        func alarm() throws {
            let rig = try Rig(targets: ["/x"])
            let (queue, other) = (RabbitMQProcess.unique("alarm"), RabbitMQProcess.unique("other"))
            for name in [queue, other] { try rig.broker.declareQueue(name) }
            try rig.broker.publish([.init([1])], key: other)
            try rig.broker.setMemoryAlarm(true)
            var isRaised = true
            defer { if isRaised { try? rig.broker.setMemoryAlarm(false) } }  // The test has failed already.
            let body = Array(repeating: UInt8(7), count: 100_000)
            for _ in 0..<200 { try rig.send(body, to: "/" + queue) }
            let observer = rig.thread.observer
            #expect(observer.state.wait(10) { $0.places[.target(0)]?.reason == "blocked" })
            let inlet = TestInlet()
            let consumer = SessionThread(
                AMQP091BrokerClient(timing: .short).consumer(
                    for: try amqp091Connection(id: "in", port: rig.broker.port, reading: [other]), inlet: inlet))
            try inlet.awaitCount(1)
            try consumer.stop()
            #expect(rig.outcomes.state.current.confirmed.count < 200)
            try rig.broker.setMemoryAlarm(false)
            isRaised = false
            try rig.awaitEnd(of: 200)
            #expect(rig.outcomes.state.current.refused.isEmpty && observer.state.current.places.isEmpty)
            #expect(try rig.broker.messageCount(queue) == 200)
            try rig.thread.stop()
        }

        @Test("a stop under a memory alarm keeps to its grace and gives back what waits")
        func stopUnderAlarm() throws {
            let rig = try Rig(targets: ["/x"])
            let queue = RabbitMQProcess.unique("alarm")
            try rig.broker.declareQueue(queue)
            try rig.broker.setMemoryAlarm(true)
            defer { try? rig.broker.setMemoryAlarm(false) }  // The next test would tell.
            for number in 0..<50 { try rig.send("\(number)", to: "/" + queue) }
            #expect(rig.thread.observer.state.wait(10) { !$0.places.isEmpty })
            #expect(try rig.thread.stop(grace: .milliseconds(500)) == .stopped)
            #expect(rig.queue.load.messages == 50 - rig.outcomes.state.current.confirmed.count)
        }

        @Test("a message that is not confirmed in time is refused with 408, and the others are sent again")
        func unconfirmed() throws {
            var timing = AMQP091BrokerClient.Timing.short
            timing.confirm = .seconds(1)
            let rig = try Rig(timing: timing)
            let queue = RabbitMQProcess.unique("late")
            try rig.broker.declareQueue(queue)
            rig.broker.pause()
            defer { rig.broker.resume() }
            try rig.send("1", to: "/" + queue)
            let failure = try rig.thread.failure()
            #expect(failure.reason == "timeout" && failure.reaction == .retryNow)
            let refusal = try #require(rig.outcomes.state.current.refused.first?.refusal)
            #expect(refusal == PublishRefusal(reason: "timeout", detail: "No publisher confirm arrived.", status: 408))
            rig.broker.resume()
            let again = SessionThread(rig.session)
            try again.awaitOpen()
            try rig.send("2", to: "/" + queue)
            #expect(rig.outcomes.state.wait(5) { $0.confirmed == ["2"] })
            try again.stop()
        }
    }
}
