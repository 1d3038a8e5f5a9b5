// Answers to commands that came over a connection (spec/connectivity.md §3.4): mapped, addressed, and put into the
// publisher's queue once what they tell is committed.
import TwinspanConnections
import TwinspanEngine
import TwinspanExpressions
import TwinspanMapping
import TwinspanProtocol

final class ReplyPublisher: Sendable {
    private let queue: OutboundQueue
    private let engine: TwinEngine
    private let counters: ConnectionCounters
    private let mapper = DittoMapper()

    init(queue: OutboundQueue, engine: TwinEngine, counters: ConnectionCounters) {
        self.queue = queue
        self.engine = engine
        self.counters = counters
    }

    /// Queues an answer, after the commit it depends on; a rejected commit swallows it, because the message comes
    /// again.
    func publish(_ answer: Envelope, to target: ReplyTarget, resolver: SignalResolver, after ticket: CommitTicket?) {
        guard let address = target.address.resolve(resolver).first, !address.isEmpty else {
            counters.add(.dropped, .outbound, reason: "reply-address-unresolved")
            return
        }
        let delivery = MQTTDelivery(target.headerMapping, resolver, defaultQoS: 0)
        let signal = OutboundSignal(bytes: answer.bytes, correlationID: answer.headers.correlationID)
        let scene = MappingScene(connectionID: resolver.connectionID, now: resolver.now)
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
