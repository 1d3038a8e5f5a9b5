// What a broker was told is taken is not lost, whatever dies, over each broker; and over Kafka nothing takes effect
// twice.
import Foundation
import Testing
import TwinspanTestSupport

extension EndToEnd {
    @Suite(
        "Nothing accepted is lost, over each broker",
        .enabled(if: Journal.unavailableReason == nil && BrokerKind.unavailableReason == nil))
    struct BrokerLossTests {
        static let devices = 20
        static let messages = 3_000

        @Test("3,000 messages survive three kill -9", arguments: [BrokerKind.mqtt5, .amqp091, .amqp10, .kafka])
        func kills(_ kind: BrokerKind) throws {
            var random = SeededRandom(for: "kills \(kind.rawValue)")
            let service = try LoadedService("kills", kind)
            for _ in 0..<3 {
                try service.waitForTraffic()
                Thread.sleep(forTimeInterval: random.seconds(0...0.6))
                service.process.kill9()
                try service.start()
            }
            try service.finish()
        }

        @Test("two restarts of RabbitMQ under load lose nothing", arguments: [BrokerKind.amqp091, .amqp10])
        func restarts(_ kind: BrokerKind) throws {
            var random = SeededRandom(for: "restarts \(kind.rawValue)")
            let service = try LoadedService("restarts", kind)
            for isKilled in [false, true] {
                try service.waitForTraffic()
                Thread.sleep(forTimeInterval: random.seconds(0...0.6))
                if isKilled { service.yard.rabbit.kill() } else { service.yard.rabbit.stop() }
                try service.yard.rabbit.start()
            }
            try service.finish()
        }

        @Test("a Kafka cluster that is cut off twice under load loses nothing, and nothing takes effect twice")
        func cutOff() throws {
            var random = SeededRandom(for: "cut off")
            // Faster than it is taken, so that there is always something on its way.
            let service = try LoadedService("cut-off", .kafka, rate: 2000)
            for _ in 0..<2 {
                try service.waitForTraffic()
                try service.feeder.pause()
                try service.yard.cluster.goDown()
                Thread.sleep(forTimeInterval: random.seconds(0.5...2))
                try service.yard.cluster.comeUp()
                service.feeder.resume()
            }
            try service.finish()
        }

        @Test(
            "a black hole is noticed in time, and the connection recovers",
            arguments: [
                (BrokerKind.mqtt, ["keepAlive": "5s"], 13.0), (.mqtt5, ["keepAlive": "5s"], 13),
                (.amqp091, ["requestedHeartbeat": "2"], 9), (.amqp10, ["amqp.idleTimeout": "2000"], 9),
            ])
        func blackHole(_ kind: BrokerKind, _ settings: [String: String], _ limit: Double) throws {
            let isMQTT = kind == .mqtt || kind == .mqtt5
            let service = try LoadedService("hole", kind, settings: settings) { yard in
                try LoopbackRelay(to: isMQTT ? yard.mosquitto.port : yard.rabbit.port)
            }
            try service.waitForTraffic()
            service.relay?.swallow()
            let start = Date()
            try Balance.wait(service.process, limit, for: "a failure") { $0.value(ofState: "open", "in") == 0 }
            print("black hole, \(kind.rawValue): noticed after \(Date().timeIntervalSince(start)) s")
            service.relay?.forward()
            try Balance.wait(service.process, 40, for: "the connection to be open") {
                $0.value(ofState: "open", "in") == 1
            }
            try service.finish()
        }
    }
}

/// A service with one source that is under load. Used by one test.
private final class LoadedService {
    let bench: Workbench
    let yard: BrokerYard
    let feeder: BrokerFeeder
    let relay: LoopbackRelay?
    private(set) var process: TwinspanProcess
    private let kind: BrokerKind
    private let ledger: Ledger
    private let begin = Date()

    /// Starts everything, and the load.
    /// - Parameters:
    ///   - rate: messages per second.
    ///   - relay: stands between the service and the broker.
    init(
        _ name: String, _ kind: BrokerKind, rate: Int = 300, settings: [String: String] = [:],
        relay: (BrokerYard) throws -> LoopbackRelay? = { _ in nil }
    ) throws {
        self.kind = kind
        bench = try Workbench("\(name)-\(kind.rawValue)")
        yard = try BrokerYard(name, mosquitto: bench.broker)
        self.relay = try relay(yard)
        let file = yard.source(
            kind, port: self.relay?.port, settings: settings, lines: ["replyTarget: { enabled: false }"])
        try bench.write(file, to: "in.yaml")
        process = try bench.start()
        try process.waitUntilReady(30)
        let names = (0..<EndToEnd.BrokerLossTests.devices).map { "device-\($0)" }
        try process.makeThings(names)
        var ledger = Ledger()
        let messages = (0..<EndToEnd.BrokerLossTests.messages).map { index in
            let name = names[index % names.count]
            return SourceMessage(device: name, text: Command.setSpeed(name, ledger.next(name)))
        }
        self.ledger = ledger
        feeder = BrokerFeeder(messages, to: kind, in: yard, rate: rate)
    }

    deinit { feeder.stop() }

    /// Starts the process again.
    func start() throws { process = try bench.start() }

    /// Waits until this run of the process takes messages.
    func waitForTraffic() throws {
        try process.waitForReadiness("anything", 20) { _ in true }
        let before = try Balance(process).count("in", "acknowledged")
        try Balance.wait(process, 40, for: "traffic") { $0.count("in", "acknowledged") > before }
    }

    /// All has been sent, every twin has its last number, and every number is in the journal: of Kafka once.
    func finish() throws {
        try feeder.finish(60)
        try process.waitForTwins(at: ledger, 60)
        try process.waitUntilReady(40)
        try Balance.settle(process, 20)
        process.signal(SIGTERM)
        let code = try process.waitForEnd(15)
        try require(code == 0, "the service ended with \(code): \(process.log.suffix(2000))")
        let journal = try Journal(data: bench.data)
        try ledger.check(journal)
        let changes = journal.things.values.joined().filter { $0.path == Ledger.path }.count
        let seconds = Date().timeIntervalSince(begin)
        print(
            "\(kind.rawValue): \(Int(seconds)) s, \(changes - ledger.total) duplicates, "
                + "\(feeder.repeated) sent again, \(bench.runCount) runs")
        if kind == .kafka, feeder.repeated == 0 {
            try require(changes == ledger.total, "\(changes) changes were made of \(ledger.total) messages")
        }
    }
}
