// The twin engine: commands in, answers and events out. It knows no broker, no HTTP and no YAML. Callers run `execute`
// on their own threads; nothing here waits for the disk except the loading of an entity that is not in memory.
import Synchronization
import TwinspanJSON
import TwinspanPolicies
public import TwinspanProtocol

/// An answer and the commit it depends on. It must not leave the process before that commit (design: data path).
public struct Outcome<Response: Sendable>: Sendable {
    public var result: Result<Response, TwinspanError>
    public var ticket: CommitTicket
}

/// Whether the engine takes commands.
public enum EngineCondition: Sendable, Equatable {
    case starting
    case open
    /// The store refuses changes; the reason says why and what to do.
    case closed(StoreFailure)
    case stopped
}

/// Settings of the engine.
public struct EngineSettings: Sendable {
    public var limits: TwinLimits
    /// Bytes of hot things kept in memory.
    public var cacheBytes: Int
    public var retention: JournalRetention
    public var deadLetters: DeadLetterRetention
    /// A place in the journal that nobody has claimed for so long is forgotten.
    public var orphanedReaderAge: Duration
    /// Number of locks things are spread over; a power of two.
    public var shards: Int
    public var access: AccessSettings

    public init(
        limits: TwinLimits = TwinLimits(), cacheBytes: Int = 256 << 20,
        retention: JournalRetention = JournalRetention(bytes: 4 << 30, age: .seconds(7 * 86_400)), shards: Int = 32,
        deadLetters: DeadLetterRetention = DeadLetterRetention(), orphanedReaderAge: Duration = .seconds(7 * 86_400),
        access: AccessSettings = AccessSettings()
    ) {
        self.limits = limits
        self.cacheBytes = cacheBytes
        self.retention = retention
        self.shards = shards
        self.deadLetters = deadLetters
        self.orphanedReaderAge = orphanedReaderAge
        self.access = access
    }
}

/// The engine. Safe from any thread.
public final class TwinEngine: Sendable {
    let store: any TwinStore
    let clock: any EngineClock
    let settings: EngineSettings
    let shards: [ThingShard]
    let policies: PolicyShelf
    let queue = CommitQueue()
    let backlog = RowBacklog()
    let rowWriter: RowWriter
    public let gate = CommitGate()
    public let hub = EventHub()
    public let live: LiveChannel
    public let announcements = AnnouncementChannel()
    let subjectWatch = SubjectWatch()
    public let metrics = EngineMetrics()
    let conditionState = Mutex<EngineCondition>(.starting)
    let committerThread = Mutex<WorkerThread?>(nil)
    let isStopping = Atomic<Bool>(false)
    /// Held by the thread that commits (lock order: before everything else).
    let leadership = Mutex<Void>(())
    let needsRecovery = Atomic<Bool>(false)
    /// Whether records are taken; held while they get their sequence (lock order: as a shard).
    let recordIntake = Mutex<Bool>(false)
    let newestRecordID = Atomic<Int64>(0)
    /// Names of the readers of the journal that somebody works for.
    let readerClaims = Mutex<Set<String>>([])
    /// Connections somebody works for whose places in logs are kept.
    let positionClaims = Mutex<Set<ConnectionID>>([])
    let eventHeadersKept = Atomic<Bool>(false)

    public init(store: any TwinStore, clock: any EngineClock, settings: EngineSettings) {
        precondition(settings.shards.nonzeroBitCount == 1, "the number of shards must be a power of two")
        self.store = store
        rowWriter = RowWriter(store: store, backlog: backlog, metrics: metrics)
        self.clock = clock
        self.settings = settings
        live = LiveChannel(clock: clock, limits: settings.limits, metrics: metrics)
        let shardBytes = max(settings.cacheBytes / settings.shards, 64 << 10)
        shards = (0..<settings.shards).map { _ in ThingShard(byteCapacity: shardBytes) }
        policies = PolicyShelf(
            byteCapacity: max(settings.cacheBytes / 8, 1 << 20), roots: settings.access.namespaceRoots, gate: gate)
    }

    /// Whether the engine takes commands, and if not, why.
    public var condition: EngineCondition { conditionState.withLock { $0 } }

    /// Tells the committer that a batch of commands is complete. Without it their commit starts a moment later.
    public func commitSoon() {
        queue.wakeCommitter()
    }

    // MARK: Pieces shared with the policy commands

    func change(
        _ content: TwinChange.Content, _ headers: DittoHeaders, _ context: AuthorizationContext,
        _ origin: ConnectionID?, _ enforcer: PolicyEnforcer?, lastText: JSONText? = nil
    ) -> TwinChange {
        TwinChange(
            content: content, headers: headers, originator: context.originator, origin: origin, enforcer: enforcer,
            madeAt: clock.monotonic, lastText: lastText, deliversParts: settings.access.deliversPartialEvents)
    }

    func ticket(_ sequence: Int64) -> CommitTicket {
        CommitTicket(sequence: sequence, epoch: gate.epoch)
    }

    func failed<Response>(_ error: TwinspanError, _ sequence: Int64) -> Outcome<Response> {
        Outcome(result: .failure(error), ticket: ticket(sequence))
    }

    // The code names the entity that the command was for: each of them has a row of its own.

    func unavailable<Response>(
        _ failure: StoreFailure, _ row: ErrorRow = ThingErrorTable.unavailable
    ) -> Outcome<Response> {
        let error = row.error("The store cannot be read: \(failure.description).")
        return Outcome(result: .failure(error), ticket: ticket(0))
    }

    func refusedWhileClosed<Response>(_ row: ErrorRow = ThingErrorTable.unavailable) -> Outcome<Response> {
        Outcome(result: .failure(row.error()), ticket: ticket(0))
    }

    func overloaded<Response>(_ row: ErrorRow = ThingErrorTable.tooManyModifyingRequests) -> Outcome<Response> {
        Outcome(result: .failure(row.error()), ticket: ticket(0))
    }

    /// Why the calling thread may not queue a change; nil when it may.
    func withoutRoom<Response>(
        _ full: ErrorRow = ThingErrorTable.tooManyModifyingRequests, _ closed: ErrorRow = ThingErrorTable.unavailable
    ) -> Outcome<Response>? {
        switch queue.room {
        case .free: nil
        case .full: overloaded(full)
        case .closed: refusedWhileClosed(closed)
        }
    }

    func shardIndex(of id: ThingID) -> Int {
        // Of the hasher's bits these are as good as any; the cache inside the shard hashes again with its own seed.
        var hasher = Hasher()
        hasher.combine(id)
        return hasher.finalize() & (shards.count - 1)
    }
}
