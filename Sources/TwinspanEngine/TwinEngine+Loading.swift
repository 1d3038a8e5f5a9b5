// Brings entities from the store into memory, outside every lock. The newest committed state is in the row backlog or,
// when it is not there, in the row.
import Synchronization
import TwinspanProtocol

extension TwinEngine {
    /// Loads a thing, or the fact that there is none. `evictions` is the shard's count before: see `EntityCache`.
    func load(_ id: ThingID, evictions: UInt64) -> StoreFailure? {
        do throws(StoreFailure) {
            var state = ThingState.never
            if let newest = backlog.thing(id) {
                state = newest
            } else if let row = try store.thing(id) {
                state = row
            }
            shards[shardIndex(of: id)].content.withLock { content in
                guard content.isOpen, content.cache.evictions == evictions, content.cache.slot(of: id) == nil else {
                    return
                }
                content.cache.insert(id, state, sequence: 0, committed: gate.committed)
            }
            return nil
        } catch {
            return error
        }
    }

    /// Loads a policy, or the fact that there is none.
    func load(_ id: PolicyID) -> StoreFailure? {
        let evictions = policies.content.withLock { $0.cache.evictions }
        do throws(StoreFailure) {
            var state = PolicyState.never
            if let newest = backlog.policy(id) {
                state = newest
            } else if let row = try store.policy(id) {
                state = row
            }
            policies.content.withLock { content in
                guard content.isOpen, content.cache.evictions == evictions, content.cache.slot(of: id) == nil else {
                    return
                }
                content.cache.insert(id, state, sequence: 0, committed: gate.committed)
            }
            return nil
        } catch {
            return error
        }
    }
}
