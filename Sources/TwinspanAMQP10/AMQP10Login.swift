// Who we say we are (spec/connectivity-bindings.md §3, §8.2): the user of `uri`, the user made of a shared key, or the
// client certificate.
import TwinspanConnections
import TwinspanJSON
import TwinspanNetwork

/// The credentials of a connection and the SASL mechanism they call for.
struct AMQP10Login: Sendable {
    /// Of `uri`.
    var user: String?
    var password: Secret?
    /// Makes user and password of a shared key; nil without one, and with one that `problem` complains about.
    var signature: SharedAccessSignature?
    var hasCertificate: Bool
    /// Why the shared key cannot be used, and the place of it below `/credentials`.
    var problem: (place: String, text: String)?

    init(_ connection: Connection) {
        user = connection.uri.user
        password = connection.uri.password
        hasCertificate = TLSSettings(connection)?.clientCertificate != nil
        guard let credentials = connection.credentials, credentials["type"]?.string == "hmac" else { return }
        let algorithm = credentials["algorithm"]?.string ?? ""
        guard algorithm == SharedAccessSignature.algorithm else {
            problem = ("algorithm", SigningFailure.unknownAlgorithm(algorithm).message)
            return
        }
        do {
            signature = try SharedAccessSignature(parameters: credentials["parameters"]?.object ?? JSONObject())
        } catch {
            problem = (error.parameter.map { "parameters/\($0)" } ?? "parameters", error.message)
        }
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
        // A shared key that cannot be used must not let us in as nobody.
        if user != nil || signature != nil || problem != nil { names.append("PLAIN") }
        if hasCertificate { names.append("EXTERNAL") }
        return names + ["ANONYMOUS"]
    }

    /// User and password of this moment: a signature lasts for a while only. Throws when there is a shared key that
    /// cannot be signed with.
    ///
    /// - Parameter seconds: since 1970.
    func credentials(at seconds: Int64) throws(BrokerFailure) -> (user: String?, password: String?) {
        if let problem { throw Self.unusable(problem.text, at: problem.place) }
        guard let signature else { return (user, password?.exposed) }
        do {
            let login = try signature.login(at: seconds)
            return (login.user, login.password)
        } catch {
            throw Self.unusable(error.message, at: "parameters")
        }
    }

    private static func unusable(_ text: String, at place: String) -> BrokerFailure {
        BrokerFailure(
            step: .authenticate, reaction: .misconfigured, reason: "bad-credentials",
            message: "Nobody can log in with the shared key: \(text)", hint: "check /credentials/\(place)")
    }
}
