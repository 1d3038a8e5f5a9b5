// Questions of a caller about himself and his permissions (spec/http.md §7.1, §7.2).
import HTTPTypes
import Hummingbird
import TwinspanEngine
import TwinspanProtocol

/// Serves `/whoami` and `/checkPermissions`.
struct AccessRequests: Sendable {
    let calls: EngineCalls

    /// `GET /whoami`.
    func whoAmI(_ api: APIRequest, _ reply: Reply) throws(TwinspanError) -> Response {
        let headers = try api.headers(isModifying: false)
        return reply.success(
            status: 200, value: api.context.whoAmI, etag: nil, revision: nil, isRequired: headers.isResponseRequired)
    }

    /// `POST /checkPermissions`.
    func checkPermissions(_ api: APIRequest, _ reply: Reply) async throws -> Response {
        let headers = try api.headers(isModifying: false)
        _ = try RequestValue.mediaType(api.fields, method: api.request.method)
        let payload = try RequestValue.parse(try await RequestValue.bytes(api.request, api.fields))
        let answers = try await calls.answer(
            to: try CheckPermissions(payload: payload), as: api.context, patience: headers.waiting)
        return reply.success(
            status: 200, value: answers, etag: nil, revision: nil, isRequired: headers.isResponseRequired)
    }
}
