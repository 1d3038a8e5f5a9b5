// Where a connection leads, as its adapter needs to know it.
public import TwinspanConnections

/// The host of a connection and how it is reached.
public struct Endpoint: Sendable {
    /// The name in `uri`: what certificates are checked against, whatever way leads there.
    public var host: String
    public var port: Int

    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    public init(_ connection: Connection) {
        self.init(host: connection.uri.host, port: connection.uri.port)
    }

    /// `host:port` for messages.
    public var peer: String { "\(host):\(port)" }
}
