// Messages that the broker would not take just now, by a reason code of MQTT 5 such as "quota exceeded". Publishing
// pauses, so that it has time to recover and the order is nearly kept, and they go first afterwards. A message that is
// refused again and again is given up, or it would hold up all others for ever.
import TwinspanConnections
import TwinspanNetwork

/// Refused messages that are tried again.
struct PublishRetries {
    /// So many refusals, within about fifteen seconds, end a message.
    static let maximumAttempts = 5

    private var waiting: [(message: OutboundMessage, attempts: Int)] = []
    /// Refusals so far of the messages that are under way again, by packet id.
    private var attempts: [Int32: Int] = [:]
    private var pausedUntil = Deadline.now

    /// Whether no message waits; some may be under way again.
    var isEmpty: Bool { waiting.isEmpty }

    /// Whether nothing may be published for a while.
    var isPausing: Bool { !waiting.isEmpty && !pausedUntil.hasPassed }

    /// When publishing may go on; never when it does not pause.
    var resumesAt: Deadline { isPausing ? pausedUntil : .never }

    /// Takes the oldest waiting message, with the number of its refusals.
    mutating func takeNext() -> (message: OutboundMessage, attempts: Int)? {
        waiting.isEmpty ? nil : waiting.removeFirst()
    }

    /// Notes that a message is under way again.
    mutating func noteSent(id: Int32, attempts count: Int) { attempts[id] = count }

    /// Notes that this id is settled.
    mutating func noteSettled(id: Int32) {
        if !attempts.isEmpty { attempts[id] = nil }
    }

    /// Adds a message that was refused under this id. Returns the number of refusals when there were too many: then it
    /// was not added.
    mutating func add(_ message: OutboundMessage, id: Int32) -> Int? {
        let count = (attempts.removeValue(forKey: id) ?? 0) + 1
        guard count < PublishRetries.maximumAttempts else { return count }
        waiting.append((message, count))
        pausedUntil = max(pausedUntil, .after(.seconds(1 << (count - 1))))
        return nil
    }

    /// Takes out all waiting messages, oldest first.
    mutating func removeAll() -> [OutboundMessage] {
        defer { waiting.removeAll() }
        return waiting.map(\.message)
    }
}
