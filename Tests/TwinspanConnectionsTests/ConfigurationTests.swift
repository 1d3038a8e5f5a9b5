import Testing

@testable import TwinspanConnections

@Suite("twinspan.yaml")
struct ConfigurationTests {
    private func load(
        _ text: String?, overrides: [String] = [], variables: [String: String] = [:], file: String = "twinspan.yaml"
    ) -> LoadedConfiguration {
        let files = text.map { [file: $0] } ?? [:]
        return Configuration.load(
            file: text == nil ? nil : file, overrides: overrides,
            environment: .memory(files, variables: variables))
    }

    @Test("every key has a default, so that no file is needed")
    func defaults() {
        for loaded in [load(nil), load(""), load("# nothing\n"), load("http:\nlimits: {}\n")] {
            #expect(loaded.diagnostics == [])
            let configuration = loaded.configuration
            #expect(configuration.http == Configuration.HTTP())
            #expect(configuration.http.host == "127.0.0.1" && configuration.http.port == 8080)
            #expect(configuration.data == "./data" && configuration.durability == .full)
            #expect(configuration.connections == Configuration.Paths(["./connections"], isDefault: true))
            #expect(configuration.mappers.paths == ["./mappers"])
            #expect(configuration.limits == Configuration.Limits())
            #expect(configuration.journal == Configuration.Journal())
            #expect(configuration.inbox == Configuration.Inbox())
            #expect(configuration.deadLetters == Configuration.DeadLetters())
            #expect(configuration.cache == Configuration.Cache())
            #expect(configuration.authentication == Authentication())
            #expect(configuration.log.level == .info && !configuration.metrics.isAuthenticated)
        }
    }

    @Test("the cluster of Hono is read")
    func hono() {
        let loaded = load(
            """
            hono:
              base-uri: ssl://kafka.example:9093
              validate-certificates: true
              ca: "${CA}"
              sasl-mechanism: scram-sha-512
              bootstrap-servers: a:9093, b:9093
              username: twins
              password: "${PW}"
            """, variables: ["CA": "pem", "PW": "123"])
        #expect(loaded.diagnostics == [])
        let hono = loaded.configuration.hono
        #expect(hono.baseURI == ConnectionURI(scheme: "ssl", host: "kafka.example", port: 9093))
        #expect(hono.validatesCertificates && hono.trustedCertificates == "pem")
        #expect(hono.saslMechanism == "SCRAM-SHA-512" && hono.bootstrapServers == "a:9093, b:9093")
        #expect(hono.username == "twins" && hono.password == Secret("123"))
        #expect(load(nil).configuration.hono == HonoSettings())
        let anonymous = load("hono: { username: '' }")
        #expect(anonymous.diagnostics == [] && anonymous.configuration.hono.username.isEmpty)
    }

