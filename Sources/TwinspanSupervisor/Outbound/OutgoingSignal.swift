// What targets are given: a committed change of a twin, from the hub or read again from the journal, or a signal of the
// live channel. One form for both, so that there is one way out.
import TwinspanConnections
import TwinspanEngine
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol

/// A signal on its way to targets.
enum OutgoingSignal: Sendable {
    case event(TwinChange, ThingEvent)
    case live(LiveSignal)
    /// Of a policy; where a thing's id is asked for, it gives that of the policy.
    case announcement(PolicyAnnouncement)
    /// Nobody has sent it: `twinspan map` and test cases.
    case given(GivenSignal)

    /// The kind of topic that carries it.
    var kind: TargetTopic.Kind {
        switch self {
        case .event: .twinEvents
        case .live(let signal):
            switch signal.kind {
            case .messages: .liveMessages
            case .liveCommands: .liveCommands
            case .liveEvents: .liveEvents
            }
        case .announcement: .policyAnnouncements
        case .given(let signal): signal.kind
        }
    }

    var thingID: ThingID {
        switch self {
        case .event(_, let event): event.thingID
        case .live(let signal): signal.thingID
        case .announcement(let announcement): ThingID(textOf: announcement.policyID)
        case .given(let signal): signal.thingID
        }
    }

    var path: JSONPointer {
        switch self {
        case .event(_, let event): event.path
        case .live(let signal): signal.path
        case .announcement: .root
        case .given(let signal): signal.envelope.path
        }
    }

    var value: JSONText? {
        switch self {
        case .event(_, let event): event.value
        case .live(let signal): signal.value
        case .announcement(let announcement): announcement.envelope.value
        case .given(let signal): signal.envelope.value
        }
    }

    var topic: TopicPath {
        switch self {
        case .event(_, let event): event.topic
        case .live(let signal): signal.topic
        case .announcement(let announcement): announcement.envelope.topic
        case .given(let signal): signal.envelope.topic
        }
    }

    /// The headers as subscribers get them.
    var headers: DittoHeaders {
        switch self {
        case .event(let change, _): change.eventHeaders
        case .live(let signal): signal.headers
        case .announcement(let announcement): announcement.envelope.headers
        case .given(let signal): signal.envelope.headers
        }
    }

    var correlationID: String? {
        switch self {
        case .event(let change, _): change.headers.correlationID
        case .live(let signal): signal.correlationID
        case .announcement(let announcement): announcement.correlationID
        case .given(let signal): signal.envelope.headers.correlationID
        }
    }

    var originator: String? {
        switch self {
        case .event(let change, _): change.originator
        case .live(let signal): signal.originator
        case .announcement: nil
        case .given(let signal): signal.envelope.headers.text(.originator)
        }
    }

    var channel: TopicPath.Channel {
        switch self {
        case .event, .announcement: .twin
        case .live: .live
        case .given(let signal): signal.kind == .twinEvents ? .twin : .live
        }
    }

    /// Whether it is of a thing or of a policy.
    var group: TopicPath.Group {
        if case .announcement = self { .policies } else { .things }
    }

    /// What it is of, as logs show it.
    var entityType: String { group.entityType }

    /// When the event was made, in nanoseconds of the monotonic clock; 0 where that is not known.
    var madeAt: UInt64 {
        switch self {
        case .event(let change, _): change.madeAt
        case .live, .announcement, .given: 0
        }
    }

    /// The custom acknowledgements that somebody waits for.
    var requestedAcks: [AckLabel] {
        switch self {
        case .event(let change, _):
            return Self.customAcks(change.headers)
        case .live(let signal): return signal.requestedAcks
        case .announcement(let announcement): return announcement.requestedAcks
        case .given(let signal): return Self.customAcks(signal.envelope.headers)
        }
    }

    private static func customAcks(_ headers: DittoHeaders) -> [AckLabel] {
        guard headers[.requestedAcks] != nil else { return [] }
        // Whoever asked wrongly was told so when he asked; what is left over here asks nobody for anything.
        return ((try? headers.requestedAcks) ?? []).filter { !$0.isBuiltIn }
    }

