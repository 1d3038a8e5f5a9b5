// Everything that decides what a valid connection is in one process, beside the model itself.

/// What a process serves.
public struct ReadingRules: Sendable {
    /// What the adapters know about connections.
    public var bindings: [BindingRules]
    /// The kinds of mappers.
    public var mappers: MapperRules
    public var limits: ConnectionLimits
    /// What connections may reach; every connection that is read carries it to where it is dialled.
    public var hosts: HostRules

    public init(
        bindings: [BindingRules] = [], mappers: MapperRules = .standard, limits: ConnectionLimits = .standard,
        hosts: HostRules = .none
    ) {
        self.hosts = hosts
        self.bindings = bindings
        self.mappers = mappers
        self.limits = limits
    }
}
