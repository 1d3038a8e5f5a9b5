// The HTTP door as a service of the process: listens from `run` on, and on a graceful shutdown lets open requests
// finish.
import Hummingbird
import HummingbirdCore
public import Logging
import NIOCore
import NIOPosix
public import ServiceLifecycle
import Synchronization

/// Serves `/api/2`, `/health`, `/ready` and `/metrics`.
///
/// In a `ServiceGroup` it belongs behind whatever stops the engine, so that it is stopped first: an open request may
/// wait for a commit.
public final class TwinHTTPService: Service {
    private let settings: HTTPSettings
    private let logger: Logger
    private let loops: any EventLoopGroup
    private let responder: TwinResponder
    private let onListening: @Sendable (_ address: String) -> Void
    private let port = Mutex<Int?>(nil)

    /// Prepares the server; nothing listens yet.
    /// - Parameter onListening: called once with `host:port` when requests are taken.
    public init(
        backend: HTTPBackend, settings: HTTPSettings, logger: Logger,
        onListening: @escaping @Sendable (_ address: String) -> Void = { _ in }
    ) {
        self.settings = settings
        self.logger = logger
        self.onListening = onListening
        loops = MultiThreadedEventLoopGroup.singleton
        responder = TwinResponder(backend: backend, settings: settings, loops: loops)
    }

    /// The port that is listened on; nil before. Differs from the one asked for when that was 0.
    public var boundPort: Int? { port.withLock { $0 } }

    /// Serves until graceful shutdown. Throws `ListenFailure` when the address cannot be listened on.
    public func run() async throws {
        let application = Application(
            responder: responder,
            server: .http1(
                configuration: .init(
                    idleTimeout: .seconds(610),
                    // Beyond these there is no answer but 400 and the end of the connection; the limits of the API,
                    // which are answered properly, are lower.
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: 32 << 10, maxHeaderListSize: 64 << 10, maxHeaderFieldCount: 200))),
            configuration: ApplicationConfiguration(
                address: .hostname(settings.host, port: settings.port), serverName: nil,
                availableConnectionsDelegate: MaximumAvailableConnections(settings.connectionMaximum)),
            onServerRunning: { [self] channel in listening(on: channel) },
            eventLoopGroupProvider: .shared(loops), logger: quietLogger)
        do {
            try await application.run()
        } catch let error as IOError {
            throw ListenFailure(
                host: settings.host, port: settings.port, code: error.errnoCode, reason: error.description)
        } catch  where boundPort == nil && !(error is CancellationError) {
            throw ListenFailure(host: settings.host, port: settings.port, code: nil, reason: "\(error)")
        }
    }

    /// The framework's own lines about its start say nothing that ours does not.
    private var quietLogger: Logger {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        return quiet
    }

    private func listening(on channel: any Channel) {
        let bound = channel.localAddress?.port ?? settings.port
        port.withLock { $0 = bound }
        onListening(HTTPSettings.address(settings.host, bound))
    }
}
