/// Limits of entities (spec/protocol.md §2.5). A limit of zero or less is off.
public struct TwinLimits: Sendable, Equatable {
    /// Bytes of a thing's compact JSON.
    public var thingBytes: Int
    /// Bytes of a policy's compact JSON.
    public var policyBytes: Int

    public init(thingBytes: Int = 102_400, policyBytes: Int = 102_400) {
        self.thingBytes = thingBytes
        self.policyBytes = policyBytes
    }
}
