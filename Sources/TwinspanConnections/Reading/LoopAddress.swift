// Whether what a connection sends comes back through a source, for every kind of broker: where a target's address ends
// as far as the address alone tells.
import TwinspanExpressions

enum LoopAddress {
    /// A key for the broker, and the part of it, that a connection talks to; nil where nothing can come back.
    static func broker(of connection: Connection) -> String? {
        let uri = connection.uri
        let place = "\(uri.host.lowercased()):\(uri.port)"
        switch connection.type {
        case .mqtt, .mqtt5: return "mqtt \(place)"
        case .amqp10: return "amqp-10 \(place)"
        // A virtual host has queues of its own.
        case .amqp091: return "amqp-091 \(place)\(uri.path)"
        case .kafka: return "kafka \(place)"
        // Endpoints are not read, and no alias of a source is one of a target.
        case .httpPush, .hono: return nil
        }
    }

    /// Whether what is sent to the address of a target is read by a source with this address.
    static func reaches(_ source: String, from target: String, _ type: ConnectionType) -> Bool {
        switch type {
        case .mqtt, .mqtt5: return TopicOverlap.admits(source, target)
        case .amqp10: return node(source) == node(target)
        case .amqp091:
            // The default exchange has no name and routes to the queue that the key names. Where another one routes to
            // is only known to the broker.
            return target.hasPrefix("/") && target.dropFirst() == source
        case .kafka: return target.prefix { $0 != "/" && $0 != "#" } == source
        case .httpPush, .hono: return false
        }
    }

    /// An address of AMQP 1.0 without the kind of its node.
    private static func node(_ address: String) -> Substring {
        for kind in ["queue://", "topic://"] where address.hasPrefix(kind) { return address.dropFirst(kind.count) }
        return address[...]
    }
}
