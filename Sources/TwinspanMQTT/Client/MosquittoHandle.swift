// The one owner of a libmosquitto handle. The library's thread rule (mosquitto.h, "Threads"): it is thread safe except
// for `mosquitto_lib_init`, and `mosquitto_threaded_set` is required when the application brings its own threads. Its
// source reads some fields without a lock, so our rule is stricter: one thread at a time owns a handle and makes every
// call, publish included. Others only wake that thread. Never used here: `mosquitto_loop`, `_loop_forever`,
// `_loop_start`, which would write acknowledgements when they like (design §3, settlement).
//
// After every call the caller asks `isOpen`; the library's disconnect callback comes 0, 1 or 2 times and is not used.
import CMosquitto
import Glibc
import TwinspanConnections
import TwinspanNetwork

/// A client handle of libmosquitto. All methods must be called on the owning thread; ownership moves with `adopt`.
///
/// Unchecked: guarded by the owning thread. Ownership passes only through `AbandonableCall`, whose lock orders the two
/// threads' accesses, and an abandoned handle is owned by that call's thread alone.
final class MosquittoHandle: @unchecked Sendable {
    /// What a handle needs to know before it connects; the library copies its quotas then.
    struct Options: Sendable {
        var version: MQTTFields.Version
        /// Empty asks the broker for an id, which needs a clean session.
        var clientID: String
        var isCleanSession: Bool
        var user: String?
        var password: String?
        var will: Will?
        /// Nil for a plain connection.
        var tls: TLSContext?
        /// The most unconfirmed QoS 1 and 2 messages on the wire.
        var sendMaximum: Int
        /// The most QoS 1 and 2 messages a broker sends before we acknowledge one. MQTT 5 only.
        var receiveMaximum: Int
        /// How long the broker keeps the session when the connection is gone; `UInt32.max` is for ever. MQTT 5 only:
        /// with 3.1.1 a session that is not clean is kept for ever.
        var sessionExpirySeconds: UInt32
    }

    /// The message a broker sends in our place when we vanish.
    struct Will: Sendable, Equatable {
        var topic: String
        var message: String
        var qos: UInt8
        var isRetained: Bool
    }

    /// The broker's answer to CONNECT.
    struct ConnectAnswer: Equatable {
        /// 0 accepts; 1…5 are the refusals of MQTT 3.1.1, those of MQTT 5 begin at 128.
        var code: Int
        var isSessionPresent: Bool
        /// The broker's words for a refusal.
        var reason: String?
        /// Where the broker sends us instead.
        var otherServer: String?
        /// The keep-alive the broker wants in place of ours; the library has taken it over.
        var keepAliveSeconds: Int?
        /// The session expiry the broker grants in place of ours.
        var sessionExpirySeconds: UInt32?
    }

    /// The broker's answer to one SUBSCRIBE.
    struct SubscribeAnswer: Equatable {
        var id: Int
        /// One per filter: the granted QoS, or 128 and above for a refusal.
        var codes: [Int]
    }

    /// A received message. The buffers are valid during the call only: copy and return.
    typealias Receiver = (
        _ topic: UnsafeRawBufferPointer, _ payload: UnsafeRawBufferPointer, _ qos: UInt8, _ isRetained: Bool,
        _ headers: [(name: String, value: String)]
    ) -> Void

    /// Set by the callbacks, which run inside the methods below on the owning thread.
    private(set) var connectAnswer: ConnectAnswer?
    private var subscribeAnswers: [SubscribeAnswer] = []
    /// The newest error or warning the library has logged; kept until the connection stands.
    private(set) var errorText: String?
    /// The system's error number of the last connect that failed; for messages only.
    private(set) var connectErrorNumber: Int32 = 0
    /// Receives messages inside `read`.
    var receiver: Receiver?
    /// Messages the broker has confirmed or refused (QoS 0: that were written), in order, by their ids and with the
    /// reason code of MQTT 5, else 0. The publisher empties it.
    var confirmations: [(id: Int32, code: Int)] = []
    /// The reason code of the broker's DISCONNECT. MQTT 5 only.
    private(set) var disconnectCode: Int?

