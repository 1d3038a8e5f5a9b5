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
            Endpoint(host: fields.host, port: fields.port), speaking: "AMQP 0.9.1", timeout: timeout,
            connectTimeout: connectTimeout ?? fields.connectTimeout)
    }

    /// Tries once. Reports each step as it begins.
    func dial(control: SessionControl, wake: WakeSignal, observer: any SessionObserver) -> Outcome {
        let deadline = Deadline.after(timeout)
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
