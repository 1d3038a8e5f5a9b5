// Takes every step of a session once and leaves nothing behind: a dry run over HTTP, and `twinspan check`. Looks for
// the queues and exchanges without consuming or publishing anything.
import TwinspanConnections
import TwinspanNetwork

/// One trial of an AMQP 0.9.1 connection.
struct AMQP091Probe {
    let fields: AMQP091Fields
    let timeout: Duration

    /// Blocks the calling thread.
    func run(observer: any SessionObserver) -> SessionEnd {
        guard let wake = WakeSignal() else { return .failed(NetworkFailure.exhausted) }
        let control = SessionControl()
        let deadline = Deadline.after(timeout)
        // What the TCP connection may take: 2 s of the 10 s of a dry run (spec/connectivity.md §8.3).
        let dialler = AMQP091Dialler(fields: fields, timeout: timeout, connectTimeout: timeout / 5)
        switch dialler.dial(control: control, wake: wake, observer: observer) {
        case .stopped: return .stopped
        case .failed(let failure): return .failed(failure)
        case .connected(let connection):
            defer { connection.release() }
            let end = look(connection, until: deadline, wake: wake, observer: observer)
            guard end == .stopped else { return end }
            observer.opened()
            connection.sayGoodbye(until: min(deadline, .after(.seconds(1))))
            return .stopped
        }
    }

    private func look(
        _ connection: RabbitMQConnection, until deadline: Deadline, wake: WakeSignal, observer: any SessionObserver
    ) -> SessionEnd {
        let channel = AMQP091Channel.questions
        func ask(_ channel: UInt16, _ send: () -> RabbitMQStatus) -> AMQP091Answer {
            connection.ask(
                channel: channel, step: .subscribe, until: deadline, control: nil, wake: wake, other: { _ in }, send)
        }
        observer.began(.subscribe)
        switch ask(channel, { connection.openChannel(channel) }) {
        case .yes: break
        case .no(let code, let text): return .failed(AMQP091Failure.channelClosed(code: code, text: text))
        case .stopped: return .stopped
        case .failed(let failure): return .failed(failure)
        }
        switch AMQP091QueueWatch.findMissing(fields.subscriptions, connection: connection, ask: ask) {
        case .success(nil): break
        case .success(let failure?): return .failed(failure)
        case .failure(let unopened): return unopened.end
        }
        var found = fields.subscriptions.map { "queue \($0.queue)" }
        for destination in fields.destinations {
            switch ask(channel, { connection.checkExchange(destination.exchange, channel: channel) }) {
            case .yes: found.append("exchange \(destination.exchange)")
            case .no(let code, let text):
                return .failed(
                    AMQP091Failure.exchange(destination.exchange, code: code, text: text, at: AMQP091Clock.now))
            case .stopped: return .stopped
            case .failed(let failure): return .failed(failure)
            }
        }
        if !found.isEmpty { observer.noted(.subscribe, found.joined(separator: ", ")) }
        return .stopped
    }
}
