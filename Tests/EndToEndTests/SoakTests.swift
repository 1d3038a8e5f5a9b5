// A million messages: long, so only on request.
import Foundation
import Testing
import TwinspanTestSupport

extension EndToEnd {
    @Suite(
        "A million messages",
        .enabled(
            if: ProcessInfo.processInfo.environment["TWINSPAN_LONG"] == "1",
            "set TWINSPAN_LONG=1 for the test with a million messages"))
    struct SoakTests {
        static let messages = 1_000_000
        static let journalBytes = 20_000_000

        @Test("memory at the end is that after the first 100,000, and the data directory stays bounded")
        func million() throws {
            let bench = try Workbench("million")
            try bench.writePlant()
            let collector = try EventCollector(
                port: bench.broker.port, clientID: "event-counter", ["events/#"], keepsMessages: false)
            let replies = try EventCollector(port: bench.broker.port, ["replies/#"])
            let generator = LoadGenerator(port: bench.broker.port, window: 500)
            defer {
                collector.stop()
                replies.stop()
                generator.stop()
            }
            let process = try bench.start(["--set", "journal.maxBytes=20MB"])
            try process.waitUntilReady()
            let names = (0..<1000).map { "device-\($0)" }
            try LossTests.create(names, generator, replies)
            var ledger = Ledger()
            var memory = 0
            var largest = 0
            for chunk in 1...(Self.messages / 10_000) {
                generator.send(
                    (0..<10_000).map { index in
                        let name = names[index % names.count]
                        return .init("telemetry/\(name)", Command.setSpeed(name, ledger.next(name)))
                    })
                try generator.waitForBacklog(below: 5_000, 120)
                largest = max(largest, try Self.size(of: bench.data))
                guard chunk % 10 == 0 else { continue }
                let resident = try process.memory("VmRSS")
                if chunk == 10 { memory = resident }
                let parts = try ["RssAnon", "RssFile", "RssShmem"].map { "\($0) \(try process.memory($0))" }
                print("after \(chunk)0,000 messages: VmRSS \(resident), \(parts.joined(separator: ", ")) kB")
            }
            try generator.waitForConfirmations(300)
            let memoryAtEnd = try process.memory("VmRSS")
            try LossTests.expectTwins(at: ledger, generator, replies, 600)
            print("memory: \(memory) kB after 100,000, \(memoryAtEnd) kB at the end; data at most \(largest) bytes")
            #expect(Double(memoryAtEnd) <= Double(memory) * 1.1, "\(memory) kB became \(memoryAtEnd) kB")
            // The journal as kept, its pages and index, the rows, the capped log, and the ballast.
            #expect(largest < 3 * Self.journalBytes + 2 * 64_000_000, "\(largest) bytes")
            process.signal(SIGTERM)
            #expect(try process.waitForEnd(10) == 0)
        }

        private static func size(of directory: String) throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: directory).reduce(0) { sum, name in
                var status = stat()
                return stat(directory + "/" + name, &status) == 0 ? sum + Int(status.st_size) : sum
            }
        }
    }
}