    private let version: MQTTFields.Version
    private let sessionExpirySeconds: UInt32
    private var pointer: OpaquePointer?
    private var owner = pthread_self()
    /// Kept: the library only borrows it.
    private let tls: TLSContext?

    /// Makes a handle owned by the calling thread. Throws what the library says to one of the options.
    init(options: Options) throws(MosquittoRefusal) {
        _ = MosquittoHandle.library
        version = options.version
        sessionExpirySeconds = options.sessionExpirySeconds
        tls = options.tls
        let isClean = options.isCleanSession || options.clientID.isEmpty
        pointer =
            options.clientID.isEmpty
            ? mosquitto_new(nil, true, nil) : mosquitto_new(options.clientID, isClean, nil)
        guard let pointer else { throw MosquittoRefusal(code: .outOfMemory, option: "client id") }
        // Unretained: callbacks only run inside methods of this object, and `deinit` destroys the handle.
        mosquitto_user_data_set(pointer, Unmanaged.passUnretained(self).toOpaque())
        mosquitto_threaded_set(pointer, true)
        let isV5 = options.version == .v5
        mosquitto_int_option(pointer, MOSQ_OPT_PROTOCOL_VERSION, Int32(isV5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311))
        mosquitto_int_option(pointer, MOSQ_OPT_SEND_MAXIMUM, Int32(options.sendMaximum))
        if isV5 { mosquitto_int_option(pointer, MOSQ_OPT_RECEIVE_MAXIMUM, Int32(options.receiveMaximum)) }
        mosquitto_int_option(pointer, MOSQ_OPT_TCP_NODELAY, 1)
        // MQTT 5 knows a password without a user.
        if options.user != nil || (isV5 && options.password != nil) {
            try check(mosquitto_username_pw_set(pointer, options.user, options.password), "user name and password")
        }
        if let tls = options.tls { try use(tls, in: pointer) }
        if let will = options.will {
            var message = will.message
            let code = message.withUTF8 {
                mosquitto_will_set(
                    pointer, will.topic, Int32($0.count), $0.baseAddress, Int32(will.qos), will.isRetained)
            }
            try check(code, "last will")
        }
        installCallbacks(on: pointer)
    }

    deinit { release() }

    // MARK: Connection

    /// Makes the calling thread the owner. Only right after another thread has handed the handle over.
    func adopt() { owner = pthread_self() }

    /// Connects and queues CONNECT. Blocks in name resolution and in the system's connect, without a limit of its own.
    func connect(host: String, port: Int, keepAliveSeconds: Int) -> MosquittoCode {
        assertOwner()
        var properties = MosquittoPropertyList()
        if version == .v5 {
            do {
                try properties.add(MosquittoProperty.sessionExpiry, number: sessionExpirySeconds)
                try properties.add(MosquittoProperty.maximumPacketSize, number: UInt32(Self.maximumPacketSize))
            } catch {
                return error.code
            }
        }
        // The library copies the properties.
        let code = mosquitto_connect_bind_v5(
            pointer, host, Int32(port), Int32(keepAliveSeconds), nil, properties.pointer)
        if code != MosquittoCode.success.rawValue { connectErrorNumber = errno }
        return MosquittoCode(rawValue: code)
    }

    /// The largest packet an MQTT 5 broker may send us. It drops larger ones without a word, so the bound is far above
    /// what devices send, and far below what would hurt the process.
    static let maximumPacketSize = 64 << 20

    /// Whether there is a socket. False for ever once the connection is gone.
    var isOpen: Bool { descriptor >= 0 }

    /// The socket, for the poll set; -1 once the connection is gone.
    var descriptor: Int32 {
        assertOwner()
        return pointer == nil ? -1 : mosquitto_socket(pointer)
    }

    /// Whether packets wait to be written.
    var wantsWrite: Bool {
        assertOwner()
        return mosquitto_want_write(pointer)
    }

