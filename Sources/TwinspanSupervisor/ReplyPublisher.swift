// Answers to commands that came over a connection (spec/connectivity.md §3.4): mapped, addressed, and put into the
// publisher's queue once what they tell is committed.
import TwinspanConnections
import TwinspanEngine
import TwinspanExpressions
import TwinspanJSON
import TwinspanMapping
import TwinspanProtocol

/// An answer to a command that came over the connection.
struct Answer: Sendable {
    var envelope: Envelope
    var type: ReplyTarget.ResponseType
    /// Index of the source the command came from.
    var source: Int
    /// The mapper that made the command; the answer goes through the same one.
    var mapper: String?
    /// Headers of the command: an answer that does not echo one is given it.
    var commandHeaders: DittoHeaders
}

final class ReplyPublisher: Sendable {
    private let connection: Connection
    private let queue: OutboundQueue
    private let engine: TwinEngine
    private let counters: ConnectionCounters
    private let recorder: ConnectionRecorder
    private let clock: any EngineClock
    private let mapper = DittoMapper()

    init(
        connection: Connection, queue: OutboundQueue, engine: TwinEngine, clock: any EngineClock,
        counters: ConnectionCounters, recorder: ConnectionRecorder
    ) {
        self.connection = connection
        self.queue = queue
        self.engine = engine
        self.clock = clock
        self.counters = counters
        self.recorder = recorder
    }

    /// Whether answers of this type to commands of this source are sent.
    func takes(_ type: ReplyTarget.ResponseType, source: Int) -> Bool {
        guard let target = connection.sources[source].replyTarget, target.isEnabled else { return false }
        return target.expectedResponseTypes.contains(type)
    }

    /// Queues an answer, after the commit it depends on; a rejected commit swallows it, because the message comes
    /// again.
    func publish(_ answer: Answer, after ticket: CommitTicket?) {
        guard let target = connection.sources[answer.source].replyTarget, target.isEnabled,
            target.expectedResponseTypes.contains(answer.type)
        else { return }
        let resolver = resolver(answer)
        guard let address = target.address.resolve(resolver).first, !address.isEmpty else {
            counters.add(.dropped, .outbound, reason: "reply-address-unresolved")
            return
        }
        let delivery = MQTTDelivery(target.headerMapping, resolver, defaultQoS: 0)
        let signal = OutboundSignal(
            bytes: answer.envelope.bytes, correlationID: answer.envelope.headers.correlationID)
        let scene = MappingScene(connectionID: connection.id, now: resolver.now)
        for mapped in mapper.outbound(signal, scene) {
            let message = OutboundMessage(
                address: delivery.topic ?? address, payload: mapped.payload, qos: delivery.qos,
                isRetained: delivery.isRetained, headers: mapped.headers, target: nil, queuedAt: 0)
            guard let ticket else {
                offer(message)
                continue
            }
            engine.gate.whenKnown(ticket) { [self] outcome in
                if outcome == .committed { offer(message) }
            }
        }
    }

    private func resolver(_ answer: Answer) -> SignalResolver {
        var resolver = SignalResolver(connectionID: connection.id, now: clock.now)
        let headers = answer.envelope.headers
        let command = answer.commandHeaders
        resolver.header = { name in headers[name].map { $0.string ?? $0.text } ?? command[name]?.string }
        resolver.topic = answer.envelope.topic
        resolver.path = answer.envelope.path
        // An answer may concern no thing; then the placeholders of things stay without value.
        resolver.thingID = try? ThingID(answer.envelope.topic.entityID)
        return resolver
    }

    private func offer(_ message: OutboundMessage) {
        if queue.offer(message) {
            counters.add(.replied)
        } else {
            counters.add(.dropped, .outbound, reason: "reply-queue-full")
        }
    }
}

/// The delivery settings that a header mapping of MQTT 3.1.1 can change (spec/connectivity-bindings.md §1.6).
struct MQTTDelivery {
    var topic: String?
    var qos: UInt8
    var isRetained = false

    init(_ mappings: [HeaderMapping], _ resolver: SignalResolver, defaultQoS: UInt8) {
        qos = defaultQoS
        for mapping in mappings {
            guard let value = mapping.template.resolve(resolver).first else { continue }
            switch mapping.name {
            case "mqtt.topic": topic = value
            case "mqtt.qos": qos = UInt8(value).map { min($0, 2) } ?? defaultQoS
            case "mqtt.retain": isRetained = value.lowercased() == "true"
            default: break
            }
        }
    }
}
