// The way out: committed change → topic and namespace → RQL filter → READ view → mapper → address → the connection's
// bounded queue, in the order of spec/connectivity.md §3.3. Runs on a thread of the connection's own, so that neither a
// commit nor another connection ever waits for its filters. When the queue is full the newest is dropped and counted.
import Logging
import Synchronization
import TwinspanConnections
import TwinspanEngine
import TwinspanExpressions
import TwinspanJSON
import TwinspanMapping
import TwinspanPolicies
import TwinspanProtocol

/// A target made ready for its events.
struct CompiledTarget: Sendable {
    let target: Target
    let topics: [TargetTopic]
    let namespaces: [Set<String>]
    let context: AuthorizationContext
    let mappers: MapperChain
    let qos: UInt8

    /// Throws for a mapper that cannot be made.
    init(_ target: Target, of connection: Connection, registry: MapperRegistry) throws(TwinspanError) {
        self.target = target
        topics = target.topics.filter { $0.kind == .twinEvents }
        namespaces = topics.map { Set($0.namespaces) }
        context = AuthorizationContext(target.authorizationContext)
        mappers = try connection.mapperChain(target.payloadMapping, registry: registry)
        qos = UInt8(clamping: target.qos ?? 0)
    }
}

/// The outbound pipeline of one connection.
final class TargetPipeline: Sendable {
    private let connection: Connection
    private let targets: [CompiledTarget]
    private let queue: OutboundQueue
    private let counters: ConnectionCounters
    private let trouble: TroubleLog
    private let clock: any EngineClock
    /// Held while changes are taken and delivered, so that their order stays whoever does it.
    private let subscription = Mutex<EventSubscription?>(nil)
    private let namespaces: Set<String>
    private let doorbell = Doorbell()
    private let isStopping = Atomic<Bool>(false)
    /// Whether the broker is there; decides under which reason a full queue is counted.
    private let isConnected: @Sendable () -> Bool

    /// Changes that wait for the pipeline itself: far more than it ever needs unless a filter is very slow.
    static let inboxChanges = 20_000
    static let inboxBytes = 32 << 20
    /// Changes whose messages are put into the queue at once.
    static let sliceChanges = 64

    init(
        connection: Connection, queue: OutboundQueue, counters: ConnectionCounters, trouble: TroubleLog,
        clock: any EngineClock, mappers: MapperRegistry = .builtIn, isConnected: @escaping @Sendable () -> Bool
    ) throws(TwinspanError) {
        self.connection = connection
        self.queue = queue
        self.counters = counters
        self.trouble = trouble
        self.clock = clock
        self.isConnected = isConnected
        targets = try connection.targets.map { target throws(TwinspanError) in
            try CompiledTarget(target, of: connection, registry: mappers)
        }
        let topics = targets.flatMap(\.topics)
        // A topic without namespaces wants all of them, so the subscription can only narrow when every topic does.
        let namespaces = topics.contains { $0.namespaces.isEmpty } ? [] : Set(topics.flatMap(\.namespaces))
        self.namespaces = namespaces
    }

    /// Subscribes and works until `stop`. Blocks the calling thread.
    func run(hub: EventHub) {
        let counters = self.counters
        let subscription = EventSubscription(
            namespaces: namespaces, excludedOrigin: connection.id, capacity: Self.inboxChanges,
            byteCapacity: Self.inboxBytes,
            wake: { [weak self] isShort in
                // Mappers of this version are pure and quick; a slow kind will have to stay on the pipeline's thread.
                if isShort, self?.drainIfIdle() == true { return }
                self?.doorbell.ring()
            },
            onOverflow: { _ in counters.add(.dropped, .outbound, reason: "pipeline-behind") })
        self.subscription.withLock { $0 = subscription }
        hub.add(subscription)
        defer { hub.remove(subscription) }
        while true {
            let isIdle = self.subscription.withLock { _ in deliver(subscription.take()) }
            guard isIdle else { continue }
            if isStopping.load(ordering: .acquiring) { return }
            doorbell.wait(patience: .seconds(5))
        }
    }

    /// Does the pipeline's work on the calling thread, unless its own thread is at it. Returns whether it was done.
    private func drainIfIdle() -> Bool {
        subscription.withLockIfAvailable { subscription in
            guard let subscription else { return false }
            // The second round finds nothing and tells the subscription to wake again.
            while !deliver(subscription.take()) {}
            return true
        } ?? false
    }

    /// Runs changes through all targets; returns whether there were none.
    private func deliver(_ changes: [TwinChange]) -> Bool {
        // A batch goes into the queue as one, a slice at a time, so that the publisher starts early on a long one.
        for start in stride(from: 0, to: changes.count, by: Self.sliceChanges) {
            var outbox: [OutboundMessage] = []
            let slice = changes[start..<min(start + Self.sliceChanges, changes.count)]
            outbox.reserveCapacity(slice.count)
            for change in slice {
                guard case .thing(let event, _) = change.content else { continue }
                for index in targets.indices { deliver(change, event, to: index, &outbox) }
            }
            offer(outbox)
        }
        return changes.isEmpty
    }

