// Detection of duplicate keys without an allocation for ordinary objects.
//
// The compactor writes keys canonically escaped, so two keys are the same if and only if their output bytes are. The
// keys of all open objects lie on one stack; an object's keys are those above its start. A 64-bit mask of hashes
// answers "surely new" for most keys; the rest are compared one by one, and in objects of many keys by a hash table.

/// Where a key lies in the output, and its hash.
struct JSONKeyEntry {
    let offset: UInt32
    let length: UInt32
    let hash: UInt64
}

/// The keys of all objects that are open while a document is read.
struct JSONKeyStack: ~Copyable {
    private var entries: UnsafeMutablePointer<JSONKeyEntry>
    private var capacity: Int
    private var isOwned = false
    private(set) var count = 0

    /// A stack that starts in `scratch`, which must outlive it, and moves to the heap when that is full.
    init(scratch: UnsafeMutableBufferPointer<JSONKeyEntry>) {
        // Swift gives temporary allocations of a capacity above zero an address.
        entries = scratch.baseAddress!
        capacity = scratch.count
    }

    deinit {
        if isOwned { entries.deallocate() }
    }

    subscript(_ position: Int) -> JSONKeyEntry {
        @inline(__always) get { entries[position] }
    }

    @inline(__always)
    mutating func push(_ entry: JSONKeyEntry) {
        if count == capacity { grow() }
        entries[count] = entry
        count &+= 1
    }

    /// Forgets the keys of an object that ends.
    @inline(__always)
    mutating func truncate(to count: Int) {
        self.count = count
    }

    private mutating func grow() {
        let grown = UnsafeMutablePointer<JSONKeyEntry>.allocate(capacity: capacity * 4)
        grown.initialize(from: entries, count: count)
        if isOwned { entries.deallocate() }
        entries = grown
        capacity *= 4
        isOwned = true
    }

    /// The position of a key of the object starting at `start` that equals `entry`; `output` is the text both lie in.
    func firstIndex(of entry: JSONKeyEntry, from start: Int, in output: UnsafePointer<UInt8>) -> Int? {
        var position = start
        while position < count {
            if Self.areEqual(entries[position], entry, in: output) { return position }
            position &+= 1
        }
        return nil
    }

    @inline(__always)
    static func areEqual(_ left: JSONKeyEntry, _ right: JSONKeyEntry, in output: UnsafePointer<UInt8>) -> Bool {
        guard left.hash == right.hash, left.length == right.length else { return false }
        let length = Int(left.length)
        return UnsafeRawBufferPointer(start: output + Int(left.offset), count: length)
            .hasSameBytes(as: UnsafeRawBufferPointer(start: output + Int(right.offset), count: length))
    }
}

/// The keys of one large object, by hash.
struct JSONKeyTable {
    /// Positions in the key stack plus one; zero is a free slot. The count is a power of two, at least twice the keys.
    private var slots: [UInt32] = []
    private var count = 0

    /// Objects with fewer keys than this are searched one by one.
    static let threshold = 24

    /// Adds the key on top of `stack`. The table first takes in all keys from `start` on when it is new.
    /// - Returns: whether an equal key was there already.
    mutating func insertTop(of stack: borrowing JSONKeyStack, from start: Int, in output: UnsafePointer<UInt8>) -> Bool
    {
        if slots.isEmpty || (count + 1) * 2 > slots.count { rebuild(stack, from: start, in: output) }
        return insert(stack.count - 1, of: stack, in: output)
    }

    private mutating func rebuild(
        _ stack: borrowing JSONKeyStack, from start: Int, in output: UnsafePointer<UInt8>
    ) {
        slots = [UInt32](repeating: 0, count: Swift.max(slots.count * 4, Self.threshold.nextPowerOfTwo * 4))
        count = 0
        for position in start..<stack.count - 1 { _ = insert(position, of: stack, in: output) }
    }

    private mutating func insert(
        _ position: Int, of stack: borrowing JSONKeyStack, in output: UnsafePointer<UInt8>
    ) -> Bool {
        let entry = stack[position]
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: entry.hash >> 32) & mask
        while slots[slot] != 0 {
            if JSONKeyStack.areEqual(stack[Int(slots[slot]) - 1], entry, in: output) { return true }
            slot = (slot + 1) & mask
        }
        slots[slot] = UInt32(position + 1)
        count += 1
        return false
    }
}

/// The hash of keys while parsing. Seeded per process, so that no peer can prepare keys that collide.
enum JSONKeyHash {
    static let seed = UInt64.random(in: .min ... .max)

    /// Hashes `length` bytes; may read up to seven bytes beyond them.
    @inline(__always)
    static func hash(_ bytes: UnsafePointer<UInt8>, length: Int, seed: UInt64) -> UInt64 {
        var state = seed ^ UInt64(truncatingIfNeeded: length)
        var position = 0
        while position &+ 8 <= length {
            state = fold(state ^ JSONWord.load(bytes + position))
            position &+= 8
        }
        let rest = length &- position
        if rest > 0 {
            let word = JSONWord.load(bytes + position) & (UInt64.max &>> UInt64(64 &- rest &* 8))
            state = fold(state ^ word)
        }
        return fold(state ^ 0xE703_7ED1_A0B4_28DB)
    }

    /// Multiplies by an odd constant and folds the 128-bit product, which spreads every bit over the word.
    @inline(__always)
    private static func fold(_ word: UInt64) -> UInt64 {
        let product = word.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return product.high ^ product.low
    }
}

extension Int {
    /// The smallest power of two that is not less. For positive numbers.
    fileprivate var nextPowerOfTwo: Int {
        self <= 1 ? 1 : 1 << (Int.bitWidth - (self - 1).leadingZeroBitCount)
    }
}
