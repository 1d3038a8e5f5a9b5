// The messages a producer has handed to the library and not yet seen confirmed, by the number under which they were
// handed over. Reports come nearly in order, so a ring of slots from the oldest number on finds each without hashing.
import TwinspanConnections

/// Unconfirmed messages by number.
struct DeliveryWindow {
    /// The most unconfirmed messages: as much as five batches in flight need at full speed.
    static let maximumCount = 8192
    /// The most unconfirmed payload bytes, all of which the library holds as copies.
    static let maximumBytes = 16 << 20

    private var messages: [OutboundMessage?] = []
    private var head = 0
    /// The number of the message at `head`. The library's word for a message without a number is 0.
    private var firstID = 1
    private(set) var count = 0
    private(set) var bytes = 0

    var isEmpty: Bool { count == 0 }
    /// Whether another message has to wait.
    var isFull: Bool {
        count >= DeliveryWindow.maximumCount || bytes >= DeliveryWindow.maximumBytes
            || messages.count - head >= 4 * DeliveryWindow.maximumCount
    }
    /// The number of the next message.
    var nextID: Int { firstID + messages.count - head }

    /// Adds the message that was handed over as `nextID`.
    mutating func append(_ message: OutboundMessage) {
        messages.append(message)
        count += 1
        bytes += message.payload.count
    }

    /// Takes out a message; nil for a number that is not under way.
    mutating func take(_ id: Int) -> OutboundMessage? {
        let index = head + id - firstID
        guard index >= head, index < messages.count, let message = messages[index].take() else { return nil }
        count -= 1
        bytes -= message.payload.count
        while head < messages.count, messages[head] == nil {
            head += 1
            firstID += 1
        }
        // Moving the rest down only when half is spent keeps this O(1) on average.
        if head > messages.count / 2 {
            messages.removeSubrange(..<head)
            head = 0
        }
        return message
    }

    /// Takes out everything, oldest first.
    mutating func removeAll() -> [OutboundMessage] {
        let rest = messages[head...].compactMap { $0 }
        firstID = nextID
        messages = []
        head = 0
        count = 0
        bytes = 0
        return rest
    }
}
