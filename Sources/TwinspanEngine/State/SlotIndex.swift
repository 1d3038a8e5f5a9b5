// Finds the slot of an id in four to eight bytes per entity, where a dictionary takes seventy: the ids stand in the
// slots already, so the index holds nothing but slot numbers (open addressing, linear probing, deletion by moving
// back).

/// An index of slots by the hash of what stands in them.
struct SlotIndex {
    /// Slot number plus one; 0 is free. The count is a power of two.
    private var buckets: [UInt32] = Array(repeating: 0, count: 16)
    private(set) var count = 0

    /// The slot for which `matches` holds among those with this hash; nil when there is none.
    func slot(hash: Int, _ matches: (Int) -> Bool) -> Int? {
        let mask = buckets.count - 1
        var bucket = hash & mask
        while buckets[bucket] != 0 {
            let slot = Int(buckets[bucket]) - 1
            if matches(slot) { return slot }
            bucket = (bucket + 1) & mask
        }
        return nil
    }

    /// Adds a slot that is not there. `hashOf` gives the hash of any slot, for the case that the index has to grow.
    mutating func insert(_ slot: Int, hash: Int, hashOf: (Int) -> Int) {
        // Above three quarters, probes get long.
        if (count + 1) * 4 > buckets.count * 3 { grow(hashOf) }
        place(slot, hash)
        count += 1
    }

    /// Removes a slot that is there.
    mutating func remove(_ slot: Int, hash: Int, hashOf: (Int) -> Int) {
        let mask = buckets.count - 1
        var hole = hash & mask
        while Int(buckets[hole]) != slot + 1 { hole = (hole + 1) & mask }
        count -= 1
        var next = hole
        while true {
            next = (next + 1) & mask
            guard buckets[next] != 0 else { break }
            // A later entry may fill the hole unless its own place lies between the hole and where it stands.
            let home = hashOf(Int(buckets[next]) - 1) & mask
            if (next - home) & mask >= (next - hole) & mask {
                buckets[hole] = buckets[next]
                hole = next
            }
        }
        buckets[hole] = 0
    }

    private mutating func grow(_ hashOf: (Int) -> Int) {
        let old = buckets
        buckets = Array(repeating: 0, count: old.count * 2)
        for bucket in old where bucket != 0 { place(Int(bucket) - 1, hashOf(Int(bucket) - 1)) }
    }

    private mutating func place(_ slot: Int, _ hash: Int) {
        let mask = buckets.count - 1
        var bucket = hash & mask
        while buckets[bucket] != 0 { bucket = (bucket + 1) & mask }
        buckets[bucket] = UInt32(slot + 1)
    }
}
