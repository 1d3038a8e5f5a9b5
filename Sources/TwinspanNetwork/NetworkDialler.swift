// The first part of the way to a broker, the same for every adapter: resolve the host, find an address that answers.
// Runs on the session's thread under one deadline, and a stop cuts it short; what can block without limit runs on a
// thread of its own, which a stop or the deadline may leave behind.
import Glibc
public import TwinspanConnections

/// Finds the way to an endpoint.
public struct NetworkDialler: Sendable {
    /// An address that has accepted a connection a moment ago.
    public struct Reached: Sendable {
        public let address: HostAddress
        /// Where to dial: the endpoint's port, or that of a tunnel's near end.
        public let port: Int
        /// What leads there. It stays while it is held or used: who dials again later, as pools do, holds it; who dials
        /// at once need not.
        public let tunnel: SSHTunnel?
    }

    /// How dialling ended.
    public enum Outcome<Value> {
        case reached(Value)
        case stopped
        case failed(BrokerFailure)
    }

    public let endpoint: Endpoint
    /// What is expected at the other end, for messages, e.g. `MQTT`.
    public let protocolName: String
    /// For the whole attempt of which this is a part.
    public let timeout: Duration
    /// For the TCP connection alone; nil leaves it what the whole attempt has.
    public var connectTimeout: Duration?
    var tunnelTiming = SSHTunnel.Timing()

    public init(
        _ endpoint: Endpoint, speaking protocolName: String, timeout: Duration, connectTimeout: Duration? = nil
    ) {
        self.endpoint = endpoint
        self.protocolName = protocolName
        self.timeout = timeout
        self.connectTimeout = connectTimeout
    }

    /// For libraries that connect by themselves: resolves, and tells an address that answers. Reports each step as it
    /// begins.
    public func probe(
        until deadline: Deadline, control: SessionControl, wake: WakeSignal, observer: any SessionObserver
    ) -> Outcome<Reached> {
        if let tunnel = endpoint.tunnel {
            return dig(tunnel, until: deadline, control: control, wake: wake, observer: observer)
        }
        switch dial(endpoint, until: deadline, control: control, wake: wake, observer: observer, keep: nil) {
        case .reached(let address): return .reached(Reached(address: address, port: endpoint.port, tunnel: nil))
        case .stopped: return .stopped
        case .failed(let failure): return .failed(failure)
        }
    }

