// The session that sends what stands in a connection's outbound queue: dials, then serves one link until it ends. The
// queue is the outbox: what a lost link leaves unconfirmed goes back to its front, and the handle, which would send it
// again on its own terms, is destroyed.
import Synchronization
import TwinspanConnections
import TwinspanNetwork

/// Publishes the messages of one connection.
final class MQTTPublisher: BrokerSession {
    private let fields: MQTTFields
    private let queue: OutboundQueue
    private let outcomes: any PublishOutcomes
    private let timing: MQTTBrokerClient.Timing
    private let keepsKnownHeaders: Bool
    private let control = SessionControl()
    private let takeover = Mutex(TakeoverWatch())

    init(
        fields: MQTTFields, queue: OutboundQueue, outcomes: any PublishOutcomes, timing: MQTTBrokerClient.Timing,
        keepsKnownHeaders: Bool
    ) {
        self.fields = fields
        self.queue = queue
        self.outcomes = outcomes
        self.timing = timing
        self.keepsKnownHeaders = keepsKnownHeaders
    }

    func stop(grace: Duration) { control.stop(grace: grace) }

    func run(observer: any SessionObserver) -> SessionEnd {
        control.run { serve(wake: $0, observer: observer) }
    }

    private func serve(wake: WakeSignal, observer: any SessionObserver) -> SessionEnd {
        var publisherFields = fields
        // What was published is ours to send again, so a session of the broker would only repeat it.
        publisherFields.isCleanSession = true
        let dialler = MQTTDialler(
            fields: publisherFields, clientID: fields.publisherID, timeout: timing.dial,
            sendMaximum: PublishWindow.maximumCount, sessionExpirySeconds: 0)
        switch dialler.dial(control: control, wake: wake, observer: observer) {
        case .stopped: return .stopped
        case .failed(let failure): return .failed(failure)
        case .connected(let handle):
            let connectedAt = Deadline.now
            observer.began(.serve)
            observer.opened()
            queue.onWake { wake.wake() }
            let link = MQTTPublisherLink(
                handle: handle, fields: fields, keepsKnownHeaders: keepsKnownHeaders, queue: queue,
                outcomes: outcomes, control: control, wake: wake)
            let end = link.serve()
            queue.onWake(nil)
            handle.release()
            guard case .failed(let failure) = end else { return end }
            let age = Deadline.now.since(connectedAt)
            return .failed(takeover.withLock { $0.note(failure, age: age, clientID: fields.publisherID) })
        }
    }
}
