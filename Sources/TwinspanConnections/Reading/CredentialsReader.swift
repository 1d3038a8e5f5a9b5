// How a connection proves who it is, and the tunnel it may go through: everything that can be checked without a network
// and without cryptography (spec/connectivity.md §1.3, §1.6). Messages never quote values.
import TwinspanJSON
import TwinspanProtocol

/// Reads credentials and tunnels of one connection.
struct CredentialsReader {
    private typealias Fields = CredentialFields

    let type: ConnectionType?
    let uri: ConnectionURI?
    let sink: DiagnosticSink

    /// The credentials as they were written; what is wrong with them is reported.
    func credentials(_ part: Located<YAMLNode>?) -> JSONObject? {
        guard let part, let (reader, kind) = read(part, owner: "the credentials of this connection") else { return nil }
        if kind.types.isEmpty {
            report(
                reader, "type", "credentials of type '\(kind.rawValue)' are for an ssh tunnel only",
                hint: "put user and password of the broker into 'uri'")
        } else if let type, !kind.types.contains(type) {
            reportMismatch(reader, kind, type)
        }
        switch kind {
        case .clientCertificate: checkClientCertificate(reader)
        case .hmac: checkHMAC(reader)
        case .oauthClient, .oauthPassword: checkOAuth(reader, kind)
        case .plain, .publicKey: break
        }
        return part.value.json.object
    }

    /// The tunnel as it was written; what is wrong with it is reported.
    func tunnel(_ part: Located<YAMLNode>?) -> JSONObject? {
        guard let part,
            let reader = ObjectReader(
                part.value, Fields.tunnelGroup, path: part.path, owner: "the sshTunnel of this connection", sink: sink)
        else { return nil }
        if type == .kafka || type == .hono {
            sink.error(
                at: Spot(of: part.node), path: part.path, "SSH tunneling not supported",
                hint: "kafka names brokers that the tunnel does not lead to; remove it",
                as: .credentialsInvalid.saying("SSH tunneling not supported."))
        }
        _ = reader.value(Fields.isEnabled)
        let validatesHost = reader.value(Fields.validateHost)
        let hosts = reader.value(Fields.knownHosts)
        for host in hosts where SSHFingerprint(host.value) == nil {
            sink.error(
                at: Spot(of: host.node), path: host.path, "this is not a fingerprint",
                hint: "write what 'ssh-keygen -lf' prints: SHA256:<Base64>, or MD5:aa:bb:…", as: .credentialsInvalid)
        }
        if validatesHost, hosts.isEmpty, reader.pair("validateHost") != nil {
            report(
                reader, "validateHost", "the host is to be validated, but there are no 'knownHosts'",
                hint: "add its fingerprints, or say validateHost: false")
        }
        if let text = reader.value(Fields.uri) { checkTunnelURI(text) }
        if let login = reader.value(Fields.credentials) { checkTunnelLogin(login) }
        return part.value.json.object
    }

    private func read(
        _ part: Located<YAMLNode>, owner: String
    ) -> (reader: ObjectReader, kind: CredentialFields.Kind)? {
        guard let reader = ObjectReader(part.value, Fields.group, path: part.path, owner: owner, sink: sink),
            let kind = reader.value(Fields.type)
        else { return nil }
        for declaration in Fields.group.fields where declaration.name != "type" {
            let place = FieldPlace(sink: sink, path: part.path.key(declaration.name), name: declaration.name)
            guard let pair = reader.pair(declaration.name), !pair.value.isNull else {
                if kind.required.contains(declaration.name) { reader.reportMissing(declaration.name) }
                continue
            }
            if declaration.kind == .text {
                _ = FieldDecoding.text(pair.value, place)
            } else {
                _ = FieldDecoding.hasShape(pair.value, of: declaration.kind, place)
            }
            if !kind.required.contains(pair.key), !kind.optional.contains(pair.key) {
                sink.warning(
                    at: Spot(keyOf: pair), path: place.path,
                    "'\(pair.key)' has no effect with credentials of type '\(kind.rawValue)'", hint: "remove it")
            }
        }
        return (reader, kind)
    }

    private func reportMismatch(_ reader: ObjectReader, _ kind: CredentialFields.Kind, _ type: ConnectionType) {
        switch kind {
        case .clientCertificate:
            if let pair = reader.pair("type") {
                sink.warning(
                    at: Spot(of: pair.value), path: reader.path.key("type"),
                    "a client certificate has no effect for \(type.rawValue)", hint: "remove the credentials")
            }
        case .hmac:
            report(
                reader, "type", "HMAC credentials are not supported for the connection type",
                hint: "they are for http-push and amqp-10")
        case .oauthClient, .oauthPassword, .plain, .publicKey:
            report(
                reader, "type", "OAuth credentials are not supported for the connection type",
                hint: "they are for http-push")
        }
    }

    // MARK: Kinds

    private func checkClientCertificate(_ reader: ObjectReader) {
        let certificate = text(reader, "cert")
        let key = text(reader, "key")
        if (certificate == nil) != (key == nil) {
            let missing = certificate == nil ? "cert" : "key"
            sink.error(
                at: Spot(of: reader.node), path: reader.path.key(missing),
                "either client key or certificate were missing", hint: "add '\(missing)'",
                as: .unavailable.saying("Either client key or certificate were missing."))
        }
        if let certificate { checkPEM(certificate, .certificate) }
        if let key { checkPEM(key, .privateKey) }
    }