    /// Whether its sender waits for the answer of a device.
    var awaitsLiveResponse: Bool {
        switch self {
        case .event, .announcement: false
        case .live(let signal): signal.kind != .liveEvents && signal.headers.isResponseRequired
        case .given(let signal):
            [.liveCommands, .liveMessages].contains(signal.kind) && signal.envelope.headers.isResponseRequired
        }
    }

    /// The envelope of whoever may see everything, as bytes; made once for all targets.
    var bytes: [UInt8] {
        switch self {
        case .event(let change, let event): change.envelopeBytes(of: event)
        case .live(let signal): signal.envelopeBytes
        case .announcement(let announcement): announcement.bytes
        case .given(let signal): signal.envelope.bytes
        }
    }

    var envelope: Envelope {
        switch self {
        case .event(let change, let event): event.envelope(headers: change.eventHeaders)
        case .live(let signal): signal.envelope
        case .announcement(let announcement): announcement.envelope
        case .given(let signal): signal.envelope
        }
    }

    /// What a target with these subjects may see (spec/connectivity.md §3.3, steps 3a and 5).
    func view(for reader: AuthorizationContext) -> SignalView {
        switch self {
        case .live(let signal): signal.view(for: reader)
        case .given: .full
        // Whoever leaves is told; no permission has to do with it (spec/policies-search.md A.9.2).
        case .announcement(let announcement): announcement.isMeant(for: reader) ? .full : .none
        case .event(let change, let event): change.view(of: event, for: reader)
        }
    }

    /// The value as far as a target with these subjects may see it.
    func readableValue(for reader: AuthorizationContext) -> JSONText? {
        switch view(for: reader) {
        case .full: value
        case .part(let part): part.value
        case .none: nil
        }
    }

    /// The envelope with the part of the value that was seen, as bytes; made once for all who see the same.
    func bytes(_ part: SignalPart) -> [UInt8] {
        switch self {
        case .event(let change, let event): change.envelopeBytes(of: event, part)
        case .live(let signal): signal.envelopeBytes(part)
        case .given(let signal): signal.envelope.bytes
        case .announcement(let announcement): announcement.envelope.bytes
        }
    }

    /// The signal as a partial thing: its id, revision and time, and the value at its path (policies-search.md B.3).
    /// Messages say nothing about their thing.
    func changedPart(_ value: JSONValue?) -> JSONValue {
        var thing = JSONValue.object(JSONObject())
        if let value, kind != .liveMessages, group == .things {
            if path.isRoot { thing = value } else { thing.set(value, at: path) }
        }
        guard var object = thing.object, group == .things else { return thing }
        object["thingId"] = .string(thingID.text)
        object["_namespace"] = .string(thingID.namespace)
        if case .event(_, let event) = self {
            object["_revision"] = .number(JSONNumber(event.revision))
            object["_modified"] = .string(event.timestamp.iso8601)
        }
        if case .given(let signal) = self {
            if let revision = signal.envelope.revision { object["_revision"] = .number(JSONNumber(revision)) }
            if let timestamp = signal.envelope.timestamp { object["_modified"] = .string(timestamp) }
        }
        return .object(object)
    }

    /// Resolves placeholders of the signal.
    /// - Parameters:
    ///   - value: what the target may see of the value.
    ///   - thing: the signal merged with its extra fields, where there are any.
    func resolver(
        _ connectionID: ConnectionID, _ now: Timestamp, value: JSONText?, thing: JSONValue? = .none
    ) -> SignalResolver {
        var resolver = SignalResolver(connectionID: connectionID, now: now)
        let headers = headers
        resolver.header = { name in headers[name].map { $0.string ?? $0.text } }
        if case .announcement(let announcement) = self {
            resolver.policyID = announcement.policyID
        } else {
            resolver.thingID = thingID
        }
        resolver.topic = topic
        resolver.path = path
        resolver.value = value
        resolver.thing = thing
        if let originator { resolver.subjects = [originator] }
        return resolver
    }
}

extension TopicPath.Group {
    /// What an entity of the group is, as logs show it.
    var entityType: String {
        switch self {
        case .things: "thing"
        case .policies: "policy"
        case .connections: "connection"
        }
    }
}
