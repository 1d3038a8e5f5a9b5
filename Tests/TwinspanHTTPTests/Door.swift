// The HTTP door over a real engine and a real store in a temporary directory, reached in memory or over a socket: the
// same test body runs both ways.
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization
import Testing
import TwinspanConnections
import TwinspanEngine
import TwinspanJSON
import TwinspanProtocol
import TwinspanSQLite

@testable import TwinspanHTTP

/// How a request travels.
enum Way: String, CaseIterable, Sendable { case memory, socket }

/// A request as a test writes it.
struct Ask: Sendable {
    var method: String
    var path: String
    var headers: [(String, String)] = []
    var body: [UInt8]?
    /// Nil sends no authorization.
    var user: String? = "ditto:secret"

    init(
        _ method: String, _ path: String, _ headers: [(String, String)] = [], body: String? = nil,
        user: String? = "ditto:secret"
    ) {
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body.map { Array($0.utf8) }
        self.user = user
    }

    var allHeaders: [(String, String)] {
        guard let user else { return headers }
        return headers + [("Authorization", "Basic " + Data(user.utf8).base64EncodedString())]
    }
}

/// A response as a test looks at it.
struct Answer: Sendable {
    var status: Int
    var headers: [(String, String)]
    var body: [UInt8]

    subscript(name: String) -> String? { headers.first { $0.0.lowercased() == name }?.1 }
    var text: String { String(decoding: body, as: UTF8.self) }
    var json: JSONValue? { try? JSONValue.parse(body) }  // A body that is no JSON is nil, which no test expects.
    var code: String? { json?.object?["error"]?.string }
}

/// A clock that stands still unless a test moves it.
final class SettableClock: EngineClock {
    private let time = Mutex<(milliseconds: Int64, nanoseconds: UInt64)>((1_700_000_000_000, 1_000_000_000))
    var now: Timestamp { Timestamp(milliseconds: time.withLock { $0.milliseconds }) }
    var monotonic: UInt64 { time.withLock { $0.nanoseconds } }
    func advance(seconds: UInt64) { time.withLock { $0.nanoseconds += seconds * 1_000_000_000 } }
}

/// Connections as a test wants them.
final class FixedDirectory: ConnectionDirectory {
    private let content: Mutex<[ConnectionSnapshot]>
    init(_ snapshots: [ConnectionSnapshot] = []) { content = Mutex(snapshots) }
    func snapshots() -> [ConnectionSnapshot] { content.withLock { $0 } }
    func set(_ snapshots: [ConnectionSnapshot]) { content.withLock { $0 = snapshots } }
}

/// A connection with the facts a test names.
func snapshot(
    _ id: String, state: ConnectionState = .open, failure: BrokerFailure? = nil, isRequired: Bool = true,
    counters: [ConnectionSnapshot.Counter] = [], queueDepth: Int = 0, queueAge: Double = 0
) throws -> ConnectionSnapshot {
    ConnectionSnapshot(
        id: try ConnectionID(id), type: .mqtt, uri: "tcp://localhost:1883", state: state, stateAgeSeconds: 12,
        failure: failure, nextAttemptSeconds: nil, isRequired: isRequired, sourceCount: 1, targetCount: 1,
        counters: counters, inFlight: 3, queueDepth: queueDepth, queueBytes: queueDepth * 100,
        queueAgeSeconds: queueAge)
}

/// The door under test.
struct Door: Sendable {
    let engine: TwinEngine
    let directory: FixedDirectory
    let authenticator: Authenticator
    let clock: SettableClock
    fileprivate let send: @Sendable (Ask) async throws -> Answer

    func callAsFunction(_ ask: Ask) async throws -> Answer { try await send(ask) }

    static let users = [
        BasicUser(name: "ditto", secret: .password("secret")),
        BasicUser(name: "guest", secret: .password("guest")),
        BasicUser(name: "devops", secret: .password("ops"), role: .devops),
    ]
}

/// Runs a test body against a door; `wrap` may put something between engine and store.
func withDoor(
    _ way: Way, settings: HTTPSettings = HTTPSettings(port: 0), users: [BasicUser] = Door.users,
    registry: (any ConnectionRegistry)? = nil, wrap: (any TwinStore) -> any TwinStore = { $0 },
    _ body: (Door) async throws -> Void
) async throws {
    let path = FileManager.default.temporaryDirectory.path + "/twinspan-http-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }  // What is left over is in the temporary directory.
    let store = try SQLiteStore(directory: path, durability: .os)
    let clock = SettableClock()
    let engine = TwinEngine(store: wrap(store), clock: clock, settings: EngineSettings(cacheBytes: 16 << 20))
    try engine.start()
    defer { engine.stop() }
    let directory = FixedDirectory()
    let authenticator = Authenticator(users: users, clock: clock)
    let backend = HTTPBackend(
        engine: engine, connections: directory, authenticator: authenticator, storeMeasures: { store.measure() },
        registry: registry, facts: ServiceFacts(version: "1.2.3", clock: clock, journalMaxBytes: 1_000))
    let door = { send in
        Door(engine: engine, directory: directory, authenticator: authenticator, clock: clock, send: send)
    }
    switch way {
    case .memory:
        let responder = TwinResponder(
            backend: backend, settings: settings, loops: MultiThreadedEventLoopGroup.singleton)
        try await body(door { try await respond(responder, to: $0) })
    case .socket:
        try await withService(backend, settings) { service in
            let port = try #require(service.boundPort)
            try await body(door { try await SocketClient.send($0, port: port) })
        }
    }
}

/// Runs a service while `body` runs, then shuts it down gracefully and waits for its end.
func withService(
    _ backend: HTTPBackend, _ settings: HTTPSettings, _ body: (TwinHTTPService) async throws -> Void
) async throws {
    let (listening, told) = AsyncStream<String>.makeStream()
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let service = TwinHTTPService(backend: backend, settings: settings, logger: logger) { told.yield($0) }
    let group = ServiceGroup(configuration: .init(services: [service], logger: logger))
    let running = Task { try await group.run() }
    for await _ in listening { break }
    do {
        try await body(service)
    } catch {
        await group.triggerGracefulShutdown()
        throw error
    }
    await group.triggerGracefulShutdown()
    try await running.value
}

private func respond(_ responder: TwinResponder, to ask: Ask) async throws -> Answer {
    var fields = HTTPFields()
    for (name, value) in ask.allHeaders {
        fields.append(HTTPField(name: try #require(HTTPField.Name(name)), value: value))
    }
    if let body = ask.body { fields[.contentLength] = String(body.count) }
    let head = HTTPRequest(
        method: try #require(HTTPRequest.Method(ask.method)), scheme: "http", authority: "twin.example",
        path: ask.path, headerFields: fields)
    let request = Request(head: head, body: RequestBody(buffer: ByteBuffer(bytes: ask.body ?? [])))
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let response = try await responder.respond(to: request, context: RequestOrigin(logger: logger))
    let writer = BodyCollector()
    try await response.body.write(writer)
    return Answer(
        status: response.status.code, headers: response.headers.map { ($0.name.rawName, $0.value) },
        body: writer.bytes)
}

private final class BodyCollector: ResponseBodyWriter {
    private(set) var bytes: [UInt8] = []
    func write(_ buffer: ByteBuffer) { bytes.append(contentsOf: buffer.readableBytesView) }
    func finish(_ trailingHeaders: HTTPFields?) {}
}
