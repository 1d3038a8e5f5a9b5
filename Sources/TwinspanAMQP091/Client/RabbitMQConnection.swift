// The one owner of a librabbitmq connection. The library has no locks: one thread at a time makes every call. Frames
// are read here one by one and never by `amqp_consume_message`, and after the login no call waits for an answer: a
// method is sent, and its answer comes as an event like any other. So no frame is lost between channels, and no call
// blocks for longer than the socket takes a few kilobytes (the caller polls for POLLOUT first).
import CRabbitMQ
import Glibc
import TwinspanConnections
import TwinspanNetwork

/// A connection of librabbitmq. All methods must be called on the owning thread; ownership moves with `adopt`.
///
/// Unchecked: guarded by the owning thread. Ownership passes only through `AbandonableCall`, whose lock orders the two
/// threads' accesses, and an abandoned connection is owned by that call's thread alone.
final class RabbitMQConnection: @unchecked Sendable {
    /// What is said at login.
    struct Login: Sendable {
        var vhost: String
        var user: String
        var password: Secret
        /// Seconds; never 0, which would take every limit off the library's waiting.
        var heartbeatSeconds: Int
        var frameMaximum: Int
        /// 0 means as many as the broker allows.
        var channelMaximum: Int
        /// For the library's own waiting, up to the end of the login.
        var timeout: Duration
    }

    /// How a login ended.
    enum LoginEnd: Sendable, Equatable {
        case accepted
        case failed(RabbitMQStatus)
        /// The broker said why it closes the connection.
        case closed(code: Int, text: String)
    }

    /// What the broker has sent.
    enum Event: Equatable {
        /// A whole message for a consumer; its parts are in `delivery`.
        case delivered
        /// The answer to a method on a channel.
        case answered(channel: UInt16)
        /// The broker has closed a channel; it can be opened again.
        case channelClosed(channel: UInt16, code: Int, text: String)
        /// The broker ends the connection.
        case closed(code: Int, text: String)
        /// A queue is gone, or moves to another node of the cluster.
        case cancelled(consumer: Int)
        case confirmed(tag: UInt64, isMultiple: Bool, isTaken: Bool)
        /// A published message had no queue.
        case returned(messageID: String, code: Int, text: String)
        /// The broker takes no messages from us for now.
        case blocked(reason: String)
        case unblocked
        /// Nothing that concerns us.
        case other
    }

    /// The parts of the message that has arrived last.
    struct Delivery {
        var consumer = 0
        var tag: UInt64 = 0
        var headers: [(name: String, value: String)] = []
        var contentType: String?
        var body: [UInt8] = []
    }

    private(set) var delivery = Delivery()
    /// As agreed on with the broker.
    private(set) var frameMaximum = 4096
    private(set) var heartbeatSeconds = 1
    /// The socket, for the poll set; -1 while there is none.
    private(set) var descriptor: Int32 = -1

    /// The TLS context of the library's socket; nil without TLS. Stays as long as the connection.
    private(set) var security: TLSContext?
    var pointer: amqp_connection_state_t?
    private var owner = pthread_self()
    /// Bytes of the present message's body that have not come yet, and what it is.
    private var missingBytes = 0
    private var content: Content = .none

    private enum Content {
        case none
        case delivery
        case returned(code: Int, text: String)
    }

    /// Makes a connection owned by the calling thread; nil without memory.
    init?() {
        guard let made = amqp_new_connection() else { return nil }
        pointer = made
    }

    deinit { release() }

    // MARK: Opening

    /// Makes the calling thread the owner. Only right after another thread has handed the connection over.
    func adopt() { owner = pthread_self() }

    /// Uses a connected socket, which it closes in the end.
    func attach(_ socket: Int32) -> RabbitMQStatus {
        assertOwner()
        guard let pointer, let tcp = amqp_tcp_socket_new(pointer) else {
            close(socket)
            return .outOfMemory
        }
        amqp_tcp_socket_set_sockfd(tcp, socket)
        descriptor = socket
        return .success
    }

    /// Connects to an address and makes it secure with a context of its own, which verifies the server. Blocks for at
    /// most `timeout`. On failure `security` may know why.
    func connect(
        address: String, port: Int, settings: TLSSettings, timeout: Duration
    ) throws(TLSMaterialError) -> RabbitMQStatus {
        assertOwner()
        guard let pointer, let secure = amqp_ssl_socket_new(pointer),
            let context = amqp_ssl_socket_get_context(secure)
        else { return .outOfMemory }
        // The library would compare the certificate with the address; the context knows the name that counts.
        amqp_ssl_socket_set_verify_peer(secure, 0)
        amqp_ssl_socket_set_verify_hostname(secure, 0)
        security = try TLSContext(settings, configuring: context)
        var limit = RabbitMQConnection.timeval(timeout)
        let status = RabbitMQStatus(rawValue: amqp_socket_open_noblock(secure, address, Int32(port), &limit))
        if status == .success { descriptor = amqp_socket_get_sockfd(secure) }
        return status
    }

