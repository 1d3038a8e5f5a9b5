// One line of a tap: what happened to one message at one stage, as JSON.
import TwinspanJSON
import TwinspanProtocol

enum TapLine {
    /// The most bytes of one value; what is longer is cut.
    private static let valueMaximum = 4096

    /// The line of a note, with its line end.
    static func bytes(_ note: StageNote, connection: ConnectionID, address: String?, at time: Timestamp) -> [UInt8] {
        var line = head(connection, time)
        func put(_ key: String, _ value: String?) {
            if let value { line[key] = .string(value.cut(to: valueMaximum)) }
        }
        switch note.place {
        case .source(let index):
            put("direction", "inbound")
            // Counted from 1, as everywhere where people see it.
            line["source"] = .number(JSONNumber(Int64(clamping: index) + 1))
        case .target(let index):
            put("direction", "outbound")
            line["target"] = .number(JSONNumber(Int64(clamping: index) + 1))
        case .responses: put("direction", "outbound")
        case .connection: break
        }
        put("stage", note.stage.rawValue)
        put("outcome", (note.isFailure ? TapFilter.Outcome.failure : .success).rawValue)
        put("address", note.address ?? address)
        if let type = note.entityType { put(type, note.entityID) }
        put("correlationId", note.correlationID)
        put("reason", note.reason)
        put("message", note.message)
        if !note.details.isEmpty {
            line["details"] = .object(
                JSONObject(note.details.map { ($0.name, .string($0.value.cut(to: valueMaximum))) }))
        }
        return end(line)
    }

    /// A line about the tap itself.
    static func notice(_ message: String, dropped: Int? = nil, connection: ConnectionID, at time: Timestamp) -> [UInt8]
    {
        var line = head(connection, time)
        if let dropped { line["dropped"] = .number(JSONNumber(Int64(clamping: dropped))) }
        line["message"] = .string(message)
        return end(line)
    }

    private static func head(_ connection: ConnectionID, _ time: Timestamp) -> JSONObject {
        ["time": .string(time.iso8601), "connection": .string(connection.text)]
    }

    private static func end(_ line: JSONObject) -> [UInt8] {
        var bytes: [UInt8] = []
        line.write(into: &bytes)
        bytes.append(UInt8(ascii: "\n"))
        return bytes
    }
}
