// The session that sends what stands in the queue: dials, then serves one connection until it ends.
import TwinspanConnections
import TwinspanNetwork

/// Sends the messages of one connection.
final class AMQP10Publisher: BrokerSession {
    private let setup: AMQP10Setup
    private let queue: OutboundQueue
    private let outcomes: any PublishOutcomes
    private let control = SessionControl()

    init(setup: AMQP10Setup, queue: OutboundQueue, outcomes: any PublishOutcomes) {
        self.setup = setup
        self.queue = queue
        self.outcomes = outcomes
    }

    func stop(grace: Duration) { control.stop(grace: grace) }

    func run(observer: any SessionObserver) -> SessionEnd {
        control.run { serve(wake: $0, observer: observer) }
    }

    private func serve(wake: WakeSignal, observer: any SessionObserver) -> SessionEnd {
        let dialler = AMQP10Dialler(
            setup: setup, containerID: setup.fields.containerID + "p", timeout: setup.timing.dial)
        switch dialler.dial(control: control, wake: wake, observer: observer) {
        case .stopped: return .stopped
        case .failed(let failure): return .failed(failure)
        case .connected(let connection):
            let link = AMQP10PublisherLink(
                connection: connection, setup: setup, situation: dialler.situation(.serve), queue: queue,
                outcomes: outcomes, observer: observer, control: control, wake: wake)
            queue.onWake { wake.wake() }
            let end = link.serve()
            queue.onWake(nil)
            connection.destroy()
            return end
        }
    }
}
