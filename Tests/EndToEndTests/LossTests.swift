// The promise above all others: what a broker was told is taken is never lost, whatever dies.
import Foundation
import Testing
import TwinspanJSON
import TwinspanTestSupport

extension EndToEnd {
    @Suite("Nothing accepted is lost", .enabled(if: Journal.unavailableReason == nil))
    struct LossTests {
        static let devices = 200
        static let messages = 20_000

        /// Five kills of the process and two restarts of the broker, in random order.
        private enum Blow { case killProcess, restartBroker }

        @Test("20,000 messages survive five kill -9 and two restarts of the broker")
        func killsAndRestarts() throws {
            var random = SeededRandom(for: "loss")
            let bench = try Workbench("loss")
            try bench.writePlant()
            let collector = try EventCollector(port: bench.broker.port, ["events/#", "replies/#"])
            let generator = LoadGenerator(port: bench.broker.port)
            defer {
                collector.stop()
                generator.stop()
            }
            var process = try bench.start()
            try process.waitUntilReady()
            let names = (0..<Self.devices).map { "device-\($0)" }
            try Self.create(names, generator, collector)

            generator.setRate(450)
            var ledger = Ledger()
            generator.send(
                (0..<Self.messages).map { _ in
                    let name = names.randomElement(using: &random) ?? names[0]
                    return .init("telemetry/\(name)", Command.setSpeed(name, ledger.next(name)))
                })
            let blows = ([Blow](repeating: .killProcess, count: 5) + [.restartBroker, .restartBroker])
                .shuffled(using: &random)
            for blow in blows {
                Thread.sleep(forTimeInterval: random.seconds(0.3...6))
                switch blow {
                case .killProcess:
                    process.kill9()
                    Thread.sleep(forTimeInterval: random.seconds(0...0.5))
                    process = try bench.start()
                case .restartBroker:
                    bench.broker.stop()
                    Thread.sleep(forTimeInterval: random.seconds(0...0.5))
                    try bench.broker.start()
                }
                #expect(process.isRunning, "the process ended by itself: \(process.log.suffix(2000))")
            }
            generator.setRate(0)
            try generator.waitForConfirmations(90)
            try Self.expectTwins(at: ledger, generator, collector)

            process.signal(SIGTERM)
            #expect(try process.waitForEnd(10) == 0)
            try collector.waitForSilence(of: 0.5, 20)
            let journal = try Journal(data: bench.data)
            try ledger.check(journal)
            let events = collector.messages.compactMap { SeenEvent($0) }
            #expect(Set(events.map(\.run)).count >= 2, "events of \(bench.runCount) runs were to be seen")
            try Ledger.check(events, in: journal, mayRepeat: true)
        }

        @Test("a kill right after traffic leaves complete twins, and the rows are healed at the next start")
        func killBetweenJournalAndRows() throws {
            let bench = try Workbench("heal")
            try bench.writePlant()
            let collector = try EventCollector(port: bench.broker.port, ["events/#", "replies/#"])
            let generator = LoadGenerator(port: bench.broker.port)
            defer {
                collector.stop()
                generator.stop()
            }
            var process = try bench.start()
            try process.waitUntilReady()
            let names = (0..<20).map { "device-\($0)" }
            try Self.create(names, generator, collector)
            var ledger = Ledger()
            for _ in 0..<3 {
                let before = ledger.total
                generator.send(
                    (0..<600).map { index in
                        let name = names[index % names.count]
                        return .init("telemetry/\(name)", Command.setSpeed(name, ledger.next(name)))
                    })
                // The last event is out as soon as it is committed: rows are still to be written.
                let newest = ledger.last["device-19"] ?? 0
                try collector.wait(30, for: "event \(before)") { message in
                    SeenEvent(message).map { $0.thing == "plant:device-19" && $0.value == "\(newest)" } ?? false
                }
                process.kill9()
                let lag = try Journal.recordsBehindRows(bench.data)
                #expect(lag > 0, "the rows were complete already, so this test tests nothing")
                process = try bench.start()
                try process.waitUntilReady()
                // Rows are brought up before anything is served.
                #expect(try Journal.recordsBehindRows(bench.data) == 0)
                let client = try process.http(as: "ditto")
                for (name, last) in ledger.last {
                    let answer = try client.get("/api/2/things/plant:\(name)")
                    #expect(answer.status == 200 && answer.json.speed == last, "\(name) at \(last): \(answer)")
                }
            }
            try generator.waitForConfirmations(10)
            try Self.expectTwins(at: ledger, generator, collector)
            process.signal(SIGTERM)
            #expect(try process.waitForEnd(10) == 0)
            let journal = try Journal(data: bench.data)
            try ledger.check(journal)
            try Ledger.check(collector.messages.compactMap { SeenEvent($0) }, in: journal, mayRepeat: false)
        }

        /// Makes the things; the first brings the policy all of them stand under.
        static func create(_ names: [String], _ generator: LoadGenerator, _ collector: EventCollector) throws {
            generator.send(
                names.enumerated().map { index, name in
                    let text =
                        index == 0
                        ? Command.create(name, makingPolicy: "plant:shared", for: [Plant.gateway, "nginx:ditto"])
                        : Command.create(name, policy: "plant:shared")
                    return .init("telemetry/\(name)", text)
                })
            for name in names {
                try collector.wait(20, for: "the answer to the creation of \(name)") { message in
                    message.topic == "replies/all" && message.json.value(at: ["status"])?.int64 == 201
                        && message.json.value(at: ["headers", "correlation-id"])?.string == "\(name)-create"
                }
            }
        }

        /// Asks for every twin, behind all that was sent before, and expects its last number.
        static func expectTwins(
            at ledger: Ledger, _ generator: LoadGenerator, _ collector: EventCollector, _ timeout: Double = 60
        ) throws {
            generator.send(ledger.last.keys.sorted().map { .init("telemetry/\($0)", Command.retrieve($0)) })
            for (name, last) in ledger.last.sorted(by: { $0.key < $1.key }) {
                let answer = try collector.wait(timeout, for: "the twin of \(name)") { message in
                    message.topic.hasPrefix("replies/")
                        && message.json.value(at: ["headers", "correlation-id"])?.string == "\(name)-retrieve"
                }
                let speed = answer.json.value(at: ["value"])?.speed
                #expect(speed == last, "\(name) is at \(speed ?? -1) instead of \(last)")
            }
        }
    }
}
