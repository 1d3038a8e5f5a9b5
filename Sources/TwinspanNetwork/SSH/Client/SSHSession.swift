// libssh's session and channels, never blocking: every call returns at once and says whether to come again. One thread
// makes all calls (libssh: "a session may be used by one thread at a time"). Nothing is read from files: neither the
// user's configuration nor his keys and known hosts.
import CSSH
import Glibc
import TwinspanConnections
import TwinspanProtocol

/// How a step of a session ended.
enum SSHStep: Equatable {
    case done
    /// Call again once the descriptor is ready.
    case again
    /// The server says no; the methods it would take.
    case denied(methods: String)
    /// libssh's words.
    case failed(String)
}

/// One SSH connection. Frees the descriptor it was given.
final class SSHSession {
    private let session: ssh_session
    private let event: ssh_event
    private var key: ssh_key?
    private var isDescriptorTaken = false
    let descriptor: Int32

    /// - Parameter descriptor: a connected, non-blocking socket. Nil without memory; then it is still the caller's.
    init?(descriptor: Int32, host: String, port: Int, user: String) {
        guard let session = ssh_new() else { return nil }
        guard let event = ssh_event_new() else {
            ssh_free(session)
            return nil
        }
        self.session = session
        self.event = event
        self.descriptor = descriptor
        ssh_set_blocking(session, 0)
        var (port, descriptor, off, compression) = (UInt32(port), descriptor, Int32(0), Int32(0))
        // Without these the library looks into the files of the user who runs this, and fails where he has no home.
        ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &off)
        for option in [SSH_OPTIONS_KNOWNHOSTS, SSH_OPTIONS_GLOBAL_KNOWNHOSTS] {
            ssh_options_set(session, option, "/dev/null")
        }
        ssh_options_set(session, SSH_OPTIONS_SSH_DIR, "/nonexistent")
        ssh_options_set(session, SSH_OPTIONS_HOST, host)
        ssh_options_set(session, SSH_OPTIONS_USER, user)
        ssh_options_set(session, SSH_OPTIONS_PORT, &port)
        ssh_options_set(session, SSH_OPTIONS_COMPRESSION_LEVEL, &compression)
        ssh_options_set(session, SSH_OPTIONS_FD, &descriptor)
    }

    deinit {
        if isDescriptorTaken { ssh_event_remove_session(event, session) }
        ssh_event_free(event)
        if let key { ssh_key_free(key) }
        // Without `ssh_disconnect`, which forgets a descriptor that it was given and leaves it open (0.9 and newer);
        // this closes it, and the server sees the end of the connection.
        ssh_free(session)
    }

    /// Agrees on keys and ciphers.
    func connect() -> SSHStep {
        let code = ssh_connect(session)
        if !isDescriptorTaken, ssh_get_fd(session) == descriptor {
            isDescriptorTaken = true
            ssh_event_add_session(event, session)
        }
        return step(code)
    }

    /// The server's public key as SSH sends it, and its kind.
    func hostKey() -> (bytes: [UInt8], kind: String)? {
        var key: ssh_key?
        guard ssh_get_server_publickey(session, &key) == SSH_OK, let key else { return nil }
        defer { ssh_key_free(key) }
        var text: UnsafeMutablePointer<CChar>?
        guard ssh_pki_export_pubkey_base64(key, &text) == SSH_OK, let text else { return nil }
        defer { ssh_string_free_char(text) }
        guard let bytes = Base64.decode(String(cString: text)) else { return nil }
        return (bytes, ssh_key_type_to_char(ssh_key_type(key)).map { String(cString: $0) } ?? "unknown")
    }

    /// Reads the client's key; false when it cannot be read.
    func takeKey(_ text: Secret) -> Bool {
        guard !text.exposed.contains("ENCRYPTED") else { return false }
        // Called for a passphrase, which nobody can give; without it the library asks on the terminal.
        let refuse: ssh_auth_callback = { _, _, _, _, _, _ in -1 }
        return ssh_pki_import_privkey_base64(text.exposed, nil, refuse, nil, &key) == SSH_OK && key != nil
    }

    /// Logs in with the key that was taken.
    func authenticateByKey() -> SSHStep { login(ssh_userauth_publickey(session, nil, key)) }

    func authenticate(password: Secret) -> SSHStep { login(ssh_userauth_password(session, nil, password.exposed)) }

    /// Moves what is ready in both directions; false once the connection is gone.
    func pump() -> Bool { ssh_event_dopoll(event, 0) != SSH_ERROR && isConnected }

    var isConnected: Bool { ssh_is_connected(session) != 0 }

    /// Whether something waits for the descriptor to take it.
    var wantsWrite: Bool { ssh_get_poll_flags(session) & SSH_WRITE_PENDING != 0 }

    /// Asks for a sign of life. The library remembers an answer until it is asked again, so it is asked twice: of the
    /// two calls one sends, unless no answer has come since the last time.
    func askForLife() {
        ssh_send_keepalive(session)
        ssh_send_keepalive(session)
    }

    /// A channel that is yet to be opened; nil without memory.
    func makeChannel() -> SSHChannel? { ssh_channel_new(session).map { SSHChannel($0, session: self) } }

    /// libssh's words about the last failure.
    var errorText: String {
        let text = ssh_get_error(UnsafeMutableRawPointer(session)).map { String(cString: $0) } ?? ""
        return text.isEmpty ? "the connection was closed" : text
    }

    private func step(_ code: Int32) -> SSHStep {
        switch code {
        case SSH_OK: .done
        case SSH_AGAIN: .again
        default: .failed(errorText)
        }
    }

    private func login(_ code: Int32) -> SSHStep {
        switch code {
        case SSH_AUTH_SUCCESS.rawValue: .done
        case SSH_AUTH_AGAIN.rawValue: .again
        case SSH_AUTH_ERROR.rawValue: .failed(errorText)
        default: .denied(methods: methods)
        }
    }

    private var methods: String {
        let list = UInt32(bitPattern: ssh_userauth_list(session, nil))
        let names = [
            (SSH_AUTH_METHOD_PASSWORD, "password"), (SSH_AUTH_METHOD_PUBLICKEY, "public-key"),
            (SSH_AUTH_METHOD_INTERACTIVE, "keyboard-interactive"), (SSH_AUTH_METHOD_HOSTBASED, "host-based"),
        ]
        return names.filter { list & UInt32($0.0) != 0 }.map(\.1).joined(separator: ", ")
    }

    fileprivate func open(_ channel: ssh_channel, host: String, port: Int) -> SSHStep {
        step(ssh_channel_open_forward(channel, host, Int32(port), "127.0.0.1", 0))
    }
}

