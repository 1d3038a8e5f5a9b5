// A target broker that hangs, then dies, while telemetry flows: intake goes on, memory stays bounded, and what could
// not be sent is counted by reason.
import Foundation
import Testing
import TwinspanJSON
import TwinspanTestSupport

extension EndToEnd {
    @Suite("A target broker that is slow or dead")
    struct SlowBrokerTests {
        /// How long the outage lasts, both halves together, in seconds. TWINSPAN_SLOW_MINUTES makes it as long as a
        /// real one.
        static let outage =
            ProcessInfo.processInfo.environment["TWINSPAN_SLOW_MINUTES"].flatMap { Double($0) }.map { $0 * 60 } ?? 24

        @Test("sources keep running, memory stays bounded, drops are counted by reason, the state says failed")
        func outage() throws {
            let bench = try Workbench("slow")
            let target = try BrokerProcess()
            try bench.write(Plant.telemetryIn(port: bench.broker.port), to: "telemetry-in.yaml")
            try bench.write(
                Plant.eventsOut(port: target.port, options: "{ queue: 200 }")
                    + "specificConfig: { keepAlive: 5s }\n", to: "events-out.yaml")
            let process = try bench.start()
            let replies = try EventCollector(port: bench.broker.port, ["replies/#"])
            let events = try EventCollector(port: target.port, ["events/#"])
            let generator = LoadGenerator(port: bench.broker.port)
            defer {
                replies.stop()
                events.stop()
                generator.stop()
            }
            try process.waitUntilReady()
            let names = (0..<50).map { "device-\($0)" }
            try LossTests.create(names, generator, replies)
            var plant = Telemetry(names: names, generator: generator, replies: replies)
            try plant.run(for: 3)
            let memoryBefore = try process.memory("VmRSS")

            target.pause()
            try plant.run(for: Self.outage / 2)
            let whileSlow = try Metrics(process.http().get("/metrics").text)
            #expect(
                whileSlow.dropped("events-out", "queue-full") + whileSlow.dropped("events-out", "broker-away") > 0,
                "a hanging broker must show as drops")
            target.kill()
            try plant.run(for: Self.outage / 2)
            let whileDead = try Metrics(process.http().get("/metrics").text)
            #expect(whileDead.dropped("events-out", "broker-away") > 0)
            #expect(
                whileDead.dropped("events-out", "queue-full") + whileDead.dropped("events-out", "broker-away")
                    > whileSlow.dropped("events-out", "queue-full"))
            #expect(whileDead.state("events-out") == "failed")
            #expect(whileDead.state("telemetry-in") == "open")
            let ready = try process.http().get("/ready")
            #expect(ready.status == 503 && ready.text.contains("events-out"), "\(ready)")
            let memoryAfter = try process.memory("VmRSS")
            #expect(memoryAfter < memoryBefore + 32 * 1024, "\(memoryBefore) kB became \(memoryAfter) kB")

            try target.start()
            // The waiting time between two attempts has grown by then.
            try process.waitUntilReady(75)
            let count = events.count
            try plant.run(for: 1)
            try events.wait(10, count: count + 1)
            process.signal(SIGTERM)
            #expect(try process.waitForEnd(10) == 0)
        }

        /// Telemetry at a steady rate, and the question every second whether it still takes effect.
        private struct Telemetry {
            let names: [String]
            let generator: LoadGenerator
            let replies: EventCollector
            private var ledger = Ledger()

            init(names: [String], generator: LoadGenerator, replies: EventCollector) {
                self.names = names
                self.generator = generator
                self.replies = replies
            }

            mutating func run(for seconds: Double) throws {
                let end = Date(timeIntervalSinceNow: seconds)
                while Date() < end {
                    for index in 0..<400 {
                        let name = names[index % names.count]
                        generator.send([.init("telemetry/\(name)", Command.setSpeed(name, ledger.next(name)))])
                    }
                    let name = names[0]
                    let number = ledger.last[name] ?? 0
                    generator.send([.init("telemetry/\(name)", Command.retrieve(name))])
                    try replies.wait(5, for: "the twin of \(name) at \(number) during the outage") {
                        $0.json.value(at: ["value"])?.speed == number
                    }
                    usleep(500_000)
                }
            }
        }
    }
}

/// Figures of `/metrics`.
struct Metrics {
    private let lines: [Substring]

    init(_ text: String) { lines = text.split(separator: "\n") }

    /// Sum of the samples that have all these texts in their name and labels.
    func sum(_ parts: String...) -> Int {
        lines.filter { line in !line.hasPrefix("#") && parts.allSatisfy { line.contains($0) } }
            .compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }
            .reduce(0) { $0 + Int($1) }
    }

    func dropped(_ connection: String, _ reason: String) -> Int {
        sum("_messages_total", "connection=\"\(connection)\"", "outcome=\"dropped\"", "reason=\"\(reason)\"")
    }

    /// The state a connection is in.
    func state(_ connection: String) -> String? {
        let line = lines.first {
            $0.hasPrefix("twinspan_connection_state") && $0.contains("\"\(connection)\"") && $0.hasSuffix(" 1")
        }
        guard let line, let start = line.range(of: "state=\"") else { return nil }
        return String(line[start.upperBound...].prefix { $0 != "\"" })
    }
}
