// What the demo's screen reads from /metrics: rates, states and the commit latency.

/// The samples of one reading of /metrics.
struct MetricsReading {
    /// One sample.
    struct Sample {
        let name: String
        let labels: [String: String]
        let value: Double
    }

    let samples: [Sample]
    /// Monotonic nanoseconds.
    let takenAt: UInt64

    init(_ text: String, takenAt: UInt64) {
        self.takenAt = takenAt
        samples = text.split(separator: "\n").compactMap { $0.hasPrefix("#") ? nil : Self.sample($0) }
    }

    /// All messages of an outcome, over all connections.
    func messages(_ direction: String, _ outcome: String) -> Double {
        samples.reduce(0) { sum, sample in
            sample.name == "twinspan_connection_messages_total" && sample.labels["direction"] == direction
                && sample.labels["outcome"] == outcome ? sum + sample.value : sum
        }
    }

    /// The state of a connection.
    func state(of connection: String) -> String? {
        samples.first {
            $0.name == "twinspan_connection_state" && $0.labels["connection"] == connection && $0.value == 1
        }?.labels["state"]
    }

    /// The 99th percentile of the commits between an earlier reading and this one, in milliseconds, interpolated within
    /// its bucket; nil when there were none.
    func commitP99(since earlier: MetricsReading?) -> Double? {
        let before = Dictionary(
            earlier?.buckets.map { ($0.bound, $0.count) } ?? [], uniquingKeysWith: { first, _ in first })
        let counts = buckets.map { (bound: $0.bound, count: $0.count - (before[$0.bound] ?? 0)) }
        guard let all = counts.last?.count, all > 0 else { return nil }
        let rank = all * 0.99
        var (lowerBound, lowerCount) = (0.0, 0.0)
        for (bound, count) in counts {
            if count >= rank {
                guard bound.isFinite else { return lowerBound * 1000 }
                return (lowerBound + (bound - lowerBound) * (rank - lowerCount) / (count - lowerCount)) * 1000
            }
            (lowerBound, lowerCount) = (bound, count)
        }
        return nil
    }

    private var buckets: [(bound: Double, count: Double)] {
        samples.filter { $0.name == "twinspan_commit_seconds_bucket" }
            .map { ($0.labels["le"].flatMap { Double($0) } ?? .infinity, $0.value) }
            .sorted { $0.0 < $1.0 }
    }

    /// `name{key="value",…} number`. Values with escapes do not occur in what is read here.
    private static func sample(_ line: Substring) -> Sample? {
        guard let space = line.lastIndex(of: " "), let value = Double(line[line.index(after: space)...]) else {
            return nil
        }
        let key = line[..<space]
        guard let brace = key.firstIndex(of: "{") else { return Sample(name: String(key), labels: [:], value: value) }
        var labels: [String: String] = [:]
        for pair in key[key.index(after: brace)...].dropLast().split(separator: "\",") {
            let parts = pair.split(separator: "=", maxSplits: 1)
            guard parts.count == 2 else { continue }
            labels[String(parts[0])] = String(parts[1].filter { $0 != "\"" })
        }
        return Sample(name: String(key[..<brace]), labels: labels, value: value)
    }
}
