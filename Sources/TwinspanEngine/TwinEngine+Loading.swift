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

    /// How often a command may ask for policies to be loaded: each time it can name what it has not seen before. More
    /// means that memory is so small that one load evicts another.
    static let loadRounds = 64

    /// Loads a policy, or the fact that there is none. Returns nil also when it has to be tried again.
    func load(_ id: PolicyID) -> StoreFailure? { load([id]) }

    /// Loads those of the policies that are not in memory, and keeps the others there, so that all of them are there at
    /// once. Returns nil also when it has to be tried again.
    func load(_ wanted: [PolicyID]) -> StoreFailure? {
        let generation = backlog.generation
        let missing = policies.content.withLock { content in wanted.filter { content.cache.slot(of: $0) == nil } }
        do throws(StoreFailure) {
            var loaded: [(PolicyID, PolicyState)] = []
            for id in missing {
                if let waiting = backlog.policy(id) {
                    loaded.append((id, waiting))
                } else {
                    loaded.append((id, try store.policy(id) ?? .never))
                }
            }
            policies.content.withLock { content in
                guard content.isOpen else { return }
                let isCurrent = backlog.generation == generation
                let newest = loaded.compactMap { id, state -> (PolicyID, PolicyState)? in
                    if let newest = backlog.policy(id) { return (id, newest) }
                    return isCurrent ? (id, state) : nil
                }
                content.cache.insert(newest, wanted: wanted, committed: gate.committed)
            }
            return nil
        } catch {
            return error
        }
    }
}
