// Answers requests: the entrance decides what needs authentication, then who asks is settled before the headers, and
// the headers before the path (spec/http.md §1.1).
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol

/// The responder behind the server.
final class TwinResponder: HTTPResponder {
    typealias Context = RequestOrigin

    private let backend: HTTPBackend
    private let settings: HTTPSettings
    private let things: ThingRequests
    private let policies: PolicyRequests
    private let access: AccessRequests
    private let management: ManagementDoor
    private let correlationIDs: CorrelationIDs

    init(
        backend: HTTPBackend, settings: HTTPSettings, loops: any EventLoopGroup,
        correlationIDs: consuming CorrelationIDs = CorrelationIDs()
    ) {
        self.backend = backend
        self.settings = settings
        self.correlationIDs = correlationIDs
        let waits = CommitWaits(engine: backend.engine, loops: loops)
        let calls = EngineCalls(engine: backend.engine, waits: waits, storeCalls: BlockingCalls(threads: 2))
        management = ManagementDoor(
            backend: backend, waits: waits, loops: loops, makeID: { Self.connectionIDs.next() })
        things = ThingRequests(calls: calls)
        policies = PolicyRequests(calls: calls)
        access = AccessRequests(calls: calls)
    }

    private static let connectionIDs = CorrelationIDs()

    func respond(to request: Request, context: RequestOrigin) async throws -> Response {
        let response = try await answer(request, context)
        // A body behind HEAD would be read as the next response.
        return request.method == .head ? response.createHeadResponse() : response
    }

    private func answer(_ request: Request, _ origin: RequestOrigin) async throws -> Response {
        let target = RequestTarget(request.head.path ?? "/")
        switch Entrance(target) {
        case .api: return try await api(request, target, origin)
        case .management: return try await manage(request, target, origin)
        case .health: return page(request) { Reply.json(["status": "UP"], status: 200) }
        case .ready:
            return page(request) {
                let readiness = backend.readiness
                return Reply.json(readiness.json, status: readiness.isReady ? 200 : 503)
            }
        case .metrics where settings.showsMetrics:
            if settings.authenticatesMetrics {
                do throws(TwinspanError) {
                    _ = try await principal(RequestFields(request.headers), origin)
                } catch {
                    return reply().failure(error)
                }
            }
            return page(request) { metrics() }
        case .otherVersion: return reply().failure(HTTPErrors.apiVersionNotSupported)
        case .metrics, .nothing: return reply().failure(HTTPErrors.routeNotFound)
        }
    }

    private func reply() -> Reply {
        Reply(correlationID: correlationIDs.next())
    }

    private func page(_ request: Request, _ make: () -> Response) -> Response {
        guard request.method == .get else {
            return reply().failure(
                HTTPErrors.methodNotAllowed(request.method.rawValue, allowed: ["GET"]), allowed: [.get])
        }
        return make()
    }

