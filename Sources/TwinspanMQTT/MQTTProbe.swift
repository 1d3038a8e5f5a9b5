// Takes every step of a session once and leaves nothing behind: a dry run over HTTP, and `twinspan check`. The client
// has an id of its own and a clean session without a will, so a connection that runs does not notice it.
import Glibc
import TwinspanConnections
import TwinspanNetwork

/// One trial of an MQTT connection.
struct MQTTProbe {
    let fields: MQTTFields
    let timeout: Duration

    /// What the TCP connection may take: 2 s of the 10 s of a dry run (spec/connectivity.md §8.3).
    private var connectTimeout: Duration { timeout / 5 }

    /// Blocks the calling thread.
    func run(observer: any SessionObserver) -> SessionEnd {
        guard let wake = WakeSignal() else { return .failed(NetworkFailure.exhausted) }
        let control = SessionControl()
        let deadline = Deadline.after(timeout)
        var own = fields
        own.isCleanSession = true
        own.will = nil
        let dialler = MQTTDialler(
            fields: own, clientID: "twinspan-\(UInt64.random(in: .min ... .max))", timeout: timeout, sendMaximum: 1,
            sessionExpirySeconds: 0, connectTimeout: connectTimeout)
        switch dialler.dial(control: control, wake: wake, observer: observer) {
        case .stopped: return .stopped
        case .failed(let failure): return .failed(failure)
        case .connected(let handle):
            defer { handle.release() }
            if let failure = subscribe(handle, until: deadline, observer: observer) { return .failed(failure) }
            if !fields.isCleanSession, fields.subscriptions.contains(where: { $0.qos > 0 }) {
                observer.noted(.serve, Self.limitHint)
            }
            observer.opened()
            handle.sayGoodbye(until: min(deadline, .after(.seconds(1))))
            return .stopped
        }
    }

    private static let limitHint =
        "while this service is away the broker keeps messages for it only within its own limits: Mosquitto 1,000 per "
        + "session unless max_queued_messages says otherwise, and it drops the rest without an error"

    /// Asks for what the sources read, with QoS 0: the broker then keeps nothing for us. Shared subscriptions are left
    /// out, because messages would come here instead of to whoever shares them.
    private func subscribe(
        _ handle: MosquittoHandle, until deadline: Deadline, observer: any SessionObserver
    ) -> BrokerFailure? {
        var unanswered: [(id: Int, source: Int, filters: [String])] = []
        var tried: [String] = []
        let shared = fields.subscriptions.flatMap(\.filters).filter { $0.hasPrefix("$share/") }
        if !shared.isEmpty {
            observer.noted(.serve, "shared subscriptions are not tried: \(shared.joined(separator: ", "))")
        }
        defer { if !tried.isEmpty { observer.noted(.subscribe, tried.joined(separator: ", ")) } }
        for (source, subscription) in fields.subscriptions.enumerated() {
            let filters = subscription.filters.filter { !$0.hasPrefix("$share/") }
            guard !filters.isEmpty else { continue }
            if unanswered.isEmpty { observer.began(.subscribe) }
            filters.forEach { tried.append($0) }
            do {
                unanswered.append((try handle.subscribe(filters, qos: 0), source, filters))
            } catch {
                return MQTTFailure.subscription(
                    filter: filters.joined(separator: ", "), code: Int(error.code.rawValue), source: source)
            }
        }
        while !unanswered.isEmpty {
            guard !deadline.hasPassed else {
                return NetworkFailure.timeout(
                    at: .subscribe, peer: "\(fields.host):\(fields.port)", after: timeout, speaking: "MQTT")
            }
            let code = turn(handle, until: deadline)
            for answer in handle.takeSubscribeAnswers() {
                guard let index = unanswered.firstIndex(where: { $0.id == answer.id }) else { continue }
                let asked = unanswered.remove(at: index)
                for (filter, code) in zip(asked.filters, answer.codes) where code >= 128 {
                    return MQTTFailure.subscription(
                        filter: filter, code: code, source: asked.source, version: fields.version)
                }
            }
            guard code == .success, handle.isOpen || unanswered.isEmpty else {
                return handle.failure(code, at: .subscribe, clientID: fields.clientID)
            }
        }
        return nil
    }

    private func turn(_ handle: MosquittoHandle, until deadline: Deadline) -> MosquittoCode {
        let events = Int16(POLLIN) | (handle.wantsWrite ? Int16(POLLOUT) : 0)
        var descriptor = pollfd(fd: handle.descriptor, events: events, revents: 0)
        poll(&descriptor, 1, deadline.pollTimeout)
        var code = MosquittoCode.success
        if descriptor.revents & ~Int16(POLLOUT) != 0 { code = handle.read() }
        if code == .success, handle.isOpen, handle.wantsWrite { code = handle.write() }
        return code
    }
}
