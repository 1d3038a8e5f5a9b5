// Dead letters over HTTP: look at them, carry them out once more, let them go.
import HTTPTypes
import Hummingbird
import TwinspanConnections
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol

/// Serves `/devops/twinspan/deadletters`.
struct DeadLetterRequests: Sendable {
    let engine: TwinEngine
    let waits: CommitWaits
    let calls: ManagementCalls

    /// Letters listed unless `limit` says otherwise, and the most that it may say.
    static let limit = 100
    static let limitMaximum = 1_000
    /// How long a removal waits for the store.
    private static let patience = Duration.seconds(10)

    func list(_ management: ManagementRequest, _ reply: Reply) async throws -> Response {
        var query = DeadLetterQuery(connection: try connection(management))
        query.before = try number(management, "before", 1...Int64.max)
        query.limit = Int(try number(management, "limit", 1...Int64(Self.limitMaximum)) ?? Int64(Self.limit))
        let asked = query
        let letters = try await read { (engine) throws(StoreFailure) in try engine.deadLetters(asked) }
        let list = letters.map { JSONValue.object(Self.metadata($0)) }
        return Self.ok(["deadLetters": .array(list)], reply)
    }

    func show(id: Int64, _ reply: Reply) async throws -> Response {
        let letter = try await letter(id)
        var json = Self.metadata(letter)
        json["headers"] = .array(
            letter.message.headers.map { ["name": .string($0.name), "value": .string($0.value)] })
        if let text = String(validating: letter.message.payload, as: UTF8.self) {
            json["payloadEncoding"] = "utf-8"
            json["payload"] = .string(text)
        } else {
            json["payloadEncoding"] = "base64"
            json["payload"] = .string(Base64.encode(letter.message.payload))
        }
        return Self.ok(.object(json), reply)
    }

    func retry(id: Int64, _ reply: Reply) async throws -> Response {
        _ = try await letter(id)
        try await calls.command { (registry) throws(TwinspanError) in try registry.retry(deadLetter: id) }
        return reply.success(status: 204, value: nil, etag: nil, revision: nil)
    }

    func drop(id: Int64, _ reply: Reply) async throws -> Response {
        _ = try await letter(id)
        try await remove([id])
        return reply.success(status: 204, value: nil, etag: nil, revision: nil)
    }

    /// All letters of a connection, which has to be named.
    func dropAll(_ management: ManagementRequest, _ reply: Reply) async throws -> Response {
        guard let connection = try connection(management) else {
            throw HTTPErrors.parameterInvalid("connection", "Name the connection whose dead letters shall go.")
        }
        var query = DeadLetterQuery(connection: connection, limit: Self.limitMaximum)
        var removed = 0
        while true {
            let asked = query
            let letters = try await read { (engine) throws(StoreFailure) in try engine.deadLetters(asked) }
            guard let oldest = letters.last else { break }
            try await remove(letters.map(\.id))
            removed += letters.count
            query.before = oldest.id
        }
        return Self.ok(["removed": .number(JSONNumber(removed))], reply)
    }

    // MARK: Pieces

    private func letter(_ id: Int64) async throws -> DeadLetter {
        let found = try await read { (engine) throws(StoreFailure) in try engine.deadLetter(id) }
        guard let found else { throw HTTPErrors.deadLetterNotFound(id) }
        return found
    }

    private func remove(_ ids: [Int64]) async throws(TwinspanError) {
        let ticket = engine.keep(ids.map { .deadLetterRemove(id: $0) })
        try await waits.settle(ticket, patience: Self.patience, unavailable: GeneralErrorTable.serviceUnavailable)
    }

    private func read<Value: Sendable>(
        _ body: @escaping @Sendable (TwinEngine) throws(StoreFailure) -> Value
    ) async throws(TwinspanError) -> Value {
        try await calls.read { [engine] () throws(TwinspanError) in
            do throws(StoreFailure) {
                return try body(engine)
            } catch {
                throw GeneralErrorTable.serviceUnavailable.error("The store cannot be read: \(error.description).")
            }
        }
    }

    private func connection(_ management: ManagementRequest) throws(TwinspanError) -> ConnectionID? {
        guard let text = management.parameter("connection"), !text.isEmpty else { return nil }
        return try ConnectionID(text)
    }

    private func number(
        _ management: ManagementRequest, _ name: String, _ range: ClosedRange<Int64>
    ) throws(TwinspanError) -> Int64? {
        guard let text = management.parameter(name) else { return nil }
        guard let number = Int64(text), range.contains(number) else {
            let top = range.upperBound == .max ? "on" : "to \(range.upperBound)"
            throw HTTPErrors.parameterInvalid(name, "Use a number from \(range.lowerBound) \(top).")
        }
        return number
    }

    private static func ok(_ value: JSONValue, _ reply: Reply) -> Response {
        reply.success(status: 200, value: JSONText(value), etag: nil, revision: nil)
    }

    private static func metadata(_ letter: DeadLetter) -> JSONObject {
        let message = letter.message
        var json: JSONObject = [
            "id": .number(JSONNumber(letter.id)), "connection": .string(message.connection.text),
            // Counted from 1, as everywhere where people see it.
            "source": .number(JSONNumber(message.source + 1)), "address": .string(message.address),
            "qos": .number(JSONNumber(Int(message.qos))), "retained": .bool(message.isRetained),
            "bytes": .number(JSONNumber(message.payload.count)), "receivedAt": .string(message.receivedAt.iso8601),
            "diedAt": .string(letter.diedAt.iso8601), "attempts": .number(JSONNumber(letter.attempts)),
            "stage": .string(letter.stage),
        ]
        if let correlationID = letter.correlationID { json["correlationId"] = .string(correlationID) }
        json["error"] = letter.error.json
        return json
    }
}
