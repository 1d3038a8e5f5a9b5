// TLS over a connected socket, for protocols whose bytes we move ourselves, and for a look at a server's certificate.
// All calls come from one thread, the one that owns the descriptor. The process must ignore SIGPIPE.
import COpenSSL
import Glibc

/// The client's end of a TLS connection. Does not close the descriptor.
public final class TLSStream {
    /// How a call ended; never blocks on a non-blocking descriptor.
    public enum Progress: Equatable {
        /// So many bytes were moved; 0 for a handshake that is complete.
        case done(Int)
        /// Call again with the same arguments once the descriptor is readable, or writable.
        case wantsRead, wantsWrite
        /// The peer has ended the connection, in order or not.
        case closed
        /// It failed; OpenSSL's words.
        case failed(String)
    }

    private let ssl: OpaquePointer
    /// Kept: the callbacks of the handshake look for its record.
    private let context: TLSContext

    /// Nil when there is no memory left.
    public init?(_ context: TLSContext, descriptor: Int32) {
        guard let ssl = SSL_new(OpaquePointer(context.pointer)) else { return nil }
        guard SSL_set_fd(ssl, descriptor) == 1 else {
            SSL_free(ssl)
            return nil
        }
        SSL_set_connect_state(ssl)
        twinspan_ssl_set_stream_mode(ssl, Int(SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER))
        self.ssl = ssl
        self.context = context
    }

    deinit { SSL_free(ssl) }

    /// Goes on with the handshake.
    public func shakeHands() -> Progress { progress { SSL_do_handshake(ssl) == 1 ? 0 : nil } }

    /// Reads at most `buffer.count` decrypted bytes; go on until `wantsRead`, because the descriptor does not become
    /// readable for bytes that are decrypted already.
    public func read(into buffer: UnsafeMutableRawBufferPointer) -> Progress {
        var count = 0
        return progress { SSL_read_ex(ssl, buffer.baseAddress, buffer.count, &count) == 1 ? count : nil }
    }

    /// Writes some of the bytes, at least one.
    public func write(_ bytes: UnsafeRawBufferPointer) -> Progress {
        guard !bytes.isEmpty else { return .done(0) }
        var count = 0
        return progress { SSL_write_ex(ssl, bytes.baseAddress, bytes.count, &count) == 1 ? count : nil }
    }

    /// Says goodbye, without waiting for the answer.
    public func shutdown() {
        ERR_clear_error()
        SSL_shutdown(ssl)
        ERR_clear_error()
    }

    /// Bytes decrypted and not yet read.
    public var pending: Int { Int(SSL_pending(ssl)) }
    /// The version of the protocol, e.g. `TLSv1.3`.
    public var version: String { String(cString: SSL_get_version(ssl)) }

    private func progress(_ call: () -> Int?) -> Progress {
        // What an earlier call left in the thread's queue would be taken for the reason of this one.
        ERR_clear_error()
        defer { ERR_clear_error() }
        if let count = call() { return .done(count) }
        let number = errno
        switch SSL_get_error(ssl, 0) {
        case SSL_ERROR_WANT_READ: return .wantsRead
        case SSL_ERROR_WANT_WRITE: return .wantsWrite
        case SSL_ERROR_ZERO_RETURN: return .closed
        case SSL_ERROR_SYSCALL: return number == 0 ? .closed : .failed(systemErrorText(number))
        default:
            let isEnd = twinspan_ssl_reason(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING
            return isEnd ? .closed : .failed(openSSLReason())
        }
    }
}