    private func checkHMAC(_ reader: ObjectReader) {
        if uri?.user != nil || uri?.password != nil {
            report(
                reader, "type", "conflicting authentication mechanisms: HMAC here, user and password in 'uri'",
                hint: "remove one of them")
        }
        guard let algorithm = text(reader, "algorithm"), !Fields.algorithms.contains(algorithm.value) else { return }
        sink.error(
            at: Spot(of: algorithm.node), path: algorithm.path, "unsupported HMAC algorithm: \(algorithm.value)",
            hint: "supported: \(Fields.algorithms.joined(separator: ", "))",
            suggestion: NearestName.find(algorithm.value, among: Fields.algorithms),
            as: .credentialsInvalid.saying("Unsupported HMAC algorithm: \(algorithm.value)"))
    }

    private func checkOAuth(_ reader: ObjectReader, _ kind: CredentialFields.Kind) {
        if let endpoint = text(reader, "tokenEndpoint") {
            let isSecure = endpoint.value.hasPrefix("https://")
            let rest = endpoint.value.dropFirst(isSecure ? 8 : 7)
            if !isSecure && !endpoint.value.hasPrefix("http://") || rest.isEmpty || rest.first == "/"
                || !endpoint.value.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
            {
                report(reader, "tokenEndpoint", "the token endpoint is no URL", hint: "write https://host/path")
            } else if kind == .oauthClient, !isSecure {
                report(
                    reader, "tokenEndpoint", "the token endpoint must use https",
                    hint: "the client's secret would be readable on its way")
            }
        }
        if let scopes = text(reader, "requestedScopes"), !Self.areScopes(scopes.value) {
            report(
                reader, "requestedScopes", "these are not OAuth scopes",
                hint: "write words of printable ASCII without '\"' and '\\', one space between them")
        }
    }

    /// `^[\x21\x23-\x5B\x5D-\x7E]+( [\x21\x23-\x5B\x5D-\x7E]+)*$`
    static func areScopes(_ text: String) -> Bool {
        text.split(separator: " ", omittingEmptySubsequences: false).allSatisfy { word in
            !word.isEmpty && word.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C }
        }
    }

    // MARK: Tunnel

    private func checkTunnelURI(_ text: Located<String>) {
        do {
            let uri = try ConnectionURI.parse(text.value)
            if uri.scheme == "ssh" { return }
            sink.error(
                at: sink.spot(in: text.node, 0..<uri.scheme.utf8.count), path: text.path,
                "the scheme of a tunnel is 'ssh'", hint: "write ssh://host:port", as: .credentialsInvalid)
        } catch {
            sink.error(
                at: sink.spot(in: text.node, error.range), path: text.path, error.message,
                hint: "write ssh://host:port", as: .credentialsInvalid)
        }
    }

    private func checkTunnelLogin(_ part: Located<YAMLNode>) {
        guard let (reader, kind) = read(part, owner: "the credentials of the sshTunnel") else { return }
        switch kind {
        case .plain:
            for name in ["username", "password"] where text(reader, name)?.value.isEmpty == true {
                report(reader, name, "'\(name)' of the sshTunnel is empty", hint: "say who logs in")
            }
        case .publicKey:
            if let key = text(reader, "publicKey") { checkPEM(key, .publicKey) }
            if let key = text(reader, "privateKey") { checkPEM(key, .privateKey) }
        case .clientCertificate, .hmac, .oauthClient, .oauthPassword:
            report(
                reader, "type", "credentials of type '\(kind.rawValue)' cannot be used for an ssh tunnel",
                hint: "use plain or public-key")
        }
    }

    // MARK: Values

    /// The text of a field whose kind has been checked; nil when it is absent or was reported.
    private func text(_ reader: ObjectReader, _ name: String) -> Located<String>? {
        guard let pair = reader.pair(name), let scalar = pair.value.scalar, !scalar.isBroken, scalar.value != .null
        else { return nil }
        return Located(value: scalar.text, node: pair.value, path: reader.path.key(name))
    }

    private func checkPEM(_ text: Located<String>, _ label: PEMLabel) {
        if label.begins(text.value) { return }
        let expected = "expect PEM-encoded \(label.noun) starting with '-----BEGIN \(label.rawValue)-----'"
        sink.error(
            at: Spot(of: text.node), path: text.path, "bad format", hint: "\(expected); ${file:/path} reads a file",
            as: .credentialsInvalid.saying(
                "\(text.path): bad format. Expect PEM-encoded \(label.noun) "
                    + "starting with '-----BEGIN \(label.rawValue)-----'"))
    }

    private func report(_ reader: ObjectReader, _ name: String, _ message: String, hint: String) {
        let spot = reader.pair(name).map { Spot(of: $0.value) } ?? Spot(of: reader.node)
        sink.error(at: spot, path: reader.path.key(name), message, hint: hint, as: .credentialsInvalid)
    }
}

/// Kinds of PEM blocks (spec/connectivity.md §9.1).
enum PEMLabel: String {
    case certificate = "CERTIFICATE"
    case privateKey = "PRIVATE KEY"
    case publicKey = "PUBLIC KEY"

    var noun: String {
        switch self {
        case .certificate: "certificate (DER)"
        case .privateKey: "PKCS #8 key"
        case .publicKey: "X.509 public key"
        }
    }

    /// Whether a text consists of blocks with this label, at least one, each with Base64 in it. Text between blocks is
    /// passed over, as in bundles of certificates.
    func begins(_ text: String) -> Bool {
        var blocks = 0
        var body: String?
        for line in text.split(whereSeparator: \.isNewline) {
            let line = line.trimmed
            if line == "-----BEGIN \(rawValue)-----" {
                if body != nil { return false }
                body = ""
            } else if line == "-----END \(rawValue)-----" {
                guard let base64 = body, !base64.isEmpty, Base64.decode(base64) != nil else { return false }
                body = nil
                blocks += 1
            } else if line.hasPrefix("-----") {
                return false
            } else {
                body?.append(contentsOf: line)
            }
        }
        return blocks > 0 && body == nil
    }
}
