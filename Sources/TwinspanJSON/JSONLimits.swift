// What a document may cost. Every parser in this target takes a `JSONLimits`, so that no peer decides how deep the
// stack or how large a buffer becomes.

/// Bounds on one JSON document.
public struct JSONLimits: Sendable, Hashable {
    /// The greatest number of containers that may be open at once; `[[1]]` has depth 2. At most `depthMaximum`.
    public let depth: Int

    /// The greatest size of the source text in bytes. At most `bytesMaximum`.
    public let bytes: Int

    /// Depth 200, any size.
    public static let standard = JSONLimits()

    /// The parser and the tree builder recurse once per level and must fit the stack of any thread.
    public static let depthMaximum = 512

    /// Positions of keys are kept as 32-bit numbers while parsing.
    public static let bytesMaximum = Int(UInt32.max) - 64

    /// - Parameters:
    ///   - depth: clamped to 0...`depthMaximum`.
    ///   - bytes: clamped to 0...`bytesMaximum`.
    public init(depth: Int = 200, bytes: Int = .max) {
        self.depth = Swift.min(Swift.max(depth, 0), Self.depthMaximum)
        self.bytes = Swift.min(Swift.max(bytes, 0), Self.bytesMaximum)
    }
}
