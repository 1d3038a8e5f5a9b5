// The http-push side of the shared adapter suite, and what the other tests of http-push build upon: a web service of
// the test's own.
import Synchronization
import TwinspanConnections
import TwinspanExpressions
import TwinspanHTTPPush
import TwinspanJSON
import TwinspanProtocol
import TwinspanTestSupport

/// Runs the shared scenarios of sending against a web service.
final class HTTPPushHarness: AdapterHarness {
    let adapter: any BrokerAdapter = HTTPPushBrokerClient.short
    let impossibleAddress = "FETCH:/nothing"
    /// One request after the other, each with its answer.
    let flushGrace = Duration.seconds(60)
    private let port: Int
    private let server: Mutex<HTTPTestServer?>

    init() throws {
        let first = try HTTPTestServer()
        port = first.port
        server = Mutex(first)
    }

    deinit { stopBroker() }

    func connection(id: String, reading address: String?, host: String?, port: Int?) throws -> Connection {
        try pushConnection(host: host ?? "127.0.0.1", port: port ?? self.port)
    }

    func address(_ name: String) -> String { "PUT:/suite/\(name)" }

    func send(_ payloads: [String], to address: String) throws {
        throw ScenarioFailure("nothing can be sent to a connection of type http-push")
    }

    func collector(of address: String) throws -> any MessageCollector {
        guard let server = server.withLock({ $0 }) else { throw ScenarioFailure("there is no server") }
        return HTTPPushCollector(server: server, target: String(address.dropFirst(4)))
    }

    func stopBroker() { server.withLock { $0.take() }?.stop() }
    func killBroker() { stopBroker() }

    func startBroker() throws {
        let started = try HTTPTestServer(port: port)
        server.withLock { $0 = started }
    }
}

private final class HTTPPushCollector: MessageCollector {
    private let server: HTTPTestServer
    private let target: String
    private var position = 0

    init(server: HTTPTestServer, target: String) {
        self.server = server
        self.target = target
    }

    func next() throws -> String {
        while true {
            let index = position
            try server.await(index + 1)
            position += 1
            let request = server.record.update { $0.requests[index] }
            if request.target == target { return request.text }
        }
    }
}

extension HTTPPushBrokerClient {
    /// With limits short enough for tests, long enough for a busy machine.
    static var short: HTTPPushBrokerClient { short() }

    static func short(
        now: @escaping @Sendable () -> Int64 = { 1_800_000_000 },
        change: (inout Limits) -> Void = { _ in }
    ) -> HTTPPushBrokerClient {
        var limits = Limits()
        limits.dial = .seconds(5)
        change(&limits)
        return HTTPPushBrokerClient(limits: limits, now: now)
    }
}

/// A connection without targets; messages carry their addresses.
func pushConnection(
    scheme: String = "http", user: String? = nil, password: String? = nil, host: String = "127.0.0.1", port: Int,
    path: String = "", settings: [String: String] = [:], credentials: JSONObject? = nil, authority: String? = nil,
    validates: Bool = true
) throws -> Connection {
    Connection(
        id: try ConnectionID("push"), type: .httpPush, isOpen: true,
        uri: ConnectionURI(
            scheme: scheme, user: user, password: password.map { Secret($0) }, host: host, port: port, path: path),
        sources: [], targets: [], validatesCertificates: validates, trustedCertificates: authority,
        specificConfig: settings, credentials: credentials)
}

/// One running publisher with its queue and outcomes.
final class PushRun {
    let queue = OutboundQueue(capacity: 5000, byteCapacity: 1 << 24)
    let outcomes = TestOutcomes()
    let session: SessionThread

    /// Starts it; `isOpen` waits until it is open.
    init(_ connection: Connection, _ client: HTTPPushBrokerClient = .short, isOpen: Bool = true) throws {
        session = SessionThread(client.publisher(for: connection, queue: queue, outcomes: outcomes))
        if isOpen { try session.awaitOpen() }
    }

    func send(
        _ address: String, _ payload: String = "", headers: [(name: String, value: String)] = [],
        isBinary: Bool = false
    ) throws {
        let message = OutboundMessage(
            address: address, payload: Array(payload.utf8), qos: 0, headers: headers, isBinary: isBinary, target: 0,
            queuedAt: 0)
        try require(queue.offer(message), "the queue is full")
    }

    /// Waits for so many ends of messages, answered or refused.
    func awaitEnds(_ count: Int, within seconds: Double = 10) throws {
        try require(
            outcomes.state.wait(seconds) { $0.answers.count + $0.refused.count >= count },
            "\(outcomes.state.current.answers.count) answers, \(outcomes.state.current.refused.count) refusals")
    }

    var answers: [BrokerAnswer] { outcomes.state.current.answers }
    var refusals: [PublishRefusal] { outcomes.state.current.refused.map(\.refusal) }
}
