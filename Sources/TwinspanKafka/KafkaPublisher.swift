// The session that sends what stands in a connection's outbound queue: dials, then serves one link until it ends. The
// queue is the outbox: what a link leaves unconfirmed goes back to its front.
import TwinspanConnections
import TwinspanNetwork

/// Publishes the messages of one connection.
final class KafkaPublisher: BrokerSession {
    private let fields: KafkaFields
    private let queue: OutboundQueue
    private let outcomes: any PublishOutcomes
    private let timing: KafkaBrokerClient.Timing
    private let control = SessionControl()

    init(
        fields: KafkaFields, queue: OutboundQueue, outcomes: any PublishOutcomes, timing: KafkaBrokerClient.Timing
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
        let settings = fields.producerSettings(timing)
        let dialler = KafkaDialler(fields: fields, role: .producer, settings: settings, timeout: timing.dial)
        var handle: KafkaHandle
        switch dialler.dial(control: control, wake: wake, observer: observer) {
        case .stopped: return .stopped
        case .failed(let failure): return .failed(failure)
        case .connected(let connected): handle = connected
        }
        observer.began(.serve)
        observer.opened()
        queue.onWake { wake.wake() }
        defer { queue.onWake(nil) }
        while true {
            let link = KafkaPublisherLink(
                handle: handle, fields: fields, queue: queue, outcomes: outcomes, observer: observer, control: control,
                wake: wake)
            let end = link.serve()
            if !handle.release(until: .after(.seconds(2))) { observer.warned(KafkaFailure.abandoned) }
            // A producer the library has given up is made anew at once, unless the new one is no better.
            guard case .failed(let failure) = end, failure.reason == "fatal", link.hasConfirmed else { return end }
            observer.warned(failure)
            do {
                handle = try KafkaHandle(.producer, settings: settings)
            } catch {
                return .failed(KafkaFailure.refused(error))
            }
        }
    }
}
