// The session that reads a connection's sources: dials, then serves one link until it ends. What outlives a link is
// only the stop request and the memory of recent ends.
import Synchronization
import TwinspanConnections
import TwinspanNetwork

/// Reads the sources of one connection.
final class MQTTConsumer: BrokerSession {
    private let fields: MQTTFields
    /// Sources that ask for QoS 2.
    private let downgraded: [Int]
    private let inlet: any Inlet
    private let timing: MQTTBrokerClient.Timing
    private let control = SessionControl()
    private let memory = Mutex(Memory())

    private struct Memory {
        var takeover = TakeoverWatch()
        var hasWarned = false
    }

    init(fields: MQTTFields, downgraded: [Int], inlet: any Inlet, timing: MQTTBrokerClient.Timing) {
        self.fields = fields
        self.downgraded = downgraded
        self.inlet = inlet
        self.timing = timing
    }

    func stop(grace: Duration) { control.stop(grace: grace) }

    func run(observer: any SessionObserver) -> SessionEnd {
        control.run { serve(wake: $0, observer: observer) }
    }

    private func serve(wake: WakeSignal, observer: any SessionObserver) -> SessionEnd {
        warnOnce(observer)
        let dialler = MQTTDialler(
            fields: fields, clientID: fields.clientID, timeout: timing.dial, sendMaximum: 20,
            sessionExpirySeconds: fields.sessionExpirySeconds)
        switch dialler.dial(control: control, wake: wake, observer: observer) {
        case .stopped: return .stopped
        case .failed(let failure): return .failed(failure)
        case .connected(let handle):
            let connectedAt = Deadline.now
            let link = MQTTConsumerLink(
                handle: handle, fields: fields, inlet: inlet, observer: observer, timing: timing, control: control,
                wake: wake)
            let end = link.serve()
            handle.release()
            guard case .failed(let failure) = end else { return end }
            let age = Deadline.now.since(connectedAt)
            return .failed(
                memory.withLock { $0.takeover.note(failure, age: age, clientID: fields.clientID) })
        }
    }

    private func warnOnce(_ observer: any SessionObserver) {
        let isFirst = memory.withLock { memory in
            defer { memory.hasWarned = true }
            return !memory.hasWarned
        }
        guard isFirst else { return }
        for source in downgraded { observer.warned(MQTTFailure.downgraded(source: source)) }
    }
}
