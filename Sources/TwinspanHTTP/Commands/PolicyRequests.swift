// Requests on policies and their parts: each becomes a command, its answer a response (spec/http.md §4). No logic of
// policies here.
import HTTPTypes
import Hummingbird
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol

/// Serves requests on policies.
struct PolicyRequests: Sendable {
    let calls: EngineCalls

    /// - Parameter makeName: gives the name of a policy that is created without one.
    func respond(
        to api: APIRequest, _ route: PolicyRoute, _ reply: Reply, makeName: () -> String
    ) async throws -> Response {
        switch route.place {
        case .collection: return try await create(api, name: makeName(), reply)
        case .part(let id, let resource):
            return try await respond(to: api, try PolicyID(id), resource, reply)
        case .action(let id, _):
            _ = try PolicyID(id)
            throw Self.tokenMissing
        }
    }

    /// Actions put subjects of a token into a policy, and whoever is logged in by name has none (A.8).
    private static let tokenMissing = PolicyErrorTable.actionFailed.error(
        "The action needs a login with a token.", description: "Authenticate with a JSON Web Token.")

    private func respond(
        to api: APIRequest, _ policyID: PolicyID, _ resource: PolicyPath, _ reply: Reply
    ) async throws -> Response {
        let method = api.request.method
        var headers = try api.headers(isModifying: method != .get)
        var command = PolicyCommand(policyID: policyID, action: .retrieve, resource: resource)
        switch method {
        // Only whole policies can be cut to fields.
        case .get: if resource.kind == .policy { command.fields = try api.selector() }
        case .delete: command.action = .delete
        default:
            command.action = .modify
            headers.setContentType(try RequestValue.mediaType(api.fields, method: method))
            command.value = try RequestValue.parse(
                try await RequestValue.bytes(api.request, api.fields), mayBeBare: resource.kind == .importable)
        }
        command.headers = headers.headers
        do throws(TwinspanError) {
            let answer = try await calls.answer(to: command, as: api.context, patience: headers.waiting)
            return reply.success(
                status: answer.status, value: answer.value, etag: answer.etag, revision: answer.revision,
                isRequired: headers.isResponseRequired)
        } catch {
            guard error.isPrecondition else { throw error }
            return reply.failure(error, etag: error.etag)
        }
    }

    /// `POST /policies`: creation under an id we choose.
    private func create(_ api: APIRequest, name: String, _ reply: Reply) async throws -> Response {
        var headers = try api.headers(isModifying: true)
        headers.setContentType(try RequestValue.mediaType(api.fields, method: .post))
        let policyID = try PolicyID("\(api.namespace):\(name)")
        let value = try RequestValue.parse(try await RequestValue.bytes(api.request, api.fields))
        guard value.range(at: JSONPointer(segments: ["policyId"])) == nil else {
            throw PolicyErrorTable.idNotSettable.error(
                "The id of a policy created by POST is chosen by the server.",
                description: "Leave 'policyId' out, or use PUT /api/2/policies/{id}.")
        }
        let command = PolicyCommand(policyID: policyID, action: .create, value: value, headers: headers.headers)
        let answer = try await calls.answer(to: command, as: api.context, patience: headers.waiting)
        return reply.at(policyID.text).success(
            status: answer.status, value: answer.value, etag: answer.etag, revision: answer.revision,
            isRequired: headers.isResponseRequired)
    }
}
