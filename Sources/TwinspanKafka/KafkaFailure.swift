// What an end of a connection means and which reaction it calls for. The reason words are stable; metrics and status
// are built on them.
import TwinspanConnections
import TwinspanNetwork

/// Classifies failures of Kafka sessions.
enum KafkaFailure {
    /// The library does not take the settings.
    static func refused(_ refusal: KafkaRefusal) -> BrokerFailure {
        let what = refusal.setting.map { " (\($0))" } ?? ""
        return BrokerFailure(
            step: .connect, reaction: .misconfigured, reason: "invalid-setting",
            message: "The library refuses the connection's settings\(what): \(refusal.text).",
            hint: "check certificates, 'saslMechanism' and the other settings")
    }

    /// What the library told while it connected or while it served; nil for what it gets over by itself.
    static func notice(_ code: KafkaCode, _ text: String, step: SessionStep, fields: KafkaFields) -> BrokerFailure? {
        switch code {
        case .ssl: return tls(text, fields: fields)
        case _ where code.isLogin: return login(text, fields: fields)
        case .transport where isHandshakeTrouble(text): return tls(text, fields: fields)
        case .resolve:
            return BrokerFailure(
                step: step == .serve ? .serve : .resolve, reaction: .backOff, reason: "unresolved",
                message: "A broker's host name could not be resolved (\(text)).",
                hint: "check 'bootstrapServers', and 'advertised.listeners' of the brokers")
        case .transport, .allBrokersDown:
            return BrokerFailure(
                step: step, reaction: .backOff, reason: "connection-lost",
                message: "No broker of the cluster can be reached (\(text)).",
                hint: "check that the brokers run, that this port expects "
                    + (fields.usesTLS ? "TLS" : "no TLS") + ", and 'advertised.listeners' of the brokers")
        case _ where code.isDenied:
            return BrokerFailure(
                step: step, reaction: .misconfigured, reason: "not-authorised",
                message: "The cluster does not allow it (\(text)).", hint: "check the cluster's access rules")
        default: return nil
        }
    }

    /// The library calls a refused handshake a lost transport when the peer just hangs up.
    private static func isHandshakeTrouble(_ text: String) -> Bool {
        text.contains("SSL") || text.contains("certificate")
    }

    private static func tls(_ text: String, fields: KafkaFields) -> BrokerFailure {
        let isCertificate = text.contains("certificate verify failed")
        return BrokerFailure(
            step: .tls, reaction: .misconfigured, reason: isCertificate ? "certificate-untrusted" : "tls",
            message: "The TLS handshake failed (\(text)).",
            hint: isCertificate
                ? "put the authority that signed the brokers' certificates into 'ca'"
                : "check 'ca', and that this port expects TLS")
    }

    private static func login(_ text: String, fields: KafkaFields) -> BrokerFailure {
        BrokerFailure(
            step: .authenticate, reaction: .misconfigured, reason: "bad-credentials",
            message: "The cluster refused the login with \(fields.saslMechanism) (\(text)).",
            hint: "check user and password in 'uri', and 'saslMechanism'")
    }

    /// Nobody answered in time.
    static func unanswered(fields: KafkaFields, peer: String, after limit: Duration, last: BrokerFailure?)
        -> BrokerFailure
    {
        last
            ?? NetworkFailure.timeout(
                at: fields.usesTLS ? .tls : .authenticate, peer: peer, after: limit, speaking: "Kafka")
    }

    /// A topic that cannot be read.
    static func subscription(_ topic: String, _ code: KafkaCode, source: Int?) -> BrokerFailure {
        let place = source.map { " of source \($0 + 1)" } ?? ""
        let isMissing = code.isUnknownTopic
        return BrokerFailure(
            step: .subscribe, reaction: isMissing || code.isDenied ? .misconfigured : .backOff,
            reason: code.isDenied ? "not-authorised" : "subscription-refused",
            message: "The topic '\(topic)'\(place) cannot be read: \(code.phrase).",
            hint: code.isDenied
                ? "allow the user to read the topic"
                : isMissing ? "create the topic, or correct the address" : "look into the cluster's log",
            sourceIndex: source)
    }

    /// The group does not let us in.
    static func group(_ group: String, _ code: KafkaCode) -> BrokerFailure {
        BrokerFailure(
            step: .subscribe, reaction: code.isDenied ? .misconfigured : .backOff,
            reason: code.isDenied ? "not-authorised" : "subscription-refused",
            message: "The group '\(group)' cannot be joined: \(code.phrase).",
            hint: code.isDenied ? "allow the user to read with this group" : "look into the cluster's log")
    }

    /// The group takes its time.
    static func waiting(_ group: String) -> BrokerFailure {
        BrokerFailure(
            step: .subscribe, reaction: .backOff, reason: "group-waiting",
            message: "The group '\(group)' has not given out its partitions yet.",
            hint: "it waits for members that are gone, at most for their session timeout")
    }

    /// The group did not take the places of partitions it has taken from us.
    static func untold(_ group: String, _ code: KafkaCode) -> BrokerFailure {
        BrokerFailure(
            step: .serve, reaction: .retryNow, reason: "commit-too-late",
            message: "The group '\(group)' gave partitions to another member before it knew how far they were read "
                + "(\(code.phrase)): an instance with a store of its own may read their last records again.",
            hint: "raise 'sessionTimeoutMs', or find out what keeps batches waiting")
    }

    /// A place that the topic does not have any more.
    static func moved(_ partition: KafkaHandle.Partition, from place: Int64, to start: Int64, isAhead: Bool)
        -> BrokerFailure
    {
        BrokerFailure(
            step: .serve, reaction: .retryNow, reason: isAhead ? "topic-recreated" : "records-expired",
            message: isAhead
                ? "Partition \(partition.number) of '\(partition.topic)' ends before the place \(place) that we had "
                    + "reached: it was made anew. It is read from its start (\(start))."
                : "Partition \(partition.number) of '\(partition.topic)' begins at \(start), behind the place \(place) "
                    + "that we had reached: the records between were deleted before they were read.",
            hint: isAhead ? nil : "give the topic a longer retention, or find out why this connection was down")
    }

    /// Records whose time to live was over when they came.
    static func expired(_ count: Int, topic: String) -> BrokerFailure {
        BrokerFailure(
            step: .serve, reaction: .retryNow, reason: "expired",
            message: "\(count) records of '\(topic)' were dropped: their 'ttl' was over when they were read.",
            hint: "raise 'ttl', or compare the clocks of sender and this machine")
    }

    /// The library has found that this handle is of no more use.
    static func fatal(_ text: String) -> BrokerFailure {
        BrokerFailure(
            step: .serve, reaction: .retryNow, reason: "fatal",
            message: "The client had to be made anew (\(text)).", hint: nil)
    }

    /// A handle that did not end in time was left behind.
    static let abandoned = BrokerFailure(
        step: .serve, reaction: .retryNow, reason: "abandoned",
        message: "The client library did not let go of a connection in time; it was left behind.")

    /// A problem the library gets over by itself, or that nobody foresaw.
    static func other(_ code: KafkaCode, _ text: String) -> BrokerFailure {
        BrokerFailure(
            step: .serve, reaction: .backOff, reason: "kafka-error", message: "\(code.name): \(text)",
            hint: "look into the cluster's log")
    }
}
