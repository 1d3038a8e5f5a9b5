// The session that reads a connection's sources: dials, then serves one connection until it ends.
import TwinspanConnections
import TwinspanNetwork

/// Reads the sources of one connection.
final class AMQP10Consumer: BrokerSession {
    private let setup: AMQP10Setup
    private let inlet: any Inlet
    private let control = SessionControl()

    init(setup: AMQP10Setup, inlet: any Inlet) {
        self.setup = setup
        self.inlet = inlet
    }

    func stop(grace: Duration) { control.stop(grace: grace) }

    func run(observer: any SessionObserver) -> SessionEnd {
        control.run { serve(wake: $0, observer: observer) }
    }

    private func serve(wake: WakeSignal, observer: any SessionObserver) -> SessionEnd {
        let dialler = AMQP10Dialler(
            setup: setup, containerID: setup.fields.containerID, timeout: setup.timing.dial)
        switch dialler.dial(control: control, wake: wake, observer: observer) {
        case .stopped: return .stopped
        case .failed(let failure): return .failed(failure)
        case .connected(let connection):
            let link = AMQP10ConsumerLink(
                connection: connection, setup: setup, situation: dialler.situation(.serve), inlet: inlet,
                observer: observer, control: control, wake: wake)
            let end = link.serve()
            connection.destroy()
            return end
        }
    }
}
