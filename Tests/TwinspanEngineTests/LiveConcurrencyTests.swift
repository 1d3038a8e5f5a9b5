import Glibc
import Synchronization
import Testing
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

@testable import TwinspanEngine

/// Requesters, responders and subscribers that come and go, all at once. Also run under the thread sanitizer.
@Suite("The live channel under load")
struct LiveConcurrencyTests {
    static let rounds = 120
    static let label = "my:ack"

    /// How often each request was answered.
    private final class Ledger: Sendable {
        private let counts = Watched<[Int]>([])

        /// The requester of a new request.
        func open() -> SignalRequester {
            let index = counts.update { counts in
                counts.append(0)
                return counts.count - 1
            }
            return { [self] _ in counts.update { $0[index] += 1 } }
        }

        var all: [Int] { counts.current }
    }

    @Test("every request is answered exactly once", arguments: [1, 2, 3] as [UInt64])
    func once(seed: UInt64) throws {
        let live = try LiveFixture(limits: TwinLimits(pendingRequests: 200))
        try live.fixture.make("n:u", Sample.guarded)
        let ledger = Ledger()
        let isOver = Atomic<Bool>(false)
        let failures = Watched<[String]>([])
        let keeper = try live.subscribe(session: "keeper", acks: [Self.label])
        func run(
            _ name: String, _ number: UInt64, _ body: @escaping @Sendable (inout SeededRandom) throws -> Void
        ) -> WorkerThread {
            Self.thread(name, seed << 8 | number, failures, body)
        }
        let requesters = (0..<3).map { number in
            run("requester", UInt64(number)) { random in
                for _ in 0..<Self.rounds { try Self.ask(live, ledger.open(), &random) }
            }
        }
        let responders = (0..<2).map { number in
            run("responder", UInt64(10 + number)) { random in
                while !isOver.load(ordering: .acquiring) {
                    for delivery in keeper.take() { try Self.answer(live, delivery, &random) }
                    usleep(100)
                }
            }
        }
        let acknowledger = run("acks", 20) { _ in
            let session = try LiveFixture.session("keeper")
            while !isOver.load(ordering: .acquiring) {
                try Self.acknowledge(live, session)
                usleep(200)
            }
        }
        let guest = run("guest", 30) { random in
            while !isOver.load(ordering: .acquiring) {
                let subscription = try live.subscribe(
                    session: "guest", acks: ["my:guest"], capacity: Int.random(in: 1...4, using: &random))
                usleep(300)
                _ = subscription.take()
                live.live.remove(subscription)
            }
        }
        let time = run("time", 40) { _ in
            while !isOver.load(ordering: .acquiring) {
                live.pass(.milliseconds(50))
                usleep(500)
            }
        }
        for thread in requesters { thread.join() }
        live.pass(.seconds(61))
        for _ in 0..<5_000 where ledger.all.contains(0) {
            live.pass(.seconds(1))
            usleep(1_000)
        }
        isOver.store(true, ordering: .releasing)
        for thread in responders + [acknowledger, guest, time] { thread.join() }
        live.engine.stop()
        #expect(failures.current.isEmpty, "\(failures.current)")
        #expect(ledger.all.count == 3 * Self.rounds)
        #expect(ledger.all.allSatisfy { $0 == 1 }, "\(ledger.all)")
        #expect(live.live.load.pending == 0)
    }

    /// A thread with a generator of its own, whose failure is noted.
    private static func thread(
        _ name: String, _ seed: UInt64, _ failures: Watched<[String]>,
        _ body: @escaping @Sendable (inout SeededRandom) throws -> Void
    ) -> WorkerThread {
        WorkerThread(name: name) {
            var random = SeededRandom(seed)
            do {
                try body(&random)
            } catch {
                failures.update { $0.append("\(name): \(error)") }
            }
        }
    }

    /// Acknowledges all changes that were published meanwhile.
    private static func acknowledge(_ live: LiveFixture, _ session: ConnectionID) throws {
        for change in live.fixture.events.take() {
            guard case .thing(let event, _) = change.content else { continue }
            let ack = try LiveFixture.ack(
                label, id: event.thingID.text, correlationID: change.eventHeaders.correlationID ?? "none")
            _ = try live.live.answer(ack, from: session)
        }
    }

    private static func ask(
        _ live: LiveFixture, _ requester: @escaping SignalRequester, _ random: inout SeededRandom
    ) throws {
        let id = Bool.random(using: &random) ? "n:t" : "n:u"
        var headers: [String: JSONValue] = [
            // Few ids, so that they clash.
            "correlation-id": .string("c\(Int.random(in: 0..<4, using: &random))"),
            "timeout": .string("\(Int.random(in: 0...300, using: &random))ms"),
        ]
        if headers["timeout"] != "0ms", Bool.random(using: &random) {
            headers["requested-acks"] = ["twin-persisted", "live-response", .string(label), "my:guest"]
        }
        switch Int.random(in: 0..<5, using: &random) {
        case 0:
            let command = try LiveFixture.command(
                .modify, "/attributes/a", "1", id: id, headers: headers, channel: .twin)
            live.engine.request(command, as: EngineRig.owner, requester: requester)
        case 1:
            let command = try LiveFixture.command(.modify, "/attributes/a", "1", id: id, headers: headers)
            live.engine.request(command, as: EngineRig.owner, requester: requester)
        case 2:
            headers["live-channel-condition"] = "exists(attributes/a)"
            headers["live-channel-timeout-strategy"] = "use-twin"
            let command = try LiveFixture.command(
                .retrieve, "/attributes", id: id, headers: headers, channel: .twin)
            live.engine.request(command, as: EngineRig.owner, requester: requester)
        case 3:
            let event = LiveEvent(
                thingID: try ThingID(id), action: .deleted, path: .root, headers: LiveFixture.headers(headers))
            live.engine.send(event, as: EngineRig.owner, requester: requester)
        default:
            let message = try LiveFixture.message(id: id, headers: headers)
            live.engine.send(message, as: EngineRig.owner, requester: requester)
        }
        usleep(UInt32.random(in: 0..<300, using: &random))
    }

    private static func answer(_ live: LiveFixture, _ delivery: LiveDelivery, _ random: inout SeededRandom) throws {
        let signal = delivery.signal
        let headers: [String: JSONValue] = ["correlation-id": .string(signal.correlationID)]
        if signal.requestedAcks.contains(try AckLabel(label)), Int.random(in: 0..<4, using: &random) > 0 {
            let ack = try LiveFixture.ack(label, id: signal.thingID.text, correlationID: signal.correlationID)
            _ = try live.live.answer(ack, from: try LiveFixture.session("keeper"))
        }
        guard Int.random(in: 0..<4, using: &random) > 0 else { return }
        switch signal.content {
        case .message(let message):
            var answer = message
            answer.headers = LiveFixture.headers(headers)
            answer.status = 200
            _ = try live.live.answer(answer, from: try live.responder())
        case .command(let command):
            let isRetrieve = command.action == .retrieve
            let status = Int.random(in: 0..<4, using: &random) == 0 ? 206 : isRetrieve ? 200 : 204
            let response = try LiveFixture.response(
                command.action, command.resource.path.description, status, isRetrieve ? "{}" : nil,
                id: signal.thingID.text, headers: headers)
            _ = try live.live.answer(response, from: try live.responder())
        case .event: break
        }
    }
}
