// What an AMQP 1.0 publisher makes of every outcome, of missing credit, and of links that end.
import Testing
import TwinspanAMQP10
import TwinspanConnections
import TwinspanTestSupport

extension BrokerTests {
    @Suite(
        "AMQP 1.0 publishers with a scripted peer", .serialized,
        .disabled(if: AMQP10Peer.unavailableReason != nil, "\(AMQP10Peer.unavailableReason ?? "")"))
    struct AMQP10OutboundTests {
        /// A publisher with its queue and what came of its messages.
        private struct Rig {
            let peer: AMQP10Peer
            let queue = OutboundQueue(capacity: 5000, byteCapacity: 1 << 24)
            let outcomes = TestOutcomes()
            let thread: SessionThread

            init(
                _ peer: AMQP10Peer, targets: [String] = [],
                _ change: (inout AMQP10BrokerClient.Timing) -> Void = { _ in }
            ) throws {
                self.peer = peer
                var timing = AMQP10BrokerClient.Timing.short
                change(&timing)
                let connection = try amqp10Connection(id: "rig", port: peer.port, sending: targets)
                thread = SessionThread(
                    AMQP10BrokerClient(timing: timing).publisher(for: connection, queue: queue, outcomes: outcomes))
                try thread.awaitOpen()
            }

            func offer(
                _ text: String, to address: String = "q", headers: [(name: String, value: String)] = [],
                isBinary: Bool = false
            ) throws {
                try require(
                    queue.offer(
                        OutboundMessage(
                            address: address, payload: Array(text.utf8), qos: 1, headers: headers, isBinary: isBinary,
                            target: 0, queuedAt: 0)), "the queue is full")
            }

            func awaitConfirmed(_ count: Int, within seconds: Double = 10) throws {
                let isDone = outcomes.state.wait(seconds) { $0.confirmed.count >= count }
                try require(isDone, "\(outcomes.state.current.confirmed.count) of \(count) confirmed")
            }

            func awaitRefused(_ count: Int = 1, within seconds: Double = 10) throws -> [PublishRefusal] {
                try require(outcomes.state.wait(seconds) { $0.refused.count >= count }, "not refused")
                return outcomes.state.current.refused.map(\.refusal)
            }
        }

        @Test("accepted is confirmed, rejected is refused for good with the peer's words")
        func finalOutcomes() throws {
            let rig = try Rig(AMQP10Peer())
            try rig.offer("good")
            try rig.awaitConfirmed(1)
            try rig.peer.tell("outcome", ["outcome": "reject", "count": 1])
            try rig.offer("bad")
            let refusal = try rig.awaitRefused()[0]
            #expect(refusal.status == 400 && refusal.reason == "rejected" && refusal.detail.contains("not wanted"))
            try rig.offer("next")
            try rig.awaitConfirmed(2)
            try rig.thread.stop()
        }

        @Test(
            "what is released, modified or settled without an outcome is sent again",
            arguments: [
                "release", "modify", "settle",
            ])
        func returned(outcome: String) throws {
            let rig = try Rig(AMQP10Peer())
            try rig.peer.tell("outcome", ["outcome": outcome, "count": 2])
            try rig.offer("again")
            try rig.awaitConfirmed(1)
            #expect(rig.peer.received.count == 3)
            try rig.thread.stop()
        }

        @Test("a message that is released for as long as it is tried is dropped, with 503")
        func releasedForEver() throws {
            let rig = try Rig(AMQP10Peer()) { $0.send = .seconds(1) }
            try rig.peer.tell("outcome", ["outcome": "release"])
            try rig.offer("never")
            let refusal = try rig.awaitRefused()[0]
            #expect(refusal.status == 503 && refusal.reason == "released" && refusal.detail.contains("dropped"))
            try rig.thread.stop()
        }

        @Test("without credit messages wait, are dropped with 503 when it lasts, and flow on with credit")
        func noCredit() throws {
            let peer = try AMQP10Peer()
            try peer.tell("credit", ["amount": 0])
            let rig = try Rig(peer) { $0.send = .seconds(2) }
            try rig.offer("late")
            let refusal = try rig.awaitRefused()[0]
            #expect(refusal.status == 503 && refusal.reason == "no-credit" && refusal.detail.contains("dropped"))
            try rig.offer("in time")
            try peer.tell("credit", ["amount": 10])
            try rig.awaitConfirmed(1)
            #expect(rig.outcomes.state.current.confirmed == ["in time"])
            try rig.thread.stop()
        }

        @Test("at most 256 messages are under way; the rest stays in the queue, and all is given back in order")
        func cap() throws {
            let peer = try AMQP10Peer()
            try peer.tell("outcome", ["outcome": "none"])
            try peer.tell("credit", ["amount": 5000])
            let rig = try Rig(peer)
            for number in 0..<1000 { try rig.offer("\(number)") }
            try peer.await("received", count: 256)
            #expect(rig.queue.load.messages == 1000 - 256)
            try rig.thread.stop(grace: .milliseconds(300))
            #expect(peer.received.count == 256)
            var left: [OutboundMessage] = []
            rig.queue.take(upTo: 2000, into: &left)
            #expect(left.map { String(decoding: $0.payload, as: UTF8.self) } == (0..<1000).map { "\($0)" })
        }

