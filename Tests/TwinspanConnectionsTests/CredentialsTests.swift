import Testing

@testable import TwinspanConnections

@Suite("Credentials and tunnels")
struct CredentialsTests {
    static let certificate = "-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----"
    static let key = "-----BEGIN PRIVATE KEY-----\\nAAAA\\n-----END PRIVATE KEY-----"
    static let publicKey = "-----BEGIN PUBLIC KEY-----\\nAAAA\\n-----END PUBLIC KEY-----"
    static let oauth = "tokenEndpoint: 'https://h/t', clientId: c, requestedScopes: 'a b'"

    /// Errors of a connection with this part.
    private func errors(_ type: ConnectionType, _ part: String, login: String = "") -> [String] {
        var limits = ConnectionLimits()
        limits.servedTypes = Set(ConnectionType.allCases)
        let scheme = type == .httpPush ? "https" : type == .amqp10 ? "amqps" : "ssl"
        let text = """
            {id: a, connectionType: \(type.rawValue), uri: '\(scheme)://\(login)h:1', \(part),
            targets: [{address: x, qos: 1, authorizationContext: [s], topics: [_/_/things/twin/events]}]}
            """
        return loadConnections(["c/a.yaml": text], limits: limits).diagnostics.filter { $0.severity == .error }
            .map { "\($0.path) \($0.message)" }
    }

    @Test(
        "that fit are taken",
        arguments: [
            (ConnectionType.mqtt, "{type: client-cert, cert: \"\(certificate)\", key: \"\(key)\"}"),
            (.httpPush, "{type: hmac, algorithm: az-sasl, parameters: {sharedKey: x}}"),
            (.amqp10, "{type: hmac, algorithm: aws4-hmac-sha256, parameters: {}}"),
            (.httpPush, "{type: oauth-client-credentials, clientSecret: s, \(oauth)}"),
            (.httpPush, "{type: oauth-password, username: u, password: p, \(oauth)}"),
            (.mqtt5, "{type: client-cert}"),
        ])
    func good(_ type: ConnectionType, _ credentials: String) {
        #expect(errors(type, "credentials: \(credentials)") == [])
    }

    @Test(
        "that do not fit say why",
        arguments: [
            (ConnectionType.mqtt, "{}", "/credentials/type", "has no 'type'"),
            (.mqtt, "{type: password}", "/credentials/type", "unknown word 'password'"),
            (.mqtt, "{type: plain, username: u, password: p}", "/credentials/type", "for an ssh tunnel only"),
            (.mqtt, "{type: client-cert, cert: \"\(certificate)\"}", "/credentials/key", "key or certificate were"),
            (.mqtt, "{type: client-cert, cert: \"\(key)\", key: \"\(key)\"}", "/credentials/cert", "bad format"),
            (.mqtt, "{type: client-cert, cert: \"\(certificate)\", key: x}", "/credentials/key", "bad format"),
            (
                .mqtt, "{type: hmac, algorithm: az-sasl, parameters: {}}", "/credentials/type",
                "HMAC credentials are not"
            ),
            (.httpPush, "{type: hmac, algorithm: x, parameters: {}}", "/credentials/algorithm", "unsupported HMAC"),
            (.httpPush, "{type: hmac, algorithm: az-sasl}", "/credentials/parameters", "has no 'parameters'"),
            (.httpPush, "{type: hmac, algorithm: az-sasl, parameters: x}", "/credentials/parameters", "an object"),
            (.kafka, "{type: oauth-password, username: u, password: p, \(oauth)}", "/credentials/type", "OAuth"),
            (
                .httpPush,
                "{type: oauth-client-credentials, clientSecret: s, tokenEndpoint: 'http://h', clientId: c, "
                    + "requestedScopes: a}", "/credentials/tokenEndpoint", "must use https"
            ),
            (
                .httpPush,
                "{type: oauth-password, username: u, password: p, tokenEndpoint: h, clientId: c, "
                    + "requestedScopes: a}", "/credentials/tokenEndpoint", "no URL"
            ),
            (
                .httpPush,
                "{type: oauth-password, username: u, password: p, tokenEndpoint: 'http://h', clientId: c, "
                    + "requestedScopes: 'a  b'}", "/credentials/requestedScopes", "not OAuth scopes"
            ),
        ])
    func bad(_ row: (ConnectionType, String, String, String)) {
        let found = errors(row.0, "credentials: \(row.1)")
        #expect(found.count == 1 && found[0].hasPrefix(row.2 + " ") && found[0].contains(row.3), "\(found)")
    }

