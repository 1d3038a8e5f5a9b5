// What an end of a connection means and which reaction it calls for. The reason words are stable; metrics and status
// are built on them.
import AsyncHTTPClient
import NIOCore
import NIOPosix
import NIOSSL
import TwinspanConnections
import TwinspanNetwork

/// Classifies failures of http-push sessions.
enum HTTPPushFailure {
    /// The server did not answer a request in time.
    static func requestTimedOut(peer: String, after limit: Duration) -> BrokerFailure {
        BrokerFailure(
            step: .serve, reaction: .backOff, reason: "timeout",
            message: "\(peer) did not answer a request within \(limit).",
            hint: "see why the server is slow, or raise specificConfig.idleTimeout")
    }

    /// No connection for a request could be made.
    static func connect(_ error: any Error, peer: String, limit: Duration) -> BrokerFailure {
        switch error {
        case let failure as NIOConnectionError:
            let number = failure.connectionErrors.lazy.compactMap { ($0.error as? IOError)?.errnoCode }.first
            if let number { return NetworkFailure.unreachable(peer: peer, errorNumber: number) }
        case let failure as IOError:
            return NetworkFailure.unreachable(peer: peer, errorNumber: failure.errnoCode)
        case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError:
            return NetworkFailure.tls(peer: peer, text: words(error))
        case let failure as HTTPClientError where failure == .tlsHandshakeTimeout:
            return NetworkFailure.timeout(at: .tls, peer: peer, after: limit, speaking: "HTTP")
        case let failure as HTTPClientError where failure == .connectTimeout || failure == .deadlineExceeded:
            return NetworkFailure.timeout(at: .connect, peer: peer, after: limit, speaking: "HTTP")
        case ChannelError.connectTimeout:
            return NetworkFailure.timeout(at: .connect, peer: peer, after: limit, speaking: "HTTP")
        default: break
        }
        return BrokerFailure(
            step: .connect, reaction: .backOff, reason: "unreachable",
            message: "\(peer) cannot be connected to (\(words(error))).", hint: "check host, port and network")
    }

    /// Whether an error is one of the TLS layer.
    static func isTLS(_ error: any Error) -> Bool {
        error is NIOSSLError || error is NIOSSLExtraError || error is BoringSSLError
    }

    /// Certificates or keys of the connection cannot be read.
    static func certificates(_ error: any Error) -> BrokerFailure {
        BrokerFailure(
            step: .tls, reaction: .misconfigured, reason: "tls",
            message: "The certificates of the connection cannot be used (\(words(error))).",
            hint: "check 'ca' and 'credentials': PEM certificates, and a key in PKCS #8 that is not encrypted")
    }

    /// The token endpoint did not give a token.
    static func tokenRequestFailed(_ endpoint: String, detail: String, isRefusal: Bool) -> BrokerFailure {
        BrokerFailure(
            step: .authenticate, reaction: isRefusal ? .misconfigured : .backOff,
            reason: isRefusal ? "bad-credentials" : "token",
            message: "Request to token endpoint \(endpoint) failed: \(detail).",
            hint: isRefusal
                ? "check client, secret, user and scopes in 'credentials'"
                : "check that the token endpoint can be reached and works")
    }

    /// The token endpoint answered with something else than a token.
    static func invalidToken(_ endpoint: String, detail: String) -> BrokerFailure {
        BrokerFailure(
            step: .authenticate, reaction: .misconfigured, reason: "token",
            message: "Received invalid JSON web token response from \(endpoint): \(detail).",
            hint: "check 'tokenEndpoint'; the token must be a JWT with 'exp'")
    }

    /// A connection of this type has no sources.
    static let noSources = BrokerFailure(
        step: .subscribe, reaction: .misconfigured, reason: "no-sources",
        message: "A connection of type 'http-push' cannot have sources.", hint: "remove them")

    /// The credentials cannot sign a request.
    static func unusableCredentials(_ problem: String) -> BrokerFailure {
        BrokerFailure(
            step: .authenticate, reaction: .misconfigured, reason: "bad-credentials", message: problem,
            hint: "check 'credentials'")
    }

    /// The library's words for an error, in one line.
    static func words(_ error: any Error) -> String {
        String("\(error)".split(whereSeparator: \.isNewline).joined(separator: " ").prefix(200))
    }
}
