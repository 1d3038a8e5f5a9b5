// What a consumer has drained from its broker in one turn. All bytes stand in one buffer that is used again for the
// next batch, so that a message costs no allocation on its way to the pipeline. Owned by the session's thread.

/// A batch of inbound messages.
public final class MessageBatch {
    /// One message; its ranges point into the batch's `bytes`.
    public struct Message: Sendable {
        /// The address it was sent to; for MQTT the topic.
        public var address: Range<Int>
        public var payload: Range<Int>
        /// Index of the source it belongs to.
        public var source: Int
        public var qos: UInt8
        public var isRetained: Bool
        /// Headers of the transport; empty for MQTT 3.1.1, whose `mqtt.*` headers the pipeline makes when asked.
        public var headers: [(name: String, value: String)]
        /// Whether the transport says that the payload is bytes and no text. Most do not say; then it is both.
        public var isBinary = false
    }

    /// The bytes of all addresses and payloads.
    public private(set) var bytes: [UInt8] = []
    public private(set) var messages: [Message] = []
    /// Where the batch ends in the logs it was read from: at most one entry per partition. They are committed in one
    /// transaction with the effects of the batch. Empty for brokers that keep the place themselves.
    public var positions: [LogPosition] = []

    public init() {}

    public var count: Int { messages.count }
    public var isEmpty: Bool { messages.isEmpty }

    /// Copies a message into the batch. `address` must be UTF-8.
    public func append(
        address: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer, source: Int, qos: UInt8, isRetained: Bool,
        headers: [(name: String, value: String)] = [], isBinary: Bool = false
    ) {
        let addressStart = bytes.count
        bytes.append(contentsOf: address)
        let payloadStart = bytes.count
        bytes.append(contentsOf: payload)
        messages.append(
            Message(
                address: addressStart..<payloadStart, payload: payloadStart..<bytes.count, source: source, qos: qos,
                isRetained: isRetained, headers: headers, isBinary: isBinary))
    }

    /// Empties the batch and keeps its memory, unless one large message has blown it up.
    public func removeAll() {
        let keepsCapacity = bytes.capacity <= 1 << 20
        bytes.removeAll(keepingCapacity: keepsCapacity)
        messages.removeAll(keepingCapacity: true)
        positions.removeAll(keepingCapacity: true)
    }

    /// The address of a message as text.
    public func address(of message: Message) -> String {
        String(decoding: bytes[message.address], as: UTF8.self)
    }
}
