// Takes expired subjects out of their policies: a regular change without authorization (spec/policies-search.md A.9.2).
// It never leaves a policy without permanent owner, because those that expire do not count as owners.
import Synchronization
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

extension TwinEngine {
    /// The newest state of a policy, once it is committed; `never` when there is none. May read from the store.
    func committedPolicy(_ id: PolicyID) throws(StoreFailure) -> PolicyState {
        for _ in 0..<32 {
            let found = try policies.content.withLock { content throws(StoreFailure) -> (PolicyState, CommitTicket)? in
                guard content.isOpen else { throw Self.closedStore }
                guard let slot = content.cache.slot(of: id) else { return nil }
                let entry = content.cache[slot]
                return (entry.state, ticket(entry.sequence))
            }
            if let (state, ticket) = found {
                guard commit(ticket, patience: SubjectWatch.Pace.commit) == .committed else { throw Self.closedStore }
                return state
            }
            if let failure = load(id) { throw failure }
        }
        throw Self.closedStore
    }

    private static var closedStore: StoreFailure {
        StoreFailure(kind: .other, description: "the store takes no changes at the moment")
    }

    /// Queues one event for each place where the subjects stand; they become durable together. The ticket is nil when
    /// nothing could be queued; it has to be tried again then.
    func removeExpired(
        _ subjects: [WatchedSubject], from id: PolicyID
    ) -> (ticket: CommitTicket?, count: Int) {
        for _ in 0..<32 {
            let removed = policies.content.withLock { content -> (ticket: CommitTicket?, count: Int)? in
                guard content.isOpen else { return (nil, 0) }
                guard let slot = content.cache.slot(of: id) else { return nil }
                let entry = content.cache[slot]
                let changes = removals(of: subjects, from: entry.state, id)
                guard let last = changes.last, case .policy(_, let after) = last.content else {
                    return (ticket(entry.sequence), 0)
                }
                guard let sequence = queueTogether(changes) else { return (nil, 0) }
                content.cache.update(slot: slot, to: after, sequence: sequence)
                return (ticket(sequence), changes.count)
            }
            if let removed { return removed }
            if load(id) != nil { return (nil, 0) }
        }
        return (nil, 0)
    }

    /// The changes that take the subjects out, one after the other.
    private func removals(of subjects: [WatchedSubject], from state: PolicyState, _ id: PolicyID) -> [TwinChange] {
        let keys = Set(subjects.map(\.key))
        // It was applied as a policy before.
        guard let text = state.text, let policy = try? Policy.parse(text.value, id: id, limits: .structure) else {
            return []
        }
        var changes: [TwinChange] = []
        var state = state
        for entry in policy.entries {
            for subject in entry.subjects where subject.expiry != nil {
                let key = WatchedSubject(subject, of: id, settings.access.announcements).key
                guard keys.contains(key) else { continue }
                let event = PolicyEvent(
                    policyID: id, action: .deleted,
                    path: JSONPointer(segments: ["entries", entry.label, "subjects", subject.id]), value: nil,
                    revision: state.revision + 1, timestamp: clock.now)
                // The subject stands there, so its removal can be applied.
                guard let after = try? state.applying(event) else { return changes }
                changes.append(
                    change(
                        .policy(event, after: after), DittoHeaders(), AuthorizationContext([]), nil, nil,
                        lastText: state.text))
                state = after
            }
        }
        return changes
    }

    /// Queues changes so that they are committed in one transaction; nil when there is no room.
    private func queueTogether(_ changes: [TwinChange]) -> Int64? {
        guard queue.room == .free, let last = changes.last else { return nil }
        if changes.count == 1 { return queue.append(last) }
        guard let group = queue.openGroup() else { return nil }
        for change in changes.dropLast() { _ = queue.append(change) }
        // The lock of the policies is held, so no failed commit can break the group meanwhile.
        return queue.closeGroup(group, with: last)
    }
}
