// What came with a message's payload. Address and headers become text when somebody asks for them: of most messages
// nobody does.
import TwinspanConnections
import TwinspanMapping

/// The headers of one message's transport. Valid as long as its batch is.
struct TransportHeaders {
    let message: MessageBatch.Message
    let batch: MessageBatch
    /// Whether the transport has the headers `mqtt.*`.
    let isMQTT: Bool
    /// The address where it was made text of beforehand, because several stages need it.
    let knownAddress: String?

    init(_ message: MessageBatch.Message, in batch: MessageBatch, isMQTT: Bool, readsAddress: Bool) {
        self.message = message
        self.batch = batch
        self.isMQTT = isMQTT
        knownAddress = readsAddress ? batch.address(of: message) : nil
    }

    var address: String { knownAddress ?? batch.address(of: message) }

    /// For the mappers. Without a known address nobody reads the headers of MQTT.
    var external: ExternalHeaders {
        let mqtt = ExternalHeaders.MQTT(
            topic: knownAddress ?? "", qos: message.qos, isRetained: message.isRetained)
        return ExternalHeaders(message.headers, mqtt: isMQTT ? mqtt : nil)
    }

    /// The value of a header by its lower-case name.
    func value(_ name: String) -> String? {
        if isMQTT {
            switch name {
            case "mqtt.topic": return address
            case "mqtt.qos": return String(message.qos)
            case "mqtt.retain": return message.isRetained ? "true" : "false"
            default: break
            }
        }
        return message.headers.isEmpty ? nil : message.headers.first { $0.name.lowercased() == name }?.value
    }
}
