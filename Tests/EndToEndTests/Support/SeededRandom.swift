// Randomness that can be repeated: the seed is printed, and TWINSPAN_SEED sets it.
import Foundation

/// SplitMix64.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    /// A generator for one test; prints its seed.
    init(for test: String) {
        let given = ProcessInfo.processInfo.environment["TWINSPAN_SEED"].flatMap { UInt64($0) }
        let seed = given ?? UInt64.random(in: 0...UInt64(UInt32.max))
        print("\(test): seed \(seed) (repeat with TWINSPAN_SEED=\(seed))")
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func seconds(_ range: ClosedRange<Double>) -> Double { Double.random(in: range, using: &self) }
}
