// Committed states that are not written as rows yet. Rows are written behind: several changes of one thing become one
// row. Until then this is where a reader finds the newest committed state of an entity that the cache has let go.
// Written by the committer, read by every thread that loads an entity.
import Synchronization
import TwinspanJSON
import TwinspanProtocol

/// The rows still to be written, oldest first.
final class RowBacklog: Sendable {
    private enum Key: Hashable {
        case thing(ThingID)
        case policy(PolicyID)
    }

    fileprivate enum State {
        case thing(ThingState)
        case policy(PolicyState)
    }

    fileprivate struct Waiting {
        var state: State
        /// Sequence and time of its first change since the row was written.
        var firstSequence: Int64
        var since: UInt64
    }

    private struct Content {
        var waiting: [Key: Waiting] = [:]
        /// Keys by their first change, each once.
        var order: [(key: Key, firstSequence: Int64)] = []
        var head = 0
    }

    private let content = Mutex(Content())

    /// Number of rows that wait.
    var count: Int { content.withLock { $0.waiting.count } }

    /// The newest committed state of a thing whose row is not written yet.
    func thing(_ id: ThingID) -> ThingState? {
        content.withLock { content in
            guard case .thing(let state)? = content.waiting[.thing(id)]?.state else { return nil }
            return state
        }
    }

    /// The newest committed state of a policy whose row is not written yet.
    func policy(_ id: PolicyID) -> PolicyState? {
        content.withLock { content in
            guard case .policy(let state)? = content.waiting[.policy(id)]?.state else { return nil }
            return state
        }
    }

    /// Notes the states of a committed batch.
    func add(_ batch: CommitBatch, now: UInt64) {
        content.withLock { content in
            var sequence = batch.firstSequence
            for change in batch.changes {
                switch change.content {
                case .thing(let event, let after):
                    Self.add(.thing(event.thingID), .thing(after), sequence, now, &content)
                case .policy(let event, let after):
                    Self.add(.policy(event.policyID), .policy(after), sequence, now, &content)
                }
                sequence += 1
            }
        }
    }

    private static func add(_ key: Key, _ state: State, _ sequence: Int64, _ now: UInt64, _ content: inout Content) {
        // One lookup for the frequent case of a thing that waits already.
        if content.waiting[key]?.replace(state) == nil {
            content.waiting[key] = Waiting(state: state, firstSequence: sequence, since: now)
            content.order.append((key, sequence))
        }
    }

    /// The oldest rows, at most `limit`, that have waited since before `oldest`; and the cursor that holds once they
    /// are written, given that everything up to `committed` is in the journal. They stay here until `remove`.
    func due(limit: Int, waitingSince oldest: UInt64, committed: Int64) -> RowBatch {
        content.withLock { content in
            var rows = RowBatch(cursor: committed)
            var index = content.head
            while index < content.order.count, rows.count < limit {
                let key = content.order[index].key
                guard let waiting = content.waiting[key], waiting.since <= oldest else { break }
                switch (key, waiting.state) {
                case (.thing(let id), .thing(let state)): rows.things.append((id, state))
                case (.policy(let id), .policy(let state)): rows.policies.append((id, state))
                default: preconditionFailure("a backlog entry holds the state of another kind")
                }
                index += 1
            }
            if index < content.order.count { rows.cursor = content.order[index].firstSequence - 1 }
            return rows
        }
    }

    /// Forgets the oldest `count` rows, which are written now. Called before newer states are added.
    func remove(_ count: Int) {
        content.withLock { content in
            for index in content.head..<content.head + count { content.waiting[content.order[index].key] = nil }
            content.head += count
            if content.head > 1024, content.head > content.order.count / 2 {
                content.order.removeSubrange(..<content.head)
                content.head = 0
            }
        }
    }
}

extension RowBacklog.Waiting {
    /// Takes a newer state for the same row.
    fileprivate mutating func replace(_ newer: RowBacklog.State) -> Void {
        state = newer
    }
}
