// The way from settings to an accepted connection: resolve, connect, TLS, CONNECT and CONNACK, all under one deadline
// and each open to a stop. Runs on the session's thread; the two calls that can block without limit run on a thread of
// their own, which a stop or the deadline may leave behind.
import Glibc
import TwinspanConnections
import TwinspanNetwork

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
    /// See `MosquittoHandle.Options`.
    let sessionExpirySeconds: UInt32
    /// For the TCP connection alone; nil leaves it what the whole attempt has.
    var connectTimeout: Duration?

    /// Tries once. Reports each step as it begins.
    func dial(control: SessionControl, wake: WakeSignal, observer: any SessionObserver) -> Outcome {
        let deadline = Deadline.after(timeout)
        switch network.probe(until: deadline, control: control, wake: wake, observer: observer) {
        case .reached(let reached):
            return open(reached, until: deadline, control: control, wake: wake, observer: observer)
        case .stopped: return .stopped
        case .failed(let failure): return .failed(failure)
        }
    }

    private var network: NetworkDialler {
        NetworkDialler(
            fields.endpoint, speaking: "MQTT", timeout: timeout,
            connectTimeout: connectTimeout)
    }

    /// `host:port` for messages.
    private var peer: String { network.endpoint.peer }

    // MARK: Connect

    private func open(
        _ reached: NetworkDialler.Reached, until deadline: Deadline, control: SessionControl, wake: WakeSignal,
        observer: any SessionObserver
    ) -> Outcome {
        observer.began(fields.tls == nil ? .authenticate : .tls)
        var context: TLSContext?
        if let settings = fields.tls {
            do {
                context = try TLSContext(settings)
            } catch {
                return .failed(error.failure)
            }
        }
        let handle: MosquittoHandle
        do {
            handle = try MosquittoHandle(options: options(context))
        } catch {
            return .failed(MQTTFailure.setting(error, text: nil))
        }
        // What has answered is dialled; the context knows the name that counts.
        let (host, port, keepAlive) = (reached.address.text, reached.port, fields.keepAliveSeconds)
        let call = AbandonableCall.run(until: deadline, control: control, wake: wake) {
            handle.adopt()
            return handle.connect(host: host, port: port, keepAliveSeconds: keepAlive)
        }
        switch call {
        case .finished(let code):
            handle.adopt()
            guard code == .success else {
                if let context, code == .tls || code == .tlsHandshake {
                    return .failed(NetworkFailure.tls(peer: peer, text: handle.errorText, context: context))
                }
                let failure = MQTTFailure.connect(
                    code, peer: peer, text: handle.errorText, errorNumber: handle.connectErrorNumber)
                return .failed(failure)
            }
            return awaitAnswer(on: handle, context, until: deadline, control: control, wake: wake, observer: observer)
        case .timedOut: return .failed(network.timedOut(at: .connect))
        case .stopped: return .stopped
        case .unavailable: return .failed(NetworkFailure.exhausted)
        }
    }

    private func options(_ context: TLSContext?) -> MosquittoHandle.Options {
        MosquittoHandle.Options(
            version: fields.version, clientID: clientID, isCleanSession: fields.isCleanSession, user: fields.user,
            password: fields.password?.exposed,
            will: fields.will.map {
                MosquittoHandle.Will(topic: $0.topic, message: $0.message, qos: $0.qos, isRetained: $0.isRetained)
            },
            tls: context, sendMaximum: sendMaximum, receiveMaximum: fields.receiveMaximum,
            sessionExpirySeconds: sessionExpirySeconds)
    }

    // MARK: CONNACK

    private func awaitAnswer(
        on handle: MosquittoHandle, _ context: TLSContext?, until deadline: Deadline, control: SessionControl,
        wake: WakeSignal,
        observer: any SessionObserver
    ) -> Outcome {
        var step: SessionStep = context == nil ? .authenticate : .tls
        while true {
            if step == .tls, handle.isOpen, handle.isSecured {
                if let version = handle.securityVersion { observer.noted(.tls, version) }
                step = .authenticate
                observer.began(step)
            }
            if control.isStopping { return .stopped }
            if deadline.hasPassed { return .failed(network.timedOut(at: step)) }
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
                guard answer.code == 0 else { return .failed(refusal(answer)) }
                note(answer, observer)
                handle.silence()
                return .connected(handle)
            }
            if code == .success, handle.isOpen, handle.wantsWrite { code = handle.write() }
            guard code == .success, handle.isOpen else { return .failed(failure(code, at: step, handle, context)) }
        }
    }

    private func refusal(_ answer: MosquittoHandle.ConnectAnswer) -> BrokerFailure {
        switch fields.version {
        case .v311: MQTTFailure.refusal(code: answer.code, clientID: clientID, user: fields.user)
        case .v5:
            MQTTFailure.refusal(
                reasonCode: answer.code, words: answer.reason, otherServer: answer.otherServer, clientID: clientID,
                user: fields.user)
        }
    }

    /// Tells where the broker has decided otherwise than we asked.
    private func note(_ answer: MosquittoHandle.ConnectAnswer, _ observer: any SessionObserver) {
        if let seconds = answer.keepAliveSeconds {
            observer.noted(.authenticate, "the broker sets the keep-alive to \(seconds) s")
        }
        if let seconds = answer.sessionExpirySeconds, seconds < sessionExpirySeconds {
            observer.noted(
                .authenticate, "the broker keeps the session for only \(seconds) s after the connection has ended")
        }
    }

    private func failure(
        _ code: MosquittoCode, at step: SessionStep, _ handle: MosquittoHandle, _ context: TLSContext?
    ) -> BrokerFailure {
        let isTLSFailure = step == .tls || code == .tls || code == .tlsHandshake
        // With TLS 1.3 a server says only after the handshake that it wants a client certificate.
        if let context, isTLSFailure || context.alert != nil {
            return NetworkFailure.tls(peer: peer, text: handle.errorText, context: context)
        }
        var failure = handle.failure(code, at: step, clientID: clientID)
        if handle.disconnectCode == nil, failure.reason == "connection-lost" {
            failure.reaction = .backOff
            failure.message = "\(peer) closed the connection without answering CONNECT."
            failure.hint = "look into the broker's log; check whether it expects TLS (ssl://) on this port"
        }
        return failure
    }
}
