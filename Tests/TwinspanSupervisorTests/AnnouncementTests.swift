import Logging
import Testing
import TwinspanConnections
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanSQLite
import TwinspanTestSupport

@testable import TwinspanSupervisor

/// A broker whose publisher opens as often as a test wants, and takes what there is.
final class AnnouncementBroker: BrokerAdapter {
    let types: [ConnectionType] = [.mqtt]
    let sent = Watched<[OutboundMessage]>([])
    /// By connection.
    let inlets = Watched<[ConnectionID: any Inlet]>([:])
    /// How often the session fails after it has opened.
    let failures: Int

    init(failures: Int = 0) { self.failures = failures }

    func consumer(for connection: Connection, inlet: any Inlet) -> any BrokerSession {
        inlets.update { $0[connection.id] = inlet }
        return Session(self, nil, nil)
    }

    func publisher(for connection: Connection, queue: OutboundQueue, outcomes: any PublishOutcomes)
        -> any BrokerSession
    {
        Session(self, queue, outcomes)
    }

    final class Session: BrokerSession {
        private let broker: AnnouncementBroker
        private let queue: OutboundQueue?
        private let outcomes: (any PublishOutcomes)?
        private let state = Watched<(isStopping: Bool, runs: Int)>((false, 0))

        init(_ broker: AnnouncementBroker, _ queue: OutboundQueue?, _ outcomes: (any PublishOutcomes)?) {
            self.broker = broker
            self.queue = queue
            self.outcomes = outcomes
        }

        func run(observer: any SessionObserver) -> SessionEnd {
            observer.opened()
            let run = state.update { state in
                state.runs += 1
                return state.runs
            }
            while true {
                let isStopping = state.wait(0.01) { $0.isStopping }
                var messages: [OutboundMessage] = []
                queue?.take(upTo: 100, into: &messages)
                for message in messages { outcomes?.confirmed(message) }
                broker.sent.update { $0 += messages }
                if run <= broker.failures, !messages.isEmpty {
                    return .failed(
                        BrokerFailure(step: .serve, reaction: .retryNow, reason: "connection-lost", message: "lost"))
                }
                if isStopping, messages.isEmpty { return .stopped }
            }
        }

        func stop(grace: Duration) { state.update { $0.isStopping = true } }
    }
}

@Suite("Announcements of connections")
struct AnnouncementTests {
    private static func run(
        _ broker: AnnouncementBroker, targets: [Target], awaiting count: Int, clockMoves: Bool = false
    ) throws -> (sent: [OutboundMessage], counters: [ConnectionSnapshot.Counter]) {
        let rig = try PipelineRig()
        let supervisor = ConnectionSupervisor(
            try rig.connection(targets: targets),
            environment: SupervisorEnvironment(
                engine: rig.rig.engine, clock: rig.rig.clock, adapters: [broker],
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })))
        for _ in 0..<500 where !broker.sent.wait(0.01, until: { $0.count >= count }) {
            if clockMoves { rig.rig.clock.advance(by: .seconds(1)) }
        }
        supervisor.stopPublisher(grace: .milliseconds(100))
        supervisor.joinPublisher()
        return (broker.sent.current, supervisor.snapshot.counters.filter { $0.direction == .outbound && $0.value > 0 })
    }

    @Test("the opening and the end of a connection are announced to the targets that want it")
    func announced() throws {
        let targets = try [
            target(
                "{{ connection:id }}/{{ resource:type }}/{{ topic:subject }}",
                topics: [topic(.connectionAnnouncements)], subjects: ["test:nobody"]),
            target("thing/{{ thing:id }}", topics: [topic(.connectionAnnouncements)]),
            target("events", topics: [topic()]),
        ]
        let (sent, counters) = try Self.run(AnnouncementBroker(), targets: targets, awaiting: 1)
        #expect(sent.map(\.address) == ["c1/connection/opened", "c1/connection/closed"])
        let expected = ["opened", "closed"].map { name in
            """
            {"topic":"_/c1/connections/announcements/\(name)","headers":{"content-type":"application/json"},
            "path":"/","value":{"\(name)At":"2023-11-14T22:13:20Z"}}
            """
        }
        #expect(try sent.map { try JSONValue.parse($0.payload) } == expected.map { try JSONValue.parse($0) })
        let counts = counters.map { "\($0.outcome)\($0.reason.isEmpty ? "" : "/")\($0.reason) \($0.value)" }
        #expect(counts == ["offered 4", "published 2", "dropped/address-unresolved 2"])
    }

    @Test("every opening is announced, the end once")
    func reopened() throws {
        let targets = try [target("{{ topic:subject }}", topics: [topic(.connectionAnnouncements)])]
        let (sent, _) = try Self.run(AnnouncementBroker(failures: 1), targets: targets, awaiting: 2, clockMoves: true)
        #expect(sent.map(\.address) == ["opened", "opened", "closed"])
    }

    @Test("an answer is diverted to another connection that runs, and no longer when it has ended")
    func diversion() throws {
        let rig = try PipelineRig()
        let broker = AnnouncementBroker()
        var from = try rig.connection(
            sources: [source(headers: [("divert-response-to-connection", "c2")])])
        from.specificConfig = ["is-diversion-source": "true"]
        var to = try rig.connection(targets: [target("diverted", topics: [])])
        to.id = try ConnectionID("c2")
        to.specificConfig = ["is-diversion-target": "true", "authorized-connections-as-sources": "c1"]
        let fleet = ConnectionFleet(
            environment: SupervisorEnvironment(
                engine: rig.rig.engine, clock: rig.rig.clock, adapters: [broker],
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })))
        fleet.apply([from, to], grace: .milliseconds(100))
        let inlet = try #require(broker.inlets.current[from.id])
        let messages = batch([("in/x", command("create", "t", "/", "{}"))])
        #expect(inlet.settlement(of: inlet.accept(messages), patience: .seconds(10)) == .committed)
        try require(broker.sent.wait(5) { !$0.isEmpty }, "nothing was sent")
        #expect(broker.sent.current.map(\.address) == ["diverted"])
        fleet.apply([from], grace: .milliseconds(100))
        let more = batch([("in/x", command("modify", "t", "/attributes/a", "1"))])
        #expect(inlet.settlement(of: inlet.accept(more), patience: .seconds(10)) == .committed)
        let isCounted = { () -> Bool in
            fleet.snapshots().first?.counters.contains { $0.reason == "reply-diversion-target-away" } == true
        }
        for _ in 0..<400 where !isCounted() { usleepMilliseconds(5) }
        #expect(isCounted())
        fleet.stop(grace: .milliseconds(100))
        #expect(broker.sent.current.count == 1)
    }

    @Test("nothing is announced to targets that want something else")
    func unwanted() throws {
        let targets = try [target("x", topics: [topic(), topic(.policyAnnouncements)]), target("y", topics: [])]
        let (sent, counters) = try Self.run(AnnouncementBroker(), targets: targets, awaiting: 0)
        #expect(sent.isEmpty && counters.isEmpty)
    }
}