        @Test("a message nobody confirms is refused with 408, and its late answer is ignored")
        func unconfirmed() throws {
            let peer = try AMQP10Peer()
            try peer.tell("outcome", ["outcome": "none", "count": 1])
            let rig = try Rig(peer) { $0.send = .seconds(1) }
            try rig.offer("silence")
            let refusal = try rig.awaitRefused()[0]
            #expect(refusal.status == 408 && refusal.reason == "timeout")
            try rig.offer("next")
            try rig.awaitConfirmed(1)
            try rig.thread.stop()
            #expect(rig.queue.load.messages == 0)
        }

        @Test("a missing target is told and tried again while others go on; messages for it are dropped with 503")
        func missingTarget() throws {
            let peer = try AMQP10Peer()
            try peer.tell("refuse", ["address": "bad", "condition": "amqp:not-found"])
            let rig = try Rig(peer, targets: ["good", "queue://bad"])
            try require(rig.thread.observer.state.wait(10) { $0.places[.target(1)] != nil }, "not told")
            let failure = try #require(rig.thread.observer.state.current.places[.target(1)])
            #expect(failure.reaction == .misconfigured && failure.message.contains("bad"), "\(failure)")
            try rig.offer("lost", to: "queue://bad")
            let refusal = try rig.awaitRefused()[0]
            #expect(refusal.status == 503 && refusal.detail.hasPrefix("No producer available"))
            try rig.offer("sent", to: "good")
            try rig.awaitConfirmed(1)
            try peer.tell("admit", ["address": "bad"])
            try require(rig.thread.observer.state.wait(10) { $0.places.isEmpty }, "not attached again")
            try rig.offer("sent too", to: "queue://bad")
            try rig.awaitConfirmed(2)
            try rig.thread.stop()
        }

        @Test("what was under way on a link that ended for a while is sent again on the next")
        func detached() throws {
            let peer = try AMQP10Peer()
            try peer.tell("outcome", ["outcome": "none", "count": 3])
            let rig = try Rig(peer, targets: ["q"])
            for number in 0..<3 { try rig.offer("\(number)") }
            try peer.await("received", count: 3)
            try peer.tell("detach", ["address": "q", "condition": "amqp:link:detach-forced"])
            try rig.awaitConfirmed(3)
            #expect(rig.outcomes.state.current.confirmed == ["0", "1", "2"])
            try rig.thread.stop()
        }

        @Test("more addresses than there may be senders are served, the idle ones giving way")
        func manyAddresses() throws {
            let rig = try Rig(AMQP10Peer())
            for number in 0..<200 { try rig.offer("\(number)", to: "q/\(number)") }
            try rig.awaitConfirmed(200, within: 30)
            #expect(rig.peer.events.current.count { $0.name == "attach" } == 200)
            try rig.thread.stop()
        }

        @Test("a message above what the peer takes is refused, and the next one is sent")
        func tooLarge() throws {
            let peer = try AMQP10Peer()
            try peer.tell("limit", ["bytes": 1000])
            let rig = try Rig(peer)
            try rig.offer(String(repeating: "x", count: 2000))
            let refusal = try rig.awaitRefused()[0]
            #expect(refusal.status == 400 && refusal.reason == "too-large")
            try rig.offer("small")
            try rig.awaitConfirmed(1)
            try rig.thread.stop()
        }

        @Test("headers, text and bytes go through a peer and come back as they were")
        func roundTrip() throws {
            let rig = try Rig(AMQP10Peer())
            let headers: [(name: String, value: String)] = [
                ("message-id", "m1"), ("user-id", "u"), ("to", "t"), ("subject", "s"), ("reply-to", "r"),
                ("correlation-id", "c"), ("content-type", "text/plain"), ("absolute-expiry-time", "1700000000000"),
                ("creation-time", "1600000000000"), ("group-id", "g"), ("group-sequence", "7"),
                ("reply-to-group-id", "rg"), ("device_id", "d ä"), ("amqp.application.property:subject", "own"),
                ("amqp.message.annotation:x-opt-key", "note"),
            ]
            try rig.offer("täxt", headers: headers)
            try rig.offer("bytes", isBinary: true)
            try rig.offer("")
            try rig.awaitConfirmed(3)
            try rig.thread.stop()
            let inlet = TestInlet()
            let thread = SessionThread(
                AMQP10BrokerClient(timing: .short).consumer(
                    for: try amqp10Connection(id: "back", port: rig.peer.port, reading: ["q"]), inlet: inlet))
            try inlet.awaitCount(3)
            try thread.stop()
            let received = inlet.state.current.received
            #expect(received.map(\.payload) == ["täxt", "bytes", ""])
            #expect(received.map(\.isBinary) == [false, true, false])
            #expect(received[0].headers == Dictionary(headers.map { ($0.name, $0.value) }) { $1 })
        }
    }
}
