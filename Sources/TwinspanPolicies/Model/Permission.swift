// What a policy speaks about: permissions and the types of resources (spec/policies-search.md A.1.1, A.2).

/// A permission that a policy grants or revokes.
public enum Permission: UInt8, Sendable, CaseIterable {
    case read, write, execute

    /// The name in policy JSON: `READ`, `WRITE`, `EXECUTE`.
    public var name: String {
        switch self {
        case .read: "READ"
        case .write: "WRITE"
        case .execute: "EXECUTE"
        }
    }

    /// The permission of a name, nil for any other text. Upper case only.
    public init?(name: String) {
        guard let permission = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = permission
    }
}

/// The type of a resource, the part of a resource key before the first colon. Other types can be stored in a policy,
/// but never affect a decision.
public enum PolicyResourceType: UInt8, Sendable, CaseIterable {
    case thing, policy, message

    /// The name in resource keys.
    public var name: String {
        switch self {
        case .thing: "thing"
        case .policy: "policy"
        case .message: "message"
        }
    }

    /// The type of a name, nil when it is none that decisions are made on.
    public init?(name: String) {
        guard let type = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = type
    }
}
