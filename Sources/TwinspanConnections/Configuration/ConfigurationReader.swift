// Reads the tree of `twinspan.yaml`, part by part. What is wrong is reported and has its default.

/// Reads a configuration tree.
struct ConfigurationReader {
    private typealias Fields = ConfigurationFields

    let sink: DiagnosticSink
    /// What relative paths are relative to; nil for the working directory.
    let directory: String?
    /// Keys set by options, whose paths are relative to the working directory.
    let overridden: Set<String>

    func configuration(_ root: YAMLNode) -> Configuration {
        var configuration = Configuration()
        guard let reader = ObjectReader(root, Fields.root, path: .root, owner: "the configuration", sink: sink)
        else { return configuration }
        part(reader, Fields.http, Fields.httpGroup) { http in
            if let host = http.value(Fields.host)?.value { configuration.http.host = host }
            configuration.http.port = http.value(Fields.port)
        }
        configuration.data = path(reader.value(Fields.data)?.value ?? configuration.data, "data")
        configuration.durability = reader.value(Fields.durability)
        configuration.connections = paths(reader, Fields.connections, default: configuration.connections)
        configuration.mappers = paths(reader, Fields.mappers, default: configuration.mappers)
        configuration.policies = paths(reader, Fields.policies, default: configuration.policies)
        configuration.things = paths(reader, Fields.things, default: configuration.things)
        part(reader, Fields.limits, Fields.limitsGroup) { limits in
            configuration.limits.thingBytes = limits.value(Fields.thingBytes)
            configuration.limits.policyBytes = limits.value(Fields.policyBytes)
            configuration.limits.policyImports = limits.value(Fields.policyImports)
            configuration.limits.messageBytes = limits.value(Fields.messageBytes)
        }
        part(reader, Fields.log, Fields.logGroup) { configuration.log.level = $0.value(Fields.level) }
        part(reader, Fields.journal, Fields.journalGroup) { journal in
            configuration.journal.maxBytes = journal.value(Fields.maxBytes)
            configuration.journal.maxAge = journal.value(Fields.maxAge)
        }
        part(reader, Fields.inbox, Fields.inboxGroup) { inbox in
            configuration.inbox.bytes = inbox.value(Fields.inboxBytes)
            configuration.inbox.attempts = inbox.value(Fields.inboxAttempts)
            configuration.inbox.maxAge = inbox.value(Fields.inboxAge)
        }
        part(reader, Fields.deadLetters, Fields.deadLettersGroup) { letters in
            configuration.deadLetters.bytes = letters.value(Fields.deadLetterBytes)
            configuration.deadLetters.maxAge = letters.value(Fields.deadLetterAge)
        }
        part(reader, Fields.cache, Fields.cacheGroup) { configuration.cache.bytes = $0.value(Fields.bytes) }
        part(reader, Fields.hono, Fields.honoGroup) { configuration.hono = hono($0) }
        part(reader, Fields.access, AccessFields.group) { configuration.access = access($0) }
        part(reader, Fields.metrics, Fields.metricsGroup) {
            configuration.metrics.isAuthenticated = $0.value(Fields.isAuthenticated)
        }
        part(reader, Fields.blockedHosts, Fields.blockedHostsGroup) { configuration.hosts = hosts($0) }
        part(reader, Fields.authentication, Fields.authenticationGroup) {
            configuration.authentication = authentication($0)
        }
        return configuration
    }

    private func part(
        _ reader: ObjectReader, _ field: Field<Located<YAMLNode>?>, _ group: FieldGroup, read: (ObjectReader) -> Void
    ) {
        guard let part = reader.value(field),
            let fields = ObjectReader(
                part.value, group, path: part.path, owner: "'\(field.declaration.name)'", sink: sink)
        else { return }
        read(fields)
    }

    // MARK: Hosts

    /// Rules of which one part cannot be read forbid nothing; the start is refused because of the error.
    private func hosts(_ fields: ObjectReader) -> HostRules {
        let subnets = fields.value(Fields.blockedSubnets)
        let pattern = fields.value(Fields.blockedPattern)
        for subnet in subnets where HostRules.Subnet(subnet.value) == nil {
            sink.error(
                at: Spot(of: subnet.node), path: subnet.path, "'\(subnet.value)' is not a subnet",
                hint: "write address/length, e.g. 169.254.0.0/16")
        }
        let isDefault = fields.pair(Fields.allowedNames.declaration.name) == nil
        let allowed = fields.value(Fields.allowedNames).map(\.value)
        do throws(HostRulesError) {
            return try HostRules(
                allowed: isDefault ? HostRules.allowedByDefault : allowed,
                blocked: fields.value(Fields.blockedNames).map(\.value),
                subnets: subnets.map(\.value).filter { HostRules.Subnet($0) != nil }, regex: pattern?.value)
        } catch {
            // Subnets that are none were left out, so it is the pattern.
            if let pattern {
                sink.error(
                    at: Spot(of: pattern.node), path: pattern.path, error.message, hint: "it has to match a whole host")
            }
            return .none
        }
    }

