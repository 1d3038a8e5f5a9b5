// An engine with a manual clock and a store that can fail, and short forms for the commands that tests send to it.
import Glibc
public import TwinspanEngine
import TwinspanJSON
public import TwinspanProtocol

/// A running engine.
public final class EngineRig: Sendable {
    public let engine: TwinEngine
    public let clock: ManualClock
    public let store: FaultyStore

    /// Who sends commands unless a test says otherwise.
    public static let owner = AuthorizationContext(["test:owner"])

    /// Starts an engine on `store`. Throws what `TwinEngine.start` throws.
    public init(
        store: any TwinStore, clock: ManualClock = ManualClock(), settings: EngineSettings = EngineRig.settings()
    ) throws {
        let faulty = store as? FaultyStore ?? FaultyStore(store)
        self.store = faulty
        self.clock = clock
        engine = TwinEngine(store: faulty, clock: clock, settings: settings)
        try engine.start()
    }

    /// Settings with a small number of shards, so that tests meet every one of them.
    public static func settings(
        limits: TwinLimits = TwinLimits(), cacheBytes: Int = 8 << 20, shards: Int = 4,
        retention: JournalRetention = JournalRetention(bytes: 1 << 40, age: .seconds(1_000_000_000))
    ) -> EngineSettings {
        EngineSettings(limits: limits, cacheBytes: cacheBytes, retention: retention, shards: shards)
    }

    /// A thing command. Throws when id, path, value or fields are not legal; that is the test's own mistake.
    public static func command(
        _ action: ThingCommand.Action, _ id: String, _ path: String = "/", _ value: String? = nil,
        headers: [String: String] = [:], fields: String? = nil
    ) throws -> ThingCommand {
        var all = DittoHeaders()
        for (name, text) in headers.sorted(by: { $0.key < $1.key }) { all.append(name, .string(text)) }
        return ThingCommand(
            thingID: try ThingID(id), action: action,
            resource: try ThingResource(try JSONPointer(parsing: path)),
            value: try value.map { JSONText(try JSONValue.parse($0)) }, headers: all,
            fields: try fields.map { try JSONFieldSelector(parsing: $0) })
    }

    /// Sends a command and lets the committer begin; does not wait.
    public func send(
        _ action: ThingCommand.Action, _ id: String, _ path: String = "/", _ value: String? = nil,
        headers: [String: String] = [:], fields: String? = nil, as context: AuthorizationContext = EngineRig.owner,
        origin: ConnectionID? = nil
    ) throws -> Outcome<ThingResponse> {
        let command = try Self.command(action, id, path, value, headers: headers, fields: fields)
        let outcome = engine.execute(command, as: context, origin: origin)
        engine.commitSoon()
        return outcome
    }

    /// Sends a command, waits for its commit and returns its success; throws its `TwinspanError`.
    @discardableResult
    public func run(
        _ action: ThingCommand.Action, _ id: String, _ path: String = "/", _ value: String? = nil,
        headers: [String: String] = [:], fields: String? = nil, as context: AuthorizationContext = EngineRig.owner
    ) throws -> ThingResponse {
        let outcome = try send(action, id, path, value, headers: headers, fields: fields, as: context)
        try awaitCommit(outcome.ticket)
        return try outcome.result.get()
    }

    /// Sends a policy command, waits for its commit and returns its success; throws its `TwinspanError`.
    @discardableResult
    public func policy(
        _ action: PolicyCommand.Action, _ id: String, _ value: String? = nil, at path: String = "/",
        headers: [String: String] = [:], fields: String? = nil, as context: AuthorizationContext = EngineRig.owner
    ) throws -> PolicyResponse {
        var all = DittoHeaders()
        for (name, text) in headers { all.append(name, .string(text)) }
        let command = PolicyCommand(
            policyID: try PolicyID(id), action: action, resource: try PolicyPath(try JSONPointer(policyPath: path)),
            value: try value.map { JSONText(try JSONValue.parse($0)) }, headers: all,
            fields: try fields.map { try JSONFieldSelector(parsing: $0) })
        let outcome = engine.execute(command, as: context)
        engine.commitSoon()
        try awaitCommit(outcome.ticket)
        return try outcome.result.get()
    }

    /// Waits until a ticket is committed.
    public func awaitCommit(_ ticket: CommitTicket, within patience: Duration = .seconds(20)) throws {
        let outcome = engine.gate.wait(for: ticket, patience: patience)
        guard outcome == .committed else { throw ScenarioFailure("the commit of \(ticket) is \(outcome)") }
    }

    /// Waits until the engine's condition is as wanted.
    public func awaitCondition(
        _ wanted: String, within seconds: Double = 20, _ isMet: (EngineCondition) -> Bool
    ) throws {
        for _ in 0..<Int(seconds * 200) {
            if isMet(engine.condition) { return }
            usleep(5_000)
        }
        throw ScenarioFailure("the engine is \(engine.condition), not \(wanted)")
    }

    /// A subscription to everything, with what it has been given.
    public func subscribe(excluding origin: ConnectionID? = nil) -> EventSubscription {
        let subscription = EventSubscription(
            namespaces: [], excludedOrigin: origin, capacity: 1_000_000, byteCapacity: 1 << 30, wake: { _ in },
            onOverflow: { _ in })
        engine.hub.add(subscription)
        return subscription
    }
}
