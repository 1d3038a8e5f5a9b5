// The messages a publisher has handed to the library and not yet seen confirmed. The library numbers packets 1…65535
// and round again, so a small ring indexed by the number finds each of them without hashing.
import TwinspanConnections

/// Unconfirmed messages by packet id.
struct PublishWindow {
    /// The most unconfirmed messages. Larger windows gain nothing and make the library walk longer lists (measured:
    /// 100 → 56,000/s at 12 µs each, 5,000 → 35,000/s at 28 µs). With 100, a saturated broker let the bridge read
    /// faster than it could publish, and its queue overflowed; with 200 both go at one pace.
    static let maximumCount = 200
    /// The most unconfirmed payload bytes, all of which the library holds as copies.
    static let maximumBytes = 8 << 20
    /// Slots of the ring, a power of two. More than `maximumCount`, so that one slow confirmation does not stall the
    /// others at once.
    private static let slotCount = 1024

    private var messages: [OutboundMessage?] = Array(repeating: nil, count: slotCount)
    private var ids: [Int32] = Array(repeating: 0, count: slotCount)
    private var lastID: Int32 = 0
    private(set) var count = 0
    private(set) var bytes = 0

    var isEmpty: Bool { count == 0 }

    /// Whether another message has to wait: too many or too large are under way, or the slot of the next packet id is
    /// taken by one that has been unconfirmed for long.
    var isFull: Bool {
        count >= PublishWindow.maximumCount || bytes >= PublishWindow.maximumBytes
            || messages[PublishWindow.slot(of: PublishWindow.id(after: lastID))] != nil
    }

    /// Adds the message that was just given this id. False if its slot is taken, which the ids' order rules out as long
    /// as the window is asked for `isFull` first.
    mutating func insert(_ message: OutboundMessage, id: Int32) -> Bool {
        let slot = PublishWindow.slot(of: id)
        guard messages[slot] == nil else { return false }
        count += 1
        bytes += message.payload.count
        messages[slot] = message
        ids[slot] = id
        lastID = id
        return true
    }

    /// Takes out the message with this id; nil for an id that is not under way.
    mutating func confirm(_ id: Int32) -> OutboundMessage? {
        let slot = PublishWindow.slot(of: id)
        guard ids[slot] == id, let message = messages[slot].take() else { return nil }
        count -= 1
        bytes -= message.payload.count
        return message
    }

    /// Takes out everything, in the order in which it was published.
    mutating func removeAll() -> [OutboundMessage] {
        guard count > 0 else { return [] }
        // Taken slots lie within one turn of the ring behind the newest id, so going once around from there is oldest
        // first.
        let first = PublishWindow.slot(of: lastID) + 1
        let ordered = (0..<PublishWindow.slotCount).compactMap { offset in
            messages[(first + offset) % PublishWindow.slotCount].take()
        }
        count = 0
        bytes = 0
        return ordered
    }

    private static func slot(of id: Int32) -> Int { Int(id) & (slotCount - 1) }

    private static func id(after id: Int32) -> Int32 { id >= 65_535 ? 1 : id + 1 }
}
