// Store and forward: the broker of a durable target is away while many events happen, and the process ends twice.
import Foundation
import Testing
import TwinspanJSON
import TwinspanTestSupport

extension EndToEnd {
    @Suite("Durable targets", .enabled(if: Journal.unavailableReason == nil))
    struct DurableTargetTests {
        static let devices = 40
        static let messages = 20_000

        @Test("20,000 events during an outage and two restarts, one of them kill -9, arrive, each thing's in order")
        func outage() throws {
            let bench = try Workbench("durable")
            // The broker of the events; the telemetry has another, which stays.
            var settings = BrokerProcess.Settings()
            settings.isPersistent = true
            let cloud = try BrokerProcess(settings)
            let options = "{ name: cloud, delivery: durable }"
            try bench.write(Plant.telemetryIn(port: bench.broker.port), to: "telemetry-in.yaml")
            try bench.write(Plant.eventsOut(port: cloud.port, options: options), to: "events-out.yaml")
            let answers = try EventCollector(port: bench.broker.port, ["replies/#"])
            let events = try EventCollector(port: cloud.port, clientID: "cloud", ["events/#"])
            let generator = LoadGenerator(port: bench.broker.port)
            defer {
                answers.stop()
                events.stop()
                generator.stop()
            }
            var process = try bench.start()
            try process.waitUntilReady()
            let names = (0..<Self.devices).map { "device-\($0)" }
            try LossTests.create(names, generator, answers)
            try events.wait(20, count: Self.devices)

            var ledger = Ledger()
            func send(_ count: Int, _ generator: LoadGenerator) {
                generator.send(
                    (0..<count).map { index in
                        let name = names[index % names.count]
                        return .init("telemetry/\(name)", Command.setSpeed(name, ledger.next(name)))
                    })
            }
            // Some events are on their way when the broker goes.
            send(2_000, generator)
            try Self.waitUntil(process, "twinspan_journal_sequence ", reaches: 500, 30)
            cloud.kill()
            send(Self.messages - 2_000, generator)
            try Self.waitUntil(process, "twinspan_journal_sequence ", reaches: 7_000, 60)
            process.kill9()
            process = try bench.start()
            try process.waitForReadiness("anything", 20) { _ in true }
            try Self.waitUntil(process, "twinspan_journal_sequence ", reaches: 13_000, 60)
            process.signal(SIGTERM)
            #expect(try process.waitForEnd(15) == 0)
            process = try bench.start()
            try process.waitForReadiness("anything", 20) { _ in true }
            try Self.waitUntil(process, "twinspan_journal_sequence ", reaches: Self.messages + Self.devices, 60)
            let behind = try Self.figure("twinspan_target_behind_events{", process)
            #expect(behind > 10_000, "only \(behind) events wait")
            let status = try process.http(as: "devops").get("/devops/twinspan/status").json
            let out = status.value(at: ["connections"])?.array?.first {
                $0.value(at: ["id"])?.string == "events-out"
            }
            #expect(out?.value(at: ["behind", "events"])?.int64 ?? 0 > 10_000, "\(status)")
            #expect(out?.value(at: ["behind", "ageSeconds"])?.double ?? 0 > 0)
            try cloud.start()
            try Self.waitUntilCaughtUp(process, 60)
            try events.waitForSilence(of: 0.5, 20)
            process.signal(SIGTERM)
            #expect(try process.waitForEnd(10) == 0)

            let journal = try Journal(data: bench.data)
            try ledger.check(journal)
            try Self.checkOrder(events.messages.compactMap { SeenEvent($0) }, journal)
        }

        /// Every event of the journal was seen, and none of a thing for the first time behind a newer one: over all
        /// runs, because each goes on where the one before ended.
        private static func checkOrder(_ seen: [SeenEvent], _ journal: Journal) throws {
            var newest: [String: Int] = [:]
            for event in seen where event.revision > newest[event.thing] ?? 0 {
                #expect(
                    event.revision == (newest[event.thing] ?? 0) + 1,
                    "revision \(event.revision) of \(event.thing) follows \(newest[event.thing] ?? 0)")
                newest[event.thing] = event.revision
            }
            for (thing, records) in journal.things {
                #expect(newest[thing] == records.last?.revision, "\(thing) ends at \(newest[thing] ?? 0)")
            }
        }

        /// A figure of /metrics.
        private static func figure(_ prefix: String, _ process: TwinspanProcess) throws -> Int {
            let page = try HTTPClient(port: process.httpPort).get("/metrics").text
            guard let line = page.split(separator: "\n").first(where: { $0.hasPrefix(prefix) }),
                let value = line.split(separator: " ").last.flatMap({ Int($0) })
            else { throw ScenarioFailure("/metrics does not have '\(prefix)': \(page.suffix(2000))") }
            return value
        }

        private static func waitUntil(
            _ process: TwinspanProcess, _ prefix: String, reaches number: Int, _ timeout: Double
        ) throws {
            let end = Date(timeIntervalSinceNow: timeout)
            var last = 0
            while last < number {
                try require(Date() < end, "\(prefix) is \(last) after \(timeout) s: \(process.log.suffix(2000))")
                usleep(20_000)
                last = try figure(prefix, process)
            }
        }

        private static func waitUntilCaughtUp(_ process: TwinspanProcess, _ timeout: Double) throws {
            let end = Date(timeIntervalSinceNow: timeout)
            while try figure("twinspan_target_behind_events{", process) > 1 {
                try require(
                    Date() < end, "the target did not catch up within \(timeout) s: \(process.log.suffix(2000))")
                usleep(50_000)
            }
        }
    }
}
