// What an AMQP 1.0 consumer makes of a peer that does what brokers seldom do: odd messages, links and sessions that
// end, credit.
import Testing
import TwinspanAMQP10
import TwinspanConnections
import TwinspanTestSupport

extension BrokerTests {
    @Suite(
        "AMQP 1.0 consumers with a scripted peer", .serialized,
        .disabled(if: AMQP10Peer.unavailableReason != nil, "\(AMQP10Peer.unavailableReason ?? "")"))
    struct AMQP10InboundTests {
        private let adapter = AMQP10BrokerClient(timing: .short)

        /// `00 53 75 A0`: a data section.
        private func data(_ text: String) -> [UInt8] { [0, 0x53, 0x75, 0xA0, UInt8(text.utf8.count)] + text.utf8 }
        /// An application property `k` with a value.
        private func property(_ value: String) -> [UInt8] {
            let entry: [UInt8] = [0xA1, 1, 0x6B, 0xA1, UInt8(value.utf8.count)] + value.utf8
            return [0, 0x53, 0x74, 0xC1, UInt8(entry.count + 1), 2] + entry
        }

        private func consumer(_ peer: AMQP10Peer, _ inlet: TestInlet, _ addresses: [String] = ["a"]) throws
            -> SessionThread
        {
            SessionThread(
                adapter.consumer(
                    for: try amqp10Connection(id: "scripted", port: peer.port, reading: addresses), inlet: inlet))
        }

        @Test("empty, sectioned and text messages arrive; those that are none are rejected; nothing is inherited")
        func bodies() throws {
            let peer = try AMQP10Peer()
            let inlet = TestInlet()
            let thread = try consumer(peer, inlet)
            try thread.awaitOpen()
            let text: [UInt8] = [0, 0x53, 0x77, 0xA1, 2, 0x68, 0x69]
            let rows: [[UInt8]] = [
                property("v") + data("x"), data("y"), [], data("1") + data("2"), text, [0, 0x53, 0x77, 0x40],
                Array(data("cut").dropLast()), Array("garbage".utf8), data("end"),
            ]
            try peer.send(rows, to: "a")
            try inlet.awaitCount(7)
            try peer.await("disposed", count: rows.count)
            try thread.stop()
            let received = inlet.state.current.received
            #expect(received.map(\.payload) == ["x", "y", "", "12", "hi", "", "end"])
            #expect(received.map(\.isBinary) == [true, true, false, true, false, false, true])
            #expect(received.map(\.headers) == [["k": "v"], [:], [:], [:], [:], [:], [:]])
            let states = try peer.await("disposed").map { $0.fields["state"] ?? "" }
            #expect(states.count { $0 == "REJECTED" } == 2 && states.count { $0 == "ACCEPTED" } == 7, "\(states)")
            #expect(thread.observer.state.current.warnings.map(\.reason) == ["malformed"])
        }

        @Test("a message of many frames is read whole, one above the limit is rejected, an aborted one is forgotten")
        func sizes() throws {
            let peer = try AMQP10Peer()
            let inlet = TestInlet()
            var timing = AMQP10BrokerClient.Timing.short
            timing.messageBytes = 2 << 20
            let session = AMQP10BrokerClient(timing: timing).consumer(
                for: try amqp10Connection(id: "sizes", port: peer.port, reading: ["a"]), inlet: inlet)
            let thread = SessionThread(session)
            try thread.awaitOpen()
            let large = [UInt8](repeating: 0x61, count: 1 << 20)
            let size: [UInt8] = [0x00, 0x10, 0x00, 0x00]
            try peer.send([[0, 0x53, 0x75, 0xB0] + size + large], to: "a")
            try inlet.awaitCount(1)
            let tooLarge = [UInt8](repeating: 0x61, count: 3 << 20)
            try peer.send([[0, 0x53, 0x75, 0xB0, 0x00, 0x30, 0x00, 0x00] + tooLarge, data("next")], to: "a")
            try inlet.awaitCount(2)
            try peer.tell("abort", ["address": "a", "bytes": "AFN1oAV4eA=="])
            try require(
                thread.observer.state.wait(10) { $0.warnings.contains { $0.reason == "aborted" } }, "not told")
            try peer.send([data("end")], to: "a")
            try inlet.awaitCount(3)
            try thread.stop()
            #expect(inlet.payloads.map(\.utf8.count) == [1 << 20, 4, 3])
            #expect(thread.observer.state.current.warnings.map(\.reason) == ["too-large", "aborted"])
        }

