// The `sshTunnel` of a connection, read once (spec/connectivity.md §1.6). What is wrong with it has been reported when
// the connection was read.
public import TwinspanConnections
import TwinspanJSON
import TwinspanProtocol

/// A tunnel: the SSH server, who we are there, and how we know it.
public struct SSHTunnelSettings: Sendable, Equatable {
    /// How we prove who we are.
    public enum Login: Sendable, Equatable {
        case password(Secret)
        /// PEM, PKCS #8, or as OpenSSH writes keys; not encrypted.
        case key(Secret)
    }

    public var host: String
    public var port: Int
    public var user: String
    public var login: Login
    /// Whether the server's key must have one of `knownHosts` as fingerprint.
    public var validatesHost: Bool
    public var knownHosts: [SSHFingerprint]

    public init(
        host: String, port: Int, user: String, login: Login, validatesHost: Bool, knownHosts: [SSHFingerprint] = []
    ) {
        self.host = host
        self.port = port
        self.user = user
        self.login = login
        self.validatesHost = validatesHost
        self.knownHosts = knownHosts
    }

    /// Nil when the connection has no tunnel, or one that is not enabled.
    public init?(_ connection: Connection) {
        guard let json = connection.sshTunnel, json["enabled"]?.bool ?? true,
            // What cannot be read was refused when the connection was.
            let uri = json["uri"]?.string.flatMap({ try? ConnectionURI.parse($0) }),
            let credentials = json["credentials"]?.object, let user = credentials["username"]?.string
        else { return nil }
        let login: Login
        if credentials["type"]?.string == "plain", let password = credentials["password"]?.string {
            login = .password(Secret(password))
        } else if let key = credentials["privateKey"]?.string {
            login = .key(Secret(key))
        } else {
            return nil
        }
        self.init(
            host: uri.host, port: uri.port, user: user, login: login,
            validatesHost: json["validateHost"]?.bool ?? true,
            knownHosts: (json["knownHosts"]?.array ?? []).compactMap { $0.string.flatMap(SSHFingerprint.init) })
    }

    /// `host:port` for messages.
    public var peer: String { "\(host):\(port)" }
}
