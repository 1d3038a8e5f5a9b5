// One change on its way from the shard through the journal to the subscribers: the event, the state after it, and what
// subscribers need to judge it. A class: it is made once and then only handed on by reference.
import Synchronization
public import TwinspanJSON
public import TwinspanPolicies
public import TwinspanProtocol

/// A change that is queued, committed or published.
public final class TwinChange: Sendable {
    public enum Content: Sendable {
        case thing(ThingEvent, after: ThingState)
        case policy(PolicyEvent, after: PolicyState)
        /// No change of an entity: what is stored beside events in the same transaction. Nobody is told of it.
        case records([StoreRecord])
    }

    public let content: Content
    /// Headers of the command that caused it.
    public let headers: DittoHeaders
    /// Who caused it.
    public let originator: String?
    /// The connection it came in through; it is not sent back there.
    public let origin: ConnectionID?
    /// The policy of the thing as it was when the change was made; decides who may see the event.
    public let enforcer: PolicyEnforcer?
    /// When the change was made, in nanoseconds of the monotonic clock.
    public let madeAt: UInt64
    /// The thing before its deletion: its event is enriched with what was known last. The policy before any change
    /// when a subject of it is watched (`PolicyState.isWatched`). Nil for every other change.
    public let lastText: JSONText?
    /// Whether those who may read a part of the thing get that part of the event; otherwise only who may read all of
    /// the thing gets it, and then all of it (`AccessSettings.deliversPartialEvents`).
    public let deliversParts: Bool
    private let serialised = Mutex<[UInt8]?>(nil)
    /// The views of those who may read a part.
    let views = Mutex(SignalViews())

    public init(
        content: Content, headers: DittoHeaders, originator: String?, origin: ConnectionID?, enforcer: PolicyEnforcer?,
        madeAt: UInt64, lastText: JSONText? = nil, deliversParts: Bool = true
    ) {
        self.lastText = lastText
        self.deliversParts = deliversParts
        self.content = content
        self.headers = headers
        self.originator = originator
        self.origin = origin
        self.enforcer = enforcer
        self.madeAt = madeAt
    }

    /// The headers of the event: those of the command that may go out, and who caused it (spec/protocol.md §6.1).
    public var eventHeaders: DittoHeaders {
        var result = headers.deliveredToOutside()
        result.reserve(4)
        result[.responseRequired] = .bool(false)
        RequestedAcks.deliver(&result)
        if let originator { result[.originator] = .string(originator) }
        if case .thing(let event, _) = content {
            let contentType = event.action == .merged ? "application/merge-patch+json" : "application/json"
            result[.contentType] = event.value.map { _ in .string(contentType) }
        }
        return result
    }

    /// The thing event's full envelope as bytes, made once for all subscribers that may see everything of it.
    public func envelopeBytes(of event: ThingEvent) -> [UInt8] {
        serialised.withLock { cached in
            if let cached { return cached }
            let bytes = event.envelopeBytes(headers: eventHeaders)
            cached = bytes
            return bytes
        }
    }

    /// What a reader gets of the thing event (spec/policies-search.md A.4). Without a policy nobody gets anything.
    public func view(of event: ThingEvent, for reader: AuthorizationContext) -> SignalView {
        guard let enforcer else { return .none }
        // Asked by itself, because it is the rule and the cheapest question there is.
        let path = deliversParts ? event.path : .root
        if enforcer.canReadEverything(at: path, subjects: reader, namespace: event.thingID.namespace) { return .full }
        guard deliversParts else { return .none }
        switch enforcer.eventReader(at: event.path, subjects: reader, namespace: event.thingID.namespace) {
        case .full: return .full
        case .none: return .none
        case .depends(let classes):
            return views.view(for: classes) {
                enforcer.eventView(
                    of: event.value?.value, at: event.path, isPatch: event.action == .merged, for: classes)
            }
        }
    }

    /// The envelope with a part of the value as bytes, made once for all who get that part.
    public func envelopeBytes(of event: ThingEvent, _ part: SignalPart) -> [UInt8] {
        part.envelopeBytes { value in
            var cut = event
            cut.value = value
            return cut.envelopeBytes(headers: eventHeaders)
        }
    }

    /// Bytes a queue counts for this change.
    public var queuedBytes: Int {
        switch content {
        case .thing(let event, _): 256 + (event.value?.bytes.count ?? 0) + (event.metadata?.bytes.count ?? 0)
        case .policy(let event, _): 256 + (event.value?.bytes.count ?? 0)
        case .records(let records): records.reduce(256) { $0 + $1.byteCount }
        }
    }

    /// Whether it is records and no event.
    public var isRecords: Bool {
        if case .records = content { true } else { false }
    }
}
