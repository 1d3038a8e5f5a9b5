// A web service whose answers a test chooses: it records what it is asked, and can be slow, silent, rude or large.
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// An HTTP/1.1 server on loopback. Safe from any thread.
public final class HTTPTestServer: Sendable {
    /// A request as it came.
    public struct Request: Sendable {
        public var method: String
        /// Path and query.
        public var target: String
        /// Names in lower case.
        public var headers: [(name: String, value: String)]
        public var body: [UInt8]
        /// Which connection it came through, counted from 0.
        public var connection: Int

        /// The value of a header.
        public func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
        public var text: String { String(decoding: body, as: UTF8.self) }
    }

    /// What to do with a request.
    public enum Reply: Sendable {
        case answer(status: Int = 200, headers: [(String, String)] = [], body: String = "")
        /// As chunks, without a length.
        case chunked(status: Int = 200, [String])
        /// A head that promises `length` bytes, some of them, and then nothing.
        case broken(length: Int, body: String, closes: Bool)
        case silence
        case hangUp
        /// After so many milliseconds.
        indirect case late(Int64, Reply)
    }

    /// Files of the server, and who may come.
    public struct TLS: Sendable {
        public var certificatePath: String
        public var keyPath: String
        /// PEM of the authority of clients; nil lets everybody in.
        public var clientAuthority: String?

        public init(_ certificate: TestCertificate, clientAuthority: String? = nil) {
            certificatePath = certificate.certificatePath
            keyPath = certificate.keyPath
            self.clientAuthority = clientAuthority
        }
    }

    /// What has happened so far.
    public struct Record: Sendable {
        public var requests: [Request] = []
        public var connections = 0
        public var underWay = 0
        /// The most requests that were under way at a time.
        public var mostUnderWay = 0
    }

    public let port: Int
    public let record = Watched(Record())
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let channel: any Channel

    /// `script` is asked with each request, on the server's thread.
    public init(
        port: Int = 0, tls: TLS? = nil, script: @escaping @Sendable (Request) -> Reply = { _ in .answer() }
    ) throws {
        let context = try tls.map { try Self.context($0) }
        let record = record
        channel = try ServerBootstrap(group: group).serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let context { try pipeline.addHandler(NIOSSLServerHandler(context: context)) }
                    try pipeline.configureHTTPServerPipeline(withErrorHandling: false)
                    let number = record.update { record in
                        record.connections += 1
                        return record.connections - 1
                    }
                    try pipeline.addHandler(RequestHandler(number: number, record: record, script: script))
                }
            }.bind(host: "127.0.0.1", port: port).wait()
        self.port = channel.localAddress?.port ?? 0
    }

    /// Ends every connection at once. To be called once.
    public func stop() {
        // Shutting down the threads closes what is open; a test has no use for what went wrong then.
        try? group.syncShutdownGracefully()
    }

    /// Waits until so many requests have come.
    public func await(_ count: Int, within seconds: Double = 10) throws {
        try require(
            record.wait(seconds) { $0.requests.count >= count },
            "\(record.current.requests.count) of \(count) requests have come")
    }

    private static func context(_ tls: TLS) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(tls.certificatePath).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: tls.keyPath, format: .pem)))
        if let authority = tls.clientAuthority {
            configuration.certificateVerification = .noHostnameVerification
            configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(authority.utf8)))
        }
        return try NIOSSLContext(configuration: configuration)
    }
}

/// One connection of the server. Confined to its event loop.
private final class RequestHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let number: Int
    private let record: Watched<HTTPTestServer.Record>
    private let script: @Sendable (HTTPTestServer.Request) -> HTTPTestServer.Reply
    private var request: HTTPTestServer.Request?

    init(
        number: Int, record: Watched<HTTPTestServer.Record>,
        script: @escaping @Sendable (HTTPTestServer.Request) -> HTTPTestServer.Reply
    ) {
        self.number = number
        self.record = record
        self.script = script
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            request = HTTPTestServer.Request(
                method: head.method.rawValue, target: head.uri,
                headers: head.headers.map { ($0.name.lowercased(), $0.value) }, body: [], connection: number)
        case .body(let buffer): request?.body.append(contentsOf: buffer.readableBytesView)
        case .end:
            guard let request = request.take() else { return }
            record.update { record in
                record.requests.append(request)
                record.underWay += 1
                record.mostUnderWay = max(record.mostUnderWay, record.underWay)
            }
            reply(script(request), context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func reply(_ reply: HTTPTestServer.Reply, _ context: ChannelHandlerContext) {
        if case .late(let milliseconds, let later) = reply {
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            context.eventLoop.scheduleTask(in: .milliseconds(milliseconds)) {
                bound.value.0.reply(later, bound.value.1)
            }
            return
        }
        record.update { $0.underWay -= 1 }
        switch reply {
        case .answer(let status, let headers, let body):
            write(status, headers + [("content-length", "\(body.utf8.count)")], [body], isWhole: true, context)
        case .chunked(let status, let parts):
            write(status, [("transfer-encoding", "chunked")], parts, isWhole: true, context)
        case .broken(let length, let body, let closes):
            write(200, [("content-length", "\(length)")], [body], isWhole: false, context)
            if closes { context.close(promise: nil) }
        case .hangUp: context.close(promise: nil)
        case .silence, .late: break
        }
    }

    private func write(
        _ status: Int, _ headers: [(String, String)], _ parts: [String], isWhole: Bool,
        _ context: ChannelHandlerContext
    ) {
        let head = HTTPResponseHead(
            version: .http1_1, status: HTTPResponseStatus(statusCode: status), headers: HTTPHeaders(headers))
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        for part in parts where !part.isEmpty {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: part)))), promise: nil)
        }
        if isWhole { context.write(wrapOutboundOut(.end(nil)), promise: nil) }
        context.flush()
    }
}
