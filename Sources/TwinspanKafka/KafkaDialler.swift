// The way to a cluster: find a bootstrap server that answers, make the handle, and wait until the cluster has answered
// a question. The library connects by itself and tells what went wrong only in notices, so those are looked through
// while it tries.
import Glibc
import TwinspanConnections
import TwinspanNetwork

/// Makes handles that are connected.
struct KafkaDialler {
    /// How dialling ended.
    enum Outcome {
        case connected(KafkaHandle)
        case stopped
        case failed(BrokerFailure)
    }

    let fields: KafkaFields
    let role: KafkaHandle.Role
    let settings: [(name: String, value: String)]
    let timeout: Duration

    /// Dials under one deadline; a stop cuts it short.
    func dial(control: SessionControl, wake: WakeSignal, observer: any SessionObserver) -> Outcome {
        let deadline = Deadline.after(timeout)
        let steps = OrderedSteps(observer)
        let peer: String
        switch reach(until: deadline, control: control, wake: wake, observer: steps) {
        case .reached(let found): peer = found
        case .stopped: return .stopped
        case .failed(let failure): return .failed(failure)
        }
        if fields.usesTLS { observer.began(.tls) }
        if !fields.usesTLS { observer.began(.authenticate) }
        let handle: KafkaHandle
        do {
            handle = try KafkaHandle(role, settings: settings)
        } catch {
            return .failed(KafkaFailure.refused(error))
        }
        let failure = awaitAnswer(of: handle, peer: peer, until: deadline, control: control)
        guard let failure else {
            if control.isStopping {
                handle.release(until: control.stopDeadline ?? .now)
                return .stopped
            }
            if fields.usesTLS { observer.began(.authenticate) }
            return .connected(handle)
        }
        handle.release(until: .after(.seconds(1)))
        if fields.usesTLS, failure.step != .tls { observer.began(.authenticate) }
        return .failed(failure)
    }

    /// Tries the bootstrap servers in turn; one that answers is enough.
    private func reach(
        until deadline: Deadline, control: SessionControl, wake: WakeSignal, observer: any SessionObserver
    ) -> NetworkDialler.Outcome<String> {
        var first: BrokerFailure?
        for (index, server) in fields.servers.enumerated() {
            let share = deadline.remaining / (fields.servers.count - index)
            let dialler = NetworkDialler(server, speaking: "Kafka", timeout: share)
            switch dialler.probe(until: .after(share), control: control, wake: wake, observer: observer) {
            case .reached: return .reached(server.peer)
            case .stopped: return .stopped
            case .failed(let failure): first = first ?? failure
            }
        }
        return .failed(first ?? NetworkFailure.exhausted)
    }

    /// Nil: the cluster has answered, or a stop was asked for.
    private func awaitAnswer(
        of handle: KafkaHandle, peer: String, until deadline: Deadline, control: SessionControl
    ) -> BrokerFailure? {
        var last: BrokerFailure?
        var patience = Duration.milliseconds(100)
        while !control.isStopping {
            if handle.ask(about: nil, patience: min(patience, deadline.remaining)) == .success { return nil }
            if role == .producer { handle.serve() } else { _ = handle.poll { _ in } }
            for notice in handle.takeNotices() {
                guard
                    let failure = KafkaFailure.notice(
                        notice.code, notice.text, step: fields.usesTLS ? .tls : .authenticate, fields: fields)
                else { continue }
                if failure.reaction == .misconfigured { return failure }
                last = failure
            }
            if deadline.hasPassed {
                return KafkaFailure.unanswered(fields: fields, peer: peer, after: timeout, last: last)
            }
            // Long enough for a slow network, short enough for a stop.
            patience = min(patience * 2, .milliseconds(1500))
        }
        return nil
    }
}

/// Passes on each step once, although every bootstrap server is resolved and connected to.
private final class OrderedSteps: SessionObserver {
    // Steps are told on the session's thread alone, but observers are shared by nature.
    private let observer: any SessionObserver
    private let latest = Latest()

    /// The step that was told last.
    ///
    /// Unchecked: `dial` uses it on its own thread alone.
    private final class Latest: @unchecked Sendable {
        var step: SessionStep?
    }

    init(_ observer: any SessionObserver) { self.observer = observer }

    func began(_ step: SessionStep) {
        let order = SessionStep.allCases
        let before = latest.step.flatMap(order.firstIndex(of:)) ?? -1
        guard let index = order.firstIndex(of: step), index > before else { return }
        latest.step = step
        observer.began(step)
    }

    func opened() { observer.opened() }
    func warned(_ failure: BrokerFailure) { observer.warned(failure) }
    func noted(_ step: SessionStep, _ text: String) { observer.noted(step, text) }
    func changed(_ place: SessionPlace, _ failure: BrokerFailure?) { observer.changed(place, failure) }
}
