import CAllocationCounter
import Glibc

/// What some operations cost on the thread that measures: time and allocations, freeing included.
struct Cost {
    private(set) var nanoseconds: UInt64 = 0
    private(set) var allocations: UInt64 = 0

    /// Adds what `work` costs. Called once per batch of operations, so that reading the clock does not show.
    mutating func add<Result>(_ work: () throws -> Result) rethrows -> Result {
        let allocationsBefore = allocations_of_this_thread()
        let start = Self.now
        let result = try work()
        nanoseconds += Self.now - start
        allocations += allocations_of_this_thread() - allocationsBefore
        return result
    }

    /// The monotonic clock in nanoseconds.
    static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    func perOperation(_ operations: Int) -> Figure {
        Figure(
            nanoseconds: Double(nanoseconds) / Double(operations),
            allocations: Double(allocations) / Double(operations))
    }
}

/// A cost per operation.
struct Figure {
    var nanoseconds: Double
    var allocations: Double

    static func + (left: Figure, right: Figure) -> Figure {
        Figure(
            nanoseconds: left.nanoseconds + right.nanoseconds, allocations: left.allocations + right.allocations)
    }

    /// The medians of time and of allocations, each for itself.
    static func median(_ figures: [Figure]) -> Figure {
        func middle(_ values: [Double]) -> Double {
            let sorted = values.sorted()
            return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
        }
        return Figure(
            nanoseconds: middle(figures.map(\.nanoseconds)), allocations: middle(figures.map(\.allocations)))
    }

    /// `{"ns":1234.5,"allocations":12.34}`
    var json: String {
        let time = (nanoseconds * 10).rounded() / 10
        return #"{"ns":\#(time),"allocations":\#((allocations * 100).rounded() / 100)}"#
    }
}
