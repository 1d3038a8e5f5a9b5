// What becomes of messages, counted per connection. Every message ends in exactly one outcome per stage; outcomes that
// need a reason have one from a short closed vocabulary, never an id or a text of a peer.
import Synchronization
import TwinspanConnections

/// The counters of one connection. Safe from any thread.
///
/// Outbound, pairs of a signal and a target are counted, whatever number of messages they become: `offered` =
/// `published` + `filtered` + `denied` + `dropped` + those that wait in the queue or at the broker. Announcements and
/// answers of other connections are pairs too. Answers of the connection itself are none of them: they are `replied`
/// once they are queued or `diverted`, and reasons of theirs begin with `reply-`.
final class ConnectionCounters: Sendable {
    /// Outcomes without a reason, in the order in which they are shown.
    enum Outcome: Int, CaseIterable {
        case received, mapped, committed, unchanged, served, acknowledged, replied, diverted
        case offered, filtered, published

        var direction: ConnectionSnapshot.Counter.Direction {
            rawValue < Outcome.offered.rawValue ? .inbound : .outbound
        }
    }

    /// Outcomes with a reason.
    enum ReasonedOutcome: String, CaseIterable {
        case denied, dropped, retried, reconnects
    }

    private struct Key: Hashable {
        let direction: ConnectionSnapshot.Counter.Direction
        let outcome: ReasonedOutcome
        let reason: String
    }

    private struct Counts {
        var plain = [Int64](repeating: 0, count: Outcome.allCases.count)
        var reasoned: [Key: Int64] = [:]
        var inFlight = 0
    }

    private let counts = Mutex(Counts())

    func add(_ outcome: Outcome, _ count: Int = 1) {
        guard count != 0 else { return }
        counts.withLock { $0.plain[outcome.rawValue] += Int64(count) }
    }

    func add(
        _ outcome: ReasonedOutcome, _ direction: ConnectionSnapshot.Counter.Direction, reason: String, _ count: Int = 1
    ) {
        counts.withLock { counts in
            let key = Key(direction: direction, outcome: outcome, reason: reason)
            // The vocabulary is closed; should a caller break that, memory stays bounded all the same.
            guard counts.reasoned[key] != nil || counts.reasoned.count < 256 else { return }
            counts.reasoned[key, default: 0] += Int64(count)
        }
    }

    func setInFlight(_ count: Int) { counts.withLock { $0.inFlight = count } }

    var inFlight: Int { counts.withLock { $0.inFlight } }

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
