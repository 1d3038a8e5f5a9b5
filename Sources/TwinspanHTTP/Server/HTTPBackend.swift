// What the HTTP door opens to: everything it serves comes through here.
public import TwinspanConnections
public import TwinspanEngine

/// The parts of the service that requests reach.
public struct HTTPBackend: Sendable {
    public var engine: TwinEngine
    /// The connections, for `/ready` and `/metrics`; nil when there are none to speak of.
    public var connections: (any ConnectionDirectory)?
    public var authenticator: Authenticator
    /// Sizes of the store. Called for each `/metrics`, from any thread.
    public var storeMeasures: @Sendable () -> StoreMeasures
    /// How the last reading of connection files went. Called for each `/metrics`, from any thread.
    public var lastReload: @Sendable () -> ConfigurationReload?
    /// Manages the connections; nil where there are none to manage.
    public var registry: (any ConnectionRegistry)?
    public var facts: ServiceFacts

    public init(
        engine: TwinEngine, connections: (any ConnectionDirectory)?, authenticator: Authenticator,
        storeMeasures: @escaping @Sendable () -> StoreMeasures,
        lastReload: @escaping @Sendable () -> ConfigurationReload? = { nil },
        registry: (any ConnectionRegistry)? = nil, facts: ServiceFacts = ServiceFacts()
    ) {
        self.registry = registry
        self.facts = facts
        self.engine = engine
        self.connections = connections
        self.authenticator = authenticator
        self.storeMeasures = storeMeasures
        self.lastReload = lastReload
    }

    var readiness: Readiness {
        Readiness(engine.condition, connections?.snapshots() ?? [])
    }

    var metrics: MetricsPage {
        let snapshots = connections?.snapshots() ?? []
        return MetricsPage(
            connections: snapshots, engine: engine.metrics.snapshot, journalSequence: engine.gate.committed,
            store: storeMeasures(), isReady: Readiness(engine.condition, snapshots).isReady,
            failedLogins: authenticator.failedLogins, residentBytes: ResidentMemory.bytes(),
            live: engine.live.load, lastReload: lastReload())
    }
}
