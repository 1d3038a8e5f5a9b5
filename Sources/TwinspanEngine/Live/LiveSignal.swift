// A message, live command or live event on its way to the subscribers. A class: made once, handed on by reference, and
// serialised once however many subscribers get it.
import Synchronization
public import TwinspanJSON
public import TwinspanPolicies
public import TwinspanProtocol

/// A change that a device tells of without the twin changing (spec/protocol.md §7.3).
public struct LiveEvent: Sendable {
    public var thingID: ThingID
    public var action: ThingEvent.Action
    public var path: JSONPointer
    /// Nil for deletions.
    public var value: JSONText?
    public var headers: DittoHeaders
    /// As the sender gave them; nothing is made up for what he left out.
    public var revision: Int64?
    public var timestamp: String?

    public init(
        thingID: ThingID, action: ThingEvent.Action, path: JSONPointer, value: JSONText? = nil,
        headers: DittoHeaders = DittoHeaders(), revision: Int64? = nil, timestamp: String? = nil
    ) {
        self.thingID = thingID
        self.action = action
        self.path = path
        self.value = value
        self.headers = headers
        self.revision = revision
        self.timestamp = timestamp
    }
}

/// What a subscriber of the live channel can ask for.
public enum LiveKind: Sendable, Hashable, CaseIterable { case messages, liveCommands, liveEvents }

/// A signal of the live channel that its sender was allowed to send.
public final class LiveSignal: Sendable {
    public enum Content: Sendable {
        case message(Message)
        case command(ThingCommand)
        case event(LiveEvent)
    }

    public let content: Content
    /// As subscribers get them: correlation id, `response-required`, custom `requested-acks`, originator, and the
    /// `ditto-message-*` headers of messages.
    public let headers: DittoHeaders
    /// Unique among the signals of its thing that wait for answers.
    public let correlationID: String
    /// The labels that subscribers may acknowledge.
    public let requestedAcks: [AckLabel]
    /// Who sent it.
    public let originator: String?
    /// Where it came in; it is not sent back there.
    public let origin: ConnectionID?
    /// The policy of its thing as it was when the signal was sent.
    public let enforcer: PolicyEnforcer
    private let serialised = Mutex<[UInt8]?>(nil)
    /// The views of those who may read a part.
    let views = Mutex(SignalViews())

    init(
        _ content: Content, correlationID: String, terms: LiveTerms, sender: AuthorizationContext,
        origin: ConnectionID?, enforcer: PolicyEnforcer
    ) {
        self.content = content
        self.correlationID = correlationID
        requestedAcks = terms.customAcks
        originator = sender.originator
        self.origin = origin
        self.enforcer = enforcer
        headers = Self.delivered(content, correlationID, terms, sender.originator)
    }

    public var kind: LiveKind {
        switch content {
        case .message: .messages
        case .command: .liveCommands
        case .event: .liveEvents
        }
    }

    public var thingID: ThingID {
        switch content {
        case .message(let message): message.thingID
        case .command(let command): command.thingID
        case .event(let event): event.thingID
        }
    }

    public var path: JSONPointer {
        switch content {
        case .message(let message): message.path
        case .command(let command): command.resource.path
        case .event(let event): event.path
        }
    }

    public var value: JSONText? {
        switch content {
        case .message(let message): message.value
        case .command(let command): command.value
        case .event(let event): event.value
        }
    }

    public var topic: TopicPath {
        let criterion: TopicPath.Criterion =
            switch content {
            case .message(let message): .messages(subject: message.subject)
            case .command(let command): .commands(command.action.topicAction)
            case .event(let event): .events(event.action.topicAction)
            }
        return TopicPath(
            namespace: thingID.namespace, name: thingID.name, group: .things, channel: .live, criterion: criterion)
    }

    /// The envelope as it is sent to a subscriber who may see everything.
    public var envelope: Envelope {
        var envelope = Envelope(topic: topic, headers: headers, path: path, value: value)
        switch content {
        case .message(let message): envelope.extra = message.extra
        case .command(let command): envelope.fields = command.fields
        case .event(let event):
            envelope.revision = event.revision
            envelope.timestamp = event.timestamp
        }
        return envelope
    }

