// What a script may cost.

/// Bounds on one script mapper.
public struct ScriptLimits: Sendable {
    /// UTF-16 units of one script.
    public var scriptLength: Int
    /// Milliseconds of processor time one message may take. Not of the clock: a script must not fail because the
    /// machine is busy, and one that runs for ever uses its processor.
    public var milliseconds: Int
    /// Bytes by which the process may grow while a script runs longer than a moment, and bytes a script may keep in its
    /// globals.
    public var memoryBytes: Int

    /// The limits of spec/mapping.md §5.8; the memory is ours.
    public static let standard = ScriptLimits()

    public init(scriptLength: Int = 50_000, milliseconds: Int = 500, memoryBytes: Int = 128 << 20) {
        self.scriptLength = scriptLength
        self.milliseconds = milliseconds
        self.memoryBytes = memoryBytes
    }
}
