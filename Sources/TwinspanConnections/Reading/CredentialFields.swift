// The fields of `credentials` (spec/connectivity.md §1.3) and `sshTunnel` (§1.6).

enum CredentialFields {
    /// The values of `type`.
    enum Kind: String, CaseIterable, Sendable {
        case clientCertificate = "client-cert"
        case hmac
        case oauthClient = "oauth-client-credentials"
        case oauthPassword = "oauth-password"
        case plain
        case publicKey = "public-key"

        /// The fields that must be there.
        var required: [String] {
            switch self {
            case .clientCertificate: []
            case .hmac: ["algorithm", "parameters"]
            case .oauthClient: ["tokenEndpoint", "clientId", "clientSecret", "requestedScopes"]
            case .oauthPassword: ["tokenEndpoint", "clientId", "requestedScopes", "username", "password"]
            case .plain: ["username", "password"]
            case .publicKey: ["username", "publicKey", "privateKey"]
            }
        }

        /// The fields that may be there besides.
        var optional: [String] {
            switch self {
            case .clientCertificate: ["cert", "key"]
            case .oauthClient: ["audience"]
            case .oauthPassword: ["clientSecret", "audience"]
            case .hmac, .plain, .publicKey: []
            }
        }

        /// The connections it is for; empty when it belongs to a tunnel.
        var types: Set<ConnectionType> {
            switch self {
            case .clientCertificate: [.mqtt, .mqtt5, .httpPush, .amqp10, .kafka]
            case .hmac: [.httpPush, .amqp10]
            case .oauthClient, .oauthPassword: [.httpPush]
            case .plain, .publicKey: []
            }
        }
    }

    static let type = Field<Kind?>.word("type", "How the client proves who it is.").required
    static let group = FieldGroup(
        "credentials",
        [
            type.declaration, text("cert", "PEM certificate of the client."),
            text("key", "PEM key of the client, PKCS #8, not encrypted."), text("algorithm", "HMAC algorithm."),
            FieldDeclaration(name: "parameters", kind: .anyMap, documentation: "Parameters of the HMAC algorithm."),
            text("tokenEndpoint", "Where tokens come from, a URL."), text("clientId", "OAuth client."),
            text("clientSecret", "OAuth client's secret."),
            text("requestedScopes", "OAuth scopes, with spaces between them."),
            text("audience", "OAuth audience."), text("username", "User."), text("password", "Password."),
            text("publicKey", "PEM public key."), text("privateKey", "PEM private key, PKCS #8."),
        ])

    static let isEnabled = Field<Bool>.flag("enabled", default: true, "Whether the tunnel is used.").required
    static let credentials = Field<Located<YAMLNode>?>.part(
        "credentials", .object("credentials"), "Login at the host: plain or public-key."
    ).required
    static let validateHost = Field<Bool>.flag(
        "validateHost", default: true, "Whether the host must be one of `knownHosts`."
    ).required
    static let uri = Field<Located<String>?>.text("uri", limit: "ssh://host:port", "Where the tunnel begins.").required
    static let knownHosts = Field<[Located<String>]>.texts("knownHosts", "Fingerprints of the host.")
    static let tunnelGroup = FieldGroup(
        "sshTunnel",
        [
            isEnabled.declaration, credentials.declaration, validateHost.declaration, uri.declaration,
            knownHosts.declaration,
        ])

    /// The HMAC algorithms of Ditto.
    static let algorithms = ["aws4-hmac-sha256", "az-monitor-2016-04-01", "az-sasl"]

    private static func text(_ name: String, _ documentation: String) -> FieldDeclaration {
        FieldDeclaration(name: name, kind: .text, documentation: documentation)
    }
}