    /// The same as bytes, made once.
    public var envelopeBytes: [UInt8] {
        serialised.withLock { cached in
            if let cached { return cached }
            let bytes = envelope.bytes
            cached = bytes
            return bytes
        }
    }

    /// Bytes a queue counts for this signal.
    public var queuedBytes: Int { 256 + (value?.bytes.count ?? 0) }

    /// What a reader gets: all of it, an event in its readable part, or nothing (spec/policies-search.md A.3.2).
    ///
    /// A command that carries a value is delivered whole or not at all: a device that carried out a part of it would
    /// do something nobody has asked for.
    public func view(for reader: AuthorizationContext) -> SignalView {
        let namespace = thingID.namespace
        switch content {
        case .message(let message):
            let mayRead = enforcer.isAllowed(
                .read, .message, message.resourcePath, subjects: reader, namespace: namespace)
            return mayRead ? .full : .none
        case .command(let command) where command.value == nil:
            let mayRead = enforcer.isAllowed(
                .read, .thing, command.resource.path, subjects: reader, namespace: namespace)
            return mayRead ? .full : .none
        case .command(let command):
            let isPatch = command.action == .merge
            guard case .full = view(of: command.value, at: command.resource.path, isPatch, reader) else {
                return .none
            }
            return .full
        case .event(let event):
            return view(of: event.value, at: event.path, event.action == .merged, reader)
        }
    }

    private func view(
        of value: JSONText?, at path: JSONPointer, _ isPatch: Bool, _ reader: AuthorizationContext
    ) -> SignalView {
        switch enforcer.eventReader(at: path, subjects: reader, namespace: thingID.namespace) {
        case .full: return .full
        case .none: return .none
        case .depends(let classes):
            return views.view(for: classes) {
                enforcer.eventView(of: value?.value, at: path, isPatch: isPatch, for: classes)
            }
        }
    }

    /// The envelope with a part of the value as bytes, made once for all who get that part.
    public func envelopeBytes(_ part: SignalPart) -> [UInt8] {
        part.envelopeBytes { value in
            var envelope = envelope
            envelope.value = value
            return envelope.bytes
        }
    }

    private static func delivered(
        _ content: Content, _ correlationID: String, _ terms: LiveTerms, _ originator: String?
    ) -> DittoHeaders {
        var headers: DittoHeaders
        var waits = terms.isResponseRequired
        switch content {
        case .message(let message):
            headers = message.headers.deliveredToOutside()
            headers[.messageDirection] = .string(message.direction == .inbox ? "TO" : "FROM")
            headers[.messageSubject] = .string(message.subject)
            headers[.messageThingID] = .string(message.thingID.text)
            headers[.messageFeatureID] = .none
            if let feature = message.featureID { headers[.messageFeatureID] = .string(feature) }
        case .command(let command):
            headers = command.headers.deliveredToOutside()
            if command.value != nil, headers[.contentType] == nil {
                headers[.contentType] = .string("application/json")
            }
        case .event(let event):
            waits = false
            headers = event.headers.deliveredToOutside()
            let contentType = event.action == .merged ? "application/merge-patch+json" : "application/json"
            headers[.contentType] = event.value == nil ? .none : .string(contentType)
        }
        headers.correlationID = correlationID
        headers[.responseRequired] = .bool(waits)
        RequestedAcks.set(terms.customAcks, in: &headers)
        if let originator { headers[.originator] = .string(originator) }
        return headers
    }
}

/// A signal as one subscriber gets it.
public struct LiveDelivery: Sendable {
    public let signal: LiveSignal
    /// The readable part of an event's value; nil when everything may be read.
    public let part: SignalPart?

    /// The envelope.
    public var envelope: Envelope {
        var envelope = signal.envelope
        if let part { envelope.value = part.value }
        return envelope
    }

    /// The envelope as bytes, made once for all subscribers that get the same.
    public var bytes: [UInt8] { part.map { signal.envelopeBytes($0) } ?? signal.envelopeBytes }
}
