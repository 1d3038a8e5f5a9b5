// Sizes a policy may have (spec/protocol.md §2.5).

/// The limits that reading a policy checks. A limit of zero or less is not checked.
public struct PolicyLimits: Sendable, Equatable {
    /// The length of the compact JSON in bytes.
    public var sizeBytes: Int
    /// The number of imported policies.
    public var imports: Int

    /// Ditto's defaults: 100 KiB and 10 imports.
    public static let standard = PolicyLimits(sizeBytes: 102_400, imports: 10)

    public init(sizeBytes: Int, imports: Int) {
        self.sizeBytes = sizeBytes
        self.imports = imports
    }
}