/// One forwarded connection. Must go before its session, which it keeps for that reason.
final class SSHChannel {
    private let channel: ssh_channel
    private let session: SSHSession

    fileprivate init(_ channel: ssh_channel, session: SSHSession) {
        self.channel = channel
        self.session = session
    }

    deinit { ssh_channel_free(channel) }

    /// Asks the server to connect to a host of its own network.
    func open(host: String, port: Int) -> SSHStep { session.open(channel, host: host, port: port) }

    /// How many bytes were read, 0 when there are none now, nil at the end or when the channel is gone.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        let count = ssh_channel_read_nonblocking(channel, buffer.baseAddress, UInt32(clamping: buffer.count), 0)
        if count > 0 { return Int(count) }
        return count < 0 || ssh_channel_is_eof(channel) != 0 || ssh_channel_is_closed(channel) != 0 ? nil : 0
    }

    /// How many bytes were taken; at most `window`. Nil when the channel is gone.
    func write(_ bytes: UnsafeRawBufferPointer) -> Int? {
        let count = ssh_channel_write(channel, bytes.baseAddress, UInt32(clamping: bytes.count))
        return count >= 0 ? Int(count) : nil
    }

    /// How many bytes the other end takes now.
    var window: Int { Int(ssh_channel_window_size(channel)) }

    /// Says that nothing more will be written.
    func finish() { ssh_channel_send_eof(channel) }

    var isClosed: Bool { ssh_channel_is_closed(channel) != 0 }
}
