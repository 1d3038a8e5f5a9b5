// The settings of an MQTT connection: what stands in the connection and its `specificConfig`
// (spec/connectivity-bindings.md §1.2), read once. Reading never fails: a value that `diagnose` reports is replaced by
// its default here, so that a connection which came past the lint still has defined behaviour.
public import TwinspanConnections
public import TwinspanNetwork
import TwinspanProtocol

/// Settings of an MQTT connection.
public struct MQTTFields: Sendable {
    /// Keys of `specificConfig` this binding knows.
    public enum Key: String, Sendable, CaseIterable {
        case clientID = "clientId"
        case publisherID = "publisherId"
        case separatePublisherClient
        case cleanSession
        case reconnectForRedelivery
        case reconnectForRedeliveryDelay
        case keepAlive
        /// MQTT 5 only.
        case receiveMaximum
        case lastWillTopic
        case lastWillQos
        case lastWillRetain
        case lastWillMessage
    }

    /// The versions of MQTT, each a connection type of its own.
    public enum Version: Sendable {
        case v311, v5
    }

    /// The message a broker sends when a client vanishes without saying goodbye.
    public struct Will: Sendable, Equatable {
        public var topic: String
        public var message: String
        public var qos: UInt8
        public var isRetained: Bool
    }

    /// What one source subscribes to.
    public struct Subscription: Sendable, Equatable {
        /// Topic filters, in the order of the source's addresses.
        public var filters: [String]
        /// 0 or 1. A source that says 2 is subscribed with 1: the library holds a QoS 2 message only in memory between
        /// its PUBREC and its PUBREL, so a crash would lose it (design §3).
        public var qos: UInt8
    }

    public var version: Version
    public var host: String
    /// The broker with the way there, and what may be reached at all.
    public var endpoint: Endpoint
    public var port: Int
    /// Nil for a plain connection.
    public var tls: TLSSettings?
    public var user: String?
    public var password: Secret?
    /// The consumer's id; empty asks the broker for one.
    public var clientID: String
    /// The publisher's id, never the consumer's: two clients with one id take the session from each other.
    public var publisherID: String
    public var isCleanSession: Bool
    /// 0 (off) or 5…65535. The library takes no less than 5.
    public var keepAliveSeconds: Int
    /// The most messages the broker sends before it has heard of the commit of one: how much is under way while a
    /// batch is being committed. 1…65535, of QoS 1; MQTT 5 only, with 3.1.1 it is the broker's choice.
    public var receiveMaximum: Int
    public var will: Will?
    /// One per source.
    public var subscriptions: [Subscription]

    /// Schemes that mean TLS, and those that do not. Ditto has `ssl` and `tcp`; the others are what people write.
    static let secureSchemes: Set<String> = ["ssl", "mqtts"]
    static let plainSchemes: Set<String> = ["tcp", "mqtt"]
    /// The keep-alive if the connection says nothing, in seconds.
    static let defaultKeepAliveSeconds = 60
    /// Limits of a keep-alive that is not off: the library's and those of the field's 16 bits.
    static let keepAliveSecondsRange = 5...65_535
    /// A whole batch fits, and the next one begins to arrive.
    static let defaultReceiveMaximum = 500
    /// How long an MQTT 5 broker keeps a session with `cleanSession` (spec §1.2), in seconds.
    static let cleanSessionExpirySeconds: UInt32 = 60

    /// Reads the settings of a connection.
    public init(_ connection: Connection) {
        let settings = connection.specificConfig
        func text(_ key: Key) -> String? { settings[key.rawValue] }

        version = connection.type == .mqtt5 ? .v5 : .v311
        host = connection.uri.host
        endpoint = Endpoint(connection)
        port = connection.uri.port
        tls = TLSSettings(connection)
        user = connection.uri.user
        password = connection.uri.password
        let id = text(.clientID) ?? connection.id.text
        clientID = id
        let derived = id.isEmpty ? "" : id + "p"
        publisherID = text(.publisherID).flatMap { $0 == id ? nil : $0 } ?? derived
        isCleanSession = text(.cleanSession).flatMap(MQTTFields.flag) ?? false
        keepAliveSeconds = MQTTFields.keepAliveSeconds(text(.keepAlive)) ?? MQTTFields.defaultKeepAliveSeconds
        receiveMaximum = text(.receiveMaximum).flatMap(MQTTFields.receiveMaximum) ?? MQTTFields.defaultReceiveMaximum
        will = text(.lastWillTopic).flatMap { topic in
            guard MQTTTopic.problem(inName: topic) == nil else { return nil }
            return Will(
                topic: topic, message: text(.lastWillMessage) ?? "",
                qos: text(.lastWillQos).flatMap(MQTTFields.qos) ?? 0,
                isRetained: text(.lastWillRetain).flatMap(MQTTFields.flag) ?? false)
        }
        subscriptions = connection.sources.map { source in
            Subscription(filters: source.addresses, qos: UInt8(min(max(source.qos ?? 0, 0), 1)))
        }
    }

    /// The keep-alive a text stands for; the default for nil, nil for a text that is not valid.
    static func keepAliveSeconds(_ text: String?) -> Int? {
        guard let text else { return defaultKeepAliveSeconds }
        guard let milliseconds = milliseconds(text) else { return nil }
        // Rounded up: a broker may close a connection that is silent for longer than it was told.
        let seconds = (milliseconds + 999) / 1000
        return seconds == 0 || keepAliveSecondsRange.contains(seconds) ? seconds : nil
    }

    /// How long a broker of MQTT 5 keeps the consumer's session; `UInt32.max` is for ever, as with MQTT 3.1.1.
    var sessionExpirySeconds: UInt32 { isCleanSession ? MQTTFields.cleanSessionExpirySeconds : .max }

    /// 1…65535; nil for a text that is not valid.
    static func receiveMaximum(_ text: String) -> Int? { UInt16(text).flatMap { $0 > 0 ? Int($0) : nil } }

    /// `true` or `false`.
    static func flag(_ text: String) -> Bool? { Bool(text) }

    /// `0`, `1` or `2`.
    static func qos(_ text: String) -> UInt8? { UInt8(text).flatMap { $0 <= 2 ? $0 : nil } }

    /// `<int><unit>`, a bare integer being seconds (spec/connectivity.md §1); nil if it is not a duration.
    static func milliseconds(_ text: String) -> Int? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let count = Int(digits) else { return nil }
        let factor: Int
        switch text.dropFirst(digits.count) {
        case "ms": factor = 1
        case "", "s": factor = 1000
        case "m": factor = 60_000
        case "h": factor = 3_600_000
        case "d": factor = 86_400_000
        case "w": factor = 604_800_000
        default: return nil
        }
        let (product, isTooLarge) = count.multipliedReportingOverflow(by: factor)
        return isTooLarge ? nil : product
    }
}
