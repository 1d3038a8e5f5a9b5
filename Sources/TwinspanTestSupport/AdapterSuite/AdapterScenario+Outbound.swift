// Scenarios of publishing.
import TwinspanConnections

extension AdapterScenario {
    static let outbound: [AdapterScenario] = [
        AdapterScenario("queued messages are sent in order and confirmed") { harness in
            let address = harness.address("out")
            let collector = try harness.collector(of: address)
            let queue = OutboundQueue(capacity: 5000, byteCapacity: 1 << 24)
            let outcomes = TestOutcomes()
            for payload in numbered(0..<500) { try queue.offer(payload, to: address) }
            let session = SessionThread(try harness.publisher(id: "out", queue: queue, outcomes: outcomes))
            try session.awaitOpen()
            for payload in numbered(500..<1000) { try queue.offer(payload, to: address) }
            for payload in numbered(0..<1000) {
                let received = try collector.next()
                try require(received == payload, "\(received) in place of \(payload)")
            }
            let isDone = outcomes.state.wait(5) { $0.confirmed.count == 1000 }
            try require(isDone, "\(outcomes.state.current.confirmed.count) of 1000 confirmed")
            try session.stop()
        },
        AdapterScenario("a sleeping publisher is woken by each message") { harness in
            let address = harness.address("wake")
            let collector = try harness.collector(of: address)
            let queue = OutboundQueue(capacity: 10, byteCapacity: 1 << 20)
            let outcomes = TestOutcomes()
            let session = SessionThread(try harness.publisher(id: "wake", queue: queue, outcomes: outcomes))
            try session.awaitOpen()
            for (index, payload) in numbered(0..<50).enumerated() {
                try queue.offer(payload, to: address, qos: UInt8(index % 2))
                try require(try collector.next() == payload, "not \(payload)")
                try require(outcomes.state.wait(5) { $0.confirmed.count == index + 1 }, "\(payload) unconfirmed")
            }
            try session.stop()
        },
        AdapterScenario("a stop sends what is queued before it says goodbye") { harness in
            let address = harness.address("flush")
            let collector = try harness.collector(of: address)
            let queue = OutboundQueue(capacity: 5000, byteCapacity: 1 << 24)
            let outcomes = TestOutcomes()
            let session = SessionThread(try harness.publisher(id: "flush", queue: queue, outcomes: outcomes))
            try session.awaitOpen()
            for payload in numbered(0..<2000) { try queue.offer(payload, to: address) }
            try session.stop(grace: harness.flushGrace)
            try require(outcomes.state.current.confirmed.count == 2000, "not all were confirmed")
            for payload in numbered(0..<2000) { try require(try collector.next() == payload, "not \(payload)") }
        },
        AdapterScenario("a message the library cannot send is refused and the next one is sent") { harness in
            let address = harness.address("refuse")
            let collector = try harness.collector(of: address)
            let queue = OutboundQueue(capacity: 10, byteCapacity: 1 << 20)
            let outcomes = TestOutcomes()
            let session = SessionThread(try harness.publisher(id: "refuse", queue: queue, outcomes: outcomes))
            try session.awaitOpen()
            try queue.offer("bad", to: harness.impossibleAddress)
            try queue.offer("good", to: address)
            try require(try collector.next() == "good", "the good message did not arrive")
            try require(outcomes.state.wait(5) { $0.confirmed == ["good"] }, "the good message is not confirmed")
            try require(outcomes.state.current.refused.map(\.refusal.reason) == ["invalid-topic"], "not refused")
            try session.stop()
        },
        AdapterScenario("a publisher gives back what a dead broker did not confirm, and sends it later") { harness in
            let address = harness.address("giveback")
            let queue = OutboundQueue(capacity: 100_000, byteCapacity: 1 << 28)
            let outcomes = TestOutcomes()
            let session = try harness.publisher(id: "giveback", queue: queue, outcomes: outcomes)
            let first = SessionThread(session)
            try first.awaitOpen()
            for payload in numbered(0..<20_000) { try queue.offer(payload, to: address) }
            try require(outcomes.state.wait(5) { $0.confirmed.count > 100 }, "nothing is confirmed")
            try harness.killBroker()
            if harness.outlivesOutages {
                try harness.startBroker()
                let isDone = outcomes.state.wait(30) { $0.confirmed.count == 20_000 }
                try require(isDone, "\(outcomes.state.current.confirmed.count) of 20000 confirmed")
                try first.stop()
                // The order on the far side is the library's affair; confirmations come as the answers do.
                let confirmed = Set(outcomes.state.current.confirmed)
                try require(confirmed.count == 20_000, "\(20_000 - confirmed.count) were never confirmed")
                return
            }
            let failure = try first.failure()
            try require(failure.reaction == .retryNow, "\(failure)")
            let confirmed = Set(outcomes.state.current.confirmed)
            try require(
                queue.load.messages == 20_000 - confirmed.count, "\(queue.load.messages) + \(confirmed.count)")

            try harness.startBroker()
            let collector = try harness.collector(of: address)
            let second = SessionThread(session)
            for payload in numbered(0..<20_000) where !confirmed.contains(payload) {
                let received = try collector.next()
                try require(received == payload, "\(received) in place of \(payload)")
            }
            try second.stop()
            let all = outcomes.state.current.confirmed
            let isRight = harness.confirmsInOrder ? all == numbered(0..<20_000) : Set(all).count == 20_000
            try require(isRight && all.count == 20_000, "order or number differs: \(all.count)")
        },
    ]
}
