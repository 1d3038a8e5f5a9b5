// Requests on things: each becomes a command, its answer a response (spec/http.md §3.1–§3.3). No logic of twins here.
import HTTPTypes
import Hummingbird
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol

/// One authenticated request whose route is known.
struct APIRequest {
    let request: Request
    let fields: RequestFields
    let parameters: [(name: String, value: String)]
    let context: AuthorizationContext
    let correlationID: String

    /// The headers of a command.
    func headers(isModifying: Bool) throws(TwinspanError) -> CommandHeaders {
        try CommandHeaders(fields, parameters, correlationID: correlationID, isModifying: isModifying)
    }

    /// The field selector; several `fields` are one. Nil when there is none.
    func selector() throws(TwinspanError) -> JSONFieldSelector? {
        try JSONFieldSelector.ofParameters(parameters)
    }

    /// The namespace of an entity that gets its id from us.
    var namespace: String { parameters.first { $0.name == "namespace" }?.value ?? "org.eclipse.ditto" }
}

/// Serves requests on things.
struct ThingRequests: Sendable {
    let calls: EngineCalls

    /// A thing or a part of it.
    func respond(
        to api: APIRequest, _ route: ThingRoute, _ reply: Reply
    ) async throws -> Response {
        let thingID = try ThingID(route.id)
        let resource = try route.resource()
        let method = api.request.method
        var headers = try api.headers(isModifying: method != .get)
        var command = ThingCommand(thingID: thingID, action: .retrieve, resource: resource)
        switch method {
        case .get: command.fields = try api.selector()
        case .delete: command.action = .delete
        default:
            command.action = method == .patch ? .merge : .modify
            headers.setContentType(try RequestValue.mediaType(api.fields, method: method))
            command.value = try RequestValue.parse(
                try await RequestValue.bytes(api.request, api.fields), mayBeBare: resource.kind == .policyID)
        }
        command.headers = headers.headers
        try command.checkForm()
        do throws(TwinspanError) {
            let answer = try await calls.answer(to: command, as: api.context, patience: headers.waiting)
            return reply.success(
                status: answer.status, value: answer.value, etag: answer.etag, revision: answer.revision,
                metadata: answer.metadata, isRequired: headers.isResponseRequired)
        } catch {
            guard error.isPrecondition else { throw error }
            return reply.failure(error, etag: error.etag)
        }
    }

    /// `POST /things`: creation under an id we choose.
    func create(_ api: APIRequest, id name: String, _ reply: Reply) async throws -> Response {
        var headers = try api.headers(isModifying: true)
        headers.setContentType(try RequestValue.mediaType(api.fields, method: .post))
        let thingID = try ThingID("\(api.namespace):\(name)")
        let value = try RequestValue.parse(try await RequestValue.bytes(api.request, api.fields))
        guard value.range(at: JSONPointer(segments: ["thingId"])) == nil else {
            throw ThingErrorTable.idNotSettable.error(
                "The id of a thing created by POST is chosen by the server.",
                description: "Leave 'thingId' out, or use PUT /api/2/things/{id}.")
        }
        let command = ThingCommand(
            thingID: thingID, action: .create, resource: .root, value: value, headers: headers.headers)
        let answer = try await calls.answer(to: command, as: api.context, patience: headers.waiting)
        return reply.at(thingID.text).success(
            status: answer.status, value: answer.value, etag: answer.etag, revision: answer.revision,
            isRequired: headers.isResponseRequired)
    }

    /// `GET /things?ids=`: those of the named things that exist and can be read, in the order of the ids.
    func retrieve(_ api: APIRequest, _ reply: Reply) async throws -> Response {
        let headers = try api.headers(isModifying: false)
        let texts = api.parameters.filter { $0.name == "ids" }.map(\.value)
        guard !texts.isEmpty else {
            throw ThingErrorTable.idsMissing.error(
                description: "Name them with ?ids=; this version lists nothing else.")
        }
        let fields = try api.selector()
        var ids: [ThingID] = []
        for text in texts {
            for id in text.split(separator: ",", omittingEmptySubsequences: false) {
                ids.append(try ThingID(String(id)))
            }
        }
        let command = RetrieveThings(thingIDs: ids, fields: fields)
        let things = try await calls.answer(to: command, as: api.context, patience: headers.waiting)
        return reply.success(
            status: 200, value: things, etag: nil, revision: nil,
            isRequired: headers.isResponseRequired)
    }
}

extension TwinspanError {
    /// Whether an entity tag did not fit.
    var isPrecondition: Bool {
        status == 304 || status == 412 && code.hasSuffix(":precondition.failed")
    }
}
