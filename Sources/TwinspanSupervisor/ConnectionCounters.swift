// What becomes of messages, counted per connection. Every message ends in exactly one outcome per stage; outcomes that
// need a reason have one from a short closed vocabulary, never an id or a text of a peer.
//
// What comes in equals what goes out, at any moment at which no batch is being counted:
//
// - messages: `received` = `acknowledged` + `retried` + those in the batch (`inFlight`)
// - of those acknowledged: `acknowledged` = `effective` (with signals) + `empty` (without) + `dead`
// - signals: `mapped` + `unmapped` = `committed` + `unchanged` + `served` + `denied` + `dropped` + `redelivered`
//   + those that wait (`waiting`), all of them inbound
//
// `rerun` counts messages that ran again from the inbox, `died` those that died there.
// `unmapped` are the results of mappers, and the messages before them, that were counted as denied or dropped without
// ever having been a signal. A message that runs again from the inbox counts its signals again, but no message.
import Synchronization
import TwinspanConnections

/// The counters of one connection. Safe from any thread.
///
/// Outbound, pairs of a signal and a target are counted, whatever number of messages they become: `offered` =
/// `published` + `filtered` + `denied` + `dropped` + `redelivered` + those that wait in the queue or at the broker.
/// Only durable targets deliver again, and each time it is another pair. Announcements and answers of other connections
/// are pairs too. Answers of the connection itself are none of them: they are `replied` once they are queued or
/// `diverted`, and reasons of theirs begin with `reply-`.
final class ConnectionCounters: Sendable {
    /// Outcomes without a reason, in the order in which they are shown.
    enum Outcome: Int, CaseIterable {
        case received, acknowledged, effective, empty, dead, rerun, died
        case mapped, unmapped, committed, unchanged, served, replied, diverted
        case offered, filtered, published

        var direction: ConnectionSnapshot.Counter.Direction {
            rawValue < Outcome.offered.rawValue ? .inbound : .outbound
        }
    }

    /// Outcomes with a reason.
    enum ReasonedOutcome: String, CaseIterable {
        case denied, dropped, redelivered, retried, reconnects
    }

    struct Key: Hashable {
        let direction: ConnectionSnapshot.Counter.Direction
        let outcome: ReasonedOutcome
        let reason: String
    }

    /// What a part of the traffic came to: gathered by whoever carries it, counted together.
    struct Tally: Sendable {
        var mapped = 0
        var unmapped = 0
        var committed = 0
        var unchanged = 0
        var served = 0
        private(set) var reasoned: [Key: Int] = [:]

        mutating func add(_ outcome: ReasonedOutcome, reason: String, _ count: Int = 1) {
            reasoned[Key(direction: .inbound, outcome: outcome, reason: reason), default: 0] += count
        }

        mutating func add(_ other: Tally) {
            mapped += other.mapped
            unmapped += other.unmapped
            committed += other.committed
            unchanged += other.unchanged
            served += other.served
            for (key, count) in other.reasoned { reasoned[key, default: 0] += count }
        }
    }

    private struct Counts {
        var plain = [Int64](repeating: 0, count: Outcome.allCases.count)
        var reasoned: [Key: Int64] = [:]
        var inFlight = 0
        var waiting = 0

        mutating func add(_ key: Key, _ count: Int) {
            // The vocabulary is closed; should a caller break that, memory stays bounded all the same.
            guard reasoned[key] != nil || reasoned.count < 256 else { return }
            reasoned[key, default: 0] += Int64(count)
        }

        mutating func add(_ outcome: Outcome, _ count: Int) { plain[outcome.rawValue] += Int64(count) }
    }

    private let counts = Mutex(Counts())

    func add(_ outcome: Outcome, _ count: Int = 1) {
        guard count != 0 else { return }
        counts.withLock { $0.add(outcome, count) }
    }

    func add(
        _ outcome: ReasonedOutcome, _ direction: ConnectionSnapshot.Counter.Direction, reason: String, _ count: Int = 1
    ) {
        counts.withLock { $0.add(Key(direction: direction, outcome: outcome, reason: reason), count) }
    }

    /// Counts all of a tally at once.
    /// - Parameter waiting: how many more signals wait now, or fewer.
    func add(_ tally: Tally, waiting: Int = 0) {
        counts.withLock { counts in
            counts.add(.mapped, tally.mapped)
            counts.add(.unmapped, tally.unmapped)
            counts.add(.committed, tally.committed)
            counts.add(.unchanged, tally.unchanged)
            counts.add(.served, tally.served)
            for (key, count) in tally.reasoned { counts.add(key, count) }
            counts.waiting += waiting
        }
    }

    func setInFlight(_ count: Int) { counts.withLock { $0.inFlight = count } }

    /// Messages read from the broker whose commit is awaited.
    var inFlight: Int { counts.withLock { $0.inFlight } }

    /// Signals whose end is awaited.
    var waiting: Int { counts.withLock { $0.waiting } }

    func value(_ outcome: Outcome) -> Int64 { counts.withLock { $0.plain[outcome.rawValue] } }

    /// All counters in a stable order.
    var snapshot: [ConnectionSnapshot.Counter] {
        let counts = self.counts.withLock { $0 }
        var result = Outcome.allCases.map { outcome in
            ConnectionSnapshot.Counter(
                direction: outcome.direction, outcome: "\(outcome)", value: counts.plain[outcome.rawValue])
        }
        let sorted = counts.reasoned.sorted { left, right in
            (left.key.direction.rawValue, left.key.outcome.rawValue, left.key.reason)
                < (right.key.direction.rawValue, right.key.outcome.rawValue, right.key.reason)
        }
        for (key, value) in sorted {
            result.append(
                ConnectionSnapshot.Counter(
                    direction: key.direction, outcome: key.outcome.rawValue, reason: key.reason, value: value))
        }
        return result
    }
}
