// What a tunnel's thread does: log in, then carry bytes between the near end and the broker until nobody needs it any
// more or the SSH connection breaks. Memory is bounded by the windows of SSH: what the near end does not take is not
// read from the channel, and then the server stops sending.
import Glibc
import TwinspanConnections

/// The life of one tunnel.
final class SSHForwarder {
    private let settings: SSHTunnelSettings
    private let endpoint: Endpoint
    private let near: NearEnd
    private let timing: SSHTunnel.Timing
    private let state: SSHTunnelState
    private let descriptor: Int32
    private var session: SSHSession?
    private var links: [SSHLink] = []
    /// Opened before anybody connected, to know that the broker is there.
    private var spare: SSHChannel?
    private var lastInput = Deadline.now
    private var nextHeartbeat = Deadline.never
    private var idleUntil = Deadline.never

    init(
        _ settings: SSHTunnelSettings, to endpoint: Endpoint, descriptor: Int32, near: NearEnd,
        timing: SSHTunnel.Timing, state: SSHTunnelState
    ) {
        self.settings = settings
        self.endpoint = endpoint
        self.descriptor = descriptor
        self.near = near
        self.timing = timing
        self.state = state
    }

    /// Returns when the tunnel is gone.
    func run(until deadline: Deadline, opened: () -> Void, lost: (BrokerFailure) -> Void) {
        if let failure = open(until: deadline) {
            state.settle(.failed(failure))
            opened()
            return
        }
        state.settle(.opened)
        opened()
        nextHeartbeat = .after(timing.heartbeat)
        if let failure = forward() {
            state.fail(failure)
            lost(failure)
        }
        // Links and channels go before their session does.
        links = []
        spare = nil
        session = nil
    }

    // MARK: Logging in

    private func open(until deadline: Deadline) -> BrokerFailure? {
        guard
            let session = SSHSession(
                descriptor: descriptor, host: settings.host, port: settings.port, user: settings.user)
        else {
            close(descriptor)
            return NetworkFailure.exhausted
        }
        self.session = session
        switch settle(until: deadline, session.connect) {
        case .done: break
        case .failed(let text): return SSHFailure.unreachable(settings.peer, text)
        case .again, .denied: return SSHFailure.unreachable(settings.peer, "it did not answer in time")
        }
        if let failure = unknownHost(session) { return failure }
        let outcome: SSHStep
        switch settings.login {
        case .password(let password):
            outcome = settle(until: deadline) { session.authenticate(password: password) }
        case .key(let key):
            guard session.takeKey(key) else { return SSHFailure.key }
            outcome = settle(until: deadline, session.authenticateByKey)
        }
        switch outcome {
        case .done: break
        case .denied(let methods): return SSHFailure.authentication(settings, methods: methods)
        case .failed(let text): return SSHFailure.unreachable(settings.peer, text)
        case .again: return SSHFailure.unreachable(settings.peer, "it did not answer in time")
        }
        guard let channel = session.makeChannel() else { return NetworkFailure.exhausted }
        switch settle(until: deadline, { [endpoint] in channel.open(host: endpoint.host, port: endpoint.port) }) {
        case .done: spare = channel
        case .failed(let text): return SSHFailure.forward(settings, to: endpoint.peer, text)
        case .again, .denied: return SSHFailure.forward(settings, to: endpoint.peer, "no answer in time")
        }
        return nil
    }

    private func unknownHost(_ session: SSHSession) -> BrokerFailure? {
        guard settings.validatesHost else { return nil }
        guard let key = session.hostKey() else {
            return SSHFailure.unreachable(settings.peer, "its key cannot be read")
        }
        if settings.knownHosts.contains(where: { $0.matches(key.bytes) }) { return nil }
        let fingerprint = SSHFingerprint(.sha256, ofKey: key.bytes)
        return SSHFailure.hostKey(
            settings.peer, fingerprint: "\(fingerprint?.description ?? "unknown")", kind: key.kind)
    }

    /// Repeats a step until it is decided; `again` when the time is over or nobody waits any more.
    private func settle(until deadline: Deadline, _ step: () -> SSHStep) -> SSHStep {
        while true {
            let outcome = step()
            guard outcome == .again, !deadline.hasPassed, state.isHeld else { return outcome }
            let isWriting = session?.wantsWrite == true
            var descriptors = [
                pollfd(fd: descriptor, events: Int16(POLLIN) | (isWriting ? Int16(POLLOUT) : 0), revents: 0),
                pollfd(fd: state.bell.descriptor, events: Int16(POLLIN), revents: 0),
            ]
            poll(&descriptors, 2, deadline.pollTimeout)
            if descriptors[1].revents != 0 { state.bell.drain() }
        }
    }

    // MARK: Carrying

    /// Nil when nobody needs the tunnel any more.
    private func forward() -> BrokerFailure? {
        guard let session else { return nil }
        while true {
            let isUsed = state.isHeld || !links.isEmpty
            if isUsed { idleUntil = .never } else if idleUntil == .never { idleUntil = .after(timing.idle) }
            if idleUntil.hasPassed { return nil }
            var descriptors = [
                pollfd(
                    fd: descriptor, events: Int16(POLLIN) | (session.wantsWrite ? Int16(POLLOUT) : 0), revents: 0),
                pollfd(fd: state.bell.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: near.descriptor, events: links.count < SSHLink.maximumCount ? Int16(POLLIN) : 0, revents: 0),
            ]
            descriptors += links.map { pollfd(fd: $0.descriptor, events: $0.interest, revents: 0) }
            poll(&descriptors, nfds_t(descriptors.count), min(nextHeartbeat, idleUntil).pollTimeout)
            if descriptors[1].revents != 0 { state.bell.drain() }
            if descriptors[0].revents & Int16(POLLIN) != 0 { lastInput = .now }
            guard session.pump() else { return SSHFailure.lost(settings.peer, session.errorText) }
            if descriptors[2].revents != 0 { accept(session) }
            for link in links { link.turn() }
            links.removeAll { $0.isOver }
            // What the links have written is sent now, not when the next packet comes.
            guard session.pump() else { return SSHFailure.lost(settings.peer, session.errorText) }
            if let failure = keepAlive(session) { return failure }
        }
    }

    private func accept(_ session: SSHSession) {
        guard let descriptor = near.accept() else { return }
        let isOpen = spare != nil
        guard let channel = spare ?? session.makeChannel() else {
            close(descriptor)
            return
        }
        spare = nil
        links.append(SSHLink(descriptor, channel, to: endpoint, isOpen: isOpen))
    }

    private func keepAlive(_ session: SSHSession) -> BrokerFailure? {
        guard nextHeartbeat.hasPassed else { return nil }
        // An answer to the last question would have come by now.
        if Deadline.now.since(lastInput) >= timing.heartbeat * 2 {
            return SSHFailure.silent(settings.peer, after: timing.heartbeat * 2)
        }
        session.askForLife()
        nextHeartbeat = .after(timing.heartbeat)
        return nil
    }
}
