// The one owner of a connection of qpid-proton: its driver, its socket, its links. The library has no lock at all, so
// everything here happens on the session's thread. It is driven by our own poll loop: what comes in is handed to the
// library, its events are turned into the state of links, and what it has to say is written. Nothing blocks but
// `wait`.
import CQpidProton
import Glibc
import TwinspanNetwork

/// A connection that has a socket.
final class ProtonConnection {
    /// What has to be known before the first byte is sent.
    struct Settings {
        /// Unique at the broker.
        var containerID: String
        /// The host name in `open`; names the virtual host where a broker has such.
        var hostName: String
        var user: String?
        var password: String?
        /// The one mechanism that may be used. Never more: the library picks ANONYMOUS in place of PLAIN where a broker
        /// offers AMQPLAIN, and EXTERNAL in place of PLAIN over TLS.
        var mechanism: String
        /// The peer's silence after which the connection ends; zero waits for ever. Milliseconds.
        var idleMilliseconds: Int
        var maximumFrameSize: Int
    }

    /// Why a connection is over.
    enum End: Equatable {
        /// The peer has closed it, with or without a reason.
        case closed(ProtonCondition?)
        /// Protocol, security or time.
        case broken(ProtonCondition)
        /// The system's error number.
        case system(Int32)
        /// TLS has failed; OpenSSL's words.
        case insecure(String)
    }

    /// What became of a message that was sent.
    struct Confirmation {
        var id: Int
        var outcome: ProtonLink.Outcome
    }

    /// Whether the peer has opened its side. It may still close at once.
    private(set) var isRemoteOpen = false
    /// Why the connection is over; nil while it is not.
    private(set) var end: End?
    /// Outcomes of what was sent, in their order. The publisher empties it.
    var confirmations: [Confirmation] = []

    private let driver: UnsafeMutablePointer<pn_connection_driver_t>
    private let settings: Settings
    private let socket: AMQP10Socket
    private var isDestroyed = false
    private var links: [ProtonLink] = []
    private var nextLinkNumber = 0
    private var tickAt = Deadline.never
    private var hasEndedWriting = false

    /// Prepares the opening of the connection over a socket that belongs to it. Nil when there is no memory.
    init?(_ socket: AMQP10Socket, settings: Settings) {
        self.socket = socket
        self.settings = settings
        driver = .allocate(capacity: 1)
        driver.initialize(to: pn_connection_driver_t())
        guard pn_connection_driver_init(driver, nil, nil) == 0 else {
            // The library has cleaned up; `deinit`, which runs for this object too, does the rest.
            isDestroyed = true
            return nil
        }
        configure()
    }

    deinit {
        destroy()
        driver.deallocate()
    }

    private func configure() {
        guard let connection = driver.pointee.connection, let transport = driver.pointee.transport else { return }
        pn_connection_set_container(connection, settings.containerID)
        pn_connection_set_hostname(connection, settings.hostName)
        if let user = settings.user { pn_connection_set_user(connection, user) }
        if let password = settings.password { pn_connection_set_password(connection, password) }
        pn_transport_set_idle_timeout(transport, pn_millis_t(clamping: settings.idleMilliseconds))
        pn_transport_set_max_frame(transport, UInt32(clamping: settings.maximumFrameSize))
        let sasl = pn_sasl(transport)
        pn_sasl_allowed_mechs(sasl, settings.mechanism)
        // Whether a password may cross the wire in the clear was decided when the scheme was written.
        pn_sasl_set_allow_insecure_mechs(sasl, true)
        pn_connection_open(connection)
    }

    // MARK: State

    /// Whether the TLS handshake is behind us; true without TLS.
    var isSecured: Bool { socket.isSecured }

    /// The version of TLS that was agreed on; nil without TLS or before.
    var securityVersion: String? { socket.securityVersion }

    /// The mechanism by which we were let in; nil when the peer did not ask.
    var usedMechanism: String? {
        guard !isDestroyed, let transport = driver.pointee.transport else { return nil }
        return pn_sasl_get_mech(pn_sasl(transport)).map { String(cString: $0) }
    }

