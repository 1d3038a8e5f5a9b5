// Requests on connections (spec/connectivity.md §8.1, spec/http.md §7.4). No logic of connections here.
import HTTPTypes
import Hummingbird
import NIOCore
import TwinspanConnections
import TwinspanJSON
import TwinspanProtocol

/// Serves `/api/2/connections`.
struct ConnectionRequests: Sendable {
    let calls: ManagementCalls
    /// Makes the ids of connections that come without one.
    let makeID: @Sendable () -> String

    /// The most connections that are listed with all their fields.
    static let listMaximum = 100
    /// A dry run takes at most this long unless the request says less.
    static let testPatience = Duration.seconds(15)

    static func tag(_ revision: Int64) -> String { "\"rev:\(revision)\"" }

    // MARK: All

    func list(_ management: ManagementRequest, _ reply: Reply) async throws -> Response {
        let idsOnly = try management.flag("ids-only") ?? false
        let fields = try management.selector()
        let wantsIDs = idsOnly || fields?.pointers.map(\.description) == ["/id"]
        let value: JSONValue = try await calls.look { (registry) throws(TwinspanError) -> JSONValue in
            if wantsIDs { return .array(registry.ids().map { .string($0.text) }) }
            let all = registry.definitions()
            guard all.count <= Self.listMaximum else {
                throw ConnectivityErrorTable.amountIllegal.error(
                    "There are \(all.count) connections, more than the \(Self.listMaximum) that are listed at once.",
                    description: "Ask with ids-only=true, then for each of them.")
            }
            return .array(all.map { $0.document(fields) })
        }
        return try success(management, reply, 200, value)
    }

    /// `POST /connections`: a new one, or a dry run.
    func create(_ management: ManagementRequest, _ reply: Reply) async throws -> Response {
        var document = try await management.document()
        if try management.flag("dry-run") == true {
            let patience = min(try management.patience(Self.testPatience), Self.testPatience)
            let (id, replaced) = try Self.dryRun(document, makeID())
            _ = try await calls.command { (registry) throws(TwinspanError) in
                try registry.test(replaced, id: id, patience: patience)
            }
            return try success(management, reply, 200, nil)
        }
        guard document["id"] == nil else {
            throw ConnectivityErrorTable.idNotSettable.error(
                "The id of a connection made by POST is chosen by the server.",
                description: "Leave 'id' out, or use PUT /api/2/connections/{id}.")
        }
        if document["connectionStatus"] == nil { document["connectionStatus"] = "unknown" }
        let id = try ConnectionID(makeID())
        let check = try management.check()
        let complete = document
        let definition = try await calls.command { (registry) throws(TwinspanError) in
            try registry.create(complete, id: id, check: check)
        }
        var located = reply
        let collection = reply.location
        located.location = {
            let location = collection()
            return "\(location.hasSuffix("/") ? String(location.dropLast()) : location)/\(id)"
        }
        return try success(management, located, 201, definition.document(nil), revision: definition.revision)
    }

    /// The id of a dry run, and the document with its own id replaced by it wherever it stands (§8.3).
    static func dryRun(_ document: JSONObject, _ uuid: String) throws(TwinspanError) -> (ConnectionID, JSONObject) {
        let id = try ConnectionID("\(uuid)-dry-run")
        guard let own = document["id"]?.string, !own.isEmpty else {
            var document = document
            document["id"] = .string(id.text)
            return (id, document)
        }
        let text = JSONValue.object(document).text.replacing(own, with: id.text)
        do throws(JSONSyntaxError) {
            return (id, try JSONValue.parse(text).object ?? document)
        } catch {
            // An id like `"` could have been a part of the syntax.
            throw .connectionIDInvalid(own)
        }
    }

    // MARK: One

    func retrieve(_ management: ManagementRequest, id text: String, _ reply: Reply) async throws -> Response {
        let id = try ConnectionID(text)
        try management.checkTime()
        let fields = try management.selector()
        let check = try management.check()
        let definition = try await calls.look { (registry) throws(TwinspanError) in
            let definition = try registry.definition(of: id)
            try check(definition.revision)
            return definition
        }
        return try success(management, reply, 200, definition.document(fields), revision: definition.revision)
    }

