// A dry run: everything a session does before its first record, except joining the group, which would make its members
// share out the partitions anew. Asks for each topic; nothing is read, committed or published.
import TwinspanConnections
import TwinspanNetwork

/// Tries a connection.
struct KafkaProbe {
    let fields: KafkaFields
    let timeout: Duration

    func run(observer: any SessionObserver) -> SessionEnd {
        guard let wake = WakeSignal() else { return .failed(NetworkFailure.exhausted) }
        let control = SessionControl()
        let deadline = Deadline.after(timeout)
        var timing = KafkaBrokerClient.Timing()
        timing.dial = timeout
        // A consumer's question does not create the topic it asks for.
        let dialler = KafkaDialler(
            fields: fields, role: .consumer, settings: fields.consumerSettings(timing), timeout: timeout)
        switch dialler.dial(control: control, wake: wake, observer: observer) {
        case .stopped: return .stopped
        case .failed(let failure): return .failed(failure)
        case .connected(let handle):
            defer { handle.release(until: .after(.seconds(1))) }
            guard let failure = subscribe(handle, until: deadline, observer: observer) else { return .stopped }
            return .failed(failure)
        }
    }

    private func subscribe(
        _ handle: KafkaHandle, until deadline: Deadline, observer: any SessionObserver
    ) -> BrokerFailure? {
        guard fields.topics.contains(where: { !$0.isEmpty }) else { return nil }
        observer.began(.subscribe)
        for (source, topics) in fields.topics.enumerated() {
            for topic in topics {
                let code = handle.ask(about: topic, patience: max(deadline.remaining, .milliseconds(500)))
                if code != .success { return KafkaFailure.subscription(topic, code, source: source) }
            }
        }
        observer.noted(.subscribe, fields.topics.joined().joined(separator: ", "))
        return nil
    }
}
