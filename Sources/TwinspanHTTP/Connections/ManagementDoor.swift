// The part of the HTTP door that belongs to the devops user: connections, piggyback commands, status, taps and dead
// letters. Sealed: whoever is not that user learns nothing, not even which paths there are (spec/http.md §1.1).
import HTTPTypes
import Hummingbird
import NIOCore
import TwinspanConnections
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol

/// Serves the management of the service.
struct ManagementDoor: Sendable {
    private let backend: HTTPBackend
    private let calls: ManagementCalls
    private let connections: ConnectionRequests
    private let piggyback: PiggybackRequests
    private let deadLetters: DeadLetterRequests
    private let explanations: ExplanationRequests
    private let loops: any EventLoopGroup

    init(
        backend: HTTPBackend, waits: CommitWaits, loops: any EventLoopGroup, makeID: @escaping @Sendable () -> String
    ) {
        self.backend = backend
        self.loops = loops
        calls = ManagementCalls(registry: backend.registry)
        connections = ConnectionRequests(calls: calls, makeID: makeID)
        piggyback = PiggybackRequests(calls: calls, makeID: makeID)
        deadLetters = DeadLetterRequests(engine: backend.engine, waits: waits, calls: calls)
        explanations = ExplanationRequests(engine: backend.engine, calls: calls)
    }

    /// Who is not the devops user is answered as the reference's framework does: with a short text.
    static func refusal(_ correlationID: String) -> Response {
        Response(
            status: .unauthorized,
            headers: [
                .correlationID: correlationID, .wwwAuthenticate: "Basic realm=\"DITTO-DEVOPS\"",
                .contentType: "text/plain; charset=UTF-8",
            ],
            body: ResponseBody(
                byteBuffer: ByteBuffer(string: "This needs the credentials of the user 'devops'.\n")))
    }

    func respond(
        to management: ManagementRequest, _ route: ManagementRoute, _ reply: Reply
    ) async throws -> Response {
        let method = management.method
        switch route {
        case .connections where method == .post: return try await connections.create(management, reply)
        case .connections: return try await connections.list(management, reply)
        case .connection(let id) where method == .put: return try await connections.put(management, id: id, reply)
        case .connection(let id) where method == .delete:
            return try await connections.delete(management, id: id, reply)
        case .connection(let id): return try await connections.retrieve(management, id: id, reply)
        case .command(let id): return try await connections.command(management, id: id, reply)
        case .report(let id, let report): return try await connections.report(management, id: id, report, reply)
        case .piggyback(let service): return try await piggyback.respond(management, service: service, reply)
        case .status: return try await status(reply)
        case .tap(let id): return try await tap(management, id: id, reply)
        case .deadLetters where method == .delete: return try await deadLetters.dropAll(management, reply)
        case .deadLetters: return try await deadLetters.list(management, reply)
        case .deadLetter(let id) where method == .delete: return try await deadLetters.drop(id: id, reply)
        case .deadLetter(let id): return try await deadLetters.show(id: id, reply)
        case .retry(let id): return try await deadLetters.retry(id: id, reply)
        case .explanation: return try await explanations.explain(management, reply)
        }
    }

    private func status(_ reply: Reply) async throws -> Response {
        let status = ServiceStatus(backend: backend)
        let json = try await calls.read { status.json }
        return reply.success(status: 200, value: JSONText(json), etag: nil, revision: nil)
    }

    private func tap(_ management: ManagementRequest, id text: String, _ reply: Reply) async throws -> Response {
        let id = try ConnectionID(text)
        let filter: TapFilter
        do throws(TapFilterFailure) {
            filter = try TapFilter.parse(
                thing: management.parameter("thing"), outcome: management.parameter("outcome"),
                correlationID: management.parameter("correlation-id"), stage: management.parameter("stage"))
        } catch {
            throw HTTPErrors.parametersInvalid(error.message, error.hint)
        }
        let tap = try await calls.look { (registry) throws(TwinspanError) in try registry.tap(id, filter: filter) }
        var response = reply.success(status: 200, value: nil, etag: nil, revision: nil)
        response.headers[.contentType] = "application/x-ndjson"
        response.body = TapStream.body(of: tap, loop: loops.any())
        return response
    }
}
