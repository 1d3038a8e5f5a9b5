// Whether the cluster and the topics answer, for the status. The library connects again by itself, so a cluster that is
// away does not end a session: its places fail, and stand again when it is back.
import TwinspanConnections
import TwinspanNetwork

/// What is known of the cluster's state. Confined to a session's thread.
struct ClusterHealth {
    /// The places of the session, each with its topic; targets have none.
    private let places: [(place: SessionPlace, topic: String?)]
    private var failedTopics: [String: BrokerFailure] = [:]
    private var outage: BrokerFailure?
    private var warned: Set<String> = []
    private var nextProbe = Deadline.never

    init(places: [(SessionPlace, String?)]) {
        self.places = places.map { (place: $0.0, topic: $0.1) }
    }

    /// Whether no broker can be reached.
    var isAway: Bool { outage != nil }

    /// A topic cannot be used.
    mutating func fail(topic: String, _ failure: BrokerFailure, _ observer: any SessionObserver) {
        guard failedTopics.updateValue(failure, forKey: topic) == nil else { return }
        for entry in places where entry.topic == topic { observer.changed(entry.place, failure) }
    }

    /// A topic can be used again.
    mutating func recover(topic: String, _ observer: any SessionObserver) {
        guard failedTopics.removeValue(forKey: topic) != nil else { return }
        for entry in places where entry.topic == topic { observer.changed(entry.place, outage) }
    }

    /// Reads what the library has told.
    mutating func read(_ notices: [KafkaHandle.Notice], fields: KafkaFields, _ observer: any SessionObserver) {
        for notice in notices {
            guard let failure = KafkaFailure.notice(notice.code, notice.text, step: .serve, fields: fields) else {
                continue
            }
            // One broker of several that is away is no outage.
            if notice.code == .allBrokersDown || failure.reaction == .misconfigured {
                setOutage(failure, observer)
            } else if notice.code == .resolve {
                warnOnce(failure.reason, failure, observer)
            }
        }
    }

    /// A record or a confirmation has come.
    mutating func isAlive(_ observer: any SessionObserver) {
        if outage != nil { setOutage(nil, observer) }
    }

    /// While the cluster is away: asks it once a second whether it is back.
    mutating func probe(_ handle: KafkaHandle, _ observer: any SessionObserver) {
        guard outage != nil, nextProbe.hasPassed else { return }
        nextProbe = .after(.seconds(1))
        if handle.ask(about: nil, patience: .milliseconds(200)) == .success { isAlive(observer) }
    }

    /// Warns of a problem, once per code while the cluster is well.
    mutating func warn(_ code: KafkaCode, _ text: String, _ observer: any SessionObserver) {
        warnOnce(code.name, KafkaFailure.other(code, text), observer)
    }

    /// Warns of something, once for each key.
    mutating func warnOnce(_ key: String, _ failure: BrokerFailure, _ observer: any SessionObserver) {
        if warned.insert(key).inserted { observer.warned(failure) }
    }

    private mutating func setOutage(_ failure: BrokerFailure?, _ observer: any SessionObserver) {
        let isNews = (outage == nil) != (failure == nil)
        outage = failure
        nextProbe = failure == nil ? .never : .after(.milliseconds(500))
        guard isNews else { return }
        for entry in places {
            observer.changed(entry.place, failure ?? entry.topic.flatMap { failedTopics[$0] })
        }
        if let failure, places.isEmpty { observer.warned(failure) }
    }
}
