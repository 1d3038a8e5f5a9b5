// Starting, reloading and ending, as an operator does it.
import Foundation
import Testing
import TwinspanJSON
import TwinspanTestSupport

extension EndToEnd {
    @Suite("Lifecycle", .enabled(if: Journal.unavailableReason == nil))
    struct LifecycleTests {
        @Test("SIGTERM under load ends with 0 within ten seconds and loses nothing")
        func termUnderLoad() throws {
            let bench = try Workbench("term")
            try bench.writePlant()
            let collector = try EventCollector(port: bench.broker.port, ["events/#", "replies/#"])
            let generator = LoadGenerator(port: bench.broker.port)
            defer {
                collector.stop()
                generator.stop()
            }
            let names = (0..<20).map { "device-\($0)" }
            var ledger = Ledger()
            for run in 1...3 {
                let process = try bench.start()
                try process.waitUntilReady()
                if run == 1 { try LossTests.create(names, generator, collector) }
                let before = collector.count
                generator.send(
                    (0..<4000).map { index in
                        let name = names[index % names.count]
                        return .init("telemetry/\(name)", Command.setSpeed(name, ledger.next(name)))
                    })
                try collector.wait(20, count: before + 200)
                let asked = Date()
                process.signal(SIGTERM)
                #expect(try process.waitForEnd(12) == 0)
                #expect(Date().timeIntervalSince(asked) < 10)
            }
            let process = try bench.start()
            try process.waitUntilReady()
            try generator.waitForConfirmations(60)
            try LossTests.expectTwins(at: ledger, generator, collector)
            process.signal(SIGTERM)
            #expect(try process.waitForEnd(10) == 0)
            try collector.waitForSilence(of: 0.5, 20)
            let journal = try Journal(data: bench.data)
            try ledger.check(journal)
            let events = collector.messages.compactMap { SeenEvent($0) }
            try Ledger.check(events, in: journal, mayRepeat: false)
            // An orderly end sends what is committed: not one event may be missing.
            let told = Set(events.map { "\($0.thing) \($0.revision)" })
            let committed = journal.things.flatMap { thing, records in records.map { "\(thing) \($0.revision)" } }
            #expect(told.count == committed.count, "\(committed.count - told.count) events were never published")
        }

        @Test("a second SIGTERM ends it at once")
        func secondTerm() throws {
            let bench = try Workbench("term2")
            let target = try BrokerProcess()
            try bench.write(Plant.telemetryIn(port: bench.broker.port), to: "telemetry-in.yaml")
            try bench.write(Plant.eventsOut(port: target.port), to: "events-out.yaml")
            let collector = try EventCollector(port: bench.broker.port, ["replies/#"])
            let generator = LoadGenerator(port: bench.broker.port)
            defer {
                collector.stop()
                generator.stop()
            }
            let process = try bench.start()
            try process.waitUntilReady()
            // Events that a frozen broker does not confirm keep an orderly end from being quick.
            target.pause()
            try LossTests.create((0..<10).map { "device-\($0)" }, generator, collector)
            process.signal(SIGTERM)
            Thread.sleep(forTimeInterval: 0.7)
            #expect(process.isRunning, "an orderly end waits for confirmations a moment")
            let asked = Date()
            process.signal(SIGTERM)
            #expect(try process.waitForEnd(5) != 0)
            #expect(Date().timeIntervalSince(asked) < 0.5)
        }

        @Test("a frozen broker does not keep SIGTERM from ending within ten seconds")
        func termWithFrozenBroker() throws {
            let bench = try Workbench("frozen")
            try bench.writePlant()
            let collector = try EventCollector(port: bench.broker.port, ["replies/#"])
            let generator = LoadGenerator(port: bench.broker.port)
            defer {
                collector.stop()
                generator.stop()
            }
            let process = try bench.start()
            try process.waitUntilReady()
            try LossTests.create((0..<10).map { "device-\($0)" }, generator, collector)
            bench.broker.pause()
            let asked = Date()
            process.signal(SIGTERM)
            let code = try process.waitForEnd(15)
            bench.broker.resume()
            #expect(code == 0)
            #expect(Date().timeIntervalSince(asked) < 10)
        }

