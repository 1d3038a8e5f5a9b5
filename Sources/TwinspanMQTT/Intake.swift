// Where the message callback puts what it is given: finds the sources whose filter admits the topic and copies the
// message into the batch. Confined to the consumer's thread; nothing here allocates per message once the batch has
// grown.
import TwinspanConnections

/// Fills the batch of a consumer.
final class Intake {
    /// The batch of the present turn, used again for every batch.
    let batch = MessageBatch()
    /// Bytes of all PUBLISH packets received so far, as they came over the wire but for the properties of MQTT 5.
    private(set) var bytesOnWire = 0

    private let filters: [(source: Int, filter: MQTTTopicFilter)]
    private let limits: (messages: Int, bytes: Int)
    private var batchBytes = 0
    private var unmatchedTopic: String?
    private var hasReportedUnmatched = false

    init(subscriptions: [MQTTFields.Subscription], limits: (messages: Int, bytes: Int)) {
        filters = subscriptions.enumerated().flatMap { source, subscription in
            subscription.filters.compactMap { MQTTTopicFilter($0).map { (source, $0) } }
        }
        self.limits = limits
    }

    /// Whether reading has to stop until the batch is settled.
    var isFull: Bool { batch.count >= limits.messages || batchBytes >= limits.bytes }

    /// Takes a message for every source that admits it, once per source. One that no source admits is left over from
    /// the session's earlier subscriptions: it is acknowledged with the batch and forgotten.
    func receive(
        topic: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer, qos: UInt8, isRetained: Bool,
        headers: [(name: String, value: String)] = []
    ) {
        bytesOnWire += Intake.packetLength(topic: topic.count, payload: payload.count, qos: qos)
        var taken = -1
        for (source, filter) in filters where source != taken && filter.admits(topic) {
            batch.append(
                address: topic, payload: payload, source: source, qos: qos, isRetained: isRetained, headers: headers)
            batchBytes += topic.count + payload.count
            for header in headers { batchBytes += header.name.utf8.count + header.value.utf8.count }
            taken = source
        }
        if taken < 0, !hasReportedUnmatched {
            hasReportedUnmatched = true
            unmatchedTopic = String(decoding: topic, as: UTF8.self)
        }
    }

    /// The topic of the first message that matched no source, once.
    func takeUnmatchedTopic() -> String? { unmatchedTopic.take() }

    /// Makes the batch ready for the next turn.
    func removeAll() {
        batch.removeAll()
        batchBytes = 0
    }

    /// Length of a PUBLISH packet: header, remaining length, topic, packet id and payload.
    static func packetLength(topic: Int, payload: Int, qos: UInt8) -> Int {
        let body = 2 + topic + (qos > 0 ? 2 : 0) + payload
        var lengthBytes = 1
        var rest = body >> 7
        while rest > 0 {
            lengthBytes += 1
            rest >>= 7
        }
        return 1 + lengthBytes + body
    }
}
