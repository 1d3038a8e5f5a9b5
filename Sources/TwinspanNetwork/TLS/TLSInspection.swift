// Says what is wrong with a server's certificate, by a handshake of its own: for libraries that take no context of ours
// and only tell that theirs has failed.
import Glibc

/// One look at a server's certificate.
public struct TLSInspection {
    /// What is wrong.
    public enum Finding: Equatable, Sendable {
        /// Nobody we trust has signed it.
        case untrusted(detail: String)
        case expired(since: String)
        case notYetValid(until: String)
        /// The names it is for.
        case otherName([String])
        case revoked
    }

    public let host: String
    public let address: HostAddress
    /// PEM bundle; nil means the certificates of the system.
    public let trustedCertificates: String?
    /// For each of the socket's calls.
    public let patience: Duration

    public init(host: String, address: HostAddress, trustedCertificates: String?, patience: Duration) {
        self.host = host
        self.address = address
        self.trustedCertificates = trustedCertificates
        self.patience = patience
    }

    /// Blocks for some network round trips. Nil when nothing is wrong, or nothing could be found out.
    public func run() -> Finding? {
        let settings = TLSSettings(serverName: host, trustedCertificates: trustedCertificates)
        // A bundle that cannot be read is the lint's to report.
        guard let context = try? TLSContext(settings), let socket = connectedSocket() else { return nil }
        defer { close(socket) }
        guard let stream = TLSStream(context, descriptor: socket) else { return nil }
        _ = stream.shakeHands()
        return context.problem?.finding
    }

    private func connectedSocket() -> Int32? {
        address.socketAddress.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return nil }
            let target = start.assumingMemoryBound(to: sockaddr.self)
            let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
            let descriptor = socket(Int32(target.pointee.sa_family), kind, 0)
            guard descriptor >= 0 else { return nil }
            var limit = timeval()
            limit.tv_sec = max(1, Int(patience.components.seconds))
            for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
                setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
            }
            if connect(descriptor, target, socklen_t(bytes.count)) == 0 { return descriptor }
            close(descriptor)
            return nil
        }
    }
}
