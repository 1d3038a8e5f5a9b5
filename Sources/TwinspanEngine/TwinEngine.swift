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
    /// Number of locks things are spread over; a power of two.
    public var shards: Int

    public init(
        limits: TwinLimits = TwinLimits(), cacheBytes: Int = 256 << 20,
        retention: JournalRetention = JournalRetention(bytes: 4 << 30, age: .seconds(7 * 86_400)), shards: Int = 32
    ) {
        self.limits = limits
        self.cacheBytes = cacheBytes
        self.retention = retention
        self.shards = shards
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
    public let metrics = EngineMetrics()
    let conditionState = Mutex<EngineCondition>(.starting)
    let committerThread = Mutex<WorkerThread?>(nil)
    let isStopping = Atomic<Bool>(false)
    /// Held by the thread that commits (lock order: before everything else).
    let leadership = Mutex<Void>(())
    let needsRecovery = Atomic<Bool>(false)

    public init(store: any TwinStore, clock: any EngineClock, settings: EngineSettings) {
        precondition(settings.shards.nonzeroBitCount == 1, "the number of shards must be a power of two")
        self.store = store
        rowWriter = RowWriter(store: store, backlog: backlog, metrics: metrics)
        self.clock = clock
        self.settings = settings
        live = LiveChannel(clock: clock, limits: settings.limits)
        let shardBytes = max(settings.cacheBytes / settings.shards, 64 << 10)
        shards = (0..<settings.shards).map { _ in ThingShard(byteCapacity: shardBytes) }
        policies = PolicyShelf(byteCapacity: max(settings.cacheBytes / 8, 1 << 20))
    }

    /// Whether the engine takes commands, and if not, why.
    public var condition: EngineCondition { conditionState.withLock { $0 } }

    /// Judges a command and queues its change. Loads the thing or policy from the store when it is not in memory, so it
    /// may block for a read; use `executeIfLoaded` where blocking is forbidden.
    public func execute(
        _ command: ThingCommand, as context: AuthorizationContext, origin: ConnectionID? = nil
    ) -> Outcome<ThingResponse> {
        // Each round loads one missing entity; more rounds mean that memory is so small that one load evicts another.
        for _ in 0..<32 {
            switch attempt(command, as: context, origin: origin) {
            case .done(let outcome): return outcome
            case .needsThing:
                if let failure = load(command.thingID) { return unavailable(failure) }
            case .needsPolicy(let id):
                if let failure = load(id) { return unavailable(failure) }
            }
        }
        return unavailable(
            StoreFailure(kind: .other, description: "the cache is too small to hold a thing and its policy"))
    }

    /// As `execute`, but returns nil instead of reading from the store.
    public func executeIfLoaded(
        _ command: ThingCommand, as context: AuthorizationContext, origin: ConnectionID? = nil
    ) -> Outcome<ThingResponse>? {
        guard case .done(let outcome) = attempt(command, as: context, origin: origin) else { return nil }
        return outcome
    }

    /// Tells the committer that a batch of commands is complete. Without it their commit starts a moment later.
    public func commitSoon() {
        queue.wakeCommitter()
    }

    private enum Attempt {
        case done(Outcome<ThingResponse>)
        case needsThing
        case needsPolicy(PolicyID)
    }

    private func attempt(
        _ command: ThingCommand, as context: AuthorizationContext, origin: ConnectionID?
    ) -> Attempt {
        let now = clock.now
        let shard = shards[shardIndex(of: command.thingID)]
        return shard.content.withLock { content in
            guard content.isOpen else { return .done(refusedWhileClosed()) }
            guard let slot = content.cache.slot(of: command.thingID) else {
                return .needsThing
            }
            let entry = content.cache[slot]
            guard let text = entry.state.text else {
                return create(command, slot: slot, entry: entry, as: context, origin: origin, now: now, &content)
            }
            guard let policyID = entry.state.policyID, let policy = policies.loaded(policyID) else {
                guard let policyID = entry.state.policyID else {
                    return .done(failed(.thingNotFound(command.thingID), entry.sequence))
                }
                return .needsPolicy(policyID)
            }
            let dependsOn = max(entry.sequence, policy.sequence)
            guard let enforcer = policy.enforcer else {
                return .done(failed(policyLost(command, policyID), dependsOn))
            }
            let judge = ThingJudge(
                command: command, state: entry.state, text: text, enforcer: enforcer, context: context,
                limits: settings.limits, now: now)
            do throws(TwinspanError) {
                let verdict = try judge.verdict()
                guard let event = verdict.event, let after = verdict.after else {
                    return .done(Outcome(result: .success(verdict.response), ticket: ticket(dependsOn)))
                }
                guard !queue.isFull else { return .done(overloaded()) }
                let sequence = queue.append(
                    change(.thing(event, after: after), command.headers, context, origin, enforcer))
                content.cache.update(slot: slot, to: after, sequence: sequence)
                return .done(Outcome(result: .success(verdict.response), ticket: ticket(max(sequence, dependsOn))))
            } catch {
                return .done(failed(error, dependsOn))
            }
        }
    }

    private func create(
        _ command: ThingCommand, slot: Int, entry: EntityCache<ThingID, ThingState>.Entry,
        as context: AuthorizationContext, origin: ConnectionID?, now: Timestamp, _ content: inout ThingShard.Content
    ) -> Attempt {
        let makesThing =
            command.resource.kind == .thing
            && (command.action == .create || command.action == .modify || command.action == .merge)
        guard makesThing else { return .done(failed(.thingNotFound(command.thingID), entry.sequence)) }
        // A refusal depends on the policies it was judged by as much as a success does.
        var dependsOn = entry.sequence
        do throws(TwinspanError) {
            let creation = try ThingCreation(command)
            let attempt = try policies.content.withLock { shelf throws(TwinspanError) -> Attempt in
                for id in creation.choice.needed where shelf.cache.slot(of: id) == nil { return .needsPolicy(id) }
                let verdict = try creation.verdict(
                    after: entry.state,
                    policy: { id in
                        guard let slot = shelf.cache.slot(of: id) else { return .never }
                        let known = shelf.cache[slot]
                        dependsOn = max(dependsOn, known.sequence)
                        return known.state
                    },
                    context: context, limits: settings.limits, now: now)
                guard let event = verdict.thing.event, let after = verdict.thing.after else {
                    return .done(failed(GeneralErrorTable.internalError.error(), dependsOn))
                }
                guard !queue.isFull else { return .done(overloaded()) }
                let thing = change(.thing(event, after: after), command.headers, context, origin, verdict.enforcer)
                let sequence: Int64
                if let policy = verdict.policy {
                    let made = change(
                        .policy(policy.event, after: policy.after), DittoHeaders(), context, origin, nil)
                    sequence = queue.append(made, thing)
                    if let slot = shelf.cache.slot(of: policy.event.policyID) {
                        shelf.cache.update(slot: slot, to: policy.after, sequence: sequence)
                    }
                } else {
                    sequence = queue.append(thing)
                }
                content.cache.update(slot: slot, to: after, sequence: sequence)
                return .done(
                    Outcome(result: .success(verdict.thing.response), ticket: ticket(max(sequence, dependsOn))))
            }
            return attempt
        } catch {
            return .done(failed(error, dependsOn))
        }
    }

    /// The thing is there but its policy is gone: reads find nothing, changes are forbidden (spec/protocol.md §6.1).
    private func policyLost(_ command: ThingCommand, _ policyID: PolicyID) -> TwinspanError {
        var error: TwinspanError =
            command.isModifying ? .notModifiable(.root, of: command.thingID) : .thingNotFound(command.thingID)
        error.description = "Its policy '\(policyID)' does not exist any more; create it again."
        return error
    }

    // MARK: Pieces shared with the policy commands

    func change(
        _ content: TwinChange.Content, _ headers: DittoHeaders, _ context: AuthorizationContext,
        _ origin: ConnectionID?, _ enforcer: PolicyEnforcer?
    ) -> TwinChange {
        TwinChange(
            content: content, headers: headers, originator: context.originator, origin: origin, enforcer: enforcer,
            madeAt: clock.monotonic)
    }

    func ticket(_ sequence: Int64) -> CommitTicket {
        CommitTicket(sequence: sequence, epoch: gate.epoch)
    }

    func failed<Response>(_ error: TwinspanError, _ sequence: Int64) -> Outcome<Response> {
        Outcome(result: .failure(error), ticket: ticket(sequence))
    }

    func unavailable<Response>(_ failure: StoreFailure) -> Outcome<Response> {
        let error = ThingErrorTable.unavailable.error("The store cannot be read: \(failure.description).")
        return Outcome(result: .failure(error), ticket: ticket(0))
    }

    func refusedWhileClosed<Response>() -> Outcome<Response> {
        Outcome(result: .failure(ThingErrorTable.unavailable.error()), ticket: ticket(0))
    }

    func overloaded<Response>() -> Outcome<Response> {
        Outcome(result: .failure(ThingErrorTable.tooManyModifyingRequests.error()), ticket: ticket(0))
    }

    func shardIndex(of id: ThingID) -> Int {
        // Of the hasher's bits these are as good as any; the cache inside the shard hashes again with its own seed.
        var hasher = Hasher()
        hasher.combine(id)
        return hasher.finalize() & (shards.count - 1)
    }
}
