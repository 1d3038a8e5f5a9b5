// One target and one signal: topic and filter → enrichment → READ view → mappers → address → messages, in the order of
// spec/connectivity.md §3.3. It knows neither where signals come from nor what becomes of the messages: the pipeline of
// events calls it, and so can whoever reads events from the journal again.
import TwinspanConnections
import TwinspanEngine
import TwinspanExpressions
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol

/// What a target has made of a signal.
enum TargetFate: Sendable {
    /// The target has no topic of this kind.
    case unsubscribed
    /// No topic admits it.
    case filtered
    /// Nothing of it may be read.
    case denied
    case dropped(Drop)
    /// Messages were made.
    case addressed

    struct Drop: Sendable {
        /// A word of the closed vocabulary of counters.
        var reason: String
        /// What people are told.
        var message: String
        /// Nil when the configuration wants it so.
        var error: TwinspanError?
        /// Whether an acknowledgement that the target issues is a failure; otherwise it is a weak one.
        var isFailureOfAcknowledgement = false
    }
}

/// What one target does with signals. A value: safe from any thread, but its mappers are called by one at a time.
struct TargetDelivery: Sendable {
    let compiled: CompiledTarget
    let connectionID: ConnectionID
    let type: ConnectionType
    /// The labels with which devices behind the connection's sources acknowledge.
    let declaredAcks: Set<AckLabel>
    /// Whether twin events come from the journal (`DurableTarget`) and not with the commits.
    let readsJournal: Bool

    init(_ compiled: CompiledTarget, of connection: Connection) {
        self.compiled = compiled
        connectionID = connection.id
        type = connection.type
        readsJournal = compiled.target.readerName(of: connection.id) != nil
        declaredAcks = Set(connection.sources.flatMap(\.declaredAcks))
    }

    private var target: Target { compiled.target }

    /// Runs a signal through the target and adds its messages to the outbox. One receipt goes with them where several
    /// messages were made, or somebody waits for the acknowledgement that the target issues.
    func deliver(
        _ signal: OutgoingSignal, now: Timestamp, _ source: inout EnrichmentSource, _ outbox: inout [OutboundMessage]
    ) -> TargetFate {
        let topics = compiled.topics(signal.kind)
        guard !topics.isEmpty else { return .unsubscribed }
        let extra: JSONObject?
        switch compiled.choose(
            signal, among: topics, &source, resolver: { signal.resolver(connectionID, now, value: signal.value) },
            readable: { signal.resolver(connectionID, now, value: signal.readableValue(for: compiled.context)) })
        {
        case .none: return .filtered
        case .won(let fields): extra = fields
        case .failed(let error):
            // Who may see nothing of the signal is not told that something failed.
            if case .none = signal.view(for: compiled.context) { return .denied }
            return .dropped(
                TargetFate.Drop(
                    reason: "enrichment", message: error.message, error: error, isFailureOfAcknowledgement: true))
        }
        let value: JSONText?
        var part: SignalPart?
        switch signal.view(for: compiled.context) {
        case .full: value = signal.value
        case .none: return .denied
        case .part(let readable):
            value = readable.value
            part = readable
        }
        let payload = payload(signal, part: part, extra: extra)
        let thing = extra.map { JSONValue.object($0).overlaid(with: signal.changedPart(value?.value)) }
        return send(
            OutboundSignal(bytes: payload, correlationID: signal.correlationID), now: now, queuedAt: signal.madeAt,
            acknowledgement: issuedAcknowledgement(for: signal), sent: sentSignal(signal), &outbox
        ) { signal.resolver(connectionID, now, value: value, thing: thing) }
    }

