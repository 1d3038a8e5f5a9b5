// The settings of a Kafka connection: what stands in the connection and its `specificConfig`
// (spec/connectivity-bindings.md §4.1), read once. Reading never fails: a value that `diagnose` reports is replaced by
// its default here, so that a connection which came past the lint still has defined behaviour.
import TwinspanConnections
import TwinspanJSON
import TwinspanNetwork
import TwinspanProtocol

/// Settings of a Kafka connection.
public struct KafkaFields: Sendable {
    /// Keys of `specificConfig` this binding knows. The last three are not Ditto's.
    public enum Key: String, Sendable, CaseIterable {
        case bootstrapServers, saslMechanism, groupID = "groupId", consumerOffsetReset, debugEnabled
        case compression
        /// How long the producer waits for more messages before it sends a batch, in milliseconds.
        case lingerMilliseconds = "lingerMs"
        /// The time of the group's coordinator to miss us, in milliseconds.
        case sessionTimeoutMilliseconds = "sessionTimeoutMs"
    }

    /// The brokers to begin with; the library learns of the others. The one in `uri` comes first.
    var servers: [Endpoint]
    var usesTLS: Bool
    var validatesCertificates: Bool
    /// PEM bundle; nil means the system's certificates.
    var trustedCertificates: String?
    /// PEM texts with which the client proves who it is.
    var clientCertificate: (certificate: String, key: Secret)?
    var user: String?
    var password: Secret?
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    var saslMechanism: String
    /// The consumer group, and the name under which the store keeps our places.
    var groupID: String
    /// Where reading begins when neither we nor the group know a place.
    var beginsAtStart: Bool
    /// Whether acknowledgements tell where the message is.
    var isDebugEnabled: Bool
    var compression: String
    var lingerMilliseconds: Int
    var sessionTimeoutMilliseconds: Int
    var consumerID: String
    var producerID: String
    /// The connection's id, which every message carries in `ditto-connection-id`.
    var connectionID: String
    /// The topics of each source, in its order.
    var topics: [[String]]
    /// How many targets the connection has.
    var targetCount: Int

    static let compressions = ["none", "gzip", "snappy", "lz4", "zstd"]
    static let mechanisms = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
    static let lingerRange = 0...10_000
    /// A coordinator's usual limits.
    static let sessionTimeoutRange = 6_000...1_800_000

    /// Reads the settings of a connection.
    init(_ connection: Connection) {
        let settings = connection.specificConfig
        func text(_ key: Key) -> String? { settings[key.rawValue] }

        let own = Endpoint(connection)
        let listed = text(.bootstrapServers).flatMap(KafkaFields.servers) ?? []
        // All brokers are under the rules of the connection.
        servers =
            [own]
            + listed.filter { $0.peer != own.peer }.map {
                Endpoint(connection, host: $0.host, port: $0.port)
            }
        usesTLS = connection.uri.scheme == "ssl"
        validatesCertificates = connection.validatesCertificates
        trustedCertificates = connection.trustedCertificates
        if let credentials = connection.credentials, credentials["type"]?.string == "client-cert",
            let certificate = credentials["cert"]?.string, let key = credentials["key"]?.string
        {
            clientCertificate = (certificate, Secret(key))
        }
        user = connection.uri.user
        password = connection.uri.password
        let mechanism = text(.saslMechanism)?.uppercased()
        saslMechanism = mechanism.flatMap { KafkaFields.mechanisms.contains($0) ? $0 : nil } ?? "PLAIN"
        groupID = KafkaFields.groupID(of: connection)
        beginsAtStart = text(.consumerOffsetReset)?.lowercased() == "earliest"
        isDebugEnabled = text(.debugEnabled)?.lowercased() == "true"
        compression = text(.compression).flatMap { KafkaFields.compressions.contains($0) ? $0 : nil } ?? "none"
        lingerMilliseconds = text(.lingerMilliseconds).flatMap { KafkaFields.number($0, in: Self.lingerRange) } ?? 5
        sessionTimeoutMilliseconds =
            text(.sessionTimeoutMilliseconds).flatMap { KafkaFields.number($0, in: Self.sessionTimeoutRange) } ?? 45_000
        connectionID = connection.id.text
        consumerID = connectionID + "-consumer"
        producerID = connectionID + "-producer"
        topics = connection.sources.map(\.addresses)
        targetCount = connection.targets.count
    }

