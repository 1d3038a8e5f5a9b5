// The session that reads a connection's sources: dials, then serves one link until it ends.
import TwinspanConnections
import TwinspanNetwork

/// Reads the sources of one connection.
final class KafkaConsumer: BrokerSession {
    private let fields: KafkaFields
    private let inlet: any Inlet
    private let timing: KafkaBrokerClient.Timing
    private let control = SessionControl()

    init(fields: KafkaFields, inlet: any Inlet, timing: KafkaBrokerClient.Timing) {
        self.fields = fields
        self.inlet = inlet
        self.timing = timing
    }

    func stop(grace: Duration) { control.stop(grace: grace) }

    func run(observer: any SessionObserver) -> SessionEnd {
        control.run { serve(wake: $0, observer: observer) }
    }

    private func serve(wake: WakeSignal, observer: any SessionObserver) -> SessionEnd {
        let dialler = KafkaDialler(
            fields: fields, role: .consumer, settings: fields.consumerSettings(timing), timeout: timing.dial)
        switch dialler.dial(control: control, wake: wake, observer: observer) {
        case .stopped: return .stopped
        case .failed(let failure): return .failed(failure)
        case .connected(let handle):
            let link = KafkaConsumerLink(
                handle: handle, fields: fields, inlet: inlet, observer: observer, timing: timing, control: control,
                wake: wake)
            let end = link.serve()
            handle.onRebalance = nil
            // A stop has used its grace up by now; an abandoned handle ends by itself.
            let patience: Duration = control.isStopping ? .milliseconds(500) : .seconds(2)
            if !handle.release(until: .after(patience)) { observer.warned(KafkaFailure.abandoned) }
            return end
        }
    }
}
