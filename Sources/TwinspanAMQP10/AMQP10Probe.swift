// Takes every step of a session once and leaves nothing behind: a dry run over HTTP, and `twinspan check`. It goes as
// far as sessions and links, for a broker may only say there what it does not allow. No credit is given, so that no
// message is touched, and nothing is sent.
import TwinspanConnections
import TwinspanNetwork

/// One trial of an AMQP 1.0 connection.
struct AMQP10Probe {
    let setup: AMQP10Setup
    let timeout: Duration

    /// What the TCP connection may take: 2 s of the 10 s of a dry run (spec/connectivity.md §8.3).
    private var connectTimeout: Duration { timeout / 5 }

    /// Blocks the calling thread.
    func run(observer: any SessionObserver) -> SessionEnd {
        guard let wake = WakeSignal() else { return .failed(NetworkFailure.exhausted) }
        let control = SessionControl()
        let deadline = Deadline.after(timeout)
        let dialler = AMQP10Dialler(
            setup: setup, containerID: "twinspan-\(UInt64.random(in: .min ... .max))", timeout: timeout,
            connectTimeout: connectTimeout)
        switch dialler.dial(control: control, wake: wake, observer: observer) {
        case .stopped: return .stopped
        case .failed(let failure): return .failed(failure)
        case .connected(let connection):
            defer { connection.destroy() }
            if let failure = attach(connection, dialler, wake, until: deadline, observer: observer) {
                return .failed(failure)
            }
            observer.opened()
            connection.sayGoodbye(wake, until: min(deadline, .after(.seconds(1))))
            return .stopped
        }
    }

    /// A link that is tried.
    private struct Trial {
        var address: AMQP10Address
        /// Index of the source; nil for a target.
        var source: Int?
        var link: ProtonLink?
        var hasFlippedDurability = false
    }

    private func attach(
        _ connection: ProtonConnection, _ dialler: AMQP10Dialler, _ wake: WakeSignal, until deadline: Deadline,
        observer: any SessionObserver
    ) -> BrokerFailure? {
        var trials = setup.fields.readings.enumerated().flatMap { source, reading in
            reading.addresses.map { Trial(address: AMQP10Address($0), source: source) }
        }
        trials += setup.fields.targetAddresses.compactMap { text in
            text.map { Trial(address: AMQP10Address($0), source: nil) }
        }
        guard !trials.isEmpty else { return nil }
        observer.began(.subscribe)
        observer.noted(.subscribe, trials.map(\.address.text).joined(separator: ", "))
        for index in trials.indices {
            attach(&trials[index], isDurable: trials[index].address.prefersDurable, on: connection)
        }
        while true {
            connection.process()
            if let end = connection.end { return AMQP10Failure.ended(end, dialler.situation(.subscribe)) }
            for index in trials.indices {
                let trial = trials[index]
                guard case .ended(let condition) = trial.link?.state else { continue }
                guard condition?.name == "amqp:precondition-failed", !trial.hasFlippedDurability else {
                    return AMQP10Failure.link(
                        condition, trial.address, isSource: trial.source != nil, source: trial.source)
                }
                trials[index].hasFlippedDurability = true
                attach(&trials[index], isDurable: !trial.address.prefersDurable, on: connection)
            }
            if trials.allSatisfy({ $0.link?.state == .open }) { return nil }
            if deadline.hasPassed {
                return NetworkFailure.timeout(
                    at: .subscribe, peer: "\(setup.fields.host):\(setup.fields.port)", after: timeout,
                    speaking: "AMQP 1.0")
            }
            connection.wait(wake, until: deadline)
        }
    }

    private func attach(_ trial: inout Trial, isDurable: Bool, on connection: ProtonConnection) {
        if let link = trial.link { connection.retire(link) }
        trial.link = connection.attach(
            trial.source == nil ? .sender : .receiver, to: trial.address, isDurable: isDurable)
    }
}