        @Test("a window's worth of messages is under way, and more only after settlement")
        func credit() throws {
            let peer = try AMQP10Peer()
            let inlet = TestInlet(.hold)
            let connection = try amqp10Connection(
                id: "credit", port: peer.port, reading: ["a"], settings: ["jms.prefetchPolicy.all": "10"])
            let thread = SessionThread(adapter.consumer(for: connection, inlet: inlet))
            try thread.awaitOpen()
            #expect(try peer.await("credit").first?.fields["credit"] == "10")
            try peer.send((0..<50).map { data("\($0)") }, to: "a")
            try inlet.awaitCount(1)
            #expect(try peer.await("credit").allSatisfy { (Int($0.fields["credit"] ?? "") ?? 99) <= 10 })
            inlet.state.update { $0.mode = .commit }
            try inlet.awaitCount(50)
            try thread.stop()
            #expect(inlet.payloads == (0..<50).map { "\($0)" })
        }

        @Test("one bad address does not stop the others; it is told, tried again, and told when it stands")
        func badAddress() throws {
            let peer = try AMQP10Peer()
            try peer.tell("refuse", ["address": "bad", "condition": "amqp:not-found", "text": "no bad"])
            try peer.tell(
                "refuse", ["address": "ended", "condition": "amqp:internal-error", "session": true, "count": 1])
            let inlet = TestInlet()
            let thread = try consumer(peer, inlet, ["good", "bad", "ended"])
            try thread.awaitOpen()
            let bad = SessionPlace.source(0, address: "bad")
            try require(thread.observer.state.wait(10) { $0.places[bad] != nil }, "not told")
            let failure = try #require(thread.observer.state.current.places[bad])
            #expect(failure.reason == "subscription-refused" && failure.reaction == .misconfigured)
            #expect(failure.message.contains("no bad") && failure.sourceIndex == 0)
            try peer.send([data("1")], to: "good")
            try inlet.awaitCount(1)
            let ended = SessionPlace.source(0, address: "ended")
            try require(thread.observer.state.wait(10) { $0.places[ended] == nil }, "not attached again")
            try peer.tell("admit", ["address": "bad"])
            try require(thread.observer.state.wait(10) { $0.places.isEmpty }, "not attached again")
            try peer.send([data("2")], to: "bad")
            try inlet.awaitCount(2)
            try thread.stop()
        }

        @Test("a link that is detached and a session that is ended are made again", arguments: [false, true])
        func detached(isSession: Bool) throws {
            let peer = try AMQP10Peer()
            let inlet = TestInlet()
            let thread = try consumer(peer, inlet)
            try thread.awaitOpen()
            try peer.tell(
                "detach", ["address": "a", "condition": "amqp:resource-deleted", "text": "gone", "session": isSession])
            try peer.await("attach", count: 2)
            try peer.send([data("back")], to: "a")
            try inlet.awaitCount(1)
            try require(thread.observer.state.wait(10) { $0.places.isEmpty }, "the place does not stand")
            try thread.stop()
        }

        @Test("settling after the link is gone harms nobody, and the messages come again")
        func lateSettlement() throws {
            let peer = try AMQP10Peer()
            let inlet = TestInlet(.hold)
            let thread = try consumer(peer, inlet)
            try thread.awaitOpen()
            try peer.send([data("1"), data("2")], to: "a")
            try inlet.awaitCount(1)
            try peer.tell("detach", ["address": "a", "condition": "amqp:link:detach-forced"])
            inlet.state.update { $0.mode = .commit }
            try peer.await("attach", count: 2)
            let seen = inlet.state.wait(10) { Set($0.received.map(\.payload)) == ["1", "2"] && $0.received.count >= 3 }
            #expect(seen, "\(inlet.payloads)")
            try thread.stop()
        }