    @Test("HMAC and a user in the URI contradict each other")
    func conflict() {
        let hmac = "credentials: {type: hmac, algorithm: az-sasl, parameters: {}}"
        #expect(errors(.httpPush, hmac, login: "u:p@").first?.contains("conflicting authentication") == true)
    }

    @Test(
        "a tunnel is checked field by field",
        arguments: [
            ("{}", ["credentials", "enabled", "uri", "validateHost"]), ("{uri: 'tcp://h:1', G}", ["uri"]),
            ("{uri: 'ssh://h', G}", ["uri"]),
            ("{uri: 'ssh://h:22', enabled: true, validateHost: true, C}", ["validateHost"]),
            ("{uri: 'ssh://h:22', validateHost: false, C}", ["enabled"]),
            (
                "{uri: 'ssh://h:22', enabled: true, validateHost: false, credentials: {type: plain, username: '', "
                    + "password: p}}", ["credentials/username"]
            ),
            (
                "{uri: 'ssh://h:22', enabled: true, validateHost: false, credentials: {type: hmac, algorithm: az-sasl, "
                    + "parameters: {}}}", ["credentials/type"]
            ),
            (
                "{uri: 'ssh://h:22', enabled: true, validateHost: false, credentials: {type: public-key, username: u, "
                    + "publicKey: \"\(publicKey)\", privateKey: x}}", ["credentials/privateKey"]
            ),
        ])
    func tunnel(_ row: (String, [String])) {
        let login = "credentials: {type: plain, username: u, password: p}"
        let text = row.0.replacingFirst("G}", by: "enabled: true, validateHost: false, C}").replacingFirst(
            ", C}", by: ", " + login + "}")
        let found = errors(.mqtt, "sshTunnel: \(text)")
        #expect(
            found.map { String($0.split(separator: " ")[0]) }.sorted() == row.1.map { "/sshTunnel/\($0)" }, "\(found)")
    }

    @Test("kafka has no tunnel")
    func kafka() {
        let tunnel =
            "{uri: 'ssh://h:22', enabled: true, validateHost: false, "
            + "credentials: {type: plain, username: u, password: p}}"
        #expect(errors(.kafka, "sshTunnel: \(tunnel)") == ["/sshTunnel SSH tunneling not supported"])
    }

    @Test("PEM blocks need their label, their end and Base64")
    func pem() {
        #expect(
            PEMLabel.certificate.begins("text\n-----BEGIN CERTIFICATE-----\nAAAA\nBBBB\n-----END CERTIFICATE-----\n"))
        for text in [
            "", "AAAA", "-----BEGIN CERTIFICATE-----\nAAAA",
            "-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----",
            "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        ] { #expect(!PEMLabel.certificate.begins(text), "\(text)") }
    }
}

@Suite("Hosts that connections may reach")
struct HostRulesTests {
    private static let addresses = [
        "blocked.example": ["192.0.2.9"], "good.example": ["198.51.100.7", "2001:db8::1"],
        "local.example": ["127.0.0.1"],
        "site.example": ["10.1.2.3"], "six.example": ["fd00::1"], "net.example": ["203.0.113.200"],
        "same.example": ["198.51.100.8", "192.0.2.9"], "allowed.example": ["127.0.0.1"],
    ]

    private func problem(_ host: String, _ rules: HostRules) -> String? {
        rules.problem(ofHost: host) { (Self.addresses[$0] ?? [$0]).compactMap(IPAddress.init) }
    }

