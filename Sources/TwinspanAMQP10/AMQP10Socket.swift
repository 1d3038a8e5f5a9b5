// The bytes between us and the peer: a socket, with TLS over it where the connection asks for it. TLS is the product's
// own and not the library's, which reads certificates from files, knows no addresses in them, and only tells that a
// handshake has failed. Confined to the session's thread; nothing here blocks.
import Glibc
import TwinspanNetwork

/// A connected socket.
final class AMQP10Socket {
    /// How a call ended.
    enum Progress {
        case moved(Int)
        /// Nothing can be moved at the moment.
        case wait
        /// The peer has ended the connection.
        case closed
        /// The system's error number.
        case failed(Int32)
        /// TLS has failed; OpenSSL's words.
        case insecure(String)
    }

    private(set) var descriptor: Int32
    private let stream: TLSStream?
    /// Whether the TLS handshake is behind us; true without TLS.
    private(set) var isSecured: Bool
    /// What TLS waits for, beside what its user does.
    private var needsRead = false
    private var needsWrite = false

    /// Takes over a connected, non-blocking socket. Nil when there is no memory; the socket is closed then.
    init?(descriptor: Int32, context: TLSContext?) {
        self.descriptor = descriptor
        isSecured = context == nil
        if let context {
            guard let stream = TLSStream(context, descriptor: descriptor) else {
                Glibc.close(descriptor)
                return nil
            }
            self.stream = stream
            needsWrite = true
        } else {
            stream = nil
        }
    }

    deinit { close() }

    /// The version of TLS that was agreed on; nil without TLS.
    var securityVersion: String? { isSecured ? stream?.version : nil }

    /// Whether something can be read that the system does not know of.
    var hasPending: Bool { (stream?.pending ?? 0) > 0 }

    /// What to wait for.
    func events(wantsRead: Bool, wantsWrite: Bool) -> Int16 {
        let reads = isSecured ? wantsRead || needsRead : needsRead
        let writes = isSecured ? (wantsWrite && !needsRead) || needsWrite : needsWrite
        return (reads ? Int16(POLLIN) : 0) | (writes ? Int16(POLLOUT) : 0)
    }

    /// Goes on with the handshake; `moved` when it is complete.
    func secure() -> Progress {
        guard !isSecured, let stream else { return .moved(0) }
        let progress = self.progress(stream.shakeHands())
        if case .moved = progress { isSecured = true }
        return progress
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) -> Progress {
        if let stream { return progress(stream.read(into: buffer)) }
        let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
        return count == 0 ? .closed : progress(count)
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> Progress {
        if let stream { return progress(stream.write(bytes)) }
        return progress(send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)))
    }

    /// Says that nothing more will be written.
    func endWriting() {
        stream?.shutdown()
        shutdown(descriptor, Int32(SHUT_WR))
    }

    func close() {
        guard descriptor >= 0 else { return }
        Glibc.close(descriptor)
        descriptor = -1
    }

    private func progress(_ progress: TLSStream.Progress) -> Progress {
        (needsRead, needsWrite) = (false, false)
        switch progress {
        case .done(let count): return .moved(count)
        case .wantsRead:
            needsRead = true
            return .wait
        case .wantsWrite:
            needsWrite = true
            return .wait
        case .closed: return .closed
        case .failed(let text): return .insecure(text)
        }
    }

    private func progress(_ count: Int) -> Progress {
        if count >= 0 { return .moved(count) }
        return errno == EAGAIN || errno == EINTR ? .wait : .failed(errno)
    }
}
