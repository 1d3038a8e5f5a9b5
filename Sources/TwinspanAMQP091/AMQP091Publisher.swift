// The session that sends what stands in a connection's outbound queue: dials, then serves one link until it ends. The
// queue is the outbox: what a lost link leaves unconfirmed goes back to its front.
import TwinspanConnections
import TwinspanNetwork

/// Publishes the messages of one connection.
final class AMQP091Publisher: BrokerSession {
    private let fields: AMQP091Fields
    private let queue: OutboundQueue
    private let outcomes: any PublishOutcomes
    private let timing: AMQP091BrokerClient.Timing
    private let control = SessionControl()

    init(
        fields: AMQP091Fields, queue: OutboundQueue, outcomes: any PublishOutcomes,
        timing: AMQP091BrokerClient.Timing
    ) {
        self.fields = fields
        self.queue = queue
        self.outcomes = outcomes
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
            defer { connection.release() }
            let channel = AMQP091Channel.messages
            for send in [
                { connection.openChannel(channel) }, { connection.selectConfirms(channel: channel) },
            ] {
                let answer = connection.ask(
                    channel: channel, step: .authenticate, until: .after(fields.answerTimeout), control: control,
                    wake: wake, other: { _ in }, send)
                switch answer {
                case .yes: continue
                case .no(let code, let text): return .failed(AMQP091Failure.channelClosed(code: code, text: text))
                case .stopped: return .stopped
                case .failed(let failure): return .failed(failure)
                }
            }
            observer.began(.serve)
            observer.opened()
            queue.onWake { wake.wake() }
            defer { queue.onWake(nil) }
            return AMQP091PublisherLink(
                connection: connection, fields: fields, queue: queue, outcomes: outcomes, observer: observer,
                timing: timing, control: control, wake: wake
            ).serve()
        }
    }
}
