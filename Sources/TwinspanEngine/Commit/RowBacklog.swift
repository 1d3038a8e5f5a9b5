// Committed states that are not written as rows yet. Rows are written behind: several changes of one entity become one
// row. Until then this is where a reader finds the newest committed state of an entity that the cache has let go.
// The committer adds, the row writer takes a whole generation at a time, every thread that loads an entity reads.
import Synchronization
import TwinspanProtocol

/// The rows still to be written: a generation that gathers, and one that is being written.
final class RowBacklog: Sendable {
    private struct Generation {
        var things: [ThingID: ThingState] = [:]
        var policies: [PolicyID: PolicyState] = [:]
        /// Everything up to here is in this generation or in rows.
        var upTo: Int64 = 0
        var count: Int { things.count + policies.count }
    }

    private struct Content {
        var generation = 0
        var gathering = Generation()
        var writing: Generation?
    }

    private let content = Mutex(Content())

    /// Number of rows that wait, those being written included.
    var count: Int { content.withLock { $0.gathering.count + ($0.writing?.count ?? 0) } }

    /// Rises whenever rows have been written and have left the backlog. While it stays the same, what is committed
    /// after a row was read is found here, so that whoever has read a row can tell whether it is still the newest.
    var generation: Int { content.withLock { $0.generation } }

    /// The newest committed state of a thing whose row is not written yet.
    func thing(_ id: ThingID) -> ThingState? {
        content.withLock { $0.gathering.things[id] ?? $0.writing?.things[id] }
    }

    /// The newest committed state of a policy whose row is not written yet.
    func policy(_ id: PolicyID) -> PolicyState? {
        content.withLock { $0.gathering.policies[id] ?? $0.writing?.policies[id] }
    }

    /// Notes the states of a committed batch; returns how many rows gather, whether these were the first, and
    /// whether policies are among them.
    func add(_ batch: CommitBatch) -> (count: Int, isFirst: Bool, hasPolicies: Bool) {
        content.withLock { content in
            let wasEmpty = content.gathering.count == 0
            var hasPolicies = false
            for change in batch.changes {
                switch change.content {
                case .thing(let event, let after): content.gathering.things[event.thingID] = after
                case .policy(let event, let after):
                    content.gathering.policies[event.policyID] = after
                    hasPolicies = true
                case .records: break
                }
            }
            content.gathering.upTo = batch.lastSequence
            let count = content.gathering.count
            return (count, wasEmpty && count > 0, hasPolicies)
        }
    }

    /// The generation to write: the one whose writing failed before, else everything that has gathered; nil when there
    /// is nothing. It stays readable here until `written`.
    func nextRows() -> RowBatch? {
        content.withLock { content in
            if content.writing == nil, content.gathering.count > 0 {
                content.writing = content.gathering
                content.gathering = Generation()
                content.gathering.upTo = content.writing?.upTo ?? 0
            }
            guard let writing = content.writing else { return nil }
            var rows = RowBatch(cursor: writing.upTo)
            rows.things = writing.things.map { ($0.key, $0.value) }
            rows.policies = writing.policies.map { ($0.key, $0.value) }
            return rows
        }
    }

    /// The rows of `nextRows` are in the store now.
    func written() {
        content.withLock { content in
            content.writing = nil
            content.generation &+= 1
        }
    }
}
