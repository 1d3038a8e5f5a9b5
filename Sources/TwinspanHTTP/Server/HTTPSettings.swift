// Where the HTTP door listens and what it shows.

/// Settings of the HTTP door.
public struct HTTPSettings: Sendable, Equatable {
    /// A name or an address. Loopback unless told otherwise.
    public var host: String
    /// 0 takes any free port.
    public var port: Int
    /// Whether `/metrics` is served.
    public var showsMetrics: Bool
    /// Whether `/metrics` needs the credentials of any user, the devops user included.
    public var authenticatesMetrics: Bool
    /// Connections open at a time; more wait to be accepted.
    public var connectionMaximum: Int

    public init(
        host: String = "127.0.0.1", port: Int = 8080, showsMetrics: Bool = true,
        authenticatesMetrics: Bool = false, connectionMaximum: Int = 4096
    ) {
        self.host = host
        self.port = port
        self.showsMetrics = showsMetrics
        self.authenticatesMetrics = authenticatesMetrics
        self.connectionMaximum = connectionMaximum
    }

    /// `host:port`, an IPv6 address in brackets.
    static func address(_ host: String, _ port: Int) -> String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
