// Objects of the Ditto model that this version reads only to say what is misspelled in them.

enum UnservedFields {
    static let credentials = FieldGroup(
        "credentials",
        [
            text("type", "client-cert, hmac, oauth-client-credentials, oauth-password, plain or public-key."),
            text("cert", "PEM certificate of the client."), text("key", "PEM key of the client, PKCS #8."),
            text("algorithm", "HMAC algorithm."),
            FieldDeclaration(name: "parameters", kind: .any, documentation: "Parameters of the HMAC algorithm."),
            text("tokenEndpoint", "Where tokens come from."), text("clientId", "OAuth client."),
            text("clientSecret", "OAuth client's secret."), text("requestedScopes", "OAuth scopes."),
            text("audience", "OAuth audience."), text("username", "User."), text("password", "Password."),
            text("publicKey", "PEM public key."), text("privateKey", "PEM private key."),
        ])

    static let sshTunnel = FieldGroup(
        "sshTunnel",
        [
            FieldDeclaration(name: "enabled", kind: .flag, documentation: "Whether the tunnel is used."),
            FieldDeclaration(name: "credentials", kind: .object("credentials"), documentation: "Login at the host."),
            FieldDeclaration(name: "validateHost", kind: .flag, documentation: "Whether `knownHosts` is enforced."),
            text("uri", "ssh://host:port."),
            FieldDeclaration(name: "knownHosts", kind: .texts, documentation: "Fingerprints of the host."),
        ])

    static let acknowledgementRequests = FieldGroup(
        "acknowledgementRequests",
        [
            FieldDeclaration(name: "includes", kind: .texts, documentation: "Labels that are asked for."),
            text("filter", "Expression that must resolve for them to be asked for."),
        ])

    static let mappingContext = FieldGroup(
        "mappingContext",
        [
            text("mappingEngine", "The mapper."),
            FieldDeclaration(name: "options", kind: .any, documentation: "Options of the mapper."),
            FieldDeclaration(name: "incomingConditions", kind: .any, documentation: "Conditions."),
            FieldDeclaration(name: "outgoingConditions", kind: .any, documentation: "Conditions."),
        ])

    private static func text(_ name: String, _ documentation: String) -> FieldDeclaration {
        FieldDeclaration(name: name, kind: .text, documentation: documentation)
    }

    /// Checks the keys and the kinds of values, one level deep, and of tunnel credentials one more.
    static func check(_ part: Located<YAMLNode>?, _ group: FieldGroup, owner: String, sink: DiagnosticSink) {
        guard let part, let reader = ObjectReader(part.value, group, path: part.path, owner: owner, sink: sink)
        else { return }
        for declaration in group.fields {
            guard let pair = reader.pair(declaration.name), !pair.value.isNull else { continue }
            let place = FieldPlace(sink: sink, path: part.path.key(pair.key), name: pair.key)
            switch declaration.kind {
            case .text: _ = FieldDecoding.text(pair.value, place)
            case .flag: _ = FieldDecoding.flag(pair.value, place)
            case .texts: _ = FieldDecoding.texts(pair.value, place)
            case .object:
                let located = Located(value: pair.value, node: pair.value, path: place.path)
                check(located, credentials, owner: "the \(pair.key) of \(owner)", sink: sink)
            case .integer, .size, .duration, .word, .textMap, .objects, .objectMap, .any: break
            }
        }
    }
}