    /// Reads at least one packet, or as much of it as is there, and runs the callbacks.
    func read() -> MosquittoCode {
        assertOwner()
        return MosquittoCode(rawValue: mosquitto_loop_read(pointer, 1))
    }

    /// Writes queued packets, acknowledgements among them, until there are none or the socket is full.
    func write() -> MosquittoCode {
        assertOwner()
        return MosquittoCode(rawValue: mosquitto_loop_write(pointer, 1))
    }

    /// Queues a PINGREQ when it is time, or closes the connection when the broker owes an answer for too long.
    func checkKeepAlive() -> MosquittoCode {
        assertOwner()
        return MosquittoCode(rawValue: mosquitto_loop_misc(pointer))
    }

    /// Bytes that can be read without waiting, in the TLS layer or else in the socket. `errno` after `read` does not
    /// tell, and a TLS layer with bytes left does not make the socket readable.
    var bytesWaiting: Int {
        assertOwner()
        guard let pointer else { return 0 }
        if let ssl = mosquitto_ssl_get(pointer) {
            let decrypted = OpenSSLCalls.pending(ssl)
            if decrypted > 0 { return decrypted }
        }
        var count: Int32 = 0
        guard ioctl(mosquitto_socket(pointer), UInt(FIONREAD), &count) == 0 else { return 0 }
        return Int(count)
    }

    /// Whether the TLS handshake is behind us; true without TLS.
    var isSecured: Bool {
        assertOwner()
        guard let pointer, let ssl = mosquitto_ssl_get(pointer) else { return true }
        return OpenSSLCalls.isHandshakeDone(ssl)
    }

    /// The version of TLS that was agreed on, e.g. `TLSv1.3`; nil without TLS.
    var securityVersion: String? {
        assertOwner()
        guard let pointer, let ssl = mosquitto_ssl_get(pointer) else { return nil }
        return OpenSSLCalls.version(ssl)
    }

    /// Stops listening to the library's log, which costs a formatted line per packet. For when the connection stands.
    func silence() {
        assertOwner()
        if let pointer { mosquitto_log_callback_set(pointer, nil) }
        errorText = nil
    }

    /// Sends PINGREQ past the library's queue, so that a held acknowledgement stays where it is. Only legal when no
    /// packet is half written, that is when `wantsWrite` was false before anything was read. False: drop the socket.
    func sendPingPastQueue() -> Bool {
        assertOwner()
        guard let pointer, isOpen else { return false }
        let ping: [UInt8] = [0xC0, 0x00]
        if let ssl = mosquitto_ssl_get(pointer) { return OpenSSLCalls.write(ping, to: ssl) }
        return send(mosquitto_socket(pointer), ping, ping.count, Int32(MSG_NOSIGNAL)) == ping.count
    }

    /// Queues DISCONNECT, writes it with what is queued before it, and closes. Returns by `deadline`.
    func sayGoodbye(until deadline: Deadline) {
        assertOwner()
        // The library closes the socket as soon as DISCONNECT is written. Closing with unread input would make the
        // kernel send a reset, which can overtake the last acknowledgements; a duplicate keeps the socket until the
        // broker has closed its side.
        let duplicate = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        mosquitto_disconnect(pointer)
        while isOpen, wantsWrite, !deadline.hasPassed {
            guard write() == .success, isOpen, wantsWrite else { break }
            var socket = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            poll(&socket, 1, deadline.pollTimeout)
        }
        release()
        guard duplicate >= 0 else { return }
        shutdown(duplicate, Int32(SHUT_WR))
        awaitEnd(of: duplicate, until: min(deadline, .after(.milliseconds(500))))
        close(duplicate)
    }

    /// Closes the connection without writing anything: what was read and not acknowledged will come again. Never
    /// blocks.
    func release() {
        if let pointer { mosquitto_destroy(pointer) }
        pointer = nil
        receiver = nil
    }

    // MARK: Packets

