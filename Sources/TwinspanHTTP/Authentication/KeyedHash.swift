// SipHash-2-4 with 128 bits of output: a keyed hash under which secrets can be remembered and compared without being
// kept. The key lives as long as the process and never leaves it, so a tag tells nothing about what it was made of.

/// Hashes bytes under a key.
struct KeyedHash: Sendable {
    /// The hash of some bytes. Equality takes the same time wherever two tags differ.
    struct Tag: Sendable, Hashable {
        var low: UInt64
        var high: UInt64

        static func == (left: Tag, right: Tag) -> Bool {
            (left.low ^ right.low) | (left.high ^ right.high) == 0
        }
    }

    private let key: (UInt64, UInt64)

    init(key: (UInt64, UInt64)) {
        self.key = key
    }

    /// A hash under a random key.
    init() {
        var generator = SystemRandomNumberGenerator()
        key = (generator.next(), generator.next())
    }

    /// The tag of a text's UTF-8 bytes.
    func tag(of text: String) -> Tag {
        var copy = text
        return copy.withUTF8 { tag(of: UnsafeRawBufferPointer($0)) }
    }

    /// The tag of some bytes.
    func tag(of bytes: UnsafeRawBufferPointer) -> Tag {
        var state = State(key: key)
        let words = bytes.count / 8
        for word in 0..<words {
            state.absorb(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: word * 8, as: UInt64.self)))
        }
        // The last word holds what is left and the length.
        var last = UInt64(truncatingIfNeeded: bytes.count) << 56
        for index in words * 8..<bytes.count { last |= UInt64(bytes[index]) << UInt64((index - words * 8) * 8) }
        state.absorb(last)
        return state.finish()
    }

    private struct State {
        private var v0, v1, v2, v3: UInt64

        init(key: (UInt64, UInt64)) {
            v0 = key.0 ^ 0x736f_6d65_7073_6575
            v1 = key.1 ^ 0x646f_7261_6e64_6f6d ^ 0xee
            v2 = key.0 ^ 0x6c79_6765_6e65_7261
            v3 = key.1 ^ 0x7465_6462_7974_6573
        }

        mutating func absorb(_ word: UInt64) {
            v3 ^= word
            round()
            round()
            v0 ^= word
        }

        mutating func finish() -> Tag {
            v2 ^= 0xee
            for _ in 0..<4 { round() }
            let low = v0 ^ v1 ^ v2 ^ v3
            v1 ^= 0xdd
            for _ in 0..<4 { round() }
            return Tag(low: low, high: v0 ^ v1 ^ v2 ^ v3)
        }

        private mutating func round() {
            v0 &+= v1
            v1 = rotated(v1, 13) ^ v0
            v0 = rotated(v0, 32)
            v2 &+= v3
            v3 = rotated(v3, 16) ^ v2
            v0 &+= v3
            v3 = rotated(v3, 21) ^ v0
            v2 &+= v1
            v1 = rotated(v1, 17) ^ v2
            v2 = rotated(v2, 32)
        }

        private func rotated(_ word: UInt64, _ count: UInt64) -> UInt64 {
            word << count | word >> (64 - count)
        }
    }
}
