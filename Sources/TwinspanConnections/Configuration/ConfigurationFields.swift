// The keys of `twinspan.yaml`: one declaration each.

enum ConfigurationFields {
    typealias Part = Field<Located<YAMLNode>?>

    static let http = Part.part("http", .object("http"), "Where HTTP is served.")
    static let data = Field<Located<String>?>.text("data", default: "./data", "The data directory.")
    static let durability = Field<Configuration.Durability>.word(
        "durability", default: .full,
        "`full` waits for the disk at every commit; `os` survives a crash of the process only.")
    static let connections = Part.part(
        "connections", .any, default: "[./connections]", "Directories or files of connections.")
    static let mappers = Part.part("mappers", .any, default: "./mappers", "The directory of mapper scripts.")
    static let policies = Part.part(
        "policies", .any, default: "[./policies]",
        "Directories or files of policies that are made if missing; [] for none.")
    static let things = Part.part(
        "things", .any, default: "[./things]", "Directories or files of things that are made if missing; [] for none.")
    static let authentication = Part.part(
        "authentication", .object("authentication"), "Who may use the HTTP API.")
    static let limits = Part.part("limits", .object("limits"), "Largest sizes.")
    static let log = Part.part("log", .object("log"), "What is logged.")
    static let journal = Part.part("journal", .object("journal"), "How long changes are kept.")
    static let inbox = Part.part(
        "inbox", .object("inbox"), "What waits for acknowledgements and answers, per connection.")
    static let deadLetters = Part.part(
        "deadLetters", .object("deadLetters"), "How long messages that cannot succeed are kept.")
    static let cache = Part.part("cache", .object("cache"), "The cache of hot things.")
    static let hono = Part.part("hono", .object("hono"), "The Kafka cluster of Eclipse Hono.")
    static let metrics = Part.part("metrics", .object("metrics"), "The metrics page.")
    static let blockedHosts = Part.part(
        "blockedHosts", .object("blockedHosts"), "Hosts that connections may not reach; none when absent.")
    static let access = Part.part("access", .object("access"), "Access control, beside the policies themselves.")
    static let root = FieldGroup(
        "twinspan.yaml",
        [
            http.declaration, data.declaration, durability.declaration, connections.declaration,
            mappers.declaration, policies.declaration, things.declaration, authentication.declaration,
            limits.declaration, log.declaration, journal.declaration, inbox.declaration,
            deadLetters.declaration, cache.declaration, metrics.declaration, hono.declaration, blockedHosts.declaration,
            access.declaration,
        ])

    static let host = Field<Located<String>?>.text(
        "host", default: "127.0.0.1", "The name or address to listen on; 0.0.0.0 for all.")
    static let port = Field<Int>.integer("port", default: 8080, in: 0...65_535, "The port; 0 takes a free one.")
    static let httpGroup = FieldGroup("http", [host.declaration, port.declaration])

    static let thingBytes = Field<Int>.size("thingBytes", default: "102400", "Largest thing.")
    static let policyBytes = Field<Int>.size("policyBytes", default: "102400", "Largest policy.")
    static let policyImports = Field<Int>.integer(
        "policyImports", default: 10, in: 0...1000, "Most policies that one imports; 0 for any number.")
    static let messageBytes = Field<Int>.size("messageBytes", default: "256000", "Largest message.")
    static let limitsGroup = FieldGroup(
        "limits",
        [thingBytes.declaration, policyBytes.declaration, policyImports.declaration, messageBytes.declaration])

    static let level = Field<Configuration.Log.Level>.word(
        "level", default: .info, "The least severity that is logged.")
    static let logGroup = FieldGroup("log", [level.declaration])

    static let maxBytes = Field<Int>.size("maxBytes", default: "4GB", "Size from which the oldest changes go.")
    static let maxAge = Field<Duration>.duration("maxAge", default: "7d", "Age at which changes go.")
    static let journalGroup = FieldGroup("journal", [maxBytes.declaration, maxAge.declaration])

    static let inboxBytes = Field<Int>.size(
        "bytes", default: "16MB", "Size from which a connection takes no more messages.")
    static let inboxAttempts = Field<Int>.integer(
        "attempts", default: 10, in: 1...1000, "How often a message is carried out at most.")
    static let inboxAge = Field<Duration>.duration(
        "maxAge", default: "1d", "Age from which a message does not run again.")
    static let inboxGroup = FieldGroup(
        "inbox", [inboxBytes.declaration, inboxAttempts.declaration, inboxAge.declaration])

    static let deadLetterBytes = Field<Int>.size(
        "bytes", default: "64MB", "Size from which the oldest dead letters go.")
    static let deadLetterAge = Field<Duration>.duration("maxAge", default: "7d", "Age at which dead letters go.")
    static let deadLettersGroup = FieldGroup(
        "deadLetters", [deadLetterBytes.declaration, deadLetterAge.declaration])