    /// The `product` of the peer's connection properties, e.g. `RabbitMQ`.
    var peerProduct: String? {
        guard !isDestroyed, let connection = driver.pointee.connection,
            let data = pn_connection_remote_properties(connection)
        else { return nil }
        pn_data_rewind(data)
        guard pn_data_next(data), pn_data_type(data) == PN_MAP else { return nil }
        let count = pn_data_get_map(data) / 2
        guard pn_data_enter(data) else { return nil }
        for _ in 0..<count {
            guard pn_data_next(data) else { return nil }
            let isProduct = ProtonConnection.text(data) == "product"
            guard pn_data_next(data) else { return nil }
            if isProduct { return ProtonConnection.text(data) }
        }
        return nil
    }

    private static func text(_ data: OpaquePointer) -> String? {
        let bytes: pn_bytes_t
        switch pn_data_type(data) {
        case PN_STRING: bytes = pn_data_get_string(data)
        case PN_SYMBOL: bytes = pn_data_get_symbol(data)
        default: return nil
        }
        return String(decoding: UnsafeRawBufferPointer(start: bytes.start, count: bytes.size), as: UTF8.self)
    }

    // MARK: Links

    /// Begins a link in a session of its own: some brokers end the whole session for the error of one link.
    func attach(_ role: ProtonLink.Role, to address: AMQP10Address, isDurable: Bool) -> ProtonLink? {
        guard !isDestroyed, end == nil, let connection = driver.pointee.connection else { return nil }
        nextLinkNumber += 1
        let name = "\(settings.containerID)-\(nextLinkNumber)"
        let link = ProtonLink(
            role, address: address, name: name, isDurable: isDurable, on: connection,
            maximumFrameSize: settings.maximumFrameSize)
        if let link { links.append(link) }
        return link
    }

    /// Closes a link and forgets it; what is unsettled of it can no longer be settled.
    func retire(_ link: ProtonLink) {
        link.retire()
        links.removeAll { $0 === link }
    }

    // MARK: Turns

