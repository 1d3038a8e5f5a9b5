// Where a connection leads, as its adapter needs to know it, and by which way.
public import TwinspanConnections

/// The host of a connection and how it is reached.
public struct Endpoint: Sendable {
    /// The name in `uri`: what certificates are checked against, whatever way leads there.
    public var host: String
    public var port: Int
    /// What may be reached at all.
    public var hosts: HostRules
    /// The tunnel that leads there; nil when it is reached directly.
    public var tunnel: SSHTunnelSettings?

    /// An endpoint that is reached directly, whatever the host rules.
    public init(host: String, port: Int) {
        self.host = host
        self.port = port
        hosts = .none
    }

    /// The broker of a connection, or another host that the connection names (a token endpoint, a second broker);
    /// both under the same rules and through the same tunnel.
    public init(_ connection: Connection, host: String? = nil, port: Int? = nil) {
        self.host = host ?? connection.uri.host
        self.port = port ?? connection.uri.port
        hosts = connection.hosts
        tunnel = SSHTunnelSettings(connection)
    }

    /// `host:port` for messages.
    public var peer: String { "\(host):\(port)" }
}
