// `POST /devops/piggyback/connectivity`: commands of connections in an envelope that names a service of a cluster
// (spec/connectivity.md §8.2, spec/http.md §8.1). There is one process here, so every address leads to the registry.
import HTTPTypes
import Hummingbird
import TwinspanConnections
import TwinspanJSON
import TwinspanProtocol

/// Serves piggyback commands.
struct PiggybackRequests: Sendable {
    let calls: ManagementCalls
    let makeID: @Sendable () -> String

    /// How long a command may take unless `timeout` says otherwise.
    static let patience = Duration.seconds(10)
    private static let commands = "connectivity.commands:"
    private static let sudoCommands = "connectivity.sudo.commands:"
    private static let shard = "/system/sharding/connection"
    private static let retriever = "/user/connectivityRoot/connectionIdsRetrieval"

    /// A command taken out of its envelope.
    private struct Order {
        var name: String
        var isSudoCommand = false
        var body: JSONObject
        /// `ditto-sudo` of the envelope.
        var isSudo: Bool
        var patience: Duration
    }

    func respond(_ management: ManagementRequest, service: String?, _ reply: Reply) async throws -> Response {
        let envelope = try await management.document(checkingType: false)
        let named = service ?? envelope["serviceName"]?.string ?? "connectivity"
        guard named == "connectivity" else {
            throw HTTPErrors.notServed("The piggyback of the service '\(named.prefix(40))'")
        }
        let headers = envelope["headers"]?.object ?? JSONObject()
        let order = try order(envelope, headers, patience: try management.patience(Self.patience))
        let response: JSONObject
        do throws(TwinspanError) {
            response = try await carryOut(order)
        } catch {
            response = Self.failure(error, order)
        }
        guard headers["aggregate"]?.bool ?? true else { return Self.ok(.object(response), reply) }
        // Which service and instance answers is unknown where the command went to a shard.
        return Self.ok(["?": ["?": .object(response)]], reply)
    }

    private static func ok(_ value: JSONValue, _ reply: Reply) -> Response {
        reply.success(status: 200, value: JSONText(value), etag: nil, revision: nil)
    }

    private func order(
        _ envelope: JSONObject, _ headers: JSONObject, patience: Duration
    ) throws(TwinspanError) -> Order {
        guard let selection = envelope["targetActorSelection"]?.string else {
            throw .fieldMissing("targetActorSelection")
        }
        guard let body = envelope["piggybackCommand"]?.object else { throw .fieldMissing("piggybackCommand") }
        guard let type = body["type"]?.string else { throw .fieldMissing("piggybackCommand/type") }
        var order = Order(name: "", body: body, isSudo: headers["ditto-sudo"]?.bool ?? false, patience: patience)
        if type.hasPrefix(Self.commands) {
            order.name = String(type.dropFirst(Self.commands.count))
        } else if type.hasPrefix(Self.sudoCommands) {
            order.name = String(type.dropFirst(Self.sudoCommands.count))
            order.isSudoCommand = true
        }
        let place = Self.places[order.name]
        guard let place, place.isSudo == order.isSudoCommand else {
            throw GeneralErrorTable.typeNotParsable.error(
                "The type '\(type.prefix(120))' is no command that connections know.",
                description: "Use one of: \(Self.places.keys.sorted().joined(separator: ", ")).")
        }
        guard selection == place.selection else {
            throw HTTPErrors.notServed("The command '\(order.name)' at '\(selection.prefix(120))'")
        }
        return order
    }

    private static let places: [String: (selection: String, isSudo: Bool)] = {
        var places: [String: (selection: String, isSudo: Bool)] = [:]
        for name in [
            "createConnection", "modifyConnection", "testConnection", "retrieveConnection", "deleteConnection",
            "openConnection", "closeConnection", "retrieveConnectionStatus", "retrieveConnectionMetrics",
            "resetConnectionMetrics", "enableConnectionLogs", "retrieveConnectionLogs", "resetConnectionLogs",
            "retrieveResolvedHonoConnection", "retrieveHonoConnection",
        ] { places[name] = (shard, false) }
        places["sudoRetrieveConnectionTags"] = (shard, true)
        places["retrieveAllConnectionIds"] = (retriever, false)
        places["sudoRetrieveConnectionIdsByTag"] = (retriever, true)
        return places
    }()

    // MARK: Commands

