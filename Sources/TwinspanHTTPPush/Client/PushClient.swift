// The HTTP client of one session: it dials one address, whatever names the requests carry, so that what was checked
// about the address holds for every connection it makes. Redirects are not followed (Ditto's client does not either):
// the host behind one has not been checked, and a POST would become a GET.
import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import TwinspanNetwork

/// Sends requests to one host.
final class PushClient: Sendable {
    /// What a client needs to know.
    struct Settings: Sendable {
        /// The name certificates are checked against, and the port that stands in `Host`.
        let endpoint: HTTPEndpoint
        /// Where that host was found.
        let reached: NetworkDialler.Reached
        /// Nil for plain HTTP.
        let tls: TLSConfiguration?
        /// Connections that are kept, at most.
        let connections: Int
        /// For making a connection, TLS included.
        let connectTimeout: Duration
        /// How long an unused connection is kept.
        let idleTimeout: Duration
    }

    private let loops: EventLoops
    private let client: HTTPClient
    /// `https://host:port`, with the port that is dialled.
    private let origin: String
    /// Held, because a tunnel stays only while somebody does.
    private let reached: NetworkDialler.Reached

    init(_ settings: Settings, loops: EventLoops) {
        self.loops = loops
        reached = settings.reached
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: settings.tls, redirectConfiguration: .disallow,
            timeout: HTTPClient.Configuration.Timeout(connect: TimeAmount(settings.connectTimeout)))
        configuration.httpVersion = .http1Only
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = settings.connections
        configuration.connectionPool.idleTimeout = TimeAmount(settings.idleTimeout)
        // The supervisor knows when to try again.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.dnsOverride = [settings.endpoint.host: settings.reached.address.text]
        client = HTTPClient(eventLoopGroupProvider: .shared(loops.borrow()), configuration: configuration)
        origin = "\(settings.tls == nil ? "http" : "https")://\(settings.endpoint.hostText):\(settings.reached.port)"
    }

    /// Sends a request; `whenDone` is told of the end once, on the event loop.
    /// - Throws: an error of the library for a request that cannot be sent.
    func send(
        _ request: PushRequest, bodyLimit: Int, bodyTimeout: Duration,
        whenDone: @escaping @Sendable (ExchangeEnd) -> Void
    ) throws -> Exchange {
        var sent = try HTTPClient.Request(
            url: origin + request.target, method: HTTPMethod(rawValue: request.method),
            headers: HTTPHeaders(request.headers.map { ($0.name, $0.value) }))
        if let body = request.body, !body.isEmpty { sent.body = .byteBuffer(ByteBuffer(bytes: body)) }
        let exchange = Exchange(bodyLimit: bodyLimit, bodyTimeout: bodyTimeout)
        let task = client.execute(request: sent, delegate: exchange)
        exchange.began(task)
        task.futureResult.whenComplete { whenDone(exchange.end($0)) }
        return exchange
    }

    /// Closes every connection. Returns at once; `whenDone` is told when nothing is left of them.
    func close(whenDone: @escaping @Sendable () -> Void) {
        let (loops, reached) = (loops, reached)
        client.shutdown().whenComplete { _ in
            withExtendedLifetime(reached) {}
            loops.giveBack()
            whenDone()
        }
    }
}
