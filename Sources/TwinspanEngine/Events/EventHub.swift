// Distributes committed changes. The committer's thread does no more than put references into the subscriptions whose
// topic and namespace fit; filters, views and mapping run on the subscribers' own threads, so that no subscriber can
// slow down a commit or another subscriber.
import Synchronization
public import TwinspanProtocol

/// One subscriber's bounded inbox of changes.
public final class EventSubscription: Sendable {
    private let inbox: Mutex<Inbox<TwinChange>>
    /// Exact namespaces; empty admits all.
    public let namespaces: Set<String>
    /// Changes that came in through this connection are not delivered.
    public let excludedOrigin: ConnectionID?
    private let wake: @Sendable (_ isShort: Bool) -> Void
    private let onOverflow: @Sendable (TwinChange) -> Void

    /// - Parameters:
    ///   - wake: called when the reader sleeps and there is something to take. For a short batch it may do the reader's
    ///     work itself if that is a matter of microseconds; else it must return at once.
    ///   - onOverflow: called on the committer's thread for each change that did not fit; must return at once.
    public init(
        namespaces: Set<String>, excludedOrigin: ConnectionID?, capacity: Int, byteCapacity: Int,
        wake: @escaping @Sendable (_ isShort: Bool) -> Void, onOverflow: @escaping @Sendable (TwinChange) -> Void
    ) {
        self.namespaces = namespaces
        self.excludedOrigin = excludedOrigin
        inbox = Mutex(Inbox(capacity: capacity, byteCapacity: byteCapacity))
        self.wake = wake
        self.onOverflow = onOverflow
    }

    /// Puts in what fits of a batch; the newest are refused when it is full.
    func offer(_ changes: [TwinChange], isShort: Bool) {
        var refused: [TwinChange] = []
        let shouldWake = inbox.withLock { inbox -> Bool in
            guard !inbox.isEnded else { return false }
            for change in changes where isWanted(change) {
                if !inbox.append(change, bytes: change.queuedBytes) { refused.append(change) }
            }
            return inbox.wakesReader()
        }
        for change in refused { onOverflow(change) }
        if shouldWake { wake(isShort) }
    }

    private func isWanted(_ change: TwinChange) -> Bool {
        guard case .thing(let event, _) = change.content else { return false }
        if let excludedOrigin, change.origin == excludedOrigin { return false }
        return namespaces.isEmpty || namespaces.contains(event.thingID.namespace)
    }

    /// Takes everything there is. When there is nothing, the next offer will call `wake`.
    public func take() -> [TwinChange] {
        inbox.withLock { $0.take() }
    }

    /// Takes nothing any more and forgets what it holds.
    func end() {
        inbox.withLock { $0.end() }
    }

    /// Changes that wait, and how many did not fit so far.
    public var load: (waiting: Int, overflowed: Int64) {
        inbox.withLock { ($0.elements.count, $0.overflowed) }
    }
}

/// All subscriptions.
public final class EventHub: Sendable {
    private let subscriptions = Mutex<[EventSubscription]>([])
    /// Deliveries that a commit may do on its own thread: a few microseconds each.
    private static let shortDeliveries = 8

    init() {}

    /// Adds a subscription; it sees every change committed after this call has returned.
    public func add(_ subscription: EventSubscription) {
        subscriptions.withLock { $0.append(subscription) }
    }

    /// Removes a subscription.
    public func remove(_ subscription: EventSubscription) {
        subscriptions.withLock { $0.removeAll { $0 === subscription } }
        subscription.end()
    }

    /// How many subscriptions there are; tests wait for theirs.
    var subscriptionCount: Int { subscriptions.withLock { $0.count } }

    /// Called by the committer, once per commit, in the order of the journal.
    func publish(_ batch: CommitBatch) {
        let count = batch.changes.count - batch.recordCount
        guard count > 0 else { return }
        let all = subscriptions.withLock { $0 }
        // Few changes for few subscribers are delivered where they were committed: waking a thread costs more.
        let isShort = count * all.count <= Self.shortDeliveries
        for subscription in all { subscription.offer(batch.changes, isShort: isShort) }
    }
}
