// How large things may become.
import TwinspanPolicies

/// Limits of entities (spec/protocol.md §2.5). A limit of zero or less is off.
public struct TwinLimits: Sendable, Equatable {
    /// Bytes of a thing's compact JSON.
    public var thingBytes: Int
    /// Bytes of a policy's compact JSON.
    public var policyBytes: Int
    /// Other policies that a policy imports.
    public var policyImports: Int
    /// Bytes of a message's payload.
    public var messageBytes: Int
    /// Requests that wait at the same time for a commit, an answer or acknowledgements; more are refused with 429.
    public var pendingRequests: Int

    public init(
        thingBytes: Int = 102_400, policyBytes: Int = 102_400, policyImports: Int = 10,
        messageBytes: Int = 256_000,
        pendingRequests: Int = 10_000
    ) {
        self.thingBytes = thingBytes
        self.policyBytes = policyBytes
        self.policyImports = policyImports
        self.messageBytes = messageBytes
        self.pendingRequests = pendingRequests
    }
}

extension PolicyLimits {
    /// Of a policy that is written: its size is judged when its new text is known.
    init(_ limits: TwinLimits) {
        self.init(sizeBytes: 0, imports: limits.policyImports)
    }
}