    @Test(
        "are decided by name, pattern, address and subnet",
        arguments: [
            ("good.example", nil), ("allowed.example", nil), ("ALLOWED.example", nil), ("198.51.100.1", nil),
            ("local.example", "its address 127.0.0.1 is an internal one"), ("site.example", "an internal one"),
            ("six.example", "fd00::1 is an internal one"), ("2001:db8::1", nil),
            ("net.example", "in a blocked subnet"), ("same.example", "is blocked"), ("x.corp", "a blocked pattern"),
            ("::1", "an internal one"), ("::ffff:127.0.0.1", "an internal one"), ("0.0.0.0", "an internal one"),
            ("nowhere.example", "cannot be resolved"), ("x.corp.example", "cannot be resolved"),
        ])
    func decisions(_ host: String, _ reason: String?) throws {
        let rules = try HostRules(
            allowed: ["Allowed.Example"], blocked: ["blocked.example"], subnets: ["203.0.113.128/25"],
            regex: ".*\\.corp")
        let found = problem(host, rules)
        #expect((found == nil) == (reason == nil), "\(found ?? "allowed")")
        if let reason { #expect(found?.contains(reason) == true && found?.contains("'\(host)'") == true) }
    }

    @Test("without a blocked host that resolves, internal addresses and unknown names are allowed")
    func open() throws {
        #expect(problem("127.0.0.1", .none) == nil && problem("nowhere.example", .none) == nil)
        #expect(problem("127.0.0.1", try HostRules(blocked: ["gone.example"])) == nil)
        #expect(problem("127.0.0.1", try HostRules(subnets: ["192.0.2.0/24"], regex: ".*[.]corp")) == nil)
        #expect(problem("nowhere.example", try HostRules(subnets: ["192.0.2.0/24"])) == nil)
    }

    @Test("a subnet and a pattern count by themselves")
    func alone() throws {
        #expect(problem("blocked.example", try HostRules(subnets: ["192.0.2.0/24"]))?.contains("192.0.2.9") == true)
        #expect(problem("X.corp", try HostRules(regex: ".*[.]corp"))?.contains("pattern") == true)
        #expect(problem("hono-endpoint", try HostRules(regex: ".*")) == nil)
    }

    @Test(
        "without a name server, what the text of the host says counts",
        arguments: [
            ("blocked.example", true), ("BLOCKED.example", true), ("x.corp", true), ("203.0.113.200", true),
            ("203.0.113.2", false), ("good.example", false), ("nowhere.example", false), ("net.example", false),
            ("allowed.example", false), ("[::ffff:203.0.113.200]", true),
        ])
    func offline(_ host: String, _ isBlocked: Bool) throws {
        let rules = try HostRules(
            allowed: ["Allowed.Example"], blocked: ["blocked.example"], subnets: ["203.0.113.128/25"],
            regex: ".*\\.corp")
        #expect((rules.problem(ofHost: host) != nil) == isBlocked)
    }

    @Test(
        "the hosts of URLs are found",
        arguments: [
            ("https://a.example/token", "a.example"), ("https://a.example:8443", "a.example"),
            ("https://user:word@a.example:1/x@y", "a.example"), ("https://[::1]:8443/x", "::1"), ("a.example", nil),
            ("https://a.example?x=1", "a.example"),
        ])
    func urls(_ text: String, _ host: String?) { #expect(HostRules.host(ofURL: text) == host) }

    @Test(
        "addresses are written as usual",
        arguments: [
            ("192.0.2.1", "192.0.2.1"), ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"), ("::", "::"), ("::1", "::1"),
            ("1:0:2:0:0:3:4:5", "1:0:2::3:4:5"), ("::ffff:192.0.2.1", "192.0.2.1"),
            ("1:2:3:4:5:6:7:0", "1:2:3:4:5:6:7:0"),
        ])
    func written(_ text: String, _ written: String) { #expect(IPAddress(text)?.description == written) }

    @Test(
        "subnets and expressions that are none are refused", arguments: ["10.0.0.0", "10.0.0.0/33", "x/8", "1.2.3/8"])
    func invalid(_ subnet: String) {
        #expect(throws: HostRulesError.self) { try HostRules(subnets: [subnet]) }
        #expect(throws: HostRulesError.self) { try HostRules(regex: "(") }
    }

    @Test("addresses are read", arguments: ["1.2.3", "1.2.3.256", "a", "1:2", "::1::", "12345::", "1.2.3.4.5", ""])
    func notAddresses(_ text: String) { #expect(IPAddress(text) == nil) }
}
