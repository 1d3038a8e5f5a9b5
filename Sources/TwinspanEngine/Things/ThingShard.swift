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
