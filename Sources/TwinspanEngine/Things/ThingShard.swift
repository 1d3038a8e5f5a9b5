// A part of all things under one lock. Under the lock there is neither I/O nor a C call: what is missing is named,
// loaded outside, and the command is judged again.
import Synchronization
import TwinspanJSON
import TwinspanPolicies
import TwinspanProtocol

/// One shard.
final class ThingShard: Sendable {
    struct Content {
        var cache: EntityCache<ThingID, ThingState>
        /// False while the store refuses changes: then nothing is judged, not even reads, because the cache may hold
        /// what was never committed.
        var isOpen = true
    }

    let content: Mutex<Content>

    init(byteCapacity: Int) {
        content = Mutex(Content(cache: EntityCache(byteCapacity: byteCapacity)))
    }
}

/// A policy as a retrieve inlines it: text, enforcer and sequence of one revision.
final class PolicyDocument: Sendable {
    let text: JSONText
    let enforcer: PolicyEnforcer
    let sequence: Int64

    init(text: JSONText, enforcer: PolicyEnforcer, sequence: Int64) {
        self.text = text
        self.enforcer = enforcer
        self.sequence = sequence
    }
}

/// All policies that are in use, under a lock of their own (lock order: thing shard → policies → commit queue).
final class PolicyShelf: Sendable {
    struct Content {
        var cache: EntityCache<PolicyID, PolicyState>
        var isOpen = true
    }

    let content: Mutex<Content>

    init(byteCapacity: Int) {
        content = Mutex(Content(cache: EntityCache(byteCapacity: byteCapacity)))
    }

    /// The enforcer of a policy that is loaded, nil inside when the policy does not exist; nil when it has to be
    /// loaded first.
    func loaded(_ id: PolicyID) -> (enforcer: PolicyEnforcer?, sequence: Int64)? {
        content.withLock { content in
            guard let slot = content.cache.slot(of: id) else { return nil }
            return content.cache.read(slot: slot) { ($0.state.enforcer, $0.sequence) }
        }
    }

    /// The JSON of a policy that is loaded, and its enforcer with it; nil when there is none.
    func document(_ id: PolicyID) -> PolicyDocument? {
        content.withLock { content in
            guard let slot = content.cache.slot(of: id) else { return nil }
            return content.cache.read(slot: slot) { entry in
                guard let text = entry.state.text, let enforcer = entry.state.enforcer else { return nil }
                return PolicyDocument(text: text, enforcer: enforcer, sequence: entry.sequence)
            }
        }
    }
}
