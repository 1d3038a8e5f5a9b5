// What a consumer has read and not yet settled.
import TwinspanConnections

/// One batch and what is needed to settle it.
final class AMQP091Intake {
    let batch = MessageBatch()
    /// The newest message of the batch: acknowledging it acknowledges all.
    private(set) var lastTag: UInt64 = 0
    private var bytes = 0
    private let limits: (messages: Int, bytes: Int)

    init(limits: (messages: Int, bytes: Int)) { self.limits = limits }

    /// Whether reading has to stop until the batch is settled.
    var isFull: Bool { batch.count >= limits.messages || bytes >= limits.bytes }

    /// Takes a message.
    func receive(_ delivery: RabbitMQConnection.Delivery, of subscription: AMQP091Fields.Subscription) {
        var queue = subscription.queue
        queue.withUTF8 { address in
            delivery.body.withUnsafeBytes { body in
                batch.append(
                    address: UnsafeRawBufferPointer(address), payload: body, source: subscription.source, qos: 0,
                    isRetained: false, headers: delivery.headers,
                    isBinary: delivery.contentType?.hasPrefix("application/octet-stream") == true)
            }
        }
        bytes += queue.utf8.count + delivery.body.count
        lastTag = delivery.tag
    }

    /// Makes it ready for the next batch.
    func removeAll() {
        batch.removeAll()
        bytes = 0
    }
}
