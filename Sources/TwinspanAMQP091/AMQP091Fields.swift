// The settings of an AMQP 0.9.1 connection: what stands in the connection and its `specificConfig`
// (spec/connectivity-bindings.md §2), read once. Reading never fails: a value that `diagnose` reports is replaced by
// its default here, so that a connection which came past the lint still has defined behaviour.
public import TwinspanConnections
import TwinspanExpressions
public import TwinspanNetwork

/// Settings of an AMQP 0.9.1 connection.
public struct AMQP091Fields: Sendable {
    /// Keys of `specificConfig` this binding knows. All are optional.
    public enum Key: String, Sendable, CaseIterable {
        case channelRpcTimeout, connectionTimeout, handshakeTimeout, networkRecoveryInterval
        case requestedChannelMax, requestedFrameMax, requestedHeartbeat, shutdownTimeout
        case channelShouldCheckRpcResponseType, topologyRecoveryEnabled
        /// The most unacknowledged messages on their way to one connection. Ours; Ditto has no such setting.
        case prefetch
    }

    /// A queue that is read.
    public struct Subscription: Sendable, Equatable {
        /// The source, counted from 0.
        public var source: Int
        /// The name of the queue.
        public var queue: String
        /// How much of the prefetch is its own, as a multiple of what the others have: the source's `consumerCount`.
        public var weight: Int
    }

    /// Where a target sends to, as far as it is known before a message is there.
    public struct Destination: Sendable, Equatable {
        /// The target, counted from 0.
        public var target: Int
        public var exchange: String
    }

    /// The broker, and the way to it.
    public var endpoint: Endpoint
    /// Nil without TLS. Never with a client certificate: this binding ignores them.
    public var tls: TLSSettings?
    public var vhost: String
    public var user: String
    public var password: Secret
    /// Whether user and password are RabbitMQ's own `guest`, because the connection names none.
    public var isGuest: Bool
    /// 1…3600.
    public var heartbeatSeconds: Int
    public var frameMaximum: Int
    public var channelMaximum: Int
    /// For the TCP connection; nil leaves it what the whole attempt has.
    public var connectTimeout: Duration?
    /// For the TLS handshake and the login; nil leaves it what the whole attempt has.
    public var handshakeTimeout: Duration?
    /// For the answer to one method.
    public var answerTimeout: Duration
    /// 1…65535.
    public var prefetch: Int
    public var subscriptions: [Subscription]
    /// The exchanges of targets whose exchange has no placeholder; not the default exchange, which always exists.
    public var destinations: [Destination]
    /// Number of targets.
    public var targetCount: Int

    static let secureScheme = "amqps"
    static let plainScheme = "amqp"
    static let defaultHeartbeatSeconds = 30
    static let defaultFrameMaximum = 131_072
    static let defaultPrefetch = 500
    /// Valid values of the settings that are numbers.
    static let ranges: [Key: ClosedRange<Int>] = [
        .channelRpcTimeout: 0...3_600_000, .connectionTimeout: 0...3_600_000, .handshakeTimeout: 0...3_600_000,
        .networkRecoveryInterval: 0...86_400_000, .shutdownTimeout: 0...3_600_000, .requestedChannelMax: 0...65_535,
        .requestedFrameMax: 0...16_777_216, .requestedHeartbeat: 0...3600, .prefetch: 1...65_535,
    ]

    /// Reads the settings of a connection.
    public init(_ connection: Connection) {
        let settings = connection.specificConfig
        func number(_ key: Key) -> Int? {
            settings[key.rawValue].flatMap { AMQP091Fields.number($0, key) }.flatMap { $0 == 0 ? nil : $0 }
        }
        endpoint = Endpoint(connection)
        tls = TLSSettings(connection)
        tls?.clientCertificate = nil
        vhost = AMQP091Fields.vhost(connection.uri.path) ?? "/"
        isGuest = connection.uri.user == nil
        user = connection.uri.user ?? "guest"
        password = connection.uri.password ?? Secret(connection.uri.user == nil ? "guest" : "")
        heartbeatSeconds = number(.requestedHeartbeat) ?? AMQP091Fields.defaultHeartbeatSeconds
        frameMaximum = max(4096, number(.requestedFrameMax) ?? AMQP091Fields.defaultFrameMaximum)
        // Two are needed: one for messages, one for questions whose answer may close it.
        channelMaximum = number(.requestedChannelMax).map { max(2, $0) } ?? 0
        connectTimeout = number(.connectionTimeout).map { .milliseconds($0) }
        handshakeTimeout = number(.handshakeTimeout).map { .milliseconds($0) }
        answerTimeout = .milliseconds(number(.channelRpcTimeout) ?? 10_000)
        prefetch = number(.prefetch) ?? AMQP091Fields.defaultPrefetch
        subscriptions = connection.sources.enumerated().flatMap { index, source in
            source.addresses.map { Subscription(source: index, queue: $0, weight: max(1, source.consumerCount)) }
        }
        targetCount = connection.targets.count
        destinations = connection.targets.enumerated().compactMap { index, target in
            let exchange = target.address.text.prefix { $0 != "/" }
            guard !exchange.isEmpty, !exchange.contains("{") else { return nil }
            return Destination(target: index, exchange: String(exchange))
        }
    }

    /// The exchange and the routing key of an address; nil unless it has exactly one `/` and both fit into AMQP's short
    /// strings.
    static func route(_ address: String) -> (exchange: String, key: String)? {
        let bytes = address.utf8
        guard let slash = bytes.firstIndex(of: UInt8(ascii: "/")) else { return nil }
        let (exchange, key) = (bytes[..<slash], bytes[bytes.index(after: slash)...])
        guard !key.contains(UInt8(ascii: "/")), exchange.count <= 255, key.count <= 255, !key.isEmpty else {
            return nil
        }
        return (String(Substring(exchange)), String(Substring(key)))
    }

    /// A number in its range; nil for another text.
    static func number(_ text: String, _ key: Key) -> Int? {
        guard let number = Int(text), let range = ranges[key], range.contains(number) else { return nil }
        return number
    }

    /// The virtual host a path stands for: `/` where there is none. Nil for a path that is none.
    static func vhost(_ path: String) -> String? {
        let text = path.hasPrefix("/") ? path.dropFirst() : path[...]
        guard !text.isEmpty else { return "/" }
        guard !text.contains("/") else { return nil }
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
                return nil
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        guard !bytes.contains(0), bytes.count <= 255 else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }
}
