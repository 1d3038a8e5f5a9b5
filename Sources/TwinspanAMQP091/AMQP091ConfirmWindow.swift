// The messages a publisher has sent and not yet seen confirmed. RabbitMQ numbers them from 1 per channel and confirms
// them in any order, alone or all up to a number.
import TwinspanConnections
import TwinspanNetwork

/// Unconfirmed messages, in the order in which they were sent.
struct AMQP091ConfirmWindow {
    /// What became of a message.
    struct Settled {
        var message: OutboundMessage
        /// The broker's words when no queue took it.
        var returned: String?
    }

    /// The most unconfirmed messages, and their bytes.
    static let maximumCount = 500
    static let maximumBytes = 8 << 20

    private struct Slot {
        var message: OutboundMessage
        var deadline: Deadline
        var returned: String?
    }

    /// From `firstTag` on; nil where a message is confirmed already.
    private var slots: [Slot?] = []
    private var head = 0
    private var firstTag: UInt64 = 1
    private var count = 0
    private var bytes = 0

    var isEmpty: Bool { count == 0 }
    var isFull: Bool {
        count >= AMQP091ConfirmWindow.maximumCount || bytes >= AMQP091ConfirmWindow.maximumBytes
    }

    /// The number the next message will have.
    var nextTag: UInt64 { firstTag + UInt64(slots.count - head) }

    /// By when the oldest message has to be confirmed.
    var oldestDeadline: Deadline? { count == 0 ? nil : slots[head...].lazy.compactMap { $0 }.first?.deadline }

    /// Adds the message that is sent with `nextTag`.
    mutating func append(_ message: OutboundMessage, until deadline: Deadline) {
        slots.append(Slot(message: message, deadline: deadline))
        count += 1
        bytes += message.payload.count
    }

    /// Notes that the broker gives a message back; its confirmation is still to come.
    mutating func noteReturn(_ tag: UInt64, _ text: String) {
        guard let index = index(of: tag) else { return }
        slots[index]?.returned = text
    }

    /// Takes out what a confirmation is for, oldest first; nothing for a number that is not under way.
    mutating func settle(_ tag: UInt64, isMultiple: Bool, _ body: (Settled) -> Void) {
        guard tag >= firstTag else { return }
        let last = min(slots.count - 1, head + Int(clamping: tag - firstTag))
        // A single confirmation of a message that was never sent must not settle the last one.
        guard isMultiple || index(of: tag) != nil else { return }
        guard last >= head else { return }
        for index in (isMultiple ? head : last)...last {
            guard let slot = slots[index].take() else { continue }
            count -= 1
            bytes -= slot.message.payload.count
            body(Settled(message: slot.message, returned: slot.returned))
        }
        compact()
    }

    /// Gives every message a new time limit: the time in which the broker took nothing does not count.
    mutating func restartClocks(until deadline: Deadline) {
        for index in slots.indices[head...] { slots[index]?.deadline = deadline }
    }

    /// Takes out the messages whose time is over.
    mutating func removeExpired() -> [OutboundMessage] {
        var expired: [OutboundMessage] = []
        for index in slots.indices[head...] {
            guard let slot = slots[index] else { continue }
            guard slot.deadline.hasPassed else { break }
            slots[index] = nil
            count -= 1
            bytes -= slot.message.payload.count
            expired.append(slot.message)
        }
        compact()
        return expired
    }

    /// Takes out everything, in the order in which it was sent; the next message is number 1 again.
    mutating func removeAll() -> [OutboundMessage] {
        let messages = slots[head...].compactMap { $0?.message }
        self = AMQP091ConfirmWindow()
        return messages
    }

    private func index(of tag: UInt64) -> Int? {
        guard tag >= firstTag, tag - firstTag < UInt64(slots.count - head) else { return nil }
        return head + Int(tag - firstTag)
    }

    /// Forgets the confirmed messages in front; moving the rest down only now and then keeps that O(1) on average.
    private mutating func compact() {
        while head < slots.count, slots[head] == nil {
            head += 1
            firstTag += 1
        }
        guard head > 1024 || head == slots.count else { return }
        slots.removeSubrange(..<head)
        head = 0
    }
}