        @Test("SIGHUP and changed files restart only the connections they change", arguments: [true, false])
        func reload(bySignal: Bool) throws {
            let bench = try Workbench("reload")
            try bench.writePlant()
            let collector = try EventCollector(port: bench.broker.port, ["events/#", "other/#", "replies/#"])
            let generator = LoadGenerator(port: bench.broker.port)
            defer {
                collector.stop()
                generator.stop()
            }
            let process = try bench.start()
            try process.waitUntilReady()
            try LossTests.create(["device"], generator, collector)
            let connects = Self.connects(of: "telemetry-in", bench)
            try bench.write(
                Plant.eventsOut(port: bench.broker.port).replacingOccurrences(of: "events/", with: "other/"),
                to: "events-out.yaml")
            if bySignal { process.signal(SIGHUP) }
            try process.waitForLog(10, "connections reloaded")
            try process.waitUntilReady()
            generator.send([.init("telemetry/device", Command.setSpeed("device", 1))])
            try collector.wait(10, for: "an event at the new address") { $0.topic == "other/1/plant:device" }
            #expect(Self.connects(of: "telemetry-in", bench) == connects, "the other connection was made anew")

            // An invalid change is reported with its place, and what runs goes on.
            try bench.write("id: telemetry-in\nconnectionType: mqtt\nuri: nonsense\n", to: "telemetry-in.yaml")
            if bySignal { process.signal(SIGHUP) }
            try process.waitForLog(10, "telemetry-in.yaml:3:6")
            generator.send([.init("telemetry/device", Command.setSpeed("device", 2))])
            try collector.wait(10, for: "an event after the invalid change") {
                $0.topic == "other/1/plant:device" && $0.json.value(at: ["value"])?.int64 == 2
            }
            #expect(Self.connects(of: "telemetry-in", bench) == connects)

            // A file that goes closes its connection; a new one opens another.
            unlink(bench.connections + "/events-out.yaml")
            try bench.write(Plant.telemetryIn(port: bench.broker.port), to: "telemetry-in.yaml")
            if bySignal { process.signal(SIGHUP) }
            try process.waitForLog(10, #""started":"","stopped":"events-out""#)
            generator.send([.init("telemetry/device", Command.setSpeed("device", 3))])
            generator.send([.init("telemetry/device", Command.retrieve("device"))])
            try collector.wait(10, for: "the answer") { $0.json.value(at: ["value"])?.speed == 3 }
            let isTold = collector.messages.contains {
                $0.topic.hasPrefix("other/") && $0.json.value(at: ["value"])?.int64 == 3
            }
            #expect(!isTold, "the connection of a file that is gone still sends")
            #expect(Self.connects(of: "telemetry-in", bench) == connects)
            process.signal(SIGTERM)
            #expect(try process.waitForEnd(10) == 0)
        }

        /// How often the broker has seen a client connect.
        private static func connects(of client: String, _ bench: Workbench) -> Int {
            bench.broker.log.split(separator: "\n")
                .count { $0.contains("New client connected") && $0.contains("as \(client) ") }
        }

        @Test("a port in use is said, with what to do")
        func portInUse() throws {
            let bench = try Workbench("port")
            let first = try bench.start()
            try first.waitUntilReady()
            let second = try bench.start(data: bench.directory + "/other")
            #expect(try second.waitForEnd(10) == 1)
            #expect(second.log.contains("\(bench.httpPort)") && second.log.contains("in use"), "\(second.log)")
            #expect(second.log.contains("--http"), "\(second.log)")
            first.kill9()
        }

        @Test("a data directory in use is said, with the process that holds it")
        func dataInUse() throws {
            let bench = try Workbench("data")
            let first = try bench.start()
            try first.waitUntilReady()
            let second = try bench.start()
            #expect(try second.waitForEnd(10) == 1)
            #expect(second.log.contains("in use by process \(first.id)"), "\(second.log)")
            #expect(second.log.contains("--data"), "\(second.log)")
            #expect(first.isRunning)
            first.kill9()
            // A lock dies with its process.
            let third = try bench.start()
            try third.waitUntilReady()
            third.kill9()
        }

        @Test("a store of a newer version is refused and left as it is", arguments: ["journal.db", "twins.db"])
        func newerSchema(name: String) throws {
            let bench = try Workbench("newer")
            let first = try bench.start()
            try first.waitUntilReady()
            first.signal(SIGTERM)
            #expect(try first.waitForEnd(10) == 0)
            let file = bench.data + "/" + name
            _ = try Journal.query(file, "INSERT INTO grdb_migrations VALUES ('v99'); PRAGMA wal_checkpoint(TRUNCATE)")
            let before = try Data(contentsOf: URL(fileURLWithPath: file))
            let second = try bench.start()
            #expect(try second.waitForEnd(10) == 1)
            #expect(second.log.contains("newer version"), "\(second.log)")
            #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == before)
        }

        @Test("a damaged store is refused and left as it is", arguments: ["journal.db", "twins.db"])
        func damagedStore(name: String) throws {
            let bench = try Workbench("damaged")
            try FileManager.default.createDirectory(atPath: bench.data, withIntermediateDirectories: true)
            let file = bench.data + "/" + name
            let garbage = Data("this is not a database, but somebody may still want it back".utf8)
            try garbage.write(to: URL(fileURLWithPath: file))
            let process = try bench.start()
            #expect(try process.waitForEnd(10) == 1)
            #expect(process.log.contains("damaged or not a store"), "\(process.log)")
            #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == garbage)
        }
    }
}
