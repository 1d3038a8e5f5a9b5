// Counts what a process holds: memory, threads, descriptors. Something that is opened and closed a thousand times must
// leave none of them behind, whichever library does the opening.
import Foundation

/// Watches this process for what is left behind.
public enum LeakWatch {
    /// What the process holds at a moment.
    public struct Reading: Sendable, CustomStringConvertible {
        public var descriptors: Int
        public var threads: Int
        /// Resident memory.
        public var kilobytes: Int

        public var description: String { "\(descriptors) descriptors, \(threads) threads, \(kilobytes) KB" }
    }

    /// What may be left behind, because allocators and thread pools keep some for the next time.
    public struct Allowance: Sendable {
        /// Growth of the resident memory over all cycles but the first ones.
        public var kilobytes = 2048
        /// For threads that outlive their session by a moment.
        public var seconds = 10.0
        public init() {}
    }

    /// What the process holds now.
    public static func reading() throws -> Reading {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        func field(_ name: String) throws -> Int {
            let line = status.split(separator: "\n").first { $0.hasPrefix("\(name):") }
            let number = line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) }
            guard let number else { throw ScenarioFailure("/proc/self/status has no \(name)") }
            return number
        }
        return Reading(
            descriptors: try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count,
            threads: try field("Threads"), kilobytes: try field("VmRSS"))
    }

    /// Whether a sanitizer has built the process: it keeps what is freed, and memory says nothing then.
    private static let isInstrumented = dlsym(nil, "__asan_init") != nil || dlsym(nil, "__tsan_init") != nil

    /// Runs `cycle` so many times, the first fifth to warm up, and fails if the rest has left something behind.
    /// Returns the readings before and after the rest, for the record.
    @discardableResult
    public static func run(
        cycles: Int, allowance: Allowance = Allowance(), _ cycle: (Int) throws -> Void
    ) throws -> (before: Reading, after: Reading) {
        let warmUp = max(cycles / 5, 1)
        for number in 0..<warmUp { try cycle(number) }
        let before = try settled(like: try reading(), within: 1)
        for number in warmUp..<cycles { try cycle(number) }
        let after = try settled(like: before, within: allowance.seconds)
        try require(after.descriptors <= before.descriptors, "descriptors are left: \(before), then \(after)")
        try require(after.threads <= before.threads, "threads are left: \(before), then \(after)")
        try require(
            isInstrumented || after.kilobytes - before.kilobytes <= allowance.kilobytes,
            "memory is left: \(before), then \(after)")
        return (before, after)
    }

    /// A reading once descriptors and threads are down to those of `other`, or at the end of the time.
    private static func settled(like other: Reading, within seconds: Double) throws -> Reading {
        let limit = Date(timeIntervalSinceNow: seconds)
        while true {
            let now = try reading()
            if now.descriptors <= other.descriptors, now.threads <= other.threads { return now }
            if Date() > limit { return now }
            usleep(20_000)
        }
    }
}
