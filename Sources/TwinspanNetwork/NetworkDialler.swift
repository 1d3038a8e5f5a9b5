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
        switch dial(until: deadline, control: control, wake: wake, observer: observer, keep: nil) {
        case .reached(let address): .reached(Reached(address: address, port: endpoint.port))
        case .stopped: .stopped
        case .failed(let failure): .failed(failure)
        }
    }

    /// The same, and hands over the connected socket: non-blocking, closed on exec, without delay. Whoever gets it
    /// closes it.
    public func connect(
        until deadline: Deadline, control: SessionControl, wake: WakeSignal, observer: any SessionObserver
    ) -> Outcome<Int32> {
        var descriptor: Int32 = -1
        switch dial(until: deadline, control: control, wake: wake, observer: observer, keep: { descriptor = $0 }) {
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

    private func dial(
        until deadline: Deadline, control: SessionControl, wake: WakeSignal, observer: any SessionObserver,
        keep: ((Int32) -> Void)?
    ) -> Outcome<HostAddress> {
        observer.began(.resolve)
        let addresses: [HostAddress]
        switch resolve(until: deadline, control: control, wake: wake) {
        case .reached(let found): addresses = found
        case .stopped: return .stopped
        case .failed(let failure): return .failed(failure)
        }
        observer.noted(.resolve, addresses.map(\.text).joined(separator: ", "))
        observer.began(.connect)
        let connectDeadline = connectTimeout.map { min(.after($0), deadline) } ?? deadline
        switch ConnectProbe.run(addresses, until: connectDeadline, control: control, wake: wake, keep: keep) {
        case .answered(let address):
            observer.noted(.connect, address.peer(port: endpoint.port))
            return .reached(address)
        case .refused(let number):
            return .failed(NetworkFailure.unreachable(peer: endpoint.peer, errorNumber: number))
        case .timedOut: return .failed(timedOut(at: .connect))
        case .stopped: return .stopped
        }
    }

    private func resolve(
        until deadline: Deadline, control: SessionControl, wake: WakeSignal
    ) -> Outcome<[HostAddress]> {
        let (host, port) = (endpoint.host, endpoint.port)
        if case .success(let addresses) = HostAddress.resolve(host, port: port, isLiteral: true) {
            return .reached(addresses)
        }
        let call = AbandonableCall.run(until: deadline, control: control, wake: wake) {
            HostAddress.resolve(host, port: port)
        }
        switch call {
        case .finished(.success(let addresses)): return .reached(addresses)
        case .finished(.failure(let failure)):
            return .failed(NetworkFailure.unresolved(host: host, failure: failure))
        case .timedOut: return .failed(timedOut(at: .resolve))
        case .stopped: return .stopped
        case .unavailable: return .failed(NetworkFailure.exhausted)
        }
    }
}
