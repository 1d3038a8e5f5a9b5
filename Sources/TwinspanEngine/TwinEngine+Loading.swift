// Brings entities from the store into memory. Rows are read outside every lock. The newest committed state is in the
// row backlog or, when it is not there, in the row.
//
// A row that was read may be old by the time it is put in: in between, others may have loaded the entity, changed it,
// committed it, and let it go again. All of that passes through the backlog, so it is asked once more under the lock;
// and when a generation of rows has left the backlog meanwhile, the row is read again. What is not committed needs no
// such care: it is pinned in the cache.
import Synchronization
import TwinspanProtocol

extension TwinEngine {
    /// Loads a thing, or the fact that there is none. Returns nil also when it has to be tried again.
    func load(_ id: ThingID) -> StoreFailure? {
        let generation = backlog.generation
        do throws(StoreFailure) {
            var state = ThingState.never
            if let waiting = backlog.thing(id) {
                state = waiting
            } else if let row = try store.thing(id) {
                state = row
            }
            shards[shardIndex(of: id)].content.withLock { content in
                guard content.isOpen, content.cache.slot(of: id) == nil else { return }
                if let newest = backlog.thing(id) {
                    state = newest
                } else if backlog.generation != generation {
                    return
                }
                content.cache.insert(id, state, sequence: 0, committed: gate.committed)
            }
            return nil
        } catch {
            return error
        }
    }

    /// Loads a policy, or the fact that there is none. Returns nil also when it has to be tried again.
    func load(_ id: PolicyID) -> StoreFailure? {
        let generation = backlog.generation
        do throws(StoreFailure) {
            var state = PolicyState.never
            if let waiting = backlog.policy(id) {
                state = waiting
            } else if let row = try store.policy(id) {
                state = row
            }
            policies.content.withLock { content in
                guard content.isOpen, content.cache.slot(of: id) == nil else { return }
                if let newest = backlog.policy(id) {
                    state = newest
                } else if backlog.generation != generation {
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
