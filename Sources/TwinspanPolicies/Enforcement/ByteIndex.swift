// Looks up byte strings without making a `String` or hashing through the standard library: both tables of an enforcer,
// subjects and path levels, are asked several times per message.
import Glibc

/// A hash table from (context, bytes) to a small number. Built once, then only read.
///
/// The context makes one table serve all levels of a tree: it is the number of the parent node.
struct ByteIndex: Sendable {
    private struct Slot {
        var hash: UInt64
        var offset: UInt32
        var count: UInt32
        var context: UInt32
        /// `UInt32.max` in a free slot.
        var value: UInt32
    }

    /// Open addressing, at most half full; the number of slots is a power of two.
    private var slots: [Slot]
    private var bytes: [UInt8] = []
    /// Random, so that the author of a policy cannot choose keys that collide.
    private let seed = UInt64.random(in: .min ... .max)

    /// A table for up to `count` keys.
    init(count: Int) {
        var slotCount = 4
        while slotCount < 2 * count { slotCount *= 2 }
        slots = Array(repeating: Slot(hash: 0, offset: 0, count: 0, context: 0, value: .max), count: slotCount)
    }

    /// Adds a key that is not in the table yet. `value` is less than `UInt32.max`.
    mutating func insert(_ key: String, context: Int, value: Int) {
        let hash = key.utf8Span.span.withUnsafeBytes { digest(of: $0, context: UInt32(context)) }
        var position = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[position].value != .max { position = (position + 1) & (slots.count - 1) }
        slots[position] = Slot(
            hash: hash, offset: UInt32(bytes.count), count: UInt32(key.utf8.count), context: UInt32(context),
            value: UInt32(value))
        bytes.append(contentsOf: key.utf8)
    }

    /// The value of a key, nil if it is not in the table. No allocation.
    @inline(__always)
    func find(_ key: UnsafeRawBufferPointer, context: Int) -> Int? {
        let context = UInt32(truncatingIfNeeded: context)
        let hash = digest(of: key, context: context)
        return slots.withUnsafeBufferPointer { slots in
            var position = Int(truncatingIfNeeded: hash) & (slots.count - 1)
            while true {
                let slot = slots[position]
                if slot.value == .max { return nil }
                if slot.hash == hash, slot.context == context, Int(slot.count) == key.count,
                    holds(key, at: Int(slot.offset))
                {
                    return Int(slot.value)
                }
                position = (position + 1) & (slots.count - 1)
            }
        }
    }

    @inline(__always)
    private func holds(_ key: UnsafeRawBufferPointer, at offset: Int) -> Bool {
        guard let start = key.baseAddress, !key.isEmpty else { return true }
        // In bounds: every slot's offset and count were taken from `bytes`, and the count equals that of the key.
        return bytes.withUnsafeBytes { memcmp($0.baseAddress! + offset, start, key.count) == 0 }
    }

    @inline(__always)
    private func digest(of key: UnsafeRawBufferPointer, context: UInt32) -> UInt64 {
        var state = seed ^ (UInt64(context) &* 0x9E37_79B9_7F4A_7C15)
        var offset = 0
        while offset + 8 <= key.count {
            state = Self.mix(state ^ key.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            offset += 8
        }
        var tail = UInt64(key.count)
        while offset < key.count {
            tail = tail << 8 | UInt64(key[offset])
            offset += 1
        }
        return Self.mix(state ^ tail)
    }

    /// Both halves of a 128-bit product: every bit of the input reaches every bit of the result.
    @inline(__always)
    private static func mix(_ value: UInt64) -> UInt64 {
        let product = (value ^ 0xA076_1D64_78BD_642F).multipliedFullWidth(by: 0xE703_7ED1_A0B4_28DB)
        return product.high ^ product.low
    }
}
