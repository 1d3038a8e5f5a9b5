// What this process uses of the machine, as often as a running script has to be judged.
import Glibc

enum ProcessUse {
    /// Kept open: reading an open file of /proc costs a microsecond.
    private static let statistics = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)

    /// Resident bytes; nil where /proc does not tell.
    static var residentBytes: Int? {
        guard statistics >= 0 else { return nil }
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 128) { text -> Int? in
            let count = pread(statistics, text.baseAddress, text.count, 0)
            guard count > 0 else { return nil }
            // Pages: total, resident, shared, …
            let words = text[..<count].split(separator: UInt8(ascii: " "), maxSplits: 2)
            guard words.count > 1 else { return nil }
            let pages = words[1].reduce(0) { $0 * 10 + Int($1 &- UInt8(ascii: "0")) }
            return pages * pageSize
        }
    }

    private static let pageSize = sysconf(Int32(_SC_PAGESIZE))

    /// Nanoseconds of processor time of the calling thread.
    static var threadTime: UInt64 { read(CLOCK_THREAD_CPUTIME_ID) }

    /// Nanoseconds of a clock that moves every few milliseconds and is read in some.
    static var coarseTime: UInt64 { read(CLOCK_MONOTONIC_COARSE) }

    private static func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
