// Reads `hono` of `twinspan.yaml`: the Kafka cluster behind Eclipse Hono (spec/connectivity-bindings.md §6).

extension ConfigurationReader {
    /// What is not given is as in Ditto.
    func hono(_ fields: ObjectReader) -> HonoSettings {
        typealias Fields = ConfigurationFields
        var hono = HonoSettings()
        if let text = fields.value(Fields.honoURI) {
            do {
                let uri = try ConnectionURI.parse(text.value)
                if ["tcp", "ssl"].contains(uri.scheme) {
                    hono.baseURI = uri
                } else {
                    sink.error(
                        at: Spot(of: text.node), path: text.path, "the scheme '\(uri.scheme)' is not one of Kafka",
                        hint: "use tcp or ssl")
                }
            } catch {
                sink.error(
                    at: sink.spot(in: text.node, error.range), path: text.path, error.message, hint: error.hint)
            }
        }
        hono.validatesCertificates = fields.value(Fields.honoValidation)
        hono.trustedCertificates = fields.value(Fields.honoAuthority)?.value
        if let mechanism = fields.value(Fields.honoMechanism) {
            let known = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
            hono.saslMechanism = mechanism.value.uppercased()
            if !known.contains(hono.saslMechanism) {
                sink.error(
                    at: Spot(of: mechanism.node), path: mechanism.path,
                    "the mechanism '\(mechanism.value)' is not known", hint: "use \(known.joined(separator: ", "))")
            }
        }
        if let servers = fields.value(Fields.honoServers) { hono.bootstrapServers = servers.value }
        if let user = fields.value(Fields.honoUser) { hono.username = user.value }
        if let password = fields.value(Fields.honoPassword) {
            hono.password = Secret(password.value)
            if password.node.scalar?.substitutions.isEmpty ?? true {
                sink.warning(
                    at: Spot(of: password.node), path: password.path, "a password stands in this file as it is",
                    hint: "use ${NAME} or ${file:/path}")
            }
        }
        return hono
    }
}
