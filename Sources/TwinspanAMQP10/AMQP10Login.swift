// Who we say we are (spec/connectivity-bindings.md §3, §8.2): the user of `uri`, the user made of a shared key, or the
// client certificate.
import TwinspanConnections
import TwinspanNetwork

/// The credentials of a connection and the SASL mechanism they call for.
struct AMQP10Login {
    var user: String?
    var password: Secret?
    var hasCertificate: Bool

    init(_ connection: Connection) {
        user = connection.uri.user
        password = connection.uri.password
        hasCertificate = TLSSettings(connection)?.clientCertificate != nil
    }

    /// The one mechanism to use, of those that are allowed. What they leave impossible is reported by `diagnose`.
    func mechanism(allowed: [String]?) -> String {
        let possible = possibleMechanisms
        guard let allowed else { return possible[0] }
        return possible.first(where: allowed.contains) ?? possible[0]
    }

    /// What the credentials allow, the best first; never empty.
    var possibleMechanisms: [String] {
        var names: [String] = []
        if user != nil { names.append("PLAIN") }
        if hasCertificate { names.append("EXTERNAL") }
        return names + ["ANONYMOUS"]
    }
}
