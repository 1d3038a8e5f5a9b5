// Announcements of policies at a real broker: whoever leaves a policy is told through it, and acknowledges through it.
import Glibc
import Logging
import Testing
import TwinspanConnections
import TwinspanEngine
import TwinspanExpressions
import TwinspanJSON
import TwinspanMQTT
import TwinspanProtocol
import TwinspanSQLite
import TwinspanSupervisor
import TwinspanTestSupport

/// The machine's clocks, ahead of them by what a test wants.
private struct RunningClock: EngineClock {
    var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    var monotonic: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

@Suite("Announcements of policies at a broker")
struct SubjectAnnouncementBrokerTests {
    /// A store, an engine and one connection; everything ends with it.
    private final class Bridge {
        let engine: TwinEngine
        let clock = RunningClock()
        private let fleet: ConnectionFleet

        init(_ store: SQLiteStore, port: Int, label: String?) throws {
            var settings = EngineSettings(cacheBytes: 8 << 20)
            settings.access.expiryGranularity = .seconds(1)
            settings.access.announcements.granularity = .seconds(1)
            engine = TwinEngine(
                store: store, clock: clock, settings: settings)
            try engine.start()
            fleet = ConnectionFleet(
                environment: SupervisorEnvironment(
                    engine: engine, clock: clock, adapters: [MQTTBrokerClient(timing: .short)],
                    logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })))
            fleet.apply([try Self.connection(port: port, label: label)], grace: .seconds(1))
        }

        func stop() {
            fleet.stop(grace: .seconds(1))
            engine.stop()
        }

        private static func connection(port: Int, label: String?) throws -> Connection {
            let issued = label.map { #","issuedAcknowledgementLabel":"\#($0)""# } ?? ""
            let text = #"""
                {"connectionType":"mqtt","connectionStatus":"open","uri":"tcp://127.0.0.1:\#(port)",
                 "sources":[{"addresses":["in/#"],"qos":1,"authorizationContext":["test:guest"],
                             "declaredAcks":["subjects:seen"],"replyTarget":{"enabled":false}}],
                 "targets":[{"address":"told/{{ entity:name }}/{{ topic:subject }}","qos":1\#(issued),
                             "topics":["_/_/policies/announcements"],"authorizationContext":["test:guest"]}]}
                """#
            return try ConnectionJSON.read(try JSONValue.parse(text), id: try ConnectionID("subjects"))
        }

        /// Makes `n:p` with a guest that stays for so many seconds.
        func make(seconds: Int64, _ announcement: String) throws {
            let expiry = Timestamp(milliseconds: (clock.now.milliseconds / 1000 + seconds) * 1000)
            let text = """
                {"entries":{"owner":{"subjects":{"test:owner":{"type":"t"}},"resources":{
                "policy:/":{"grant":["READ","WRITE"],"revoke":[]}}},"guests":{"subjects":{"test:guest":{"type":"t",
                "expiry":"\(expiry.iso8601)","announcement":\(announcement)}},"resources":{}}}}
                """
            let response = try policy(.create, value: JSONText(try JSONValue.parse(text)))
            #expect(response.status == 201)
        }

        private func policy(
            _ action: PolicyCommand.Action, at path: String = "/", value: JSONText? = nil
        ) throws -> PolicyResponse {
            let outcome = engine.execute(
                PolicyCommand(
                    policyID: try PolicyID("n:p"), action: action,
                    resource: try PolicyPath(try JSONPointer(policyPath: path)), value: value, headers: DittoHeaders()),
                as: AuthorizationContext(["test:owner"]))
            #expect(engine.commit(outcome.ticket, patience: .seconds(10)) == .committed)
            return try outcome.result.get()
        }

        func guests() throws -> Int {
            try policy(.retrieve, at: "/entries/guests/subjects").value?.value.object?.count ?? -1
        }

        /// Waits until nobody is left.
        func awaitNobody(within seconds: Double) throws {
            for _ in 0..<Int(seconds * 100) {
                if try guests() == 0 { return }
                usleep(10_000)
            }
            throw ScenarioFailure("the guest is still there")
        }
    }

    private static let ahead = #"{"beforeExpiry":"1s","randomizationInterval":"0s"}"#
    private static let asking = """
        {"beforeExpiry":"1s","randomizationInterval":"0s","requestedAcks":{"labels":["subjects:seen"],"timeout":"1s"}}
        """

    @Test("with a two-second expiry the announcement arrives once and the subject is gone on time")
    func once() throws {
        let broker = try BrokerProcess(.persistent)
        let collector = try RawMQTTClient(port: broker.port, clientID: "collector")
        try collector.subscribe("told/#")
        let directory = try TemporaryDirectory(isInMemory: true)
        let store = try SQLiteStore(directory: directory.path, durability: .os)
        let bridge = try Bridge(store, port: broker.port, label: nil)
        defer { bridge.stop() }
        try bridge.make(seconds: 2, Self.ahead)
        let told = try collector.receive()
        #expect(told.topic == "told/p/subjectDeletion")
        #expect(try bridge.guests() == 1 || bridge.engine.metrics.snapshot.expiredSubjects == 1)
        try bridge.awaitNobody(within: 3)
        #expect(bridge.engine.metrics.snapshot.announcementsPublished == 1)
    }

    @Test("it is sent again until it is acknowledged through the broker, also by the next process")
    func repeated() throws {
        let broker = try BrokerProcess(.persistent)
        let collector = try RawMQTTClient(port: broker.port, clientID: "collector")
        try collector.subscribe("told/#")
        let directory = try TemporaryDirectory(isInMemory: true)
        let store = try SQLiteStore(directory: directory.path, durability: .os)
        let first = try Bridge(store, port: broker.port, label: nil)
        try first.make(seconds: 2, Self.asking)
        // One that is not answered, and its repetition.
        for _ in 0..<2 { _ = try collector.receive() }
        #expect(try first.guests() == 1)
        first.stop()
        let second = try Bridge(store, port: broker.port, label: nil)
        defer { second.stop() }
        let told = try collector.receive()
        let id = try #require(
            try JSONValue.parse(told.payload).value(at: try JSONPointer(parsing: "/headers/correlation-id"))?.string)
        #expect(try second.guests() == 1)
        let sender = try RawMQTTClient(port: broker.port, clientID: "sender")
        let topic = "n/p/policies/acks/subjects:seen"
        let acknowledgement =
            #"{"topic":"\#(topic)","headers":{"correlation-id":"\#(id)"},"path":"/","status":200}"#
        try sender.publish([Array(acknowledgement.utf8)], to: "in/x")
        try second.awaitNobody(within: 10)
        #expect(second.engine.metrics.snapshot.announcementsAcknowledged == 1)
    }

    @Test("the broker's own confirmation is enough where the target issues the label")
    func issued() throws {
        let broker = try BrokerProcess(.persistent)
        let directory = try TemporaryDirectory(isInMemory: true)
        let store = try SQLiteStore(directory: directory.path, durability: .os)
        let bridge = try Bridge(store, port: broker.port, label: "subjects:seen")
        defer { bridge.stop() }
        try bridge.make(seconds: 2, Self.asking)
        try bridge.awaitNobody(within: 20)
        let metrics = bridge.engine.metrics.snapshot
        #expect(metrics.announcementsAcknowledged == 1 && metrics.announcementsAbandoned == 0)
    }
}