    // MARK: Paths

    private func path(_ path: String, _ key: String) -> String {
        guard let directory, !overridden.contains(key) else { return path }
        return FilePath.resolve(path, in: directory)
    }

    /// A list of paths, or one.
    private func paths(
        _ reader: ObjectReader, _ field: Field<Located<YAMLNode>?>, default fallback: Configuration.Paths
    ) -> Configuration.Paths {
        let name = field.declaration.name
        guard let part = reader.value(field) else {
            return Configuration.Paths(fallback.paths.map { path($0, name) }, isDefault: true)
        }
        let place = FieldPlace(sink: sink, path: part.path, name: name)
        let texts =
            part.value.sequence == nil
            ? FieldDecoding.text(part.value, place).map { [$0] } : FieldDecoding.texts(part.value, place)
        return Configuration.Paths((texts ?? []).map { path($0.value, name) })
    }

    // MARK: Authentication

    private func authentication(_ reader: ObjectReader) -> Authentication {
        var authentication = Authentication()
        var lines: [String: Int] = [:]
        for (index, node) in (reader.value(Fields.basic)?.value.sequence ?? []).enumerated() {
            let path = reader.path.key("basic").index(index)
            guard
                let fields = ObjectReader(
                    node, Fields.userGroup, path: path, owner: "user \(index + 1)", sink: sink)
            else { continue }
            let user = fields.value(Fields.user)
            let password = password(fields)
            guard let user else { continue }
            if let line = lines.updateValue(user.node.start.line, forKey: user.value) {
                sink.error(
                    at: Spot(of: user.node), path: user.path, "the user '\(user.value)' is there twice",
                    hint: "it is also in line \(line)")
            } else if user.value.isEmpty || user.value.contains(":") {
                sink.error(
                    at: Spot(of: user.node), path: user.path, "'\(user.value)' is not a user name",
                    hint: "it may not be empty or hold a ':'")
            } else if let password {
                authentication.basic.append(Authentication.User(user: user.value, password: password))
            }
        }
        part(reader, Fields.devops, Fields.devopsGroup) { authentication.devops = password($0) }
        part(reader, Fields.jwt, Fields.jwtGroup) { authentication.tokenIssuers = issuers($0) }
        part(reader, Fields.preAuthenticated, Fields.preAuthenticatedGroup) { fields in
            authentication.preAuthenticated.isEnabled = fields.value(Fields.isEnabled)
            authentication.preAuthenticated.from = fields.value(Fields.from).map(\.value)
            if authentication.preAuthenticated.isEnabled, let pair = fields.pair("enabled") {
                sink.warning(
                    at: Spot(of: pair.value), path: fields.path.key("enabled"),
                    "'preAuthenticated' is accepted, but not served yet by this version")
            }
        }
        return authentication
    }

    /// The password or its hash; exactly one of them has to be there.
    private func password(_ fields: ObjectReader) -> Authentication.Password? {
        let plain = fields.value(Fields.password)
        let hash = fields.value(Fields.passwordHash)
        if fields.pair("password") != nil, fields.pair("passwordHash") != nil {
            let path = fields.path.key("password")
            let spot = fields.pair("password").map { Spot(keyOf: $0) } ?? Spot(of: fields.node)
            sink.error(at: spot, path: path, "\(fields.owner) has a password and a passwordHash", hint: "keep the hash")
            return nil
        }
        if let hash {
            if hash.value.hasPrefix("$") { return .hash(hash.value) }
            sink.error(
                at: Spot(of: hash.node), path: hash.path, "this is not a password hash",
                hint: "make one with 'twinspan hash-password'; it begins with '$'")
            return nil
        }
        guard let plain else {
            if fields.pair("password") == nil, fields.pair("passwordHash") == nil {
                fields.reportMissing("passwordHash", hint: "make one with 'twinspan hash-password'")
            }
            return nil
        }
        if plain.value.isEmpty {
            sink.error(at: Spot(of: plain.node), path: plain.path, "the password is empty")
            return nil
        }
        if plain.node.scalar?.substitutions.isEmpty ?? true {
            sink.warning(
                at: Spot(of: plain.node), path: plain.path, "a password stands in this file as it is",
                hint: "use passwordHash, or ${NAME} or ${file:/path}")
        }
        return .plain(Secret(plain.value))
    }

    private func issuers(_ reader: ObjectReader) -> [Authentication.TokenIssuer] {
        let part = reader.value(Fields.issuers)
        return (part?.value.mapping ?? []).compactMap { pair in
            let path = part?.path.key(pair.key) ?? .root
            guard
                let fields = ObjectReader(
                    pair.value, Fields.issuerGroup, path: path, owner: "issuer '\(pair.key)'", sink: sink),
                let issuer = fields.value(Fields.issuer)
            else { return nil }
            let subjects = fields.value(Fields.authSubjects).map(\.value)
            return Authentication.TokenIssuer(
                name: pair.key, issuer: issuer.value, authSubjects: subjects.isEmpty ? ["{{ jwt:sub }}"] : subjects)
        }
    }
}
