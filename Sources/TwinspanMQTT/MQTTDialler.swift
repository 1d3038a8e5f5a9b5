// The way from settings to an accepted connection: resolve, connect, TLS, CONNECT and CONNACK, all under one deadline
// and each open to a stop. Runs on the session's thread; the two calls that can block without limit run on a thread of
// their own, which a stop or the deadline may leave behind.
import Glibc
import TwinspanConnections

/// Dials one broker for one client id.
struct MQTTDialler {
    /// How dialling ended.
    enum Outcome {
        /// CONNACK has accepted us; the handle belongs to the calling thread and its log is off.
        case connected(MosquittoHandle)
        case stopped
        case failed(BrokerFailure)
    }

    let fields: MQTTFields
    let clientID: String
    /// For the whole attempt, up to CONNACK.
    let timeout: Duration
    /// See `MosquittoHandle.Options`.
    let sendMaximum: Int
    /// For the TCP connection alone; nil leaves it what the whole attempt has.
    var connectTimeout: Duration?

    /// Tries once. Reports each step as it begins.
    func dial(control: SessionControl, wake: WakeSignal, observer: any SessionObserver) -> Outcome {
        let deadline = Deadline.after(timeout)
        observer.began(.resolve)
        let addresses: [HostAddress]
        switch resolve(until: deadline, control: control, wake: wake) {
        case .success(let found): addresses = found
        case .failure(let end): return end.outcome
        }
        observer.noted(.resolve, addresses.map(\.text).joined(separator: ", "))
        observer.began(.connect)
        let connectDeadline = connectTimeout.map { min(.after($0), deadline) } ?? deadline
        switch ConnectProbe.run(addresses, until: connectDeadline, control: control, wake: wake) {
        case .answered(let address):
            observer.noted(.connect, address.peer(port: fields.port))
            return open(address, until: deadline, control: control, wake: wake, observer: observer)
        case .refused(let number): return .failed(MQTTFailure.unreachable(peer: peer, errorNumber: number))
        case .timedOut:
            let limit = connectTimeout ?? timeout
            return .failed(MQTTFailure.timeout(at: .connect, peer: peer, after: limit))
        case .stopped: return .stopped
        }
    }

    /// `host:port` for messages.
    var peer: String { "\(fields.host):\(fields.port)" }

    // MARK: Resolve

    private struct End: Error {
        let outcome: Outcome
    }

    private func resolve(
        until deadline: Deadline, control: SessionControl, wake: WakeSignal
    ) -> Result<[HostAddress], End> {
        let (host, port) = (fields.host, fields.port)
        if case .success(let addresses) = HostAddress.resolve(host, port: port, isLiteral: true) {
            return .success(addresses)
        }
        let call = AbandonableCall.run(until: deadline, control: control, wake: wake) {
            HostAddress.resolve(host, port: port)
        }
        switch call {
        case .finished(.success(let addresses)): return .success(addresses)
        case .finished(.failure(let failure)):
            return .failure(End(outcome: .failed(MQTTFailure.unresolved(host: host, failure: failure))))
        case .timedOut:
            return .failure(End(outcome: .failed(MQTTFailure.timeout(at: .resolve, peer: host, after: timeout))))
        case .stopped: return .failure(End(outcome: .stopped))
        case .unavailable: return .failure(End(outcome: .failed(MQTTFailure.exhausted)))
        }
    }

    // MARK: Connect

