// What only OpenSSL can say of a connection's certificates, keys and ciphers: rules for the lint, beside those of the
// bindings. The reader of connections knows no cryptography; the composition adds these.
public import TwinspanConnections
import TwinspanJSON
import TwinspanProtocol

/// The rules about TLS, for connections of every type.
public enum TLSRules {
    /// For the list of rules of a process.
    public static let rules = BindingRules(types: Set(ConnectionType.allCases)) { problems($0) }

    /// All problems of a connection.
    static func problems(_ connection: Connection) -> [BindingProblem] {
        // Each part alone, so that one bad part does not hide another.
        var parts: [TLSSettings] = []
        let name = connection.uri.host
        if let text = connection.trustedCertificates {
            parts.append(TLSSettings(serverName: name, trustedCertificates: text))
        }
        if let client = TLSSettings.ClientCertificate(connection) {
            parts.append(TLSSettings(serverName: name, validates: false, clientCertificate: client))
        }
        if let ciphers = connection.tls.ciphers {
            parts.append(TLSSettings(serverName: name, validates: false, ciphers: ciphers))
        }
        var problems = parts.compactMap { settings -> BindingProblem? in
            do throws(TLSMaterialError) {
                _ = try TLSContext(settings)
                return nil
            } catch {
                return BindingProblem(path: error.pointer, message: error.text, hint: error.hint)
            }
        }
        let isSecure = TLSSettings.secureSchemes.contains(connection.uri.scheme)
        if !isSecure, connection.credentials?["type"]?.string == "client-cert" {
            problems.append(
                BindingProblem(
                    path: "/credentials",
                    message: "the client certificate has no effect: the connection is not encrypted",
                    hint: "use ssl, mqtts, amqps or https in the uri, or remove the credentials", isWarning: true))
        }
        if !isSecure, connection.tls != TLSDemands(), connection.type != .hono {
            problems.append(
                BindingProblem(
                    path: "/twinspan", message: "the demands on TLS have no effect: the connection is not encrypted",
                    hint: "use ssl, mqtts, amqps or https in the uri, or remove them", isWarning: true))
        }
        return problems
    }
}
