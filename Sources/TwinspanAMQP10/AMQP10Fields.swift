// The settings of an AMQP 1.0 connection: what stands in the connection and its `specificConfig`
// (spec/connectivity-bindings.md §3), read once. The names in `specificConfig` are those of Qpid JMS, of which Ditto
// takes any; those that have a meaning here are honoured, the others do no harm. Reading never fails: a value that
// `diagnose` reports is replaced by its default.
public import TwinspanConnections
import TwinspanExpressions
import TwinspanNetwork
import TwinspanProtocol

/// Settings of an AMQP 1.0 connection.
public struct AMQP10Fields: Sendable {
    /// Keys of `specificConfig` that have an effect.
    public enum Key: String, Sendable, CaseIterable {
        case vhost = "amqp.vhost"
        case idleTimeout = "amqp.idleTimeout"
        case maxFrameSize = "amqp.maxFrameSize"
        case saslMechanisms = "amqp.saslMechanisms"
        case clientID = "jms.clientID"
        case connectTimeout = "jms.connectTimeout"
        case sendTimeout = "jms.sendTimeout"
        case requestTimeout = "jms.requestTimeout"
        case prefetch = "jms.prefetchPolicy.all"
    }

    /// What one source reads.
    public struct Reading: Sendable, Equatable {
        public var addresses: [String]
        /// Receivers per address.
        public var consumerCount: Int
    }

    public var host: String
    public var port: Int
    public var usesTLS: Bool
    var login: AMQP10Login
    /// The one SASL mechanism that is used: `PLAIN`, `EXTERNAL` or `ANONYMOUS`.
    public var mechanism: String
    /// Of the consumer; the publisher adds `p`, for two connections must not share one.
    public var containerID: String
    /// The virtual host, or the host of `uri`.
    public var hostName: String
    /// Zero: never.
    public var idleMilliseconds: Int
    public var maximumFrameSize: Int
    /// For an attempt to connect, up to the opened connection, and again for the links; nil leaves it to the adapter.
    public var connectTimeout: Duration?
    /// How long a message waits for credit and for its confirmation; nil leaves it to the adapter.
    public var sendTimeout: Duration?
    /// How long a link may take to be attached later on; nil leaves it to the adapter.
    public var requestTimeout: Duration?
    /// Messages per receiver that are under way or unsettled; nil means what fits the batches.
    public var prefetch: Int?
    /// One per source.
    public var readings: [Reading]
    /// One per target; nil where the address has placeholders.
    public var targetAddresses: [String?]

    /// Schemes that mean TLS, and those that do not.
    static let secureSchemes: Set<String> = ["amqps"]
    static let plainSchemes: Set<String> = ["amqp"]
    static let mechanisms = ["PLAIN", "EXTERNAL", "ANONYMOUS"]
    /// The idle timeout if the connection says nothing, in milliseconds.
    static let defaultIdleMilliseconds = 30_000
    static let defaultFrameSize = 65_536
    static let prefetchRange = 1...10_000
    static let frameSizeRange = 512...1_048_576

    /// Reads the settings of a connection.
    public init(_ connection: Connection) {
        let settings = connection.specificConfig
        func text(_ key: Key) -> String? { settings[key.rawValue] }
        func duration(_ key: Key) -> Duration? {
            AMQP10Fields.milliseconds(text(key)).flatMap { $0 > 0 ? .milliseconds($0) : nil }
        }
        host = connection.uri.host
        port = connection.uri.port
        usesTLS = AMQP10Fields.secureSchemes.contains(connection.uri.scheme)
        login = AMQP10Login(connection)
        mechanism = login.mechanism(allowed: AMQP10Fields.allowedMechanisms(text(.saslMechanisms)))
        // Several processes may serve one connection, and an id may be used once.
        let suffix = connection.clientCount > 1 ? "_\(UInt64.random(in: .min ... .max))" : ""
        containerID = (text(.clientID).flatMap { $0.isEmpty ? nil : $0 } ?? connection.id.text) + suffix
        hostName = text(.vhost).flatMap { $0.isEmpty ? nil : $0 } ?? connection.uri.host
        idleMilliseconds = AMQP10Fields.idle(text(.idleTimeout)) ?? AMQP10Fields.defaultIdleMilliseconds
        maximumFrameSize =
            text(.maxFrameSize).flatMap { Int($0) }.flatMap {
                AMQP10Fields.frameSizeRange.contains($0) ? $0 : nil
            } ?? AMQP10Fields.defaultFrameSize
        connectTimeout = duration(.connectTimeout)
        sendTimeout = duration(.sendTimeout)
        requestTimeout = duration(.requestTimeout)
        prefetch = text(.prefetch).flatMap { Int($0) }.flatMap { AMQP10Fields.prefetchRange.contains($0) ? $0 : nil }
        readings = connection.sources.map {
            Reading(addresses: $0.addresses, consumerCount: max(1, $0.consumerCount))
        }
        targetAddresses = connection.targets.map { $0.address.constant }
    }

    /// The mechanisms a text names, in capitals; nil when there is none.
    static func allowedMechanisms(_ text: String?) -> [String]? {
        guard let text else { return nil }
        let names = text.split(whereSeparator: { $0 == "," || $0 == " " }).map { $0.uppercased() }
        return names.isEmpty ? nil : names
    }

    /// The idle timeout a text stands for; as in Qpid JMS a negative one means none.
    static func idle(_ text: String?) -> Int? {
        guard let number = text.flatMap({ Int($0) }) else { return nil }
        return number > Int(Int32.max) ? nil : max(0, number)
    }

    /// A whole number of milliseconds.
    static func milliseconds(_ text: String?) -> Int? {
        text.flatMap { Int($0) }.flatMap { $0 <= Int(Int32.max) ? $0 : nil }
    }
}
