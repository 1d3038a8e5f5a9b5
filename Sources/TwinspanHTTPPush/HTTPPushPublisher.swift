// The session that sends what stands in a connection's outbound queue. It blocks its thread, as the sessions of the
// other adapters do; requests run on the event loop, and their ends wake the thread.
import TwinspanConnections
import TwinspanNetwork

/// Sends the messages of one connection.
final class HTTPPushPublisher: BrokerSession {
    private let fields: HTTPPushFields
    private let queue: OutboundQueue
    private let outcomes: any PublishOutcomes
    private let limits: HTTPPushBrokerClient.Limits
    private let loops: EventLoops
    private let now: @Sendable () -> Int64
    private let control = SessionControl()

    init(
        fields: HTTPPushFields, queue: OutboundQueue, outcomes: any PublishOutcomes,
        limits: HTTPPushBrokerClient.Limits, loops: EventLoops, now: @escaping @Sendable () -> Int64
    ) {
        self.fields = fields
        self.queue = queue
        self.outcomes = outcomes
        self.limits = limits
        self.loops = loops
        self.now = now
    }

    func stop(grace: Duration) { control.stop(grace: grace) }

    func run(observer: any SessionObserver) -> SessionEnd {
        control.run { serve(wake: $0, observer: observer) }
    }

    private func serve(wake: WakeSignal, observer: any SessionObserver) -> SessionEnd {
        // The thread of the network work lives from the first step to the last connection's end.
        _ = loops.borrow()
        defer { loops.giveBack() }
        let dialler = HTTPPushDialler(fields: fields, timeout: limits.dial, loops: loops)
        switch dialler.dial(control: control, wake: wake, observer: observer, now: now) {
        case .stopped: return .stopped
        case .failed(let failure): return .failed(failure)
        case .reached(let opened):
            observer.began(.serve)
            observer.opened()
            queue.onWake { wake.wake() }
            defer { queue.onWake(nil) }
            let client = PushClient(opened.settings, loops: loops)
            let link = HTTPPushLink(
                fields: fields, client: client, token: opened.token, limits: limits, loops: loops, queue: queue,
                outcomes: outcomes, observer: observer, control: control, wake: wake, now: now)
            let end = link.serve()
            // Nothing is under way any more, so this is a matter of moments; who waited would gain nothing.
            client.close {}
            return end
        }
    }
}
