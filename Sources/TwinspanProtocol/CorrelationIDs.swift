// Correlation ids for requests and signals that bring none. Random bytes of the system cost a system call each; a
// counter run through a mixing function with a random start is as unique and costs nanoseconds. They are names, not
// secrets.
import Synchronization

/// Makes ids in the form of a random UUID. Safe from any thread.
public struct CorrelationIDs: ~Copyable, Sendable {
    private let seed: (UInt64, UInt64)
    private let counter = Atomic<UInt64>(0)

    /// Ids from a random start.
    public init() {
        var generator = SystemRandomNumberGenerator()
        seed = (generator.next(), generator.next())
    }

    /// Ids from a given start, for tests.
    public init(seed: (UInt64, UInt64)) {
        self.seed = seed
    }

    /// The next id, `xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx`.
    public func next() -> String {
        let count = counter.wrappingAdd(1, ordering: .relaxed).newValue
        let high = Self.mixed(seed.0 &+ count &* 0x9E37_79B9_7F4A_7C15) & ~0xF000 | 0x4000
        let low = Self.mixed(seed.1 ^ count) & ~(3 << 62) | 2 << 62
        return String(unsafeUninitializedCapacity: 36) { buffer in
            var position = 0
            for digit in 0..<32 {
                if digit == 8 || digit == 12 || digit == 16 || digit == 20 {
                    buffer[position] = UInt8(ascii: "-")
                    position += 1
                }
                let word = digit < 16 ? high : low
                let nibble = UInt8(truncatingIfNeeded: word >> UInt64((15 - digit % 16) * 4)) & 15
                buffer[position] = nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
                position += 1
            }
            return position
        }
    }

    /// The finaliser of splitmix64: a bijection, so different counts give different words.
    private static func mixed(_ word: UInt64) -> UInt64 {
        var value = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}