    @Test(
        "what is wrong with the cluster of Hono is told",
        arguments: [
            ("base-uri: http://a:1", "the scheme 'http' is not one of Kafka"), ("base-uri: nowhere", ""),
            ("sasl-mechanism: GSSAPI", "the mechanism 'GSSAPI' is not known"),
            ("validate-certificates: perhaps", ""), ("password: open", "a password stands in this file as it is"),
            ("tenant: x", ""),
        ])
    func wrongHono(line: String, message: String) {
        let diagnostics = load("hono: { \(line) }").diagnostics
        #expect(diagnostics.count == 1)
        if !message.isEmpty { #expect(diagnostics.first?.message == message) }
    }

    @Test("every key is read")
    func all() {
        let loaded = load(
            """
            http: { host: 0.0.0.0, port: 80 }
            data: /var/lib/twinspan
            durability: os
            connections: [./a, /b/c.yaml]
            mappers: m
            policies: p
            things: [t]
            authentication:
              basic:
                - { user: ditto, passwordHash: "$y$j9T$salt$hash" }
                - { user: other, password: "${PW}" }
              devops: { passwordHash: "$6$x" }
            limits: { thingBytes: 200kB, policyBytes: 1000, messageBytes: 1MiB }
            log: { level: debug }
            journal: { maxBytes: 1GB, maxAge: 30d }
            inbox: { bytes: 1MB, attempts: 3, maxAge: 2h }
            deadLetters: { bytes: 2MB, maxAge: 1d }
            cache: { bytes: 64MB }
            metrics: { authenticated: true }
            blockedHosts: { hostnames: [gone.example], subnets: [169.254.0.0/16], regex: ".*[.]co", allowed: [a.co] }
            """, variables: ["PW": "123"])
        #expect(loaded.diagnostics == [])
        let configuration = loaded.configuration
        #expect(configuration.hosts.problem(ofHost: "169.254.1.2")?.contains("169.254.1.2") == true)
        #expect(
            configuration.hosts.problem(ofHost: "b.co") != nil && configuration.hosts.problem(ofHost: "a.co") == nil
        )
        #expect(configuration.http.host == "0.0.0.0" && configuration.http.port == 80)
        #expect(configuration.data == "/var/lib/twinspan" && configuration.durability == .os)
        #expect(configuration.connections == Configuration.Paths(["./a", "/b/c.yaml"]))
        #expect(configuration.mappers.paths == ["m"] && configuration.policies.paths == ["p"])
        #expect(configuration.things == Configuration.Paths(["t"]))
        #expect(
            configuration.authentication.basic == [
                Authentication.User(user: "ditto", password: .hash("$y$j9T$salt$hash")),
                Authentication.User(user: "other", password: .plain(Secret("123"))),
            ])
        #expect(configuration.authentication.devops == .hash("$6$x"))
        #expect(configuration.limits.thingBytes == 200_000 && configuration.limits.messageBytes == 1_048_576)
        #expect(configuration.log.level == .debug && configuration.metrics.isAuthenticated)
        #expect(configuration.journal.maxBytes == 1_000_000_000)
        #expect(configuration.journal.maxAge == .seconds(30 * 86_400))
        #expect(configuration.inbox.bytes == 1_000_000 && configuration.inbox.attempts == 3)
        #expect(configuration.inbox.maxAge == .seconds(7200))
        #expect(configuration.deadLetters.bytes == 2_000_000 && configuration.deadLetters.maxAge == .seconds(86_400))
        #expect(configuration.cache.bytes == 64_000_000)
    }

    @Test("paths of a file are relative to it, those of options are not")
    func paths() {
        let loaded = load("connections: [./c, /d]\n", overrides: ["data=./here"], file: "/etc/twinspan/twinspan.yaml")
        #expect(loaded.configuration.connections.paths == ["/etc/twinspan/c", "/d"])
        #expect(loaded.configuration.data == "./here")
        #expect(loaded.configuration.mappers == Configuration.Paths(["/etc/twinspan/mappers"], isDefault: true))
    }

    @Test("options win over the file")
    func overrides() {
        let loaded = load(
            "http: {host: a, port: 1}\n",
            overrides: ["http.port=2", "connections=[x, y]", "log.level=trace", "journal.maxAge=1h", "data=a=b"])
        #expect(loaded.diagnostics == [])
        #expect(loaded.configuration.http.host == "a" && loaded.configuration.http.port == 2)
        #expect(loaded.configuration.connections.paths == ["x", "y"])
        #expect(loaded.configuration.log.level == .trace && loaded.configuration.journal.maxAge == .seconds(3600))
        #expect(loaded.configuration.data == "a=b")
    }

    struct Row: CustomTestStringConvertible {
        let yaml: String
        let at: String
        let says: String
        var severity = Diagnostic.Severity.error
        init(_ yaml: String, _ at: String, _ says: String, _ severity: Diagnostic.Severity = .error) {
            self.yaml = yaml
            self.at = at
            self.says = says
            self.severity = severity
        }
        var testDescription: String { yaml }
    }

    @Test(
        "what is wrong is said where it is",
        arguments: [
            Row("htp: {}", "1:1", "unknown key 'htp' in the configuration"),
            Row("http: {prot: 1}", "1:8", "unknown key 'prot' in 'http'"),
            Row("http: 8080", "1:7", "expected an object for 'http', found a number"),
            Row("http: {port: 70000}", "1:14", "'port' must be from 0 to 65535, not 70000"),
            Row("http: {host: 5}", "1:14", "expected text for 'host'"),
            Row("durability: fast", "1:13", "unknown word 'fast' for 'durability'"),
            Row("connections: {a: b}", "1:14", "expected text for 'connections', found an object"),
            Row("connections: [5]", "1:15", "expected text for 'connections'"),
            Row("limits: {thingBytes: lots}", "1:22", "'lots' is not a size"),
            Row("journal: {maxAge: 7days}", "1:19", "'7days' is not a duration"),
            Row("inbox: {attempts: 0}", "1:19", "0"),
            Row("inbox: {bytes: much}", "1:16", "'much'"),
            Row("deadLetters: {age: 1d}", "1:15", "'age'"),
            Row("log: {level: loud}", "1:14", "unknown word 'loud' for 'level'"),
            Row("metrics: {authenticated: yes}", "1:26", "expected true or false for 'authenticated'"),
            Row("authentication: {basic: {user: a}}", "1:25", "expected a list for 'basic'"),
            Row("authentication: {basic: [{user: a}]}", "1:26", "user 1 has no 'passwordHash'"),
            Row("authentication: {basic: [{passwordHash: $1}]}", "1:26", "user 1 has no 'user'"),
            Row("authentication: {basic: [{user: a, password: ${PW}}]}", "1:46", "has to stand in quotes"),
            Row(
                "authentication: {basic: [{user: a, password: x, passwordHash: $1}]}", "1:36",
                "a password and a passwordHash"),
            Row(
                "authentication: {basic: [{user: a, password: x}]}", "1:46", "a password stands in this", .warning),
            Row("authentication: {basic: [{user: a, password: ''}]}", "1:46", "the password is empty"),
            Row("authentication: {basic: [{user: a, passwordHash: x}]}", "1:50", "this is not a password hash"),
            Row("authentication: {basic: [{user: 'a:b', passwordHash: $1}]}", "1:33", "'a:b' is not a user name"),
            Row("authentication: {devops: {user: x, passwordHash: $1}}", "1:27", "unknown key 'user' in 'devops'"),
            Row("authentication: {basic: [{user: a, password: \"${PW}\"}]}", "1:47", "environment variable 'PW'"),
            Row("authentication: {jwt: {issuers: {x: {issuer: y}}}}", "1:18", "'jwt' is accepted, but not", .warning),
            Row(
                "authentication: {preAuthenticated: {enabled: true}}", "1:46", "'preAuthenticated' is accepted",
                .warning),
            Row("[a]", "1:1", "expected an object for the configuration, found a list"),
            Row("a: 1\n---\nb: 2", "3:1", "a configuration file has one document"),
            Row("http:\n\tport: 1", "2:1", "a tab cannot indent"),
        ])
    func wrong(_ row: Row) throws {
        let loaded = load(row.yaml)
        let found = loaded.diagnostics.first { $0.message.contains(row.says) }
        let diagnostic = try #require(found, "\(loaded.diagnostics)")
        #expect(diagnostic.at == row.at)
        #expect(diagnostic.severity == row.severity)
    }

    @Test("two users with one name are an error")
    func sameUser() {
        let loaded = load(
            "authentication:\n  basic:\n    - {user: a, passwordHash: $1}\n    - {user: a, passwordHash: $1}\n")
        #expect(loaded.diagnostics.map(\.message) == ["the user 'a' is there twice"])
        #expect(loaded.diagnostics.first?.at == "4:14")
    }

    @Test(
        "a wrong option is named",
        arguments: [
            ("http.port=x", "expected a whole number for 'port', found text"),
            ("nonsense", "not of the form key=value"),
            ("=5", "not of the form key=value"), ("http..port=1", "not a key"), ("a.b.c.d.e.f.g.h.i=1", "not a key"),
            ("http.port=", "the value is empty"),
            ("htp.port=1", "unknown key 'htp' in the configuration"), ("data=[", "expected a value"),
        ])
    func wrongOption(_ option: String, _ says: String) throws {
        let loaded = load(nil, overrides: [option])
        let diagnostic = try #require(loaded.diagnostics.first)
        #expect(diagnostic.message.contains(says), "\(loaded.diagnostics)")
        #expect(diagnostic.file == "--set \(option)")
        #expect(loaded.diagnostics.count == 1)
    }

    @Test("a file that is not there is an error")
    func missing() {
        let loaded = Configuration.load(file: "none.yaml", environment: .memory())
        #expect(
            loaded.diagnostics.map(\.description) == [
                "none.yaml: error: the file cannot be read: no such file or directory. "
                    + "check the path and its permissions"
            ])
    }
}