    /// Reads `host:port, host:port…`; nil when it is not such a list.
    static func servers(_ text: String) -> [Endpoint]? {
        var servers: [Endpoint] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let entry = part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()
            let word = String(entry)
            guard let colon = word.lastIndex(of: ":"), colon > word.startIndex, !word.contains(" "),
                let port = Int(word[word.index(after: colon)...]), (1...65_535).contains(port)
            else { return nil }
            var host = word[..<colon]
            if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
            servers.append(Endpoint(host: String(host), port: port))
        }
        return servers.isEmpty ? nil : servers
    }

    /// The consumer group with `{{ connection:id }}` resolved.
    static func groupID(of connection: Connection) -> String {
        guard let text = connection.specificConfig[Key.groupID.rawValue] else { return connection.id.text }
        var resolved = ""
        var rest = text[...]
        while let start = rest.firstRange(of: "{{"), let end = rest[start.upperBound...].firstRange(of: "}}") {
            let name = rest[start.upperBound..<end.lowerBound].filter { $0 != " " }
            resolved += rest[..<start.lowerBound]
            resolved += name == "connection:id" ? connection.id.text : String(rest[start.lowerBound..<end.upperBound])
            rest = rest[end.upperBound...]
        }
        return resolved + rest
    }

    static func number(_ text: String, in range: ClosedRange<Int>) -> Int? {
        Int(text).flatMap { range.contains($0) ? $0 : nil }
    }

    /// What the library is told for either role. Inline PEM: no file is written.
    var librarySettings: [(name: String, value: String)] {
        var settings = [
            (
                "bootstrap.servers",
                servers.map { $0.host.contains(":") ? "[\($0.host)]:\($0.port)" : $0.peer }
                    .joined(separator: ",")
            ),
            ("security.protocol", (user == nil ? "" : "sasl_") + (usesTLS ? "ssl" : "plaintext")),
            ("socket.keepalive.enable", "true"), ("socket.nagle.disable", "true"), ("log_level", "6"),
            ("broker.address.family", "any"), ("topic.metadata.refresh.interval.ms", "60000"),
        ]
        if let user {
            settings += [
                ("sasl.mechanism", saslMechanism), ("sasl.username", user),
                ("sasl.password", password?.exposed ?? ""),
            ]
        }
        guard usesTLS else { return settings }
        if validatesCertificates {
            if let trustedCertificates {
                settings.append(("ssl.ca.pem", trustedCertificates))
                // As in Ditto: with an authority of one's own, any of its certificates will do.
                settings.append(("ssl.endpoint.identification.algorithm", "none"))
            }
        } else {
            settings.append(("enable.ssl.certificate.verification", "false"))
            settings.append(("ssl.endpoint.identification.algorithm", "none"))
        }
        if let clientCertificate {
            settings.append(("ssl.certificate.pem", clientCertificate.certificate))
            settings.append(("ssl.key.pem", clientCertificate.key.exposed))
        }
        return settings
    }

    /// What the library is told for reading.
    func consumerSettings(_ timing: KafkaBrokerClient.Timing) -> [(name: String, value: String)] {
        librarySettings + [
            ("client.id", consumerID), ("group.id", groupID), ("allow.auto.create.topics", "false"),
            ("enable.auto.commit", "false"), ("enable.auto.offset.store", "false"),
            // Where to begin is decided here, with the places of our store (`StartingPlace`).
            ("auto.offset.reset", "error"),
            // The cooperative protocol of 2.0.2 aborts the process when closed before its first assignment.
            ("partition.assignment.strategy", "range,roundrobin"),
            ("queued.max.messages.kbytes", "16384"), ("fetch.wait.max.ms", "500"),
            ("session.timeout.ms", String(timing.session?.milliseconds ?? Int32(sessionTimeoutMilliseconds))),
            ("max.poll.interval.ms", String(max(timing.pollInterval, timing.session ?? .zero).milliseconds)),
        ]
    }

    /// What the library is told for writing.
    func producerSettings(_ timing: KafkaBrokerClient.Timing) -> [(name: String, value: String)] {
        librarySettings + [
            ("client.id", producerID), ("enable.idempotence", "true"), ("linger.ms", String(lingerMilliseconds)),
            ("compression.codec", compression), ("queue.buffering.max.messages", "100000"),
            ("queue.buffering.max.kbytes", "65536"), ("message.timeout.ms", String(timing.delivery.milliseconds)),
            // Keys go to the partitions to which Ditto's client sends them.
            ("partitioner", "murmur2_random"),
        ]
    }
}
