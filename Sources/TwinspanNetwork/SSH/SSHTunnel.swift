// A tunnel: a thread that logs in at an SSH server, listens on a port of the loopback interface and carries what is
// connected there to the broker. It lives while somebody holds the object or a connection goes through it, so that a
// session which has closed its socket needs to do nothing more.
//
// Threads: the tunnel's own makes all calls into libssh; others read the outcome and ask it to end.
import Glibc
import Synchronization
public import TwinspanConnections

/// An established tunnel.
public final class SSHTunnel: Sendable {
    /// How patient a tunnel is.
    struct Timing: Sendable {
        /// Between two signs of life that are asked for; so long one may be missing, too.
        var heartbeat = Duration.seconds(30)
        /// How long a tunnel that nobody uses stays.
        var idle = Duration.seconds(1)
    }

    /// The near end, on 127.0.0.1.
    public let port: Int
    let state: SSHTunnelState

    fileprivate init(port: Int, state: SSHTunnelState) {
        self.port = port
        self.state = state
    }

    deinit { state.release() }

    /// Why the tunnel has ended; nil while it stands, or when it was no longer needed.
    public var failure: BrokerFailure? { state.failure }

    /// Logs in and opens the way to a broker. Blocks until `deadline` or a stop.
    ///
    /// - Parameters:
    ///   - descriptor: a connected, non-blocking socket to the SSH server; taken over.
    ///   - lost: called once on the tunnel's thread when an established tunnel breaks.
    static func open(
        _ settings: SSHTunnelSettings, to endpoint: Endpoint, descriptor: Int32, timing: Timing,
        until deadline: Deadline, control: SessionControl, wake: WakeSignal,
        lost: @escaping @Sendable (BrokerFailure) -> Void
    ) -> NetworkDialler.Outcome<SSHTunnel> {
        guard let near = NearEnd(), let done = WakeSignal(), let bell = WakeSignal() else {
            close(descriptor)
            return .failed(NetworkFailure.exhausted)
        }
        let state = SSHTunnelState(bell: bell)
        let started = startThread {
            let forwarder = SSHForwarder(
                settings, to: endpoint, descriptor: descriptor, near: near, timing: timing, state: state)
            forwarder.run(until: deadline, opened: done.wake, lost: lost)
        }
        guard started else {
            close(descriptor)
            return .failed(NetworkFailure.exhausted)
        }
        while true {
            switch state.opening {
            case .opened: return .reached(SSHTunnel(port: near.port, state: state))
            case .failed(let failure): return .failed(failure)
            case nil: break
            }
            if control.isStopping {
                state.release()
                return .stopped
            }
            if deadline.hasPassed {
                state.release()
                return .failed(SSHFailure.unreachable(settings.peer, "it did not answer in time"))
            }
            var descriptors = [
                pollfd(fd: done.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0),
            ]
            poll(&descriptors, 2, deadline.pollTimeout)
            if descriptors[0].revents != 0 { done.drain() }
            if descriptors[1].revents != 0 { wake.drain() }
        }
    }
}

/// What a tunnel's thread and its holders tell each other.
final class SSHTunnelState: Sendable {
    enum Opening: Sendable { case opened, failed(BrokerFailure) }

    private struct State {
        var opening: Opening?
        var failure: BrokerFailure?
        var isHeld = true
    }

    private let state = Mutex(State())
    /// Wakes the tunnel's thread.
    let bell: WakeSignal

    init(bell: WakeSignal) { self.bell = bell }

    var opening: Opening? { state.withLock { $0.opening } }
    var failure: BrokerFailure? { state.withLock { $0.failure } }
    /// Whether somebody holds the tunnel, or waits for it.
    var isHeld: Bool { state.withLock { $0.isHeld } }

    func settle(_ opening: Opening) { state.withLock { $0.opening = opening } }
    func fail(_ failure: BrokerFailure) { state.withLock { $0.failure = failure } }

    func release() {
        state.withLock { $0.isHeld = false }
        bell.wake()
    }
}

/// A socket that listens on a free port of the loopback interface.
final class NearEnd: Sendable {
    let descriptor: Int32
    let port: Int

    /// Nil when the process has no descriptor left.
    init?() {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard listener >= 0 else { return nil }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 8) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        guard isListening else {
            close(listener)
            return nil
        }
        descriptor = listener
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    deinit { close(descriptor) }

    /// The next connection, non-blocking; nil when there is none.
    func accept() -> Int32? {
        let descriptor = Glibc.accept(descriptor, nil, nil)
        guard descriptor >= 0 else { return nil }
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        var isOn: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &isOn, socklen_t(MemoryLayout<Int32>.size))
        return descriptor
    }
}