    /// Maps a serialised signal, addresses what comes of it, and adds it to the outbox.
    func send(
        _ signal: OutboundSignal, now: Timestamp, queuedAt: UInt64,
        acknowledgement: DeliveryReceipt.Acknowledgement? = nil, sent: DeliveryReceipt.SentSignal? = nil,
        _ outbox: inout [OutboundMessage],
        resolver: () -> SignalResolver
    ) -> TargetFate {
        let first = outbox.count
        var addressing: Addressing?
        var drop: TargetFate.Drop?
        compiled.mappers.outbound(
            signal, MappingScene(connectionID: connectionID, now: now), resolver: resolver
        ) { mapper, result in
            let mapped: [MappedMessage]
            switch result {
            case .success(let messages): mapped = messages
            case .failure(let error):
                drop = TargetFate.Drop(
                    reason: "mapping", message: "The mapper <\(mapper)> failed: \(error.message)", error: error)
                return
            }
            for message in mapped {
                let place =
                    addressing
                    ?? Addressing(
                        target.address, target.headerMapping, qos: compiled.qos, type: type, resolver: resolver)
                addressing = place
                switch place.place(message, target: compiled.index, queuedAt: queuedAt) {
                case .message(let message): outbox.append(message)
                case .unresolved: drop = .addressUnresolved
                case .failed(let error):
                    drop = TargetFate.Drop(
                        reason: "illegal-header", message: error.message, error: error,
                        isFailureOfAcknowledgement: true)
                }
            }
        }
        let count = outbox.count - first
        guard count > 0 else { return .dropped(drop ?? .leftOut) }
        if count > 1 || acknowledgement != nil || sent != nil {
            let receipt = DeliveryReceipt(messages: count, acknowledgement: acknowledgement, signal: sent)
            for index in first..<outbox.count { outbox[index].receipt = receipt }
        }
        return .addressed
    }

    /// The acknowledgement that the target issues and somebody waits for (§6.4).
    func issuedAcknowledgement(for signal: OutgoingSignal) -> DeliveryReceipt.Acknowledgement? {
        guard let label = target.issuedAcknowledgementLabel, let correlationID = signal.correlationID else {
            return nil
        }
        let isAsked =
            label == .liveResponse ? signal.awaitsLiveResponse : signal.requestedAcks.contains(label)
        guard isAsked else { return nil }
        return DeliveryReceipt.Acknowledgement(
            label: label, thingID: signal.thingID, channel: signal.channel, correlationID: correlationID,
            group: signal.group)
    }

    /// What an answer to the signal is judged by; only endpoints answer.
    func sentSignal(_ signal: OutgoingSignal) -> DeliveryReceipt.SentSignal? {
        guard type == .httpPush, let correlationID = signal.correlationID else { return nil }
        let content: DeliveryReceipt.SentSignal.Content
        switch signal {
        case .live(let live):
            switch live.content {
            case .message(let message): content = .message(message)
            case .command: content = .liveCommand
            case .event: content = .event
            }
        case .event, .announcement, .given: content = .event
        }
        return DeliveryReceipt.SentSignal(
            content: content, thingID: signal.thingID, correlationID: correlationID, headers: signal.headers)
    }

    /// What goes to the mappers: the signal in its readable part, with its extra fields.
    func payload(_ signal: OutgoingSignal, part: SignalPart?, extra: JSONObject?) -> [UInt8] {
        var labels: [AckLabel]?
        if target.issuedAcknowledgementLabel != nil {
            // Others see only what they can answer: labels of the devices behind this connection.
            let requested = signal.requestedAcks
            let kept = requested.filter { declaredAcks.contains($0) && $0 != target.issuedAcknowledgementLabel }
            if kept != requested { labels = kept }
        }
        if extra == nil, labels == nil { return part.map { signal.bytes($0) } ?? signal.bytes }
        var envelope = signal.envelope
        if let part { envelope.value = part.value }
        if let extra { envelope.extra = JSONText(.object(extra)) }
        if let labels {
            if labels.isEmpty {
                envelope.headers[.requestedAcks] = .none
            } else {
                envelope.headers[.requestedAcks] = .array(labels.map { .string($0.text) })
            }
        }
        return envelope.bytes
    }
}

extension TargetFate.Drop {
    static let addressUnresolved = TargetFate.Drop(
        reason: "address-unresolved", message: "Signal dropped, target address unresolved")
    static let leftOut = TargetFate.Drop(
        reason: "mapper", message: "The payload mapping has made nothing of the signal; it is dropped.")
}
