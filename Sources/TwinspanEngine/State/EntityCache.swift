// A bounded cache of entities under one shard's lock. Entries whose newest change is not committed yet are pinned: the
// cache is the only place that knows their state. Everything else can be read again, so it may go, oldest use first
// (second-chance order: one bit per entry instead of a linked list).
import TwinspanJSON

/// What a cached state costs.
protocol CachedState: Sendable {
    /// Bytes of memory beside the entry itself.
    var cachedBytes: Int { get }
}

/// Entities by id. Not safe by itself: guarded by the lock of the shard that owns it.
struct EntityCache<ID: Hashable & Sendable, State: CachedState> {
    struct Entry {
        var id: ID
        var state: State
        /// Twice the sequence, plus one when it was used: a flag of its own would cost eight bytes per thing.
        private var sequenceAndUse: Int64

        init(id: ID, state: State, sequence: Int64) {
            self.id = id
            self.state = state
            sequenceAndUse = sequence << 1
        }

        /// The sequence of its newest change; 0 when it came from the store.
        var sequence: Int64 {
            get { sequenceAndUse >> 1 }
            set { sequenceAndUse = newValue << 1 | sequenceAndUse & 1 }
        }

        /// Whether it was used since the last search for room.
        var isUsed: Bool {
            get { sequenceAndUse & 1 == 1 }
            set { sequenceAndUse = sequenceAndUse & ~1 | (newValue ? 1 : 0) }
        }
    }

    /// Memory of an entry beside its state: slot, id and index, measured with things of 500 bytes.
    static var entryBytes: Int { 160 }

    private var index = SlotIndex()
    private var slots: [Entry?] = []
    private var freeSlots: [Int32] = []
    private var hand = 0
    private(set) var bytes = 0
    let byteCapacity: Int
    /// How many entries had to go so far.
    private(set) var evictions: UInt64 = 0

    init(byteCapacity: Int) {
        self.byteCapacity = byteCapacity
    }

    var count: Int { index.count }

    /// The slot of an entity, to be used before the next change of the cache.
    func slot(of id: ID) -> Int? {
        index.slot(hash: id.hashValue) { slots[$0]!.id == id }
    }

    /// The entry in a slot; using it keeps it longer.
    subscript(slot: Int) -> Entry {
        mutating get {
            slots[slot]!.isUsed = true
            return slots[slot]!
        }
    }

    /// Reads an entry without copying it; using it keeps it longer.
    mutating func read<Result>(slot: Int, _ body: (borrowing Entry) -> Result) -> Result {
        slots[slot]!.isUsed = true
        return body(slots[slot]!)
    }

    /// Replaces the state in a slot.
    mutating func update(slot: Int, to state: State, sequence: Int64) {
        bytes += state.cachedBytes - slots[slot]!.state.cachedBytes
        slots[slot]!.state = state
        slots[slot]!.sequence = sequence
        slots[slot]!.isUsed = true
    }

    /// Puts in an entity that is not there, then makes room: entries up to `committed` may go, but not this one:
    /// whoever put it in is about to use it.
    mutating func insert(_ id: ID, _ state: State, sequence: Int64, committed: Int64) {
        let newest = place(id, state, sequence: sequence)
        makeRoom(committed: committed) { $0 == newest }
    }

    /// Puts in an entity that is not there, whether there is room or not. Returns its slot.
    mutating func place(_ id: ID, _ state: State, sequence: Int64) -> Int {
        let entry = Entry(id: id, state: state, sequence: sequence)
        let slot: Int
        if let free = freeSlots.popLast() {
            slot = Int(free)
            slots[slot] = entry
        } else {
            slot = slots.count
            // Growing by a quarter instead of doubling: half-empty slots of a hundred bytes each add up.
            if slots.count == slots.capacity { slots.reserveCapacity(slots.count + slots.count / 4 + 8) }
            slots.append(entry)
        }
        index.insert(slot, hash: id.hashValue) { slots[$0]!.id.hashValue }
        bytes += Self.entryBytes + state.cachedBytes
        return slot
    }

    /// Changes states in place, in a way that makes no difference to what they say: their sequences stay.
    mutating func updateAll(_ body: (inout State) -> Void) {
        for slot in slots.indices {
            guard var state = slots[slot]?.state else { continue }
            bytes -= state.cachedBytes
            body(&state)
            bytes += state.cachedBytes
            slots[slot]!.state = state
        }
    }

    /// Removes every entry that `isDoomed` names.
    mutating func removeAll(where isDoomed: (Entry) -> Bool) {
        for slot in slots.indices {
            guard let entry = slots[slot], isDoomed(entry) else { continue }
            remove(slot: slot, entry)
        }
    }

    /// Lets entries up to `committed` go until there is room; slots that `isSpared` names stay whatever happens.
    mutating func makeRoom(committed: Int64, sparing isSpared: (Int) -> Bool) {
        // Two rounds clear every use bit and then evict; what is still there is pinned.
        var steps = slots.count * 2
        while bytes > byteCapacity, steps > 0, index.count > 1 {
            steps -= 1
            hand = hand + 1 < slots.count ? hand + 1 : 0
            guard !isSpared(hand), let entry = slots[hand], entry.sequence <= committed else { continue }
            if entry.isUsed {
                slots[hand]!.isUsed = false
            } else {
                remove(slot: hand, entry)
            }
        }
    }

    private mutating func remove(slot: Int, _ entry: Entry) {
        index.remove(slot, hash: entry.id.hashValue) { slots[$0]!.id.hashValue }
        slots[slot] = nil
        freeSlots.append(Int32(slot))
        bytes -= Self.entryBytes + entry.state.cachedBytes
        evictions &+= 1
    }
}

extension ThingState: CachedState {
    var cachedBytes: Int { (text?.bytes.count ?? 0) + (metadata?.bytes.count ?? 0) }
}

extension PolicyState: CachedState {
    // The trie of the enforcer grows with the text; the factor was measured on policies of 1 to 50 entries.
    // What is parsed or compiled from it and from others comes on top.
    var cachedBytes: Int {
        let textBytes = text?.bytes.count ?? 0
        return textBytes * (parsed == nil ? 4 : 8) + (form?.bytes ?? 0)
    }
}
