// `twinspan.yaml` as values: what the process is told at its start. Immutable; every key has a default, so that no file
// is needed. The keys are declared in `ConfigurationFields.swift` and read in `ConfigurationReader.swift`.

/// The configuration of the process.
public struct Configuration: Sendable {
    /// Where HTTP is served.
    public struct HTTP: Sendable, Equatable {
        /// A name or address of this machine.
        public var host = "127.0.0.1"
        /// 0 takes any free port.
        public var port = 8080
        public init() {}
    }

    /// When a commit counts as durable.
    public enum Durability: String, Sendable, CaseIterable {
        /// When the disk has it.
        case full
        /// When the operating system has it: survives a crash of the process, not of the machine.
        case os
    }

    /// Paths with the knowledge whether somebody wrote them: a default that does not exist is no mistake.
    public struct Paths: Sendable, Equatable {
        public var paths: [String]
        public var isDefault: Bool
        /// Makes paths.
        public init(_ paths: [String], isDefault: Bool = false) {
            self.paths = paths
            self.isDefault = isDefault
        }
    }

    /// Largest sizes in bytes, and numbers.
    public struct Limits: Sendable, Equatable {
        public var thingBytes = 102_400
        public var policyBytes = 102_400
        public var policyImports = 10
        public var messageBytes = 256_000
        public init() {}
    }

    /// What is logged from which severity on.
    public struct Log: Sendable, Equatable {
        /// The levels of swift-log.
        public enum Level: String, Sendable, CaseIterable {
            case trace, debug, info, notice, warning, error, critical
        }
        public var level = Level.info
        public init() {}
    }

    /// How long the journal is kept.
    public struct Journal: Sendable, Equatable {
        /// Bytes; older records go first.
        public var maxBytes = 4_000_000_000
        public var maxAge = Duration.seconds(7 * 86_400)
        public init() {}
    }

    /// Messages that wait for acknowledgements or answers, or run again.
    public struct Inbox: Sendable, Equatable {
        /// Bytes that may wait per connection.
        public var bytes = 16_000_000
        /// How often a message is carried out at most, the first time included.
        public var attempts = 10
        /// How long after its arrival a message runs again at most.
        public var maxAge = Duration.seconds(86_400)
        public init() {}
    }

    /// How long messages are kept that cannot succeed.
    public struct DeadLetters: Sendable, Equatable {
        /// Bytes over all connections; older ones go first.
        public var bytes = 64_000_000
        public var maxAge = Duration.seconds(7 * 86_400)
        public init() {}
    }

    /// The cache of hot things.
    public struct Cache: Sendable, Equatable {
        public var bytes = 256_000_000
        public init() {}
    }

    /// The metrics page.
    public struct Metrics: Sendable, Equatable {
        /// Whether it asks for a login.
        public var isAuthenticated = false
        public init() {}
    }

    public var http = HTTP()
    /// The data directory.
    public var data = "./data"
    public var durability = Durability.full
    /// Directories or files of connections.
    public var connections = Paths(["./connections"], isDefault: true)
    /// The directory of mapper scripts.
    public var mappers = Paths(["./mappers"], isDefault: true)
    /// Directories or files of policies to seed.
    public var policies = Paths(["./policies"], isDefault: true)
    /// Directories or files of things to seed.
    public var things = Paths(["./things"], isDefault: true)
    public var authentication = Authentication()
    public var limits = Limits()
    public var log = Log()
    public var journal = Journal()
    public var inbox = Inbox()
    public var deadLetters = DeadLetters()
    public var cache = Cache()
    public var metrics = Metrics()
    /// What connections may reach.
    public var hosts = HostRules.none
    public var access = AccessConfiguration()
    /// The Kafka cluster of Eclipse Hono.
    public var hono = HonoSettings()

    /// The defaults.
    public init() {}
}

/// Who may use the HTTP API.
public struct Authentication: Sendable, Equatable {
    /// What a password is checked against.
    public enum Password: Sendable, Equatable {
        /// A crypt hash, as `twinspan hash-password` makes it.
        case hash(String)
        /// The password itself.
        case plain(Secret)
    }

    /// A user with the subject `nginx:<user>`.
    public struct User: Sendable, Equatable {
        public var user: String
        public var password: Password
        /// Makes a user.
        public init(user: String, password: Password) {
            self.user = user
            self.password = password
        }
    }

    /// An issuer of tokens. Read, not served yet.
    public struct TokenIssuer: Sendable, Equatable {
        /// The prefix of its subjects.
        public var name: String
        public var issuer: String
        /// Templates of subjects.
        public var authSubjects: [String]
        /// Makes an issuer.
        public init(name: String, issuer: String, authSubjects: [String]) {
            self.name = name
            self.issuer = issuer
            self.authSubjects = authSubjects
        }
    }

    /// Trust in a header that a proxy sets. Read, not served yet.
    public struct PreAuthenticated: Sendable, Equatable {
        public var isEnabled = false
        /// Address ranges of trusted proxies, in CIDR form.
        public var from: [String] = []
        public init() {}
    }

    public var basic: [User] = []
    /// The password of the user `devops`; nil means the generated one.
    public var devops: Password?
    public var tokenIssuers: [TokenIssuer] = []
    public var preAuthenticated = PreAuthenticated()

    /// Nobody but the users that the first start makes.
    public init() {}
}

/// What was found in a configuration file and in overrides.
public struct LoadedConfiguration: Sendable {
    /// The configuration; where there are errors, with the defaults in their places.
    public let configuration: Configuration
    /// All problems, sorted.
    public let diagnostics: [Diagnostic]

    /// Whether there is no error.
    public var isValid: Bool { !diagnostics.contains { $0.severity == .error } }
}
