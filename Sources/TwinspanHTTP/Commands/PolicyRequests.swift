// Requests on whole policies (spec/http.md §4).
import HTTPTypes
import Hummingbird
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol

/// Serves requests on policies.
struct PolicyRequests: Sendable {
    let calls: EngineCalls

    func respond(to api: APIRequest, id: String, _ reply: Reply) async throws -> Response {
        let policyID = try PolicyID(id)
        let method = api.request.method
        var headers = try api.headers(isModifying: method != .get)
        var command = PolicyCommand(policyID: policyID, action: .retrieve)
        switch method {
        case .get: command.fields = try api.selector()
        case .delete: command.action = .delete
        default:
            command.action = .modify
            headers.setContentType(try RequestValue.mediaType(api.fields, method: method))
            command.value = try RequestValue.parse(try await RequestValue.bytes(api.request, api.fields), for: .root)
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
}
