// What only a binding knows about its connections: schemes, QoS, settings. Adapters bring these rules; the lint applies
// them and finds the lines. No adapter is known here.

/// The rules of one adapter for the connections it serves.
public struct BindingRules: Sendable {
    /// Which connections the rules are for.
    public let types: Set<ConnectionType>
    /// The keys of `specificConfig` that have a meaning; others are warned of. Empty when any may have one.
    public let settings: [String]
    /// Finds all problems of a connection.
    public let problems: @Sendable (Connection) -> [BindingProblem]

    /// Makes rules.
    public init(
        types: Set<ConnectionType>, settings: [String] = [],
        problems: @escaping @Sendable (Connection) -> [BindingProblem]
    ) {
        self.types = types
        self.settings = settings
        self.problems = problems
    }
}

/// Something in a connection that its binding does not take.
public struct BindingProblem: Sendable, Equatable {
    /// A JSON pointer into the connection, e.g. `/sources/0/qos`; the field itself may be absent.
    public let path: String
    /// What is wrong, one sentence.
    public let message: String
    /// What to do about it.
    public let hint: String?
    /// Whether the connection works nevertheless.
    public let isWarning: Bool

    /// Makes a problem.
    public init(path: String, message: String, hint: String? = nil, isWarning: Bool = false) {
        self.path = path
        self.message = message
        self.hint = hint
        self.isWarning = isWarning
    }
}
