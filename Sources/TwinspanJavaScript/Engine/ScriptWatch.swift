// Judges a running script every ten milliseconds of its processor time. The engine has a limit of time only, and ends a
// script when it is over; we let it ask us instead, and set the limit anew while time and memory are within theirs.

/// The judge of the scripts of one context. Used by the thread that runs the script, also from inside the engine.
final class ScriptWatch {
    /// Why a script was ended.
    enum Verdict {
        case time
        case memory
    }

    private let library: JavaScriptEngineLibrary
    private let group: JavaScriptEngineLibrary.Group
    private let limits: ScriptLimits

    private(set) var verdict: Verdict?
    /// Set by the first look at a running script: a call pays nothing for its start being noted.
    private var deadline: UInt64?
    /// Resident bytes at the last look between two calls.
    private var baseline = 0
    /// The least the process had since the script's own memory was last counted.
    private var floor = 0
    private var callsSinceLook = 0
    private var timeOfLook: UInt64 = 0

    /// Seconds until a running script is looked at.
    private static let step = 0.01
    private static let stepNanoseconds: UInt64 = 10_000_000
    private static let callsPerLook = 64
    private static let nanosecondsPerLook: UInt64 = 100_000_000

    init(library: JavaScriptEngineLibrary, group: JavaScriptEngineLibrary.Group, limits: ScriptLimits) {
        (self.library, self.group, self.limits) = (library, group, limits)
        look()
        floor = baseline
        arm()
    }

    /// To be called before each run of a script.
    /// - Returns: whether the process has grown so much that the memory of the script should be counted.
    func begin() -> Bool {
        verdict = nil
        deadline = nil
        callsSinceLook += 1
        let now = ProcessUse.coarseTime
        guard callsSinceLook >= Self.callsPerLook || now &- timeOfLook > Self.nanosecondsPerLook else { return false }
        timeOfLook = now
        look()
        if baseline < floor { floor = baseline }
        guard baseline - floor > limits.memoryBytes / 4 else { return false }
        floor = baseline
        return true
    }

    /// Whether a count of the script's own memory is more than it may keep.
    func isTooMuch(_ bytes: Double) -> Bool { bytes > Double(limits.memoryBytes) }

    private func look() {
        callsSinceLook = 0
        baseline = ProcessUse.residentBytes ?? 0
    }

    /// The limit stays set between calls: it counts from the start of each by itself.
    private func arm() {
        library.setTimeLimit(
            group, Self.step,
            { _, context in
                // Borrowed: the owner of the watch releases the group first.
                context.map { Unmanaged<ScriptWatch>.fromOpaque($0).takeUnretainedValue().ends() } ?? true
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    /// Called by the engine inside a running script.
    private func ends() -> Bool {
        let now = ProcessUse.threadTime
        // The script has run for a step already. A new thread may have used less than that itself.
        let used = min(now, Self.stepNanoseconds)
        let deadline = self.deadline ?? now - used + UInt64(limits.milliseconds) * 1_000_000
        self.deadline = deadline
        if now >= deadline {
            verdict = .time
        } else if let resident = ProcessUse.residentBytes, resident - baseline > limits.memoryBytes {
            verdict = .memory
        } else {
            arm()
            return false
        }
        return true
    }
}
