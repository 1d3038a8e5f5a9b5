// What TLS a connection asks for: a plain value, for adapters that hand it to a library of their own (NIO, librdkafka)
// as well as for `TLSContext`.
public import TwinspanConnections
import TwinspanJSON

/// The TLS of one connection (spec/connectivity-bindings.md §7).
public struct TLSSettings: Sendable, Equatable {
    /// A certificate with which the client proves who it is.
    public struct ClientCertificate: Sendable, Equatable {
        /// PEM; the client's own certificate first, then those that lead to its authority.
        public var chain: String
        /// PEM, PKCS #8, not encrypted.
        public var key: Secret

        public init(chain: String, key: Secret) {
            self.chain = chain
            self.key = key
        }
    }

    /// The name or address the server's certificate must be for, whatever address is dialled; never in brackets.
    public var serverName: String
    /// Whether the server's certificate and its name are verified.
    public var validates: Bool
    /// PEM bundle; nil means the certificates of the system.
    public var trustedCertificates: String?
    public var clientCertificate: ClientCertificate?
    public var minimumVersion: TLSVersion
    /// Ciphers up to TLS 1.2 in OpenSSL's notation; nil means OpenSSL's own choice.
    public var ciphers: String?

    public init(
        serverName: String, validates: Bool = true, trustedCertificates: String? = nil,
        clientCertificate: ClientCertificate? = nil, minimumVersion: TLSVersion = .tls12, ciphers: String? = nil
    ) {
        self.serverName = Self.bare(serverName)
        self.validates = validates
        self.trustedCertificates = trustedCertificates
        self.clientCertificate = clientCertificate
        self.minimumVersion = minimumVersion
        self.ciphers = ciphers
    }

    /// The settings of a connection; nil when the scheme of its `uri` is not a secure one.
    public init?(_ connection: Connection) {
        guard Self.secureSchemes.contains(connection.uri.scheme) else { return nil }
        self.init(
            serverName: connection.uri.host, validates: connection.validatesCertificates,
            trustedCertificates: connection.trustedCertificates,
            clientCertificate: ClientCertificate(connection), minimumVersion: connection.tls.minimumVersion,
            ciphers: connection.tls.ciphers)
    }

    /// The schemes of all bindings that mean TLS.
    public static let secureSchemes: Set<String> = ["ssl", "mqtts", "amqps", "https"]

    /// Whether the server is named by an address: then its certificate needs that address, and no name is sent.
    var isAddress: Bool { IPAddress(serverName) != nil }

    /// Without the brackets of an IPv6 address and the dot that ends a rooted name.
    private static func bare(_ host: String) -> String {
        if host.hasPrefix("["), host.hasSuffix("]") { return String(host.dropFirst().dropLast()) }
        return host.hasSuffix(".") ? String(host.dropLast()) : host
    }
}

extension TLSSettings.ClientCertificate {
    /// Nil when the connection has none, only a part of one, or its broker takes none (AMQP 0.9.1, §9.1).
    init?(_ connection: Connection) {
        guard connection.type != .amqp091, let credentials = connection.credentials,
            credentials["type"]?.string == "client-cert", let chain = credentials["cert"]?.string,
            let key = credentials["key"]?.string
        else { return nil }
        self.init(chain: chain, key: Secret(key))
    }
}