    func put(_ management: ManagementRequest, id text: String, _ reply: Reply) async throws -> Response {
        let id = try ConnectionID(text)
        let document = try await management.document()
        if let own = document["id"], own.string != id.text {
            throw ConnectivityErrorTable.idNotSettable.error(
                "The id in the body is not the id in the path, '\(id)'.",
                description: "Leave 'id' out of the body, or write the same.")
        }
        guard document["connectionStatus"] != nil else { throw TwinspanError.fieldMissing("connectionStatus") }
        let (patience, check) = (try management.patience(), try management.check())
        let created = try await calls.command { (registry) throws(TwinspanError) -> ConnectionDefinition? in
            guard registry.ids().contains(id) else { return try registry.create(document, id: id, check: check) }
            try registry.modify(document, id: id, mayChangeType: false, patience: patience, check: check)
            return nil
        }
        if let created {
            return try success(management, reply, 201, created.document(nil), revision: created.revision)
        }
        let revision = try await calls.look { (registry) throws(TwinspanError) in
            try registry.definition(of: id).revision
        }
        return try success(management, reply, 204, nil, revision: revision)
    }

    func delete(_ management: ManagementRequest, id text: String, _ reply: Reply) async throws -> Response {
        let id = try ConnectionID(text)
        let check = try management.check()
        try await calls.command { (registry) throws(TwinspanError) in try registry.delete(id, check: check) }
        return try success(management, reply, 204, nil)
    }

    /// `POST …/command` with the type of a command as its body.
    func command(_ management: ManagementRequest, id text: String, _ reply: Reply) async throws -> Response {
        let id = try ConnectionID(text)
        let allowed = ["text/plain", "application/octet-stream"]
        if let given = management.fields.mediaType, !allowed.contains(given) {
            throw HTTPErrors.mediaTypeUnsupported(given, allowed: allowed.joined(separator: ", "))
        }
        let body = try await RequestValue.bytes(management.request, management.fields)
        let text = String(decoding: body, as: UTF8.self)
        let name = String(text.split(whereSeparator: \.isWhitespace).joined(separator: " "))
        guard let command = ConnectionCommand(rawValue: name) else {
            throw ConnectivityErrorTable.commandInvalid.error(
                "'\(name.prefix(80))' is no command of a connection.",
                description: "Use one of: \(ConnectionCommand.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        try await command.run(on: id, calls, patience: try management.patience())
        return try success(management, reply, 200, nil)
    }

    func report(
        _ management: ManagementRequest, id text: String, _ report: ManagementRoute.Report, _ reply: Reply
    ) async throws -> Response {
        let id = try ConnectionID(text)
        let body = try await calls.look { (registry) throws(TwinspanError) in
            switch report {
            case .status: try registry.status(of: id)
            case .metrics: try registry.metrics(of: id)
            case .logs: try registry.logs(of: id)
            }
        }
        return try success(management, reply, 200, .object(body))
    }

    private func success(
        _ management: ManagementRequest, _ reply: Reply, _ status: Int, _ value: JSONValue?, revision: Int64? = nil
    ) throws -> Response {
        let isRequired = try management.flag("response-required") ?? true
        return reply.success(
            status: status, value: value.map { JSONText($0) }, etag: revision.map(Self.tag), revision: nil,
            isRequired: isRequired)
    }
}

/// Commands on one connection (§8.2).
enum ConnectionCommand: String, CaseIterable, Sendable {
    case open = "connectivity.commands:openConnection"
    case close = "connectivity.commands:closeConnection"
    case resetMetrics = "connectivity.commands:resetConnectionMetrics"
    case enableLogs = "connectivity.commands:enableConnectionLogs"
    case resetLogs = "connectivity.commands:resetConnectionLogs"

    func run(on id: ConnectionID, _ calls: ManagementCalls, patience: Duration) async throws(TwinspanError) {
        switch self {
        case .open:
            try await calls.command { (registry) throws(TwinspanError) in try registry.open(id, patience: patience) }
        case .close: try await calls.command { (registry) throws(TwinspanError) in try registry.close(id) }
        case .resetMetrics:
            try await calls.look { (registry) throws(TwinspanError) in try registry.resetMetrics(of: id) }
        case .enableLogs: try await calls.look { (registry) throws(TwinspanError) in try registry.enableLogs(of: id) }
        case .resetLogs: try await calls.look { (registry) throws(TwinspanError) in try registry.resetLogs(of: id) }
        }
    }
}
