// Connections that were made over HTTP, read from the store when the process starts.
import Logging
import Synchronization
import TwinspanConnections
public import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol

extension ConnectionFleet {
    /// Reads what is stored; the first `apply` starts it. A definition that cannot be used any more is kept and shown
    /// as misconfigured, never deleted.
    public func loadStored() throws(StoreFailure) {
        let records = try environment.engine.storedConnections()
        var loaded: [ConnectionID: Stored] = [:]
        var holdsPlainSecrets = false
        for record in records {
            let stored = read(record)
            if let problem = stored.problem {
                environment.logger.error(
                    "stored connection cannot run",
                    metadata: ["connection": "\(record.id)", "error": "\(problem.message)"])
            }
            loaded[record.id] = stored
            holdsPlainSecrets = holdsPlainSecrets || environment.secrets == nil && Self.hasSecret(stored.definition)
        }
        if holdsPlainSecrets { warnOfPlainSecrets() }
        state.withLock { $0.stored = loaded }
    }

    /// Says once that secrets are stored as they are.
    func warnOfPlainSecrets() {
        let isFirst = state.withLock { state in
            defer { state.hasWarnedOfPlainSecrets = true }
            return !state.hasWarnedOfPlainSecrets
        }
        guard isFirst else { return }
        environment.logger.warning(
            "secrets of connections are stored unencrypted",
            metadata: ["hint": "set \(SecretsAtRest.keyVariable) to encrypt them"])
    }

    private static func hasSecret(_ definition: ConnectionDefinition) -> Bool {
        SecretsAtRest.hasSecrets(in: definition.json)
    }

    private func read(_ record: StoredConnection) -> Stored {
        var definition = ConnectionDefinition(
            id: record.id, json: JSONObject(), revision: record.revision, created: record.created,
            modified: record.modified)
        do throws(TwinspanError) {
            definition.json = try Self.document(record)
            definition.json = try decrypted(definition.json)
            var connection = try environment.reading.read(definition.json, record.id).get()
            connection.isRequired = definition.json["twinspan"]?.object?["required"]?.bool ?? false
            definition.json = shown(connection)
            return Stored(connection: connection, definition: definition)
        } catch {
            let problem = BrokerFailure(
                step: .resolve, reaction: .misconfigured, reason: "invalid-definition", message: error.message,
                hint: error.description)
            // As far as it can be read it is shown; closed, because it must not be tried with half its secrets.
            var connection =
                (try? environment.reading.read(definition.json, record.id).get())  // Else its bare form.
                ?? Connection(
                    id: record.id, type: Self.type(of: definition.json), isOpen: false,
                    uri: ConnectionURI(scheme: "unknown", host: "unknown", port: 1), sources: [], targets: [])
            connection.isOpen = false
            return Stored(connection: connection, definition: definition, problem: problem)
        }
    }

    private func decrypted(_ document: JSONObject) throws(TwinspanError) -> JSONObject {
        if let secrets = environment.secrets { return try secrets.decrypted(document) }
        guard !SecretsAtRest.areEncrypted(in: document) else { throw SecretsAtRest.unreadable }
        return document
    }

    private static func document(_ record: StoredConnection) throws(TwinspanError) -> JSONObject {
        do throws(JSONSyntaxError) {
            if let object = try JSONValue.parse(record.text).object { return object }
        } catch {
            throw .jsonInvalid(error)
        }
        throw .jsonInvalid("The stored definition is no JSON object.")
    }

    private static func type(of document: JSONObject) -> ConnectionType {
        document["connectionType"]?.string.flatMap(ConnectionType.init(rawValue:)) ?? .mqtt
    }
}