    /// Waits for the peer, a wake-up or the deadline, and reads what is there.
    func wait(_ wake: WakeSignal, until deadline: Deadline) {
        guard !isDestroyed, end == nil else { return }
        let canRead = pn_connection_driver_read_buffer(driver).size > 0
        let hasOutput = pn_connection_driver_write_buffer(driver).size > 0
        let hasPending = canRead && socket.hasPending
        var descriptors = (
            pollfd(
                fd: socket.descriptor, events: socket.events(wantsRead: canRead, wantsWrite: hasOutput), revents: 0),
            pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0)
        )
        let limit = hasPending ? 0 : min(deadline, tickAt).pollTimeout
        withUnsafeMutableBytes(of: &descriptors) { bytes in
            _ = poll(bytes.bindMemory(to: pollfd.self).baseAddress, 2, limit)
        }
        if descriptors.1.revents != 0 { wake.drain() }
        if !socket.isSecured {
            if descriptors.0.revents != 0 { note(socket.secure()) }
        } else if hasPending || descriptors.0.revents & ~Int16(POLLOUT) != 0 {
            read()
        }
    }

    /// Reads what is there without waiting.
    private func read() {
        let buffer = pn_connection_driver_read_buffer_sized(driver, 65_536)
        guard buffer.size > 0 else { return }
        let progress = socket.read(into: UnsafeMutableRawBufferPointer(start: buffer.start, count: buffer.size))
        if case .moved(let count) = progress {
            pn_connection_driver_read_done(driver, count)
        } else {
            note(progress)
        }
    }

    /// What a call that moved nothing has to say.
    private func note(_ progress: AMQP10Socket.Progress) {
        switch progress {
        case .moved, .wait: break
        case .closed: pn_connection_driver_read_close(driver)
        case .failed(let number): fail(.system(number))
        case .insecure(let text): fail(.insecure(text))
        }
    }

    /// Handles events and writes until there is nothing more to do without waiting.
    func process() {
        guard !isDestroyed else { return }
        repeat {
            while let event = pn_connection_driver_next_event(driver) { handle(event) }
            tick()
            write()
        } while pn_connection_driver_has_event(driver)
    }

    private func tick() {
        guard let transport = driver.pointee.transport else { return }
        let now = ProtonConnection.milliseconds
        let next = pn_transport_tick(transport, now)
        tickAt = next == 0 ? .never : .after(.milliseconds(max(0, next - now)))
    }

    private func write() {
        guard socket.isSecured else { return }
        while true {
            let buffer = pn_connection_driver_write_buffer(driver)
            guard buffer.size > 0 else { break }
            switch socket.write(UnsafeRawBufferPointer(start: buffer.start, count: buffer.size)) {
            case .moved(let count): pn_connection_driver_write_done(driver, count)
            case .wait: return
            case .closed: return fail(.closed(nil))
            case .failed(let number): return fail(.system(number))
            case .insecure(let text): return fail(.insecure(text))
            }
        }
        if pn_connection_driver_write_closed(driver), !hasEndedWriting {
            hasEndedWriting = true
            socket.endWriting()
        }
    }

    private func fail(_ reason: End) {
        if end == nil { end = reason }
        pn_connection_driver_close(driver)
    }

    private func handle(_ event: OpaquePointer) {
        switch pn_event_type(event) {
        case PN_CONNECTION_REMOTE_OPEN: isRemoteOpen = true
        case PN_CONNECTION_REMOTE_CLOSE:
            let condition = pn_event_connection(event).flatMap { ProtonCondition(pn_connection_remote_condition($0)) }
            if end == nil { end = .closed(condition) }
        case PN_TRANSPORT_ERROR:
            let condition = pn_event_transport(event).flatMap { ProtonCondition(pn_transport_condition($0)) }
            if end == nil { end = condition.map { .broken($0) } ?? .closed(nil) }
        case PN_TRANSPORT_CLOSED: if end == nil { end = .closed(nil) }
        case PN_SESSION_REMOTE_CLOSE:
            guard let session = pn_event_session(event), let link = ProtonLink.of(pn_session_get_context(session))
            else { return }
            link.noteEnd(ProtonCondition(pn_session_remote_condition(session)))
        case PN_LINK_REMOTE_OPEN: pn_event_link(event).flatMap(ProtonLink.of(link:))?.noteAttached()
        case PN_LINK_REMOTE_CLOSE, PN_LINK_REMOTE_DETACH:
            guard let pointer = pn_event_link(event), let link = ProtonLink.of(link: pointer) else { return }
            link.noteEnd(ProtonCondition(pn_link_remote_condition(pointer)))
        case PN_DELIVERY:
            guard let delivery = pn_event_delivery(event) else { return }
            if let (id, outcome) = ProtonLink.outcome(of: delivery) {
                confirmations.append(Confirmation(id: id, outcome: outcome))
            }
        default: break
        }
    }

    // MARK: The end

    /// Says goodbye and waits for the answer until the deadline.
    func sayGoodbye(_ wake: WakeSignal, until deadline: Deadline) {
        if !isDestroyed, end == nil, let connection = driver.pointee.connection {
            pn_connection_close(connection)
            process()
            while end == nil, !deadline.hasPassed {
                wait(wake, until: deadline)
                process()
            }
            process()
        }
        destroy()
    }

    /// Ends the connection without a word: what is unsettled comes again. Never blocks.
    func destroy() {
        guard !isDestroyed else { return }
        isDestroyed = true
        for link in links { link.forget() }
        links.removeAll()
        pn_connection_driver_destroy(driver)
        socket.close()
        if end == nil { end = .closed(nil) }
    }

    private static var milliseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        // Never 0, which the library takes for no time at all.
        return max(1, Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}

/// An error as the peer names it.
struct ProtonCondition: Equatable {
    /// E.g. `amqp:not-found`.
    var name: String
    /// Its own words; may be empty.
    var text: String

    init(name: String, text: String) {
        self.name = name
        self.text = text
    }

    /// Nil when there is no error.
    init?(_ condition: OpaquePointer?) {
        guard let condition, pn_condition_is_set(condition) else { return nil }
        name = pn_condition_get_name(condition).map { String(cString: $0) } ?? ""
        text = pn_condition_get_description(condition).map { String(cString: $0) } ?? ""
    }
}
