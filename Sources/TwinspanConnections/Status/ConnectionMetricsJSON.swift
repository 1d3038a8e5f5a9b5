// The metrics of a connection as the management API shows them (spec/connectivity.md §8.5).
public import TwinspanJSON
public import TwinspanProtocol

/// Builds the body of `…/metrics` and of `retrieveConnectionMetrics`.
public enum ConnectionMetricsJSON {
    /// The response, with its `type` and `status`.
    public static func response(_ metrics: ConnectionMetrics, connectionID: ConnectionID) -> JSONObject {
        let inbound = sum(metrics.sources)
        let outbound = sum(metrics.targets)
        let containsFailures = (inbound + outbound).contains { measurement in
            measurement.failure.lastMinute > 0 || measurement.failure.lastHour > 0 || measurement.failure.lastDay > 0
        }
        return [
            "type": "connectivity.responses:retrieveConnectionMetrics", "status": 200,
            "connectionId": .string(connectionID.text), "containsFailures": .bool(containsFailures),
            "connectionMetrics": ["inbound": json(inbound), "outbound": json(outbound)],
            "sourceMetrics": ["addressMetrics": json(metrics.sources)],
            "targetMetrics": ["addressMetrics": json(metrics.targets)],
        ]
    }

    /// The sums over all addresses, in the order in which stages appear.
    static func sum(_ addresses: [ConnectionMetrics.AddressMetrics]) -> [ConnectionMetrics.Measurement] {
        var sums: [ConnectionMetrics.Measurement] = []
        for measurement in addresses.lazy.flatMap(\.measurements) {
            if let index = sums.firstIndex(where: { $0.stage == measurement.stage }) {
                sums[index].success.add(measurement.success)
                sums[index].failure.add(measurement.failure)
            } else {
                sums.append(measurement)
            }
        }
        return sums
    }

    /// An empty map is null, as clients know it.
    private static func json(_ addresses: [ConnectionMetrics.AddressMetrics]) -> JSONValue {
        guard !addresses.isEmpty else { return .null }
        return .object(JSONObject(addresses.map { ($0.address, json($0.measurements)) }))
    }

    private static func json(_ measurements: [ConnectionMetrics.Measurement]) -> JSONValue {
        guard !measurements.isEmpty else { return .null }
        return .object(
            JSONObject(
                measurements.map { measurement in
                    (
                        measurement.stage.rawValue,
                        ["success": json(measurement.success), "failure": json(measurement.failure)]
                    )
                }))
    }

    private static func json(_ count: ConnectionMetrics.Count) -> JSONValue {
        [
            "PT1M": .number(JSONNumber(count.lastMinute)), "PT1H": .number(JSONNumber(count.lastHour)),
            "PT24H": .number(JSONNumber(count.lastDay)), "lastMessageAt": JSONValue(count.lastMessageAt),
        ]
    }
}

extension JSONValue {
    /// The text of an instant, or null.
    init(_ time: Timestamp?) {
        if let time { self = .string(time.iso8601) } else { self = .null }
    }
}

extension ConnectionMetrics.Count {
    /// Adds numbers; the later of the two times stays.
    fileprivate mutating func add(_ other: ConnectionMetrics.Count) {
        lastMinute += other.lastMinute
        lastHour += other.lastHour
        lastDay += other.lastDay
        lastMessageAt = [lastMessageAt, other.lastMessageAt].compactMap { $0 }.max()
    }
}