    /// Queues one SUBSCRIBE with all filters; returns its id, which comes back in a `SubscribeAnswer`.
    func subscribe(_ filters: [String], qos: UInt8) throws(MosquittoRefusal) -> Int {
        assertOwner()
        let texts = filters.map { strdup($0) }
        defer { for text in texts { free(text) } }
        var id: Int32 = 0
        try check(
            mosquitto_subscribe_multiple(pointer, &id, Int32(texts.count), texts, Int32(qos), 0, nil), "subscription")
        return Int(id)
    }

    /// Queues one PUBLISH and returns the id under which it is confirmed. The library copies everything.
    func publish(
        topic: String, payload: [UInt8], qos: UInt8, isRetained: Bool, properties: MQTTProperties? = nil
    ) throws(MosquittoRefusal) -> Int32 {
        assertOwner()
        var id: Int32 = 0
        let list = try properties?.list() ?? MosquittoPropertyList()
        let code = topic.withCString { text in
            // A NUL would cut the topic short and publish to somebody else's.
            guard strlen(text) == topic.utf8.count else { return MosquittoCode.invalid.rawValue }
            return payload.withUnsafeBytes { bytes in
                mosquitto_publish_v5(
                    pointer, &id, text, Int32(clamping: bytes.count), bytes.baseAddress, Int32(qos), isRetained,
                    list.pointer)
            }
        }
        try check(code, "message")
        return id
    }

    /// The answers to SUBSCRIBE since the last call.
    func takeSubscribeAnswers() -> [SubscribeAnswer] {
        defer { subscribeAnswers.removeAll() }
        return subscribeAnswers
    }

    /// Why the connection is gone: what the broker said, or else what a call returned.
    func failure(_ code: MosquittoCode, at step: SessionStep, clientID: String) -> BrokerFailure {
        if let disconnectCode {
            return MQTTFailure.disconnected(code: disconnectCode, step: step, clientID: clientID)
        }
        return MQTTFailure.lost(code, step: step, text: errorText)
    }

    // MARK: Called by the callbacks

    func noteConnectAnswer(_ answer: ConnectAnswer) { connectAnswer = answer }

    /// The library calls with its own codes too, and again with 0; those of a broker begin at 128.
    func noteDisconnect(code: Int32) {
        if version == .v5, code >= 128 { disconnectCode = Int(code) }
    }

    func noteSubscribeAnswer(id: Int32, codes: UnsafeBufferPointer<Int32>) {
        subscribeAnswers.append(SubscribeAnswer(id: Int(id), codes: codes.map { Int($0) }))
    }

    func noteError(_ text: String) { errorText = text }

    // MARK: Details

    /// `mosquitto_lib_init` must run once, before any other call and any other thread.
    private static let library: Int32 = mosquitto_lib_init()

    private func check(_ code: Int32, _ option: String) throws(MosquittoRefusal) {
        guard code != MosquittoCode.success.rawValue else { return }
        throw MosquittoRefusal(code: MosquittoCode(rawValue: code), option: option)
    }

    /// Our context as it is: with defaults, the library would verify against the text it dials.
    private func use(_ context: TLSContext, in pointer: OpaquePointer) throws(MosquittoRefusal) {
        try check(mosquitto_void_option(pointer, MOSQ_OPT_SSL_CTX, context.pointer), "TLS settings")
        try check(mosquitto_int_option(pointer, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0), "TLS settings")
    }

    private func assertOwner() {
        assert(pthread_equal(owner, pthread_self()) != 0, "a mosquitto handle was used off its owning thread")
    }
}

/// The library did not take an option or a packet.
struct MosquittoRefusal: Error, Equatable {
    var code: MosquittoCode
    /// What it was given, a phrase.
    var option: String
}

/// Reads and forgets until the peer closes or `deadline`.
private func awaitEnd(of descriptor: Int32, until deadline: Deadline) {
    var buffer = [UInt8](repeating: 0, count: 16_384)
    while !deadline.hasPassed {
        var socket = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&socket, 1, deadline.pollTimeout) > 0, recv(descriptor, &buffer, buffer.count, 0) > 0 else { return }
    }
}