    /// Logs in. Blocks until the broker has answered or `login.timeout` has passed.
    func logIn(_ login: Login) -> LoginEnd {
        assertOwner()
        guard let pointer else { return .failed(.socketClosed) }
        var limit = RabbitMQConnection.timeval(login.timeout)
        amqp_set_handshake_timeout(pointer, &limit)
        amqp_set_rpc_timeout(pointer, &limit)
        let reply = RabbitMQTable.withClientProperties { properties in
            twinspan_amqp_login(
                pointer, login.vhost, Int32(login.channelMaximum), Int32(login.frameMaximum),
                Int32(login.heartbeatSeconds), properties, login.user, login.password.exposed)
        }
        switch reply.reply_type {
        case AMQP_RESPONSE_NORMAL:
            frameMaximum = max(4096, Int(amqp_get_frame_max(pointer)))
            heartbeatSeconds = max(1, Int(amqp_get_heartbeat(pointer)))
            amqp_maybe_release_buffers(pointer)
            return .accepted
        case AMQP_RESPONSE_SERVER_EXCEPTION:
            guard reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD, let decoded = reply.reply.decoded else {
                return .failed(.unexpectedState)
            }
            let answer = decoded.assumingMemoryBound(to: amqp_connection_close_t.self).pointee
            return .closed(code: Int(answer.reply_code), text: String(answer.reply_text))
        default: return .failed(RabbitMQStatus(rawValue: reply.library_error))
        }
    }

    // MARK: Reading

    /// Whether something may be read although the socket has nothing.
    var hasBufferedInput: Bool {
        assertOwner()
        guard let pointer else { return false }
        return amqp_frames_enqueued(pointer) != 0 || amqp_data_in_buffer(pointer) != 0
    }

    /// Reads one frame without waiting, and sends a heartbeat when one is due and nothing waits. Nil, with
    /// `status` `.timeout`, once everything has been read; nil with any other status: the connection is of no use.
    func next(_ status: inout RabbitMQStatus) -> Event? {
        assertOwner()
        guard let pointer else {
            status = .socketClosed
            return nil
        }
        var frame = amqp_frame_t()
        var none = Glibc.timeval(tv_sec: 0, tv_usec: 0)
        status = RabbitMQStatus(rawValue: amqp_simple_wait_frame_noblock(pointer, &frame, &none))
        guard status == .success else { return nil }
        let event: Event
        switch Int32(frame.frame_type) {
        case AMQP_FRAME_METHOD: event = method(frame.payload.method, channel: frame.channel)
        case AMQP_FRAME_HEADER: event = header(frame)
        case AMQP_FRAME_BODY: event = body(frame.payload.body_fragment)
        default: event = .other
        }
        // Buffers of a message are kept until it is whole; those of everything else go at once.
        if missingBytes == 0, isBetweenMessages { amqp_maybe_release_buffers_on_channel(pointer, frame.channel) }
        return event
    }

    private var isBetweenMessages: Bool {
        if case .none = content { return true }
        return false
    }

    private func method(_ method: amqp_method_t, channel: UInt16) -> Event {
        guard let decoded = method.decoded else { return .other }
        switch method.id {
        case AMQP_BASIC_DELIVER_METHOD:
            let deliver = decoded.assumingMemoryBound(to: amqp_basic_deliver_t.self).pointee
            delivery.tag = deliver.delivery_tag
            delivery.consumer = Int(String(deliver.consumer_tag)) ?? -1
            content = .delivery
            return .other
        case AMQP_BASIC_RETURN_METHOD:
            let returned = decoded.assumingMemoryBound(to: amqp_basic_return_t.self).pointee
            content = .returned(code: Int(returned.reply_code), text: String(returned.reply_text))
            return .other
        case AMQP_BASIC_ACK_METHOD:
            let ack = decoded.assumingMemoryBound(to: amqp_basic_ack_t.self).pointee
            return .confirmed(tag: ack.delivery_tag, isMultiple: ack.multiple != 0, isTaken: true)
        case AMQP_BASIC_NACK_METHOD:
            let nack = decoded.assumingMemoryBound(to: amqp_basic_nack_t.self).pointee
            return .confirmed(tag: nack.delivery_tag, isMultiple: nack.multiple != 0, isTaken: false)
        case AMQP_BASIC_CANCEL_METHOD:
            let cancel = decoded.assumingMemoryBound(to: amqp_basic_cancel_t.self).pointee
            return .cancelled(consumer: Int(String(cancel.consumer_tag)) ?? -1)
        case AMQP_CHANNEL_CLOSE_METHOD:
            let end = decoded.assumingMemoryBound(to: amqp_channel_close_t.self).pointee
            content = .none
            missingBytes = 0
            return .channelClosed(channel: channel, code: Int(end.reply_code), text: String(end.reply_text))
        case AMQP_CONNECTION_CLOSE_METHOD:
            let end = decoded.assumingMemoryBound(to: amqp_connection_close_t.self).pointee
            return .closed(code: Int(end.reply_code), text: String(end.reply_text))
        case AMQP_CONNECTION_BLOCKED_METHOD:
            let blocked = decoded.assumingMemoryBound(to: amqp_connection_blocked_t.self).pointee
            return .blocked(reason: String(blocked.reason))
        case AMQP_CONNECTION_UNBLOCKED_METHOD: return .unblocked
        case AMQP_CHANNEL_OPEN_OK_METHOD, AMQP_QUEUE_DECLARE_OK_METHOD, AMQP_EXCHANGE_DECLARE_OK_METHOD,
            AMQP_BASIC_QOS_OK_METHOD, AMQP_BASIC_CONSUME_OK_METHOD, AMQP_CONFIRM_SELECT_OK_METHOD:
            return .answered(channel: channel)
        default: return .other
        }
    }

