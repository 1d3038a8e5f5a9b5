// The methods that sessions send. Each returns once it is in the socket; answers come as events of the channel.
import CRabbitMQ

extension RabbitMQConnection {
    /// Calls `body` with text as the library wants it; the bytes live until it returns.
    private func with<Result>(_ text: String, _ body: (amqp_bytes_t) -> Result) -> Result {
        var text = text
        return text.withUTF8 {
            body(amqp_bytes_t(len: $0.count, bytes: UnsafeMutableRawPointer(mutating: $0.baseAddress)))
        }
    }

    /// Opens a channel.
    func openChannel(_ channel: UInt16) -> RabbitMQStatus {
        send(AMQP_CHANNEL_OPEN_METHOD, channel: channel, amqp_channel_open_t(out_of_band: amqp_empty_bytes))
    }

    /// Agrees that the broker has closed a channel.
    func confirmChannelClose(_ channel: UInt16) -> RabbitMQStatus {
        send(AMQP_CHANNEL_CLOSE_OK_METHOD, channel: channel, amqp_channel_close_ok_t())
    }

    /// Agrees that the broker has closed the connection.
    func confirmClose() -> RabbitMQStatus {
        send(AMQP_CONNECTION_CLOSE_OK_METHOD, channel: 0, amqp_connection_close_ok_t())
    }

    /// Asks for the most unacknowledged messages per consumer that is made later.
    func limitPrefetch(_ count: UInt16, channel: UInt16) -> RabbitMQStatus {
        send(
            AMQP_BASIC_QOS_METHOD, channel: channel,
            amqp_basic_qos_t(prefetch_size: 0, prefetch_count: count, global: 0))
    }

    /// Asks whether a queue exists: else the broker closes the channel.
    func checkQueue(_ name: String, channel: UInt16) -> RabbitMQStatus {
        with(name) { name in
            var declare = amqp_queue_declare_t()
            declare.queue = name
            declare.passive = 1
            declare.arguments = amqp_empty_table
            return send(AMQP_QUEUE_DECLARE_METHOD, channel: channel, declare)
        }
    }

    /// Asks whether an exchange exists: else the broker closes the channel.
    func checkExchange(_ name: String, channel: UInt16) -> RabbitMQStatus {
        with(name) { name in
            var declare = amqp_exchange_declare_t()
            declare.exchange = name
            declare.type = amqp_empty_bytes
            declare.passive = 1
            declare.arguments = amqp_empty_table
            return send(AMQP_EXCHANGE_DECLARE_METHOD, channel: channel, declare)
        }
    }

    /// Consumes a queue; its messages come with the number `consumer`.
    func consume(_ queue: String, consumer: Int, channel: UInt16) -> RabbitMQStatus {
        with(queue) { queue in
            with(String(consumer)) { tag in
                var consume = amqp_basic_consume_t()
                consume.queue = queue
                consume.consumer_tag = tag
                consume.arguments = amqp_empty_table
                return send(AMQP_BASIC_CONSUME_METHOD, channel: channel, consume)
            }
        }
    }

    /// Acknowledges every message up to one.
    func acknowledge(upTo tag: UInt64, channel: UInt16) -> RabbitMQStatus {
        send(AMQP_BASIC_ACK_METHOD, channel: channel, amqp_basic_ack_t(delivery_tag: tag, multiple: 1))
    }

    /// Asks for a confirmation of every message from now on.
    func selectConfirms(channel: UInt16) -> RabbitMQStatus {
        send(AMQP_CONFIRM_SELECT_METHOD, channel: channel, amqp_confirm_select_t(nowait: 0))
    }

    /// Begins a message: who gets it.
    func beginMessage(exchange: String, key: String, channel: UInt16) -> RabbitMQStatus {
        with(exchange) { exchange in
            with(key) { key in
                var publish = amqp_basic_publish_t()
                publish.exchange = exchange
                publish.routing_key = key
                publish.mandatory = 1
                return send(AMQP_BASIC_PUBLISH_METHOD, channel: channel, publish)
            }
        }
    }

    /// Goes on with a message: its properties and the length of its body.
    func sendHeader(_ properties: RabbitMQProperties, bodySize: Int, channel: UInt16) -> RabbitMQStatus {
        assertOwner()
        guard let pointer else { return .socketClosed }
        return RabbitMQTable.withProperties(properties) { properties in
            var frame = amqp_frame_t()
            frame.frame_type = UInt8(AMQP_FRAME_HEADER)
            frame.channel = channel
            frame.payload.properties.class_id = UInt16(AMQP_BASIC_CLASS)
            frame.payload.properties.body_size = UInt64(bodySize)
            frame.payload.properties.decoded = UnsafeMutableRawPointer(properties)
            return RabbitMQStatus(rawValue: amqp_send_frame(pointer, &frame))
        }
    }

    /// Goes on with a message: a part of its body, not empty.
    func sendBody(_ part: ArraySlice<UInt8>, channel: UInt16) -> RabbitMQStatus {
        assertOwner()
        guard let pointer else { return .socketClosed }
        return part.withUnsafeBytes { bytes in
            var frame = amqp_frame_t()
            frame.frame_type = UInt8(AMQP_FRAME_BODY)
            frame.channel = channel
            frame.payload.body_fragment = amqp_bytes_t(
                len: bytes.count, bytes: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
            return RabbitMQStatus(rawValue: amqp_send_frame(pointer, &frame))
        }
    }
}
