// Shakes hands once, before the first request: an https connection that cannot be made is known when it opens, not when
// the first message is lost (spec/connectivity-bindings.md §5.4).
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import TwinspanNetwork

/// One handshake.
struct TLSHandshake {
    let settings: PushClient.Settings

    /// Dials, shakes hands and hangs up; `whenDone` is told once, on the event loop, nil meaning that all went well.
    func run(on group: MultiThreadedEventLoopGroup, whenDone: @escaping @Sendable ((any Error)?) -> Void) {
        guard let configuration = settings.tls else { return whenDone(nil) }
        let host = settings.endpoint.host
        let done = group.next().makePromise(of: Void.self)
        done.futureResult.whenComplete { result in
            if case .failure(let error) = result { whenDone(error) } else { whenDone(nil) }
        }
        do {
            let address = try SocketAddress(ipAddress: settings.reached.address.text, port: settings.reached.port)
            let context = try NIOSSLContext(configuration: configuration)
            // An address is no server name; it is then compared with the certificate's addresses.
            let isLiteral = (try? SocketAddress(ipAddress: host, port: 0)) != nil
            let connected = ClientBootstrap(group: group).connectTimeout(TimeAmount(settings.connectTimeout))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let handler = try NIOSSLClientHandler(
                            context: context, serverHostname: isLiteral ? nil : host)
                        try channel.pipeline.syncOperations.addHandlers([handler, HandshakeWatch(done)])
                    }
                }.connect(to: address)
            connected.whenFailure { done.fail($0) }
            done.futureResult.whenComplete { _ in
                connected.whenSuccess { $0.close(promise: nil) }
            }
        } catch {
            done.fail(error)
        }
    }
}

/// Waits for the end of a handshake. Confined to the event loop.
private final class HandshakeWatch: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let done: EventLoopPromise<Void>

    init(_ done: EventLoopPromise<Void>) { self.done = done }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case TLSUserEvent.handshakeCompleted? = event as? TLSUserEvent { done.succeed(()) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        done.fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        done.fail(NIOSSLError.handshakeFailed(.sslError([])))
        context.fireChannelInactive()
    }
}
