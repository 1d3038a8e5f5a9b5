// Connections made over HTTP: stored first, then started (spec/connectivity.md §8.1).
import Logging
import Synchronization
public import TwinspanConnections
import TwinspanEngine
public import TwinspanJSON
public import TwinspanProtocol

extension ConnectionFleet {
    /// How long a change waits for the store.
    static let storePatience = Duration.seconds(10)
    /// How long a connection has to end by a command.
    static let closingGrace = Duration.seconds(4)

    public func ids() -> [ConnectionID] {
        state.withLock { $0.members.keys.sorted() }
    }

    public func definitions() -> [ConnectionDefinition] {
        state.withLock { $0.members.values.map(\.definition) }.sorted { $0.id < $1.id }
    }

    public func definition(of id: ConnectionID) throws(TwinspanError) -> ConnectionDefinition {
        try member(id).definition
    }

    public func resolvedHonoConnection(of id: ConnectionID) throws(TwinspanError) -> JSONObject? {
        let connection = try member(id).connection
        return connection.type == .hono ? environment.hono.resolve(connection).json(.shown) : nil
    }

    public func create(
        _ document: JSONObject, id: ConnectionID, check: RevisionCheck
    ) throws(TwinspanError) -> ConnectionDefinition {
        try claim(id)
        defer { release(id) }
        if let present = state.withLock({ $0.members[id] }) { throw Self.conflict(present) }
        try check(nil)
        let connection = try validated(document, id)
        let now = environment.clock.now
        let definition = ConnectionDefinition(
            id: id, json: shown(connection), revision: 1, created: now, modified: now)
        try store(connection, definition)
        state.withLock { $0.stored[id] = Stored(connection: connection, definition: definition) }
        install(connection, definition, closedAt: connection.isOpen ? nil : now)
        environment.logger.info("connection created", metadata: ["connection": "\(id)"])
        return definition
    }

    public func modify(
        _ document: JSONObject, id: ConnectionID, mayChangeType: Bool, patience: Duration, check: RevisionCheck
    ) throws(TwinspanError) {
        try claim(id)
        defer { release(id) }
        let present = try changeable(id)
        try check(present.definition.revision)
        let connection = try validated(document, id)
        guard mayChangeType || connection.type == present.connection.type else {
            throw ConnectivityErrorTable.configurationInvalid.error(
                "The type of a connection cannot be changed from '\(present.connection.type.rawValue)' to "
                    + "'\(connection.type.rawValue)'.",
                description: "Delete the connection and create it anew.")
        }
        var definition = present.definition
        definition.json = shown(connection)
        definition.revision += 1
        definition.modified = environment.clock.now
        try store(connection, definition)
        state.withLock { $0.stored[id] = Stored(connection: connection, definition: definition) }
        end([present.supervisor], grace: Self.closingGrace)
        present.supervisor.recorder.endTaps()
        install(connection, definition, closedAt: connection.isOpen ? nil : environment.clock.now)
        environment.logger.info("connection modified", metadata: ["connection": "\(id)"])
        if connection.isOpen { try awaitOpen(id, patience: patience) }
    }

    public func delete(_ id: ConnectionID, check: RevisionCheck) throws(TwinspanError) {
        try claim(id)
        defer { release(id) }
        let present = try changeable(id)
        try check(present.definition.revision)
        try keep(.connectionRemove(id))
        end([present.supervisor], grace: Self.closingGrace)
        present.supervisor.recorder.endTaps()
        state.withLock { state in
            state.stored[id] = nil
            state.members[id] = nil
        }
        environment.logger.info("connection deleted", metadata: ["connection": "\(id)"])
    }

    // MARK: Pieces

    func member(_ id: ConnectionID) throws(TwinspanError) -> Member {
        if let member = state.withLock({ $0.members[id] }) { return member }
        throw ConnectivityErrorTable.notFound.error("The connection with ID '\(id)' could not be found.")
    }

    /// A member whose definition may be changed over HTTP.
    private func changeable(_ id: ConnectionID) throws(TwinspanError) -> Member {
        let present = try member(id)
        if present.isFromFile { throw Self.conflict(present) }
        return present
    }

    private static func conflict(_ present: Member) -> TwinspanError {
        let id = present.connection.id
        guard let file = present.definition.file else {
            return ConnectivityErrorTable.conflict.error("The connection with ID '\(id)' already exists.")
        }
        return ConnectivityErrorTable.conflict.error(
            "The connection '\(id)' is defined in the file \(file), so it cannot be changed over HTTP.",
            description: "Change that file, it is read again by itself; or use another id.")
    }

