// The session that reads a connection's queues: dials, then serves one link until it ends.
import TwinspanConnections
import TwinspanNetwork

/// Reads the sources of one connection.
final class AMQP091Consumer: BrokerSession {
    private let fields: AMQP091Fields
    private let inlet: any Inlet
    private let timing: AMQP091BrokerClient.Timing
    private let control = SessionControl()

    init(fields: AMQP091Fields, inlet: any Inlet, timing: AMQP091BrokerClient.Timing) {
        self.fields = fields
        self.inlet = inlet
        self.timing = timing
    }

    func stop(grace: Duration) { control.stop(grace: grace) }

    func run(observer: any SessionObserver) -> SessionEnd {
        control.run { serve(wake: $0, observer: observer) }
    }

    private func serve(wake: WakeSignal, observer: any SessionObserver) -> SessionEnd {
        let dialler = AMQP091Dialler(fields: fields, timeout: timing.dial)
        switch dialler.dial(control: control, wake: wake, observer: observer) {
        case .stopped: return .stopped
        case .failed(let failure): return .failed(failure)
        case .connected(let connection):
            let link = AMQP091ConsumerLink(
                connection: connection, fields: fields, inlet: inlet, observer: observer, timing: timing,
                control: control, wake: wake)
            let end = link.serve()
            connection.release()
            return end
        }
    }
}