    private func open(
        _ address: HostAddress, until deadline: Deadline, control: SessionControl, wake: WakeSignal,
        observer: any SessionObserver
    ) -> Outcome {
        let handle: MosquittoHandle
        do {
            handle = try MosquittoHandle(options: options)
        } catch {
            return .failed(MQTTFailure.setting(error, text: nil))
        }
        observer.began(fields.usesTLS ? .tls : .authenticate)
        // The library verifies the certificate against the very text it connects to, so with TLS it needs the name.
        let host = fields.usesTLS && fields.validatesCertificates ? fields.host : address.text
        let (port, keepAlive) = (fields.port, fields.keepAliveSeconds)
        let call = AbandonableCall.run(until: deadline, control: control, wake: wake) {
            handle.adopt()
            return handle.connect(host: host, port: port, keepAliveSeconds: keepAlive)
        }
        switch call {
        case .finished(let code):
            handle.adopt()
            guard code == .success else {
                let failure = MQTTFailure.connect(
                    code, peer: peer, text: handle.errorText, errorNumber: handle.connectErrorNumber)
                return .failed(failure)
            }
            return awaitAnswer(on: handle, until: deadline, control: control, wake: wake, observer: observer)
        case .timedOut: return .failed(MQTTFailure.timeout(at: .connect, peer: peer, after: timeout))
        case .stopped: return .stopped
        case .unavailable: return .failed(MQTTFailure.exhausted)
        }
    }

    private var options: MosquittoHandle.Options {
        MosquittoHandle.Options(
            clientID: clientID, isCleanSession: fields.isCleanSession, user: fields.user,
            password: fields.password?.exposed,
            will: fields.will.map {
                MosquittoHandle.Will(topic: $0.topic, message: $0.message, qos: $0.qos, isRetained: $0.isRetained)
            },
            tls: fields.usesTLS
                ? MosquittoHandle.TLS(
                    trustedCertificates: fields.trustedCertificates,
                    validatesCertificates: fields.validatesCertificates) : nil,
            sendMaximum: sendMaximum)
    }

    // MARK: CONNACK

    private func awaitAnswer(
        on handle: MosquittoHandle, until deadline: Deadline, control: SessionControl, wake: WakeSignal,
        observer: any SessionObserver
    ) -> Outcome {
        var step: SessionStep = fields.usesTLS ? .tls : .authenticate
        while true {
            if step == .tls, handle.isOpen, handle.isSecured {
                if let version = handle.securityVersion { observer.noted(.tls, version) }
                step = .authenticate
                observer.began(step)
            }
            if control.isStopping { return .stopped }
            if deadline.hasPassed { return .failed(MQTTFailure.timeout(at: step, peer: peer, after: timeout)) }
            let events = Int16(POLLIN) | (handle.wantsWrite ? Int16(POLLOUT) : 0)
            var descriptors = [
                pollfd(fd: handle.descriptor, events: events, revents: 0),
                pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0),
            ]
            poll(&descriptors, 2, deadline.pollTimeout)
            if descriptors[1].revents != 0 { wake.drain() }
            var code = MosquittoCode.success
            if descriptors[0].revents & ~Int16(POLLOUT) != 0 { code = handle.read() }
            // CONNACK is judged by its own code: what the loop returns after a refusal is not the reason for it.
            if let answer = handle.connectAnswer {
                guard answer.code == 0 else {
                    return .failed(
                        MQTTFailure.refusal(code: answer.code, clientID: clientID, user: fields.user))
                }
                handle.silence()
                return .connected(handle)
            }
            if code == .success, handle.isOpen, handle.wantsWrite { code = handle.write() }
            guard code == .success, handle.isOpen else { return .failed(failure(code, at: step, handle: handle)) }
        }
    }

    private func failure(_ code: MosquittoCode, at step: SessionStep, handle: MosquittoHandle) -> BrokerFailure {
        let isTLSFailure = step == .tls || code == .tls || code == .tlsHandshake
        if fields.usesTLS, isTLSFailure || handle.errorText?.contains("OpenSSL") == true {
            return MQTTFailure.tls(peer: peer, text: handle.errorText)
        }
        var failure = MQTTFailure.lost(code, step: step, text: handle.errorText)
        if failure.reason == "connection-lost" {
            failure.reaction = .backOff
            failure.message = "\(peer) closed the connection without answering CONNECT."
            failure.hint = "look into the broker's log; check whether it expects TLS (ssl://) on this port"
        }
        return failure
    }
}