    /// Begins a change. Throws `connectivity:signal.illegal` while another one runs.
    func claim(_ id: ConnectionID) throws(TwinspanError) {
        let (isFree, isStopped, hasBegun) = state.withLock { state -> (Bool, Bool, Bool) in
            guard state.hasBegun, !state.isStopped else { return (false, state.isStopped, state.hasBegun) }
            return (state.busy.insert(id).inserted, false, true)
        }
        if isStopped || !hasBegun {
            throw ConnectivityErrorTable.unavailable.error(
                isStopped ? "The service is ending." : "The connections are being started.")
        }
        guard isFree else {
            throw ConnectivityErrorTable.signalIllegal.error(
                "Another command on the connection '\(id)' is being carried out.",
                description: "Wait for its answer; GET /api/2/connections/\(id)/status tells the state.")
        }
        environment.readers.hold(id)
    }

    func release(_ id: ConnectionID) {
        environment.readers.letGo(id)
        state.withLock { _ = $0.busy.remove(id) }
    }

    /// The connection a document defines, checked by itself and against all others.
    func validated(_ document: JSONObject, _ id: ConnectionID) throws(TwinspanError) -> Connection {
        var connection = try environment.reading.read(document, id).get()
        // Somebody else's broker must not take the whole service out of a load balancer unless that is wanted.
        connection.isRequired = document["twinspan"]?.object?["required"]?.bool ?? false
        try check(connection)
        return connection
    }

    /// What can only be said with the mappers of the process and the other connections.
    func check(_ connection: Connection) throws(TwinspanError) {
        for source in connection.sources {
            _ = try connection.mapperChain(source.payloadMapping, registry: environment.mappers)
        }
        for target in connection.targets {
            _ = try connection.mapperChain(target.payloadMapping, registry: environment.mappers)
        }
        let own = connection.ownLabels
        let others = state.withLock { $0.members.values.map(\.connection) }.filter { $0.id != connection.id }
        for other in others {
            guard let label = other.ownLabels.intersection(own).map(\.text).sorted().first else { continue }
            throw AckErrorTable.labelNotUnique.error(
                "The acknowledgement label '\(label)' belongs to the connection '\(other.id)'.",
                description: "Begin the labels of a connection with its own id.")
        }
    }

    /// The document as GET gives it.
    func shown(_ connection: Connection) -> JSONObject {
        withRequired(connection, environment.reading.write)
    }

    /// Readiness waits for connections from files unless they say otherwise, and for those made over HTTP only if they
    /// say so: the opposite of what is left out elsewhere.
    private func withRequired(_ connection: Connection, _ write: (Connection) -> JSONObject) -> JSONObject {
        var plain = connection
        plain.isRequired = true
        var document = write(plain)
        if connection.isRequired {
            var part = document["twinspan"]?.object ?? JSONObject()
            part["required"] = true
            document["twinspan"] = .object(part)
        }
        return document
    }

    func store(_ connection: Connection, _ definition: ConnectionDefinition) throws(TwinspanError) {
        var document = withRequired(connection, environment.reading.store)
        if let secrets = environment.secrets {
            document = try secrets.encrypted(document)
        } else if SecretsAtRest.hasSecrets(in: document) {
            warnOfPlainSecrets()
        }
        try keep(
            .connectionPut(
                StoredConnection(
                    id: definition.id, revision: definition.revision, created: definition.created,
                    modified: definition.modified, text: JSONValue.object(document).bytes)))
    }

    /// Returns when the record is durable.
    private func keep(_ record: StoreRecord) throws(TwinspanError) {
        let ticket = environment.engine.keep([record])
        environment.engine.commitSoon()
        try awaitCommit(ticket)
    }

    /// Returns when the ticket is committed.
    func awaitCommit(_ ticket: CommitTicket) throws(TwinspanError) {
        switch environment.engine.gate.wait(for: ticket, patience: Self.storePatience) {
        case .committed: return
        case .rejected:
            throw ConnectivityErrorTable.unavailable.error(
                "The store does not take the change.", description: "See /ready for the reason, then try again.")
        case .pending:
            throw ConnectivityErrorTable.timeout.error(
                "The store has not confirmed the change in time.",
                description: "It may still be stored: retrieve the connection to see.")
        }
    }
}
