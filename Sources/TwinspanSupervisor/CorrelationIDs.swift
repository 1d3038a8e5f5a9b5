// Correlation ids for signals that came without one: UUIDs of version 4 from a fast generator that is seeded by the
// system. They need to be unique, not secret, and the system's own randomness costs a call per message.

struct CorrelationIDs {
    private var state: (UInt64, UInt64)

    init() {
        var system = SystemRandomNumberGenerator()
        state = (system.next(), system.next() | 1)
    }

    /// The next id.
    mutating func next() -> String {
        var high = step()
        var low = step()
        high = high & ~0xF000 | 0x4000
        low = low & ~(0b11 << 62) | (0b10 << 62)
        return String(unsafeUninitializedCapacity: 36) { buffer in
            var position = 0
            for index in 0..<16 {
                if index == 4 || index == 6 || index == 8 || index == 10 {
                    buffer[position] = UInt8(ascii: "-")
                    position += 1
                }
                let word = index < 8 ? high : low
                let byte = UInt8(truncatingIfNeeded: word >> UInt64(56 - (index % 8) * 8))
                buffer[position] = Self.digit(byte >> 4)
                buffer[position + 1] = Self.digit(byte & 15)
                position += 2
            }
            return position
        }
    }

    /// One step of xorshift128+.
    private mutating func step() -> UInt64 {
        var first = state.0
        let second = state.1
        state.0 = second
        first ^= first << 23
        state.1 = first ^ second ^ (first >> 18) ^ (second >> 5)
        return state.1 &+ second
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}
