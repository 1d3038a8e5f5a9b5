// The one owner of a libmosquitto handle. The library's thread rule (mosquitto.h, "Threads"): it is thread safe except
// for `mosquitto_lib_init`, and `mosquitto_threaded_set` is required when the application brings its own threads. Its
// source reads some fields without a lock, so our rule is stricter: one thread at a time owns a handle and makes every
// call, publish included. Others only wake that thread. Never used here: `mosquitto_loop`, `_loop_forever`,
// `_loop_start`, which would write acknowledgements when they like (design §3, settlement).
//
// After every call the caller asks `isOpen`; the library's disconnect callback comes 0, 1 or 2 times and is not used.
import CMosquitto
import Glibc
import TwinspanNetwork

/// A client handle of libmosquitto. All methods must be called on the owning thread; ownership moves with `adopt`.
///
/// Unchecked: guarded by the owning thread. Ownership passes only through `AbandonableCall`, whose lock orders the two
/// threads' accesses, and an abandoned handle is owned by that call's thread alone.
final class MosquittoHandle: @unchecked Sendable {
    /// What a handle needs to know before it connects; the library copies its quotas then.
    struct Options: Sendable {
        /// Empty asks the broker for an id, which needs a clean session.
        var clientID: String
        var isCleanSession: Bool
        var user: String?
        var password: String?
        var will: Will?
        var tls: TLS?
        /// The most unconfirmed QoS 1 and 2 messages on the wire.
        var sendMaximum: Int
    }

    /// The message a broker sends in our place when we vanish.
    struct Will: Sendable, Equatable {
        var topic: String
        var message: String
        var qos: UInt8
        var isRetained: Bool
    }

    /// How the server is verified.
    struct TLS: Sendable {
        /// PEM bundle; nil means the certificates of the system.
        var trustedCertificates: String?
        var validatesCertificates: Bool
    }

    /// The broker's answer to CONNECT.
    struct ConnectAnswer: Equatable {
        /// 0 accepts; 1…5 are the refusals of MQTT 3.1.1.
        var code: Int
        var isSessionPresent: Bool
    }

    /// The broker's answer to one SUBSCRIBE.
    struct SubscribeAnswer: Equatable {
        var id: Int
        /// One per filter: the granted QoS, or 128 and above for a refusal.
        var codes: [Int]
    }

    /// A received message. The buffers are valid during the call only: copy and return.
    typealias Receiver = (
        _ topic: UnsafeRawBufferPointer, _ payload: UnsafeRawBufferPointer, _ qos: UInt8, _ isRetained: Bool
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
    /// Ids of messages the broker has confirmed (QoS 0: that were written), in order. The publisher empties it.
    var confirmedIDs: [Int32] = []

    private var pointer: OpaquePointer?
    private var owner = pthread_self()
    /// Keeps the file with trusted certificates readable for as long as the library may read it.
    private var certificateDescriptor: Int32 = -1

    /// Makes a handle owned by the calling thread. Throws what the library says to one of the options.
    init(options: Options) throws(MosquittoRefusal) {
        _ = MosquittoHandle.library
        let isClean = options.isCleanSession || options.clientID.isEmpty
        pointer =
            options.clientID.isEmpty
            ? mosquitto_new(nil, true, nil) : mosquitto_new(options.clientID, isClean, nil)
        guard let pointer else { throw MosquittoRefusal(code: .outOfMemory, option: "client id") }
        // Unretained: callbacks only run inside methods of this object, and `deinit` destroys the handle.
        mosquitto_user_data_set(pointer, Unmanaged.passUnretained(self).toOpaque())
        mosquitto_threaded_set(pointer, true)
        mosquitto_int_option(pointer, MOSQ_OPT_PROTOCOL_VERSION, Int32(MQTT_PROTOCOL_V311))
        mosquitto_int_option(pointer, MOSQ_OPT_SEND_MAXIMUM, Int32(options.sendMaximum))
        mosquitto_int_option(pointer, MOSQ_OPT_TCP_NODELAY, 1)
        if let user = options.user {
            try check(mosquitto_username_pw_set(pointer, user, options.password), "user name and password")
        }
        if let tls = options.tls { try configure(tls, of: pointer) }
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
        let code = mosquitto_connect_bind_v5(pointer, host, Int32(port), Int32(keepAliveSeconds), nil, nil)
        if code != MosquittoCode.success.rawValue { connectErrorNumber = errno }
        return MosquittoCode(rawValue: code)
    }

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
        if certificateDescriptor >= 0 { close(certificateDescriptor) }
        certificateDescriptor = -1
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

    /// Queues one PUBLISH and returns the id under which it is confirmed. The library copies topic and payload.
    func publish(
        topic: String, payload: [UInt8], qos: UInt8, isRetained: Bool
    ) throws(MosquittoRefusal) -> Int32 {
        assertOwner()
        var id: Int32 = 0
        let code = topic.withCString { text in
            // A NUL would cut the topic short and publish to somebody else's.
            guard strlen(text) == topic.utf8.count else { return MosquittoCode.invalid.rawValue }
            return payload.withUnsafeBytes { bytes in
                mosquitto_publish(
                    pointer, &id, text, Int32(clamping: bytes.count), bytes.baseAddress, Int32(qos), isRetained)
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

    // MARK: Called by the callbacks

    func noteConnectAnswer(code: Int32, flags: Int32) {
        connectAnswer = ConnectAnswer(code: Int(code), isSessionPresent: flags & 1 != 0)
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

    private func configure(_ tls: TLS, of pointer: OpaquePointer) throws(MosquittoRefusal) {
        if let certificates = tls.trustedCertificates {
            certificateDescriptor = unlinkedFile(with: certificates)
            guard certificateDescriptor >= 0 else { throw MosquittoRefusal(code: .systemError, option: "ca") }
            let path = "/proc/self/fd/\(certificateDescriptor)"
            try check(mosquitto_tls_set(pointer, path, nil, nil, nil, nil), "ca")
        } else {
            // The library's own option for the system's certificates fails on reconnect in 2.0.11.
            try check(mosquitto_tls_set(pointer, nil, "/etc/ssl/certs", nil, nil, nil), "system certificates")
        }
        try check(mosquitto_tls_opts_set(pointer, tls.validatesCertificates ? 1 : 0, "tlsv1.2", nil), "TLS version")
        if !tls.validatesCertificates { try check(mosquitto_tls_insecure_set(pointer, true), "TLS checks") }
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
