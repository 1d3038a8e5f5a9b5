// The way from settings to an opened connection: resolve, connect, TLS, SASL, open; all under one deadline, and each
// open to a stop. Runs on the session's thread.
import Glibc
import TwinspanConnections
import TwinspanNetwork

/// Dials one broker for one container id.
struct AMQP10Dialler {
    /// How dialling ended.
    enum Outcome {
        case connected(ProtonConnection)
        case stopped
        case failed(BrokerFailure)
    }

    let setup: AMQP10Setup
    let containerID: String
    /// For the whole attempt, up to the opened connection.
    let timeout: Duration
    /// For the TCP connection alone; nil leaves it what the whole attempt has.
    var connectTimeout: Duration?

    private var fields: AMQP10Fields { setup.fields }

    /// What failures are told about.
    func situation(_ step: SessionStep) -> AMQP10Failure.Situation {
        AMQP10Failure.Situation(
            step: step, peer: network.endpoint.peer, user: fields.login.user, mechanism: fields.mechanism)
    }

    private var network: NetworkDialler {
        NetworkDialler(
            setup.endpoint, speaking: "AMQP 1.0", timeout: timeout, connectTimeout: connectTimeout)
    }

    /// Tries once. Reports each step as it begins.
    func dial(control: SessionControl, wake: WakeSignal, observer: any SessionObserver) -> Outcome {
        let deadline = Deadline.after(timeout)
        var context: TLSContext?
        if let security = setup.security {
            do {
                context = try TLSContext(security)
            } catch {
                return .failed(error.failure)
            }
        }
        let login: (user: String?, password: String?)
        do {
            login = fields.mechanism == "PLAIN" ? try fields.login.credentials(at: Int64(time(nil))) : (nil, nil)
        } catch {
            return .failed(error)
        }
        let descriptor: Int32
        switch network.connect(until: deadline, control: control, wake: wake, observer: observer) {
        case .reached(let socket): descriptor = socket
        case .stopped: return .stopped
        case .failed(let failure): return .failed(failure)
        }
        let settings = ProtonConnection.Settings(
            containerID: containerID, hostName: fields.hostName, user: login.user, password: login.password,
            mechanism: fields.mechanism,
            idleMilliseconds: fields.idleMilliseconds, maximumFrameSize: fields.maximumFrameSize)
        guard let socket = AMQP10Socket(descriptor: descriptor, context: context),
            let connection = ProtonConnection(socket, settings: settings)
        else { return .failed(NetworkFailure.exhausted) }
        return open(connection, context, until: deadline, control: control, wake: wake, observer: observer)
    }

    private func open(
        _ connection: ProtonConnection, _ context: TLSContext?, until deadline: Deadline, control: SessionControl,
        wake: WakeSignal,
        observer: any SessionObserver
    ) -> Outcome {
        var step: SessionStep = fields.usesTLS ? .tls : .authenticate
        observer.began(step)
        while true {
            connection.process()
            if step == .tls, connection.isSecured {
                if let version = connection.securityVersion { observer.noted(.tls, version) }
                step = .authenticate
                observer.began(step)
            }
            if let end = connection.end {
                connection.destroy()
                return .failed(failure(end, at: step, context))
            }
            if connection.isRemoteOpen {
                guard connection.usedMechanism == fields.mechanism else {
                    let used = connection.usedMechanism
                    connection.destroy()
                    return .failed(AMQP10Failure.otherMechanism(used, situation(step)))
                }
                return .connected(connection)
            }
            if control.isStopping || deadline.hasPassed {
                connection.destroy()
                return control.isStopping ? .stopped : .failed(network.timedOut(at: step))
            }
            connection.wait(wake, until: deadline)
        }
    }

    private func failure(_ end: ProtonConnection.End, at step: SessionStep, _ context: TLSContext?) -> BrokerFailure {
        guard let context else { return AMQP10Failure.ended(end, situation(step)) }
        let peer = network.endpoint.peer
        // With TLS 1.3 the peer judges our certificate after the handshake.
        if let alert = context.alert, alert.concernsClientCertificate {
            return NetworkFailure.tls(peer: peer, text: nil, context: context)
        }
        switch end {
        case .insecure(let text) where text.contains("wrong version number"): return AMQP10Failure.noTLS(peer: peer)
        case .insecure(let text): return NetworkFailure.tls(peer: peer, text: text, context: context)
        default:
            // A peer that is no TLS server hangs up on our first words.
            if step == .tls { return NetworkFailure.tls(peer: peer, text: "the peer hung up", context: context) }
            return AMQP10Failure.ended(end, situation(step))
        }
    }
}