    static let bytes = Field<Int>.size("bytes", default: "256MB", "Memory for hot things.")
    static let cacheGroup = FieldGroup("cache", [bytes.declaration])

    static let isAuthenticated = Field<Bool>.flag(
        "authenticated", default: false, "Whether `/metrics` asks for a login.")
    static let metricsGroup = FieldGroup("metrics", [isAuthenticated.declaration])

    static let blockedNames = Field<[Located<String>]>.texts(
        "hostnames",
        "Hosts whose addresses are blocked. With one that resolves, loopback and private addresses are too.")
    static let blockedSubnets = Field<[Located<String>]>.texts("subnets", "Blocked ranges, e.g. 169.254.0.0/16.")
    static let blockedPattern = Field<Located<String>?>.text(
        "regex", "A regular expression; hosts that match as a whole are blocked.")
    static let allowedNames = Field<[Located<String>]>.texts(
        "allowed", default: "[hono-endpoint]", "Hosts that are allowed whatever the other keys say.")
    static let blockedHostsGroup = FieldGroup(
        "blockedHosts",
        [
            blockedNames.declaration, blockedSubnets.declaration, blockedPattern.declaration, allowedNames.declaration,
        ])

    static let honoURI = Field<Located<String>?>.text(
        "base-uri", default: "tcp://localhost:9092", limit: ConnectionURI.form,
        "The scheme and a broker of the cluster.")
    static let honoValidation = Field<Bool>.flag(
        "validate-certificates", default: false, "Whether certificates of the brokers are verified.")
    static let honoAuthority = Field<Located<String>?>.text(
        "ca", "PEM of trusted certificates; ${file:/path} reads a file.")
    static let honoMechanism = Field<Located<String>?>.text(
        "sasl-mechanism", default: "PLAIN", limit: "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", "How to log in.")
    static let honoServers = Field<Located<String>?>.text(
        "bootstrap-servers", default: "localhost:9092", limit: "host:port, host:port", "The brokers to begin with.")
    static let honoUser = Field<Located<String>?>.text(
        "username", default: "honoUsername", "The user to log in with; empty for a cluster without a login.")
    static let honoPassword = Field<Located<String>?>.text(
        "password", default: "honoPassword", "The password, as ${NAME} or ${file:/path}.")
    static let honoGroup = FieldGroup(
        "hono",
        [
            honoURI.declaration, honoValidation.declaration, honoAuthority.declaration, honoMechanism.declaration,
            honoServers.declaration, honoUser.declaration, honoPassword.declaration,
        ])

    static let basic = Part.part(
        "basic", .objects("user"), default: "[]", "Users; each acts as the subject `nginx:<user>`.")
    static let devops = Part.part("devops", .object("devops"), "The password of the user `devops`.")
    static let jwt = Part.part("jwt", .object("jwt"), "Tokens of identity providers.").unserved
    static let preAuthenticated = Part.part(
        "preAuthenticated", .object("preAuthenticated"), "Trust in the header of a proxy.")
    static let authenticationGroup = FieldGroup(
        "authentication",
        [basic.declaration, devops.declaration, jwt.declaration, preAuthenticated.declaration])

    static let user = Field<Located<String>?>.text("user", "The user's name.").required
    static let password = Field<Located<String>?>.text(
        "password", "The password, as ${NAME} or ${file:/path}.")
    static let passwordHash = Field<Located<String>?>.text(
        "passwordHash", "The hash that `twinspan hash-password` prints.")
    static let userGroup = FieldGroup(
        "user", [user.declaration, password.declaration, passwordHash.declaration])
    static let devopsGroup = FieldGroup("devops", [password.declaration, passwordHash.declaration])

    static let issuers = Part.part("issuers", .objectMap("issuer"), default: "{}", "Issuers by subject prefix.")
    static let jwtGroup = FieldGroup("jwt", [issuers.declaration])
    static let issuer = Field<Located<String>?>.text("issuer", "The issuer's URL.").required
    static let authSubjects = Field<[Located<String>]>.texts(
        "authSubjects", default: "[\"{{ jwt:sub }}\"]", "Templates of subjects.")
    static let issuerGroup = FieldGroup("issuer", [issuer.declaration, authSubjects.declaration])

    static let isEnabled = Field<Bool>.flag("enabled", default: false, "Whether the header is believed.")
    static let from = Field<[Located<String>]>.texts("from", "Address ranges of trusted proxies, e.g. 127.0.0.1/32.")
    static let preAuthenticatedGroup = FieldGroup(
        "preAuthenticated", [isEnabled.declaration, from.declaration])

    static let groups =
        [
            root, httpGroup, limitsGroup, logGroup, journalGroup, inboxGroup, deadLettersGroup, cacheGroup,
            metricsGroup,
            honoGroup,
            blockedHostsGroup, authenticationGroup, userGroup, devopsGroup, jwtGroup, issuerGroup,
            preAuthenticatedGroup,
        ] + AccessFields.groups
}