    /// The same, and hands over the connected socket: non-blocking, closed on exec, without delay. Whoever gets it
    /// closes it.
    public func connect(
        until deadline: Deadline, control: SessionControl, wake: WakeSignal, observer: any SessionObserver
    ) -> Outcome<Int32> {
        var place = endpoint
        var reached: Reached?
        if let tunnel = endpoint.tunnel {
            switch dig(tunnel, until: deadline, control: control, wake: wake, observer: observer) {
            case .reached(let found):
                reached = found
                place = Endpoint(host: found.address.text, port: found.port)
            case .stopped: return .stopped
            case .failed(let failure): return .failed(failure)
            }
        }
        var descriptor: Int32 = -1
        let silent: (any SessionObserver)? = reached == nil ? observer : nil
        let outcome = withExtendedLifetime(reached) {
            dial(place, until: deadline, control: control, wake: wake, observer: silent, keep: { descriptor = $0 })
        }
        switch outcome {
        case .reached:
            var isOn: Int32 = 1
            setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &isOn, socklen_t(MemoryLayout<Int32>.size))
            return .reached(descriptor)
        case .stopped: return .stopped
        case .failed(let failure): return .failed(failure)
        }
    }

    /// The failure of a step that has run out of time.
    public func timedOut(at step: SessionStep) -> BrokerFailure {
        let limit = step == .connect ? connectTimeout ?? timeout : timeout
        return NetworkFailure.timeout(at: step, peer: endpoint.peer, after: limit, speaking: protocolName)
    }

    // MARK: Tunnel

    /// Reaches the SSH server and opens the way to the endpoint.
    private func dig(
        _ settings: SSHTunnelSettings, until deadline: Deadline, control: SessionControl, wake: WakeSignal,
        observer: any SessionObserver
    ) -> Outcome<Reached> {
        // What its name means is for the server to say; what the text says counts here.
        if let problem = endpoint.hosts.problem(ofHost: endpoint.host) {
            return .failed(NetworkFailure.blocked(problem))
        }
        var server = Endpoint(host: settings.host, port: settings.port)
        server.hosts = endpoint.hosts
        var descriptor: Int32 = -1
        switch dial(
            server, until: deadline, control: control, wake: wake, observer: observer, keep: { descriptor = $0 })
        {
        case .reached: break
        case .stopped: return .stopped
        case .failed(let failure) where failure.reason == NetworkFailure.blockedReason: return .failed(failure)
        case .failed(let failure): return .failed(SSHFailure.unreachable(settings.peer, failure.message))
        }
        let opened = SSHTunnel.open(
            settings, to: endpoint, descriptor: descriptor, timing: tunnelTiming, until: deadline, control: control,
            wake: wake, lost: { observer.changed(.tunnel, $0) })
        switch opened {
        case .reached(let tunnel):
            observer.changed(.tunnel, nil)
            observer.noted(.connect, "SSH tunnel established successfully: \(endpoint.peer) by \(settings.peer)")
            let near = Self.loopback(tunnel.port)
            return near.map { .reached(Reached(address: $0, port: tunnel.port, tunnel: tunnel)) }
                ?? .failed(NetworkFailure.exhausted)
        case .stopped: return .stopped
        case .failed(let failure):
            observer.changed(.tunnel, failure)
            return .failed(failure)
        }
    }

    private static func loopback(_ port: Int) -> HostAddress? {
        // An address as literal fails only for want of memory.
        (try? HostAddress.resolve("127.0.0.1", port: port, isLiteral: true).get())?.first
    }

    // MARK: Directly

    private func dial(
        _ endpoint: Endpoint, until deadline: Deadline, control: SessionControl, wake: WakeSignal,
        observer: (any SessionObserver)?, keep: ((Int32) -> Void)?
    ) -> Outcome<HostAddress> {
        observer?.began(.resolve)
        let addresses: [HostAddress]
        switch resolve(endpoint, until: deadline, control: control, wake: wake) {
        case .reached(let found): addresses = found
        case .stopped: return .stopped
        case .failed(let failure): return .failed(failure)
        }
        observer?.noted(.resolve, addresses.map(\.text).joined(separator: ", "))
        observer?.began(.connect)
        let connectDeadline = connectTimeout.map { min(.after($0), deadline) } ?? deadline
        switch ConnectProbe.run(addresses, until: connectDeadline, control: control, wake: wake, keep: keep) {
        case .answered(let address):
            observer?.noted(.connect, address.peer(port: endpoint.port))
            return .reached(address)
        case .refused(let number):
            return .failed(NetworkFailure.unreachable(peer: endpoint.peer, errorNumber: number))
        case .timedOut:
            let limit = connectTimeout ?? timeout
            return .failed(
                NetworkFailure.timeout(at: .connect, peer: endpoint.peer, after: limit, speaking: protocolName))
        case .stopped: return .stopped
        }
    }

    /// The addresses of the host, none of which is forbidden.
    private func resolve(
        _ endpoint: Endpoint, until deadline: Deadline, control: SessionControl, wake: WakeSignal
    ) -> Outcome<[HostAddress]> {
        let (host, port, rules) = (endpoint.host, endpoint.port, endpoint.hosts)
        if rules.isEmpty, case .success(let addresses) = HostAddress.resolve(host, port: port, isLiteral: true) {
            return .reached(addresses)
        }
        typealias Answer = Result<[HostAddress], HostAddress.ResolutionFailure>
        let call = AbandonableCall.run(until: deadline, control: control, wake: wake) { () -> (Answer, String?) in
            let answer = HostAddress.resolve(host, port: port)
            // A name that does not resolve is told as such.
            guard case .success(let addresses) = answer, !rules.isEmpty else { return (answer, nil) }
            // The very addresses that are dialled are judged, not those of another look at the name.
            let problem = rules.problem(ofHost: host) { name in
                let found = name == host ? answer : HostAddress.resolve(name, port: port)
                guard case .success(let addresses) = found else { return [] }
                return addresses.compactMap { IPAddress($0.text) }
            }
            return (.success(addresses), problem)
        }
        switch call {
        case .finished((_, let problem?)): return .failed(NetworkFailure.blocked(problem))
        case .finished((.success(let addresses), nil)): return .reached(addresses)
        case .finished((.failure(let failure), nil)):
            return .failed(NetworkFailure.unresolved(host: host, failure: failure))
        case .timedOut:
            return .failed(
                NetworkFailure.timeout(at: .resolve, peer: endpoint.peer, after: timeout, speaking: protocolName))
        case .stopped: return .stopped
        case .unavailable: return .failed(NetworkFailure.exhausted)
        }
    }
}
