// The log of a connection as the management API shows it (spec/connectivity.md §8.6).
public import TwinspanJSON
public import TwinspanProtocol

/// Builds the body of `…/logs` and of `retrieveConnectionLogs`.
public enum ConnectionLogsJSON {
    /// What stands for the correlation id of a message that has none.
    public static let noCorrelationID = "<not-provided>"
    /// The most bytes the body has; the newest entries that fit are shown.
    public static let byteMaximum = 250_000

    /// The body; it has neither `type` nor `status`.
    public static func body(
        _ logs: ConnectionLogs, connectionID: ConnectionID, byteMaximum: Int = byteMaximum
    ) -> JSONObject {
        var body: JSONObject = [
            "connectionId": .string(connectionID.text), "connectionLogs": .array([]),
            "enabledSince": JSONValue(logs.enabledSince), "enabledUntil": JSONValue(logs.enabledUntil),
        ]
        var size = JSONValue.object(body).bytes.count
        // `sorted` keeps the order of equals, which is the order in which they came.
        let entries = logs.entries.sorted { $0.timestamp < $1.timestamp }
        var shown: [JSONValue] = []
        for entry in entries.reversed() {
            let json = JSONValue.object(json(entry))
            size += json.bytes.count + (shown.isEmpty ? 0 : 1)
            if size > byteMaximum { break }
            shown.append(json)
        }
        body["connectionLogs"] = .array(shown.reversed())
        return body
    }

    private static func json(_ entry: ConnectionLogEntry) -> JSONObject {
        var json: JSONObject = [
            "correlationId": .string(entry.correlationID ?? noCorrelationID),
            "timestamp": .string(entry.timestamp.iso8601), "category": .string(entry.category.rawValue),
            "type": .string(entry.stage.rawValue), "level": .string(entry.isFailure ? "failure" : "success"),
            "message": .string(entry.message),
        ]
        if let address = entry.address { json["address"] = .string(address) }
        if let type = entry.entityType { json["entityType"] = .string(type) }
        if let id = entry.entityID { json["entityId"] = .string(id) }
        return json
    }
}
