// Each broker as source with each broker as target: what comes in through one goes out through all of them.
import Foundation
import Testing
import TwinspanTestSupport

extension EndToEnd {
    @Suite("Pairs of brokers", .enabled(if: BrokerKind.unavailableReason == nil))
    struct PairTests {
        static let devices = 20
        static let messages = 10_000

        @Test(
            "10,000 changes from a broker reach every type of target once, in order, with their header",
            arguments: BrokerKind.sources)
        func pairs(_ source: BrokerKind) throws {
            let bench = try Workbench("pairs-\(source.rawValue)")
            let yard = try BrokerYard("pairs", mosquitto: bench.broker)
            // The queues hold the whole run: what does not fit would be dropped, as ordinary targets promise.
            let sinks = try BrokerKind.allCases.map { try BrokerSink($0, in: yard, options: "{ queue: 20000 }") }
            defer { for sink in sinks { sink.stop() } }
            try bench.write(yard.source(source, lines: ["replyTarget: { enabled: false }"]), to: "in.yaml")
            for sink in sinks { try bench.write(sink.file, to: "out-\(sink.kind.rawValue).yaml") }
            let process = try bench.start()
            try process.waitUntilReady(60)
            let names = (0..<Self.devices).map { "device-\($0)" }
            try process.makeThings(names)

            var ledger = Ledger()
            let messages = (0..<Self.messages).map { index in
                let name = names[index % names.count]
                let number = ledger.next(name)
                return SourceMessage(
                    device: name, text: Command.setSpeed(name, number),
                    origin: Self.origin(source, "plant:\(name)", number))
            }
            let start = Date()
            for from in stride(from: 0, to: messages.count, by: 500) {
                try yard.send(Array(messages[from..<min(from + 500, messages.count)]), to: source)
            }
            // The creations are events, too.
            let wanted = Self.messages + Self.devices
            let end = Date(timeIntervalSinceNow: 240)
            for sink in sinks where !sink.arrivals.wait(end.timeIntervalSinceNow, until: { $0.count >= wanted }) {
                let counts = sinks.map { "\($0.kind.rawValue) \($0.arrivals.current.count)" }
                let all = try Balance(process)
                throw ScenarioFailure(
                    "\(wanted) messages did not come: \(counts); "
                        + all.connections.map { "\($0): \(all.summary($0))" }.joined(separator: "\n")
                        + process.log.suffix(3000))
            }
            let seconds = Date().timeIntervalSince(start)
            let balance = try Balance.settle(process, 30)
            for sink in sinks {
                let id = "out-\(sink.kind.rawValue)"
                #expect(balance.count(id, "dropped", "outbound") == 0, "\(balance.summary(id))")
                #expect(balance.count(id, "published", "outbound") == wanted, "\(balance.summary(id))")
            }
            process.signal(SIGTERM)
            #expect(try process.waitForEnd(15) == 0)
            // What came behind the last one would be a second time.
            usleep(300_000)
            for sink in sinks { try Self.check(sink, source) }
            print("pairs from \(source.rawValue): \(Int(seconds)) s, \(Int(Double(Self.messages) / seconds)) in/s")
        }

        /// What a message says of where it comes from; MQTT 3.1.1 can say the same of all only.
        private static func origin(_ source: BrokerKind, _ thing: String, _ number: Int) -> String {
            source == .mqtt ? "mqtt" : "\(source.rawValue)-\(thing)-\(number)"
        }

        private static func check(_ sink: BrokerSink, _ source: BrokerKind) throws {
            var last: [String: Int] = [:]
            for arrival in sink.arrivals.current {
                let place = "\(source.rawValue) to \(sink.kind.rawValue)"
                // JSON that cannot be read fails right below.
                let json = try? JSONSerialization.jsonObject(with: Data(arrival.payload)) as? [String: Any]
                guard let topic = (json?["topic"] as? String)?.split(separator: "/"), topic.count == 6 else {
                    throw ScenarioFailure("\(place): not an event: \(String(decoding: arrival.payload, as: UTF8.self))")
                }
                guard topic[5] == "modified" else { continue }
                let thing = "\(topic[0]):\(topic[1])"
                let number = json?["value"] as? Int
                try require(
                    number == (last[thing] ?? 0) + 1,
                    "\(place): \(thing) has \(number ?? -1) behind \(last[thing] ?? 0)")
                // The thing's creation is its first revision.
                try require(
                    json?["revision"] as? Int == (number ?? 0) + 1,
                    "\(place): \(thing) has \(number ?? -1) as revision \(json?["revision"] ?? "none")")
                let origin = origin(source, thing, number ?? 0)
                try require(
                    arrival.header == origin, "\(place): '\(arrival.header ?? "")' came in place of '\(origin)'")
                last[thing] = number
            }
            try require(
                last.count == devices && last.values.allSatisfy { $0 == messages / devices },
                "\(source.rawValue) to \(sink.kind.rawValue): the last numbers are \(last)")
        }
    }
}
