// What can be asked about one connection: status, metrics, log, tap (spec/connectivity.md §8.4–§8.6), and the second
// chance of a dead letter.
public import TwinspanConnections
import TwinspanEngine
public import TwinspanJSON
public import TwinspanProtocol

extension ConnectionFleet {
    public func status(of id: ConnectionID) throws(TwinspanError) -> JSONObject {
        let member = try member(id)
        var facts = member.supervisor.statusFacts(client: environment.instance)
        facts.closedSince = member.closedAt
        var response = ConnectionStatusJSON.response(facts)
        // The word of the definition: `unknown` and the like mean closed, but are shown as they were written.
        if let word = member.definition.json["connectionStatus"] { response["connectionStatus"] = word }
        return response
    }

    public func metrics(of id: ConnectionID) throws(TwinspanError) -> JSONObject {
        let member = try member(id)
        return ConnectionMetricsJSON.response(member.supervisor.recorder.metrics, connectionID: id)
    }

    public func resetMetrics(of id: ConnectionID) throws(TwinspanError) {
        try member(id).supervisor.recorder.resetMetrics()
    }

    public func logs(of id: ConnectionID) throws(TwinspanError) -> JSONObject {
        ConnectionLogsJSON.body(try member(id).supervisor.recorder.retrieveLogs(), connectionID: id)
    }

    public func enableLogs(of id: ConnectionID) throws(TwinspanError) {
        try member(id).supervisor.recorder.enableLogs()
    }

    public func resetLogs(of id: ConnectionID) throws(TwinspanError) {
        try member(id).supervisor.recorder.resetLogs()
    }

    public func tap(_ id: ConnectionID, filter: TapFilter) throws(TwinspanError) -> MessageTap {
        if let tap = try member(id).supervisor.recorder.tap(filter) { return tap }
        throw GatewayErrorTable.tooManyRequests.error(
            "The connection '\(id)' has \(ConnectionRecorder.tapMaximum) taps already.", description: "End one of them."
        )
    }

    public func retry(deadLetter id: Int64) throws(TwinspanError) {
        let letter: DeadLetter?
        do throws(StoreFailure) {
            letter = try environment.engine.deadLetter(id)
        } catch {
            throw GeneralErrorTable.serviceUnavailable.error("The store cannot be read: \(error.description).")
        }
        guard let letter else {
            throw ConnectivityErrorTable.notFound.error(
                "There is no dead letter \(id).", description: "It was carried out, removed, or has grown too old.")
        }
        try retry(letter)
    }

    private func retry(_ letter: DeadLetter) throws(TwinspanError) {
        let ticket = try member(letter.message.connection).supervisor.retry(letter)
        environment.engine.commitSoon()
        try awaitCommit(ticket)
    }
}