    private func header(_ frame: amqp_frame_t) -> Event {
        let size = frame.payload.properties.body_size
        missingBytes = Int(clamping: size)
        let properties = frame.payload.properties.decoded?.assumingMemoryBound(to: amqp_basic_properties_t.self).pointee
        if case .delivery = content {
            delivery.body.removeAll(keepingCapacity: delivery.body.capacity <= 1 << 20)
            delivery.headers.removeAll(keepingCapacity: true)
            delivery.contentType = nil
            if let properties { RabbitMQTable.read(properties, into: &delivery) }
        }
        if case .returned(let code, let text) = content {
            content = .returned(code: code, text: text)
            returnedID = properties.map { String($0.message_id) } ?? ""
        }
        return missingBytes == 0 ? whole() : .other
    }

    /// The id of the message that is being given back.
    private var returnedID = ""

    private func body(_ fragment: amqp_bytes_t) -> Event {
        if case .delivery = content {
            delivery.body.append(contentsOf: UnsafeRawBufferPointer(start: fragment.bytes, count: fragment.len))
        }
        missingBytes = max(0, missingBytes - fragment.len)
        return missingBytes == 0 ? whole() : .other
    }

    private func whole() -> Event {
        defer { content = .none }
        switch content {
        case .none: return .other
        case .delivery: return .delivered
        case .returned(let code, let text): return .returned(messageID: returnedID, code: code, text: text)
        }
    }

    // MARK: Sending

    /// Whether the socket takes more without waiting.
    var isWritable: Bool {
        var socket = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        return poll(&socket, 1, 0) > 0 && socket.revents & Int16(POLLOUT) != 0
    }

    /// Lets the system keep what is written until `isOn` is false again, so that the many small frames of a turn leave
    /// in few packets.
    func cork(_ isOn: Bool) {
        guard descriptor >= 0 else { return }
        var value: Int32 = isOn ? 1 : 0
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_CORK, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Sends a method whose fields live until `body` returns.
    func send<Method>(_ id: UInt32, channel: UInt16, _ method: Method) -> RabbitMQStatus {
        assertOwner()
        guard let pointer else { return .socketClosed }
        return withUnsafePointer(to: method) { field in
            RabbitMQStatus(
                rawValue: amqp_send_method(pointer, channel, id, UnsafeMutableRawPointer(mutating: field)))
        }
    }

    /// Sends a heartbeat now, past the library's own schedule.
    func sendHeartbeat() -> RabbitMQStatus {
        assertOwner()
        guard let pointer else { return .socketClosed }
        var frame = amqp_frame_t()
        frame.frame_type = UInt8(AMQP_FRAME_HEARTBEAT)
        return RabbitMQStatus(rawValue: amqp_send_frame(pointer, &frame))
    }

    // MARK: Closing

    /// Says goodbye and closes, within a second or by `deadline`.
    func sayGoodbye(until deadline: Deadline) {
        assertOwner()
        if let pointer, !deadline.hasPassed, isWritable {
            var limit = RabbitMQConnection.timeval(min(deadline.remaining, .seconds(1)))
            amqp_set_rpc_timeout(pointer, &limit)
            // Whatever it answers, the connection ends.
            _ = amqp_connection_close(pointer, AMQP_REPLY_SUCCESS)
        }
        release()
    }

    /// Closes without a word: the broker gives what was not acknowledged to others. Never blocks.
    func release() {
        if let pointer { amqp_destroy_connection(pointer) }
        pointer = nil
        descriptor = -1
    }

    func assertOwner() {
        assert(pthread_equal(owner, pthread_self()) != 0, "a connection was used off its owning thread")
    }

    private static func timeval(_ duration: Duration) -> Glibc.timeval {
        let (seconds, attoseconds) = duration.components
        // Nothing at all would be taken for no limit.
        let microseconds = seconds == 0 ? max(1000, attoseconds / 1_000_000_000_000) : attoseconds / 1_000_000_000_000
        return Glibc.timeval(tv_sec: Int(seconds), tv_usec: Int(microseconds))
    }
}

extension String {
    /// Text of the broker; what is no UTF-8 in it is replaced.
    init(_ bytes: amqp_bytes_t) {
        self.init(decoding: UnsafeRawBufferPointer(start: bytes.bytes, count: bytes.len), as: UTF8.self)
    }
}
