// The way from settings to a login: resolve, connect, TLS and login under one deadline, each open to a stop. Runs on
// the session's thread; the login, which blocks inside the library, runs on a thread of its own, which a stop or the
// deadline may leave behind until the library's own limit ends it.
import Glibc
import TwinspanConnections
import TwinspanNetwork

/// Dials one broker.
struct AMQP091Dialler {
    /// How dialling ended.
    enum Outcome {
        /// The broker has let us in; the connection belongs to the calling thread.
        case connected(RabbitMQConnection)
        case stopped
        case failed(BrokerFailure)
    }

    let fields: AMQP091Fields
    /// For the whole attempt, up to the end of the login.
    let timeout: Duration
    /// For the TCP connection alone; nil leaves it what the whole attempt has.
    var connectTimeout: Duration?

    /// `host:port` for messages.
    var peer: String { network.endpoint.peer }

    private var network: NetworkDialler {
        NetworkDialler(
            fields.endpoint, speaking: "AMQP 0.9.1", timeout: timeout,
            connectTimeout: connectTimeout ?? fields.connectTimeout)
    }

    /// Tries once. Reports each step as it begins.
    func dial(control: SessionControl, wake: WakeSignal, observer: any SessionObserver) -> Outcome {
        let deadline = Deadline.after(timeout)
        if let settings = fields.tls {
            return dialSecurely(settings, until: deadline, control: control, wake: wake, observer: observer)
        }
        let descriptor: Int32
        switch network.connect(until: deadline, control: control, wake: wake, observer: observer) {
        case .reached(let socket): descriptor = socket
        case .stopped: return .stopped
        case .failed(let failure): return .failed(failure)
        }
        guard let connection = RabbitMQConnection() else {
            close(descriptor)
            return .failed(AMQP091Failure.lost(.outOfMemory, step: .connect))
        }
        let attached = connection.attach(descriptor)
        guard attached == .success else { return .failed(AMQP091Failure.lost(attached, step: .connect)) }
        return logIn(connection, until: deadline, control: control, wake: wake, observer: observer)
    }

    /// With TLS the library connects by itself, to the address that has answered a moment before.
    private func dialSecurely(
        _ settings: TLSSettings, until deadline: Deadline, control: SessionControl, wake: WakeSignal,
        observer: any SessionObserver
    ) -> Outcome {
        let reached: NetworkDialler.Reached
        switch network.probe(until: deadline, control: control, wake: wake, observer: observer) {
        case .reached(let found): reached = found
        case .stopped: return .stopped
        case .failed(let failure): return .failed(failure)
        }
        observer.began(.tls)
        guard let connection = RabbitMQConnection() else {
            return .failed(AMQP091Failure.lost(.outOfMemory, step: .tls))
        }
        let limit = min(deadline, fields.handshakeTimeout.map { .after($0) } ?? .never)
        let (address, port, time) = (reached.address.text, reached.port, limit.remaining)
        let call = AbandonableCall.run(until: limit, control: control, wake: wake) {
            () -> Result<RabbitMQStatus, TLSMaterialError> in
            connection.adopt()
            do throws(TLSMaterialError) {
                return .success(
                    try connection.connect(address: address, port: port, settings: settings, timeout: time))
            } catch {
                return .failure(error)
            }
        }
        switch call {
        case .finished(.success(let status)):
            connection.adopt()
            if status == .timeout { return .failed(network.timedOut(at: .tls)) }
            guard status == .success else {
                guard let context = connection.security else {
                    return .failed(AMQP091Failure.lost(status, step: .tls))
                }
                return .failed(NetworkFailure.tls(peer: peer, text: nil, context: context))
            }
            return logIn(connection, until: deadline, control: control, wake: wake, observer: observer)
        case .finished(.failure(let error)): return .failed(error.failure)
        case .timedOut: return .failed(network.timedOut(at: .tls))
        case .stopped: return .stopped
        case .unavailable: return .failed(NetworkFailure.exhausted)
        }
    }

    private func logIn(
        _ connection: RabbitMQConnection, until deadline: Deadline, control: SessionControl, wake: WakeSignal,
        observer: any SessionObserver
    ) -> Outcome {
        observer.began(.authenticate)
        let limit = min(deadline, fields.handshakeTimeout.map { .after($0) } ?? .never)
        let login = RabbitMQConnection.Login(
            vhost: fields.vhost, user: fields.user, password: fields.password,
            heartbeatSeconds: fields.heartbeatSeconds, frameMaximum: fields.frameMaximum,
            channelMaximum: fields.channelMaximum, timeout: limit.remaining)
        let call = AbandonableCall.run(until: limit, control: control, wake: wake) {
            connection.adopt()
            return connection.logIn(login)
        }
        switch call {
        case .finished(let end):
            connection.adopt()
            if end == .failed(.timeout) { return .failed(network.timedOut(at: .authenticate)) }
            if let failure = AMQP091Failure.login(end, fields: fields, peer: peer) {
                connection.release()
                return .failed(failure)
            }
            return .connected(connection)
        case .timedOut: return .failed(network.timedOut(at: .authenticate))
        case .stopped: return .stopped
        case .unavailable: return .failed(NetworkFailure.exhausted)
        }
    }
}