        @Test(
            "the peer's reason for closing decides what comes next",
            arguments: [
                ("amqp:connection:forced", "connection-lost", BrokerFailure.Reaction.retryNow),
                ("amqp:connection:redirect", "redirected", .misconfigured),
                ("amqp:unauthorized-access", "not-authorised", .misconfigured),
                ("amqp:internal-error", "connection-lost", .backOff),
            ])
        func closed(_ row: (condition: String, reason: String, reaction: BrokerFailure.Reaction)) throws {
            let peer = try AMQP10Peer()
            let thread = try consumer(peer, TestInlet())
            try thread.awaitOpen()
            try peer.tell("close", ["condition": row.condition, "text": "so it is"])
            let failure = try thread.failure()
            #expect(failure.reason == row.reason && failure.reaction == row.reaction, "\(failure)")
        }

        @Test("as many receivers as consumerCount says share an address")
        func consumerCount() throws {
            let peer = try AMQP10Peer()
            let connection = try amqp10Connection(id: "three", port: peer.port, reading: ["a"], consumerCount: 3)
            let thread = SessionThread(adapter.consumer(for: connection, inlet: TestInlet()))
            try thread.awaitOpen()
            #expect(try peer.await("attach", count: 3).count == 3)
            try thread.stop()
        }

        @Test("a black hole is noticed within the idle timeout")
        func blackHole() throws {
            let peer = try AMQP10Peer()
            let relay = try LoopbackRelay(to: peer.port)
            let connection = try amqp10Connection(
                id: "hole", port: relay.port, reading: ["a"], settings: ["amqp.idleTimeout": "2000"])
            let thread = SessionThread(adapter.consumer(for: connection, inlet: TestInlet()))
            try thread.awaitOpen()
            relay.swallow()
            let failure = try thread.failure(within: 10)
            #expect(failure.reason == "keep-alive" && failure.reaction == .retryNow, "\(failure)")
            relay.cut()
        }

        @Test("names of client and virtual host, and the idle timeout, are what the connection says")
        func identity() throws {
            let peer = try AMQP10Peer()
            let connection = try amqp10Connection(
                id: "named", port: peer.port, reading: ["a"],
                settings: [
                    "jms.clientID": "other", "amqp.vhost": "vhost:plant", "amqp.idleTimeout": "8000",
                    "failover.anything": "1",
                ])
            let thread = SessionThread(adapter.consumer(for: connection, inlet: TestInlet()))
            try thread.awaitOpen()
            try thread.stop()
            let fields = try #require(try peer.await("connected").first?.fields)
            #expect(fields["container"] == "other" && fields["host"] == "vhost:plant", "\(fields)")
        }

        @Test("the probe goes as far as links, and takes and sends nothing")
        func probe() throws {
            let peer = try AMQP10Peer()
            try peer.send([data("kept")], to: "a")
            let observer = TestObserver()
            let good = try amqp10Connection(id: "probe", port: peer.port, reading: ["a"], sending: ["t"])
            #expect(adapter.probe(good, timeout: .seconds(10), observer: observer) == .stopped)
            #expect(observer.state.current.steps == [.resolve, .connect, .authenticate, .subscribe])
            #expect(peer.events.current.allSatisfy { $0.name != "disposed" && $0.name != "received" })
            try peer.tell("refuse", ["address": "t", "condition": "amqp:not-found"])
            guard case .failed(let failure) = adapter.probe(good, timeout: .seconds(10), observer: observer) else {
                Issue.record("the missing target was not noticed")
                return
            }
            #expect(failure.step == .subscribe && failure.message.contains("'t'"), "\(failure)")
        }
    }
}