    private func carryOut(_ order: Order) async throws(TwinspanError) -> JSONObject {
        switch order.name {
        case "retrieveAllConnectionIds":
            let ids = try await calls.look { registry in registry.ids() }
            return Self.response(order, 200, [("connectionIds", .array(ids.map { .string($0.text) }))])
        case "sudoRetrieveConnectionIdsByTag":
            guard let tag = order.body["tag"]?.string else { throw .fieldMissing("tag") }
            let ids = try await calls.look { registry in
                registry.definitions().filter { $0.tags.contains(tag) }.map(\.id)
            }
            return Self.response(order, 200, [("connectionIds", .array(ids.map { .string($0.text) }))])
        case "createConnection", "modifyConnection", "testConnection": return try await define(order)
        default:
            guard let text = order.body["connectionId"]?.string else { throw .fieldMissing("connectionId") }
            return try await single(order, try ConnectionID(text))
        }
    }

    private func define(_ order: Order) async throws(TwinspanError) -> JSONObject {
        guard let document = order.body["connection"]?.object else { throw .fieldMissing("connection") }
        let own = document["id"]?.string
        let anyRevision: RevisionCheck = { (_: Int64?) throws(TwinspanError) in }
        switch order.name {
        case "createConnection":
            let id = try ConnectionID(own ?? makeID())
            let definition = try await calls.command { (registry) throws(TwinspanError) in
                try registry.create(document, id: id, check: anyRevision)
            }
            return Self.response(order, 201, id: id, [("connection", definition.document(nil))])
        case "modifyConnection":
            guard let own else { throw .fieldMissing("connection/id") }
            let id = try ConnectionID(own)
            try await calls.command { (registry) throws(TwinspanError) in
                try registry.modify(
                    document, id: id, mayChangeType: order.isSudo, patience: order.patience, check: anyRevision)
            }
            return Self.response(order, 204, id: id)
        default:
            let id = try ConnectionID(own ?? "\(makeID())-dry-run")
            let patience = min(order.patience, ConnectionRequests.testPatience)
            let result = try await calls.command { (registry) throws(TwinspanError) -> String? in
                guard !registry.ids().contains(id) else { return nil }
                return try registry.test(document, id: id, patience: patience)
            }
            let text = result ?? "Connection was already created - no test possible"
            return Self.response(order, result == nil ? 409 : 200, id: id, [("testResult", .string(text))])
        }
    }

    private func single(_ order: Order, _ id: ConnectionID) async throws(TwinspanError) -> JSONObject {
        if let command = ConnectionCommand(rawValue: Self.commands + order.name) {
            try await command.run(on: id, calls, patience: order.patience)
            return Self.response(order, 200, id: id)
        }
        switch order.name {
        case "deleteConnection":
            try await calls.command { (registry) throws(TwinspanError) in try registry.delete(id) { _ in } }
            return Self.response(order, 204, id: id)
        case "retrieveConnectionStatus":
            return try await calls.look { (registry) throws(TwinspanError) in try registry.status(of: id) }
        case "retrieveConnectionMetrics":
            return try await calls.look { (registry) throws(TwinspanError) in try registry.metrics(of: id) }
        case "retrieveConnectionLogs":
            let logs = try await calls.look { (registry) throws(TwinspanError) in try registry.logs(of: id) }
            return Self.response(order, 200, id: id, logs.members.filter { $0.key != "connectionId" })
        default: break
        }
        let definition = try await calls.look { (registry) throws(TwinspanError) in try registry.definition(of: id) }
        switch order.name {
        case "retrieveConnection":
            return Self.response(order, 200, id: id, [("connection", definition.document(nil))])
        case "sudoRetrieveConnectionTags":
            return Self.response(order, 200, id: id, [("tags", .array(definition.tags.map { .string($0) }))])
        default:
            let resolved = try await calls.look { (registry) throws(TwinspanError) in
                try registry.resolvedHonoConnection(of: id)
            }
            guard let resolved else {
                throw ConnectivityErrorTable.commandInvalid.error("The connection '\(id)' is no Hono connection.")
            }
            return Self.response(order, 200, id: id, [("connection", .object(resolved))])
        }
    }

    // MARK: Responses

    private static func response(
        _ order: Order, _ status: Int, id: ConnectionID? = nil, _ members: [(String, JSONValue)] = []
    ) -> JSONObject {
        let family = order.isSudoCommand ? "connectivity.sudo.responses" : "connectivity.responses"
        var response: JSONObject = [
            "type": .string("\(family):\(order.name)"), "status": .number(JSONNumber(Int64(status))),
        ]
        if let id { response["connectionId"] = .string(id.text) }
        for (key, value) in members { response[key] = value }
        return response
    }

    private static func failure(_ error: TwinspanError, _ order: Order) -> JSONObject {
        var response: JSONObject = [
            "type": "connectivity.responses:errorResponse", "status": .number(JSONNumber(Int64(error.status))),
        ]
        let id = order.body["connectionId"] ?? order.body["connection"]?.object?["id"]
        if let id { response["connectionId"] = id }
        response["payload"] = error.json
        return response
    }
}