    /// Lets `run` return once it has nothing left to do.
    func stop() {
        isStopping.store(true, ordering: .releasing)
        doorbell.ring()
    }

    private func offer(_ outbox: [OutboundMessage]) {
        guard !outbox.isEmpty else { return }
        let accepted = queue.offer(contentsOf: outbox)
        for message in outbox[accepted...] { drop(message) }
    }

    private func deliver(_ change: TwinChange, _ event: ThingEvent, to index: Int, _ outbox: inout [OutboundMessage]) {
        let target = targets[index]
        guard !target.topics.isEmpty, let enforcer = change.enforcer else { return }
        counters.add(.offered)
        guard matchesTopic(change, event, target) else { return counters.add(.filtered) }
        let payload: [UInt8]
        switch view(event, target, enforcer) {
        case .full: payload = change.envelopeBytes(of: event)
        case .none:
            return counters.add(.denied, .outbound, reason: "no-read-permission")
        case .partial(let value):
            var visible = event
            visible.value = JSONText(value)
            payload = visible.envelope(headers: change.eventHeaders).bytes
        }
        send(change, event, payload, target, index, &outbox)
    }

    private func view(_ event: ThingEvent, _ target: CompiledTarget, _ enforcer: PolicyEnforcer) -> EventView {
        if enforcer.isUnrestricted(
            .read, .thing, event.path, subjects: target.context, namespace: event.thingID.namespace)
        {
            return .full
        }
        return enforcer.eventView(
            of: event.value?.value, at: event.path, subjects: target.context, namespace: event.thingID.namespace)
    }

    /// Whether some topic admits the event by namespace and filter; the first one decides.
    private func matchesTopic(_ change: TwinChange, _ event: ThingEvent, _ target: CompiledTarget) -> Bool {
        for (topic, namespaces) in zip(target.topics, target.namespaces) {
            if !namespaces.isEmpty, !namespaces.contains(event.thingID.namespace) { continue }
            guard let filter = topic.filter else { return true }
            if filter.matches(Self.changedPart(of: event), placeholders: resolver(change, event)) { return true }
        }
        return false
    }

    /// The event as a partial thing: its id, revision and time, and the value at its path (policies-search.md B.3).
    private static func changedPart(of event: ThingEvent) -> JSONValue {
        var thing = JSONValue.object(JSONObject())
        if let value = event.value {
            if event.path.isRoot { thing = value.value } else { thing.set(value.value, at: event.path) }
        }
        guard var object = thing.object else { return thing }
        object["thingId"] = .string(event.thingID.text)
        object["_namespace"] = .string(event.thingID.namespace)
        object["_revision"] = .number(JSONNumber(event.revision))
        object["_modified"] = .string(event.timestamp.iso8601)
        return .object(object)
    }

    private func resolver(_ change: TwinChange, _ event: ThingEvent) -> SignalResolver {
        var resolver = SignalResolver(connectionID: connection.id, now: clock.now)
        resolver.header = { name in change.eventHeaders[name].map { $0.string ?? $0.text } }
        resolver.thingID = event.thingID
        resolver.topic = event.topic
        resolver.path = event.path
        resolver.value = event.value
        if let originator = change.originator { resolver.subjects = [originator] }
        return resolver
    }

    private func send(
        _ change: TwinChange, _ event: ThingEvent, _ payload: [UInt8], _ target: CompiledTarget, _ index: Int,
        _ outbox: inout [OutboundMessage]
    ) {
        var address = target.target.address.constant
        var delivery: MQTTDelivery?
        if address == nil || !target.target.headerMapping.isEmpty {
            let resolver = resolver(change, event)
            address = target.target.address.resolve(resolver).first
            if !target.target.headerMapping.isEmpty {
                delivery = MQTTDelivery(target.target.headerMapping, resolver, defaultQoS: target.qos)
            }
        }
        guard let address = delivery?.topic ?? address, !address.isEmpty else {
            return counters.add(.dropped, .outbound, reason: "address-unresolved")
        }
        let signal = OutboundSignal(bytes: payload, correlationID: change.headers.correlationID)
        let scene = MappingScene(connectionID: connection.id, now: clock.now)
        target.mappers.outbound(signal, scene, resolver: { resolver(change, event) }) { _, result in
            guard case .success(let messages) = result else {
                return counters.add(.dropped, .outbound, reason: "mapping")
            }
            for mapped in messages {
                outbox.append(
                    OutboundMessage(
                        address: address, payload: mapped.payload, qos: delivery?.qos ?? target.qos,
                        isRetained: delivery?.isRetained ?? false, headers: mapped.headers, target: index,
                        queuedAt: change.madeAt))
            }
        }
    }

    private func drop(_ message: OutboundMessage) {
        let reason = isConnected() ? "queue-full" : "broker-away"
        counters.add(.dropped, .outbound, reason: reason)
        trouble.warn(
            "event dropped", reason: reason,
            ["queue.capacity": "\(queue.capacity)", "address": "\(message.address.prefix(120))"])
    }
}
