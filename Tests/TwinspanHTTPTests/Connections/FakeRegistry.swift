// A registry whose connections exist only as definitions: what HTTP makes of requests is tested with it, what happens
// to brokers is not.
import Synchronization
import TwinspanConnections
import TwinspanJSON
import TwinspanProtocol

final class FakeRegistry: ConnectionRegistry {
    struct State {
        var definitions: [ConnectionID: ConnectionDefinition] = [:]
        var calls: [String] = []
        /// Thrown by the next command that waits for a broker.
        var failure: TwinspanError?
        var tested: (id: ConnectionID, document: JSONObject)?
        var recorder: ConnectionRecorder?
    }

    let state = Mutex(State())
    static let time = Timestamp(milliseconds: 1_700_000_000_000)

    var calls: [String] { state.withLock { $0.calls } }
    func fail(_ error: TwinspanError) { state.withLock { $0.failure = error } }

    /// Adds a connection without a call.
    func add(_ id: String, tags: [String] = [], file: String? = nil) throws {
        let id = try ConnectionID(id)
        let json: JSONObject = [
            "id": .string(id.text), "connectionType": "mqtt", "connectionStatus": "closed",
            "uri": "tcp://u:secret@localhost:1883", "tags": .array(tags.map { .string($0) }),
        ]
        let definition = ConnectionDefinition(
            id: id, json: json, revision: 1, created: Self.time, modified: Self.time, file: file)
        state.withLock { $0.definitions[id] = definition }
    }

    private func note(_ call: String, _ id: ConnectionID? = nil) throws(TwinspanError) {
        let failure = state.withLock { state -> TwinspanError? in
            state.calls.append(id.map { "\(call) \($0)" } ?? call)
            defer { state.failure = nil }
            return state.failure
        }
        if let failure { throw failure }
    }

    func snapshots() -> [ConnectionSnapshot] { [] }
    func ids() -> [ConnectionID] { state.withLock { $0.definitions.keys.sorted() } }
    func definitions() -> [ConnectionDefinition] {
        state.withLock { $0.definitions.values.sorted { $0.id < $1.id } }
    }

    func definition(of id: ConnectionID) throws(TwinspanError) -> ConnectionDefinition {
        guard let found = state.withLock({ $0.definitions[id] }) else { throw ConnectivityErrorTable.notFound.error() }
        return found
    }

    func create(
        _ document: JSONObject, id: ConnectionID, check: RevisionCheck
    ) throws(TwinspanError) -> ConnectionDefinition {
        try note("create", id)
        if state.withLock({ $0.definitions[id] != nil }) { throw ConnectivityErrorTable.conflict.error() }
        try check(nil)
        var json = document
        json["id"] = .string(id.text)
        let definition = ConnectionDefinition(
            id: id, json: json, revision: 1, created: Self.time, modified: Self.time)
        state.withLock { $0.definitions[id] = definition }
        return definition
    }

    func modify(
        _ document: JSONObject, id: ConnectionID, mayChangeType: Bool, patience: Duration, check: RevisionCheck
    ) throws(TwinspanError) {
        var definition = try definition(of: id)
        try check(definition.revision)
        try note(mayChangeType ? "modify as sudo" : "modify", id)
        definition.json = document
        definition.revision += 1
        let changed = definition
        state.withLock { $0.definitions[id] = changed }
    }

    func delete(_ id: ConnectionID, check: RevisionCheck) throws(TwinspanError) {
        try check(try definition(of: id).revision)
        try note("delete", id)
        state.withLock { $0.definitions[id] = nil }
    }

    func open(_ id: ConnectionID, patience: Duration) throws(TwinspanError) { try known("open", id) }
    func close(_ id: ConnectionID) throws(TwinspanError) { try known("close", id) }
    func resetMetrics(of id: ConnectionID) throws(TwinspanError) { try known("resetMetrics", id) }
    func enableLogs(of id: ConnectionID) throws(TwinspanError) { try known("enableLogs", id) }
    func resetLogs(of id: ConnectionID) throws(TwinspanError) { try known("resetLogs", id) }

    private func known(_ call: String, _ id: ConnectionID) throws(TwinspanError) {
        _ = try definition(of: id)
        try note(call, id)
    }

    func test(_ document: JSONObject, id: ConnectionID, patience: Duration) throws(TwinspanError) -> String {
        state.withLock { $0.tested = (id, document) }
        try note("test")
        return "successfully connected + initialized mapper"
    }

    func status(of id: ConnectionID) throws(TwinspanError) -> JSONObject { try report("Status", id) }
    func metrics(of id: ConnectionID) throws(TwinspanError) -> JSONObject { try report("Metrics", id) }
    func logs(of id: ConnectionID) throws(TwinspanError) -> JSONObject {
        _ = try definition(of: id)
        return ["connectionId": .string(id.text), "connectionLogs": .array([]), "enabledSince": .null]
    }

    private func report(_ name: String, _ id: ConnectionID) throws(TwinspanError) -> JSONObject {
        _ = try definition(of: id)
        return [
            "type": .string("connectivity.responses:retrieveConnection\(name)"), "status": 200,
            "connectionId": .string(id.text),
        ]
    }

    func tap(_ id: ConnectionID, filter: TapFilter) throws(TwinspanError) -> MessageTap {
        _ = try definition(of: id)
        let connection = Connection(
            id: id, type: .mqtt, isOpen: true, uri: ConnectionURI(scheme: "tcp", host: "localhost", port: 1883),
            sources: [], targets: [])
        let recorder = state.withLock { state in
            let recorder = state.recorder ?? ConnectionRecorder(connection: connection, now: { Self.time })
            state.recorder = recorder
            return recorder
        }
        guard let tap = recorder.tap(filter) else { throw GatewayErrorTable.tooManyRequests.error() }
        return tap
    }

    func retry(deadLetter id: Int64) throws(TwinspanError) { try note("retry \(id)") }
}
