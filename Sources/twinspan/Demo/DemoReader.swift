// Asks the demo's service what its screen shows, over the same HTTP API that everybody uses.
import TwinspanJSON
import TwinspanProtocol

/// Reads one service.
struct DemoReader {
    let client: PlainHTTPClient
    let clock = SystemClock()
    private var last: MetricsReading?

    init(client: PlainHTTPClient) { self.client = client }

    /// Whether the service takes commands and all its connections are up.
    var isReady: Bool { client.request("GET", "/ready")?.status == 200 }

    /// Fills in what is known now. What nobody answers stays as it was.
    mutating func update(_ view: inout DemoView, ids: [ThingID]) {
        if let answer = client.request("GET", "/metrics"), answer.status == 200 {
            let reading = MetricsReading(answer.text, takenAt: clock.monotonic)
            view.inRate = rate(reading, "inbound", "received")
            view.committedRate = rate(reading, "inbound", "committed")
            view.outRate = rate(reading, "outbound", "published")
            view.p99Milliseconds = reading.commitP99(since: last) ?? view.p99Milliseconds
            view.links = view.links.map { link in
                DemoView.Link(
                    id: link.id, state: reading.state(of: link.id) ?? "unknown", sources: link.sources,
                    targets: link.targets)
            }
            last = reading
        }
        view.rows = ids.map { row(of: $0) }
    }

    private func rate(_ reading: MetricsReading, _ direction: String, _ outcome: String) -> Double? {
        guard let last, reading.takenAt > last.takenAt else { return nil }
        let seconds = Double(reading.takenAt - last.takenAt) / 1e9
        return (reading.messages(direction, outcome) - last.messages(direction, outcome)) / seconds
    }

    private static let fields = "_revision,_modified,features/environment/properties"

    private func row(of id: ThingID) -> DemoView.Row {
        let answer = client.request("GET", "/api/2/things/\(id)?fields=\(Self.fields)")
        // Until the thing exists its row is empty.
        let thing = answer.flatMap { $0.status == 200 ? try? JSONValue.parse($0.body) : nil }?.object
        let values = thing?["features"]?.object?["environment"]?.object?["properties"]?.object
        return DemoView.Row(
            id: id.text, temperature: values?["temperature"]?.double, humidity: values?["humidity"]?.int64,
            revision: thing?["_revision"]?.int64, age: thing?["_modified"]?.string.flatMap { age(of: $0) })
    }

    /// Seconds since an instant of today or yesterday, which is all a screen of seconds needs.
    private func age(of instant: String) -> Double? {
        let now = clock.now.iso8601
        guard let then = Self.secondOfDay(instant), let here = Self.secondOfDay(now) else { return nil }
        let age = here - then
        return instant.prefix(10) == now.prefix(10) ? age : age + 86_400
    }

    /// The seconds since midnight of `2026-01-31T12:34:56.789Z`.
    private static func secondOfDay(_ instant: String) -> Double? {
        let parts = instant.dropFirst(11).dropLast().split(separator: ":").map { Double($0) }
        guard parts.count == 3, let hour = parts[0], let minute = parts[1], let second = parts[2] else { return nil }
        return hour * 3600 + minute * 60 + second
    }
}
