// Whether what came in has gone out: the identities that hold between the counters of a connection (operating.md), read
// from `/metrics` like anybody would.
import Foundation
import TwinspanTestSupport

/// The figures of `/metrics` at one moment.
struct Balance {
    /// One sample of the page.
    private struct Sample {
        var name: String
        var labels: [String: String]
        var value: Double
    }

    private let samples: [Sample]

    /// Reads the page.
    init(_ process: TwinspanProcess) throws {
        samples = try process.http().get("/metrics").text.split(separator: "\n").compactMap { line in
            guard line.first != "#", let space = line.lastIndex(of: " "),
                let value = Double(line[line.index(after: space)...])
            else { return nil }
            var labels: [String: String] = [:]
            let head = line[..<space]
            let name = head.prefix { $0 != "{" }
            // Values are ids and words of closed vocabularies: no quote and no comma is in them.
            for pair in head.dropFirst(name.count + 1).dropLast().split(separator: ",") {
                let parts = pair.split(separator: "=", maxSplits: 1)
                if parts.count == 2 { labels[String(parts[0])] = String(parts[1].dropFirst().dropLast()) }
            }
            return Sample(name: String(name), labels: labels, value: value)
        }
    }

    /// All connections on the page.
    var connections: [String] { Set(samples.compactMap { $0.labels["connection"] }).sorted() }

    /// The sum of an outcome's counters, of all reasons or of one.
    func count(
        _ connection: String, _ outcome: String, _ direction: String = "inbound",
        where isWanted: (_ reason: String) -> Bool = { _ in true }
    ) -> Int {
        Int(
            samples.filter {
                $0.name == "twinspan_connection_messages_total" && $0.labels["connection"] == connection
                    && $0.labels["outcome"] == outcome && $0.labels["direction"] == direction
                    && isWanted($0.labels["reason"] ?? "")
            }.reduce(0) { $0 + $1.value })
    }

    /// A figure of a connection, such as `inbox_messages`.
    func gauge(_ connection: String, _ name: String) -> Int {
        Int(
            samples.first { $0.name == "twinspan_connection_\(name)" && $0.labels["connection"] == connection }?.value
                ?? -1)
    }

    /// 1 when the connection is in this state.
    func value(ofState state: String, _ connection: String) -> Int {
        let sample = samples.first {
            $0.name == "twinspan_connection_state" && $0.labels["connection"] == connection
                && $0.labels["state"] == state
        }
        return Int(sample?.value ?? -1)
    }

    /// A figure of the process.
    func value(_ name: String) -> Double? { samples.first { $0.name == name && $0.labels.isEmpty }?.value }

    /// Everything that was counted of a connection, for messages of tests.
    func summary(_ connection: String) -> String {
        samples.filter { $0.labels["connection"] == connection && $0.value != 0 && $0.labels["state"] == nil }
            .map { sample in
                let words = [sample.labels["direction"], sample.labels["outcome"], sample.labels["reason"]]
                    .compactMap { $0 }.filter { !$0.isEmpty }
                let name = sample.name.replacing("twinspan_connection_", with: "")
                return (words.isEmpty ? name : words.joined(separator: " ")) + " \(Int(sample.value))"
            }.joined(separator: ", ")
    }

    /// What does not add up; empty when everything does. While something is on its way the sums may be off by it.
    var discrepancies: [String] {
        connections.flatMap { id -> [String] in
            var found: [String] = []
            func expect(_ what: String, _ left: Int, _ right: Int) {
                if left != right { found.append("\(id): \(what): \(left) ≠ \(right); \(summary(id))") }
            }
            expect(
                "received = settled + retried + in the batch", count(id, "received"),
                count(id, "acknowledged") + count(id, "retried") + gauge(id, "in_flight"))
            expect(
                "settled = with signals + without + dead", count(id, "acknowledged"),
                count(id, "effective") + count(id, "empty") + count(id, "dead"))
            let ends = ["committed", "unchanged", "served", "denied", "dropped", "redelivered"]
            expect(
                "signals = their ends + waiting", count(id, "mapped") + count(id, "unmapped"),
                ends.reduce(gauge(id, "waiting_signals")) { $0 + count(id, $1) })
            let pairs =
                ["published", "filtered", "denied"].reduce(0) { $0 + count(id, $1, "outbound") }
                + count(id, "dropped", "outbound") { !$0.hasPrefix("reply-") }
            expect("offered = published + filtered + denied + dropped", count(id, "offered", "outbound"), pairs)
            return found
        }
    }

    /// Whether nothing is on its way in or out.
    var isAtRest: Bool {
        connections.allSatisfy { gauge($0, "in_flight") == 0 && gauge($0, "queue_messages") == 0 }
    }

    /// Waits until the service rests and everything adds up; throws with what does not. Returns the figures.
    @discardableResult
    static func settle(_ process: TwinspanProcess, _ timeout: Double = 10) throws -> Balance {
        try wait(process, timeout, for: "a balance") { $0.isAtRest && $0.discrepancies.isEmpty }
    }

    /// Waits until the figures are as wanted.
    @discardableResult
    static func wait(
        _ process: TwinspanProcess, _ timeout: Double = 10, for what: String, _ isWanted: (Balance) -> Bool
    ) throws -> Balance {
        let end = Date(timeIntervalSinceNow: timeout)
        while true {
            let balance = try Balance(process)
            if isWanted(balance) { return balance }
            if Date() >= end {
                let all = balance.connections.map { "\($0): \(balance.summary($0))" }
                throw ScenarioFailure(
                    "\(what) did not come within \(timeout) s: \((balance.discrepancies + all).joined(separator: "\n"))"
                )
            }
            usleep(20_000)
        }
    }
}
