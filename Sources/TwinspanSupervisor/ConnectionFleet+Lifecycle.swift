// Opening, closing and trying connections by command (spec/connectivity.md §8.1, §8.3). Of a connection from a file
// the command changes what runs, not the file: the next start has what the file says.
import Logging
import Synchronization
import TwinspanConnections
import TwinspanEngine
public import TwinspanJSON
public import TwinspanProtocol

extension ConnectionFleet {
    public func open(_ id: ConnectionID, patience: Duration) throws(TwinspanError) {
        try claim(id)
        defer { release(id) }
        let present = try member(id)
        if present.supervisor.isRunning, present.supervisor.snapshot.state == .open { return }
        guard !(present.connection.isOpen && present.supervisor.isRunning) else {
            return try awaitOpen(id, patience: patience)
        }
        if let problem = state.withLock({ $0.stored[id]?.problem }), !present.isFromFile {
            throw ConnectivityErrorTable.configurationInvalid.error(problem.message, description: problem.hint)
        }
        var connection = present.connection
        try check(connection)
        connection.isOpen = true
        let definition = try keepDesiredState(connection, "open", of: present)
        end([present.supervisor], grace: .zero)
        if !present.isFromFile {
            state.withLock { $0.stored[id] = Stored(connection: connection, definition: definition) }
        }
        install(connection, definition, keeping: present.supervisor.recorder)
        environment.logger.info("connection opened by command", metadata: ["connection": "\(id)"])
        try awaitOpen(id, patience: patience)
    }

    public func close(_ id: ConnectionID) throws(TwinspanError) {
        try claim(id)
        defer { release(id) }
        let present = try member(id)
        guard present.connection.isOpen else { return }
        var connection = present.connection
        connection.isOpen = false
        let definition = try keepDesiredState(connection, "closed", of: present)
        end([present.supervisor], grace: Self.closingGrace)
        if !present.isFromFile {
            state.withLock { $0.stored[id] = Stored(connection: connection, definition: definition) }
        }
        install(
            connection, definition, keeping: present.supervisor.recorder, closedAt: environment.clock.now)
        environment.logger.info("connection closed by command", metadata: ["connection": "\(id)"])
    }

    /// Stores the desired state of a connection made over HTTP, if it is another one.
    private func keepDesiredState(
        _ connection: Connection, _ status: String, of present: Member
    ) throws(TwinspanError) -> ConnectionDefinition {
        var definition = present.definition
        guard definition.json["connectionStatus"]?.string != status else { return definition }
        definition.json["connectionStatus"] = .string(status)
        guard !present.isFromFile else { return definition }
        definition.revision += 1
        definition.modified = environment.clock.now
        try store(connection, definition)
        return definition
    }

    /// Waits for the first outcome of connecting.
    func awaitOpen(_ id: ConnectionID, patience: Duration) throws(TwinspanError) {
        let supervisor = try member(id).supervisor
        let opening = supervisor.awaitOpen(patience: patience) { [self] in
            state.withLock { $0.interrupted.contains(id) || $0.isStopped }
        }
        let uri = supervisor.connection.uri.display
        switch opening {
        case .open: return
        case .failed(let failure): throw ConnectFailure.error(for: failure, of: supervisor.connection)
        case .timedOut:
            throw ConnectivityErrorTable.failed.error(
                "The connection '\(id)' is not open yet: \(uri) has not answered in time.",
                description: "It goes on connecting; GET /api/2/connections/\(id)/status tells how it is.")
        case .interrupted:
            throw ConnectivityErrorTable.failed.error(
                "Connecting '\(id)' was interrupted: the configuration was reloaded, or the service is ending.")
        }
    }

    public func test(_ document: JSONObject, id: ConnectionID, patience: Duration) throws(TwinspanError) -> String {
        guard document["connectionStatus"] != nil else { throw .fieldMissing("connectionStatus") }
        let connection = environment.hono.resolve(try validated(document, id))
        guard let adapter = environment.adapters[connection.type] else {
            throw ConnectivityErrorTable.configurationInvalid.error(
                "Connections of type '\(connection.type.rawValue)' are not served by this version.")
        }
        let steps = DryRunSteps(logger: environment.logger)
        let limit = min(patience, .seconds(10))
        switch adapter.probe(connection, timeout: limit, observer: steps) {
        case .stopped: return "successfully connected + initialized mapper"
        case .failed(let failure): throw ConnectFailure.error(for: failure, of: connection)
        }
    }
}

/// Notes the steps of a dry run.
private final class DryRunSteps: SessionObserver {
    private let logger: Logger
    init(logger: Logger) { self.logger = logger }
    func began(_ step: SessionStep) { logger.debug("dry run", metadata: ["step": "\(step.rawValue)"]) }
    func opened() {}
    func warned(_ failure: BrokerFailure) {
        logger.debug("dry run", metadata: ["reason": "\(failure.reason)", "error": "\(failure.message)"])
    }
}

/// What a failed attempt to connect is to whoever has asked for it (§8.3).
enum ConnectFailure {
    static func error(for failure: BrokerFailure, of connection: Connection) -> TwinspanError {
        let hint = failure.hint.map { "\($0.prefix(1).uppercased())\($0.dropFirst())." }
        let advice = [failure.message, hint].compactMap { $0 }.joined(separator: " ")
        let place = "\(connection.uri.host):\(connection.uri.port)"
        switch failure.reason {
        case "invalid-setting":
            return ConnectivityErrorTable.unavailable.error(
                "The connection cannot be made with its settings.", description: advice)
        case "bad-credentials" where connection.type == .amqp10 || connection.type == .amqp091:
            return ConnectivityErrorTable.unauthorized.error(description: advice)
        default: break
        }
        switch failure.step {
        case .resolve, .connect:
            return ConnectivityErrorTable.failed.error(
                "Could not establish a connection on '\(place)'. Make sure the endpoint is reachable and has a valid "
                    + "certificate, if it needs one.", description: advice)
        case .tls, .authenticate, .subscribe, .serve:
            return ConnectivityErrorTable.failed.error(
                "The connection '\(connection.id)' could not be made: \(failure.step.rawValue) failed.",
                description: advice)
        }
    }
}