    private func metrics() -> Response {
        Response(
            status: .ok, headers: [.contentType: PrometheusText.contentType],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: backend.metrics.text.bytes)))
    }

    private func api(_ request: Request, _ target: RequestTarget, _ origin: RequestOrigin) async throws -> Response {
        let fields = RequestFields(request.headers)
        var reply = Reply(correlationID: "", echoed: fields.echoed)
        var route: Route?
        do {
            let parameters = target.hasQuery ? try target.parameters() : []
            reply.correlationID = correlationID(fields, parameters)
            let caller = try await principal(fields, origin)
            guard caller.role == .user else { throw HTTPErrors.devopsIsNoUser }
            try fields.check()
            guard target.byteCount <= RequestTarget.byteMaximum else { throw HTTPErrors.targetTooLong }
            let found = try Route(target)
            route = found
            try found.check(request.method)
            reply.location = { "\(request.head.authority.map { "http://\($0)" } ?? "")\(target.path)" }
            let apiRequest = APIRequest(
                request: request, fields: fields, parameters: parameters, context: caller.context,
                correlationID: reply.correlationID)
            switch found {
            case .thing(let thing): return try await things.respond(to: apiRequest, thing, reply)
            case .policy(let policy):
                return try await policies.respond(to: apiRequest, policy, reply) { correlationIDs.next() }
            case .whoAmI: return try access.whoAmI(apiRequest, reply)
            case .checkPermissions: return try await access.checkPermissions(apiRequest, reply)
            case .things where request.method == .post:
                return try await things.create(apiRequest, id: correlationIDs.next(), reply)
            case .things: return try await things.retrieve(apiRequest, reply)
            }
        } catch let error as TwinspanError {
            return failure(error, reply, origin, allowed: route?.methods ?? [])
        }
    }

    /// As `api`, for the devops user.
    private func manage(_ request: Request, _ target: RequestTarget, _ origin: RequestOrigin) async throws -> Response {
        let fields = RequestFields(request.headers)
        var reply = Reply(correlationID: "", echoed: fields.echoed)
        var route: ManagementRoute?
        do {
            let parameters = target.hasQuery ? try target.parameters() : []
            reply.correlationID = correlationID(fields, parameters)
            guard try await isDevops(fields, origin) else { return ManagementDoor.refusal(reply.correlationID) }
            try fields.check()
            guard target.byteCount <= RequestTarget.byteMaximum else { throw HTTPErrors.targetTooLong }
            let found = try ManagementRoute(target)
            route = found
            guard found.methods.contains(request.method) else {
                throw HTTPErrors.methodNotAllowed(request.method.rawValue, allowed: found.methods.map(\.rawValue))
            }
            reply.location = { "\(request.head.authority.map { "http://\($0)" } ?? "")\(target.path)" }
            return try await management.respond(
                to: ManagementRequest(request: request, fields: fields, parameters: parameters), found, reply)
        } catch let error as TwinspanError {
            return failure(error, reply, origin, allowed: route?.methods ?? [])
        }
    }

    private func isDevops(_ fields: RequestFields, _ origin: RequestOrigin) async throws(TwinspanError) -> Bool {
        do throws(TwinspanError) {
            return try await principal(fields, origin).role == .devops
        } catch {
            guard error.status == 401 else { throw error }
            return false
        }
    }

    private func failure(
        _ error: TwinspanError, _ reply: Reply, _ origin: RequestOrigin, allowed: [HTTPRequest.Method]
    ) -> Response {
        var reply = reply
        if reply.correlationID.isEmpty { reply.correlationID = correlationIDs.next() }
        if error.status == 500 {
            origin.logger.error(
                "request failed",
                metadata: ["correlation.id": "\(reply.correlationID)", "error": "\(error.code): \(error.message)"])
        }
        if error.status == 413 { Self.closeSoon(origin.channel) }
        return reply.failure(error, etag: error.isPrecondition ? error.etag : nil, allowed: allowed)
    }

    private func principal(_ fields: RequestFields, _ origin: RequestOrigin) async throws(TwinspanError) -> Principal {
        if let header = fields.authorization, let known = backend.authenticator.remembered(header) { return known }
        return try await backend.authenticator.principal(
            authorization: fields.authorization, from: origin.addressKey)
    }

    /// The request's own correlation id if it can go back, else a new one.
    private func correlationID(_ fields: RequestFields, _ parameters: [(name: String, value: String)]) -> String {
        let given = fields.correlationID ?? CommandHeaders.correlationID(parameters)
        guard let given, !given.isEmpty, !fields.isTooLarge else { return correlationIDs.next() }
        return given
    }

    /// A client whose body is refused may go on sending it for as long as it likes; closing at once would take the
    /// answer from it, so it gets a little time to read that.
    private static func closeSoon(_ channel: (any Channel)?) {
        guard let channel else { return }
        channel.eventLoop.scheduleTask(in: .seconds(10)) { channel.close(promise: nil) }
    }
}
