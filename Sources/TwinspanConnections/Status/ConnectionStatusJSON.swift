// The status of a connection as the management API shows it (spec/connectivity.md §8.4, §8.7).
public import TwinspanJSON
import TwinspanProtocol

/// Builds the body of `…/status` and of `retrieveConnectionStatus`.
public enum ConnectionStatusJSON {
    /// How a resource is.
    enum Status: String, CaseIterable { case open, closed, failed, misconfigured, unknown }

    /// How the way back to a connection is.
    enum Recovery: String, CaseIterable { case succeeded, ongoing, backOffLimitReached, unknown }

    /// The response, with its `type` and `status`.
    public static func response(_ facts: ConnectionStatusFacts) -> JSONObject {
        let entries = StatusEntries(facts)
        let recovery = recovery(entries.clients.map { $0.recovery ?? .unknown })
        var body: JSONObject = [
            "type": "connectivity.responses:retrieveConnectionStatus", "status": 200,
            "connectionId": .string(facts.connection.id.text),
            "connectionStatus": .string(facts.connection.isOpen ? "open" : "closed"),
            "liveStatus": .string(liveStatus(entries).rawValue), "recoveryStatus": .string(recovery.rawValue),
        ]
        let since = entries.clients.filter { $0.status == .open }.map(\.since).min()
        if let since { body["connectedSince"] = .string(since.iso8601) }
        for (key, group) in [
            ("clientStatus", entries.clients), ("sourceStatus", entries.sources), ("targetStatus", entries.targets),
            ("sshTunnelStatus", entries.tunnels),
        ] where !group.isEmpty {
            body[key] = .array(group.map { .object(json($0, client: facts.client)) })
        }
        return body
    }

    private static func json(_ entry: StatusEntry, client: String) -> JSONObject {
        var json: JSONObject = ["type": .string(entry.type.rawValue), "client": .string(client)]
        if let address = entry.address { json["address"] = .string(address) }
        json["status"] = .string(entry.status.rawValue)
        if let recovery = entry.recovery { json["recoveryStatus"] = .string(recovery.rawValue) }
        json["statusDetails"] = .string(entry.details)
        json["inStateSince"] = .string(entry.since.iso8601)
        return json
    }

    // MARK: Aggregation

    static func liveStatus(_ entries: StatusEntries) -> Status {
        let groups = [entries.clients, entries.sources, entries.targets, entries.tunnels]
        // Empty groups would make an open one of them.
        if groups.joined().allSatisfy({ $0.status == .closed }) { return .closed }
        let clients = entries.clients.map(\.status)
        return overall(groups.map { group($0.map(\.status), clients: clients) })
    }

    /// The status of a group of resources of one kind. An empty one counts as open.
    static func group(_ statuses: [Status], clients: [Status]) -> Status {
        if let clear = clear(statuses) { return clear }
        return statuses.contains(.unknown) && clients.allSatisfy { $0 == .open } ? .open : .unknown
    }

    static func overall(_ groups: [Status]) -> Status {
        clear(groups) ?? .unknown
    }

    private static func clear(_ statuses: [Status]) -> Status? {
        if statuses.allSatisfy({ $0 == .open }) { return .open }
        if statuses.contains(.failed) { return .failed }
        if statuses.contains(.misconfigured) { return .misconfigured }
        return statuses.allSatisfy { $0 == .closed } ? .closed : nil
    }

    static func recovery(_ recoveries: [Recovery]) -> Recovery {
        if recoveries.allSatisfy({ $0 == .succeeded }) { return .succeeded }
        if recoveries.contains(.backOffLimitReached) { return .backOffLimitReached }
        return recoveries.contains(.ongoing) ? .ongoing : .unknown
    }
}
